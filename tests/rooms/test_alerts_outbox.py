"""The outbox: what is written is sent, what was accepted is noted, what was not is tried again, given up and told."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pytest_httpserver import HTTPServer
from sqlalchemy import insert, select

from jarvis.alerts import outbox as outboxes
from jarvis.alerts import patience
from jarvis.alerts.channels import Channels
from jarvis.alerts.dispatch import Dispatcher
from jarvis.alerts.message import NotAccepted
from jarvis.alerts.outbox import BATCH, Outbox
from jarvis.core.telling import Alerts
from jarvis.running.telling import posting
from jarvis.store import alert_tables, alerts, deliveries
from jarvis.store.database import Database
from jarvis.store.deliveries import Delivery
from tests.rooms import receivers
from tests.rooms.launch_house import until

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, MINUTE, TICK = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)


class Post:
    """An outbox with a clock of its own. ``look`` begins what may begin and waits until it has ended."""

    def __init__(self, folder: Path, **named: Any) -> None:
        self.folder = folder
        self.now = NOW
        self.troubles: list[str | None] = []
        self.database = Database(folder / "ledger.sqlite", busy=timedelta(milliseconds=50))
        self.database.open()
        self.rules(**named)
        self.outbox = self.new()

    def new(self) -> Outbox:
        return Outbox(
            database=self.database,
            channels=lambda: self.channels,
            now=lambda: self.now,
            trouble=self.troubles.append,
        )

    def rules(self, **named: Any) -> None:
        self.alerts = Alerts.model_validate({"channels": named})
        self.channels: Channels | None = Channels.of(
            self.alerts, folder=self.folder, environ={"PATH": os.environ["PATH"]}
        )

    def write(self, channel: str = "phone", subject: str = "backup: failed", **more: Any) -> int:
        values = {"kind": "alert", "severity": "high", "body": "exit code 1", "now": self.now, **more}
        with self.database.write() as connection:
            return deliveries.add(connection, channel=channel, subject=subject, **values)

    def look(self, after: timedelta = timedelta(0)) -> timedelta | None:
        self.now += after
        wait = self.outbox.look(self.now)
        self.settle()
        return wait

    def settle(self) -> None:
        until(lambda: not self.outbox.sending())

    def row(self, number: int) -> Delivery:
        with self.database.read() as connection:
            found = deliveries.get(connection, number)
        assert found is not None
        return found

    def statuses(self, *numbers: int) -> list[str]:
        return [self.row(number).status for number in numbers]

    def notes(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(alert_tables.journal).order_by(alert_tables.journal.c.id)))

    def judge(self) -> None:
        """What the thread that judges alerts does, once."""
        Dispatcher(database=self.database, now=lambda: self.now, rules=lambda: self.alerts, zone="UTC").round(
            self.now
        )


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with time_machine.travel(NOW, tick=False):
        made = Post(tmp_path, phone={"journal": "phone.jsonl"})
        yield made
    made.database.close()


def said(post: Post, name: str = "phone") -> list[dict[str, Any]]:
    path = post.folder / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def url(server: HTTPServer, **more: Any) -> dict[str, Any]:
    return {"url": f"json://127.0.0.1:{server.port}/", **more}


# Say, then note.


def test_a_message_is_sent_and_then_noted_as_sent(post: Post) -> None:
    number = post.write()
    post.look()
    row = post.row(number)
    assert (row.status, row.sent_at, row.attempts, row.error) == ("sent", NOW, 1, None)
    assert [one["title"] for one in said(post)] == ["backup: failed"]


def test_a_message_that_is_not_due_yet_waits_and_the_outbox_knows_when_to_look(post: Post) -> None:
    number = post.write(not_before=NOW + timedelta(seconds=3))
    assert post.look() == timedelta(seconds=3)
    assert post.row(number).status == "queued"
    post.look(timedelta(seconds=3))
    assert post.row(number).status == "sent"


def test_a_clock_set_back_makes_no_message_wait_longer_and_ends_no_maintenance(post: Post) -> None:
    number = post.write(not_before=NOW + timedelta(seconds=15))
    sent = post.write("other")
    with post.database.write() as connection:
        deliveries.sent(connection, [sent], NOW)
        note = {
            "at": NOW,
            "kind": "notice",
            "severity": "low",
            "title": "x",
            "text": "",
            "until_at": NOW + HOUR,
        }
        for verdict in ("held", "sent"):
            connection.execute(insert(alert_tables.journal).values(verdict=verdict, **note))
        window = {"match": "backup", "reason": "", "until_at": NOW + HOUR}
        for begin in (NOW - timedelta(hours=3), NOW - TICK, NOW + TICK):
            connection.execute(insert(alert_tables.silences).values(from_at=begin, **window))
        alerts.set_back(connection, NOW, NOW - HOUR)
    assert post.row(number).not_before == NOW - HOUR + timedelta(seconds=15)
    assert post.row(sent).not_before == NOW, "what was sent is history"
    assert [one.until_at for one in post.notes()] == [NOW, NOW + HOUR]
    with post.database.read() as connection:
        begins = list(connection.execute(select(alert_tables.silences.c.from_at)).scalars())
    assert begins == [NOW - timedelta(hours=3), NOW - HOUR, NOW + TICK], "one that was in force is in force"


def test_a_message_that_an_earlier_daemon_left_is_sent_at_the_next_start(post: Post) -> None:
    number = post.write()
    outbox = post.new()
    outbox.start()
    until(lambda: post.row(number).status == "sent")
    outbox.stop(timedelta(seconds=1))
    assert post.row(number).status == "sent"


def test_the_outbox_is_woken_by_the_commit_that_wrote_a_message(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "LONGEST_WAIT", timedelta(hours=1))
    post.database.posted = post.outbox.wake
    post.outbox.start()
    time.sleep(0.05)  # it has looked once and waits
    number = post.write()
    until(lambda: post.row(number).status == "sent")
    post.outbox.stop(timedelta(seconds=1))


def test_a_channel_that_accepted_is_noted_at_the_problem(post: Post) -> None:
    with post.database.write() as connection:
        from jarvis.store import journal

        journal.add(
            connection,
            [journal.Note(at=NOW, severity="high", title="backup: failed", key="run:backup", job="backup")],
        )
    post.judge()
    post.look()
    with post.database.read() as connection:
        (problem,) = connection.execute(select(alert_tables.problems))
    assert list(problem.told) == ["phone"] and problem.told_at == NOW


def test_nothing_is_told_of_a_problem_whose_message_was_not_accepted(post: Post) -> None:
    post.rules(phone={"command": "exit 1"})
    with post.database.write() as connection:
        from jarvis.store import journal

        journal.add(
            connection,
            [journal.Note(at=NOW, severity="high", title="backup: failed", key="run:backup", job="backup")],
        )
    post.judge()
    post.look()
    with post.database.read() as connection:
        (problem,) = connection.execute(select(alert_tables.problems))
    assert not problem.told and problem.told_at is None


def test_a_ledger_that_is_busy_while_noting_makes_no_second_message(post: Post) -> None:
    post.rules(phone={"command": "cat >> got; echo x > sent; sleep 0.3"})
    number = post.write()
    holder = Database(post.database.path)
    post.outbox.look(post.now)
    until(lambda: (post.folder / "sent").exists())
    with holder.write():
        time.sleep(0.6)
    holder.close()
    post.settle()
    post.look(MINUTE)
    assert post.row(number).status == "sent"
    assert len((post.folder / "got").read_text().splitlines()) == 1


# Not accepted.


def test_an_endpoint_that_is_down_and_then_up_gets_the_message_once(
    post: Post, httpserver: HTTPServer
) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("", status=503)
    httpserver.expect_ordered_request("/").respond_with_data("", status=200)
    post.rules(phone=url(httpserver))
    number = post.write()
    post.look()
    row = post.row(number)
    assert (row.status, row.attempts) == ("queued", 1) and "HTTP 503" in str(row.error)
    post.look(row.not_before - post.now)
    post.look(timedelta(hours=2))
    assert post.row(number).status == "sent" and len(httpserver.log) == 2


@pytest.mark.parametrize(("tries", "least", "most"), [
    (1, 15, 20), (2, 30, 35), (3, 60, 65), (6, 480, 485), (7, 900, 905), (8, 900, 905), (40, 900, 905),
])  # fmt: skip
def test_the_wait_doubles_from_15_seconds_to_15_minutes_with_up_to_5_seconds_of_jitter(
    post: Post, tries: int, least: int, most: int
) -> None:
    from dataclasses import replace

    row = replace(post.row(post.write()), attempts=tries - 1)
    waits = {
        (at - NOW).total_seconds()
        for _ in range(20)
        if (at := patience.next_try(row, NotAccepted("no"), NOW)) is not None
    }
    assert all(least <= wait <= most for wait in waits) and len(waits) > 1


@pytest.mark.parametrize(("age", "gives_up"), [
    (timedelta(hours=24) - timedelta(seconds=1), False), (timedelta(hours=24), True),
    (timedelta(hours=24, seconds=1), True),
], ids=["just before", "at", "just after"])  # fmt: skip
def test_a_message_is_given_up_24_hours_after_its_creation(
    post: Post, age: timedelta, gives_up: bool
) -> None:
    from dataclasses import replace

    row = replace(post.row(post.write()), attempts=30)
    assert (patience.next_try(row, NotAccepted("no"), NOW + age) is None) is gives_up


@pytest.mark.parametrize(("tried", "gives_up"), [(0, False), (1, False), (2, True)])
def test_a_message_that_is_old_when_it_is_first_tried_is_tried_three_times(
    post: Post, tried: int, gives_up: bool
) -> None:
    from dataclasses import replace

    row = replace(post.row(post.write()), attempts=tried)
    assert (patience.next_try(row, NotAccepted("no"), NOW + timedelta(days=3)) is None) is gives_up


def test_a_receiver_that_asks_for_time_gets_it(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=429, headers={"Retry-After": "600"})
    post.rules(phone=url(httpserver))
    number = post.write()
    post.look()
    assert post.row(number).not_before == NOW + timedelta(seconds=600)
    assert post.outbox.breakers.states() == []


def test_a_message_is_dead_at_once_when_it_can_never_be_accepted_and_the_others_are_told(
    post: Post, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=403)
    post.rules(phone=url(httpserver), desk={"journal": "desk.jsonl"})
    number = post.write()
    post.look()
    row = post.row(number)
    assert (row.status, row.attempts) == ("dead", 1) and "HTTP 403" in str(row.error)
    (note,) = post.notes()
    assert note.key == "channel:phone" and note.wanted == {"to": ["desk"]} and "backup: failed" in note.text
    post.judge()
    post.look()
    assert [one["title"] for one in said(post, "desk")] == [note.title]


def test_a_channel_that_works_again_ends_its_problem(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("", status=403)
    httpserver.expect_ordered_request("/").respond_with_data("", status=200)
    post.rules(phone=url(httpserver), desk={"journal": "desk.jsonl"})
    post.write()
    post.look()
    post.judge()
    post.look()
    post.write(subject="disk full")
    post.look(2 * MINUTE)
    post.judge()
    post.look()
    with post.database.read() as connection:
        (problem,) = connection.execute(select(alert_tables.problems))
    assert problem.ended_at is not None
    assert [one["kind"] for one in said(post, "desk")] == ["alert", "recovery"]


def test_the_only_channel_tells_of_its_own_death_in_the_journal(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=403)
    post.rules(phone=url(httpserver))
    post.write()
    post.look()
    (note,) = post.notes()
    assert (note.verdict, note.why) == ("dropped", "there is no other channel")


def test_two_broken_channels_do_not_tell_of_each_other_for_ever(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=403)
    post.rules(phone=url(httpserver), desk=url(httpserver))
    post.write()
    for _ in range(20):
        post.look(timedelta(hours=2))
        post.judge()
    assert len(httpserver.log) == 2
    assert [note.key for note in post.notes()] == ["channel:phone", "channel:desk"]
    assert post.notes()[1].verdict == "dropped"


def test_a_dead_letter_can_be_sent_again(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("", status=404)
    httpserver.expect_ordered_request("/").respond_with_data("", status=200)
    post.rules(phone=url(httpserver))
    number = post.write()
    post.look()
    with post.database.read() as connection:
        assert [row.id for row in deliveries.dead(connection)] == [number]
    with post.database.write() as connection:
        assert deliveries.revive(connection, [number], post.now) == 1
    post.look()
    assert post.row(number).status == "sent"


def test_the_messages_of_a_channel_that_was_removed_are_dead_and_the_others_are_told(post: Post) -> None:
    number = post.write()
    post.rules(desk={"journal": "desk.jsonl"})
    post.look()
    assert post.row(number).status == "dead"
    assert post.row(number).error == "the channel phone was removed from jobs.yaml"
    post.judge()
    post.look()
    assert "given up" in said(post, "desk")[0]["title"]


def test_while_jobs_yaml_cannot_be_used_everything_waits(post: Post) -> None:
    number = post.write()
    post.channels = None
    post.look()
    assert post.row(number).status == "queued"


# Slow, down, broken: nobody else waits.


def test_a_receiver_that_stalls_holds_up_no_other_channel(post: Post) -> None:
    with receivers.line(receivers.stalls) as line:
        slow = {"url": f"json://127.0.0.1:{line.port}/", "timeout": "5m"}
        post.rules(slow=slow, phone={"journal": "phone.jsonl"})
        late, soon = post.write("slow"), post.write("phone")
        post.outbox.look(post.now)
        until(lambda: post.row(soon).status == "sent")
        # its thread notes that a message was sent before it is done itself
        until(lambda: list(post.outbox.sending()) == ["slow"])
        assert post.row(late).status == "queued"
    post.settle()
    assert post.row(late).attempts == 1


def test_a_send_that_does_not_end_has_failed_after_its_time_and_no_second_one_begins(post: Post) -> None:
    """A receiver that answers a byte at a time is noticed by no timeout of a socket."""
    with receivers.line(receivers.drips) as line:
        post.rules(phone={"url": f"json://127.0.0.1:{line.port}/", "timeout": "1m"})
        number = post.write()
        post.outbox.look(post.now)
        until(lambda: line.answering)
        assert post.row(number).attempts == 0
        post.outbox.sending()["phone"].until = time.monotonic() - 1  # its time is over
        post.outbox.look(post.now)
        row = post.row(number)
        assert row.attempts == 1 and "it did not answer within" in str(row.error)
        post.now += timedelta(hours=1)
        post.outbox.look(post.now)
        assert len(post.outbox.sending()) == 1 and line.connections == 1
    post.settle()


def test_a_late_acceptance_counts_and_the_message_is_not_sent_twice(post: Post) -> None:
    post.rules(phone={"command": "cat >> got; while [ ! -e go ]; do sleep 0.02; done", "timeout": "5m"})
    number = post.write()
    post.outbox.look(post.now)
    sending = post.outbox.sending()["phone"]
    sending.until = time.monotonic() - 1  # its time is over
    post.outbox.look(post.now)
    assert post.row(number).attempts == 1 and post.row(number).status == "queued"
    (post.folder / "go").touch()
    post.settle()
    post.look(timedelta(hours=1))
    assert post.row(number).status == "sent"
    assert len((post.folder / "got").read_text().splitlines()) == 1


def test_the_breaker_opens_after_three_failures_and_lets_one_message_try_after_sixty_seconds(
    post: Post, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=500)
    post.rules(phone=url(httpserver, rate="0s"))
    with time_machine.travel(NOW, tick=False) as clock:
        for number in range(3):
            post.write(subject=f"message {number}")
            post.look()
        (state,) = post.outbox.breakers.states()
        assert (state.name, state.state, state.opened_at) == ("channel:phone", "open", NOW)
        last = post.write(subject="one more")
        post.look()
        assert len(httpserver.log) == 3
        assert (post.row(last).attempts, post.row(last).not_before) == (0, NOW + MINUTE)
        clock.shift(59.9)
        post.look(timedelta(seconds=59.9))
        assert len(httpserver.log) == 3
        clock.shift(0.1)
        post.look(timedelta(seconds=0.1))
        assert len(httpserver.log) == 4
        post.look()
        assert len(httpserver.log) == 4


def test_a_breaker_is_known_after_a_restart(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=500)
    post.rules(phone=url(httpserver, rate="0s"))
    for number in range(3):
        post.write(subject=f"message {number}")
        post.look()
    post.outbox = post.new()
    post.write()
    post.look()
    assert len(httpserver.log) == 3


def test_what_waited_for_a_channel_goes_as_soon_as_it_works_again(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_ordered_request("/").respond_with_data("", status=200)
    httpserver.expect_ordered_request("/").respond_with_data("", status=200)
    post.rules(phone=url(httpserver, rate="0s"))
    first = post.write(subject="first")
    post.look()
    post.look(post.row(first).not_before - post.now)  # the second failure: it now waits for half a minute
    second = post.write(subject="second")
    post.look()
    assert post.statuses(first, second) == ["queued", "sent"]
    post.look()
    assert post.row(first).status == "sent"


def test_what_came_while_it_did_not_work_goes_together_the_most_severe_first(
    post: Post, httpserver: HTTPServer
) -> None:
    """Also what was not tried at all meanwhile."""
    for status in (501, 501, 501, 200, 200):
        httpserver.expect_ordered_request("/").respond_with_data("", status=status)
    post.rules(phone=url(httpserver, rate="0s"))
    results = [post.write(subject=f"result {number}", severity="low") for number in range(2)]
    for _ in range(3):
        post.look(max(timedelta(), post.row(results[0]).not_before - post.now))
    worst = post.write(subject="worst", severity="high")
    post.look()
    assert (post.row(worst).attempts, post.row(worst).status) == (0, "queued")
    test = post.write(subject="test", kind="test")
    post.look()
    post.look()
    assert post.statuses(*results, worst, test) == ["sent", "sent", "sent", "sent"]
    body = httpserver.log[-1][0].get_data(as_text=True)
    assert body.index("worst") < body.index("result 0")


# The rate.


@pytest.mark.parametrize(("seconds", "count"), [(59.9, 1), (60, 2), (60.1, 2)], ids=["before", "at", "after"])
def test_a_channel_gets_at_most_one_message_in_sixty_seconds(post: Post, seconds: float, count: int) -> None:
    post.write(subject="first")
    post.look()
    number = post.write(subject="second")
    post.look(timedelta(seconds=seconds))
    assert len(said(post)) == count
    assert post.row(number).status == ("sent" if count == 2 else "queued")


def test_the_rate_holds_after_a_restart_too(post: Post) -> None:
    post.write()
    post.look()
    post.outbox = post.new()
    post.write(severity="critical")
    post.look(timedelta(seconds=30))
    assert len(said(post)) == 1


def test_what_is_more_waits_and_goes_together_the_most_severe_first(post: Post) -> None:
    post.write(subject="first")
    post.look()
    numbers = [
        post.write(subject=f"{severity} {number}", severity=severity)
        for number, severity in enumerate(["low", "critical", "medium", "high"])
    ]
    post.look(MINUTE)
    assert post.statuses(*numbers) == ["sent"] * 4
    together = said(post)[1]
    assert together["title"] == "4 messages: 1 critical, 1 high, 1 medium, 1 low"
    assert [line for line in together["body"].splitlines() if line[:1] and line[:1] in "🔴🟠🟡🔵"] == [
        "🔴 critical 1", "🟠 high 3", "🟡 medium 2", "🔵 low 0",
    ]  # fmt: skip
    assert (together["severity"], together["count"], together["ids"]) == ("critical", 4, numbers)


def test_a_combined_message_has_a_bounded_length_and_counts_the_rest(post: Post) -> None:
    for number in range(BATCH):
        post.write(subject=f"alert {number}", body="x" * 10_000)
    post.look()
    (together,) = said(post)
    shown = together["body"].count("alert ")
    assert len(together["body"]) <= 3_500
    assert f"… and {BATCH - shown} more" in together["body"]
    with post.database.read() as connection:
        assert not deliveries.waiting(connection, "phone")


def test_the_result_of_a_job_is_never_only_counted(post: Post) -> None:
    results = [post.write(subject=f"result {number}", kind="result", body="y" * 2_000) for number in range(3)]
    for _ in range(3):
        post.look(MINUTE)
    assert post.statuses(*results) == ["sent"] * 3
    assert sum(one["body"].count("y" * 2_000) for one in said(post)) == 3


def test_nobody_hears_that_a_problem_is_over_before_hearing_of_it(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_request("/").respond_with_data("", status=200)
    post.rules(phone=url(httpserver, rate="0s"))
    alert = post.write(problem_id=7)
    post.look()
    over = post.write(kind="recovery", subject="backup: works again", problem_id=7)
    post.look(timedelta(seconds=1))
    assert post.statuses(alert, over) == ["queued", "queued"] and len(httpserver.log) == 1
    post.look(timedelta(seconds=30))
    assert post.statuses(alert, over) == ["sent", "sent"]
    body = json.loads(httpserver.log[1][0].data)["message"]
    assert body.index("backup: failed") < body.index("backup: works again")


# Tests that a person asks for.


def test_a_test_message_goes_now_whatever_the_rate_says_and_the_answer_is_told(post: Post) -> None:
    post.write()
    post.look()
    post.write(subject="waits for its minute")
    post.outbox.start()
    accepted, answer = post.outbox.test("phone")
    post.outbox.stop(timedelta(seconds=1))
    assert accepted and "bytes in" in answer
    assert [one["kind"] for one in said(post)] == ["alert", "test"]


def test_a_test_message_that_is_not_accepted_is_told_and_not_tried_again(
    post: Post, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=500)
    post.rules(phone=url(httpserver))
    post.outbox.start()
    accepted, answer = post.outbox.test("phone")
    post.outbox.stop(timedelta(seconds=1))
    assert not accepted and "HTTP 500" in answer
    post.look(timedelta(days=2))
    assert len(httpserver.log) == 1 and post.notes() == []


def test_a_test_message_that_is_accepted_closes_the_breaker(post: Post, httpserver: HTTPServer) -> None:
    for _ in range(3):
        httpserver.expect_ordered_request("/").respond_with_data("", status=500)
    httpserver.expect_request("/").respond_with_data("", status=200)
    post.rules(phone=url(httpserver, rate="0s"))
    numbers = []
    for number in range(3):
        numbers.append(post.write(subject=f"message {number}"))
        post.look()
    post.outbox.start()
    accepted, _ = post.outbox.test("phone")
    until(lambda: post.statuses(*numbers) == ["sent"] * 3)
    post.outbox.stop(timedelta(seconds=1))
    assert accepted and post.statuses(*numbers) == ["sent"] * 3
    assert post.outbox.breakers.states()[0].state == "closed"


def test_without_a_ledger_the_channels_meant_for_it_are_told_directly(post: Post) -> None:
    post.rules(
        phone={"journal": "phone.jsonl", "severity": "high"},
        pager={"journal": "pager.jsonl", "severity": "critical"},
    )
    posting.direct(lambda: post.alerts, post.folder)("the ledger is full", "free some space", "high", NOW)
    until(lambda: said(post))
    assert [one["title"] for one in said(post)] == ["the ledger is full"]
    assert said(post, "pager") == []
    posting.direct(lambda: None, post.folder)("nobody knows the channels", "", "high", NOW)


def test_the_status_counts_what_was_given_up(post: Post, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=404)
    post.rules(phone=url(httpserver))
    post.write()
    post.look()
    post.write(not_before=NOW + timedelta(hours=1))
    with post.database.read() as connection:
        assert deliveries.unsent(connection) == {"queued": 1, "dead": 1}


def test_a_stop_waits_for_no_receiver(post: Post) -> None:
    with receivers.line(receivers.stalls) as line:
        post.rules(phone={"url": f"json://127.0.0.1:{line.port}/", "timeout": "5m"})
        number = post.write()
        post.outbox.start()
        until(lambda: line.connections)
        began = time.monotonic()
        post.outbox.stop(timedelta(milliseconds=200))
        assert time.monotonic() - began < 20
        assert post.row(number).status == "queued"
        assert any(
            thread.name == "jarvis-channel-phone" and thread.daemon for thread in threading.enumerate()
        )
    post.settle()


def test_an_empty_outbox_is_not_looked_at_again(post: Post) -> None:
    assert post.outbox.look(post.now) is None
    number = post.write()
    assert post.look() is not None
    assert post.row(number).status == "sent"
    assert post.outbox.look(post.now) is None
