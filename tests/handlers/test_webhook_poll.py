"""`webhook_poll`: files of an inbox become events, each exactly where it belongs."""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from jarvis import errors, testing
from jarvis.handling.stores import LazyStores
from jarvis.sources import inbox as inboxes
from jarvis.sources.inbox import Inbox
from jarvis.store.database import Database
from jarvis.store.events import Events

OLD = time.time() - 60


@pytest.fixture
def ledger(tmp_path):
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def poll(tmp_path, ledger):
    def run(**values):
        stores = LazyStores(ledger.url)
        try:
            return testing.run_handler(
                "webhook_poll", testing.context(stores=stores, state=tmp_path), **values
            )
        finally:
            stores.close()

    return run


def drop(inbox, name, content, *, at=OLD):
    path = inbox / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    os.utime(path, (at, at))
    return path


def event(**more):
    return {"source": "github", "event_type": "push"} | more


def files(inbox):
    return sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*.json"))


def test_events_are_stored_in_the_order_of_their_names_and_their_files_put_away(poll, inbox, ledger):
    for name in ("b", "a", "c"):
        drop(inbox, f"{name}.json", event(event_type=name, payload={"n": name}))
    outcome = poll()
    assert (outcome.result, dict(outcome.numbers)) == (
        "3 ingested, 0 failed, 0 skipped", {"ingested": 3, "failed": 0, "skipped": 0},
    )  # fmt: skip
    stored = Events(ledger).pending()
    assert [(one.source, one.event_type, one.payload, one.file, one.status) for one in stored] == [
        ("github", name, {"n": name}, f"{name}.json", "pending") for name in ("a", "b", "c")
    ]
    assert abs((datetime.now(UTC) - stored[0].received_at).total_seconds()) < 60
    assert files(inbox) == ["processed/a.json", "processed/b.json", "processed/c.json"]


def test_a_missing_inbox_is_an_empty_one(poll):
    assert poll(inbox="/no/such/folder").result == "0 ingested, 0 failed, 0 skipped"


def test_an_empty_inbox_stays_as_it_is(poll, inbox):
    assert poll().result == "0 ingested, 0 failed, 0 skipped"
    assert [path.name for path in inbox.iterdir()] == [".webhook_poll.lock"]


def test_a_file_of_the_last_two_seconds_waits(poll, inbox, ledger):
    drop(inbox, "new.json", event(), at=time.time() - 1)
    drop(inbox, "old.json", event(), at=time.time() - 3)
    assert poll().result == "1 ingested, 0 failed, 1 skipped"
    assert files(inbox) == ["new.json", "processed/old.json"]
    assert poll(settle="500ms").result == "1 ingested, 0 failed, 0 skipped"


def test_a_file_from_a_wrong_clock_does_not_wait_for_ever(poll, inbox):
    drop(inbox, "future.json", event(), at=time.time() + 86_400)
    assert poll().numbers["ingested"] == 1


BAD = [
    ("malformed", b'{"source": "a", ', "it is not JSON"),
    ("empty", b"", "it is not JSON"),
    ("a_list", [event()], "it holds a list, not an object"),
    ("a_number", b"3", "it holds a int, not an object"),
    ("no_source", {"event_type": "push"}, "it has no source"),
    ("no_type", {"source": "a"}, "it has no event_type"),
    ("empty_source", event(source="  "), "its source is not a text"),
    ("a_number_as_type", event(event_type=5), "its event_type is not a text"),
    ("a_key_twice", b'{"source": "a", "source": "b", "event_type": "x"}', "the key 'source' is there twice"),
    (
        "a_key_twice_inside",
        b'{"source":"a","event_type":"x","payload":{"k":1,"k":2}}',
        "the key 'k' is there twice",
    ),
    ("not_a_number", b'{"source": "a", "event_type": "x", "payload": NaN}', "NaN is not JSON"),
    ("not_utf8", b'{"source": "\xff"}', "it is not UTF-8: byte 12 is 0xff"),
    ("a_long_source", event(source="a" * 201), "has 201 characters; 200 are allowed"),
    ("a_line_break_in_its_type", event(event_type="a\nb"), "cannot be printed"),
    ("half_a_character", b'{"source": "\\ud800", "event_type": "x"}', "cannot be printed"),
    (
        "a_number_without_end",
        b'{"source": "a", "event_type": "x", "payload": ' + b"1" * 5000 + b"}",
        "not JSON",
    ),
    ("nested_too_deep", b"[" * 200_000, "it is not JSON"),
    ("too_big", event(payload="a" * 1_000_001), "it is bigger than 1000000 bytes"),
]


