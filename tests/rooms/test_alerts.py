"""What becomes of alerts, with a real ledger? Round by round, over restarts, in a storm."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from jarvis.core import alert as known
from jarvis.core import policy
from jarvis.core.alert import Wanted
from jarvis.errors import StoreError
from jarvis.store import alerts, bulletin, deliveries, docket, journal
from jarvis.store.ledger import Ledger
from tests.rooms.alert_house import NOON, Told, told
from tests.rooms.launch_house import until

HELD_BACK = {"quiet": {"from": "22:00", "to": "07:00"}}


def test_a_problem_is_said_once_repeated_after_its_time_and_its_end_is_told(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.raises()
        assert house.subjects() == ["backup: failed"]
        house.accepts()
        house.later(minutes=59)
        house.raises()
        assert len(house.outbox()) == 1
        house.later(minutes=1)
        house.raises()
        assert house.subjects()[1:] == ["still: backup: failed"]
        house.accepts()
        house.later(minutes=5)
        house.recovers()
        (last,) = house.outbox("queued")
        assert (last.kind, last.channel, last.subject) == ("recovery", "phone", "over: backup: failed")
        assert "It lasted 1h5m, 3 times." in last.body
        assert house.problems() == []
        house.recovers()
        assert len(house.outbox()) == 3, "there is only one end"


def test_restarts_keep_what_was_told(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.raises()
        house.accepts()
        house.restart()
        house.later(minutes=10)
        house.raises()
        assert len(house.outbox()) == 1
        house.recovers()
        assert house.subjects()[1:] == ["over: backup: failed"]


def test_the_threshold_counts_over_restarts_and_a_success_resets_it(tmp_path: Path) -> None:
    twice = Wanted(after=2)
    with told(tmp_path) as house:
        house.raises(wanted=twice)
        house.recovers()
        house.raises(wanted=twice)
        house.restart()
        assert house.outbox() == []
        house.raises(wanted=twice)
        assert house.subjects() == ["backup: failed"]


def test_dedup_is_noted_only_for_an_accepted_delivery(tmp_path: Path) -> None:
    """A problem that no channel ever accepted is said again, though it was said a moment before."""
    with told(tmp_path) as house:
        house.raises()
        house.raises()
        assert len(house.outbox()) == 1, "it is on its way"
        with house.database.write() as connection:
            deliveries.died(connection, [1], "nobody there")
        house.raises()
        assert len(house.outbox("queued")) == 1
        house.accepts()
        house.raises()
        assert len(house.outbox()) == 2


def test_a_notice_that_no_channel_accepted_is_said_again(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        notice = {"kind": "notice", "key": "pause"}
        house.raises(**notice)
        house.raises(**notice)
        assert len(house.outbox()) == 1, "it is on its way"
        with house.database.write() as connection:
            deliveries.died(connection, [1], "nobody there")
        house.raises(**notice)
        assert len(house.outbox("queued")) == 1


def test_the_hour_of_a_notice_begins_with_its_acceptance(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        notice = {"kind": "notice", "key": "pause"}
        house.raises(**notice)
        house.later(minutes=50)
        house.accepts()
        house.restart()
        house.later(minutes=59, seconds=59)
        house.raises(**notice)
        assert len(house.outbox()) == 1
        house.later(seconds=1)
        house.raises(**notice)
        assert len(house.outbox()) == 2


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(299.999999, "held"), (300, "sent"), (300.000001, "sent")],
    ids=["just before", "at", "just after"],
)
def test_the_cycle_of_twenty_messages_is_five_minutes(tmp_path: Path, seconds: float, verdict: str) -> None:
    with told(tmp_path) as house:
        house.writes(*(house.note(f"job{number}") for number in range(20)))
        house.judges()
        assert house.verdicts() == ["sent"] * 20
        house.later(seconds=seconds)
        house.raises("late")
        assert house.verdicts()[-1] == verdict
        assert [one.kind for one in house.outbox()[20:]] == (["alert"] if verdict == "sent" else [])


def test_a_problem_that_lasts_does_not_fill_the_journal(tmp_path: Path) -> None:
    """A day of a problem raised every five minutes: its first row, those that were said, changes, and the newest."""
    with told(tmp_path) as house:
        for number in range(24 * 12):
            house.raises(title=f"clock: {number}.5 s off")
            if number % 12 == 0:
                house.accepts()
            house.later(minutes=5)
        (problem,) = house.problems()
        assert problem.count == 24 * 12
        assert house.verdicts().count("counted") == 1
        assert len(house.journal()) == 24 + 1
        house.raises(title="clock: 1.5 s off")
        house.accepts()
        house.raises(severity="medium", title="clock: 1.5 s off")
        assert house.verdicts()[-1] == "dropped", "another severity keeps its row"


def test_what_is_held_survives_restarts_and_is_told_in_one_digest(tmp_path: Path) -> None:
    with told(tmp_path, **HELD_BACK) as house:
        house.later(hours=11)
        for job in ("a", "b", "c"):
            house.raises(job)
        house.raises("a")
        house.raises("d", severity="critical", title="d: on fire")
        assert house.subjects() == ["d: on fire"]
        house.recovers("b")
        house.restart()
        house.later(hours=7, minutes=59)
        house.judges()
        assert len(house.outbox()) == 1
        house.later(minutes=1)
        house.judges()
        digest = house.outbox()[-1]
        assert (digest.kind, digest.subject) == ("digest", "3 alerts were held (3 high)")
        assert [line.split(": ")[1] for line in digest.body.splitlines()] == ["a", "b", "c"]
        assert "b: failed - over by now" in digest.body
        house.judges()
        assert len(house.outbox()) == 2, "there is only one digest"


def test_who_read_of_it_in_the_digest_hears_that_it_is_over(tmp_path: Path) -> None:
    with told(tmp_path, **HELD_BACK) as house:
        house.later(hours=11)
        house.raises()
        house.later(hours=8)
        house.judges()
        house.accepts()
        house.recovers()
        assert [one.kind for one in house.outbox()] == ["digest", "recovery"]


def test_jobs_in_one_message_are_each_told_and_each_over(tmp_path: Path) -> None:
    same = Wanted(root="network is unreachable")
    with told(tmp_path) as house:
        house.writes(*(house.note(job, wanted=same) for job in ("a", "b", "c")))
        house.judges()
        (message,) = house.accepts()
        assert message.subject.startswith("3 jobs: ")
        assert [set(one.told) for one in house.problems()] == [{"phone"}] * 3
        house.recovers("b")
        assert house.subjects()[1:] == ["over: b: failed"]


def test_ten_thousand_alerts_in_a_minute_are_all_journalled_and_few_are_said(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        with house.database.write() as connection:
            journal.add(
                connection,
                [house.note(f"job{n}", severity="critical" if n == 9_999 else "low") for n in range(10_000)],
            )
        house.judges()
        assert len(house.outbox()) == 20
        assert house.verdicts().count("held") == 9_980
        house.later(minutes=5)
        house.judges()
        digest = house.outbox()[-1]
        assert digest.kind == "digest" and len(house.outbox()) == 21
        assert "9,980 alerts were held (1 critical, 9979 low)" in digest.subject
        assert len(digest.body) < 20_000
        assert len(house.journal()) == 10_000
        assert {one.verdict for one in house.journal()} == {"sent"}


def test_a_storm_of_one_problem_is_one_message_and_counted(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.writes(*(house.note() for _ in range(2_000)))
        house.judges()
        assert len(house.outbox()) == 1
        assert house.problems()[0].count == 2_000


def test_acknowledged_is_not_repeated_and_its_end_is_told(tmp_path: Path) -> None:
    with told(tmp_path, escalate={"to": "phone"}) as house:
        house.raises()
        house.accepts()
        with house.database.write() as connection:
            bulletin.acknowledge(connection, house.problems()[0].id, "on it", house.now)
        house.later(hours=3)
        house.raises()
        assert [one.kind for one in house.outbox()] == ["alert"]
        house.recovers()
        assert [one.kind for one in house.outbox()] == ["alert", "recovery"]


def test_escalation_is_said_once_to_the_second_channel(tmp_path: Path) -> None:
    rules = {"channels": {"phone": "ntfy://x", "boss": "ntfy://y"}, "to": "phone", "escalate": {"to": "boss"}}
    with told(tmp_path, **rules) as house:
        house.raises()
        house.accepts()
        house.later(minutes=29, seconds=59)
        house.judges()
        assert len(house.outbox()) == 1
        house.later(seconds=1)
        house.judges()
        house.restart()
        house.later(hours=9)
        house.judges()
        second = house.outbox()[1]
        assert (second.channel, second.kind) == ("boss", "escalation")
        assert second.subject == "nobody acknowledged for 30m: backup: failed"
        assert len(house.outbox()) == 2


def test_a_notice_in_a_silence_is_not_said_and_stands_where_people_look(tmp_path: Path) -> None:
    with told(tmp_path, **HELD_BACK) as house:
        with house.database.write() as connection:
            bulletin.silence(connection, "backup", NOON + timedelta(hours=2), "new disk", NOON)
        house.raises(key=None, title="looked for the first time")
        house.raises(key="first", kind="notice", title="and again")
        house.raises("sync", key=None)
        house.later(hours=22)
        house.judges()
        assert house.subjects() == ["sync: failed"], "nor is there a digest of it"
        with house.database.read() as connection:
            found = bulletin.entries(connection, silenced=True)
        assert [(one.title, one.verdict) for one in found] == [
            ("and again", "silenced"),
            ("looked for the first time", "silenced"),
        ]
        assert all("(silence 1, 'backup'): new disk" in one.why for one in found)


@pytest.mark.parametrize("back", [timedelta(minutes=3), timedelta(hours=1), timedelta(days=2)], ids=str)
def test_an_escalation_and_a_repetition_wait_no_longer_when_the_clock_is_set_back(
    tmp_path: Path, back: timedelta
) -> None:
    rules = {"channels": {"phone": "ntfy://x", "boss": "ntfy://y"}, "to": "phone", "escalate": {"to": "boss"}}
    with told(tmp_path, **rules) as house:
        house.raises()
        house.accepts()
        house.later(minutes=10)
        was_at = house.now
        house.later(seconds=-back.total_seconds())
        house.raises("fresh")
        house.accepts()
        with house.database.write() as connection:
            alerts.set_back(connection, was_at, house.now)
        house.later(minutes=19, seconds=59)
        house.judges()
        assert [one.kind for one in house.outbox()] == ["alert", "alert"]
        house.later(seconds=1)
        house.judges()
        assert house.subjects()[2:] == ["nobody acknowledged for 30m: backup: failed"]
        house.accepts()
        house.later(minutes=10)
        house.judges()
        assert house.subjects()[3:] == ["nobody acknowledged for 30m: fresh: failed"], "told after the step"


def test_a_silence_is_journalled_and_after_it_the_next_alert_is_said(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        with house.database.write() as connection:
            bulletin.silence(connection, "backup", NOON + timedelta(hours=2), "new disk", NOON)
        house.raises()
        house.raises("sync")
        assert house.subjects() == ["sync: failed"]
        assert (
            house.journal()[0].why == "silence: drop: silenced for another 2h (silence 1, 'backup'): new disk"
        )
        house.later(hours=2)
        house.raises()
        assert house.subjects()[1:] == ["backup: failed"]


def silence(house: Told, **length: float) -> int:
    """A window of this length on backup, from now on; its number."""
    with house.database.write() as connection:
        return bulletin.silence(
            connection, "backup", house.now + timedelta(**length), "new disk", house.now
        ).id


def test_a_problem_that_outlasts_its_silence_is_told_when_that_ends(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        silence(house, hours=2)
        house.raises()
        house.later(minutes=30)
        house.raises()
        house.later(minutes=89, seconds=59)
        house.judges()
        assert house.subjects() == []
        house.later(seconds=1)
        house.judges()
        (said,) = house.outbox()
        assert said.subject == "backup: failed"
        assert "It began 2h ago (2026-11-20 12:00:00 UTC), while it was silenced." in said.body
        assert [one.count for one in house.problems()] == [2], "nothing happened once more"
        house.accepts()
        house.restart()
        house.later(minutes=30)
        house.judges()
        house.raises()
        assert len(house.outbox()) == 1, "it is told once, and from then on is a duplicate"
        house.recovers()
        assert house.subjects()[1:] == ["over: backup: failed"]


def test_when_a_silence_is_removed_what_it_kept_is_told(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        number = silence(house, hours=2)
        house.raises()
        woken: list[bool] = []
        house.database.alerted = lambda: woken.append(True)
        with house.database.write() as connection:
            bulletin.end_silence(connection, number, house.now)
        assert woken
        house.judges()
        assert house.subjects() == ["backup: failed"]


def test_what_was_over_when_its_silence_ended_is_never_told(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        silence(house, hours=2)
        house.raises()
        house.recovers()
        house.raises(key="other")
        house.later(hours=2)
        # Not judged before the silence ends, but in the journal: it was over by then.
        house.writes(house.note(kind="recovery", key=None, severity="info", title="run 2 succeeded"))
        house.judges()
        assert house.subjects() == []


def test_what_the_end_of_a_silence_tells_is_judged_as_everything_is(tmp_path: Path) -> None:
    with told(tmp_path, **HELD_BACK) as house:
        silence(house, hours=11)
        house.raises()
        house.raises("backup", key="mild", severity="info", wanted=Wanted(after=2))
        house.later(hours=11)
        house.judges()
        assert house.verdicts() == ["held", "dropped"], "quiet hours, and one of two in a row"
        house.later(hours=8)
        house.judges()
        assert house.outbox()[0].kind == "digest"
        assert "backup: failed - still so" in house.outbox()[0].body


@pytest.mark.parametrize(("minutes", "count"), [(40, 1), (60, 2)], ids=["told a moment ago", "told long ago"])
def test_a_problem_that_was_told_before_its_silence_is_repeated_in_its_time(
    tmp_path: Path, minutes: int, count: int
) -> None:
    with told(tmp_path) as house:
        house.raises()
        house.accepts()
        silence(house, minutes=minutes)
        house.later(minutes=10)
        house.raises()
        house.later(minutes=minutes - 10)
        house.judges()
        assert house.subjects() == ["backup: failed", "still: backup: failed"][:count]


def test_what_another_silence_matches_waits_for_its_end(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        silence(house, hours=1)
        silence(house, hours=3)
        house.raises()
        house.later(hours=1)
        house.judges()
        house.restart()
        assert house.subjects() == [] and house.verdicts() == ["silenced"]
        house.later(hours=2)
        house.judges()
        assert house.subjects() == ["backup: failed"]


def test_acknowledged_in_its_silence_it_is_not_told(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        silence(house, hours=1)
        house.raises()
        with house.database.write() as connection:
            bulletin.acknowledge(connection, 1, "mine", house.now)
        house.later(hours=1)
        house.judges()
        house.raises()
        house.raises()
        assert house.subjects() == []
        assert house.journal()[0].id == 1, "the alert that people name it by is kept"


def test_many_alerts_of_one_problem_in_a_silence_do_not_fill_the_journal_and_the_last_is_told(
    tmp_path: Path,
) -> None:
    with told(tmp_path) as house:
        silence(house, hours=1)
        for used in range(71, 91):
            house.raises(title=f"disk: {used} % used")
        house.raises(title="disk: nobody can look")
        house.writes(*[house.note(title="disk: nobody can look") for _ in range(3)])
        house.judges()
        titles = [one.title for one in house.journal()]
        assert titles == ["disk: 71 % used", "disk: 90 % used", "disk: nobody can look"]
        house.later(hours=1)
        house.judges()
        assert house.subjects() == ["disk: nobody can look"]
        assert house.verdicts() == ["dropped", "dropped", "sent"]


def test_a_clock_that_is_set_back_brings_no_silence_back(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        silence(house, hours=2)
        house.raises()
        house.later(hours=2)
        was_at = house.now
        house.later(hours=-1)
        with house.database.write() as connection:
            alerts.set_back(connection, was_at, house.now)
        house.judges()
        assert house.subjects() == ["backup: failed"]


def test_a_round_is_due_when_a_silence_ends_that_keeps_something_unsaid(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        silence(house, seconds=30)
        assert house.dispatcher.round(house.now) is None
        house.writes(house.note())
        assert house.dispatcher.round(house.now) == pytest.approx(30)


def test_a_problem_that_comes_and_goes_is_held_after_three_times(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        for _ in range(3):
            house.raises()
            house.accepts()
            house.recovers()
            house.later(minutes=1)
        house.raises()
        assert house.verdicts()[-1] == "held"
        assert "came and went 3 times" in house.journal()[-1].why
        house.later(minutes=57)
        house.judges()
        assert house.outbox()[-1].kind == "digest"


def test_a_text_of_a_megabyte_is_cut_and_markup_is_left_as_text(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.raises(title="<b>\0" + "t" * 10_000, text="<script>" + "x" * 1_000_000)
        (row,) = house.journal()
        assert len(row.text) == 65_536 and len(row.title) == 500
        (message,) = house.outbox()
        assert len(message.body) < 4_000 and message.body.startswith("<script>xxx")


def test_an_alert_the_policy_fails_at_is_set_aside_and_the_others_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = policy.judge

    def judge(new, known, world):  # type: ignore[no-untyped-def]
        if any(alert.job == "odd" for alert in new):
            raise ZeroDivisionError("odd")
        return real(new, known, world)

    monkeypatch.setattr(policy, "judge", judge)
    with told(tmp_path) as house:
        house.writes(house.note("odd"), house.note("even"))
        house.judges()
        assert house.unjudged == [(1, "could not be judged: ZeroDivisionError: odd")]
        assert house.subjects() == ["even: failed"]


def test_a_round_that_cannot_be_written_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.writes(house.note())
        with house.database.write() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        with pytest.raises(StoreError):
            house.judges()
        assert (house.verdicts(), house.problems()) == (["new"], [])
        with house.database.write() as connection:
            connection.exec_driver_sql("DROP TRIGGER no")
        house.judges()
        assert house.verdicts() == ["sent"]


def test_what_is_open_is_never_pruned_and_what_is_over_goes_with_its_rows(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.raises("old")
        house.raises("open")
        house.accepts()
        house.recovers("old")
        house.accepts()
        before = house.now + timedelta(days=1)
        gone = Ledger(house.database).prune(before={"journal": before})
        assert gone["journal"] == 2
        assert [one.job for one in house.problems()] == ["open"]
        assert [one.job for one in house.journal()] == ["open"]
        assert [one.kind for one in house.outbox()] == ["alert"]


def test_an_alert_that_nobody_has_judged_or_told_yet_is_never_pruned(tmp_path: Path) -> None:
    with told(tmp_path, **HELD_BACK) as house:
        house.writes(house.note("new", key=None))
        before = house.now + timedelta(days=1)
        assert Ledger(house.database).prune(before={"journal": before})["journal"] == 0
        house.later(hours=11)
        house.judges()
        assert house.verdicts() == ["held"]
        assert Ledger(house.database).prune(before={"journal": before})["journal"] == 0


def test_the_ledger_wakes_the_dispatcher_after_the_commit_and_not_after_a_rollback(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        woken: list[int] = []
        house.database.alerted = lambda: woken.append(1)
        house.writes(house.note())
        assert woken == [1]
        with pytest.raises(ZeroDivisionError), house.database.write() as connection:
            journal.add(connection, [house.note()])
            raise ZeroDivisionError
        with house.database.write() as connection:
            docket.current_silences(connection, house.now)
        assert woken == [1]


def test_what_was_seen_while_the_ledger_was_held_is_written_afterwards(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        seen = [[house.note("late", key=known.LATE)]]
        house.restart(looks=[lambda now: seen.pop() if seen else []])
        with closing(sqlite3.connect(house.path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError):
                house.judges()
        house.judges()
        assert [one.job for one in house.journal()] == ["late"], "who looks says it once"


def test_told_counts_the_first_time_of_each_channel(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.raises()
        number = house.problems()[0].id
        for channel, minutes in (("phone", 0), ("desk", 5), ("phone", 9)):
            with house.database.write() as connection:
                alerts.told(connection, number, channel, NOON + timedelta(minutes=minutes))
        (one,) = house.problems()
        assert one.told == {"phone": NOON, "desk": NOON + timedelta(minutes=5)}
        assert one.told_at == NOON + timedelta(minutes=9)


def test_while_nothing_is_open_nobody_looks_again_by_himself(tmp_path: Path) -> None:
    with told(tmp_path, **HELD_BACK, escalate={"to": "phone", "severity": "critical"}) as house:
        assert house.dispatcher.round(house.now) is None
        house.later(hours=11)
        house.raises()
        assert house.dispatcher.round(house.now) == 60.0, (
            "for the digest of the morning, whatever the clock does"
        )
        house.later(hours=7, minutes=59, seconds=50)
        assert house.dispatcher.round(house.now) == 10.0
        house.later(seconds=10)
        assert house.dispatcher.round(house.now) is None
        assert [one.kind for one in house.outbox()] == ["digest"]
        house.raises("other", severity="critical")
        house.accepts()
        assert house.dispatcher.round(house.now) == 5.0, "somebody may have to hear of it"
        house.recovers("other")
        assert house.dispatcher.round(house.now) is None


def test_who_judges_alerts_sleeps_until_a_commit_wakes_him(tmp_path: Path) -> None:
    with told(tmp_path) as house:
        house.database.alerted = house.dispatcher.wake
        house.dispatcher.start()
        until(lambda: house.dispatcher.rounds == 1)
        house.writes(house.note())
        until(lambda: house.outbox())
        assert house.dispatcher.rounds == 2
        house.dispatcher.stop(timedelta(seconds=5))
        assert not house.dispatcher._thread.is_alive(), "also who sleeps until he is woken hears that it ends"
