"""Which changes count, and when do they make a job due?"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core import changes
from jarvis.core.changes import THROTTLE, Filter, Pending
from jarvis.core.when import Watch

MICRO = timedelta(microseconds=1)
AN_HOUR = timedelta(hours=1)
DEFAULTS = Watch(paths="x")


def seconds(number):
    return timedelta(seconds=number)


def due(*moments):
    """When changes at these moments (seconds) make a job with the default numbers due."""
    pending = None
    for moment in moments:
        pending = changes.more(pending, AN_HOUR + seconds(moment))
    return (pending.due_at(DEFAULTS.debounce, DEFAULTS.max_wait) - AN_HOUR).total_seconds()


def test_a_change_waits_two_seconds_of_quiet():
    assert due(0) == 2.0


def test_every_further_change_begins_the_quiet_anew():
    assert due(0, 1.999) == 3.999
    assert due(0, 1.0, 2.5, 4.0) == 6.0


def test_continuous_changes_are_a_fire_after_thirty_seconds_all_the_same():
    assert due(*range(28)) == 29.0
    assert due(*range(29)) == 30.0
    assert due(*range(300)) == 30.0


def test_the_longest_wait_is_never_shorter_than_the_debounce():
    assert Pending(AN_HOUR, AN_HOUR).due_at(seconds(60), seconds(30)) == AN_HOUR + seconds(60)


def test_a_change_that_was_made_earlier_than_another_counts_from_when_it_was_made():
    assert changes.more(Pending(seconds(5), seconds(5)), seconds(3)) == Pending(seconds(3), seconds(5))


@pytest.mark.parametrize(
    ("since", "wait"),
    [
        (THROTTLE - MICRO, MICRO),
        (THROTTLE, timedelta(0)),
        (THROTTLE + MICRO, timedelta(0)),
    ],
    ids=["just below ten seconds", "exactly ten seconds", "just above"],
)
def test_a_state_that_goes_on_starts_its_job_again_after_ten_seconds(since, wait):
    assert seconds(10) == THROTTLE
    now = AN_HOUR + since
    assert changes.not_before(now, AN_HOUR) - now == wait


def test_a_state_that_is_new_does_not_wait_for_the_throttle():
    assert changes.not_before(AN_HOUR, None) == AN_HOUR


@pytest.mark.parametrize(
    ("globs", "path", "counts"),
    [
        ([], "any/thing.txt", True),
        (["*.pdf"], "a.pdf", True),
        (["*.pdf"], "deep/down/a.pdf", True),
        (["*.pdf"], "a.pdf.part", False),
        (["*.PDF"], "a.pdf", False),
        (["src/*.py"], "src/a.py", True),
        (["src/*.py"], "src/sub/a.py", False),
        (["src/*.py"], "other/src/a.py", False),
        (["src/**/*.py"], "src/sub/deep/a.py", True),
        (["src/**/*.py"], "src/a.py", True),
        (["**/test_*.py"], "test_a.py", True),
        (["src/**"], "src/a/b", True),
        (["src/**"], "src", False),
        (["/a.txt"], "a.txt", True),
        (["/a.txt"], "sub/a.txt", False),
        (["[ab]?.txt"], "a1.txt", True),
        (["[!ab]*"], "a1", False),
        (["[!ab]*"], "c1", True),
        (["[x"], "[x", True),
        (["a+(b)$"], "a+(b)$", True),
        (["*.md", "*.txt"], "b.txt", True),
        (["*"], "strange\nname", True),
    ],
)  # fmt: skip
def test_globs(globs, path, counts):
    assert Filter(globs=globs).counts(path) is counts


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[z-a].md", "bad character range"),
        ("notes/[ab", "has no ]"),
        ("*.{md,txt}", "braces are not known"),
        ("../*.md", "matches nothing"),
    ],
    ids=["a range that runs backwards", "an open bracket", "braces", "above the folder"],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern, why):
    with pytest.raises(ValueError, match=why):
        changes.readable(pattern)


@pytest.mark.parametrize(
    "pattern", ["[[]x", "[]a]", "[!a]", "[!]]", "a{1}", "/top.md", "src/**/[ab]?.py", "..."]
)
def test_a_pattern_that_can_be_meant_is_taken(pattern):
    assert changes.readable(pattern) == pattern


def test_set_operators_inside_brackets_are_letters(recwarn):
    assert Filter(globs=["[a&&b]"]).counts("&")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("ignore", "path", "counts"),
    [
        ([".git"], ".git/objects/ab", False),
        ([".git"], "sub/.git/HEAD", False),
        ([".git"], ".gitignore", True),
        (["*.tmp"], "a/b.tmp", False),
        (["build/*"], "build/a/b", False),
        (["build/*"], "other/build/a", True),
        (["a/**/z"], "a/b/c/z/inside", False),
    ],
)
def test_what_is_ignored_is_so_with_all_that_is_in_it(ignore, path, counts):
    assert Filter(ignore=ignore).counts(path) is counts
    assert Filter(ignore=ignore, globs=["*"]).counts(path) is counts


def test_a_mark_is_another_one_for_another_name_time_size_or_inode():
    marks = {changes.mark(*one) for one in (
        ("a", 1, 1, 1), ("b", 1, 1, 1), ("a", 2, 1, 1), ("a", 1, 2, 1), ("a", 1, 1, 2), ("a\udcff", 1, 1, 1),
    )}  # fmt: skip
    assert len(marks) == 6
    # The same in every process, unlike hash().
    assert changes.mark("a", 1, 1, 1) == 0x3894004E179251CBFC536629B9213968


@given(st.lists(st.integers(0, (1 << 128) - 1), max_size=6), st.randoms())
def test_a_total_does_not_depend_on_the_order(marks, shuffled):
    other = list(marks)
    shuffled.shuffle(other)
    assert changes.total(marks) == changes.total(other)


def test_a_cause_names_a_hundred_paths_and_only_what_can_be_stored():
    assert len(changes.named(f"{n:03}" for n in range(101))) == 100
    assert len(changes.named("x" * 158 + f"{n:02}" for n in range(100))) == 100, "16,000 bytes"
    assert len(changes.named("x" * 159 + f"{n:02}" for n in range(100))) == 99
    assert changes.named(["b", "a\udcff"]) == ["a\\udcff", "b"]
