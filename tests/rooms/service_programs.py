"""Stand-ins for launchctl, systemctl and loginctl: real programs on PATH that keep state in files and note each call.

They answer as the real ones do in what Jarvis relies on: ``print`` fails for what is not loaded, ``bootstrap`` fails
with 5 for what is, a unit is active after ``restart``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

LAUNCHCTL = """#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> calls
case "$1" in
print)
    if [ -s lingering ]; then # the old process takes a moment to end
        sed -i.bak 1d lingering
        exit 0
    fi
    [ -f loaded ] || { echo 'Could not find service in domain'; exit 113; }
    echo "state = $(cat loaded)" ;;
bootstrap)
    [ -f refuses ] && { echo 'Bootstrap failed: 5: Input/output error'; exit 5; }
    [ -f loaded ] && { echo 'Bootstrap failed: 5: Input/output error'; exit 5; }
    [ -f "$3" ] || { echo "$3: no such file"; exit 1; }
    cp "$3" seen.plist
    echo running > loaded ;;
bootout) rm -f loaded ;;
kickstart) echo running > loaded ;;
enable) ;;
*) echo "unknown subcommand $1"; exit 64 ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> calls
[ "$1" = --user ] && shift
[ -f no-bus ] && { echo 'Failed to connect to bus: No medium found'; exit 1; }
case "$1" in
show) echo Version=252 ;;
daemon-reload) ;;
enable) touch enabled ;;
restart)
    [ -f refuses ] && { echo "Job for $2 failed because a timeout was exceeded."; exit 1; }
    touch active ;;
is-active) if [ -f active ]; then echo active; else echo inactive; exit 3; fi ;;
disable) rm -f enabled active ;;
*) echo "Unknown command verb $1."; exit 1 ;;
esac
"""
LOGINCTL = """#!/bin/sh
cat "$(dirname "$0")/linger" 2>/dev/null || echo no
"""


class Machine:
    """The folder of the stand-ins: what was called, and what they shall answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def calls(self) -> list[str]:
        """Every call since the last time this was asked."""
        noted = self.folder / "calls"
        lines = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return lines

    def say(self, name: str, content: str = "") -> None:
        (self.folder / name).write_text(content)

    def forget(self, name: str) -> None:
        (self.folder / name).unlink()

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Put the stand-ins first on PATH."""
    folder.mkdir()
    for name, text in (("launchctl", LAUNCHCTL), ("systemctl", SYSTEMCTL), ("loginctl", LOGINCTL)):
        program = folder / name
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Machine(folder)
