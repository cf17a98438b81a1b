"""What could not be read: what it covers, how it is named, and what another collect tells of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cedarchest.model.unread import is_unread, named, still_unread, unread_above

PATHS = some.frozensets(
    some.lists(some.sampled_from([b"a", b"b", b"cc"]), min_size=1, max_size=4).map(b"/".join), max_size=12
)


@pytest.mark.parametrize(
    ("path", "above"),
    [(b"a", b"a"), (b"a/b/c", b"a"), (b"ab", b""), (b"c/d", b"c/d"), (b"c", b""), (b"", b"")],
)
def test_a_path_is_unread_at_or_below_what_was(path: bytes, above: bytes) -> None:
    unread = {b"a", b"c/d"}
    assert (unread_above(path, unread), is_unread(path, unread)) == (above, bool(above))
    assert not is_unread(path, ())


def test_what_is_below_another_path_is_not_named() -> None:
    assert named([b"d/x", b"d", b"d/x/y", b"e/f", b"d.x"]) == (b"d", b"d.x", b"e/f")


def test_too_many_paths_are_named_by_their_folders() -> None:
    many = [b"home/ann/%03d" % number for number in range(200)]
    assert named([*many, b"etc/shadow"], 100) == (b"etc/shadow", b"home/ann")
    assert named([b"n%03d" % number for number in range(200)], 100)[0] == b"n000"


@given(PATHS, some.integers(0, 60))
def test_whatever_is_named_covers_all_that_was_unread(paths: frozenset[bytes], most_bytes: int) -> None:
    assert all(is_unread(path, named(paths, most_bytes)) for path in paths)


@given(PATHS, PATHS, PATHS)
def test_what_stays_unread_is_what_neither_could_read(
    left: frozenset[bytes], unread: frozenset[bytes], paths: frozenset[bytes]
) -> None:
    both = still_unread(left, unread)
    for path in paths:
        assert is_unread(path, both) == (is_unread(path, left) and is_unread(path, unread))
