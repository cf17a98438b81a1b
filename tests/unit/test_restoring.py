"""What a listing says of where contents are, and which sources were still there."""

from __future__ import annotations

from collections.abc import Mapping

from cedarchest.model.disc import SessionStatus, StoredEntry
from cedarchest.model.members import GONE, ArchiveRecord, Listing, Member
from cedarchest.model.parts import part_path
from cedarchest.model.restoring import (
    Held,
    Listed,
    Located,
    listed_last,
    located_listing,
    pieces_of,
    still_there,
)

A, B, C = (bytes([code]) * 32 for code in b"abc")


def file(path: bytes, sha256: bytes, *, held: bool = True) -> Member:
    return Member(path, "file", 1, 1, sha256, held)


def test_a_content_is_where_it_was_held_last_and_stays_there_while_it_is_the_same() -> None:
    changed_mode = file(b"f", A, held=False)._replace(mtime_ns=2)
    layers = [
        (b"one", [file(b"f", A), file(b"g", B), file(b"h", C)]),
        (b"two", [changed_mode, file(b"g", C), Member(b"h", GONE, held=False)]),
    ]
    assert located_listing(layers) == {
        b"f": Located(changed_mode, b"one"),
        b"g": Located(file(b"g", C), b"two"),
    }


def test_a_content_of_which_nobody_tells_who_has_it_is_nowhere() -> None:
    there = located_listing([(b"one", [file(b"f", A, held=False)]), (b"two", [file(b"f", B, held=False)])])
    assert there[b"f"].archive == b""


def held(path: bytes, sha256: bytes, size: int, disc: str = "D") -> Held:
    return Held(StoredEntry(path, "file", size, 1, sha256, 10), disc, disc, 1, SessionStatus.VERIFIED)


def test_pieces_are_one_where_the_whole_is_there_and_else_all_parts_or_none() -> None:
    first, second = part_path(b"f", 1, 2), part_path(b"f", 2, 2)
    parts = [held(second, B, 3), held(first, A, 5), held(first, A, 5, "E")]
    (one, two) = pieces_of(parts)
    assert [(piece.offset, piece.size, piece.sha256) for piece in (one, two)] == [(0, 5, A), (5, 3, B)]
    assert [place.label for place in one.places] == ["D", "E"]
    assert pieces_of(parts[:1]) == ()
    (whole,) = pieces_of([*parts, held(b"f", C, 8)])
    assert (whole.offset, whole.size, whole.sha256) == (0, 8, C)


def listed(day: str, archive: bytes, paths: Mapping[bytes, str]) -> Listed:
    return Listed(day, archive, {path: Located(Member(path, kind), archive) for path, kind in paths.items()})


HOME = {b"home": "dir", b"home/ann": "dir", b"home/bob": "dir"}
ANN = {b"home/ann": "dir", b"home/ann/docs": "dir"}
DOCS = {b"home/ann/docs": "dir", b"home/ann/docs/f": "file"}


def kept(*several: Listed, earlier: Listed | None = None) -> set[bytes]:
    """The archives whose folders were still there; of the source of `home` an `earlier` one is known."""
    return {
        each.archive
        for each in still_there(several, lambda archive, _day: earlier if archive == b"home" else None)
    }


def test_a_folder_that_the_one_above_lists_no_more_is_gone_with_those_in_it() -> None:
    below = [listed("2026/11/23", b"ann", ANN), listed("2026/11/23", b"docs", DOCS)]
    assert kept(listed("2026/11/23", b"home", HOME), *below) == {b"home", b"ann", b"docs"}
    without = {path: kind for path, kind in HOME.items() if path != b"home/ann"}
    before = listed("2026/11/23", b"before", HOME)
    assert kept(listed("2026/11/24", b"home", without), *below, earlier=before) == {b"home"}
    never = listed("2026/11/23", b"before", without)  # as where it is left out: it has a source of its own
    assert kept(listed("2026/11/24", b"home", without), *below, earlier=never) == {b"home", b"ann", b"docs"}
    assert kept(listed("2026/11/24", b"home", without), *below) == {b"home", b"ann", b"docs"}
    assert kept(listed("2026/11/22", b"home", without), *below) == {b"home", b"ann", b"docs"}


def test_a_folder_that_became_something_else_is_gone() -> None:
    linked = {**HOME, b"home/ann": "link"}
    before = listed("2026/11/23", b"before", HOME)
    later = listed("2026/11/24", b"home", linked)
    assert kept(later, listed("2026/11/23", b"ann", ANN), earlier=before) == {b"home"}
    both = [listed("2026/11/24", b"home", linked), listed("2026/11/24", b"ann", ANN)]
    assert kept(*both) == {b"home", b"ann"}  # the link leads to it, and was followed


def test_sources_that_have_nothing_to_do_with_each_other_stay() -> None:
    etc = listed("2026/11/24", b"etc", {b"etc": "dir", b"etc/fstab": "file"})
    assert kept(
        etc, listed("2026/11/01", b"home", HOME), listed("2026/11/01", b"homes", {b"homes": "dir"})
    ) == {
        b"etc",
        b"home",
        b"homes",
    }


# -- what could not be read -------------------------------------------------------------------------

ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))


def last(listings: Mapping[bytes, list[bytes]], **unread: list[bytes]) -> tuple[Listed, list[bytes]]:
    """What the last of archives lists, the names of which are the days, and those that were looked into."""
    asked: list[bytes] = []

    def listing(sha256: bytes) -> Mapping[bytes, Located]:
        asked.append(sha256)
        return {path: Located(Member(path, "file", sha256=sha256), sha256) for path in listings[sha256]}

    names = {ONE: "one", TWO: "two", THREE: "three"}
    dated = [
        (names[each], ArchiveRecord(each, Listing.INDEX, unread=frozenset(unread.get(names[each], ()))))
        for each in listings
    ]
    return listed_last(dated, listing), asked


def test_what_could_not_be_read_is_as_the_newest_listing_has_it_that_could() -> None:
    found, asked = last(
        {ONE: [b"d/x", b"f", b"gone"], TWO: [b"f"], THREE: [b"new"]}, two=[b"d"], three=[b"d", b"f"]
    )
    assert {path: located.archive for path, located in found.there.items()} == {
        b"new": THREE,
        b"f": TWO,
        b"d/x": ONE,
    }
    assert (found.told_by(b"new"), found.told_by(b"d/x")) == (("three", THREE), ("one", ONE))
    assert asked == [THREE, TWO, ONE]
    assert found.never_read() == []


def test_a_listing_that_could_read_no_more_is_not_asked() -> None:
    found, asked = last({ONE: [b"d/x"], TWO: [b"e"], THREE: []}, two=[b"d"], three=[b"d"])
    assert (list(found.there), asked) == ([b"d/x"], [THREE, ONE])
    assert last({ONE: [b"d/x"], TWO: [], THREE: []})[1] == [THREE]


def test_what_was_gone_before_it_could_not_be_read_stays_gone() -> None:
    found, _ = last({ONE: [b"d/x"], TWO: [b"e"], THREE: [b"e"]}, three=[b"d"])
    assert list(found.there) == [b"e"]
    assert found.never_read() == [b"d"]


def test_a_folder_that_is_listed_itself_and_never_was_read_counts_as_never_read() -> None:
    assert last({ONE: [b"d", b"e"]}, one=[b"d"])[0].never_read() == [b"d"]
