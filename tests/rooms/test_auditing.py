"""The audit of a real ledger: what it sees when somebody changes history, and what it bears."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.core.run import schedule_fire
from jarvis.store import tables
from tests.rooms.audit_world import BEGIN, World, job, sentences

HOUR = timedelta(hours=1)


def eventful(folder: Path) -> World:
    """A day with a little of everything: rows, spans of both kinds, eras, terms, pauses, starts."""
    world = World(
        folder,
        {
            "minutely": job("minutely", every="60s"),
            "hourly": job("hourly", cron="0 0-23 * * *", misfire_grace="10m"),
            "starting": job("starting", start="daemon"),
            "going": job("going", every="5m"),
        },
    )
    for _ in range(3):
        world.time.pass_by(timedelta(seconds=61))
        world.look()
    world.time.pass_by(3 * HOUR, asleep=True)
    world.look()
    world.roster.pause("minutely", None, "holidays")
    world.time.pass_by(HOUR)
    world.look()
    world.roster.resume("minutely")
    del world.file["going"]
    world.file["hourly"] = job("hourly", cron="0 0-23 * * *", misfire_grace="20m")
    world.time.pass_by(HOUR)
    world.save()
    world.restart(HOUR)
    world.look()
    world.time.pass_by(2 * HOUR)
    world.look()
    world.time.pass_by(timedelta(seconds=3))
    world.time.wall_at -= HOUR
    world.look()
    world.time.pass_by(2 * HOUR)
    world.look()
    return world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = eventful(tmp_path)
    yield made
    made.close()


def test_the_audit_of_an_eventful_day_says_what_it_checked(world: World) -> None:
    report = world.audit()
    assert sentences(report) == []
    assert report.jobs == 4
    assert report.moments > 400
    assert report.spans == world.tell("SELECT count(*) FROM spans")[0][0]
    assert report.rows == world.tell("SELECT count(*) FROM runs")[0][0]


ONE_RUN = "(SELECT max(id) FROM runs WHERE job = 'minutely')"
ONE_SPAN = "(SELECT min(id) FROM spans WHERE job = 'minutely' AND status = '{}')"
MISSED, SKIPPED = ONE_SPAN.format("missed"), ONE_SPAN.format("skipped")


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        pytest.param(f"DELETE FROM runs WHERE id = {ONE_RUN}", {"no-row"}, id="a run is deleted"),
        pytest.param(f"DELETE FROM spans WHERE id = {MISSED}", {"no-row"}, id="a span is deleted"),
        pytest.param(
            f"UPDATE spans SET count = count - 1 WHERE id = {MISSED}", {"span"}, id="a span counts less"
        ),
        pytest.param(
            f"UPDATE spans SET until_at = until_at - 600000000, count = count - 10 WHERE id = {MISSED}",
            {"no-row"},
            id="a span is cut, with its count",
        ),
        pytest.param(
            f"UPDATE spans SET status = 'skipped' WHERE id = {MISSED}",
            {"pause"},
            id="missed is called skipped",
        ),
        pytest.param(
            f"UPDATE spans SET status = 'missed' WHERE id = {SKIPPED}",
            {"pause"},
            id="skipped is called missed",
        ),
        pytest.param(
            f"UPDATE spans SET reason = '' WHERE id = {SKIPPED}", {"reason"}, id="a reason is taken away"
        ),
        pytest.param("DELETE FROM pauses", {"pause"}, id="a pause is deleted"),
        pytest.param(
            "UPDATE runs SET status = 'skipped', reason = NULL WHERE job = 'hourly'",
            {"reason"},
            id="skipped for nothing",
        ),
        pytest.param(
            f"UPDATE runs SET scheduled_at = scheduled_at + 1000000 WHERE id = {ONE_RUN}",
            {"row-not-due", "no-row"},
            id="a moment is shifted",
        ),
        pytest.param(
            f"UPDATE runs SET fire = fire || '#2' WHERE id = {ONE_RUN}",
            {"row-not-due", "no-row"},
            id="a fire is renamed",
        ),
        pytest.param(
            f"INSERT INTO runs (id, job, fire, attempt, status, scheduled_at, queued_at, ended_at, started_at,"
            f" definition_id, output_bytes, output_dropped) SELECT 999, job, fire, 2, 'succeeded', scheduled_at,"
            f" queued_at, ended_at, started_at, definition_id, 0, 0 FROM runs WHERE id = {ONE_RUN}",
            {"attempts"},
            id="an attempt is made up",
        ),
        pytest.param(
            "UPDATE runs SET ended_at = ended_at + 200000000 WHERE job = 'minutely' AND id < 9",
            {"together"},
            id="runs last longer than they did",
        ),
        pytest.param(
            "DELETE FROM runs WHERE fire = 'start:daemon2'", {"no-row"}, id="the run of a start is deleted"
        ),
        pytest.param(
            "DELETE FROM terms WHERE job = 'going'", {"row-not-due", "span"}, id="a term is deleted"
        ),
        pytest.param(
            "UPDATE terms SET until_at = NULL WHERE job = 'going'", {"terms"}, id="a term is opened again"
        ),
        pytest.param(
            "UPDATE jobs SET next_fire_at = next_fire_at + 3600000000 WHERE name = 'hourly'",
            {"no-row"},
            id="the next fire is put off",
        ),
        pytest.param(
            "UPDATE jobs SET next_fire_at = NULL WHERE name = 'hourly'",
            {"plan"},
            id="the next fire is taken away",
        ),
        pytest.param(
            "DELETE FROM definitions WHERE job = 'going'", {"definition"}, id="a definition is deleted"
        ),
        pytest.param(
            'UPDATE definitions SET body = \'{"every": "7m", "command": "true"}\' WHERE job = \'minutely\'',
            {"row-not-due", "span", "plan"},
            id="a definition is rewritten",
        ),
    ],
)
def test_changed_history_is_seen(world: World, change: str, rules: set[str]) -> None:
    world.tell(change)
    assert {found.rule for found in world.audit().violations} >= rules


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            "UPDATE runs SET status = 'exploded' WHERE id = 5",
            "run 5 has the unknown status 'exploded'",
            id="status",
        ),
        pytest.param(
            "UPDATE runs SET params = '{' WHERE id = 5", "run 5 has params that are not JSON", id="params"
        ),
        pytest.param(
            "UPDATE runs SET numbers = '[1]' WHERE id = 5",
            "run 5 has numbers that are not a JSON object",
            id="numbers",
        ),
        pytest.param(
            "UPDATE runs SET scheduled_at = 'soon' WHERE id = 5",
            "run 5 cannot be read: 'soon' is not a number",
            id="instant",
        ),
        pytest.param(
            "UPDATE runs SET started_at = 9e18 WHERE id = 5",
            "run 5 cannot be read",
            id="an instant beyond the calendar",
        ),
        pytest.param(
            "UPDATE runs SET reason = x'00ff' WHERE id = 5", "run 5 cannot be read", id="bytes for text"
        ),
        pytest.param(
            "UPDATE spans SET count = 'many'", "a span cannot be read: 'many' is not a number", id="count"
        ),
        pytest.param("UPDATE terms SET from_at = ''", "a term cannot be read: '' is not a number", id="term"),
        pytest.param("UPDATE pauses SET until_at = 'never'", "a pause cannot be read", id="pause"),
        pytest.param("UPDATE facts SET amount = 'much'", "a fact about the clock cannot be read", id="fact"),
        pytest.param(
            "UPDATE facts SET detail = 'x' WHERE kind = 'start'",
            "does not say which daemon began",
            id="start",
        ),
        pytest.param("UPDATE definitions SET body = '{'", "cannot be read (Expecting", id="definition"),
        pytest.param(
            'UPDATE definitions SET body = \'{"every": "0s", "command": "true"}\'',
            "cannot be read (every 0s is shorter than a second",
            id="a schedule that cannot be",
        ),
        pytest.param(
            "UPDATE jobs SET next_fire_at = 'x' WHERE name = 'hourly'",
            "its next fire cannot be read",
            id="next fire",
        ),
    ],
)
def test_what_cannot_be_read_is_told(world: World, change: str, said: str) -> None:
    world.tell(change)
    assert any(said in sentence for sentence in sentences(world.audit()))


TABLES = ("runs", "spans", "terms", "pauses", "facts", "definitions", "jobs", "meta")
COLUMNS = [
    (name, column.name)
    for name in TABLES
    for column in tables.metadata.tables[name].columns
    if not column.primary_key
]
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.text(max_size=20), st.binary(max_size=8), st.floats(), st.booleans()
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(COLUMNS), st.integers(0, 40), VALUES)
def test_no_value_anywhere_makes_the_audit_fail(
    tmp_path_factory: pytest.TempPathFactory, where: tuple[str, str], which: int, value: object
) -> None:
    world = _shared(tmp_path_factory)
    table, column = where
    ids = world.tell(f"SELECT rowid, {column} FROM {table} ORDER BY rowid")
    if not ids:
        return
    number, before = ids[which % len(ids)]
    try:
        world.tell(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", value, number)
    except Exception as error:
        # What the database itself refuses cannot be in a ledger.
        assert "constraint" in str(error) or "encode" in str(error), error
        return
    try:
        str(world.audit())
    finally:
        world.tell(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", before, number)


_worlds: list[World] = []


def _shared(factory: pytest.TempPathFactory) -> World:
    if not _worlds:
        _worlds.append(eventful(factory.mktemp("shared")))
        world = _worlds[0]
        world.tell("UPDATE runs SET params = '{}', numbers = '{}' WHERE id = 3")
        world.tell("INSERT INTO meta VALUES ('horizon', '\"2020-01-01T00:00:00+00:00\"')")
    return _worlds[0]


@pytest.fixture(scope="module", autouse=True)
def _put_away() -> Iterator[None]:
    yield
    while _worlds:
        _worlds.pop().close()


def test_since_looks_at_newer_moments_only(world: World) -> None:
    world.tell("DELETE FROM runs WHERE job = 'minutely' AND id < 5")
    assert not world.audit().clean
    assert world.audit(since=BEGIN + HOUR).clean
    assert world.audit(since=BEGIN + HOUR).moments < world.audit().moments


def test_a_pruned_ledger_is_audited_from_its_horizon_on(world: World) -> None:
    from jarvis.store.ledger import Ledger

    Ledger(world.database).prune(before={"runs": BEGIN + 2 * HOUR})
    assert sentences(world.audit()) == []
    world.tell("DELETE FROM meta WHERE key = 'horizon'")
    assert not world.audit().clean


def test_the_audit_holds_nobody_up_and_sees_one_state(world: World) -> None:
    """A job fires while the audit is under way; it is neither seen half nor made to wait."""
    with world.database.read() as view:
        view.exec_driver_sql("SELECT count(*) FROM runs").scalar()
        world.time.pass_by(timedelta(minutes=5))
        world.look()
        assert sentences(world.audit()) == []


def test_an_empty_ledger_is_in_order(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    report = world.audit()
    assert (report.clean, report.jobs, report.moments) == (True, 0, 0)
    assert str(report) == "0 moments of 0 jobs in 0 rows and 0 spans: every one is accounted for"
    world.close()


def test_a_long_history_is_read_a_little_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path, {"secondly": job("secondly", every="1s")})
    many, first = 20_000, BEGIN + timedelta(seconds=1)
    moments = [first + timedelta(seconds=n) for n in range(many)]
    rows = [(n, schedule_fire(at), tables.to_micros(at)) for n, at in enumerate(moments, 1)]
    with world.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO runs (id, job, fire, attempt, status, scheduled_at, queued_at, started_at, ended_at,"
            " definition_id, output_bytes, output_dropped)"
            " VALUES (?1, 'secondly', ?2, 1, 'succeeded', ?3, ?3, ?3, ?3, 1, 0, 0)",
            rows,
        )
        following = tables.to_micros(moments[-1] + timedelta(seconds=1))
        connection.exec_driver_sql("UPDATE jobs SET next_fire_at = ?", (following,))
    del rows, moments
    tracemalloc.start()
    report = world.audit()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    world.close()
    assert (sentences(report), report.moments, report.rows) == ([], many, many)
    assert peak < 8_000_000
