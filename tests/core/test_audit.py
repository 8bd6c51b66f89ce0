"""Which broken promises does an audit see, and what does it leave alone?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core.audit import Report, audit, audit_job
from jarvis.core.clockfacts import Fact
from jarvis.core.complaints import AT_MOST
from jarvis.core.evidence import Begun, Counted, Damaged, Definition, Evidence, Frame, Row, Start, Term
from jarvis.core.job import JobSpec
from jarvis.core.run import Status, schedule_fire
from jarvis.core.settle import Pause

DAY = datetime(2026, 3, 10, tzinfo=UTC)
D = "2026-03-10T"


def at(text: str) -> datetime:
    """``08:00``, ``08:00:07``: an instant of the tenth of March."""
    return datetime.fromisoformat(f"{D}{text}+00:00")


def definition(number: int = 1, **body: Any) -> Definition:
    spec = JobSpec.model_validate({"command": "true", **(body or {"every": "1h"})})
    return Definition(number=number, job=spec.resolve("j", timezone="UTC", python=False))


def term(begin: str = "08:30", end: str | None = None, number: int = 1, era: int = 0) -> Term:
    return Term(definition=number, era=era, from_at=at(begin), until_at=at(end) if end else None)


def row(due: str, number: int = 1, **changed: Any) -> Row:
    """A run that succeeded within a minute of its moment."""
    moment = at(due)
    begun = changed.get("started_at") or moment
    usual: dict[str, Any] = {"started_at": begun, "ended_at": begun + timedelta(minutes=1), "definition": 1}
    return Row(number, schedule_fire(moment), 1, "succeeded", moment)._replace(**(usual | changed))


def span(begin: str, end: str, count: int, number: int = 1, **changed: Any) -> Counted:
    found = Counted(
        id=number,
        definition=1,
        era=0,
        from_at=at(begin),
        until_at=at(end),
        count=count,
        status="missed",
        reason="asleep",
    )
    return replace(found, **changed)


FRAME = Frame(now=at("12:30"))
THREE = [row("09:00", 1), row("10:00", 2), row("11:00", 3)]
LEDGER = Evidence(
    job="j",
    state="active",
    next_fire_at=at("12:00"),
    definitions={1: definition()},
    terms=[term()],
    rows=THREE,
)


def ledger(rows: Sequence[Row | Damaged] = THREE, **changed: Any) -> Evidence:
    """The hourly job since 08:30; its next fire is 12:00."""
    begun = [
        Begun(each.id, each.definition, each.started_at, each.ended_at)
        for each in rows
        if isinstance(each, Row) and each.started_at
    ]
    begun.sort(key=lambda each: each.started_at)
    ordered = sorted(rows, key=lambda each: each.scheduled_at if isinstance(each, Row) else DAY)
    return replace(LEDGER, rows=ordered, begun=begun, **changed)


def told(report: Report) -> list[str]:
    return [f"{found.rule}: {found.text}" for found in report.violations]


def judged(evidence: Evidence, **frame: Any) -> list[str]:
    return told(audit_job(evidence, replace(FRAME, **frame)))


def test_a_ledger_that_accounts_for_everything_is_clean() -> None:
    report = audit([ledger()], FRAME)
    assert report == Report(jobs=1, moments=3, rows=3, spans=0)
    assert str(report) == "3 moments of 1 job in 3 rows and 0 spans: every one is accounted for"


MISSED = span("10:00", "11:00", 1)
CLEAN: list[tuple[str, Evidence, dict[str, Any]]] = [
    ("a span in the place of a row", ledger([row("09:00", 1), row("11:00", 2)], spans=[MISSED]), {}),
    ("only a span", ledger([], spans=[span("09:00", "12:00", 3)]), {}),
    ("a span that grew over a time without moments", ledger([], spans=[span("09:00", "11:30", 3)]), {}),
    (
        "two spans side by side",
        ledger([], spans=[span("09:00", "10:00", 1), span("10:00", "11:30", 2, 2)]),
        {},
    ),
    ("what is due but not yet settled is not asked for", ledger(THREE), {"now": at("18:00")}),
    ("before the term nothing is due", ledger([row("11:00")], terms=[term("10:30")]), {}),
    ("the instant at which a term begins is not its", ledger([row("11:00")], terms=[term("10:00")]), {}),
    (
        "the instant at which a term ends is",
        ledger(THREE[:2], terms=[term("08:30", "10:00")], state="disabled", next_fire_at=None),
        {},
    ),
    (
        "switched off and on again",
        ledger([THREE[0], THREE[2]], terms=[term("08:30", "09:30"), term("10:30")]),
        {},
    ),
    (
        "edited: each moment under its own definition",
        ledger(
            [row("09:00", 1), row("10:00", 2, definition=2)],
            definitions={1: definition(), 2: definition(2, every="40m")},
            terms=[term("08:30", "09:20"), term("09:20", "10:30", 2)],
            state="retired",
            next_fire_at=None,
        ),
        {},
    ),
    (
        "a span may reach over the time of another definition",
        ledger(
            [row("10:20", 1, definition=2)],
            definitions={1: definition(), 2: definition(2, cron="20 10 * * *")},
            terms=[term("08:30", "09:30"), term("09:30", "10:30", 2), term("10:30")],
            spans=[span("09:00", "11:30", 2)],
        ),
        {},
    ),
    (
        "an exhausted schedule",
        ledger([row("09:00")], definitions={1: definition(at="2026-03-10 09:00")}, next_fire_at=None),
        {},
    ),
    (
        "a job that is only started",
        ledger([], definitions={1: definition(start="boot")}, next_fire_at=None),
        {},
    ),
    ("before since nobody asked", ledger([row("11:00")]), {"since": at("10:30")}),
    ("before the horizon nobody knows", ledger([row("11:00")]), {"horizon": at("10:30")}),
    (
        "a span over the horizon is not counted",
        ledger([row("11:00")], spans=[span("05:00", "10:30", 99)]),
        {"horizon": at("09:30")},
    ),
    (
        "a pause",
        ledger(
            [row("09:00", 1), row("11:00", 2)],
            spans=[span("10:00", "10:10", 1, status="skipped", reason="holidays")],
            pauses=[Pause(from_at=at("09:10"), until_at=at("10:30"), reason="holidays")],
        ),
        {},
    ),
    (
        "resumed at the very instant of a moment",
        ledger(
            [row("09:00", 1), row("11:00", 2)],
            spans=[span("10:00", "10:10", 1, status="skipped", reason="holidays")],
            pauses=[Pause(from_at=at("09:10"), until_at=at("10:00"), reason="holidays")],
        ),
        {},
    ),
    (
        "a moment that comes round again after the clock was set back is another fire",
        ledger(
            [
                row("09:00", 1),
                row("10:00", 2),
                row("10:00", 4, fire=schedule_fire(at("10:00"), era=1)),
                row("11:00", 5, fire=schedule_fire(at("11:00"), era=1)),
            ],
            terms=[term("08:30", "10:20"), term("09:40", era=1)],
        ),
        {
            "facts": [
                Fact(kind="step", from_at=at("10:20"), until_at=at("09:40"), amount=timedelta(minutes=-40))
            ]
        },
    ),
    (
        "a failed attempt and its retry",
        ledger(
            [
                row("09:00", 1, status="failed", reason="exit code 1"),
                row("09:00", 4, attempt=2, reason="retry after: exit code 1", started_at=at("09:05")),
                *THREE[1:],
            ]
        ),
        {},
    ),
    (
        "a lost attempt is repeated where the job says so",
        ledger(
            [
                row("09:00", 1, status="lost", reason="gone"),
                row("09:00", 4, attempt=2, reason="rerun", started_at=at("09:05")),
                *THREE[1:],
            ],
            definitions={1: definition(every="1h", on_lost="rerun")},
        ),
        {},
    ),
    ("one run begins as the other ends", ledger([row("09:00", 1, ended_at=at("10:00")), *THREE[1:]]), {}),
    (
        "two at once where two may",
        ledger(
            [row("09:00", 1, ended_at=at("10:30")), *THREE[1:]],
            definitions={1: definition(every="1h", max_instances=2)},
        ),
        {},
    ),
    (
        "started as late as misfire_grace allows, and held back on purpose before that",
        ledger(
            [
                row("09:00", 1, not_before=at("09:20"), started_at=at("09:30"), ended_at=at("09:31")),
                *THREE[1:],
            ],
            definitions={1: definition(every="1h", misfire_grace="10m")},
        ),
        {},
    ),
    (
        "started late because the machine slept before it could",
        ledger(
            [row("09:00", 1, started_at=at("09:30"), ended_at=at("09:31")), *THREE[1:]],
            definitions={1: definition(every="1h", misfire_grace="10m")},
        ),
        {
            "facts": [
                Fact(kind="sleep", from_at=at("09:00"), until_at=at("09:29"), amount=timedelta(minutes=29))
            ]
        },
    ),
    (
        "started before it was due, because the clock was set back in between",
        ledger([row("09:00", 1, started_at=at("08:41"), ended_at=at("08:42")), *THREE[1:]]),
        {
            "facts": [
                Fact(kind="step", from_at=at("09:01"), until_at=at("08:41"), amount=timedelta(minutes=-20))
            ]
        },
    ),
    (
        "a clock that went back by less than is noted",
        ledger([row("09:00", 1, started_at=at("08:59:59")), *THREE[1:]]),
        {},
    ),
    (
        "a person asked, in the middle of everything",
        ledger([*THREE, row("09:30", 4, fire="manual:x", definition=None, started_at=at("09:30"))]),
        {},
    ),
    (
        "still queued, and nobody there to run it",
        ledger([*THREE[:2], row("11:00", 3, status="queued", started_at=None, ended_at=None)]),
        {},
    ),
    ("still running", ledger([*THREE[:2], row("11:00", 3, status="running", ended_at=None)]), {}),
    (
        "rows that a restored ledger learned from the runs' own traces",
        ledger([*THREE, row("10:17", 4, definition=None), row("10:20", 5, attempt=3)]),
        {
            "facts": [
                Fact(kind="restored", from_at=at("10:10"), until_at=at("10:40"), amount=timedelta(minutes=30))
            ]
        },
    ),
]


@pytest.mark.parametrize(("evidence", "frame"), [pytest.param(*case[1:], id=case[0]) for case in CLEAN])
def test_is_in_order(evidence: Evidence, frame: dict[str, Any]) -> None:
    assert judged(evidence, **frame) == []


WRONG: list[tuple[str, Evidence, dict[str, Any], list[str]]] = [
    (
        "a moment without a row",
        ledger([THREE[0], THREE[2]]),
        {},
        [f"no-row: 1 due moment has neither a row nor a span: {D}10:00:00Z"],
    ),
    (
        "all moments without rows, counted",
        ledger([]),
        {},
        [f"no-row: 3 due moments have neither a row nor a span: from {D}09:00:00Z to {D}11:00:00Z"],
    ),
    (
        "a hole between a span and a row",
        ledger([row("11:00")], spans=[span("09:00", "10:00", 1)]),
        {},
        [f"no-row: 1 due moment has neither a row nor a span: {D}10:00:00Z"],
    ),
    (
        "a row that was not due",
        ledger([*THREE, row("10:17", 4)]),
        {},
        [f"row-not-due: run 4 is for {D}10:17:00Z, which is not due"],
    ),
    (
        "a row after the next fire",
        ledger([*THREE, row("12:00", 4)]),
        {},
        [f"row-not-due: run 4 is for {D}12:00:00Z, when the job was not due"],
    ),
    (
        "a row from a time when the job was off",
        ledger(THREE, terms=[term("08:30", "09:30"), term("10:30")]),
        {},
        [f"row-not-due: run 2 is for {D}10:00:00Z, when the job was not due"],
    ),
    (
        "a row in an era that never was",
        ledger([*THREE, row("10:00", 4, fire=schedule_fire(at("10:00"), era=3), started_at=at("10:02"))]),
        {},
        ["row-not-due: run 4 is in era 3, in which the job was never due"],
    ),
    (
        "a row whose moment was shifted",
        ledger([THREE[0], THREE[1]._replace(scheduled_at=at("10:05")), THREE[2]]),
        {},
        [
            f"times: run 2 started at {D}10:00:00Z, before it was due",
            f"row-not-due: run 2 has the fire 'schedule:{D}10:00:00Z' but is scheduled at {D}10:05:00Z",
            f"no-row: 1 due moment has neither a row nor a span: {D}10:00:00Z",
        ],
    ),
    (
        "a row and a span for one moment",
        ledger(THREE, spans=[MISSED]),
        {},
        [f"twice: {D}10:00:00Z is accounted for twice: by run 2 and by span 1"],
    ),
    (
        "two spans for one moment",
        ledger([], spans=[span("09:00", "11:00", 2), span("10:00", "11:30", 2, 2)]),
        {},
        [f"twice: spans 1 and 2 both account for 1 moments from {D}10:00:00Z"],
    ),
    (
        "two rows for one fire and attempt",
        ledger([*THREE, row("10:00", 4)]),
        {},
        [
            f"twice: attempt 1 at schedule:{D}10:00:00Z is there twice: runs 2 and 4",
            f"twice: {D}10:00:00Z is accounted for twice: by runs 2 and 4",
            f"together: runs 2 and 4 were running at once at {D}10:00:00Z; 1 may",
        ],
    ),
    (
        "a repeat of a moment that is due once",
        ledger(
            [
                *THREE,
                row(
                    "10:00",
                    4,
                    fire=schedule_fire(at("10:00"), repeat=2),
                    started_at=at("10:02"),
                    ended_at=at("10:03"),
                ),
            ]
        ),
        {},
        [f"row-not-due: run 4 is for start 2 of {D}10:00:00Z, which is due once"],
    ),
    (
        "a span that counts too much",
        ledger([row("11:00")], spans=[span("09:00", "10:30", 3)]),
        {},
        [
            f"span: span 1 (from {D}09:00:00Z to {D}10:30:00Z) counts 3 moments, but definition 1 gives 2 there"
        ],
    ),
    (
        "a span from a time when nothing was due",
        ledger(THREE, spans=[span("05:00", "08:00", 3)]),
        {},
        [
            f"span: span 1 (from {D}05:00:00Z to {D}08:00:00Z) counts 3 moments, but definition 1 gives 0 there"
        ],
    ),
    (
        "a span without a reason and with a strange status",
        ledger([], spans=[span("09:00", "12:00", 3, status="succeeded", reason=" ")]),
        {},
        [
            f"span: span 1 (from {D}09:00:00Z to {D}12:00:00Z) has the status 'succeeded'; a span is missed or skipped",
            f"reason: span 1 (from {D}09:00:00Z to {D}12:00:00Z) is succeeded without a reason",
        ],
    ),
    (
        "a span of an unknown definition",
        ledger(THREE, spans=[replace(MISSED, definition=7)]),
        {},
        [f"definition: span 1 (from {D}10:00:00Z to {D}11:00:00Z) is under definition 7, which is not known"],
    ),
    (
        "a row under another definition than was in force",
        ledger(
            [THREE[0], THREE[1]._replace(definition=2), THREE[2]],
            definitions={1: definition(), 2: definition(2)},
        ),
        {},
        [f"definition: run 2 is under definition 2, but 1 was in force at {D}10:00:00Z"],
    ),
    (
        "a row of an unknown definition",
        ledger([*THREE, row("09:30", 4, fire="manual:x", definition=7)]),
        {},
        ["definition: run 4 is under definition 7, which is not known"],
    ),
    (
        "a row of the schedule without a definition",
        ledger([THREE[0], THREE[1]._replace(definition=None), THREE[2]]),
        {},
        [
            "definition: run 2 has no definition",
            f"definition: run 2 is under definition None, but 1 was in force at {D}10:00:00Z",
        ],
    ),
    (
        "a definition that cannot be read",
        ledger(THREE, definitions={1: Definition.read(1, "j", "{", False)}),
        {},
        [
            "definition: definition 1 cannot be read (Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)): its moments cannot be checked"
        ],
    ),
    (
        "a definition that is gone",
        ledger([], definitions={}),
        {},
        ["definition: definition 1 is not in the ledger: its moments cannot be checked"],
    ),
    (
        "ran although paused",
        ledger(THREE, pauses=[Pause(from_at=at("09:30"), until_at=at("10:30"), reason="p")]),
        {},
        [f"pause: run 2 is for {D}10:00:00Z, when the job was paused; it should have been skipped"],
    ),
    (
        "missed although paused",
        ledger(
            [THREE[0], THREE[2]],
            spans=[MISSED],
            pauses=[Pause(from_at=at("09:30"), until_at=None, reason="p")],
        ),
        {},
        [
            f"pause: span 1 (from {D}10:00:00Z to {D}11:00:00Z) is missed, but 1 of its moments were in a pause",
            f"pause: run 3 is for {D}11:00:00Z, when the job was paused; it should have been skipped",
        ],
    ),
    (
        "skipped although not paused",
        ledger([THREE[0], THREE[2]], spans=[replace(MISSED, status="skipped")]),
        {},
        [
            f"pause: span 1 (from {D}10:00:00Z to {D}11:00:00Z) is skipped, but the job was not paused all that time"
        ],
    ),
    (
        "a second attempt after a success",
        ledger([*THREE, row("09:00", 4, attempt=2, reason="again", started_at=at("09:05"))]),
        {},
        ["attempts: run 4 is attempt 2, but run 1 before it is succeeded"],
    ),
    (
        "a second attempt without a first",
        ledger([row("09:00", 1, attempt=2, reason="again"), *THREE[1:]]),
        {},
        [
            "attempts: run 1 is attempt 2, but there is no attempt 1",
            f"no-row: 1 due moment has neither a row nor a span: {D}09:00:00Z",
        ],
    ),
    (
        "a third attempt without a second",
        ledger(
            [
                row("09:00", 1, status="failed"),
                row("09:00", 4, attempt=3, reason="again", started_at=at("09:05")),
                *THREE[1:],
            ]
        ),
        {},
        ["attempts: run 4 is attempt 3, but there is no attempt 2"],
    ),
    (
        "a second attempt without a reason",
        ledger(
            [row("09:00", 1, status="failed"), row("09:00", 4, attempt=2, started_at=at("09:05")), *THREE[1:]]
        ),
        {},
        ["attempts: run 4 is attempt 2 without a reason"],
    ),
    (
        "a lost run is not repeated unasked",
        ledger(
            [
                row("09:00", 1, status="lost", reason="gone"),
                row("09:00", 4, attempt=2, reason="again", started_at=at("09:05")),
                *THREE[1:],
            ]
        ),
        {},
        ["attempts: run 4 is attempt 2, but run 1 before it was lost and on_lost is not rerun"],
    ),
    (
        "two at once",
        ledger([row("09:00", 1, ended_at=at("10:00:01")), *THREE[1:]]),
        {},
        [f"together: runs 1 and 2 were running at once at {D}10:00:00Z; 1 may"],
    ),
    (
        "one that never ends, and others beside it",
        ledger([row("09:00", 1, status="running", ended_at=None), *THREE[1:]]),
        {},
        [
            f"together: runs 1 and 2 were running at once at {D}10:00:00Z; 1 may",
            f"together: runs 1 and 3 were running at once at {D}11:00:00Z; 1 may",
        ],
    ),
    (
        "a run that a person asked for counts as well",
        ledger(
            [
                row("09:00", 1, ended_at=at("09:40")),
                row("09:30", 4, fire="manual:x", definition=None, started_at=at("09:30")),
                *THREE[1:],
            ]
        ),
        {},
        [f"together: runs 1 and 4 were running at once at {D}09:30:00Z; 1 may"],
    ),
    (
        "started before it was due",
        ledger([row("09:00", 1, started_at=at("08:59:50")), *THREE[1:]]),
        {},
        [f"times: run 1 started at {D}08:59:50Z, before it was due"],
    ),
    (
        "ended before it started",
        ledger([row("09:00", 1, ended_at=at("08:50")), *THREE[1:]]),
        {},
        [f"times: run 1 ended at {D}08:50:00Z, before it started at {D}09:00:00Z"],
    ),
    (
        "started later than misfire_grace allows",
        ledger(
            [row("09:00", 1, started_at=at("09:30"), ended_at=at("09:31")), *THREE[1:]],
            definitions={1: definition(every="1h", misfire_grace="10m")},
        ),
        {},
        ["late: run 1 started 30m late; misfire_grace is 10m"],
    ),
    *(
        (
            f"{status} without a reason",
            ledger([row("09:00", 1, status=status, started_at=None), *THREE[1:]]),
            {},
            [f"reason: run 1 is {status} without a reason"],
        )
        for status in (Status.CANCELLED, Status.LOST, Status.SKIPPED, Status.MISSED)
    ),
    (
        "an end without being ended, and the other way round",
        ledger(
            [
                row("09:00", 1, ended_at=None),
                row("10:00", 2, status="queued", started_at=None),
                row("11:00", 3, started_at=None),
            ]
        ),
        {},
        [
            "times: run 1 is succeeded without an end",
            "times: run 2 is queued but has an end",
            "times: run 3 is succeeded but was never started",
        ],
    ),
    (
        "a status nobody knows",
        ledger([row("09:00", 1, status="exploded"), *THREE[1:]]),
        {},
        ["unreadable: run 1 has the unknown status 'exploded'"],
    ),
    (
        "a fire nobody asks for",
        ledger([*THREE, row("09:30", 4, fire="moon:full")]),
        {},
        ["unreadable: run 4 has the fire 'moon:full', which nothing asks for"],
    ),
    (
        "a row that can be placed but not read",
        ledger([row("09:00", 1, damage="has params that are not JSON"), *THREE[1:]]),
        {},
        ["unreadable: run 1 has params that are not JSON"],
    ),
    (
        "rows that cannot even be placed",
        ledger(
            [*THREE, Damaged("run 5 cannot be read: 'x' is not a number", 5)],
            damaged=[Damaged("a term cannot be read")],
        ),
        {},
        ["unreadable: a term cannot be read", "unreadable: run 5 cannot be read: 'x' is not a number"],
    ),
    (
        "active without a term",
        ledger([], terms=[]),
        {},
        ["terms: the job is active, but 0 of its terms are open; one should be"],
    ),
    (
        "retired with an open term",
        ledger([], state="retired"),
        {},
        ["terms: the job is retired, but 1 of its terms are still open"],
    ),
    (
        "terms that overlap",
        ledger([*THREE], terms=[term("08:30", "10:30"), term("09:30")]),
        {},
        [
            f"terms: two of its terms (era 0) overlap at {D}09:30:00Z",
        ],
    ),
    (
        "a next fire that is no moment",
        ledger(next_fire_at=at("12:07")),
        {},
        [
            f"plan: its next fire {D}12:07:00Z is not a moment of its schedule",
            f"no-row: 1 due moment has neither a row nor a span: {D}12:00:00Z",
        ],
    ),
    (
        "an active job that plans nothing",
        ledger(next_fire_at=None),
        {},
        [
            f"plan: it has no next fire, but is due at {D}13:00:00Z",
            f"no-row: 1 due moment has neither a row nor a span: {D}12:00:00Z",
        ],
    ),
]


@pytest.mark.parametrize(
    ("evidence", "frame", "expected"), [pytest.param(*case[1:], id=case[0]) for case in WRONG]
)
def test_is_a_violation(evidence: Evidence, frame: dict[str, Any], expected: list[str]) -> None:
    assert judged(evidence, **frame) == expected


START = Start(at=at("09:00"), daemon="d1", boot="b1")
AGAIN = Start(at=at("10:00"), daemon="d2", boot="b1")
REBOOT = Start(at=at("11:00"), daemon="d3", boot="b2")


def start_row(number: int, name: str, due: str) -> Row:
    return row(due, number, fire=f"start:{name}")


@pytest.mark.parametrize(
    ("kind", "rows", "expected"),
    [
        pytest.param(
            "daemon",
            [start_row(1, "d1", "09:00"), start_row(2, "d2", "10:00"), start_row(3, "d3", "11:00")],
            [],
            id="one for every start of the daemon",
        ),
        pytest.param(
            "boot", [start_row(1, "b1", "09:00"), start_row(2, "b2", "11:00")], [], id="one for every boot"
        ),
        pytest.param(
            "daemon",
            [start_row(1, "d1", "09:00"), start_row(3, "d3", "11:00")],
            [f"no-row: daemon d2 started at {D}10:00:00Z, but there is no row start:d2"],
            id="a start of the daemon without its run",
        ),
        pytest.param(
            "boot",
            [start_row(1, "b1", "09:00")],
            [f"no-row: the first start after boot b2 was at {D}11:00:00Z, but there is no row start:b2"],
            id="a boot without its run",
        ),
        pytest.param(
            "boot",
            [start_row(1, "b1", "09:00"), start_row(2, "b2", "11:00"), start_row(3, "b9", "12:00")],
            ["row-not-due: run 3 says start:b9, but no such start of a daemon is known"],
            id="a run for a boot that never was",
        ),
    ],
)
def test_what_is_started_with_the_daemon_or_the_machine(
    kind: str, rows: list[Row], expected: list[str]
) -> None:
    evidence = ledger(rows, definitions={1: definition(start=kind)}, next_fire_at=None)
    assert judged(evidence, starts=[START, AGAIN, REBOOT]) == expected


def test_a_job_that_was_not_there_at_a_start_owes_nothing() -> None:
    evidence = ledger(
        [], definitions={1: definition(start="daemon")}, next_fire_at=None, terms=[term("11:30")]
    )
    assert judged(evidence, starts=[START, AGAIN, REBOOT]) == []


def test_of_a_boot_before_the_horizon_the_first_start_is_not_known() -> None:
    evidence = ledger([], definitions={1: definition(start="boot")}, next_fire_at=None)
    assert judged(evidence, starts=[START, AGAIN], horizon=at("08:45")) == []
    assert len(judged(evidence, starts=[START, AGAIN, REBOOT], horizon=at("08:45"))) == 1


def test_a_skipped_hour_under_dst_exact_is_due_several_times() -> None:
    gap = datetime(2026, 3, 29, 1, tzinfo=UTC)
    quarter = definition(cron="0,15,30,45 1 * * *", timezone="Europe/London", dst="exact")
    rows = [
        row("09:00", n)._replace(
            fire=schedule_fire(gap, repeat=n),
            scheduled_at=gap,
            started_at=gap + timedelta(minutes=n),
            ended_at=gap + timedelta(minutes=n, seconds=30),
        )
        for n in (1, 2, 3, 4)
    ]
    since = Term(definition=1, era=0, from_at=gap - timedelta(hours=1), until_at=gap + timedelta(hours=1))
    evidence = ledger(rows, definitions={1: quarter}, terms=[since], state="retired", next_fire_at=None)
    assert judged(evidence) == []
    short = replace(evidence, rows=rows[:3], begun=[])
    assert judged(short) == ["no-row: 2026-03-29T01:00:00Z is due 4 times, but 1 of these starts have no row"]


def test_a_ledger_torn_apart_is_told_in_bounded_words() -> None:
    rows = [row("09:00", n)._replace(scheduled_at=DAY + timedelta(minutes=n)) for n in range(1, 500)]
    report = audit([ledger(rows)], FRAME)
    assert len(report.violations) == AT_MOST
    assert report.untold > 300
    assert str(report).endswith(f"{AT_MOST + report.untold} violations")


def test_jobs_are_judged_one_by_one_and_added_up() -> None:
    report = audit([ledger(), replace(ledger([]), job="k")], FRAME)
    assert (report.jobs, report.moments, report.rows) == (2, 6, 3)
    assert [str(found) for found in report.violations] == [
        f"k: 3 due moments have neither a row nor a span: from {D}09:00:00Z to {D}11:00:00Z"
    ]
