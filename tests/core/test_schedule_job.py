"""When is a whole job due: intervals, instants, several schedules, bounds and jitter?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core import schedule
from jarvis.core.job import Job, JobSpec
from jarvis.core.schedule import Moment, Schedule, ScheduleError
from jarvis.core.when import Every, Jitter

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


NOW = utc("2026-03-02T05:30:00")


def job(zone: str = "Europe/London", **fields: Any) -> Job:
    return JobSpec.model_validate(fields).resolve("backup", timezone=zone, python=False)


def plan(zone: str = "Europe/London", **fields: Any) -> Schedule:
    found = schedule.for_job(job(zone, **fields))
    assert found
    return found


def listed(whole: Schedule, after: datetime, until: datetime) -> list[Moment]:
    found = []
    while (moment := whole.next(after)) and moment.at <= until:
        found.append(moment)
        after = moment.at
    return found


def instants(whole: Schedule, after: datetime, until: datetime) -> list[str]:
    return [f"{one.at:%d %H:%M}" for one in listed(whole, after, until)]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        pytest.param("1h", "2026-03-02T06:00:00", id="on the hour"),
        pytest.param("11s", "2026-03-02T05:30:06", id="a period that divides nothing"),
        pytest.param("1d", "2026-03-03T00:00:00", id="midnight UTC"),
        pytest.param("1500ms", "2026-03-02T05:30:01.500000", id="half seconds"),
        pytest.param("2w", "2026-03-12T00:00:00", id="weeks from the epoch's Thursday"),
    ],
)
def test_an_interval_is_anchored_to_the_epoch(period: str, expected: str) -> None:
    assert plan(every=period).next(NOW) == Moment(at=utc(expected))


def test_an_interval_is_anchored_to_the_given_instant_before_and_after_it() -> None:
    whole = plan(every={"period": "90m", "anchor": "2026-03-02T10:10:00"}, timezone="Europe/Berlin")
    assert instants(whole, utc("2026-03-02T06:00"), utc("2026-03-02T11:00")) == [
        "02 06:10",
        "02 07:40",
        "02 09:10",
        "02 10:40",
    ]


def test_an_interval_does_not_drift_in_ten_years() -> None:
    whole = plan(every="13s")
    after, until = NOW, NOW + 10 * YEAR
    newest = whole.latest(after, until, 1)[0].at
    assert (newest - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(seconds=13) == timedelta(0)
    assert whole.count(after, until) == (newest - NOW) // timedelta(seconds=13) + 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"every": "999ms"}, "shorter than a second", id="too short"),
        pytest.param({"every": "0s"}, "write 1s or more", id="zero"),
        pytest.param({"every": {"period": "500ms"}}, "shorter than a second", id="too short with an anchor"),
        pytest.param({"every": "1h", "timezone": "Mars"}, "there is no time zone 'Mars'", id="unknown zone"),
        pytest.param({"start": "boot", "timezone": "Mars"}, "no time zone", id="unknown zone, nothing timed"),
        pytest.param({"cron": "61 * * * *"}, "column 1", id="cron"),
        pytest.param({"schedules": [{"every": "1h"}, {"cron": "x"}]}, "cron needs five", id="in a list"),
        pytest.param(
            {"every": "1h", "from": "2026-05-01 00:00", "until": "2026-04-01 00:00"},
            "is before from",
            id="bounds crossed",
        ),
        pytest.param(
            {"at": "2026-05-02 12:00", "until": "2026-05-01 12:00"},
            "outside from and until",
            id="at after until",
        ),
        pytest.param(
            {"at": "2026-05-02 12:00", "from": "2026-06-01 12:00"},
            "outside from and until",
            id="at before from",
        ),
        pytest.param(
            {"at": "0001-01-01T00:00:00", "timezone": "Asia/Tokyo"}, "beyond the calendar", id="year 1"
        ),
    ],
)
def test_what_cannot_run_is_refused_when_it_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule.for_job(job(**fields))
    assert said in str(caught.value)


def test_a_period_over_ten_years_is_refused() -> None:
    spec = JobSpec.model_construct(every=Every.model_construct(period=timedelta(days=4000), anchor="epoch"))
    with pytest.raises(ScheduleError, match="longer than ten years"):
        schedule.for_job(spec.resolve("backup", timezone="UTC", python=False))


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        pytest.param("2026-03-03T09:00:00+05:00", "Europe/London", "2026-03-03T04:00", id="aware"),
        pytest.param("2026-03-03T09:00:00", "America/New_York", "2026-03-03T14:00", id="local"),
        pytest.param("2026-03-08T02:30:00", "America/New_York", "2026-03-08T07:00", id="in a gap"),
        pytest.param("2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30", id="the first of two"),
        pytest.param("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T10:00", id="on a day that never was"),
        pytest.param("2026-10-04T02:10:00", "Australia/Lord_Howe", "2026-10-03T15:30", id="in a short gap"),
    ],
)  # fmt: skip
def test_a_single_instant_is_due_once(at: str, zone: str, expected: str) -> None:
    whole, due = plan(zone, at=at), utc(expected)
    assert whole.next(due - YEAR) == Moment(at=due)
    assert whole.next(due) is None
    assert (whole.count(due - SECOND, due), whole.count(due, due + YEAR)) == (1, 0)
    assert whole.latest(due - YEAR, due + YEAR, 5) == [Moment(at=due)]
    assert not whole.wildcard


@pytest.mark.parametrize("fields", [{}, {"start": "boot"}, {"schedules": [{"start": "daemon"}]}])
def test_a_job_without_a_time_has_no_schedule(fields: dict[str, Any]) -> None:
    assert schedule.for_job(job(**fields)) is None


def test_several_schedules_are_one_set_of_instants() -> None:
    whole = plan("UTC", schedules=[{"cron": "0 */6 * * *"}, {"every": "4h"}, {"at": "2026-03-02T12:00:00"}])
    after, until = utc("2026-03-02T00:00"), utc("2026-03-03T00:00")
    hours = ["02 04:00", "02 06:00", "02 08:00", "02 12:00", "02 16:00", "02 18:00", "02 20:00", "03 00:00"]
    assert instants(whole, after, until) == hours
    assert whole.count(after, until) == len(hours)
    assert whole.latest(after, until, 3) == listed(whole, after, until)[-3:]


def test_an_instant_of_two_schedules_starts_as_often_as_the_larger_says() -> None:
    whole = plan(
        "America/New_York", dst="exact", schedules=[{"cron": "0,15,30,45 2 * * *"}, {"cron": "0 3 * * *"}]
    )
    gap = utc("2026-03-08T07:00")
    assert whole.next(gap - SECOND) == Moment(at=gap, times=4)
    assert whole.latest(gap - HOUR, gap, 9) == [Moment(at=gap, times=4)]
    assert whole.count(gap - HOUR, gap + HOUR) == 4


def test_two_schedules_of_a_job_make_up_for_a_gap_once() -> None:
    whole = plan("America/New_York", schedules=[{"cron": "15 2 * * *"}, {"cron": "45 2 * * *"}])
    gap = utc("2026-03-08T07:00")
    assert listed(whole, gap - HOUR, gap + HOUR) == [Moment(at=gap)]
    assert whole.count(gap - HOUR, gap + HOUR) == 1


def test_moments_between_the_seconds_are_counted_once_too() -> None:
    odd = [{"every": "1500ms"}, {"every": "2500ms"}, {"every": "1s"}]
    whole = plan("UTC", schedules=[*odd, {"every": {"period": "3s", "anchor": "2026-03-02T00:00:00.250"}}])
    until = NOW + timedelta(seconds=60)
    assert whole.count(NOW, until) == len(listed(whole, NOW, until)) == 108


def test_a_year_of_a_ten_second_interval_beside_a_cron_is_counted_without_the_shared_ones() -> None:
    whole = plan("UTC", schedules=[{"every": "10s"}, {"cron": "*/5 * * * *"}, {"cron": "7 0 2 * * *"}])
    assert whole.count(NOW, NOW + YEAR) == 365 * (8640 + 1)


def test_the_same_schedule_twice_is_one() -> None:
    assert plan("UTC", cron="0 * * * *", schedules=[{"cron": "0 * * * *"}]) == plan("UTC", cron="0 * * * *")


def test_a_union_keeps_its_cadence_when_one_part_does() -> None:
    assert plan("UTC", schedules=[{"cron": "0 5 * * *"}, {"every": "4h"}]).wildcard
    assert not plan("UTC", schedules=[{"cron": "0 5 * * *"}, {"cron": "0 6 * * *"}]).wildcard


def test_from_and_until_belong_to_the_job() -> None:
    whole = plan(
        "Europe/Berlin", cron="0 9 * * *", **{"from": "2026-06-01T09:00:00", "until": "2026-06-03T09:00:00"}
    )
    assert instants(whole, NOW, NOW + YEAR) == ["01 07:00", "02 07:00", "03 07:00"]
    assert whole.next(utc("2026-06-03T07:00")) is None
    assert whole.count(NOW, NOW + YEAR) == 3
    assert whole.count(NOW, utc("2026-05-31T00:00")) == 0
    assert [one.at.day for one in whole.latest(NOW, NOW + YEAR, 2)] == [2, 3]
    assert whole.latest(utc("2027-01-01T00:00"), utc("2028-01-01T00:00"), 2) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"every": "12h"}, "Every 12 hours"),
        ({"every": "1h"}, "Every hour"),
        ({"every": "1h30m"}, "Every 1 hour 30 minutes"),
        ({"every": "1500ms"}, "Every 1 second 500 milliseconds"),
        ({"every": {"period": "2d", "anchor": "2026-01-01T09:00"}}, "Every 2 days, counted from 2026-01-01 09:00 UTC"),
        ({"at": "2026-07-01T09:00:30"}, "Once at 2026-07-01 09:00:30 (Europe/London)"),
        ({"cron": "30 2 * * *", "every": "1d"}, "At 02:30 every day; every day"),
        (
            {"cron": "30 2 * * *", "from": "2026-07-01 00:00"},
            "At 02:30 every day, from 2026-07-01 00:00 (Europe/London)",
        ),
    ],
)  # fmt: skip
def test_a_job_says_in_english_when_it_is_due(fields: dict[str, Any], said: str) -> None:
    assert plan(**fields).explain() == said


JITTER = Jitter(max=timedelta(minutes=10))


def test_jitter_is_the_same_for_the_same_job_and_moment() -> None:
    first = schedule.jitter_delay("backup", NOW, JITTER)
    elsewhere = NOW.astimezone(schedule.find_zone("Asia/Tokyo"))
    assert first == schedule.jitter_delay("backup", elsewhere, JITTER)
    assert first == timedelta(seconds=486, microseconds=855_927)
    assert first != schedule.jitter_delay("backup", NOW + HOUR, JITTER)
    assert first != schedule.jitter_delay("restore", NOW, JITTER)


def test_fixed_jitter_keeps_one_delay_per_job() -> None:
    fixed = Jitter(max=timedelta(minutes=10), fixed=True)
    assert len({schedule.jitter_delay("backup", NOW + index * HOUR, fixed) for index in range(50)}) == 1
    assert schedule.jitter_delay("backup", NOW, fixed) != schedule.jitter_delay("restore", NOW, fixed)


def test_jitter_fills_its_range_and_never_leaves_it() -> None:
    delays = [schedule.jitter_delay(f"job-{index}", NOW, JITTER) for index in range(2000)]
    assert timedelta(0) <= min(delays) < timedelta(seconds=5)
    assert timedelta(minutes=9, seconds=55) < max(delays) <= JITTER.max
    assert schedule.jitter_delay("backup", NOW, Jitter(max=timedelta(0))) == timedelta(0)
