"""Every example of the README, run: its jobs are read, its handler is called, its session is had with a daemon."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from jarvis import testing
from tests.whole.daemon import Daemon, until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(<!-- (?P<mark>\w+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TIME = re.compile(r"\bnow\b|(in )?\d+ (s|min|h|d)( ago)?\b|\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d")


def blocks(kind: str, mark: str | None = None) -> list[str]:
    return [
        found["text"] for found in BLOCK.finditer(README) if found["kind"] == kind and found["mark"] == mark
    ]


def handler(folder: Path) -> Path:
    (text,) = blocks("python")
    (folder / "handlers").mkdir(mode=0o700)
    path = folder / "handlers" / "disk.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: text.splitlines()[1].strip(" :{")[:10])
def test_its_jobs_are_in_order(daemon: Daemon, text: str) -> None:
    handler(daemon.folder)
    daemon.write(text)
    assert "is in order" in daemon.cli("check", str(daemon.config))


def test_its_mistake_is_named_as_it_says(daemon: Daemon) -> None:
    (said,) = blocks("text")
    daemon.write(blocks("yaml")[0].replace("    retry:", "    retires:"))
    assert said.strip() in daemon.cli("check", str(daemon.config), code=2)


def test_its_handler_does_what_it_says(tmp_path: Path) -> None:
    path = handler(tmp_path)
    outcome = testing.run_handler(path, path=str(tmp_path), percent=0.0)
    assert outcome.status == "ok"
    assert 0 < outcome.numbers["percent"] <= 100
    assert [alert.key for alert in outcome.alerts] == [str(tmp_path)]


def steps() -> list[tuple[str, list[str]]]:
    (text,) = blocks("console", "session")
    parts = re.split(r"^\$ scripts/jarvis ", text, flags=re.MULTILINE)[1:]
    return [(part.splitlines()[0], [line for line in part.splitlines()[1:] if line]) for part in parts]


def shape(line: str) -> str:
    """A line without what differs from day to day: times, numbers, the width of columns."""
    return " ".join(re.sub(r"[\d.]+", "N", TIME.sub("T", line)).split())


def test_its_session_is_what_one_sees(daemons: Callable[..., Daemon]) -> None:
    daemon = daemons()
    daemon.write((ROOT / "jobs.yaml").read_text())
    daemon.start()
    until(lambda: len(daemon.runs(None, "succeeded")) == 2, "both start jobs are done", 10)
    for command, expected in steps():
        told = daemon.cli(*shlex.split(command))
        seen = {shape(line) for line in told.splitlines()}
        for line in expected:
            assert any(alike(shape(line), one) for one in seen), (command, line, told)


def alike(wanted: str, seen: str) -> bool:
    """The same words; a handler's own result and a weekday may differ."""
    if wanted.startswith("T up") or " load average" in wanted:
        return "load average" in seen
    words = re.sub(r"all well|trouble: .*|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b|\bE[SD]T\b", "", wanted).split()
    return set(words) <= set(seen.split())
