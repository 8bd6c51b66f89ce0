"""Does the cache answer exactly what a reading would, and only while nothing changed?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.config import cache as caches
from jarvis.config import documents
from jarvis.config.load import Config
from jarvis.errors import ConfigError, Unsafe
from tests.rooms import config_files
from tests.rooms.config_files import again, write

TEXT = """\
include: more
slots: {process: 3}
settings: {heartbeat: 30s}
jobs:
  a: {command: ls, cwd: "${D}", cron: "* 5 * * *", env: {S: !secret env:GONE}}
  b: {run: certificate, at: "2026-01-01 10:00"}
  c: {run: torn}
"""
ENVIRON = {"D": "/a"}


class Folder:
    """A configuration with an included folder, and a cache; tells whether a reading parsed anything."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.cache, self.parsed = path, path / "jobs.cache", 0
        write(path, "jobs: {d: {command: ls}}", "more/d.yaml")
        write(path, TEXT)
        gather = documents.gather

        def counted(*arguments: Any) -> documents.Gathering:
            self.parsed += 1
            return gather(*arguments)

        monkeypatch.setattr(documents, "gather", counted)

    def read(self, environ: Mapping[str, str] | None = None, **options: Any) -> Config:
        options = {"mark": "handlers 1", "cache": self.cache, **options}
        return again(self.path / "jobs.yaml", ENVIRON if environ is None else environ, **options)

    def misses(self, environ: Mapping[str, str] | None = None, **options: Any) -> bool:
        before = self.parsed
        self.read(environ, **options)
        return self.parsed > before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


def parts(config: Config) -> dict[str, Any]:
    """Everything a configuration says, jobs built."""
    names = ("path", "slots", "settings", "store", "warnings", "files", "folders", "fingerprint")
    said = {name: getattr(config, name) for name in names}
    return said | {name: dict(getattr(config, name)) for name in ("jobs", "broken", "fingerprints", "lines")}


def test_a_remembered_configuration_is_the_one_that_was_read(folder: Folder) -> None:
    fresh = folder.read()
    kept = folder.read()
    assert folder.parsed == 1
    assert parts(kept) == parts(fresh) == parts(folder.read(cache=None))
    assert {str(one).split(": ", 1)[1] for one in kept.warnings} >= {
        "a: the secret env:GONE is not set (set the environment variable GONE)"
    }


def test_the_cache_is_the_owners_alone_and_holds_no_secret(folder: Folder) -> None:
    folder.read({**ENVIRON, "GONE": "hush-hush"})
    assert folder.cache.stat().st_mode & 0o777 == 0o600
    assert b"hush-hush" not in folder.cache.read_bytes()
    assert [path.name for path in folder.path.iterdir() if "cache" in path.name] == ["jobs.cache"]


def test_a_job_is_built_once_when_it_is_asked_for(folder: Folder) -> None:
    folder.read()
    jobs = folder.read().jobs
    assert "a" in jobs and "x" not in jobs and len(jobs) == 4
    assert jobs["a"] is jobs["a"]
    with pytest.raises(KeyError):
        jobs["x"]


def test_any_change_that_matters_is_read_anew(folder: Folder) -> None:
    folder.read()
    assert not folder.misses()
    assert folder.misses({"D": "/b"})
    assert folder.misses()
    assert folder.misses(mark="handlers 2")
    assert folder.misses()
    assert folder.misses(local_zone="Asia/Tokyo")
    assert folder.misses()
    write(folder.path, TEXT + "# a word\n")
    assert folder.misses()
    write(folder.path, "jobs: {e: {command: ls}}", "more/e.yaml")
    assert folder.misses()
    (folder.path / "more" / "d.yaml").unlink()
    assert folder.misses()
    assert not folder.misses()


def test_a_variable_nobody_asked_for_does_not_matter(folder: Folder) -> None:
    folder.read()
    assert not folder.misses({**ENVIRON, "OTHER": "x"})


def test_another_version_of_the_program_reads_for_itself(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.read()
    monkeypatch.setattr(caches, "_program", lambda: "another")
    assert folder.misses()


def test_flags_clock_and_environment_count_even_when_nothing_is_parsed(folder: Folder) -> None:
    folder.read()
    kept = folder.read({**ENVIRON, "GONE": "set", "JARVIS_NICE": "3"}, flags={"log_level": "debug"}, now=None)
    assert folder.parsed == 1
    assert (kept.settings.nice, kept.settings.log_level) == (3, "debug")
    assert not any("secret" in str(one) or "past" in str(one) for one in kept.warnings)
    with pytest.raises(ConfigError, match="JARVIS_NICE"):
        folder.read({**ENVIRON, "JARVIS_NICE": "x"})


def test_a_file_that_became_unsafe_is_refused_although_it_is_remembered(folder: Folder) -> None:
    folder.read()
    (folder.path / "more" / "d.yaml").chmod(0o666)
    with pytest.raises(Unsafe):
        folder.read()


def test_a_file_with_something_wrong_is_not_remembered(folder: Folder) -> None:
    write(folder.path, "jobs: {a: {comand: ls}}")
    for _ in range(2):
        with pytest.raises(ConfigError):
            folder.read()
    assert not folder.cache.exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_damaged_cache_is_not_believed(folder: Folder, data: st.DataObject) -> None:
    expected = parts(folder.read(cache=None))
    folder.cache.unlink(missing_ok=True)
    folder.read()
    whole = folder.cache.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    folder.cache.write_bytes(
        data.draw(st.sampled_from([whole[:at], whole[:at] + b"\0" + whole[at + 1 :], whole + b"\n{}"]))
    )
    assert parts(folder.read()) == expected


@pytest.mark.parametrize("content", [b"", b"\n", b"00000000 0\n", b"nonsense", b"\xff" * 100])
def test_a_cache_that_is_none_is_replaced(folder: Folder, content: bytes) -> None:
    folder.cache.write_bytes(content)
    assert folder.misses()
    assert not folder.misses()


def test_a_cache_that_cannot_be_written_is_a_doubt(folder: Folder) -> None:
    config = folder.read(cache=folder.path / "nowhere" / "jobs.cache")
    assert any("the cache of the jobs cannot be written: No such file" in str(one) for one in config.warnings)


def test_no_jobs_are_remembered_too(folder: Folder) -> None:
    write(folder.path, "jobs: {}")
    folder.read()
    assert not folder.misses()
    assert dict(folder.read().jobs) == {}


def test_many_jobs_are_the_same_from_the_cache(tmp_path: Path) -> None:
    path, cache = write(tmp_path, config_files.many(500)), tmp_path / "cache"
    fresh, kept = (again(path, cache=cache) for _ in range(2))
    assert dict(kept.jobs) == dict(fresh.jobs)
    assert {name: one.fingerprint() for name, one in kept.jobs.items()} == dict(fresh.fingerprints)
