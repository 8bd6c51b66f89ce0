"""How does a message get to a program of the user's own?

The message is one line of JSON on its standard input and, in short, in its environment (``JARVIS_ALERT_...``). Exit
code 0 means accepted. A program that takes too long is ended with everything it started in its process group.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from jarvis.alerts.message import Message, NotAccepted, cut

VALUE = 16_384
SAID = 300


def send(
    command: str | Sequence[str],
    message: Message,
    *,
    channel: str,
    timeout: timedelta,
    folder: Path,
    environ: Mapping[str, str],
) -> str:
    """Run the command (a text: through /bin/sh; a list: as it is); what it said. Raises NotAccepted."""
    line = json.dumps(message.data(channel), ensure_ascii=False, separators=(",", ":")) + "\n"
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    try:
        # A file, not a pipe: what the program leaves running in the background may keep a pipe open.
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment(message, channel, environ),
                start_new_session=True,
            ) as process,
        ):
            _end(process, line.encode("utf-8", "replace"), timeout)
            said = _said(output)
    except FileNotFoundError as error:
        raise NotAccepted(f"there is no program {error.filename}", permanent=True) from error
    except OSError as error:
        raise NotAccepted(f"{argv[0]} could not be started: {error.strerror}") from error
    if process.returncode != 0:
        raise NotAccepted(f"{_ending(process.returncode)}{': ' + said if said else ''}")
    return f"exit code 0{': ' + said if said else ''}"


def _end(process: subprocess.Popen[bytes], line: bytes, timeout: timedelta) -> None:
    try:
        process.communicate(line, timeout=timeout.total_seconds())
    except subprocess.TimeoutExpired as error:
        _kill(process.pid)
        process.communicate()
        raise NotAccepted(f"it did not end within {timeout.total_seconds():g} s and was killed") from error


def _said(output: IO[bytes]) -> str:
    """The end of what it wrote, on one line."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - 4 * SAID))
    return cut(" ".join(output.read().decode("utf-8", "replace").split()), SAID)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def environment(message: Message, channel: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the program: ours and the message. A value is at most 16,384 characters."""
    said = {
        "CHANNEL": channel,
        "KIND": message.kind,
        "SEVERITY": message.severity,
        "TITLE": message.title,
        "BODY": message.body,
        "COUNT": str(message.count),
        "RUN": "" if message.run_id is None else str(message.run_id),
        "AT": message.at.isoformat().replace("+00:00", "Z"),
    }
    ours = {
        f"JARVIS_ALERT_{name}": cut(value.replace("\0", "�"), VALUE).encode("utf-8", "replace").decode()
        for name, value in said.items()
    }
    return {**environ, **ours}


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"
