"""Keep tables of a database and JSONL files of a git repository the same, both ways.

Each run: export whole tables (a line of JSON for each row, in the order of their keys), commit if something changed,
fetch and rebase, bring what others changed into the database, push. Rows are merged by their keys, not by lines. What
cannot be pushed is pushed the next time; a conflict leaves the tree as it was.

Parameters:
    database: sqlite:///PATH or postgresql://USER@HOST/DATABASE
    repository: a clone with an upstream branch; a folder that is none is skipped
    tables: the tables to keep the same
    queries: further files, name: SELECT …; these are exported only
    folder: where in the repository the files are
    keys: for tables without a primary key: table: [column, …]
    direction: both; export: the database is the truth; import: the files are
    deletions: a row that others removed is removed from the database, too
    prefer: a row both sides changed: stop, or take the local or the remote one
    name: the author of commits
    email: the author's address
    message: the message of commits
    push: whether commits are pushed
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from jarvis import Context, GiveUp, Secret, Skip
from jarvis.core import things
from jarvis.core.rows import Prefer
from jarvis.core.things import Query


def _database(url: str | Secret) -> str | Secret:
    return url if isinstance(url, Secret) else things.database(url)


def _file(name: str) -> str:
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"{name!r} is no name of a file in the folder")
    return name


def _once(names: list[str]) -> list[str]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice!r} is named twice")
    return names


def _inside(folder: str) -> str:
    if folder.startswith("/") or ".." in folder.split("/") or ".git" in folder.split("/"):
        raise ValueError(f"{folder!r} is not below the repository: write for example data")
    return folder


File = Annotated[str, AfterValidator(_file)]


def run(
    ctx: Context,
    *,
    database: Annotated[str | Secret, AfterValidator(_database)],
    repository: Path,
    tables: Annotated[list[File], AfterValidator(_once)] = [],  # noqa: B006 - read only, and the form shows it
    queries: dict[File, Query] = {},  # noqa: B006
    folder: Annotated[str, AfterValidator(_inside)] = "data",
    keys: dict[str, list[str]] = {},  # noqa: B006
    direction: Literal["both", "export", "import"] = "both",
    deletions: bool = False,
    prefer: Prefer = "stop",
    name: str = "Jarvis",
    email: str = "jarvis@localhost",
    message: str = "Sync the database",
    push: bool = True,
) -> tuple[str, dict[str, float]]:
    from jarvis.sources import mirror, syncing  # SQLAlchemy comes with them

    if not tables and not queries:
        raise GiveUp("there is nothing to keep the same: name tables:, or queries: that are exported")
    if unknown := [name for name in keys if name not in tables]:
        raise GiveUp(f"keys: {unknown[0]!r} is none of the tables ({', '.join(tables) or 'there are none'})")
    asked = mirror.Asked(
        database=database.reveal() if isinstance(database, Secret) else database,
        repository=repository,
        tables=tuple(tables),
        queries=queries,
        folder=folder.strip("/") or "data",
        keys=keys,
        direction=direction,
        deletions=deletions,
        prefer="remote" if direction == "import" and prefer == "stop" else prefer,
        identity=(name, email),
        message=message,
        push=push,
        memory=ctx.state / "git_sync" / ctx.run.job,
    )
    try:
        done = syncing.sync(asked)
    except mirror.NoRepository as error:
        raise Skip(str(error)) from None
    for key, text, severity in done.alerts:
        ctx.alert(text, key=key, severity=severity)
    return done.line(), done.numbers()
