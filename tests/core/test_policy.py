"""What does the policy say of alerts? Tables: one stage after the other, each at its edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core import alert as alerts
from jarvis.core import later, policy, stages
from jarvis.core.alert import Alert, Problem, Silence, Wanted
from jarvis.core.policy import Judged
from jarvis.core.stages import World
from jarvis.core.telling import Alerts

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
PHONE = {"channels": {"phone": "ntfy://x"}}
QUIET = {"quiet": {"from": "22:00", "to": "07:00"}}
NIGHT = datetime(2026, 11, 20, 23, tzinfo=UTC)
MORNING = datetime(2026, 11, 21, 7, tzinfo=UTC)


def alert(number: int = 1, **fields: Any) -> Alert:
    plain: dict[str, Any] = {
        "id": number, "at": NOW, "kind": "problem", "severity": "high", "title": "backup: failed: exit code 3",
        "key": "run:backup", "job": "backup",
    }  # fmt: skip
    return Alert(**plain | fields)


def problem(**fields: Any) -> Problem:
    plain: dict[str, Any] = {
        "id": 7, "fingerprint": "backup:run:backup", "job": "backup", "key": "run:backup", "severity": "high",
        "title": "backup: failed: exit code 3", "first_at": NOW - HOUR, "last_at": NOW - HOUR, "alert_id": 1,
    }  # fmt: skip
    return Problem(**plain | fields)


def told(ago: timedelta, **fields: Any) -> Problem:
    at = NOW - ago
    plain = {"said_at": at, "said_severity": "high", "told_at": at, "told": {"phone": at}}
    return problem(**plain | fields)


def world(now: datetime = NOW, rules: dict[str, Any] | None = None, **fields: Any) -> World:
    return World(now=now, rules=Alerts.model_validate(PHONE | (rules or {})), **fields)


def fate(judged: Judged, number: int = 1) -> tuple[str, str]:
    """Verdict and deciding stage of one alert."""
    (one,) = [each for each in judged.decisions if each.alert.id == number]
    return one.verdict, one.steps[-1].stage


def test_a_new_problem_is_said_and_every_stage_has_answered() -> None:
    judged = policy.judge([alert()], [], world())
    assert fate(judged) == ("sent", "send")
    (message,) = judged.messages
    assert (message.subject, message.channels, message.about) == (
        "backup: failed: exit code 3",
        ("phone",),
        (1,),
    )
    asked = [line.partition(":")[0] for line in judged.decisions[0].why.splitlines()]
    assert asked == ["silence", "repeat", "after", "cooldown", "channels", "quiet hours", "storm", "send"]


@pytest.mark.parametrize(
    ("known", "verdict", "stage"),
    [
        pytest.param(told(HOUR - TICK), "counted", "repeat", id="just below the window of an hour"),
        pytest.param(told(HOUR), "sent", "send", id="exactly at the end of the window"),
        pytest.param(told(HOUR + TICK), "sent", "send", id="just above it"),
        pytest.param(told(TICK - HOUR), "counted", "repeat", id="told by a clock that was set back since"),
        pytest.param(told(-HOUR), "sent", "send", id="told by a clock that was set back by the window"),
        pytest.param(told(TICK, acked_at=NOW), "counted", "repeat", id="acknowledged"),
        pytest.param(told(9 * HOUR, acked_at=NOW), "counted", "repeat", id="acknowledged long ago"),
        pytest.param(told(TICK, said_severity="medium"), "sent", "send", id="worse than when it was said"),
        pytest.param(
            told(TICK, said_severity="critical"), "counted", "repeat", id="better than when it was said"
        ),
        pytest.param(problem(said_at=NOW - TICK), "sent", "send", id="said, and accepted by no channel"),
    ],
)
def test_a_repeated_problem(known: Problem, verdict: str, stage: str) -> None:
    judged = policy.judge([alert()], [known], world())
    assert fate(judged) == (verdict, stage)
    assert judged.problems[7].count == 2


def test_the_dedup_window_of_a_job_is_its_own() -> None:
    mine = alert(wanted=Wanted(repeat=timedelta(minutes=10)))
    assert fate(policy.judge([mine], [told(timedelta(minutes=10))], world()))[0] == "sent"
    assert fate(policy.judge([mine], [told(timedelta(minutes=10) - TICK)], world()))[0] == "counted"


def test_a_message_on_its_way_and_a_held_alert_are_not_said_again() -> None:
    assert fate(policy.judge([alert()], [problem()], world(waiting={7: frozenset({"phone"})})))[1] == "repeat"
    assert fate(policy.judge([alert()], [problem()], world(held=frozenset({7}))))[1] == "repeat"


def test_an_alert_without_a_key_is_never_a_duplicate() -> None:
    same = [alert(number, key=None, kind="notice") for number in (1, 2, 3)]
    assert len(policy.judge(same, [], world()).messages) == 3


def test_a_notice_with_a_key_is_a_duplicate_within_the_window() -> None:
    notice = alert(kind="notice", key="pause")
    said = {"backup:pause": NOW - HOUR + TICK}
    assert fate(policy.judge([notice], [], world(noticed=said))) == ("dropped", "repeat")
    assert fate(policy.judge([notice], [], world(noticed={"backup:pause": NOW - HOUR})))[0] == "sent"
    ahead = {"backup:pause": NOW + HOUR}
    assert fate(policy.judge([notice], [], world(noticed=ahead)))[0] == "sent", (
        "said by a clock set back since"
    )
    twice = policy.judge([notice, replace(notice, id=2)], [], world())
    assert [one.verdict for one in twice.decisions] == ["sent", "dropped"]


def test_what_changed_keeps_its_row_and_what_says_nothing_new_is_counted() -> None:
    known = told(TICK)
    assert fate(policy.judge([alert(title="backup: failed: exit code 4")], [known], world()))[0] == "counted"
    assert fate(policy.judge([alert(title="backup: timed out")], [known], world()))[0] == "dropped"
    assert fate(policy.judge([alert(severity="low")], [known], world()))[0] == "dropped"


@pytest.mark.parametrize(("count", "verdict"), [(1, "counted"), (2, "sent"), (3, "sent")])
def test_so_many_fires_in_a_row_are_needed(count: int, verdict: str) -> None:
    third = alert(wanted=Wanted(after=3))
    assert fate(policy.judge([third], [problem(count=count)], world()))[0] == verdict


def test_one_alert_may_stand_for_many_fires() -> None:
    assert fate(policy.judge([alert(wanted=Wanted(after=5, times=4))], [], world())) == ("dropped", "after")
    assert fate(policy.judge([alert(wanted=Wanted(after=5, times=5))], [], world()))[0] == "sent"


@pytest.mark.parametrize(("ends", "verdict"), [(2, "sent"), (3, "held"), (4, "held")])
def test_a_problem_that_comes_and_goes_is_held(ends: int, verdict: str) -> None:
    flaps = {"backup:run:backup": [NOW - timedelta(minutes=50 - number) for number in range(ends)]}
    judged = policy.judge([alert()], [], world(flaps=flaps))
    assert fate(judged)[0] == verdict
    if verdict == "held":
        assert judged.decisions[0].until_at == NOW + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("match", "silent"),
    [("*", True), ("backup", True), ("back*", True), ("run:*", True), ("*EXIT code*", True), ("sync", False)],
)
def test_a_silence_matches_job_key_or_title(match: str, silent: bool) -> None:
    window = Silence(id=1, match=match, from_at=NOW, until_at=NOW + HOUR, reason="disk swap")
    judged = policy.judge([alert()], [], world(silences=[window]))
    assert fate(judged) == (("silenced", "silence") if silent else ("sent", "send"))
    over = policy.judge([alert()], [], world(now=NOW + HOUR, silences=[window]))
    assert fate(over)[0] == "sent", "its end does not belong to it"


def crowd(count: int, **fields: Any) -> list[Alert]:
    return [
        alert(number, key=f"run:job{number}", job=f"job{number}", title=f"job{number}: failed", **fields)
        for number in range(1, count + 1)
    ]


def test_ten_jobs_with_one_cause_are_one_message_that_names_them() -> None:
    same = crowd(10, wanted=Wanted(root=alerts.root("connect to 10.0.0.1: network is unreachable")))
    judged = policy.judge(same, [], world())
    (message,) = judged.messages
    assert message.subject.startswith("10 jobs: ")
    assert all(f"job{number}" in message.body for number in range(1, 11))
    assert message.about == tuple(range(1, 11))
    assert len(policy.judge(same, [], world(rules={"group": False})).messages) == 10


def test_a_cause_is_a_reason_without_paths_and_numbers() -> None:
    assert alerts.root("cannot write /home/a/x.log: No space left (errno 28)") == alerts.root(
        "cannot write /srv/b: no space left (errno 28)"
    )
    assert alerts.root("p99 is 187.9 ms") == alerts.root("p99 is 194 ms")
    assert alerts.root("exit code 3") != alerts.root("killed by signal 9")


@pytest.mark.parametrize(
    ("severity", "now", "verdict"),
    [
        pytest.param("high", NIGHT, "held", id="the rest is held"),
        pytest.param("critical", NIGHT, "sent", id="critical is always sent"),
        pytest.param("high", MORNING, "sent", id="the end does not belong to them"),
        pytest.param("high", MORNING - TICK, "held", id="just before the end"),
    ],
)
def test_quiet_hours(severity: str, now: datetime, verdict: str) -> None:
    judged = policy.judge([alert(severity=severity)], [], world(now, QUIET))
    assert fate(judged)[0] == verdict
    if verdict == "held":
        assert judged.decisions[0].until_at == MORNING and not judged.messages


def test_a_channel_that_keeps_no_quiet_hours_gets_it_at_once_and_the_others_in_the_digest() -> None:
    channels = {"phone": "ntfy://x", "wall": {"url": "ntfy://y", "quiet": False}}
    judged = policy.judge([alert()], [], world(NIGHT, QUIET | {"channels": channels}))
    (message,) = judged.messages
    assert message.channels == ("wall",)
    (decision,) = judged.decisions
    assert (decision.verdict, decision.alert.wanted.got) == ("held", ("wall",))
    digest = later.digest([decision.alert], [], world(MORNING, QUIET | {"channels": channels}))
    assert [one.channels for one in digest.messages] == [("phone",)]


@pytest.mark.parametrize(("count", "held"), [(19, 0), (20, 0), (21, 1), (10_000, 9_980)])
def test_at_most_twenty_messages_a_cycle_and_the_rest_is_held(count: int, held: int) -> None:
    judged = policy.judge(crowd(count), [], world())
    assert len(judged.messages) == count - held
    assert [one.verdict for one in judged.decisions].count("held") == held
    assert len(judged.decisions) == count, "nothing is lost"


def test_the_most_severe_are_said_first() -> None:
    mixed = [*crowd(25, severity="low"), alert(99, key="disk", severity="critical", title="disk full")]
    judged = policy.judge(mixed, [], world())
    assert judged.messages[0].severity == "critical"
    assert fate(judged, 99)[0] == "sent"


def test_messages_said_before_in_the_cycle_count() -> None:
    said = [NOW - timedelta(minutes=4)] * 19
    judged = policy.judge(crowd(3), [], world(said=said))
    assert [one.verdict for one in judged.decisions] == ["sent", "held", "held"]
    assert judged.decisions[1].until_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("severity", "channels"), [("low", ("desk",)), ("medium", ("desk", "phone")), ("high", ("desk", "phone"))]
)
def test_a_channel_takes_what_is_severe_enough(severity: str, channels: tuple[str, ...]) -> None:
    rules = {"channels": {"desk": "ntfy://x", "phone": {"url": "ntfy://y", "severity": "warning"}}}
    (message,) = policy.judge([alert(severity=severity)], [], world(rules=rules)).messages
    assert message.channels == channels


def test_without_a_channel_an_alert_is_only_journalled() -> None:
    judged = policy.judge([alert()], [], World(now=NOW))
    assert fate(judged) == ("dropped", "channels")
    nobody = world(rules={"channels": {"phone": {"url": "ntfy://x", "severity": "critical"}}})
    assert fate(policy.judge([alert()], [], nobody)) == ("dropped", "channels")


def test_alerts_go_where_their_job_says_and_where_all_go_if_that_is_unknown() -> None:
    rules = {"channels": {"desk": "ntfy://x", "phone": "ntfy://y"}, "to": "desk"}
    mine = alert(wanted=Wanted(to=("phone",)))
    assert policy.judge([mine], [], world(rules=rules)).messages[0].channels == ("phone",)
    gone = alert(wanted=Wanted(to=("pager",)))
    judged = policy.judge([gone], [], world(rules=rules))
    assert judged.messages[0].channels == ("desk",)
    assert "there is no channel pager" in judged.decisions[0].why


def over(number: int = 2, **fields: Any) -> Alert:
    plain = {"kind": "recovery", "severity": "info", "key": None, "title": "run 8 succeeded", "run_id": 8}
    return alert(number, **plain | fields)


def test_a_problem_that_ends_sends_one_notice_with_its_duration_to_those_who_were_told() -> None:
    judged = policy.judge([over()], [told(HOUR, count=3)], world())
    (message,) = judged.messages
    assert (message.kind, message.channels, message.severity) == ("recovery", ("phone",), "high")
    assert "It lasted 1h, 3 times." in message.body
    assert judged.problems[7].ended_at == NOW
    assert judged.problems[7].ended_why == "run 8 succeeded"


def test_a_problem_nobody_was_told_of_ends_in_silence_with_the_reason() -> None:
    judged = policy.judge([over()], [problem()], world())
    assert not judged.messages and judged.problems[7].ended_at == NOW
    assert judged.decisions[0].why.endswith("nobody was told of it")


def test_who_is_about_to_be_told_hears_that_it_is_over_too() -> None:
    judged = policy.judge([over()], [problem(said_at=NOW)], world(waiting={7: frozenset({"phone"})}))
    assert [one.kind for one in judged.messages] == ["recovery"]
    both = policy.judge([alert(), over()], [], world())
    assert [one.kind for one in both.messages] == ["alert", "recovery"]


def test_a_run_ends_only_what_it_does_not_raise_again_and_what_is_its_own() -> None:
    disk = told(HOUR, id=8, key="disk", fingerprint="backup:disk")
    late = told(HOUR, id=9, key=alerts.SILENT, fingerprint=f"backup:{alerts.SILENT}")
    other = told(HOUR, id=10, job="sync", key="run:sync", fingerprint="sync:run:sync")
    judged = policy.judge([over(wanted=Wanted(still=("disk",)))], [told(HOUR), disk, late, other], world())
    assert set(judged.problems) == {7}


def test_a_recovery_with_a_key_ends_that_problem() -> None:
    late = told(HOUR, id=9, key=alerts.SILENT, fingerprint=f"backup:{alerts.SILENT}")
    judged = policy.judge([over(key=alerts.SILENT)], [told(HOUR), late], world())
    assert set(judged.problems) == {9}


def test_a_recovery_that_ends_two_problems_is_two_notices() -> None:
    disk = told(HOUR, id=8, key="disk", fingerprint="backup:disk")
    judged = policy.judge([over()], [told(HOUR), disk], world())
    assert [one.problem for one in judged.messages] == [7, 8]
    assert [one.alert.id for one in judged.decisions] == [2, 0], "the second has a row of its own"


@pytest.mark.parametrize("rules", [{"recovery": False}, {}])
def test_a_recovery_that_is_not_wanted_is_not_said(rules: dict[str, Any]) -> None:
    wanted = Wanted(recovery=bool(rules) or False)
    judged = policy.judge([over()], [told(HOUR, wanted=wanted)], world(rules=rules))
    assert not judged.messages and judged.problems[7].ended_at == NOW


def test_a_success_resets_the_count() -> None:
    rule = Wanted(after=2)
    rows = [alert(1, wanted=rule), over(2), alert(3, wanted=rule), alert(4, wanted=rule)]
    judged = policy.judge(rows, [], world())
    assert [fate(judged, number)[0] for number in (1, 3, 4)] == ["dropped", "dropped", "sent"]


@pytest.mark.parametrize(("ago", "said"), [(30, 1), (29, 0)])
def test_a_problem_nobody_acknowledged_is_escalated_once(ago: int, said: int) -> None:
    rules = {"channels": {"phone": "ntfy://x", "boss": "ntfy://y"}, "escalate": {"to": "boss"}}
    known = told(timedelta(minutes=ago))
    messages, problems = later.escalate([known], world(rules=rules))
    assert len(messages) == len(problems) == said
    if said:
        assert (messages[0].kind, messages[0].channels) == ("escalation", ("boss",))
        assert later.escalate(problems, world(rules=rules)) == ([], [])
    for kept in (
        replace(known, acked_at=NOW),
        replace(known, severity="medium"),
        replace(known, said_at=None),
    ):
        assert later.escalate([kept], world(rules=rules)) == ([], [])


def test_the_digest_names_every_held_alert_and_counts_the_rest() -> None:
    few = later.digest(crowd(3, severity="medium"), [], world())
    assert few.messages[0].subject == "3 alerts were held (3 medium)"
    assert all(f"job{number}" in few.messages[0].body for number in (1, 2, 3))
    many = later.digest(crowd(10_000), [], world()).messages[0]
    assert many.subject == "10,000 alerts were held (10000 high)"
    assert "and 9960 more: " in many.body
    assert len(many.body) < 20_000


def test_the_digest_says_what_is_over_by_now() -> None:
    rows = [alert(1, problem_id=7), alert(2, problem_id=8, title="sync: failed")]
    body = later.digest(rows, [problem()], world()).messages[0].body
    assert "exit code 3 - still so" in body and "sync: failed - over by now" in body


def test_a_digest_that_falls_into_quiet_hours_waits_for_their_end() -> None:
    judged = later.digest([alert()], [], world(NIGHT, QUIET))
    assert not judged.messages
    assert (judged.decisions[0].verdict, judged.decisions[0].until_at) == ("held", MORNING)


def test_what_is_wanted_survives_the_ledger() -> None:
    full = Wanted(
        to=("a",), after=2, times=3, repeat=HOUR, recovery=False, root="x", still=("k",), got=("b",)
    )
    assert alerts.wanted(full.dump()) == full
    assert Wanted().dump() is None and alerts.wanted(None) == Wanted()


def test_a_key_that_is_too_long_still_tells_problems_apart() -> None:
    first, second = "x" * 300 + "a", "x" * 300 + "b"
    assert alerts.short_key("k" * 200) == "k" * 200
    assert len(alerts.short_key(first)) == 200
    assert alerts.short_key(first) != alerts.short_key(second)


def test_an_unknown_severity_is_taken_for_high() -> None:
    assert [alerts.rank(word) for word in ("info", "warning", "medium", "catastrophic")] == [0, 2, 2, 3]
    assert stages.FLAPS == 3
