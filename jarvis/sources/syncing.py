"""How do a database and the JSONL files of a git repository become the same?

1. The rows of the database are merged with those of the last commit, on the base of what both had at the last sync.
2. The files are replaced whole and committed; only these files, whatever else is staged.
3. Fetch and rebase; rows are merged by key (sources/rowmerge.py). A conflict is aborted: the tree is as it was.
4. What others changed is put into the database, in one transaction, unless the row was changed there meanwhile.
5. What the database has now is remembered as the next base; then the commits are pushed.

Killed between any two steps the next run does the rest: the base is only ever behind, and what is the same on both
sides is no change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from jarvis.core import rows as rowsets
from jarvis.core.rows import Row, Rows
from jarvis.sources import upstream
from jarvis.sources.files import replace
from jarvis.sources.git import Repository
from jarvis.sources.mirror import Asked, Done, NotSynced
from jarvis.store import exchange, outside

QUERY_WITHIN = timedelta(seconds=30)


def sync(asked: Asked) -> Done:
    """One sync, as the module says. Raises NoRepository, NotSynced, GitError, or what the database says."""
    done = Done()
    with exchange.opened(asked.database) as tables:
        keys = {name: tables.key(name, asked.keys.get(name)) for name in asked.tables}
        local = {name: _keyed(name, tables.rows(name, keys[name]), keys[name]) for name in asked.tables}
    done.exported = sum(map(len, local.values()))
    settings = {
        "prefer": asked.prefer,
        "keys": {f"{asked.folder}/{name}.jsonl": list(columns) for name, columns in keys.items()},
    }
    repository = Repository(
        asked.repository, identity=asked.identity, env={"JARVIS_ROWMERGE": json.dumps(settings)}
    )
    upstream.ready(repository, asked)
    base = {name: _base(asked, name, keys[name]) for name in asked.tables}
    if asked.direction != "import":
        _export(repository, asked, done, base, local, keys)
    reached = upstream.pull(repository, asked, done, take_back=True)
    if asked.direction != "export":
        _import(repository, asked, done, base, local, keys)
    if reached and asked.push:
        upstream.push(repository, asked, done)
    return done


def _keyed(name: str, rows: Iterator[Row], key: Sequence[str]) -> dict[str, Row]:
    try:
        return rowsets.keyed(rows, key)
    except ValueError as error:
        raise NotSynced(
            f"table {name}: {error}; name the columns that tell its rows apart under keys:"
        ) from None


# What both had at the last sync.


def _memory(asked: Asked, name: str) -> Path:
    return asked.memory / f"{name}.jsonl"


def _base(asked: Asked, name: str, key: Sequence[str]) -> Rows:
    """Nothing, the first time, or when it cannot be read: then both sides are new to each other."""
    try:
        return rowsets.keyed(rowsets.parse(_memory(asked, name).read_text(encoding="utf-8")), key)
    except (OSError, ValueError):
        return {}


def _committed(repository: Repository, asked: Asked, name: str, key: Sequence[str]) -> Rows:
    """The rows of the last commit. Raises NotSynced when the file is none of ours."""
    path = f"{asked.folder}/{name}.jsonl"
    text = repository.says("show", f"HEAD:{path}")
    try:
        return rowsets.keyed(rowsets.parse(text or ""), key)
    except ValueError as error:
        raise NotSynced(f"{path} cannot be read: {error}; mend it and commit") from None


# The steps.


def _export(
    repository: Repository, asked: Asked, done: Done, base: dict[str, Rows], local: Mapping[str, Rows],
    keys: Mapping[str, Sequence[str]],
) -> None:  # fmt: skip
    texts = {}
    for name in asked.tables:
        wanted = local[name]
        if asked.direction == "both":
            theirs = _committed(repository, asked, name, keys[name])
            merged = rowsets.merge(base[name], local[name], theirs, asked.prefer)
            if merged.conflicts:
                shown = ", ".join(merged.conflicts[:5])
                raise NotSynced(
                    f"{asked.folder}/{name}.jsonl and the database differ in the rows {shown}, which both changed: "
                    "make them the same, or set prefer: local or remote"
                )
            wanted = dict(merged.rows)
            # What is the same on both sides now is what a later change begins with.
            same = {key: row for key, row in local[name].items() if wanted.get(key) == row}
            base[name] = {**base[name], **same}
        texts[name] = rowsets.written(rowsets.ordered(wanted))
    for name, query in asked.queries.items():
        with outside.rows(asked.database, query, within=QUERY_WITHIN) as found:
            plain = [{column: exchange.plain(value) for column, value in row.items()} for row in found]
        done.exported += len(plain)
        texts[name] = rowsets.written(plain)
    for name, text in texts.items():
        _replace(asked, name, text)
    paths = [f"{asked.folder}/{name}.jsonl" for name in texts]
    upstream.commit(repository, asked, done, paths)


def _replace(asked: Asked, name: str, text: str) -> None:
    """Write a file whole if its content is another one."""
    path = asked.repository / asked.folder / f"{name}.jsonl"
    data = text.encode("utf-8", "surrogatepass")
    with contextlib.suppress(FileNotFoundError):
        if hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(data).digest():
            return
    replace(path, data)


def _import(
    repository: Repository, asked: Asked, done: Done, base: Mapping[str, Rows], local: Mapping[str, Rows],
    keys: Mapping[str, Sequence[str]],
) -> None:  # fmt: skip
    wanted = {}
    for name in asked.tables:
        theirs = _committed(repository, asked, name, keys[name])
        merged = rowsets.merge(base[name], local[name], theirs, asked.prefer)
        for key in merged.conflicts:
            done.wrong(
                f"conflict:{name}:{key}",
                f"row {key} of {name} was changed on both sides: kept as it is",
                "medium",
            )
        wanted[name] = merged.rows
    agreed = {name: dict(rows) for name, rows in local.items()}
    different = [name for name in asked.tables if wanted[name] != local[name]]
    if different:
        with exchange.opened(asked.database, write=True) as tables:
            for name in different:
                _into(tables, name, keys[name], asked, done, local[name], wanted[name], agreed[name])
    for name, rows in agreed.items():
        text = rowsets.written(rowsets.ordered(rows))
        replace(_memory(asked, name), text.encode("utf-8", "surrogatepass"))


def _into(
    tables: exchange.Tables, name: str, key: Sequence[str], asked: Asked, done: Done, local: Rows, wanted: Rows,
    agreed: dict[str, Row],
) -> None:  # fmt: skip
    """One table: rows that others added, changed or removed, unless somebody changed them here meanwhile."""
    now = rowsets.keyed(tables.rows(name, key), key)
    for one in {**local, **wanted}:
        mine, theirs = local.get(one), wanted.get(one)
        if mine == theirs or now.get(one) != mine:
            continue
        try:
            if theirs is not None:
                tables.put(name, key, theirs)
                agreed[one] = theirs
            elif asked.deletions and mine is not None:
                tables.remove(name, {column: mine[column] for column in key})
                del agreed[one]
            else:
                continue
        except exchange.Rejected as error:
            done.wrong(f"rejected:{name}:{one}", f"row {one} of {name} was not taken: {error}", "medium")
        else:
            done.imported += 1
