"""`health`: this machine's readings against limits."""

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from jarvis import testing
from jarvis.handling import catalogue, mount

HEALTH = mount.load(catalogue.shipped() / "health.py")
Reading = HEALTH.function.__globals__["Reading"]
QUIET = {
    f"{name}_{level}": None
    for name in ("disk", "memory", "swap", "load", "battery", "temperature")
    for level in ("warning", "critical")
} | {"clock": None}


def health(**values):
    return testing.run_handler("health", **values)


def test_without_limits_it_only_measures():
    outcome = health(**QUIET)
    assert outcome.status == "ok" and outcome.alerts == () and outcome.result.startswith("all well")
    assert 0 < outcome.numbers["disk:/"] < 100.1 and 0 < outcome.numbers["memory_available"] < 100.1
    assert outcome.numbers["load_per_core"] >= 0


def test_what_this_machine_does_not_have_is_absent_not_zero():
    numbers = health(**QUIET).numbers
    assert ("battery" in numbers) is (getattr(psutil, "sensors_battery", lambda: None)() is not None)
    assert ("swap" in numbers) is (psutil.swap_memory().total > 0)
    assert 0 not in [numbers[name] for name in ("temperature", "disk:/") if name in numbers]


def test_every_trouble_is_an_alert_with_a_key_of_its_own():
    outcome = health(
        **QUIET | {"disk_warning": 0, "memory_warning": 101, "memory_critical": 101, "load_critical": 0}
    )
    found = {alert.key: alert.severity for alert in outcome.alerts}
    assert found == {"disk:/": "medium", "memory_available": "critical", "load_per_core": "critical"}
    assert outcome.result == "trouble: disk /, available memory, load per core"
    assert "GB free" in outcome.alerts[0].text and "(warning from 0 %)" in outcome.alerts[0].text


def test_a_folder_that_is_not_there_is_said(tmp_path):
    outcome = health(**QUIET, disks=[str(tmp_path), str(tmp_path / "no")])
    (alert,) = outcome.alerts
    assert alert.key == f"disk:{tmp_path / 'no'}" and f"disk:{tmp_path}" in outcome.numbers
    assert f"disk:{tmp_path / 'no'}" not in outcome.numbers


LIMITS = [
    ("high_at_the_limit", 85, False, "medium"),
    ("high_below_the_limit", 84.9, False, None),
    ("high_at_the_critical_one", 95, False, "critical"),
    ("low_at_the_limit", 10, True, None),
    ("low_below_the_limit", 9.9, True, "medium"),
    ("low_below_the_critical_one", 4.9, True, "critical"),
]


@pytest.mark.parametrize(
    ("value", "low", "severity"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS]
)
def test_limits(value, low, severity):
    warning, critical = (10, 5) if low else (85, 95)
    reading = Reading(
        name="x", label="x", value=value, unit=" %", warning=warning, critical=critical, low=low
    )
    assert reading.severity() == severity


DEFAULTS = {
    "disk": ((84.9, None), (85, "medium"), (94.9, "medium"), (95, "critical")),
    "memory": ((10, None), (9.9, "medium"), (5, "medium"), (4.9, "critical")),
    "swap": ((79.9, None), (80, "medium"), (94.9, "medium"), (95, "critical")),
    "load": ((1.99, None), (2, "medium"), (3.99, "medium"), (4, "critical")),
    "battery": ((20, None), (19.9, "medium"), (10, "medium"), (9.9, "critical")),
    "temperature": ((84.9, None), (85, "medium"), (94.9, "medium"), (95, "critical")),
}


@pytest.mark.parametrize(
    ("name", "value", "severity"), [(name, *edge) for name, edges in DEFAULTS.items() for edge in edges]
)
def test_each_part_of_the_machine_has_its_limits_unless_others_are_given(monkeypatch, name, value, severity):
    """A machine in such a state, as psutil tells of it."""
    Told = SimpleNamespace
    monkeypatch.setattr(psutil, "disk_usage", lambda _path: Told(total=100, percent=value, free=1e9))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Told(total=1000, available=value * 10))
    monkeypatch.setattr(psutil, "swap_memory", lambda: Told(total=1, percent=value))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, value * 4, 0.0))
    state = Told(percent=value, power_plugged=False)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: state, raising=False)
    sensors = {"cpu": [Told(current=value)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors, raising=False)
    others = {key: None for key in QUIET if not key.startswith(name)}
    assert [alert.severity for alert in health(**others).alerts] == ([severity] if severity else [])


def test_only_a_critical_limit_is_enough():
    assert Reading(name="x", label="x", value=9, unit="", warning=None, critical=8).severity() == "critical"


@pytest.mark.parametrize("plugged", [True, False])
def test_a_battery_matters_only_while_it_discharges(monkeypatch, plugged):
    state = type("Battery", (), {"percent": 4.0, "power_plugged": plugged})()
    monkeypatch.setattr(psutil, "sensors_battery", lambda: state, raising=False)
    outcome = health(**QUIET | {"battery_warning": 20, "battery_critical": 10})
    assert outcome.numbers["battery"] == 4.0
    assert [alert.severity for alert in outcome.alerts] == ([] if plugged else ["critical"])


def test_the_hottest_sensor_counts_and_dead_ones_do_not(monkeypatch):
    sensor = type("Sensor", (), {})
    sensors = [sensor(), sensor(), sensor()]
    for one, value in zip(sensors, (0.0, 71.04, 45.0), strict=True):
        one.current = value
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"cpu": sensors}, raising=False)
    assert health(**QUIET).numbers["temperature"] == 71.0
    monkeypatch.setattr(psutil, "sensors_temperatures", dict, raising=False)
    assert "temperature" not in health(**QUIET).numbers


@pytest.mark.parametrize(("answer", "severity"), [(False, "low"), (True, None), (None, None)])
def test_a_clock_that_is_not_synchronised(monkeypatch, answer, severity):
    path = catalogue.shipped() / "health.py"
    found = mount.load(path)
    monkeypatch.setitem(found.function.__globals__, "clock_synchronised", lambda: answer)
    ctx = testing.context()
    _, numbers = found.function(ctx, **QUIET | {"clock": "low", "disks": [Path("/")]})
    assert [alert.severity for alert in ctx._alerts] == ([severity] if severity else [])
    assert numbers.get("clock_synchronised") == (None if answer is None else float(answer))


def test_the_kernel_is_asked_about_its_clock():
    assert HEALTH.function.__globals__["clock_synchronised"]() in (True, False, None)
