"""Maps of what could be read: their text, and what several drives make of a disc together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.mapfile import BlockState, DiscMap, Stretch, format_mapfile, parse_mapfile
from cedarchest.model.media import BLOCK

END = 60
Marks = list[tuple[int, int, BlockState]]
marks = st.lists(st.tuples(st.integers(0, END), st.integers(0, 20), st.sampled_from(BlockState)), max_size=12)


def marked(given_marks: Marks, first: int = 0, end: int = END) -> DiscMap:
    made = DiscMap(first, end)
    for each in given_marks:
        made.mark(*each)
    return made


def states(found: DiscMap) -> list[BlockState]:
    return [found.state(block) for block in range(END)]


@given(marks)
def test_a_map_says_of_each_block_what_was_marked_last(
    given_marks: Marks,
) -> None:
    found = marked(given_marks)
    plain = [BlockState.UNTRIED] * END
    for first, blocks, state in given_marks:
        for block in range(first, min(first + blocks, END)):
            plain[block] = state
    assert states(found) == plain
    stretches = list(found)
    assert [each for part in stretches for each in [part.state] * part.blocks] == plain
    assert all(a.state != b.state for a, b in itertools.pairwise(stretches))


@given(marks, st.integers(0, END), st.integers(0, END))
def test_what_is_missing_is_all_that_was_not_read(given_marks: Marks, first: int, last: int) -> None:
    found = marked(given_marks)
    missing = [block for begin, end in found.missing(first, last) for block in range(begin, end + 1)]
    unread = [n for n, state in enumerate(states(found)) if state is not BlockState.READ]
    assert missing == [block for block in unread if first <= block <= last]
    if first < last:
        assert found.is_read(first, last - first) == (not found.missing(first, last - 1))


def test_blocks_beyond_a_map_are_not_read() -> None:
    found = marked([(0, END, BlockState.READ)])
    assert found.is_read(0, END)
    assert not found.is_read(END - 1, 2)


@given(marks, st.lists(st.text(max_size=20), max_size=3))
def test_what_is_written_reads_back(given_marks: Marks, said: list[str]) -> None:
    found = marked(given_marks)
    again, comments = parse_mapfile(format_mapfile(found, said))
    assert again == found
    assert [" ".join(each.split()) for each in said] == list(comments[1 : 1 + len(said)])


@given(marks, marks, st.integers(0, END), st.integers(0, END))
def test_merging_goes_both_ways_and_loses_no_block_that_was_read(
    ones: Marks, others: Marks, first: int, end: int
) -> None:
    one, other = marked(ones), marked(others, first, end)
    both = one.merged(other)
    assert both == other.merged(one)
    assert both.merged(one) == both
    for mine, theirs, together in zip(states(one), states(other), states(both), strict=True):
        assert (together is BlockState.READ) == (BlockState.READ in (mine, theirs))


@given(marks, marks, marks)
def test_it_does_not_matter_which_drives_are_merged_first(
    a: Marks,
    b: Marks,
    c: Marks,
) -> None:
    one, two, three = marked(a), marked(b), marked(c)
    assert one.merged(two).merged(three) == one.merged(two.merged(three))


@given(marks, marks)
def test_of_one_drive_what_it_tried_later_counts(before: Marks, after: Marks) -> None:
    found = marked(before).renewed(marked(after))
    for old, new, now in zip(states(marked(before)), states(marked(after)), states(found), strict=True):
        assert now == (old if new is BlockState.UNTRIED else new)


def test_a_map_of_nothing_is_one_all_the_same() -> None:
    assert parse_mapfile(format_mapfile(DiscMap(0, 0)))[0] == DiscMap(0, 0)


def test_a_block_that_is_read_in_part_only_is_not_read() -> None:
    text = f"0 ? 1\n0 {BLOCK + 512} +\n{BLOCK + 512} 512 -\n{BLOCK + 1024} {3 * BLOCK - 1024} +\n"
    assert list(parse_mapfile(text)[0]) == [
        Stretch(0, 1, BlockState.READ), Stretch(1, 1, BlockState.BAD), Stretch(2, 2, BlockState.READ)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no line of its status"),
        ("# nothing\n", "no line of its status"),
        ("0 x\n", "line 1: this is no status"),
        ("0 ?\n0 2048\n", "line 2: this is no position"),
        ("0 ?\n0 2048 x\n", "line 2: this is no position"),
        ("0 ?\n0 -1 +\n", "is no number"),
        ("0 ?\n0 0 +\n", "no disc has such a place"),
        ("0 ?\n0 0xFFFFFFFFFFFFFFFF +\n", "no disc has such a place"),
        ("0 ?\n0 2048 +\n0 2048 +\n", "line 3: it does not begin where"),
        ("0 ?\n0 2048 +\n8192 2048 +\n", "line 3: it does not begin where"),
        ("0 ?\n08 2048 +\n", "line 2"),
        ("\x00\x01\x02", "line 1"),
    ],
)
def test_what_is_no_mapfile_is_said_so(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_mapfile(text)
