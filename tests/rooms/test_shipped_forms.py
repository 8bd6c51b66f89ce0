"""Is a mistake in the parameters of a shipped handler told when jobs.yaml is read, and not by a failed run at night?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jarvis.config import load
from jarvis.errors import ConfigError
from jarvis.handling import catalogue
from jarvis.handling.catalogue import Catalogue

SHIPPED = Catalogue([("shipped", catalogue.shipped())], entry_points=False)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

SYNC = "run: git_sync\n    with: {repository: r, "
SAMPLE = "run: pause_sample\n    with: {"
RESCAN = "run: rescan\n    with: {path: x, "
CHECK = "run: invariants\n    with: {invariants: {a: "

NONE = "is no database that can be asked: write sqlite:///PATH or postgresql://USER@HOST/DATABASE"
FILE = "names no file: write sqlite:///PATH, or sqlite:////PATH from the root"
NOTICES = "expected 'pause', 'elevated', 'critical' or 'forensics', not 'pauses' (did you mean 'pause'?)"
READS = "only a query that reads is asked: begin with SELECT or WITH"
PLACE = ", database: 'sqlite:///x'}"


def complaints(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"jobs:\n  a:\n    {text}\n")
    path.chmod(0o600)
    try:
        load.read(path, handlers=SHIPPED, environ={"URL": "x"}, now=NOW)
    except ConfigError as error:
        return [one.message + (f" ({one.hint})" if one.hint else "") for one in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SYNC + "tables: [a], database: 'mysql://u:pw@h/x'}", f"'database': 'mysql://h/x' {NONE}"),
        (SYNC + "tables: [a], database: 'sqlite://x.db'}", f"'database': 'sqlite://x.db' {FILE}"),
        (SYNC + "tables: [a, a]" + PLACE, "'tables': 'a' is named twice"),
        (SYNC + "tables: [../a]" + PLACE, "'tables.0': '../a' is no name of a file in the folder"),
        (SYNC + "folder: ../b" + PLACE, "'folder': '../b' is not below the repository: write for example data"),
        (SYNC + "queries: {q: DELETE FROM a}" + PLACE, f"'queries.q': {READS}"),
        (SAMPLE + "interval: 10ms}", "'interval': give at least 100ms"),
        (SAMPLE + "times: 0}", "'times': expected at least 1, not 0"),
        (SAMPLE + "suspects: backup}", "'suspects': expected a list, not 'backup'"),
        (SAMPLE + "notify: [pauses]}", f"'notify.0': {NOTICES}"),
        (CHECK + "{sql: {url: x, query: select 1, above: 1}}}}", f"'invariants.a.sql.url': 'x' {NONE}"),
        (CHECK + "{disk: {}, timeout: 0s}}}", "'invariants.a': timeout of zero: nothing can be observed in no time"),
        (RESCAN + "globs: ['[z-a]']}", "'globs.0': '[z-a]' is no pattern: bad character range z-a"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_when_the_file_is_read(tmp_path: Path, text: str, said: str) -> None:
    assert complaints(tmp_path, text) == [said]


def test_a_database_behind_a_secret_is_asked_about_at_run_time(tmp_path: Path) -> None:
    assert complaints(tmp_path, SYNC + "tables: [a], database: !secret env:URL}") == []
