"""What an edit of jobs.yaml changes, and when it needs a confirmation."""

from __future__ import annotations

import pytest

from jarvis.core.plan import Plan, plan, too_many_gone


@pytest.mark.parametrize(
    ("old", "new", "expected", "said"),
    [
        pytest.param({}, {}, Plan(), "0 unchanged", id="nothing"),
        pytest.param({"a": "1"}, {"a": "1"}, Plan(unchanged=1), "1 unchanged", id="nothing changed"),
        pytest.param({}, {"b": "1", "a": "1"}, Plan(added=("a", "b")), "2 added, 0 unchanged", id="added"),
        pytest.param({"a": "1"}, {"a": "2"}, Plan(changed=("a",)), "1 changed, 0 unchanged", id="changed"),
        pytest.param({"a": "1"}, {}, Plan(removed=("a",)), "1 removed, 0 unchanged", id="removed"),
        pytest.param(
            {"a": "1", "b": "1", "c": "1"},
            {"a": "1", "b": "2", "d": "1"},
            Plan(added=("d",), changed=("b",), removed=("c",), unchanged=1),
            "1 added, 1 changed, 1 removed, 1 unchanged",
            id="everything at once",
        ),
        pytest.param(
            {"old": "1"},
            {"new": "1"},
            Plan(added=("new",), removed=("old",)),
            "1 added, 1 removed, 0 unchanged",
            id="a new name is a new job",
        ),
    ],
)
def test_two_sets_of_jobs_are_compared(
    old: dict[str, str], new: dict[str, str], expected: Plan, said: str
) -> None:
    found = plan(old, new)
    assert found == expected
    assert str(found) == said
    assert found.empty == (old == new)


def jobs(count: int) -> dict[str, str]:
    return {f"job{number:02}": "1" for number in range(count)}


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        pytest.param(10, 10, False, id="none gone"),
        pytest.param(10, 8, False, id="a fifth gone"),
        pytest.param(10, 7, True, id="more than a fifth gone"),
        pytest.param(1, 0, True, id="the only one gone"),
        pytest.param(0, 0, False, id="there was nothing"),
        pytest.param(0, 10, False, id="a first file"),
        pytest.param(1000, 0, True, id="all gone"),
    ],
)
def test_a_mass_disappearance_needs_a_confirmation(before: int, after: int, refused: bool) -> None:
    assert (too_many_gone(plan(jobs(before), jobs(after)), before) is not None) is refused


def test_the_refusal_names_some_jobs_and_the_way_out() -> None:
    assert too_many_gone(plan(jobs(10), jobs(3)), 10) == (
        "7 of 10 jobs would disappear (job03, job04, job05, job06, job07 ...); nothing was changed. "
        "If that is meant, say 'jarvis reload --confirm'"
    )
