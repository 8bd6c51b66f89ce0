"""How is a daemon started in the background? A process of its own, watched until it answers or has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import click

from jarvis.cli.asking import Asking
from jarvis.config.instance import Instance
from jarvis.control import client, tail
from jarvis.errors import AlreadyRunning, JarvisError

WITHIN = 60.0


def detached(instance: Instance, asking: Asking, more: Sequence[str] = ()) -> int:
    """Start it and come back when it answers; its pid. Raises what it said when it did not start."""
    if client.alive(instance):
        raise AlreadyRunning(f"Jarvis is already running for {instance.config}; 'jarvis restart' replaces it")
    instance.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = [sys.executable, "-P", "-m", "jarvis", "up", "--background", "--config", str(instance.config)]
    words += ["--state", str(instance.state)] if instance.chosen else []
    # What Python itself may have to say goes where everything else is said.
    said = os.open(instance.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    begun = os.fstat(said).st_size
    try:
        process = subprocess.Popen(
            [*words, *more], stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    finally:
        os.close(said)
    return _until_it_answers(instance, process, begun)


def _until_it_answers(instance: Instance, process: subprocess.Popen[bytes], begun: int) -> int:
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        if client.alive(instance):
            return process.pid
        if (code := process.poll()) is not None:
            raise _failed(instance, code, begun)
        time.sleep(0.05)
    raise JarvisError(
        f"Jarvis (pid {process.pid}) was started and does not answer after {WITHIN:g} s; it may still do: "
        f"'jarvis status', 'jarvis logs' ({instance.log})"
    )


def _failed(instance: Instance, code: int, begun: int) -> JarvisError:
    with instance.log.open("rb") as file:
        file.seek(begun)
        said = file.read().decode("utf-8", "replace").strip().splitlines()
    lines = [line.removeprefix("jarvis: ") for line in said or tail.last_lines(instance.log, 1)]
    error = JarvisError("\n".join(lines) or f"it ended with exit code {code}; see {instance.log}")
    error.exit_code = code or 1
    return error


def announce(instance: Instance, pid: int) -> None:
    """What a person wants to know of a daemon in the background."""
    click.echo(f"Jarvis runs {instance.config} in the background (pid {pid}).")
    click.echo(f"  log   {instance.log}")
    click.echo("  look  jarvis status · jarvis jobs list · jarvis runs list")
    click.echo("  stop  jarvis down")
