"""Is a test that did not run ever taken for one that passed? (conftest's promise, tried on a small suite)"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SUITE = """
import pytest

def test_runs(): pass

@pytest.mark.needs("a-program-nobody-has")
def test_lacks_a_program(): pass

@pytest.mark.skip(reason="too tired")
def test_does_not_feel_like_it(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_is_known_to_fail(): assert False

@pytest.mark.slow
def test_takes_seconds(): pass

@pytest.mark.campaign
def test_takes_minutes(): pass
"""
MARKS = "[pytest]\nmarkers =\n    slow: x\n    campaign: x\n    needs(tool): x\n"


def run_suite(folder: Path, *arguments: str, ci: bool, text: str = SUITE) -> str:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text(MARKS)
    (folder / "test_small.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-ra", *arguments]
    told = subprocess.run(
        command, cwd=folder, env=environment | ({"CI": "true"} if ci else {}), capture_output=True, text=True
    )
    return told.stdout + told.stderr


def test_at_home_what_cannot_run_is_skipped_with_a_sentence(tmp_path: Path) -> None:
    told = run_suite(tmp_path, ci=False)
    assert "1 passed, 2 skipped, 2 deselected, 1 xfailed" in told
    assert "a-program-nobody-has is not on this machine" in told


def test_where_ci_is_true_a_skipped_test_has_failed(tmp_path: Path) -> None:
    told = run_suite(tmp_path, ci=True)
    assert "2 passed, 1 deselected, 1 xfailed, 2 errors" in told
    assert "test_does_not_feel_like_it was skipped where CI=true: too tired" in told


def test_where_ci_is_true_a_file_that_skips_itself_has_failed(tmp_path: Path) -> None:
    text = "import pytest\npytest.importorskip('a_module_nobody_has')\ndef test_it(): pass\n"
    told = run_suite(tmp_path, ci=True, text=text)
    assert "was skipped where CI=true" in told
    assert "1 error" in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--all"], "3 passed", id="--all takes everything"),
        pytest.param(["-m", "slow"], "1 passed", id="a mark that is asked for"),
        pytest.param(["test_small.py::test_takes_minutes"], "1 passed", id="a test that is named"),
        pytest.param(["test_small.py"], "1 passed", id="a file leaves the long ones out"),
    ],
)
def test_long_tests_run_when_they_are_asked_for(tmp_path: Path, arguments: list[str], expected: str) -> None:
    assert expected in run_suite(tmp_path, *arguments, ci=False)
