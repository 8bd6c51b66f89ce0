"""Are samples, pauses and small delays kept as they were, and forgotten only when they may be?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis import testing
from jarvis.core.stress import Factors
from jarvis.core.vitals import Vitals
from jarvis.errors import NotFound, Refused
from jarvis.handling.stores import LazyStores
from jarvis.sensing.recorder import Entry, Recorder
from jarvis.store.database import Database
from jarvis.store.samples import Batch, Sample, Samples, Workers, buckets
from jarvis.store.stalls import Stall
from tests.rooms.test_forensics import until

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "ledger.sqlite", busy=timedelta(milliseconds=50))
    made.open()
    yield made
    made.close()


@pytest.fixture
def samples(database: Database) -> Samples:
    return Samples(database)


def sample(at: datetime, load: float | None = 1.0, **more: Any) -> Sample:
    return Sample(
        at=at, interval=timedelta(seconds=5), gap=timedelta(seconds=5.01), vitals=Vitals(load=load, **more),
        factors=Factors(load=3, io=20), state="normal",
    )  # fmt: skip


def stall(at: datetime, kind: str = "pause", **more: Any) -> Stall:
    return Stall(kind=kind, from_at=at - timedelta(seconds=15), until_at=at, why="because", **more)


def add(samples: Samples, *stalls: Stall) -> list[int]:
    return samples.keep(Batch(stalls=stalls), NOW)


def test_a_sample_is_read_back_as_it_was_and_unknown_stays_null(samples: Samples) -> None:
    samples.keep(Batch(sample=sample(NOW, cpu=12.5, throttled=True, gpu=None)), NOW)
    found = samples.newest()
    assert found is not None
    assert (found["at"], found["interval"], found["gap"], found["load"]) == (NOW, 5.0, 5.01, 1.0)
    assert (found["cpu"], found["throttled"], found["gpu"], found["temperature"]) == (12.5, True, None, None)
    assert (found["stress"], found["stress_load"], found["stress_io"], found["stress_memory"]) == (
        23,
        3,
        20,
        None,
    )
    assert samples.count() == 1


def test_a_batch_is_all_or_nothing(samples: Samples) -> None:
    with pytest.raises(Exception, match="NOT NULL|cannot be used"):
        samples.keep(Batch(sample=sample(NOW), stalls=[stall(NOW, review=None)]), NOW)
    assert samples.count() == 0


def test_small_delays_are_counted_by_hour_and_size(samples: Samples) -> None:
    for late in (0.15, 0.11, 0.7):
        bound = 0.5 if late > 0.5 else 0.1
        samples.keep(Batch(late=(bound, timedelta(seconds=late))), NOW)
    samples.keep(Batch(late=(0.1, timedelta(seconds=0.1))), NOW + timedelta(hours=1))
    found = [
        (one["hour_at"].hour, one["bound"], one["count"], one["longest"])
        for one in samples.hiccups(NOW - DAY)
    ]
    assert found == [(12, 0.1, 2, 0.15), (12, 0.5, 1, 0.7), (13, 0.1, 1, 0.1)]


def test_who_worked_is_kept_two_days_when_it_was_merely_due(samples: Samples) -> None:
    for age, why in ((3, "due"), (3, "pause"), (1, "due"), (0, "due")):
        at = NOW - age * DAY
        samples.keep(Batch(workers=[Workers(at=at, why=why, processes=[{"pid": 1}])]), at)
    kept = [(one.at, one.why) for one in samples.workers(NOW - 9 * DAY, NOW)]
    assert kept == [(NOW - 3 * DAY, "pause"), (NOW - DAY, "due"), (NOW, "due")]


def test_what_sampling_knows_of_itself_is_replaced(samples: Samples) -> None:
    samples.keep(Batch(notes={"missing": ["gpu"]}), NOW)
    samples.keep(Batch(notes={"missing": []}), NOW + DAY)
    assert samples.noted() == {"missing": ([], NOW + DAY)}


def test_samples_are_put_into_stretches(samples: Samples) -> None:
    found = [{"at": NOW + timedelta(seconds=seconds)} for seconds in (0, 9, 10, 35)]
    cut = [(at, len(some)) for at, some in buckets(found, NOW, timedelta(seconds=10))]
    assert cut == [(NOW, 2), (NOW + timedelta(seconds=10), 1), (NOW + timedelta(seconds=30), 1)]


# Pauses.


def test_a_pause_keeps_its_gap_and_its_surplus(samples: Samples) -> None:
    gap, five = timedelta(seconds=17.25), timedelta(seconds=5)
    (number,) = add(samples, stall(NOW, gap=gap, expected=five, surplus=gap - five, evidence={"gap": 17.25}))
    found = samples.stalls.get(number)
    assert (found.gap, found.expected, found.surplus, found.ratio) == (gap, five, gap - five, 3.45)
    with pytest.raises(NotFound, match="no pause 9 \\(the newest is 1\\)"):
        samples.stalls.get(9)


def test_a_person_marks_a_pause_and_the_note_stays(samples: Samples) -> None:
    (number,) = add(samples, stall(NOW))
    assert samples.stalls.mark(number, "pinned", "the backup", NOW).note == "the backup"
    found = samples.stalls.mark(number, "reviewed", None, NOW + DAY)
    assert (found.review, found.note, found.reviewed_at) == ("reviewed", "the backup", NOW + DAY)
    assert samples.stalls.get(number) == found
    cleared = samples.stalls.mark(number, "unreviewed", "", NOW)
    assert (cleared.note, cleared.reviewed_at) == (None, None)


def test_a_sleep_is_only_noted_and_needs_no_review(samples: Samples) -> None:
    (number,) = add(samples, stall(NOW, kind="sleep", review="none"))
    with pytest.raises(Refused, match="1 is a sleep: it is only noted"):
        samples.stalls.mark(number, "reviewed", None, NOW)
    assert (samples.stalls.count(), samples.stalls.newest()) == (0, [])
    assert len(samples.stalls.newest(kinds=("sleep",))) == 1


# Forgetting.


def prune(database: Database, folder: Path, **values: Any) -> Any:
    stores = LazyStores(database.url)
    try:
        return testing.run_handler("prune", testing.context(now=NOW, stores=stores, state=folder), **values)
    finally:
        stores.close()


def test_samples_are_forgotten_after_thirty_days(
    database: Database, samples: Samples, tmp_path: Path
) -> None:
    second = timedelta(seconds=1)
    for at in (NOW - 30 * DAY - second, NOW - 30 * DAY, NOW):
        samples.keep(
            Batch(sample=sample(at), late=(0.1, second), workers=[Workers(at=at, why="pause", processes=[])]),
            at,
        )
        add(samples, stall(at, kind="sleep", review="none"))
    outcome = prune(database, tmp_path)
    assert outcome.numbers["samples"] == 1
    assert samples.count() == 2
    assert len(samples.workers(NOW - 99 * DAY, NOW)) == 2
    assert len(samples.stalls.newest(kinds=("sleep",))) == 2
    assert [one["hour_at"] for one in samples.hiccups(NOW - 99 * DAY)][-1] == NOW.replace(minute=0)


def test_only_reviewed_and_dismissed_pauses_of_ninety_days_are_forgotten_with_their_directories(
    database: Database, samples: Samples, tmp_path: Path
) -> None:
    old, young = NOW - 90 * DAY - timedelta(seconds=1), NOW - 90 * DAY
    kinds = [
        (old, "reviewed"), (old, "dismissed"), (old, "pinned"), (old, "unreviewed"), (young, "reviewed"),
    ]  # fmt: skip
    for place, (at, review) in enumerate(kinds):
        (tmp_path / "pauses" / str(place)).mkdir(parents=True)
        (tmp_path / "pauses" / str(place) / "metadata.json").write_text("{}")
        add(samples, stall(at, review=review, directory=str(place)))
    outcome = prune(database, tmp_path)
    assert (outcome.status, outcome.numbers["pauses"]) == ("ok", 2)
    assert [one.review for one in samples.stalls.newest()] == ["reviewed", "unreviewed", "pinned"]
    assert sorted(path.name for path in (tmp_path / "pauses").iterdir()) == ["2", "3", "4"]


# Writing.


def test_the_recorder_waits_for_a_ledger_that_is_held_and_loses_nothing(
    database: Database, samples: Samples
) -> None:
    recorder = Recorder(samples)
    other = Database(database.path)
    numbers: list[int] = []
    with other.write():
        recorder.start()
        for second in range(5):
            recorder.put(Entry(batch=Batch(sample=sample(NOW + timedelta(seconds=second))), at=NOW))
        recorder.put(Entry(batch=Batch(stalls=[stall(NOW)]), at=NOW, after=numbers.extend))
        assert recorder.written == 0
    assert until(lambda: recorder.written == 6)
    assert until(lambda: numbers) == [1]
    assert (samples.count(), recorder.dropped) == (5, 0)
    recorder.stop(5)
    other.close()


def test_a_recorder_that_has_no_room_drops_the_oldest_samples_and_no_pause(samples: Samples) -> None:
    recorder = Recorder(samples, most=3)
    recorder.put(Entry(batch=Batch(stalls=[stall(NOW)]), at=NOW))
    for second in range(5):
        recorder.put(Entry(batch=Batch(sample=sample(NOW + timedelta(seconds=second))), at=NOW))
    assert recorder.dropped == 3
    recorder.start()
    assert until(lambda: recorder.written == 3)
    recorder.stop(5)
    kept = samples.between(NOW, NOW + DAY)
    assert [one["at"] for one in kept] == [NOW + timedelta(seconds=3), NOW + timedelta(seconds=4)]
    assert samples.stalls.count() == 1


def test_a_sample_that_cannot_be_stored_does_not_hold_up_the_next(samples: Samples) -> None:
    recorder = Recorder(samples)
    recorder.start()
    recorder.put(Entry(batch=Batch(sample=replace(sample(NOW), state=None)), at=NOW))  # type: ignore[arg-type]
    recorder.put(Entry(batch=Batch(notes={"odd": object()}), at=NOW))
    recorder.put(Entry(batch=Batch(sample=sample(NOW)), at=NOW))
    assert until(lambda: recorder.written == 1)
    recorder.stop(5)
    assert samples.count() == 1
