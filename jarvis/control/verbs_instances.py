"""What can be asked about all instances of this user? Which there are, and how each of them is."""

from __future__ import annotations

import difflib
from typing import Any

from jarvis.config import siblings
from jarvis.config.instance import Instance
from jarvis.control import client, plain, presence
from jarvis.control.desk import Desk
from jarvis.errors import JarvisError, NotFound
from jarvis.running import readings

WITHIN = 2.0


def listing(desk: Desk) -> list[dict[str, Any]]:
    """All instances of this user that ever ran, dead ones too."""
    return every()


def every() -> list[dict[str, Any]]:
    """How each instance is: found on the disk, then asked."""
    return [look(one) for one in siblings.known()]


def look(instance: Instance) -> dict[str, Any]:
    """One of them. ``status``: running, degraded, stuck (it holds its lock and does not answer), dead (it was
    killed) or stopped (it ended)."""
    held = presence.held(instance)
    health = _health(instance) if held else None
    beat = readings.last_heartbeat(instance.heartbeat)
    if held:
        status = (
            "stuck"
            if health is None
            else "running"
            if health["ok"] and not health["degraded"]
            else "degraded"
        )
    else:
        # Who ends takes the pid file along.
        status = "dead" if instance.pid.exists() else "stopped"
    return {
        "name": instance.name,
        "status": status,
        "pid": presence.pid(instance) if held else None,
        "jobs": health["jobs"] if health else None,
        "version": health["version"] if health else None,
        "heartbeat_at": plain.instant(beat.wall_at) if beat else None,
        "config": str(instance.config),
        "state": str(instance.state),
    }


def find(name: str) -> Instance:
    """By its name, its jobs.yaml or its state directory. Raises NotFound with the nearest name."""
    there = siblings.known()
    found = [one for one in there if name in (one.name, str(one.config), str(one.state))]
    if len(found) == 1:
        return found[0]
    if found:
        states = " and ".join(str(one.state) for one in found)
        raise NotFound(f"several instances are named {name!r}: say which with its state directory, {states}")
    names = [one.name for one in there]
    near = difflib.get_close_matches(name, names, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else f"; there are {', '.join(names)}" if names else ""
    raise NotFound(f"there is no instance {name!r}{hint}")


def _health(instance: Instance) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.call(instance, "health", within=WITHIN)
    except JarvisError:
        return None
    return found
