"""What becomes of rows that two sides changed?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core import rows


def table(**values):
    return {f'["{key}"]': {"id": key, "value": value} for key, value in values.items()}


BASE = table(a=1, b=1, c=1)


@pytest.mark.parametrize(
    ("local", "remote", "wanted"),
    [
        (table(a=2, b=1, c=1), BASE, table(a=2, b=1, c=1)),
        (BASE, table(a=2, b=1, c=1), table(a=2, b=1, c=1)),
        (table(a=2, b=1, c=1), table(a=1, b=2, c=1), table(a=2, b=2, c=1)),
        (table(a=2, b=1, c=1), table(a=2, b=1, c=1), table(a=2, b=1, c=1)),
        (table(a=1, b=1, c=1, d=1), table(a=1, b=1, c=1, e=1), table(a=1, b=1, c=1, d=1, e=1)),
        (table(a=1, b=1), BASE, table(a=1, b=1)),
        (BASE, table(b=1, c=1), table(b=1, c=1)),
        (table(a=1, b=1), table(b=1, c=1), table(b=1)),
    ],
    ids=[
        "here",
        "there",
        "different rows",
        "the same",
        "both added",
        "removed here",
        "removed there",
        "both removed",
    ],
)
def test_a_change_that_only_one_side_made_is_taken(local, remote, wanted):
    merged = rows.merge(BASE, local, remote)
    assert (dict(merged.rows), merged.conflicts) == (wanted, ())


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        (table(a=2, b=1, c=1), table(a=3, b=1, c=1)),
        (table(b=1, c=1), table(a=3, b=1, c=1)),
        (table(a=2, b=1, c=1), table(b=1, c=1)),
    ],
    ids=["changed twice", "removed here, changed there", "changed here, removed there"],
)
def test_a_row_that_both_sides_changed_is_a_conflict_unless_one_is_preferred(local, remote):
    assert rows.merge(BASE, local, remote).conflicts == ('["a"]',)
    for prefer, wanted in (("local", local), ("remote", remote)):
        merged = rows.merge(BASE, local, remote, prefer)
        assert (dict(merged.rows), merged.conflicts) == (wanted, ())


tables = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)).map(lambda made: table(**made))


@given(tables, tables, tables)
def test_merging_is_the_same_from_both_sides(base, local, remote):
    here, there = rows.merge(base, local, remote), rows.merge(base, remote, local)
    assert here.conflicts == there.conflicts
    if not here.conflicts:
        assert here.rows == there.rows


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers() | st.none())))
def test_what_is_written_can_be_read(made):
    assert rows.parse(rows.written(made)) == made


def test_rows_are_in_the_order_of_their_keys_numbers_as_numbers():
    made = rows.keyed([{"id": 10}, {"id": 9}, {"id": "x"}, {"id": -1}], ["id"])
    assert [row["id"] for row in rows.ordered(made)] == [-1, 9, 10, "x"]


@pytest.mark.parametrize(
    ("text", "why"),
    [("{\n", "line 1 is not JSON"), ('{"a": 1}\n[1]\n', "line 2 holds a list, not an object")],
)
def test_what_is_no_row_is_named_with_its_line(text, why):
    with pytest.raises(ValueError, match=why):
        rows.parse(text)


def test_keys_have_to_tell_rows_apart():
    with pytest.raises(ValueError, match="two rows have the key"):
        rows.keyed([{"id": 1}, {"id": 1}], ["id"])
    with pytest.raises(ValueError, match="no 'id'"):
        rows.keyed([{"name": 1}], ["id"])
