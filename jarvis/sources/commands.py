"""How does a command end, and what did it write? Run without input, ended with everything it started."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from subprocess import DEVNULL

HEAD = 1_000_000
TAIL = 4_096
SHELL = "/bin/sh"
BURIAL = 2.0
"""Seconds that a killed process may take to be gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How it ended: exit code, or minus the signal. ``head`` and ``tail``: the beginning and end of its output."""

    name: str
    code: int
    head: bytes
    tail: bytes

    def last_line(self) -> str:
        """The last line of its output that is not empty."""
        lines = self.tail.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def last_words(self) -> str:
        """``: `` and the last line, for the end of a sentence."""
        last = "".join(each if each.isprintable() else " " for each in self.last_line())
        return f": {last[:200]}" if last else ""


class _Output:
    """What comes out of a pipe; more than its beginning and end is thrown away, so nobody's memory fills."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.head, self.tail = bytearray(), bytearray()
        os.set_blocking(pipe, False)
        asyncio.get_running_loop().add_reader(pipe, self.read)

    def read(self) -> None:
        """One piece of what is there."""
        try:
            chunk = os.read(self.pipe, 65_536)
        except BlockingIOError:
            return
        if not chunk:
            asyncio.get_running_loop().remove_reader(self.pipe)
        self.head += chunk[: max(0, HEAD - len(self.head))]
        self.tail = (self.tail + chunk)[-TAIL:]

    def close(self) -> None:
        """Take what the pipe still holds (64 kB, 1 MB at most), and let go of it."""
        asyncio.get_running_loop().remove_reader(self.pipe)
        for _ in range(16):
            self.read()
        os.close(self.pipe)


def named(argv: str | list[str]) -> str:
    """What it is called in a sentence: its first words, never all of them."""
    text = argv if isinstance(argv, str) else argv[0]
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


async def run(argv: str | list[str]) -> Ended:
    """Run it to its end: a text by the shell, a list as it is. Raises OSError or ValueError when it cannot start.

    When this is cancelled, or the command has ended and left something behind, all of its group is killed.
    """
    words = [SHELL, "-c", argv] if isinstance(argv, str) else argv
    pipe, theirs = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True
        )
    except BaseException:
        os.close(pipe)
        raise
    finally:
        os.close(theirs)
    output = _Output(pipe)
    try:
        code = await process.wait()
    finally:
        _kill(process.pid)
        if process.returncode is None:
            await _buried(process)
        output.close()
    return Ended(name=named(argv), code=code, head=bytes(output.head), tail=bytes(output.tail))


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return


async def _buried(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), BURIAL)
    except TimeoutError:
        return  # it hangs in the kernel: its supervisor ends it later
