"""Is the clock back in time for the next fire, whatever it does between two passes?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.rooms.audit_world import World, job

SECOND = timedelta(seconds=1)


def test_what_looks_on_after_a_pass_makes_the_next_fire_no_later(tmp_path: Path) -> None:
    world = World(tmp_path, {"tick": job("tick", every="10s")})
    world.clock.each_pass.append(lambda: world.time.pass_by(3 * SECOND))
    due = world.roster.line("tick").next_at
    assert due is not None
    world.time.pass_by(due - world.time.wall_at)
    assert world.clock._scheduler._process_jobs() == 5.0, "the longest wait"
    assert len(world.waiting) == 1
    world.time.pass_by(4 * SECOND)
    assert world.clock._scheduler._process_jobs() == 0.0, "the look took all that was left: 3 + 4 + 3 of 10 s"
    assert world.clock._scheduler._process_jobs() == 5.0
    assert len(world.waiting) == 2
    world.kill()


def test_the_runs_of_a_pass_are_released_before_anybody_looks_on(tmp_path: Path) -> None:
    world = World(tmp_path, {"tick": job("tick", every="10s")})
    seen: list[int] = []
    world.clock.each_pass.append(lambda: seen.append(len(world.waiting)))
    due = world.roster.line("tick").next_at
    assert due is not None
    world.time.pass_by(due - world.time.wall_at)
    world.clock._scheduler._process_jobs()
    assert seen == [1]
    world.kill()
