"""Which fields contradict each other, and which defaults concern which job?"""

from __future__ import annotations

import pytest

from jarvis.core import contradictions
from jarvis.core.job import JobSpec

PYTHON = {"run": "x"}
PROGRAM = {"command": "ls"}


def clashes(body: dict[str, object], *, python: bool) -> list[tuple[str | int, ...]]:
    spec = JobSpec.model_validate(body)
    return [path for path, _, _ in contradictions.clashes(spec, body, python=python)]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ()),
        ({"run": None, "command": None}, ()),
        ({"run": "x", "command": "ls"}, ("command",)),
        ({"command": "ls", "with": {"a": 1}}, ("with",)),
    ],
)
def test_a_job_is_a_handler_or_a_command(body: dict[str, object], path: tuple[str, ...]) -> None:
    clash = contradictions.which(body)
    assert clash is not None and clash[0] == path


@pytest.mark.parametrize(
    "body", [PYTHON, PROGRAM, {"run": "x", "with": {"a": 1}}, {"command": "ls", "with": {}}]
)
def test_one_of_them_is_enough(body: dict[str, object]) -> None:
    assert contradictions.which(body) is None


@pytest.mark.parametrize(
    ("body", "python", "expected"),
    [
        pytest.param({**PROGRAM, "in": "thread"}, False, [("in",)], id="a program in a thread"),
        pytest.param({**PYTHON, "in": "thread"}, True, [], id="a Python handler in a thread"),
        pytest.param({**PYTHON, "in": "thread", "output": {"cap": "1MB"}}, True, [], id="a cap in a thread"),
        pytest.param(
            {**PYTHON, "in": "thread", "output": {"stderr": "discard"}},
            True,
            [("output", "stderr")],
            id="an output file",
        ),
        pytest.param({**PYTHON, "stdin": "x"}, True, [("stdin",)], id="stdin of a Python handler"),
        pytest.param({**PROGRAM, "service": {}}, False, [], id="a service"),
        pytest.param(
            {**PROGRAM, "service": {}, "every": "1h"}, False, [("every",)], id="a service with a schedule"
        ),
        pytest.param(
            {**PROGRAM, "service": {}, "schedules": [{"start": "boot"}]},
            False,
            [("schedules",)],
            id="a service with schedules",
        ),
        pytest.param({**PROGRAM, "service": {}, "retry": {}}, False, [], id="an empty retry of a service"),
        pytest.param(
            {**PROGRAM, "service": {}, "retry": {"times": 1}},
            False,
            [("retry",)],
            id="a service with a retry",
        ),
        pytest.param(
            {**PROGRAM, "service": {}, "max_instances": 2},
            False,
            [("max_instances",)],
            id="a service many times",
        ),
        pytest.param(
            {**PROGRAM, "service": {"wait": "1m", "max_wait": "1s"}},
            False,
            [("service", "max_wait")],
            id="a service whose waits are turned round",
        ),
        pytest.param(
            {**PYTHON, "process": {"login_shell": True}}, True, [("process", "login_shell")], id="its shell"
        ),
        pytest.param({**PROGRAM, "process": {"shell": "/bin/bash"}}, False, [], id="a shell for a text"),
        pytest.param(
            {"command": ["ls"], "process": {"shell": "/bin/sh"}},
            False,
            [("process", "shell")],
            id="a shell for words",
        ),
        pytest.param(
            {"run": "command", "with": {"command": "ls"}, "process": {"shell": "/bin/sh"}},
            False,
            [],
            id="a program's shell",
        ),
        pytest.param({**PROGRAM, "min_spacing": "0s"}, False, [("min_spacing",)], id="a spacing of zero"),
        pytest.param({**PROGRAM, "misfire_grace": "0s"}, False, [("misfire_grace",)], id="a grace of zero"),
        pytest.param(
            {**PROGRAM, "lock": "a", "overlap": "allow"}, False, [("lock",)], id="a lock that allows"
        ),
        pytest.param(
            {**PROGRAM, "lock": "a", "overlap": "allow", "max_instances": 1},
            False,
            [],
            id="a lock that allows one",
        ),
        pytest.param({**PROGRAM, "overlap": "allow", "max_instances": 5}, False, [], id="five are allowed"),
        pytest.param(
            {**PROGRAM, "catch_up": {"run": "all", "after": "sleep"}}, False, [], id="all after sleep"
        ),
    ],
)
def test_contradictions_are_found_and_nothing_else(
    body: dict[str, object], python: bool, expected: list[tuple[str, ...]]
) -> None:
    assert clashes(body, python=python) == expected


@pytest.mark.parametrize("name", contradictions.OF_A_PROCESS)
def test_a_thread_has_nothing_of_a_process(name: str) -> None:
    values: dict[str, object] = {
        "process": {"nice": 1}, "env": {"A": "b"}, "env_file": ".env", "cwd": "/", "stdin": "x", "success_codes": [1],
        "detach": True, "before": [], "after": [],
    }  # fmt: skip
    assert clashes({**PYTHON, "in": "thread", name: values[name]}, python=True) == [(name,)]


def test_a_default_is_no_contradiction() -> None:
    spec = JobSpec.model_validate({**PYTHON, "in": "thread", "cwd": "/"})
    assert list(contradictions.clashes(spec, {**PYTHON, "in": "thread"}, python=True)) == []


DEFAULTS = {
    "in": "thread", "cwd": "/", "stdin": "x", "process": {"nice": 1, "shell": "/bin/sh"}, "timeout": "1h",
    "output": {"cap": "1MB", "stdout": "discard"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("python", "thread", "expected"),
    [
        pytest.param(
            False, False, {name: value for name, value in DEFAULTS.items() if name != "in"}, id="a program"
        ),
        pytest.param(
            True,
            False,
            {**DEFAULTS, "process": {"nice": 1}, "stdin": None},
            id="a Python handler in a process",
        ),
        pytest.param(
            True,
            True,
            {**DEFAULTS, "cwd": None, "process": None, "stdin": None, "output": {"cap": "1MB"}},
            id="in a thread",
        ),
    ],
)
def test_only_defaults_that_can_apply_are_applied(
    python: bool, thread: bool, expected: dict[str, object]
) -> None:
    kept = contradictions.concerning(DEFAULTS, python=python, thread=thread)
    assert kept == {name: value for name, value in expected.items() if value is not None}
