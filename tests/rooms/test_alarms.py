"""Who raises alerts but handlers? Ends of runs, moments that were missed, what is late, and Jarvis itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from jarvis.core import alert as alerts
from jarvis.core.job import load
from jarvis.core.run import Run, Status
from jarvis.core.settle import Span
from jarvis.core.telling import Alerts
from jarvis.handling.contract import Alert
from jarvis.running.floor import Floor
from jarvis.running.judging import Verdict
from jarvis.running.telling import alarms, missing
from jarvis.running.telling.afflicted import Afflicted
from jarvis.running.telling.emergencies import Emergencies
from jarvis.running.telling.lateness import Lateness
from jarvis.running.timetable import Decisions, Line
from jarvis.running.trouble import Trouble
from jarvis.store import journal, tables
from jarvis.store.book import Entry
from jarvis.store.database import Database
from jarvis.store.journal import Note
from tests.rooms.alert_house import NOON, told

RUN = Run(
    id=7,
    job="job",
    fire="manual:1",
    attempt=1,
    status=Status.FAILED,
    scheduled_at=NOON,
    queued_at=NOON,
    reason="exit code 3",
)


def made(name: str = "job", **alert: Any) -> Line:
    body: dict[str, Any] = {"command": "true", "every": "1h", "timezone": "UTC"}
    if alert:
        body["alert"] = alert
    entry = Entry(
        name=name, definition=1, fingerprint="x", python=False, body=body, origin="file", state="active",
        switch=None, era=0, next_fire_at=None,
    )  # fmt: skip
    return Line(entry, job=load(name, body, python=False))


@pytest.fixture
def database(tmp_path: Path) -> Any:
    found = Database(tmp_path / "ledger.sqlite")
    found.open()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("status", "on", "told_of"),
    [
        (Status.FAILED, None, True), (Status.TIMED_OUT, None, True), (Status.LOST, None, True),
        (Status.MISSED, None, False), (Status.SKIPPED, None, False), (Status.CANCELLED, None, False),
        (Status.SUCCEEDED, None, False), (Status.MISSED, ["missed"], True), (Status.SKIPPED, ["skipped"], True),
        (Status.CANCELLED, ["cancelled"], True), (Status.FAILED, ["missed"], False),
    ],
)  # fmt: skip
def test_which_ends_are_told(status: Status, on: list[str] | None, told_of: bool) -> None:
    from jarvis.core.run import changed

    job = (made(on=on) if on else made()).job
    notes = alarms.outcome(changed(RUN, status=status), job, NOON)
    assert bool(notes) is told_of
    if notes:
        assert (notes[0].key, notes[0].severity, notes[0].wanted.after) == ("run:job", "high", 1)


def test_a_rule_goes_with_its_alerts() -> None:
    job = made(after=3, to="phone", severity="warning", repeat="2h", recovery=False).job
    (note,) = alarms.outcome(RUN, job, NOON)
    assert note.severity == "medium"
    assert note.wanted == alerts.Wanted(
        to=("phone",), after=3, repeat=timedelta(hours=2), recovery=False, root="exit code #"
    )
    raised = alarms.raised(RUN, job, Alert(text="full", key="disk"), NOON)
    assert (raised.kind, raised.wanted.after, raised.wanted.to) == ("problem", 1, ("phone",))
    assert alarms.raised(RUN, job, Alert(text="hm", key="disk", once=True), NOON).kind == "notice"
    assert alarms.raised(RUN, job, Alert(text="hm"), NOON).kind == "notice"


def success(job: str = "job", *notes: Note) -> Verdict:
    from jarvis.core.run import changed

    return Verdict(run=changed(RUN, job=job, status=Status.SUCCEEDED, reason=None), notes=notes)


def ends(
    afflicted: Afflicted, database: Database, *verdicts: Verdict, notes: Sequence[Note] = ()
) -> list[Note]:
    """A round of the conductor: what it writes into the journal."""
    with database.write() as connection:
        said = afflicted.judge(connection, notes, verdicts, NOON)
        journal.add(connection, said)
    return said


def failure(job: str = "job") -> Note:
    return Note(at=NOON, severity="high", key=f"run:{job}", job=job, title=f"{job}: failed")


def test_a_success_of_a_job_without_problems_writes_nothing_more(database: Database) -> None:
    afflicted = Afflicted(database)
    afflicted.load()
    assert ends(afflicted, database, success(), success("other")) == []
    ends(afflicted, database, notes=[failure()])
    (over,) = ends(afflicted, database, success(), success("other"))
    assert (over.kind, over.job) == ("recovery", "job")
    assert ends(afflicted, database, success(), success("other")) == []


def test_a_problem_has_one_recovery_whenever_it_is_judged(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        afflicted = Afflicted(house.database)
        judging = afflicted.add

        def late(known: Iterable[tuple[str, str]]) -> None:
            """The success is written after the failure was judged, and before the conductor is told of that."""
            found = list(known)
            if found:
                ends(afflicted, house.database, success())
            judging(found)

        house.restart(opened=late)
        ends(afflicted, house.database, notes=[failure()])
        house.judges()
        for _ in range(3):
            ends(afflicted, house.database, success())
            house.judges()
        assert [one.kind for one in house.journal()] == ["problem", "recovery"]
        assert house.problems() == []


def test_a_failure_and_a_success_of_one_round_are_a_problem_and_its_end(database: Database) -> None:
    afflicted = Afflicted(database)
    lost = Verdict(run=RUN, notes=(failure(),))
    assert [note.kind for note in ends(afflicted, database, lost, success())] == ["", "recovery"]
    assert [note.kind for note in ends(afflicted, database, success(), lost)] == [""], (
        "and the other way round not"
    )
    assert [note.kind for note in ends(afflicted, database, success())] == ["recovery"]


def test_a_problem_that_a_successful_run_raises_again_is_not_over(database: Database) -> None:
    afflicted = Afflicted(database)
    disk = Note(at=NOON, severity="high", key="disk", job="job", title="full")
    for _ in range(3):
        said = ends(afflicted, database, success("job", disk))
        assert [note.key for note in said] == ["disk"], "and no row says so each time"
    said = ends(
        afflicted, database, success("job", Note(at=NOON, severity="low", job="job", title="by the way"))
    )
    assert [note.kind for note in said] == ["", "recovery"]


def test_a_recovery_that_could_not_be_written_is_written_with_the_next_try(database: Database) -> None:
    afflicted = Afflicted(database)
    ends(afflicted, database, notes=[failure()])
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        assert len(afflicted.judge(connection, (), [success()], NOON)) == 1
        raise ZeroDivisionError
    assert [note.kind for note in ends(afflicted, database, success())] == ["recovery"]


def test_what_a_handler_resolves_is_over_once_and_what_was_not_there_is_not_said(database: Database) -> None:
    afflicted = Afflicted(database)
    disk = alarms.raised(RUN, made().job, Alert(text="full", key="disk"), NOON)
    hot = alarms.raised(RUN, made().job, Alert(text="hot", key="hot"), NOON)
    over = alarms.resolved(RUN, "disk", NOON)
    assert ends(afflicted, database, Verdict(run=RUN, notes=(over,))) == []
    ends(afflicted, database, Verdict(run=RUN, notes=(disk, hot)))
    (said,) = ends(afflicted, database, Verdict(run=RUN, notes=(over,)))
    assert (said.kind, said.key) == ("recovery", "disk")
    assert ends(afflicted, database, Verdict(run=RUN, notes=(over,))) == []
    (rest,) = ends(afflicted, database, success())
    assert (rest.kind, rest.key) == ("recovery", None)


def test_a_service_that_is_well_is_said_once(database: Database) -> None:
    from jarvis.core.run import changed

    afflicted = Afflicted(database)
    ends(afflicted, database, notes=[failure()])
    runs = changed(RUN, status=Status.RUNNING)
    (over,) = ends(afflicted, database, notes=afflicted.well(runs, NOON))
    assert (over.kind, over.key) == ("recovery", "run:job")
    assert ends(afflicted, database, notes=afflicted.well(runs, NOON)) == []
    assert afflicted.well(runs, NOON) == [], "and nobody looks again"


def test_open_problems_are_known_after_a_restart(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.raises("job")
        house.writes(house.note("fresh"))
        house.raises("late", key=alerts.SILENT)
        afflicted = Afflicted(house.database)
        afflicted.load()
        ended = ends(afflicted, house.database, success("job"), success("fresh"), success("late"))
        assert [note.job for note in ended] == ["job", "fresh"]
        again = Afflicted(house.database)
        again.load()
        assert ends(again, house.database, success("job"), success("fresh")) == [], (
            "it is over, judged or not"
        )


def test_missed_moments_are_one_notice_that_names_jobs_and_counts() -> None:
    def span(count: int) -> Span:
        return Span(from_at=NOON, until_at=NOON, count=count, status=Status.MISSED, reason="asleep for 8h")

    paused = Span(from_at=NOON, until_at=NOON, count=9, status=Status.SKIPPED, reason="paused")
    decisions = Decisions(
        spans=[(made("a"), span(96)), (made("b", on=["missed"], after=5), span(7)), (made("c"), paused)]
    )
    notice, asked = missing.notes(decisions, NOON)
    assert (notice.title, notice.severity, notice.kind) == (
        "103 moments were missed of 2 jobs",
        "info",
        "notice",
    )
    assert notice.text == "a: 96 (asleep for 8h)\nb: 7 (asleep for 8h)"
    assert (asked.key, asked.wanted.times, asked.wanted.after) == ("run:b", 7, 5)
    assert missing.notes(Decisions(), NOON) == []


def late(database: Database, line: Line, floor: Floor | None = None) -> Lateness:
    return Lateness(
        database=database, lines=lambda: {line.name: line}, floor=lambda: floor or Floor({}), rules=Alerts
    )


def due_since(database: Database, at: datetime) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO definitions (id, job, fingerprint, body, python, created_at)"
            " VALUES (1, 'job', 'x', '{}', 0, 0)"
        )
        micros = int(at.timestamp() * 1_000_000)
        connection.exec_driver_sql(
            "INSERT INTO terms (job, definition_id, era, from_at) VALUES ('job', 1, 0, ?)", (micros,)
        )


def test_a_job_that_never_ran_is_told_when_its_time_is_over_and_again_after_an_hour(
    database: Database,
) -> None:
    due_since(database, NOON)
    looking = late(database, made(no_success_for="26h"))
    at = NOON
    found: list[tuple[timedelta, Note]] = []
    while at <= NOON + timedelta(hours=28):
        found += [(at - NOON, note) for note in looking.look(at)]
        at += timedelta(seconds=60)
    assert [when for when, _ in found] == [timedelta(hours=26), timedelta(hours=27), timedelta(hours=28)]
    assert found[0][1].key == alerts.SILENT and "never succeeded" in found[0][1].text


def test_after_a_sleep_what_is_late_may_catch_up_first(database: Database) -> None:
    due_since(database, NOON)
    looking = late(database, made(no_success_for="26h"))
    assert looking.look(NOON) == []
    woke = NOON + timedelta(hours=30)
    assert looking.look(woke) == []
    for minute in range(1, 5):
        assert looking.look(woke + timedelta(minutes=minute)) == []
    (note,) = looking.look(woke + timedelta(minutes=5))
    assert "no success for 1d6h" in note.title


def test_a_clock_set_back_puts_a_dead_mans_rule_off_by_no_more_than_its_length(database: Database) -> None:
    due_since(database, NOON)
    looking = late(database, made(no_success_for="1h"))
    assert looking.look(NOON + timedelta(minutes=10)) == []
    back = NOON - timedelta(hours=3)
    found = []
    for minute in range(61):
        found += [(minute, note.kind) for note in looking.look(back + timedelta(minutes=minute))]
    assert found == [(60, "")]
    row = {"job": "job", "attempt": 1, "status": "succeeded"}
    with database.write() as connection:
        for number, at in ((1, NOON), (2, back + timedelta(minutes=61))):
            times = {"scheduled_at": at, "queued_at": at, "ended_at": at}
            connection.execute(insert(tables.runs).values(id=number, fire=f"manual:{number}", **row, **times))
    (over,) = looking.look(back + timedelta(minutes=62))
    assert (over.kind, over.key) == ("recovery", alerts.SILENT)


def test_what_is_still_late_is_said_again_after_its_time_also_when_the_clock_was_set_back(
    database: Database,
) -> None:
    due_since(database, NOON - timedelta(days=2))
    looking = late(database, made(no_success_for="1s", repeat="1h"))
    at, found = NOON, 0
    while not found:
        found, at = len(looking.look(at)), at + timedelta(seconds=5)
    assert [len(looking.look(at + timedelta(minutes=one))) for one in range(30)] == [0] * 30
    back = at + timedelta(minutes=29) - timedelta(days=1)
    said = [minute for minute in range(40) if looking.look(back + timedelta(minutes=minute))]
    assert said == [31]


def test_a_paused_job_is_not_missed_and_what_was_told_is_over(database: Database) -> None:
    from jarvis.core.settle import Pause

    due_since(database, NOON - timedelta(days=9))
    line = made(no_success_for="1h")
    looking = late(database, line)
    looking.look(NOON)
    (note,) = [note for minute in range(1, 7) for note in looking.look(NOON + timedelta(minutes=minute))]
    assert note.kind == ""
    line.pauses.append(Pause(from_at=NOON, until_at=NOON + timedelta(hours=5), reason="holiday"))
    (over,) = looking.look(NOON + timedelta(minutes=7))
    assert (over.kind, over.key) == ("recovery", alerts.SILENT)
    line.pauses.clear()


def emergency(
    folder: Path, current: dict[str, Trouble], said: list[str], known: set[str] | None = None
) -> Emergencies:
    return Emergencies(
        troubles=lambda: current,
        known=lambda: known or set(),
        file=folder / "alerts.jsonl",
        direct=lambda title, text, severity, now: said.append(f"{severity}: {title}"),
    )


def test_a_trouble_of_thirty_seconds_is_told_without_the_ledger_once(tmp_path: Path) -> None:
    said: list[str] = []
    current = {"ledger": Trouble(what="ledger", since_at=NOON, why="no space left")}
    house = emergency(tmp_path, current, said)
    for seconds in (0, 30, 30.001, 31, 300):
        house.without_ledger(NOON + timedelta(seconds=seconds))
        assert len(said) == (seconds > 30)
        assert house.look(NOON + timedelta(seconds=seconds)) == [], "nothing can be journalled"
    current.clear()
    house.without_ledger(NOON + timedelta(minutes=9))
    lines = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [line["severity"] for line in lines] == ["critical", "high"]
    assert len(said) == 2 and "can record again" in said[1]


def test_other_troubles_are_problems_and_are_over(tmp_path: Path) -> None:
    current = {"launch": Trouble(what="launch", since_at=NOON, why="no processes left")}
    house = emergency(tmp_path, current, [], {":jarvis:reload", "job:jarvis:late"})
    (over,) = house.look(NOON + timedelta(seconds=30))
    assert (over.kind, over.key) == ("recovery", "jarvis:reload"), "an earlier daemon told of it"
    (note,) = house.look(NOON + timedelta(seconds=31))
    assert (note.key, note.kind) == ("jarvis:launch", "")
    assert house.look(NOON + timedelta(seconds=99)) == []
    current.clear()
    (over,) = house.look(NOON + timedelta(seconds=100))
    assert (over.key, over.kind) == ("jarvis:launch", "recovery")


def test_where_not_even_the_file_can_be_written_the_channels_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    current = {"ledger": Trouble(what="ledger", since_at=NOON, why="no space left")}
    emergency(tmp_path / "missing", current, said).without_ledger(NOON + timedelta(minutes=1))
    assert len(said) == 1


def test_only_a_job_with_a_rule_about_time_has_to_be_looked_at_again(database: Database) -> None:
    rules: list[tuple[dict[str, Any], bool]] = [
        ({}, False), ({"after": 2}, False), ({"longer_than_usual": 3}, True),
    ]  # fmt: skip
    for rule, busy in rules:
        looking = late(database, made(**rule))
        looking.look(NOON)
        assert looking.busy is busy, rule


def test_trouble_is_looked_at_until_it_is_over(tmp_path: Path) -> None:
    current: dict[str, Trouble] = {}
    looking = emergency(tmp_path, current, [])
    busy = [looking.busy]  # what an earlier daemon told of is not known yet
    looking.look(NOON)
    busy.append(looking.busy)
    current["launch"] = Trouble(what="launch", since_at=NOON, why="no space")
    busy.append(looking.busy)
    assert looking.look(NOON + timedelta(seconds=31))
    del current["launch"]
    busy.append(looking.busy)  # that it is over was not said
    looking.look(NOON + timedelta(seconds=36))
    busy.append(looking.busy)
    assert busy == [True, False, True, True, False]
