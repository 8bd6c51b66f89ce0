"""What can every test rely on? A home of its own, marks that choose, requirements that tell, and no silent skip in CI.

- ``slow`` tests run with ``--all``, where CI=true, or when named; ``campaign`` tests with ``--all`` or when named.
- ``needs("cc", "root")`` skips with a sentence where the program (or the condition) is missing.
- Where CI=true a skipped test is a failed test: what nobody runs proves nothing.
- Signals do what they do by default, also where the session was started in the background of a shell.
- HOME and the XDG folders point into a folder of this test session; nothing of the user's is read or written.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

CI = os.environ.get("CI") == "true"
CONDITIONS: dict[str, tuple[Callable[[], bool], str]] = {
    "root": (lambda: os.geteuid() == 0, "only root can do this"),
    "not-root": (lambda: os.geteuid() != 0, "root is exempt from what this shows"),
    "linux": (lambda: sys.platform == "linux", "this is about Linux"),
    "macos": (lambda: sys.platform == "darwin", "this is about macOS"),
}
PACKAGES = {"cc": "gcc libc6-dev", "systemd-analyze": "systemd"}
_HOME = pytest.StashKey[Path]()

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="also run the slow tests and the campaigns")


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a home; caches of installers stay where they were, they are not state."""
    _hear_signals()
    os.environ.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
    home = Path(tempfile.mkdtemp(prefix="jarvis-home-"))
    config.stash[_HOME] = home
    os.environ["HOME"] = str(home)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    for name in [name for name in os.environ if name.startswith("JARVIS_")]:
        del os.environ[name]


def _hear_signals() -> None:
    """A shell has what it starts with ``&`` ignore Ctrl-C, and every program started from there inherits that."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def pytest_unconfigure(config: pytest.Config) -> None:
    if home := config.stash.get(_HOME, None):
        shutil.rmtree(home, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it was asked for: by --all, by -m, or by its full name."""
    if config.option.all or config.option.markexpr or any("::" in word for word in config.args):
        return
    left_out = {"campaign"} if CI else {"slow", "campaign"}
    chosen = [item for item in items if not any(item.get_closest_marker(mark) for mark in left_out)]
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [why for mark in item.iter_markers("needs") for need in mark.args if (why := _missing(need))]
    if missing:
        pytest.skip("; ".join(missing))


def _missing(need: str) -> str | None:
    if need in CONDITIONS:
        holds, why = CONDITIONS[need]
        return None if holds() else why
    if shutil.which(need):
        return None
    package = f" (Debian: apt-get install {PACKAGES.get(need, need)})"
    return f"{need} is not on this machine{package if sys.platform == 'linux' else ''}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", _refusal(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if CI and report.skipped:
        report.outcome, report.longrepr = "failed", _refusal(report)
    return report


def _refusal(report: pytest.TestReport | pytest.CollectReport) -> str:
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return (
        f"{report.nodeid} was skipped where CI=true: {why.removeprefix('Skipped: ')}\n"
        "Nothing may be skipped here: scripts/setup --dev has to install what the test needs, "
        "or the test has to be written so that it always runs."
    )
