"""Whatever happens to the daemon, the machine and its clock: the audit finds every moment accounted for.

The real clock, timetable, roster and ledger live through invented days; only time and the jobs' processes are not
real. What a step does is in audit_world.py.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from jarvis.errors import NotFound, Refused
from jarvis.store.ledger import Ledger
from tests.rooms.audit_world import World, job, sentences

NAMES = ("a", "b", "c", "d")
BODIES: tuple[dict[str, Any], ...] = (
    {"every": "90s"},
    {"every": "90s", "catch_up": "all", "misfire_grace": "10m"},
    {"every": "7s", "catch_up": "none"},
    {"every": {"period": "1h", "anchor": "2026-03-28 20:20"}, "misfire_grace": "30s"},
    {"cron": "*/5 * * * *", "jitter": "3m"},
    {"cron": "*/20 1,2 * * *", "dst": "exact"},
    {"cron": "0,15,30,45 0-5 * * *", "dst": "exact", "catch_up": "all"},
    {"cron": "30 1 * * *", "dst": "skip"},
    {"cron": "10 21,23,1,3 * * *"},
    {"cron": "10 21,23,1,3 * * *", "catch_up": {"run": "once", "after": "sleep"}},
    {"cron": "10 21 * * *", "every": "1h", "schedules": [{"at": "2026-03-28 22:30"}, {"start": "daemon"}]},
    {"at": "2026-03-29 00:00"},
    {"at": "2026-03-29 00:00", "start": "boot"},
    {"start": "boot"},
    {"every": "10m", "from": "2026-03-28 21:00", "until": "2026-03-29 04:00"},
    {"every": "90s", "enabled": False},
    {"every": "90s", "dst": "exact", "schedules": [{"cron": "*/3 * * * *"}, {"start": "boot"}]},
)

lengths = st.sampled_from([1, 4, 5, 30, 61, 100, 400, 1800, 3599, 3600, 7300, 20_000, 86_400]).flatmap(
    lambda most: st.floats(0.001, most).map(lambda length: timedelta(seconds=round(length, 3)))
)
steps = st.builds(lambda length, sign: length * sign, lengths, st.sampled_from([-1, -1, 1]))
names = st.sampled_from(NAMES)
Step = tuple[str, Callable[[World], object]]


def _step(name: str, act: Callable[..., object], *drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(*drawn).map(
        lambda given: (f"{name}{tuple(map(str, given))}", lambda world: act(world, *given))
    )


def _wait(world: World, length: timedelta) -> None:
    world.time.pass_by(length)
    world.look()


def _passes(world: World, many: int) -> None:
    for _ in range(many):
        _wait(world, timedelta(seconds=5))


def _sleep(world: World, length: timedelta) -> None:
    world.time.pass_by(length, asleep=True)
    world.look()


def _set(world: World, by: timedelta, looks: bool) -> None:
    world.time.pass_by(timedelta(seconds=2))
    world.time.wall_at += by
    if looks:
        world.look()


def _edit(world: World, name: str, body: int) -> None:
    world.file[name] = job(name, **BODIES[body])
    world.save()


def _remove(world: World, name: str) -> None:
    world.file.pop(name, None)
    world.save()


def _pause(world: World, name: str, length: timedelta | None) -> None:
    until = world.time.wall_at + length if length else None
    world.roster.pause(name, until, "holidays")


def _prune(world: World, length: timedelta) -> None:
    Ledger(world.database).prune(before={"runs": world.time.wall_at - length})


STEPS = st.one_of(
    _step("wait", _wait, lengths),
    _step("wait", _wait, lengths),
    _step("passes", _passes, st.integers(1, 8)),
    _step("sleep", _sleep, lengths),
    _step("set clock", _set, steps, st.booleans()),
    _step("kill", World.restart, lengths),
    _step("boot", lambda world, down: world.restart(down, boot=True), lengths),
    _step("kill, set clock", lambda world, down, by: world.restart(down, step=by), lengths, steps),
    _step("boot, set clock", lambda world, down, by: world.restart(down, boot=True, step=by), lengths, steps),
    _step("edit", _edit, names, st.integers(0, len(BODIES) - 1)),
    _step("remove", _remove, names),
    _step("pause", _pause, names, lengths | st.none()),
    _step("resume", lambda world, name: world.roster.resume(name), names),
    _step("switch", lambda world, name, on: world.roster.switch(name, on), names, st.booleans()),
    _step("look in vain", lambda world: world.look_in_vain()),
    _step("change in vain", lambda world, name: world.try_in_vain(name), names),
    _step("prune", _prune, lengths),
)
lives = st.tuples(
    st.lists(st.integers(0, len(BODIES) - 1), min_size=1, max_size=3),
    st.lists(STEPS, min_size=1, max_size=25),
)


def _live(bodies: list[int], happenings: list[Step]) -> None:
    with tempfile.TemporaryDirectory(prefix="jarvis-audit-") as folder:
        file = {name: job(name, **BODIES[body]) for name, body in zip(NAMES, bodies, strict=False)}
        world = World(Path(folder), file)
        try:
            for what, happens in happenings:
                world.time.pass_by(timedelta(milliseconds=3))
                note(f"{world.time.wall_at} {what} {[BODIES[body] for body in bodies]}")
                try:
                    happens(world)
                except (Refused, NotFound) as refusal:
                    note(f"    {refusal}")
            world.look()
            assert sentences(world.audit()) == []
        finally:
            world.close()


@settings(max_examples=int(os.environ.get("LIVES", "60")), suppress_health_check=list(HealthCheck))
@given(lives)
def test_every_moment_of_an_eventful_day_is_accounted_for(life: tuple[list[int], list[Step]]) -> None:
    _live(*life)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(10))
def test_every_moment_of_thousands_of_eventful_days_is_accounted_for(number: int) -> None:
    @seed(number)
    @settings(max_examples=1000, suppress_health_check=list(HealthCheck), database=None)
    @given(lives)
    def many(life: tuple[list[int], list[Step]]) -> None:
        _live(*life)

    many()
