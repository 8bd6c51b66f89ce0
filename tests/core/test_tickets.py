"""How does a ticket live, and what follows from one check? Tables of happenings; time is a number."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core import checked, tickets
from jarvis.core.checked import Finding, Followed, Known, Standing
from jarvis.core.tickets import (
    Acknowledge,
    Cleared,
    Diagnose,
    Hold,
    Resolve,
    Seen,
    Status,
    Ticket,
    Unchecked,
    Unhold,
)
from jarvis.errors import Refused

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def seen(message: str = "it is down") -> Seen:
    return Seen(
        key="web", invariant="web", entity=None, scope="watch", batch="watch:1", message=message,
        severity="critical", snapshot={"up": 0.0}, first_seen_at=T0,
    )  # fmt: skip


def ticket(**changes: Any) -> Ticket:
    return replace(tickets.step(None, seen(), T0).ticket, id=7, **changes)


def test_a_violation_opens_a_ticket_with_everything_that_is_known() -> None:
    step = tickets.step(None, seen(), at(5))
    assert (step.what, step.why, step.quiet) == ("opened", "it is down", False)
    assert step.ticket == Ticket(
        key="web", invariant="web", entity=None, scope="watch", status=Status.OPEN, held=False, batch="watch:1",
        count=1, first_seen_at=T0, last_seen_at=at(5), opened_at=at(5), resolved_at=None, message="it is down",
        severity="critical", diagnosis=None, snapshot={"up": 0.0},
    )  # fmt: skip


@pytest.mark.parametrize("status", [Status.OPEN, Status.ACKNOWLEDGED])
def test_recurrence_counts_up_and_refreshes_the_message(status: Status) -> None:
    step = tickets.step(ticket(status=status), seen("it is still down"), at(30))
    assert step.quiet
    assert (step.ticket.status, step.ticket.count, step.ticket.message) == (status, 2, "it is still down")
    assert (step.ticket.first_seen_at, step.ticket.last_seen_at, step.ticket.id) == (T0, at(30), 7)


def test_a_diagnosed_ticket_reopens_when_it_is_seen_again_and_keeps_its_diagnosis() -> None:
    step = tickets.step(ticket(status=Status.DIAGNOSED, diagnosis="the disk"), seen(), at(30))
    assert (step.what, step.ticket.status, step.ticket.diagnosis) == ("reopened", Status.OPEN, "the disk")
    assert step.ticket.count == 2


def test_a_held_ticket_is_left_as_it_is() -> None:
    held = ticket(status=Status.DIAGNOSED, held=True)
    assert tickets.step(held, seen(), at(30)).ticket.status is Status.DIAGNOSED
    cleared = tickets.step(held, Cleared("up again"), at(60))
    assert (cleared.ticket.status, cleared.ticket.resolved_at, cleared.quiet) == (
        Status.DIAGNOSED,
        None,
        True,
    )


ASKED = {
    "ack": Acknowledge("me"), "diagnose": Diagnose("the disk"), "hold": Hold(), "unhold": Unhold(),
    "resolve": Resolve(),
}  # fmt: skip
LIFE = [
    (
        Status.OPEN,
        False,
        {"ack": "acknowledged", "diagnose": "diagnosed", "hold": "held", "resolve": "resolved"},
    ),
    (Status.ACKNOWLEDGED, False, {"diagnose": "diagnosed", "hold": "held", "resolve": "resolved"}),
    (Status.DIAGNOSED, False, {"diagnose": "diagnosed", "hold": "held", "resolve": "resolved"}),
    (
        Status.OPEN,
        True,
        {"ack": "acknowledged", "diagnose": "diagnosed", "unhold": "unheld", "resolve": "resolved"},
    ),
    (Status.RESOLVED, False, {}),
]


@pytest.mark.parametrize(("status", "held", "allowed"), LIFE, ids=lambda one: str(one))
@pytest.mark.parametrize("asked", ASKED)
def test_what_a_person_may_do_with_a_ticket(
    status: Status, held: bool, allowed: dict[str, str], asked: str
) -> None:
    before = ticket(status=status, held=held)
    if asked not in allowed:
        with pytest.raises(Refused, match="ticket 7 is"):
            tickets.step(before, ASKED[asked], at(9))
        return
    step = tickets.step(before, ASKED[asked], at(9))
    assert step.what == allowed[asked]
    expected = {"ack": Status.ACKNOWLEDGED, "diagnose": Status.DIAGNOSED, "resolve": Status.RESOLVED}
    assert step.ticket.status is expected.get(asked, status)
    assert step.ticket.held is {"hold": True, "unhold": False}.get(asked, held)
    assert step.ticket.resolved_at == (at(9) if asked == "resolve" else None)
    assert not step.quiet


def test_a_diagnosis_needs_words() -> None:
    with pytest.raises(Refused, match="needs words"):
        tickets.step(ticket(), Diagnose("  "), at(1))


def test_that_it_is_no_longer_checked_is_said_once_and_resolves_nothing() -> None:
    first = tickets.step(ticket(), Unchecked(), at(30))
    assert (first.ticket.status, first.ticket.unchecked_at, first.quiet) == (Status.OPEN, at(30), False)
    second = tickets.step(first.ticket, Unchecked(), at(60))
    assert (second.ticket.unchecked_at, second.quiet) == (at(30), True)
    assert tickets.step(second.ticket, seen(), at(90)).ticket.unchecked_at is None


# One check after the other.


class World:
    """What would be stored, and what the checks of one job make of it."""

    def __init__(self, grace: float = 0) -> None:
        self.known = Known()
        self.grace = timedelta(seconds=grace)
        self.all: list[Ticket] = []

    def check(
        self,
        seconds: float,
        state: Literal["holds", "violated", "unknown"] | None,
        message: str = "m",
        key: str = "web",
    ) -> Followed:
        found = []
        if state is not None:
            found = [
                Finding(
                    key=key, invariant="web", entity=None, severity="critical", grace=self.grace, state=state,
                    message=message,
                )
            ]  # fmt: skip
        followed = checked.follow(found, self.known, scope="watch", batch=f"watch:{seconds}", now=at(seconds))
        self.store(followed)
        return followed

    def store(self, followed: Followed) -> None:
        for step in followed.steps:
            new = step.ticket if step.ticket.id else replace(step.ticket, id=len(self.all) + 1)
            self.all = [one for one in self.all if one.id != new.id] + [new]
        standings = {**self.known.standings, **{one.key: one for one in followed.standings}}
        self.known = Known(
            standings={key: one for key, one in standings.items() if not one.blank},
            tickets={one.key: one for one in self.all if one.status is not Status.RESOLVED},
            ticketed=frozenset(one.key for one in self.all),
        )

    def ask(self, happening: tickets.Happening, seconds: float) -> None:
        step = tickets.step(self.known.tickets["web"], happening, at(seconds))
        self.store(Followed(steps=(step,)))

    @property
    def ticket(self) -> Ticket:
        return max(self.all, key=lambda one: one.id)


@pytest.mark.parametrize(
    ("after", "opened"),
    [
        pytest.param(59.999, 0, id="just before"),
        pytest.param(60, 1, id="exactly"),
        pytest.param(60.001, 1, id="after"),
    ],
)
def test_a_ticket_opens_when_the_grace_is_over(after: float, opened: int) -> None:
    world = World(grace=60)
    first = world.check(0, "violated")
    assert (first.steps, first.told, first.pending) == ((), (), ("web",))
    later = world.check(after, "violated")
    assert [len(later.steps), len(later.told), len(later.pending)] == [opened, opened, 1 - opened]
    assert not opened or world.ticket.first_seen_at == T0


def test_without_grace_a_ticket_opens_at_once() -> None:
    followed = World().check(0, "violated")
    assert [step.what for step in followed.steps] == ["opened"]
    assert [one.key for one in followed.told] == ["web"]


def test_a_violation_that_clears_within_its_grace_begins_anew() -> None:
    world = World(grace=60)
    world.check(0, "violated")
    world.check(30, "holds")
    assert world.known.standings == {}
    world.check(59, "violated")
    assert world.check(61, "violated").steps == ()


def test_a_clock_that_was_set_back_does_not_make_the_grace_longer() -> None:
    world = World(grace=60)
    world.check(3600, "violated")
    world.check(0, "violated")
    assert [step.what for step in world.check(60, "violated").steps] == ["opened"]


def test_what_clears_is_resolved_and_after_that_there_is_a_new_ticket() -> None:
    world = World()
    world.check(0, "violated")
    followed = world.check(30, "holds", "up again")
    assert (world.ticket.status, world.ticket.resolved_at) == (Status.RESOLVED, at(30))
    assert followed.steps[0].why == "holds again: up again"
    assert followed.told == ()
    world.check(60, "violated")
    assert [(one.id, one.status) for one in world.all] == [(1, Status.RESOLVED), (2, Status.OPEN)]


def test_a_failed_observation_resolves_nothing_and_the_problem_goes_on_being_told() -> None:
    world = World()
    world.check(0, "violated", "it is down")
    followed = world.check(30, "unknown", "no network")
    assert (world.ticket.status, followed.steps) == (Status.OPEN, ())
    (told,) = followed.told
    assert (told.key, told.severity) == ("web", "critical")
    assert told.text == "it is down; last seen so 2026-11-20 12:00:00 UTC, now: no network"


def test_a_failed_observation_within_the_grace_neither_ends_nor_tells_the_violation() -> None:
    world = World(grace=60)
    world.check(0, "violated")
    assert world.check(30, "unknown").told == ()
    assert [step.what for step in world.check(60, "violated").steps] == ["opened"]


def test_a_failed_observation_of_what_was_healthy_tells_nothing_under_its_key() -> None:
    assert World().check(0, "unknown") == Followed()


def test_a_held_ticket_does_not_alert_and_is_not_resolved() -> None:
    world = World()
    world.check(0, "violated")
    world.ask(Hold(), 10)
    quiet = world.check(30, "violated")
    assert (quiet.told, list(quiet.held)) == ((), ["web"])
    assert list(world.check(40, "unknown").held) == ["web"]
    healthy = world.check(60, "holds")
    assert (healthy.told, dict(healthy.held)) == ((), {})
    assert (world.ticket.status, world.ticket.held, world.ticket.count) == (Status.OPEN, True, 2)
    world.ask(Unhold(), 70)
    world.check(90, "holds")
    assert world.ticket.status is Status.RESOLVED


def test_an_acknowledged_ticket_goes_on_being_told() -> None:
    world = World()
    world.check(0, "violated")
    world.ask(Acknowledge(), 10)
    assert [one.key for one in world.check(30, "violated").told] == ["web"]
    assert world.ticket.status is Status.ACKNOWLEDGED


def test_what_is_no_longer_checked_stays_open_is_not_told_and_said_so() -> None:
    world = World()
    world.check(0, "violated")
    followed = world.check(30, None)
    assert (world.ticket.status, world.ticket.unchecked_at) == (Status.OPEN, at(30))
    assert (followed.told, dict(followed.unchecked)) == (
        (), {"web": "web is no longer checked by watch: its ticket stays open"},
    )  # fmt: skip
    assert world.known.standings == {}


def flap(world: World, moments: list[float]) -> list[Followed]:
    """Violated at 0, then cleared and violated again at each moment."""
    world.check(0, "violated")
    found = []
    for moment in moments:
        world.check(moment - 0.5, "holds")
        found.append(world.check(moment, "violated"))
    return found


@pytest.mark.parametrize(
    ("moments", "flaps"),
    [
        pytest.param([100, 200], False, id="twice"),
        pytest.param([100, 200, 399.9], True, id="three times in just under five minutes"),
        pytest.param([100, 200, 400], True, id="in exactly five minutes"),
        pytest.param([100, 200, 400.1], False, id="in a little more"),
        pytest.param([100, 200, 400.1, 450], True, id="the second, third and fourth"),
        pytest.param([1000, 1010, 1020], True, id="long after the first"),
    ],
)
def test_three_reopenings_in_five_minutes_are_flapping(moments: list[float], flaps: bool) -> None:
    world = World()
    last = flap(world, moments)[-1]
    assert ("web" in last.flapping, world.ticket.flapping) == (flaps, flaps)
    assert len(world.all) == len(moments) + 1


def test_reopening_a_diagnosed_ticket_is_a_reopening() -> None:
    world = World()
    world.check(0, "violated")
    for moment in (30, 60, 90):
        world.ask(Diagnose("the disk"), moment - 1)
        followed = world.check(moment, "violated")
    assert "web" in followed.flapping
    assert len(world.all) == 1


def test_while_it_flaps_the_problem_goes_on_being_told_until_it_is_calm() -> None:
    world = World()
    flap(world, [30, 60, 90])
    held = world.check(91, "holds", "up")
    assert world.ticket.status is Status.RESOLVED
    assert [one.text for one in held.told] == ["it is flapping; right now: up"]
    assert world.check(390, "holds").told != ()
    calm = world.check(390.1, "holds")
    assert (calm.told, dict(calm.flapping), world.known.standings) == ((), {}, {})


def test_a_violation_that_stays_is_no_longer_flapping() -> None:
    world = World()
    flap(world, [30, 60, 90])
    assert "web" in world.check(389, "violated").flapping
    assert world.check(391, "violated").flapping == {}
    assert not world.ticket.flapping


STATES = st.sampled_from(
    ["holds", "violated", "unknown", None, "hold", "unhold", "ack", "diagnose", "resolve"]
)


@given(st.lists(st.tuples(STATES, st.floats(0.1, 400)), max_size=60), st.sampled_from([0, 60]))
def test_whatever_happens_a_key_has_one_ticket_at_most_and_nothing_unseen_ends_it(
    happenings: list[tuple[Any, float]], grace: float
) -> None:
    world, now = World(grace), 0.0
    for what, wait in happenings:
        now += wait
        before = world.known.tickets.get("web")
        if what in ASKED or what in ("hold", "unhold"):
            if before is not None:
                with contextlib.suppress(Refused):
                    world.ask(ASKED[what], now)
            continue
        followed = world.check(now, what)
        after = [one for one in world.all if one.status is not Status.RESOLVED]
        assert len(after) <= 1
        assert len({one.opened_at for one in world.all}) == len(world.all)
        if before is not None and (what != "holds" or before.held):
            assert [one.id for one in after] == [before.id], (
                "only what was seen to hold, and is not held, ends"
            )
        if what == "holds" and before is not None and not before.held:
            assert after == []
        told = [one.key for one in followed.told]
        assert told == (["web"] if what and ((after and not after[0].held) or (told and not after)) else [])
        assert not (after and after[0].held and told)


def test_a_check_knows_only_what_is_stored() -> None:
    """The standing as it comes out of a check is all that the next one, of another process, begins with."""
    known = Known(standings={"web": Standing(key="web", first_seen_at=at(-61))})
    finding = Finding(
        key="web",
        invariant="web",
        entity=None,
        severity="low",
        grace=timedelta(seconds=60),
        state="violated",
        message="m",
    )
    followed = checked.follow([finding], known, scope="watch", batch="b", now=T0)
    assert [(step.what, step.ticket.first_seen_at) for step in followed.steps] == [("opened", at(-61))]
