"""Whatever happens to the daemon, the machine and its clock: the audit finds every moment accounted for.

The real clock, timetable, roster and ledger live through invented days; only time and the jobs' processes are not
real. What a step does is in audit_world.py.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from jarvis.core import run
from jarvis.errors import NotFound, Refused
from jarvis.store import tables
from jarvis.store.ledger import Ledger
from tests.rooms.audit_world import BEGIN, World, job, sentences

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


@contextmanager
def _lived(bodies: list[int], happenings: list[Step]) -> Iterator[World]:
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
            yield world
        finally:
            world.close()


@pytest.mark.timeout(600)
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(lives)
def test_every_moment_of_an_eventful_day_is_accounted_for(life: tuple[list[int], list[Step]]) -> None:
    with _lived(*life) as world:
        assert sentences(world.audit()) == []


def _delete_row(world: World, row: int) -> None:
    world.tell("DELETE FROM runs WHERE id = ?", row)


def _shift_row(world: World, row: int) -> None:
    """The moment and the name of the fire together, so that only the schedule knows better."""
    ((at, fire),) = world.tell("SELECT scheduled_at, fire FROM runs WHERE id = ?", row)
    later = tables.from_micros(int(str(at))) + timedelta(milliseconds=1)
    name = str(fire).replace(run.instant(tables.from_micros(int(str(at)))), run.instant(later))
    world.tell("UPDATE runs SET scheduled_at = ?, fire = ? WHERE id = ?", tables.to_micros(later), name, row)


def _repeat_row(world: World, row: int) -> None:
    """The same moment once more, as if it had been due very often."""
    world.tell(
        "INSERT INTO runs (id, job, fire, attempt, status, scheduled_at, queued_at, ended_at, started_at, reason,"
        " definition_id, output_bytes, output_dropped) SELECT 99999, job, CASE instr(fire, '@') WHEN 0 THEN"
        " replace(fire, '#', '#9') || CASE instr(fire, '#') WHEN 0 THEN '#99' ELSE '' END ELSE"
        " replace(replace(fire, '#', '#9'), '@', CASE instr(fire, '#') WHEN 0 THEN '#99@' ELSE '@' END) END,"
        " 1, status, scheduled_at, queued_at, ended_at, started_at, reason, definition_id, 0, 0"
        " FROM runs WHERE id = ?",
        row,
    )


def _lengthen_count(world: World, span: int) -> None:
    world.tell("UPDATE spans SET count = count + 1 WHERE id = ?", span)


def _delete_span(world: World, span: int) -> None:
    world.tell("DELETE FROM spans WHERE id = ?", span)


def _double_span(world: World, span: int) -> None:
    world.tell(
        "INSERT INTO spans (job, definition_id, era, from_at, until_at, count, status, reason, recorded_at)"
        " SELECT job, definition_id, era, from_at, until_at, count, status, reason, recorded_at"
        " FROM spans WHERE id = ?",
        span,
    )


FORGERIES = {
    "runs": (_delete_row, _shift_row, _repeat_row),
    "spans": (_lengthen_count, _delete_span, _double_span),
}
AUDITED = {
    "runs": "SELECT id FROM runs WHERE fire LIKE 'schedule:%' AND attempt = 1 AND scheduled_at > ? ORDER BY id",
    "spans": "SELECT id FROM spans WHERE from_at > ? ORDER BY id",
}


@pytest.mark.timeout(600)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(lives, st.sampled_from(sorted(FORGERIES)), st.integers(0, 2), st.integers(0, 500))
def test_every_forgery_of_such_a_day_is_seen(
    life: tuple[list[int], list[Step]], table: str, how: int, which: int
) -> None:
    forge = FORGERIES[table][how]
    with _lived(*life) as world:
        horizon = world.tell("SELECT value FROM meta WHERE key = 'horizon'")
        begin = datetime.fromisoformat(json.loads(str(horizon[0][0]))) if horizon else BEGIN
        found = world.tell(AUDITED[table], tables.to_micros(begin))
        if not found:
            return
        number = int(str(found[which % len(found)][0]))
        note(f"{forge.__name__} {number}")
        forge(world, number)
        assert not world.audit().clean


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(10))
def test_every_moment_of_thousands_of_eventful_days_is_accounted_for(number: int) -> None:
    @seed(number)
    @settings(max_examples=1000, suppress_health_check=list(HealthCheck), database=None)
    @given(lives)
    def many(life: tuple[list[int], list[Step]]) -> None:
        with _lived(*life) as world:
            assert sentences(world.audit()) == []

    many()
