"""Which cron texts are refused, with which words, and what is said about those that are accepted?"""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jarvis.core import schedule
from jarvis.core.schedule import ScheduleError

_SOME_DAY = datetime(2026, 3, 2)  # noqa: DTZ001 - local on purpose

REFUSED = [
    ("", None, "write for example 30 2 * * *"),
    ("   \t ", None, "write for example 30 2 * * *"),
    ("* * * *", 1, "4 fields where cron needs five"),
    ("hourly", 1, "1 field where cron needs five"),
    ("0 0 12 * * ? 2026", 14, "from: and until:"),
    ("60 * * * *", 1, "write * or 0 to 59"),
    ("* 24 * * *", 3, "write * or 0 to 23"),
    ("* * 0 * *", 5, "write * or 1 to 31"),
    ("* * 32 * *", 5, "write * or 1 to 31"),
    ("* * * 0 *", 7, "write * or 1 to 12 or jan to dec"),
    ("* * * 13 *", 7, "write * or 1 to 12 or jan to dec"),
    ("* * * * 8", 9, "write * or 0 to 7 or sun to sat"),
    ("  * *   * * 8", 13, "write * or 0 to 7 or sun to sat"),
    ("60 * * * * *", 1, "second '60' is out of range"),
    ("5/15 * * * *", 1, "write 5-59/15, or 5 alone"),
    ("0 0 * * mon/2", 9, "write mon-7/2, or mon alone"),
    ("50-10 * * * *", 1, "write 50-59,0-10"),
    ("1,50-10 * * * *", 3, "runs backwards and would never fire"),
    ("0 22-2 * * *", 3, "write 22-23,0-2"),
    ("0 0 * * fri-sun", 9, "write 5-7"),
    ("0 0 * * fri-mon", 9, "write 5-7,1"),
    ("0 0 31 2 *", 5, "day 31 never comes in Feb"),
    ("0 0 30 2 *", 5, "write a day up to 29"),
    ("0 0 31 4,jun *", 5, "day 31 never comes in Apr or Jun"),
    ("0 0 31 2 */2", 5, "day 31 never comes in Feb"),
    ("0 0 L * *", 5, "write 28-31"),
    ("0 0 LW * *", 5, "the last day (L) is not supported"),
    ("0 0 15W * *", 5, "the nearest weekday (W) is not supported"),
    ("0 0 * * 5L", 9, "the last weekday of a month (5L) is not supported"),
    ("0 0 * * 5#3", 10, "the nth weekday (#) is not supported"),
    ("0 0 ? * *", 5, "write *"),
    ("0~30 * * * *", 2, "random values (~) are not supported"),
    ("H/15 * * * *", 1, "jitter:"),
    ("@reboot", 1, "write start: boot"),
    ("@every 5m", 1, "write every: 5m"),
    ("@dayly", 1, "write @daily"),
    ("@daily backup", 8, "write @daily alone"),
    ("CRON_TZ=Europe/London 0 0 * * *", 1, "write timezone: Europe/London"),
    ("0 5 * * * root", 11, "write the command in command:"),
    ("0 5 * * * /usr/bin/true -x", 11, "write the command in command:"),
    ("1,,2 * * * *", 3, "a value is missing"),
    (", * * * *", 1, "a value is missing"),
    ("*/0 * * * *", 1, "a step of 0 never moves on"),
    ("*/99999999999 * * * *", 1, "too large"),
    ("*/x * * * *", 2, "the step is not a number"),
    ("*5 * * * *", 1, "only a step may follow *"),
    ("*-5 * * * *", 1, "only a step may follow *"),
    ("*/2/3 * * * *", 2, "one step is enough"),
    ("5- * * * *", 1, "does not fit the minute field"),
    ("0 2:30 * * *", 3, "does not fit the hour field"),
    ("0 0 * janu *", 7, "write jan"),
    ("0 0 * * monday", 9, "write mon"),
    ("0 0 * mon *", 7, "mon belongs in the day-of-week field"),
    ("0 0 * * jul", 9, "jul belongs in the month field"),
    ("\u0663 * * * *", 1, "plain ASCII"),
    ("0\u00a00 * * *", 1, "4 fields"),
    ("* " * 600, None, "too long"),
]


