"""How does a run end that somebody waits for? Shown as it goes on, told to the shell as an exit code."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking

CODES = {"succeeded": 0, "failed": 1, "timed_out": 6, "cancelled": 7, "lost": 8, "skipped": 9, "missed": 9}
INTERRUPTED = 130
QUICK, SLOW = 0.05, 0.4
BAR = 24


def here(asking: Asking, name: str, values: dict[str, Any], *, deliver: bool | None = None) -> int:
    """Run a job in this process, because no daemon runs. The instance's lock keeps one from starting meanwhile."""
    from jarvis.control import foreground, plain

    click.echo("Jarvis is not running; the job runs here.", err=True)

    def output(_run: object, data: bytes) -> None:
        if not asking.json:
            click.echo(show.printable(data.decode("utf-8", "replace")), nl=False)

    def again(run: Any) -> None:
        if not asking.json:
            _ended(plain.run(run))

    run = foreground.run(asking.instance, name, values, {}, deliver=deliver, said=output, ended=again)
    said = plain.run(run)
    asking.say(said, _ended)
    return CODES.get(said["status"], 1)


def follow(asking: Asking, run: dict[str, Any], *, output: bool) -> int:
    """Wait for a run and those that retry it; the exit code says how the last of them ended."""
    try:
        while True:
            ended = _wait(asking, run, output=output)
            again = [one for one in ended["attempts"] if one["attempt"] > ended["attempt"]]
            if not again:
                break
            if not asking.json:
                _ended(ended)
                due = show.relative(again[0]["not_before"], show.now()) or "now"
                click.echo(f"Attempt {again[0]['attempt']} is run {again[0]['id']}, {due}.", err=True)
            run = again[0] | {"job": ended["job"]}
    except KeyboardInterrupt:
        click.echo(f"\nRun {run['id']} of {run['job']} goes on: 'jarvis runs show {run['id']}'.", err=True)
        return INTERRUPTED
    asking.say(ended, _ended)
    return CODES.get(ended["status"], 1)


def _wait(asking: Asking, run: dict[str, Any], *, output: bool) -> dict[str, Any]:
    """Until this run has ended: its progress on stderr where that is a terminal, its output if it was asked for."""
    position, pause = 0, QUICK
    meter = _Meter(quiet=asking.json)
    while True:
        data: dict[str, Any] = asking.ask("runs.show", {"id": run["id"]})
        if output and not asking.json:
            position = _copy(asking, run["id"], position, meter, to_end=data["ended_at"] is not None)
        if data["ended_at"] is not None:
            meter.clear()
            return data
        meter.show(data)
        time.sleep(pause)
        pause = min(pause * 1.3, SLOW)


def _copy(asking: Asking, run: int, position: int, meter: _Meter, *, to_end: bool) -> int:
    while True:
        said = asking.ask("runs.output", {"id": run, "offset": position})
        if said["text"]:
            meter.clear()
            click.echo(show.printable(said["text"]), nl=False)
            sys.stdout.flush()
        if said["ended"] or (not to_end and said["next"] == position):
            return position
        position = said["next"]


def _ended(data: dict[str, Any]) -> None:
    why = data["reason"] or data["result"] or show.numbers(data["numbers"])
    took = f" in {show.length(data['seconds'])}" if data["seconds"] is not None else ""
    first, *more = str(why or "").strip().splitlines() or [""]
    said = f"{show.colored(show.word(data['status']))}{took}" + (f": {show.line(first)}" if first else "")
    click.echo("\n".join([f"Run {data['id']} of {data['job']} {said}", *map(show.printable, more)]))


class _Meter:
    """One line on stderr that is written over: how far the run is, or why it waits."""

    def __init__(self, *, quiet: bool) -> None:
        self._on = sys.stderr.isatty() and not quiet
        self._shown = ""

    def show(self, data: dict[str, Any]) -> None:
        if self._on and (said := _line(data)) != self._shown:
            self.clear()
            click.echo(said, err=True, nl=False)
            self._shown = said

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\033[K", err=True, nl=False)
            self._shown = ""


def _line(data: dict[str, Any]) -> str:
    if data["waiting"]:
        return f"waiting: {show.line(data['waiting']['why'])}"
    progress = data["progress"]
    if not progress:
        return f"run {data['id']} is {show.word(data['status'])} …"
    total, done = progress.get("total"), progress["done"]
    text = show.line(progress.get("text", ""))
    if not total:
        return f"{done:g} {text}".rstrip()
    share = min(max(done / total, 0.0), 1.0)
    filled = round(share * BAR)
    return f"{'█' * filled}{'░' * (BAR - filled)} {share:4.0%} {text}".rstrip()