@pytest.mark.parametrize(("content", "why"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_no_event_goes_to_failed_with_the_reason_in_the_log(
    poll, inbox, ledger, caplog, content, why
):
    drop(inbox, "bad.json", content)
    drop(inbox, "good.json", event())
    assert poll().result == "1 ingested, 1 failed, 0 skipped"
    assert files(inbox) == ["failed/bad.json", "processed/good.json"]
    assert why in caplog.text and len(Events(ledger).pending()) == 1


GOOD = [
    ("without_payload", event(), None),
    ("null_payload", event(payload=None), None),
    ("a_list_payload", event(payload=[1]), [1]),
    ("other_keys", event(more=1, payload=0), 0),
    ("byte_order_mark", b'\xef\xbb\xbf{"source": "a", "event_type": "x", "payload": "\xc3\xa4"}', "ä"),
    ("as_big_as_allowed", event(payload="a" * 999_000), "a" * 999_000),
]


@pytest.mark.parametrize(("content", "payload"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_what_is_an_event(poll, inbox, ledger, content, payload):
    drop(inbox, "good.json", content)
    assert poll().numbers["ingested"] == 1
    assert Events(ledger).pending()[0].payload == payload


def test_a_name_that_is_taken_gets_the_microsecond(poll, inbox):
    for _ in range(3):
        drop(inbox, "same.json", event())
        assert poll().numbers["ingested"] == 1
    first, *others = sorted((path.name for path in (inbox / "processed").iterdir()), key=len)
    assert first == "same.json" and len(others) == 2
    assert all(re.fullmatch(r"same-\d{8}T\d{6}\.\d{6}\.json", name) for name in others), others


def test_names_that_are_taken_in_one_microsecond_differ_too(poll, inbox):
    for number in range(3):
        drop(inbox, "same.json", event(payload=number))
        with time_machine.travel(datetime(2026, 11, 20, 12, 0, 0, 7, tzinfo=UTC), tick=False):
            assert poll().numbers["ingested"] == 1
    assert files(inbox) == [
        "processed/same-20261120T120000.000007.json",
        "processed/same-20261120T120000.000008.json",
        "processed/same.json",
    ]


def test_only_regular_json_files_are_looked_at(poll, inbox, tmp_path):
    (inbox / "folder.json").mkdir()
    outside = drop(tmp_path, "outside.json", event())
    (inbox / "link.json").symlink_to(outside)
    os.mkfifo(inbox / "pipe.json")
    drop(inbox, "notes.txt", b"x")
    (inbox / "sub").mkdir()
    drop(inbox / "sub", "deep.json", event())
    assert poll().result == "0 ingested, 0 failed, 0 skipped"
    assert outside.exists() and (inbox / "link.json").is_symlink() and (inbox / "sub" / "deep.json").exists()


def test_a_second_poll_of_the_same_inbox_skips(poll, inbox):
    drop(inbox, "a.json", event())
    with inboxes.alone(inbox):
        outcome = poll()
        assert outcome.status == "skipped" and "another poll is at work" in outcome.result
        with open(inbox / ".webhook_poll.lock") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert files(inbox) == ["a.json"]
    assert poll().numbers["ingested"] == 1


def test_many_polls_at_once_store_every_event_once(poll, inbox, ledger):
    for number in range(40):
        drop(inbox, f"{number:03}.json", event(payload=number))
    with ThreadPoolExecutor(4) as pool:
        outcomes = [one.result() for one in [pool.submit(poll) for _ in range(4)]]
    poll()
    assert {one.status for one in outcomes} <= {"ok", "skipped"}
    assert [one.payload for one in Events(ledger).pending()] == list(range(40))


def test_a_file_that_vanishes_in_between_is_nobodys_loss(inbox, ledger):
    polling = Inbox(inbox, settle=timedelta(seconds=2), max_bytes=100, events=lambda: Events(ledger))
    drop(inbox, "b.json", event())
    inboxes.make_room(inbox)
    assert polling.poll(["a.json", "b.json"]).line() == "1 ingested, 0 failed, 0 skipped"


def test_when_the_event_cannot_be_stored_the_file_stays(poll, inbox, ledger):
    drop(inbox, "a.json", event())
    with ledger.write() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
    outcome = poll()
    assert outcome.result == "0 ingested, 0 failed, 1 skipped" and files(inbox) == ["a.json"]
    assert outcome.alerts[0].severity == "high"
    with ledger.write() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
    assert poll().numbers["ingested"] == 1


def test_a_file_that_could_not_be_moved_is_not_stored_either(poll, inbox, ledger):
    drop(inbox, "a.json", event())
    (inbox / "processed").write_text("in the way")
    outcome = poll()
    assert (
        outcome.status == "error"
        and "nothing was taken" in outcome.error
        and "Traceback" not in outcome.error
    )
    assert Events(ledger).pending() == [] and (inbox / "a.json").exists()


def test_without_a_ledger_or_a_state_directory_it_says_so(inbox):
    drop(inbox, "a.json", event())
    assert "no state directory" in testing.run_handler("webhook_poll").error
    outcome = testing.run_handler("webhook_poll", testing.context(stores=LazyStores(None)), inbox=str(inbox))
    assert outcome.numbers["skipped"] == 1 and (inbox / "a.json").exists()
    with pytest.raises(errors.StoreError):
        _ = LazyStores("postgresql://x").events


@pytest.mark.parametrize(
    ("age", "taken"),
    [(2 - 2**-10, 0), (2, 1), (2 + 2**-10, 1), (2**-10 - 2, 0), (-2, 1)],
    ids=["a millisecond less", "exactly", "a millisecond more", "in the future", "far enough in the future"],
)
def test_the_two_seconds_are_counted_from_the_last_change(poll, inbox, age, taken):
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    drop(inbox, "a.json", event(), at=now.timestamp() - age)
    with time_machine.travel(now, tick=False):
        assert poll().numbers["ingested"] == taken


def test_hidden_files_are_somebodys_drafts(poll, inbox):
    drop(inbox, ".draft.json", event())
    assert poll().result == "0 ingested, 0 failed, 0 skipped"


def test_a_file_that_cannot_be_read_is_told_and_kept_in_failed(inbox, ledger, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", path)

    path = drop(inbox, "a.json", event())
    (inbox / "failed").mkdir()
    polling = Inbox(inbox, settle=timedelta(seconds=2), max_bytes=100, events=lambda: Events(ledger))
    if os.geteuid() == 0:  # root can read everything
        monkeypatch.setattr(inboxes, "_read", refuse)
    else:
        path.chmod(0)
    assert polling.poll(["a.json"]).failures == [("a.json", "Permission denied")]
    assert files(inbox) == ["failed/a.json"]


def test_a_file_that_is_being_written_while_it_is_read_waits(poll, inbox, monkeypatch):
    path = drop(inbox, "a.json", event())
    read = os.read

    def meanwhile(handle, size):
        data = read(handle, size)
        os.utime(path, (OLD + 1, OLD + 1))
        return data

    monkeypatch.setattr(inboxes.os, "read", meanwhile)
    assert poll().result == "0 ingested, 0 failed, 1 skipped"
    monkeypatch.undo()
    assert poll().numbers["ingested"] == 1


KILLED = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from jarvis.sources import inbox
from jarvis.store.database import Database
from jarvis.store.events import Events

class Dying(inbox.Inbox):
    def move(self, name, where, now):
        if name == "b.json":
            os.kill(os.getpid(), signal.SIGKILL)
        super().move(name, where, now)

database = Database(Path(sys.argv[1]))
folder = Path(sys.argv[2])
inbox.make_room(folder)
Dying(folder, settle=timedelta(seconds=2), max_bytes=1000, events=lambda: Events(database)).poll(inbox.names(folder))
"""


def test_a_poll_that_is_killed_between_storing_and_moving_stores_nothing_twice(poll, inbox, ledger):
    for name in ("a", "b", "c"):
        drop(inbox, f"{name}.json", event(event_type=name))
    done = subprocess.run([sys.executable, "-c", KILLED, str(ledger.path), str(inbox)], timeout=60)
    assert done.returncode == -9
    assert files(inbox) == ["b.json", "c.json", "processed/a.json"]
    assert len(Events(ledger).pending()) == 3
    assert poll().result == "2 ingested, 0 failed, 0 skipped"
    assert [one.event_type for one in Events(ledger).pending()] == ["a", "b", "c"]
    assert files(inbox) == ["processed/a.json", "processed/b.json", "processed/c.json"]


def test_the_same_content_dropped_again_is_another_event(poll, inbox, ledger):
    for _ in range(2):
        drop(inbox, "same.json", event())
        assert poll().numbers["ingested"] == 1
    assert len(Events(ledger).pending()) == 2


def test_many_files_are_stored_in_batches_and_in_order(poll, inbox, ledger, monkeypatch):
    monkeypatch.setattr(inboxes, "BATCH", 7)
    for number in range(30):
        drop(inbox, f"{number:03}.json", event(payload=number))
    drop(inbox, "010.json", b"{")
    assert poll().result == "29 ingested, 1 failed, 0 skipped"
    assert [one.payload for one in Events(ledger).pending()] == [n for n in range(30) if n != 10]


@pytest.mark.parametrize(("keep", "left"), [("1d", 2), ("1h", 2)])
def test_files_that_were_put_away_are_kept_for_a_while(poll, inbox, keep, left):
    drop(inbox, "a.json", event())
    drop(inbox, "b.json", b"{")
    poll(keep=keep)
    assert len(files(inbox)) == left


@pytest.mark.parametrize(("seconds", "left"), [(-5, 2), (5, 0)], ids=["just before", "just after"])
def test_files_that_were_put_away_are_kept_for_thirty_days(poll, inbox, seconds, left):
    drop(inbox, "a.json", event())
    drop(inbox, "b.json", b"{")
    poll()
    put_away = (inbox / "processed" / "a.json").stat().st_ctime
    with time_machine.travel(
        datetime.fromtimestamp(put_away, UTC) + timedelta(days=30, seconds=seconds), tick=False
    ):
        poll()
    assert len(files(inbox)) == left


def test_files_that_were_put_away_long_ago_are_removed(inbox):
    for where in inboxes.DONE:
        (inbox / where).mkdir()
        drop(inbox / where, "a.json", event())
    changed = max(Path(inbox / where / "a.json").stat().st_ctime for where in inboxes.DONE)
    assert inboxes.tidy(inbox, datetime.fromtimestamp(changed - 5, UTC)) == 0
    assert inboxes.tidy(inbox, datetime.fromtimestamp(changed + 5, UTC)) == 2
    assert files(inbox) == []
