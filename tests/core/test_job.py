"""Does a job come out of its text as it should: shorthands, defaults by kind, storing, moments, sizes?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from jarvis.core import config, job, localtime, parts
from jarvis.core.job import Job, JobSpec
from jarvis.core.parts import Retry
from jarvis.core.when import CatchUp, Jitter, When


def resolved(*, python: bool = False, **body: object) -> Job:
    return JobSpec.model_validate(body).resolve("a", timezone="Europe/London", python=python)


def local(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - local on purpose


class TestResolving:
    def test_a_command_is_short_for_the_handler_of_that_name(self) -> None:
        made = resolved(command="ls")
        assert (made.run, made.with_) == ("command", {"command": "ls"})

    def test_a_python_handler_has_a_timeout_and_retries_a_command_has_none(self) -> None:
        python, program = resolved(run="x", python=True), resolved(command="ls")
        assert (python.timeout, python.retry) == (timedelta(minutes=5), Retry())
        assert (program.timeout, program.retry) == (None, None)

    @pytest.mark.parametrize("python", [True, False])
    def test_what_is_written_counts_for_both(self, python: bool) -> None:
        made = resolved(run="x", python=python, timeout="2h", retry={"times": 7})
        assert (made.timeout, made.retry) == (timedelta(hours=2), Retry(times=7))
        none = resolved(run="x", python=python, timeout="none", retry="none")
        assert (none.timeout, none.retry) == (None, None)

    def test_shorthands_are_spelled_out(self) -> None:
        made = resolved(command="ls", catch_up="all", jitter="5m")
        assert (made.catch_up, made.jitter) == (CatchUp(run="all"), Jitter(max=timedelta(minutes=5)))

    def test_schedules_come_after_the_shorthand_ones(self) -> None:
        made = resolved(command="ls", every="5m", start="boot", schedules=[{"cron": "0 0 * * *"}])
        assert made.when == (When(every=timedelta(minutes=5)), When(start="boot"), When(cron="0 0 * * *"))

    def test_the_jobs_zone_beats_the_local_one(self) -> None:
        assert resolved(command="ls", timezone="Asia/Tokyo").timezone == "Asia/Tokyo"
        assert resolved(command="ls").timezone == "Europe/London"


class TestStoring:
    BODY: ClassVar[dict[str, object]] = {
        "run": "x", "with": {"token": {"$secret": "env:T"}, "n": [1, None, {"a": 1.5}]},
        "env": {"A": {"$secret": "file:/x"}}, "from": "2026-01-01 00:00",
        "every": {"period": "90m", "anchor": "2026-01-01 00:00"}, "at": "2026-12-24 18:00 +01:00",
        "schedules": [{"at": "2026-12-24 18:00"}], "timeout": "none", "retry": {"wait": "500ms", "backoff": 1.5},
        "in": "thread", "stop": {"after": "1m"}, "process": {"limits": {"nofile": "unlimited"}}, "timezone": "UTC",
    }  # fmt: skip

    def test_a_stored_job_is_read_back_as_it_was(self) -> None:
        made = resolved(python=True, **self.BODY)
        assert job.load("a", made.dump(), python=True) == made

    def test_the_same_job_has_the_same_fingerprint_however_it_is_written(self) -> None:
        first = resolved(command="ls", timeout="90m", tags=["x"])
        second = resolved(tags=["x"], timeout="1h30m", command="ls")
        assert first.fingerprint() == second.fingerprint() == job.fingerprint(first.text())
        assert first.fingerprint() != resolved(command="ls", timeout="91m", tags=["x"]).fingerprint()
        assert "\n" not in first.text()

    def test_the_zone_is_part_of_the_fingerprint(self) -> None:
        spec = JobSpec(command="ls")
        prints = {
            spec.resolve("a", timezone=zone, python=False).fingerprint() for zone in ("UTC", "Asia/Tokyo")
        }
        assert len(prints) == 2


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2026-12-24 18:00", local(2026, 12, 24, 18)),
            ("2026-12-24T18:00:30", local(2026, 12, 24, 18, 0, 30)),
            ("2026-12-24 18:00:30.25", local(2026, 12, 24, 18, 0, 30, 250_000)),
            ("2026-12-24 18:00Z", datetime(2026, 12, 24, 18, tzinfo=UTC)),
            ("2026-12-24 18:00 +01:00", datetime(2026, 12, 24, 18, tzinfo=timezone(timedelta(hours=1)))),
        ],
    )  # fmt: skip
    def test_a_moment_is_read(self, text: str, at: datetime) -> None:
        assert localtime.parse(text) == at
        assert localtime.parse(text).tzinfo == at.tzinfo

    @pytest.mark.parametrize(
        "text",
        ["", "2026-12-24", "18:00", "2026-13-01 00:00", "2026-02-29 10:00", "1766599200", "24.12.2026 18:00"],
    )
    def test_anything_else_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(ValueError, match="write for example|is not a moment"):
            localtime.parse(text)

    @given(
        st.datetimes(min_value=local(1970, 1, 1)),
        st.sampled_from([None, UTC, timezone(timedelta(hours=-5))]),
    )
    def test_what_is_spelled_is_read_back(self, at: datetime, zone: timezone | None) -> None:
        whole = at.replace(tzinfo=zone)
        assert localtime.parse(localtime.spell(whole)) == whole

    @pytest.mark.parametrize("value", [5, 1.5, True, None, [], "1766599200"])
    def test_a_number_is_no_moment(self, value: object) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(localtime.Moment).validate_python(value)


@pytest.mark.parametrize(
    ("cap", "size"),
    [("10MB", 10**7), ("1.5MB", 1_500_000), ("500kB", 500_000), ("1KB", 1000), ("7B", 7), ("2GB", 2 * 10**9)],
)
def test_a_cap_is_a_number_of_bytes(cap: str, size: int) -> None:
    assert parts.Output(cap=cap).cap_bytes == size


@pytest.mark.parametrize(
    "given", [{}, {"cron": "* * * * *", "every": "5m"}, {"start": "boot", "at": "2026-12-24 18:00"}]
)
def test_a_schedule_has_exactly_one_kind(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one of cron, every, at, start, watch and on"):
        When.model_validate(given)


@pytest.mark.parametrize(
    "body",
    [
        {"priority": True},
        {"priority": "5"},
        {"enabled": 1},
        {"tags": "x"},
        {"retry": {"backoff": "2"}},
        {"retry": {"backoff": float("inf")}},
        {"env": {"A": 5}},
        {"command": []},
        {"command": "x" * 200_000},
        {"process": {"limits": {"nofile": -1}}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_nothing_is_guessed(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate({"command": "ls", **body})


class TestMerging:
    def test_the_jobs_own_fields_replace_the_defaults(self) -> None:
        assert config.merge({"a": 1, "tags": ["x"]}, {"tags": ["y"]}) == {"a": 1, "tags": ["y"]}

    @pytest.mark.parametrize("name", config.MERGED)
    def test_some_mappings_are_merged_one_level_deep(self, name: str) -> None:
        merged = config.merge({name: {"a": {"x": 1}, "b": 1}}, {name: {"a": {"y": 2}}})
        assert merged == {name: {"a": {"y": 2}, "b": 1}}

    def test_a_text_replaces_a_mapping(self) -> None:
        assert config.merge({"retry": {"times": 1}}, {"retry": "none"}) == {"retry": "none"}

    def test_null_takes_a_default_away(self) -> None:
        assert config.merge({"cwd": "/tmp", "env": {"A": "b"}}, {"cwd": None}) == {"env": {"A": "b"}}

    def test_neither_side_is_changed(self) -> None:
        defaults: dict[str, object] = {"env": {"A": "1"}}
        config.merge(defaults, {"env": {"B": "2"}})
        assert defaults == {"env": {"A": "1"}}
