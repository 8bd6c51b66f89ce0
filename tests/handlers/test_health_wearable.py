"""`health` with a wearable: its cache, its API, and nobody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jarvis import testing
from jarvis.handling import catalogue, mount
from tests.handlers.life_house import TODAY, Life, at, keys
from tests.rooms import oura_server
from tests.rooms.oura_server import TOKEN, OuraServer, Trouble

NOW = at(9)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    found = Life(tmp_path)
    yield found
    found.close()


@pytest.fixture
def server() -> Iterator[OuraServer]:
    with oura_server.serving() as found:
        yield found


def api(server: OuraServer, **more: Any) -> dict[str, Any]:
    return {"token": TOKEN, "url": server.url, "tries": 1, **more}


def test_a_bad_night_is_told_from_the_cache_with_its_age(life: Life) -> None:
    cache = life.wearable({TODAY: (64, 5.9, 40, 75)})
    outcome = life.run("health", NOW, machine=False, wearable={"cache": cache})
    assert outcome.status == "ok"
    assert keys(outcome) == {
        f"readiness:warning:{TODAY}": "medium", f"sleep:warning:{TODAY}": "medium", f"stress:warning:{TODAY}": "medium",
    }  # fmt: skip
    assert all(one.once for one in outcome.alerts)
    assert outcome.numbers == {"readiness": 64, "sleep": 5.9, "hrv": 40, "stress": 75}
    assert outcome.result == (
        "readiness 64, sleep 5.9, hrv 40, stress 75; 3 told; "
        "not judged: HRV of only 0 of the last 30 nights (7 needed); "
        f"from the wearable's cache {cache} (10 min old)"
    )


def test_each_level_is_told_once_a_day(life: Life) -> None:
    where = {"machine": False, "wearable": {"cache": life.wearable({TODAY: (60, 8, 40, 10)})}}
    assert keys(life.run("health", NOW, **where)) == {f"readiness:warning:{TODAY}": "medium"}
    again = life.run("health", at(9, 15), **where)
    assert again.alerts == () and "1 already told" in str(again.result)
    life.wearable({TODAY: (49, 8, 40, 10)})
    assert keys(life.run("health", at(9, 30), **where)) == {f"readiness:critical:{TODAY}": "critical"}
    life.wearable({"2026-11-21": (49, 8, 40, 10)}, "2026-11-21T08:00:00Z")
    assert keys(life.run("health", at(9, 0, 21), **where)) == {"readiness:critical:2026-11-21": "critical"}


def test_hrv_is_compared_with_the_nights_of_the_cache(life: Life) -> None:
    days = {
        str(date(2026, 11, 20) - timedelta(days=number)): (None, None, 100, None) for number in range(1, 31)
    }
    cache = life.wearable(days | {TODAY: (None, None, 85, None)})
    outcome = life.run("health", NOW, machine=False, wearable={"cache": cache})
    assert keys(outcome) == {f"hrv:warning:{TODAY}": "medium"} and outcome.numbers["hrv_change"] == -15


def test_thresholds_of_the_block_reach_the_judgement(life: Life) -> None:
    cache = life.wearable({TODAY: (64, 5.9, 40, 75)})
    block = {"cache": cache, "readiness_warning": 60, "sleep_critical": 6, "stress_warning": None}
    outcome = life.run("health", NOW, machine=False, wearable=block)
    assert keys(outcome) == {f"sleep:critical:{TODAY}": "critical"}


def test_without_a_fresh_cache_the_api_is_asked(life: Life, server: OuraServer) -> None:
    server.day(date(2026, 11, 20), readiness=45, hours=7.5, hrv=40)
    cache = life.wearable({TODAY: (99, 9, 99, 1)}, synced_at=f"{TODAY}T00:00:00Z")
    wearable = api(server, cache=cache, max_age="8h")
    outcome = life.run("health", NOW, machine=False, wearable=wearable)
    assert keys(outcome) == {f"readiness:critical:{TODAY}": "critical"}
    assert f"from the Oura API; before that the wearable's cache {cache}: 9 h old, more than 8 h" in str(
        outcome.result
    )


def test_an_old_cache_is_used_when_the_api_is_down_and_this_is_said(life: Life, server: OuraServer) -> None:
    server.troubles["*"] = Trouble(503)
    cache = life.wearable({TODAY: (45, 9, 99, 1)}, synced_at=f"{TODAY}T00:00:00Z")
    wearable = api(server, cache=cache, max_age="8h")
    outcome = life.run("health", NOW, machine=False, wearable=wearable)
    assert keys(outcome) == {f"readiness:critical:{TODAY}": "critical"}
    assert "(9 h old), nothing newer was to be had" in str(outcome.result)
    assert "the Oura API: daily_readiness: the service answered 503" in str(outcome.result)


def test_no_data_of_today_is_a_skip_that_names_what_was_tried(life: Life, server: OuraServer) -> None:
    cache = life.wearable({"2026-11-19": (40, 4, 10, 99)})
    outcome = life.run("health", NOW, machine=False, wearable=api(server, cache=cache))
    assert outcome.status == "skipped" and outcome.alerts == ()
    assert (
        outcome.result == f"the wearable's cache {cache}: nothing for today; the Oura API: nothing for today"
    )


def test_today_is_that_of_the_job_s_time_zone(life: Life) -> None:
    cache = life.wearable({TODAY: (40, 8, 40, 10)})
    where = {"machine": False, "wearable": {"cache": cache}}
    late = at(23, 30)
    assert life.run("health", late.astimezone(at(0).tzinfo), **where).alerts
    tokyo = life.run("health", late.astimezone(ZoneInfo("Asia/Tokyo")), **where)
    assert tokyo.status == "skipped", "it is the 21st there"


def test_a_refused_token_is_a_problem_that_lasts_until_a_run_succeeds(life: Life, server: OuraServer) -> None:
    outcome = life.run("health", NOW, machine=False, wearable=api(server, token="old"))
    assert outcome.status == "skipped" and "the token is refused (401)" in str(outcome.result)
    (alert,) = outcome.alerts
    assert (alert.key, alert.once) == ("cannot_observe:the oura api", False)
    assert alert.text.startswith("the Oura API: the token is refused (401)")


def test_the_breaker_opens_after_three_failures_and_the_server_is_left_alone(
    life: Life, server: OuraServer
) -> None:
    server.troubles["*"] = Trouble(500)
    where = {"machine": False, "wearable": api(server)}
    for _ in range(3):
        assert "answered 500" in str(life.run("health", NOW, **where).result)
    asked = len(server.asked)
    outcome = life.run("health", NOW, **where)
    assert outcome.status == "skipped" and "not asked, it failed again and again" in str(outcome.result)
    assert len(server.asked) == asked


def test_the_machine_is_watched_also_when_the_wearable_is_not_there(life: Life) -> None:
    where = {"cache": str(life.folder / "no.db")}
    outcome = life.run("health", NOW, disk_warning=0, disk_critical=None, load_warning=None, load_critical=None,
                       memory_warning=None, swap_warning=None, wearable=where)  # fmt: skip
    assert outcome.status == "ok" and outcome.numbers["disk:/"] > 0 and "disk:/" in keys(outcome)
    assert "; wearable: not judged (the wearable's cache" in str(outcome.result)
    assert "there is no database file" in str(outcome.result)


def test_the_machine_and_the_wearable_are_told_in_one_run(life: Life) -> None:
    cache = life.wearable({TODAY: (64, 8, 40, 10)})
    outcome = life.run("health", NOW, wearable={"cache": cache})
    assert outcome.numbers["readiness"] == 64 and outcome.numbers["disk:/"] > 0
    assert f"readiness:warning:{TODAY}" in keys(outcome) and "; wearable: readiness 64" in str(outcome.result)


def test_nothing_to_watch_is_given_up() -> None:
    outcome = testing.run_handler("health", machine=False)
    assert outcome.status == "gave_up" and "nothing is left to watch" in str(outcome.error)


def test_without_a_wearable_neither_the_ledger_nor_pydantic_is_touched() -> None:
    code = (
        "import sys; from pathlib import Path; from jarvis.handling import mount; "
        "found = mount.load(Path(sys.argv[1])); found.form.bind({'disk_warning': 85.5}); "
        "print(*[name for name in ('pydantic', 'sqlalchemy', 'httpx2', 'pybreaker') if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(catalogue.shipped() / "health.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == ""


WRONG = [
    ({"tokn": "x"}, "'wearable.tokn': there is no such parameter", "did you mean 'token'?"),
    ({"max_age": 5}, "'wearable.max_age': 5 has no unit; write for example 5s or 5m", None),
    ({"readiness_warning": "low"}, "'wearable.readiness_warning': expected a number, not 'low'", None),
    (3, "'wearable': expected a mapping, not 3", None),
]


@pytest.mark.parametrize(("block", "message", "hint"), WRONG, ids=[row[1] for row in WRONG])
def test_what_does_not_fit_the_block_is_said_before_any_run(
    block: Any, message: str, hint: str | None
) -> None:
    form = mount.load(catalogue.shipped() / "health.py").form
    assert form is not None
    assert [finding[1:] for finding in form.check({"wearable": block})] == [(message, hint)]
    assert form.check({"wearable": {"token": {"$secret": "env:OURA_TOKEN"}, "max_age": "6h"}}) == []