@pytest.mark.parametrize(("text", "column", "said"), REFUSED, ids=[repr(case[0][:30]) for case in REFUSED])
def test_a_text_that_cannot_be_meant_is_refused_with_column_and_remedy(
    text: str, column: int | None, said: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule.check(text)
    error = caught.value
    assert said in str(error)
    assert error.column == column
    assert error.hint
    assert str(error).startswith(f"column {column}: " if column else error.message)


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/70 * * * *",
        "*,5 * * * *",
        "05 04 * * *",
        "\t0  0 * * *\n",
        "0-59/7,3 0-23 1-31 1-12 0-7",
        "0 0 31 2 5",
        "0 0 31 1,2 *",
        "0 0 * APR-aug,6-Jul 4,Wed-7",
        "0 0 * * sat-7",
        "0 0 29 2 */7",
        "*/5 * * * * *",
        "@Daily",
    ],
)
def test_what_debian_runs_is_accepted(text: str) -> None:
    schedule.check(text)
    assert schedule.parse_cron(text, "UTC").next(schedule.instant(_SOME_DAY, "UTC"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 9 1 * 5", ["runs on the 1st OR on Fridays: with both day fields set one is enough"]),
        ("0 9 1,15 * */5", ["runs on the 1st, 15th AND only on Sundays, Fridays"]),
        ("0 0 31 * *", ["never runs in Feb, Apr, Jun, Sep, Nov: no day 31 there"]),
        ("0 0 29 2 *", ["runs in leap years only"]),
        ("*/35 * * * *", ["/35 starts again with every hour: minute 0, 35"]),
        ("0 */7 * * *", ["/7 starts again with every day: hour 0, 7, 14, 21"]),
        ("0 0 */2 * *", ["/2 starts again with every month: day-of-month 1, 3, 5 … 31"]),
        ("0 0 * * */2", ["/2 starts again with every week: day-of-week Sun, Tue, Thu, Sat"]),
        ("*/70 * * * *", ["a step of 70 leaves only the first minute, 0"]),
        ("* 2 * * *", ["runs every minute of hour 2; for once an hour write 0 2"]),
        ("30 2 * * *", []),
        ("*/15 8-18 * * mon-fri", []),
        ("* * * * *", []),
        ("0 0 * * */7", []),
        ("@monthly", []),
    ],
)
def test_what_surprises_people_is_said(text: str, said: list[str]) -> None:
    found = schedule.warnings(text)
    assert len(found) >= len(said)
    assert all(any(line.startswith(part) for line in found) for part in said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("30 2 * * *", "At 02:30 every day"),
        ("@weekly", "At 00:00 on Sunday"),
        ("0 9 1 * 5", "At 09:00 on the first day of month or on Friday"),
        ("0 9 */2 * 1", "At 09:00 on every second day of month if it's on Monday"),
        ("0 0 21,31 * *", "At 00:00 on the 21st and the 31st day of month"),
        ("*/70 * * * *", "At the start of every hour"),
        ("*/10 * * * * *", "Every 10th second of every minute"),
    ],
)
def test_the_schedule_is_said_in_english(text: str, english: str) -> None:
    assert schedule.parse_cron(text, "UTC").explain() == english


def test_warnings_of_a_text_that_cannot_run_raise_like_the_check() -> None:
    with pytest.raises(ScheduleError, match="column 1"):
        schedule.warnings("61 * * * *")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Europe/Lodnon", "Europe/London"),
        ("London", "did you mean Europe/London?"),
        ("europe/london", "did you mean Europe/London?"),
        ("New York", "America/New_York"),
        ("+02:00", "write Etc/GMT-2"),
        ("UTC-5", "write Etc/GMT+5"),
        ("", "Europe/London"),
        ("../../etc/passwd", "there is no time zone"),
        ("a\0b", "there is no time zone"),
        ("America", "there is no time zone"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_names(name: str, said: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule.parse_cron("0 0 * * *", name)
    assert said in str(caught.value)


_PIECES = "* */5 */0 0 1 7 1,2 5-1 1-5/2 fri JAN-mar L 15W 5#3 ? ~ H @daily % , / - 9999999999999 TZ=x"
_WORDS = st.sampled_from([*_PIECES.split(), "ſun", "٣", "\0", "é"])
_NEARLY = st.lists(_WORDS | st.text(alphabet="*/,-0123456789monfriJANLW#?~@ ", max_size=6), max_size=8)


@settings(max_examples=200)
@given(st.text(max_size=40) | _NEARLY.map(" ".join))
@example("@")
@example("\ud800 * * * *")
@example("0 0 * * " + "1" * 5000)
@example("0 0 * * *,")
def test_no_text_raises_anything_but_the_schedules_own_error(text: str) -> None:
    try:
        schedule.check(text)
    except ScheduleError as error:
        assert str(error)
    else:
        assert schedule.english(text)
        assert isinstance(schedule.warnings(text), list)
        assert schedule.parse_cron(text, "UTC").next(schedule.instant(_SOME_DAY, "UTC"))


@settings(max_examples=40)
@given(st.text(max_size=20))
@example("\ud800")
@example("x" * 5000)
def test_no_zone_name_raises_anything_but_the_schedules_own_error(name: str) -> None:
    try:
        schedule.find_zone(name)
    except ScheduleError as error:
        assert str(error)
