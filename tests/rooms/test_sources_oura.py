"""The wearable's API: real requests to a server on loopback that speaks its shapes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from jarvis.core.wellbeing import Day
from jarvis.sources import oura
from jarvis.sources.fallback import NeedsMending, Unavailable
from tests.rooms import oura_server
from tests.rooms.oura_server import TOKEN, OuraServer, Trouble

TODAY = date(2026, 11, 20)


@pytest.fixture
def server() -> Iterator[OuraServer]:
    with oura_server.serving() as found:
        yield found


def ask(server: OuraServer, days: int = 30, **more: Any) -> Any:
    values = {"token": TOKEN, "url": server.url, "wait": timedelta(milliseconds=1)} | more
    return oura.fetch(oura.Oura(**values), TODAY, days)


def test_a_day_is_put_together_from_readiness_sleep_and_stress(server: OuraServer) -> None:
    server.day(TODAY, readiness=71, hours=7.25, hrv=42, stress=(90, 30))
    got = ask(server)
    assert got.value == (Day(day=TODAY, readiness=71, sleep=7.25, hrv=42, stress=75),)
    assert got.odd == () and got.copy is False
    assert [name for name, _ in server.asked] == ["daily_readiness", "sleep", "daily_stress"]
    assert server.asked[1][1] == {"start_date": "2026-10-21", "end_date": "2026-11-21"}


def test_pages_are_followed_to_the_last(server: OuraServer) -> None:
    for number in range(31):
        server.day(TODAY - timedelta(days=number), hours=7, hrv=30 + number)
    got = ask(server)
    assert [one.day for one in got.value] == [TODAY - timedelta(days=number) for number in range(30, -1, -1)]
    assert [query.get("next_token") for name, query in server.asked if name == "sleep"] == [
        None,
        "10",
        "20",
        "30",
    ]


def test_naps_count_and_what_the_person_rejected_does_not(server: OuraServer) -> None:
    server.sleep(TODAY, hours=5, hrv=40)
    server.sleep(TODAY, hours=1, hrv=90, kind="sleep")
    server.sleep(TODAY, hours=0.5, hrv=90, kind="late_nap")
    server.sleep(TODAY, hours=3, hrv=90, kind="rest")
    server.sleep(TODAY, hours=3, hrv=90, kind="deleted")
    assert ask(server).value == (Day(day=TODAY, sleep=6.5, hrv=40),)


def test_hrv_comes_from_the_samples_where_there_is_no_mean_yet(server: OuraServer) -> None:
    server.sleep(TODAY, hours=7, hrv=None)
    assert ask(server).value[0].hrv == 45
    server.data.clear()
    server.sleep(TODAY, hours=7, hrv=None, hrv_=1)
    server.data["sleep"][0]["hrv"] = None
    assert ask(server).value[0].hrv is None


def test_what_is_not_known_yet_is_none_and_not_zero(server: OuraServer) -> None:
    server.day(TODAY, readiness=70)
    server.data["sleep"].append({"day": str(TODAY), "type": "long_sleep"})
    server.data["daily_stress"].append({"day": str(TODAY), "stress_high": None, "recovery_high": 600})
    assert ask(server).value == (Day(day=TODAY, readiness=70),)


def test_stress_of_less_than_an_hour_is_unknown(server: OuraServer) -> None:
    server.day(TODAY, readiness=70, stress=(59, 0))
    assert ask(server).value[0].stress is None
    server.data["daily_stress"].clear()
    server.day(TODAY, stress=(45, 15))
    assert ask(server).value[0].stress == 75


def test_nothing_about_today_is_nothing(server: OuraServer) -> None:
    assert ask(server) is None
    server.day(TODAY - timedelta(days=1), readiness=70, hours=7, hrv=40)
    server.day(TODAY + timedelta(days=1), readiness=70)
    assert ask(server) is None
    server.data["sleep"].append({"day": str(TODAY), "type": "long_sleep", "total_sleep_duration": None})
    assert ask(server) is None


def test_a_refused_token_is_said_at_once_and_never_shown(server: OuraServer) -> None:
    with pytest.raises(NeedsMending, match=r"the token is refused \(401\).*make a new one") as refused:
        ask(server, token="wrong-token")
    assert len(server.asked) == 1 and "wrong-token" not in str(refused.value)
    assert TOKEN not in repr(oura.Oura(token=TOKEN, url=server.url))


@pytest.mark.parametrize("token", ["", "  ", "two words", "a\nb", "schlüssel", "\x00"], ids=repr)
def test_what_can_be_no_token_is_never_sent(server: OuraServer, token: str) -> None:
    with pytest.raises(NeedsMending, match="the token is empty or holds what no token holds"):
        ask(server, token=token)
    assert server.asked == []


def test_space_around_a_token_is_no_part_of_it(server: OuraServer) -> None:
    server.day(TODAY, readiness=70)
    assert ask(server, token=f" {TOKEN}\n").value[0].readiness == 70


def test_an_address_without_its_scheme_is_said(server: OuraServer) -> None:
    with pytest.raises(
        NeedsMending, match=r"api\.example\.org/v2/usercollection/daily_readiness cannot be asked"
    ):
        ask(server, url="api.example.org")


def test_too_many_requests_are_waited_out_when_the_server_asks_for_a_moment(server: OuraServer) -> None:
    server.day(TODAY, readiness=70)
    server.troubles["daily_readiness"] = Trouble(429, headers={"retry-after": "0"}, times=2)
    assert ask(server).value[0].readiness == 70
    assert [name for name, _ in server.asked].count("daily_readiness") == 3


def test_a_server_that_asks_for_minutes_is_not_waited_for(server: OuraServer) -> None:
    server.troubles["*"] = Trouble(429, headers={"retry-after": "120"})
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"too many requests \(429\), it asks to wait 120 s"):
        ask(server)
    assert time.monotonic() - began < 60 and len(server.asked) == 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("", None), ("7", 7.0), ("soon", None), ("-1", None), ("date", 30.0), ("past", 0.0)],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    dates = {"date": now + timedelta(seconds=30), "past": now - timedelta(hours=1)}
    header = format_datetime(dates[value], usegmt=True) if value in dates else value
    assert oura.retry_after(header, now) == seconds


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_in_trouble_is_asked_three_times(server: OuraServer, status: int) -> None:
    server.day(TODAY, readiness=70)
    server.troubles["daily_readiness"] = Trouble(status, times=2)
    assert ask(server).value[0].readiness == 70
    server.troubles["*"] = Trouble(status)
    server.asked.clear()
    with pytest.raises(Unavailable, match=f"daily_readiness: the service answered {status}"):
        ask(server)
    assert [name for name, _ in server.asked] == ["daily_readiness"] * 3 + ["sleep", "daily_stress"]


def test_a_slow_answer_and_nobody_there_are_told_apart(server: OuraServer) -> None:
    server.troubles["*"] = Trouble(delay=0.6)
    with pytest.raises(Unavailable, match=r"daily_readiness: no complete answer within 0.1 s"):
        ask(server, timeout=timedelta(milliseconds=100), tries=1)
    with pytest.raises(Unavailable, match=r"daily_readiness: no connection to http://127.0.0.1:9 \(Conn"):
        ask(server, url="http://127.0.0.1:9", tries=1)
    with pytest.raises(NeedsMending, match="cannot be asked"):
        ask(server, url="ftp://127.0.0.1", tries=1)


GARBAGE = [
    ("half a JSON text", b'{"data": [{"day": "20', "is not JSON"),
    ("HTML", b"<html>maintenance</html>", "is not JSON"),
    ("nothing", b"", "is not JSON"),
    ("a list", b"[]", "has no list 'data'"),
    ("data that is no list", b'{"data": {}}', "has no list 'data'"),
    ("documents that are none", b'{"data": [3]}', "holds int, not documents"),
    ("a document without a day", b'{"data": [{"score": 3}]}', "has no day"),
    ("a day that is none", b'{"data": [{"day": "someday", "score": 3}]}', "is no moment"),
    ("a score that is no number", b'{"data": [{"day": "2026-11-20", "score": "good"}]}', "is no number"),
    ("not UTF-8", b'{"data": "\xff\xfe"}', "is not JSON"),
    ("nested too deep", b"[" * 200_000, "is not JSON"),
]


@pytest.mark.parametrize(("body", "why"), [row[1:] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_garbage_is_said_and_leaves_the_other_collections(server: OuraServer, body: bytes, why: str) -> None:
    server.day(TODAY, hours=7, hrv=40)
    server.troubles["daily_readiness"] = Trouble(body=body)
    got = ask(server)
    assert got.value == (Day(day=TODAY, sleep=7, hrv=40),)
    assert len(got.odd) == 1 and why in got.odd[0]


def test_a_collection_the_token_may_not_read_leaves_the_others(server: OuraServer) -> None:
    server.day(TODAY, readiness=70)
    server.troubles["daily_stress"] = Trouble(403)
    got = ask(server)
    assert got.value[0].readiness == 70 and got.odd == (
        "daily_stress: the token may not read it (403), or the subscription has ended",
    )


def test_a_collection_that_fails_leaves_the_others(server: OuraServer) -> None:
    server.day(TODAY, readiness=70, hours=7)
    server.troubles["sleep"] = Trouble(500)
    got = ask(server)
    assert got.value == (Day(day=TODAY, readiness=70),) and got.odd == ("sleep: the service answered 500",)


def test_pages_without_an_end_are_left(server: OuraServer) -> None:
    server.troubles["*"] = Trouble(body=b'{"data": [], "next_token": "again"}')
    with pytest.raises(NeedsMending, match="its pages do not end"):
        ask(server)
    server.troubles["*"] = Trouble(body=b'{"data": [], "next_token": 5}')
    with pytest.raises(NeedsMending, match="its pages do not end"):
        ask(server)


def test_an_answer_without_an_end_is_cut_off(server: OuraServer) -> None:
    server.troubles["*"] = Trouble(body=b" " * 8_000_001)
    with pytest.raises(NeedsMending, match="bigger than 8 MB"):
        ask(server)


def test_a_redirect_is_not_followed_with_the_token(server: OuraServer) -> None:
    server.troubles["*"] = Trouble(302, headers={"location": f"{server.url}/elsewhere"})
    with pytest.raises(NeedsMending, match="answered 302"):
        ask(server)
    assert len(server.asked) == 3
