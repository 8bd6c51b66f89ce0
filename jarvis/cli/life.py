"""``jarvis up``, ``down``, ``restart``, ``reload``: begin, end, begin again, look again."""

from __future__ import annotations

from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Command, pass_asking
from jarvis.config.instance import Instance
from jarvis.errors import JarvisError, NotRunning

STOPPED_WITHIN = 10.0
JOBS_STOPPED_WITHIN = 70.0
RELOADED_WITHIN = 60.0


@click.command(cls=Command)
@click.option("--detach", is_flag=True, help="In the background; come back when it answers.")
@click.option("--once", is_flag=True, help="Run what is due, wait for it, and end.")
@click.option("--dry-run", is_flag=True, help="Only say what would run, and when.")
@click.option("--verbose", "-v", is_flag=True, help="Log everything.")
@click.option(
    "--log-level", type=click.Choice(("debug", "info", "warning", "error")), help="What is logged at least."
)
@click.option("--background", is_flag=True, hidden=True)
@pass_asking
def up(
    asking: Asking,
    detach: bool,
    once: bool,
    dry_run: bool,
    verbose: bool,
    log_level: str | None,
    background: bool,
) -> int:
    """Start Jarvis here, in the foreground, until Ctrl-C (or SIGTERM) ends it.

    Running jobs go on when it ends, and are collected at the next start.
    """
    if dry_run:
        return _rehearsed(asking, {"log_level": log_level} if log_level else {})
    if detach:
        return _detach(
            asking, [*(["--verbose"] if verbose else []), *(["--log-level", log_level] if log_level else [])]
        )
    from jarvis.control import daemon

    flags = {"log_level": log_level} if log_level else {}
    return daemon.up(
        asking.instance,
        flags,
        once=once,
        verbose=verbose,
        foreground=not background,
        announce=not asking.json,
    )


def _rehearsed(asking: Asking, flags: dict[str, str]) -> int:
    """What 'jarvis up' would do, as JSON of the same shape as its words."""
    from jarvis.control import plain, rehearsal

    found = rehearsal.rehearse(asking.instance, flags)
    data = {
        "added": list(found.changes.added),
        "changed": list(found.changes.changed),
        "removed": list(found.changes.removed),
        "unchanged": found.changes.unchanged,
        "refusal": found.refusal,
        "warnings": [str(one) for one in found.warnings],
        "next": [
            {"job": job, "at": plain.instant(at), "english": english} for job, at, english in found.next_fires
        ],
    }
    asking.say(data, _would)
    return 1 if found.refusal else 0


def _would(data: dict[str, Any]) -> None:
    now = show.now()
    rows = [(one["job"], one["english"], show.relative(one["at"], now)) for one in data["next"]]
    if rows:
        show.table(("job", "due", "next"), rows)
        click.echo()
    _reloaded(data)
    if data["refusal"]:
        click.echo(show.colored(data["refusal"], "failed"))


def _detach(asking: Asking, more: list[str]) -> int:
    from jarvis.cli import starting

    instance = placed(asking)
    pid = starting.detached(instance, asking, more)
    asking.say({"pid": pid, "log": str(instance.log)}, lambda _data: starting.announce(instance, pid))
    return 0


def placed(asking: Asking) -> Instance:
    """The instance with the state directory that its file asks for."""
    import os

    from jarvis.config import peek

    return peek.placed(asking.instance, peek.peek(asking.instance.config, environ=os.environ, flags={}))


@click.command(cls=Command)
@click.option("--stop-jobs", is_flag=True, help="End running jobs, too, first.")
@pass_asking
def down(asking: Asking, stop_jobs: bool) -> None:
    """End Jarvis. Running jobs go on, and are collected at the next start."""
    data = ended(asking, stop_jobs=stop_jobs)
    asking.say(data, _stopped)


def ended(asking: Asking, *, stop_jobs: bool) -> dict[str, Any]:
    """End the daemon and wait until it is gone; its pid and runs. Raises NotRunning, JarvisError when it stays."""
    from jarvis.control import presence

    instance = asking.instance
    try:
        data: dict[str, Any] = asking.ask("stop", {"stop_jobs": stop_jobs})
    except NotRunning as error:
        # It may be starting, or stuck: then a signal reaches it where a question does not.
        pid = presence.terminate(instance) if presence.held(instance) else None
        if pid is None:
            raise error
        data = {"pid": pid, "runs": [], "stop_jobs": False}
    if not presence.gone(instance, JOBS_STOPPED_WITHIN if stop_jobs else STOPPED_WITHIN):
        raise JarvisError(
            f"Jarvis (pid {data['pid']}) was told to end and is still there; 'jarvis logs' may say why. "
            f"kill -9 {data['pid']} is safe: nothing is lost"
        )
    return data


def _stopped(data: dict[str, Any]) -> None:
    click.echo(f"Jarvis (pid {data['pid']}) has ended.")
    runs = [one for one in data["runs"] if data["stop_jobs"] or not one["thread"]]
    if not runs:
        return
    names = ", ".join(f"{one['run']} {one['job']}" for one in runs[:8]) + (" …" if len(runs) > 8 else "")
    if data["stop_jobs"]:
        click.echo(f"{show.plural(len(runs), 'run')} ended with it: {names}")
    else:
        verb = "goes" if len(runs) == 1 else "go"
        click.echo(
            f"{show.plural(len(runs), 'run')} {verb} on and will be collected at the next start: {names}"
        )


@click.command(cls=Command)
@pass_asking
def restart(asking: Asking) -> int:
    """End Jarvis and start it in the background. Running jobs go on."""
    from jarvis.control import presence

    if presence.held(placed(asking)):
        ended(asking, stop_jobs=False)
    return _detach(asking, [])


@click.command(cls=Command)
@click.option("--confirm", is_flag=True, help="Also when more than a fifth of the jobs would disappear.")
@pass_asking
def reload(asking: Asking, confirm: bool) -> None:
    """Read jobs.yaml and the handlers again, now. (Edits are noticed without this.)"""
    asking.say(asking.ask("reload", {"confirm": confirm}, within=RELOADED_WITHIN), _reloaded)


def _reloaded(data: dict[str, Any]) -> None:
    for what in ("added", "changed", "removed"):
        if names := data[what]:
            click.echo(
                f"{what}: {', '.join(names[:20])}"
                + (f" and {len(names) - 20} more" if len(names) > 20 else "")
            )
    if not (data["added"] or data["changed"] or data["removed"]):
        click.echo(f"Nothing changed: {show.plural(data['unchanged'], 'job')}.")
    for warning in data["warnings"]:
        click.echo(show.dim(f"doubtful: {warning}"))
