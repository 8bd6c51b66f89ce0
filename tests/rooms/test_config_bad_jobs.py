"""Is every bad file refused with the right words at the right place, and nothing else?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rooms import bad_jobs, config_files

CASES = [pytest.param(text, expected, id=what) for what, text, expected in bad_jobs.TABLE]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_bad_file_is_refused_with_one_sentence_for_each_slip(
    tmp_path: Path, text: str | bytes, expected: list[str]
) -> None:
    assert config_files.problems(tmp_path, text) == expected


def test_the_table_names_every_slip_once_and_is_long() -> None:
    names = [what for what, _, _ in bad_jobs.TABLE]
    assert len(set(names)) == len(names) >= 70


def test_everything_wrong_is_said_at_once_in_file_order(tmp_path: Path) -> None:
    text = """\
slots: {process: 0}
jobs:
  first:
    command: ls
    timeout: soon
    enabled: yes
    at: 22:30
  second: {run: certifcate, retry: {tims: 3, wait: 5}}
  First: {command: ls}
"""
    assert [said.split(" ")[0] for said in config_files.problems(tmp_path, text)] == [
        "jobs.yaml:1:18:",
        "jobs.yaml:5:14:",
        "jobs.yaml:6:14:",
        "jobs.yaml:7:9:",
        "jobs.yaml:8:17:",
        "jobs.yaml:8:37:",
        "jobs.yaml:8:52:",
        "jobs.yaml:9:3:",
    ]
