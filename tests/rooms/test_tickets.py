"""What do the verbs of tickets answer, with a daemon and from the ledger alone?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jarvis.cli.tree import jarvis
from jarvis.control import verbs
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.core import checked
from jarvis.core.checked import Finding
from jarvis.errors import NotFound, Refused, StoreError
from jarvis.store.database import Database
from jarvis.store.ledger import Ledger
from jarvis.store.tickets import Tickets
from tests.rooms.control_house import House

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GRACE = timedelta(seconds=60)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state" / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def tickets(ledger: Database) -> Tickets:
    return Tickets(ledger)


def check(
    tickets: Tickets, scope: str = "watch", *, at: datetime = NOW, grace: bool = False, **states: Any
) -> Any:
    """One check of a job: ``web="violated"``."""
    found = [
        Finding(
            key=key, invariant=key, entity=None, severity="critical", grace=GRACE if grace else timedelta(0),
            state=state, message=f"{key} is {state}",
        )
        for key, state in states.items()
    ]  # fmt: skip
    return tickets.check(found, scope=scope, batch=f"{scope}:1", now=at)


def test_first_seen_is_kept_by_the_ledger_so_that_a_restart_does_not_reset_the_grace(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    first = Database(path)
    first.open()
    assert check(Tickets(first), grace=True, web="violated").numbers == {}
    first.close()
    second = Database(path)
    second.open()
    early = check(Tickets(second), at=NOW + GRACE - timedelta(microseconds=1), grace=True, web="violated")
    assert early.numbers == {}
    second.close()
    third = Database(path)
    third.open()
    assert check(Tickets(third), at=NOW + GRACE, grace=True, web="violated").numbers == {"web": 1}
    assert Tickets(third).get(1).first_seen_at == NOW
    third.close()


def test_flapping_is_remembered_by_the_ledger(tickets: Tickets) -> None:
    for second in range(4):
        told = check(tickets, at=NOW + timedelta(seconds=second), web="violated")
        check(tickets, at=NOW + timedelta(seconds=second + 0.5), web="holds")
    assert list(told.followed.flapping) == ["web"]
    assert [one.flapping for one in tickets.listing(statuses=["resolved"])] == [True, False, False, False]


def test_a_check_speaks_only_about_its_own_scope(tickets: Tickets) -> None:
    check(tickets, "one", web="violated", api="violated")
    check(tickets, "two", web="violated")
    check(tickets, "two", web="holds")
    assert [(one.scope, one.key, one.status.value) for one in tickets.listing(statuses=["open", "resolved"])] == [
        ("one", "api", "open"), ("one", "web", "open"), ("two", "web", "resolved"),
    ]  # fmt: skip


def test_a_number_is_never_given_twice(tickets: Tickets, ledger: Database) -> None:
    check(tickets, web="violated")
    check(tickets, web="holds")
    assert Ledger(ledger).prune(before={"tickets": NOW + timedelta(days=1)}) == {"tickets": 1}
    assert check(tickets, web="violated").numbers == {"web": 2}


def test_only_resolved_tickets_are_forgotten_and_their_history_with_them(
    tickets: Tickets, ledger: Database
) -> None:
    check(tickets, web="violated", api="violated", db="violated")
    check(tickets, at=NOW + timedelta(hours=1), web="holds", api="violated", db="violated")
    check(tickets, at=NOW + timedelta(hours=3), web="holds", api="holds", db="violated")
    gone = Ledger(ledger).prune(before={"tickets": NOW + timedelta(hours=2)})
    assert gone == {"tickets": 1}
    assert [one.key for one in tickets.listing(statuses=["open", "resolved"])] == ["db", "api"]
    assert (tickets.history(1), len(tickets.history(2))) == ([], 2)


def test_what_would_follow_can_be_asked_without_keeping_it(tickets: Tickets) -> None:
    found = Finding(
        key="web",
        invariant="web",
        entity=None,
        severity="low",
        grace=timedelta(0),
        state="violated",
        message="m",
    )
    said = tickets.check([found], scope="watch", batch="b", now=NOW, keep=False)
    assert [step.what for step in said.followed.steps] == ["opened"]
    assert tickets.listing() == []


def test_many_keys_are_remembered_and_forgotten_at_once(tickets: Tickets, ledger: Database) -> None:
    keys = [f"k{number}" for number in range(1_200)]
    check(tickets, grace=True, **dict.fromkeys(keys, "violated"))
    with ledger.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM violations").scalar() == 1_200
    check(tickets, grace=True, **dict.fromkeys(keys, "holds"))
    with ledger.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM violations").scalar() == 0


# Verbs.


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path / "house", "jobs: {hello: {command: 'true'}}").open() as opened:
        check(Tickets(opened.app.database), web="violated", api="violated")
        yield opened


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()


def test_a_ticket_goes_through_its_life_by_verbs(house: House) -> None:
    assert [(one["id"], one["key"], one["status"]) for one in house.ask("tickets.list")] == [
        (2, "api", "open"), (1, "web", "open"),
    ]  # fmt: skip
    assert house.ask("tickets.ack", id=1, note="on it")["status"] == "acknowledged"
    assert house.ask("tickets.diagnose", id=1, diagnosis="the disk")["diagnosis"] == "the disk"
    assert house.ask("tickets.hold", id=1)["held"] is True
    assert [one["id"] for one in house.ask("tickets.list", held=True)] == [1]
    assert house.ask("tickets.unhold", id=1)["held"] is False
    resolved = house.ask("tickets.resolve", id=1, note="a new disk")
    assert (resolved["status"], resolved["resolved_at"] is not None) == ("resolved", True)
    shown = house.ask("tickets.show", id=1)
    assert [(one["what"], one["why"]) for one in shown["history"]] == [
        ("opened", "web is violated"), ("acknowledged", "on it"), ("diagnosed", "the disk"), ("held", ""),
        ("unheld", ""), ("resolved", "a new disk"),
    ]  # fmt: skip
    assert [one["id"] for one in house.ask("tickets.list")] == [2]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({}, [2, 1]), ({"key": "we"}, [1]), ({"key": "%"}, []), ({"job": "watch"}, [2, 1]), ({"job": "other"}, []),
        ({"batch": "watch:1"}, [2, 1]), ({"status": ["resolved"]}, []), ({"limit": 1}, [2]), ({"held": True}, []),
    ],
    ids=str,
)  # fmt: skip
def test_the_list_of_tickets_can_be_narrowed(
    house: House, question: dict[str, Any], found: list[int]
) -> None:
    assert [one["id"] for one in house.ask("tickets.list", **question)] == found


def test_what_cannot_be_done_is_said_in_a_sentence(house: House) -> None:
    with pytest.raises(NotFound, match=r"^no ticket 99 \(the newest is 2\)$"):
        house.ask("tickets.show", id=99)
    with pytest.raises(NotFound, match="no ticket 99"):
        house.ask("tickets.ack", id=99)
    house.ask("tickets.ack", id=1)
    with pytest.raises(Refused, match="^ticket 1 is acknowledged already$"):
        house.ask("tickets.ack", id=1)
    with pytest.raises(Refused, match="needs words"):
        house.ask("tickets.diagnose", id=1, diagnosis=" ")
    with pytest.raises(Misfit, match="at least 1"):
        house.ask("tickets.show", id=0)


def test_without_a_daemon_the_ledger_answers_and_takes_what_a_person_says(
    tmp_path: Path, house: House
) -> None:
    desk = Desk.alone(house.instance)
    assert verbs.ask(desk, "tickets.ack", {"id": 2})["status"] == "acknowledged"
    assert house.ask("tickets.show", id=2)["status"] == "acknowledged"


def test_without_a_ledger_there_are_no_tickets(tmp_path: Path) -> None:
    empty = House(tmp_path / "house", "jobs: {}")
    with pytest.raises(StoreError, match="there is no ledger"):
        verbs.ask(Desk.alone(empty.instance), "tickets.list", {})


def test_the_numbers_of_flapping_are_those_of_the_loop_it_replaces() -> None:
    assert (3, timedelta(minutes=5)) == (checked.FLAPS, checked.FLAP_WINDOW)


# The commands.


def say(house: House, *words: str) -> Any:
    return CliRunner().invoke(jarvis, ["tickets", *words, *house.options])


def test_the_commands_tell_a_ticket_and_move_it(house: House) -> None:
    listed = say(house, "list").stdout
    assert listed.index("api") < listed.index("web"), "the newest first"
    for words, told in (
        (["ack", "1", "--note", "on it"], "acknowledged"), (["diagnose", "1", "the disk"], "diagnosed"),
        (["hold", "1"], "held: no check resolves it, and it does not alert"),
        (["unhold", "1"], "given back to the checks"), (["resolve", "1", "--note", "a new disk"], "resolved"),
    ):  # fmt: skip
        done = say(house, *words)
        assert (done.exit_code, done.stdout) == (0, f"Ticket 1 of web: {told}.\n")
    shown = say(house, "show", "1").stdout
    assert "diagnosis   the disk" in shown and "a new disk" in shown and "opened in batch watch:1" in shown
    assert "web" not in say(house, "list").stdout and "web" in say(house, "list", "--all").stdout


FIELDS = {
    "id", "key", "invariant", "entity", "scope", "status", "held", "flapping", "batch", "count", "first_seen_at",
    "last_seen_at", "opened_at", "resolved_at", "unchecked_at", "message", "severity", "diagnosis", "snapshot",
}  # fmt: skip


def test_json_has_every_field_of_a_ticket(house: House) -> None:
    (first, _) = json.loads(say(house, "list", "--json").stdout)
    assert set(first) >= FIELDS
    assert set(json.loads(say(house, "show", "1", "--json").stdout)) == FIELDS | {"history"}
    assert json.loads(say(house, "ack", "1", "--json").stdout)["status"] == "acknowledged"


@pytest.mark.parametrize(
    "words", [["show"], ["ack"], ["diagnose"], ["hold"], ["unhold"], ["resolve"]], ids="".join
)
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["", "json"])
def test_an_unknown_ticket_is_exit_code_1_for_every_command(
    house: House, words: list[str], more: list[str]
) -> None:
    why = ["the disk"] if words == ["diagnose"] else []
    refused = say(house, *words, "99", *why, *more)
    assert isinstance(refused.exception, NotFound) and refused.exception.exit_code == 1
    assert str(refused.exception) == "no ticket 99 (the newest is 2)"
