"""How is a script of AppleScript run, and what did it say? Texts are arguments of a script that never changes."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import timedelta

from jarvis.alerts.message import NotAccepted


def argv(script: Sequence[str], *arguments: str) -> list[str]:
    """The program and its arguments, which hold no NUL."""
    words = [word for line in script for word in ("-e", line)]
    return ["osascript", *words, "--", *(one.replace("\0", "�") for one in arguments)]


def run(argv: Sequence[str], timeout: timedelta) -> str:
    """Run it to its end. Raises NotAccepted."""
    try:
        ended = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout.total_seconds(),
            check=False,
        )
    except FileNotFoundError as error:
        raise NotAccepted("there is no program osascript: this is no Mac", permanent=True) from error
    except OSError as error:
        raise NotAccepted(f"osascript could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise NotAccepted(f"osascript did not end within {timeout.total_seconds():g} s") from error
    if ended.returncode != 0:
        said = ended.stderr.decode("utf-8", "replace").strip()[:300]
        raise NotAccepted(f"osascript ended with exit code {ended.returncode}: {said}".rstrip(": "))
    return "osascript took it"
