"""What became of a path: versions, what holds them, and since when it is gone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cedarchest.model.disc import SessionStatus
from cedarchest.model.history import History, histories
from cedarchest.model.members import (
    GONE,
    ArchiveRecord,
    Listing,
    Member,
    Sighting,
    Stand,
    is_archive_name,
    line_of,
    place_in_day,
)

PATH = b"etc/a"


def stand(day: int, name: bytes = b"etc.tar", peer: bytes = b"alpha", **changes: object) -> Stand:
    found = Stand(
        b"2026/11/%02d/%s/%s" % (day, peer, name), "disc-1", "DISC_1", day, SessionStatus.VERIFIED, False
    )
    return found._replace(**changes)  # type: ignore[arg-type]


def archive(
    day: int, rests_on: int = 0, *more: Stand, listing: Listing = Listing.INDEX, name: bytes = b"etc.tar"
) -> ArchiveRecord:
    base = digest(rests_on) if rests_on else b""
    return ArchiveRecord(digest(day), listing, "", base, (stand(day, name), *more))


def digest(day: int) -> bytes:
    return bytes([day]) * 32


def seen(day: int, content: bytes = b"x", *, kind: str = "file", held: bool = True) -> Sighting:
    if kind == GONE:
        return Sighting(Member(PATH, GONE, held=False), digest(day))
    return Sighting(Member(PATH, kind, 5, day, content * 32, held), digest(day))


def became(sightings: Sequence[Sighting], *archives: ArchiveRecord) -> list[History]:
    known = {each.sha256: each for each in archives}

    def line(name: bytes) -> list[ArchiveRecord]:
        return [each for each in archives if any(where.line == name for where in each.stands)]

    return histories(PATH, sightings, known, line)


def deleted(sightings: Sequence[Sighting], *archives: ArchiveRecord) -> str:
    (only,) = became(sightings, *archives)
    return only.deleted


def without(record: ArchiveRecord, *unread: bytes) -> ArchiveRecord:
    return record._replace(unread=frozenset(unread))


@pytest.mark.parametrize("unread", [PATH, b"etc"])
def test_what_could_not_be_read_is_not_deleted(unread: bytes) -> None:
    assert deleted([seen(1)], archive(1), without(archive(2), unread)) == ""
    assert deleted([seen(1)], archive(1), without(archive(2), unread), archive(3)) == "2026/11/03"
    assert deleted([seen(1)], archive(1), archive(2), without(archive(3), unread)) == "2026/11/02"


def test_what_could_not_be_read_elsewhere_says_nothing_of_a_path() -> None:
    assert deleted([seen(1)], archive(1), without(archive(2), b"etc/ab", b"et", b"etc/a/b")) == "2026/11/02"


def test_what_a_later_increment_says_nothing_of_is_there_still() -> None:
    assert deleted([seen(1)], archive(1), archive(2, 1), archive(3, 2)) == ""


def test_what_is_gone_is_so_from_the_first_listing_without_it() -> None:
    assert deleted(
        [seen(1), seen(3, kind=GONE)], archive(1), archive(2, 1), archive(3, 2), archive(4, 3)
    ) == ("2026/11/03")


def test_what_a_whole_archive_does_not_have_is_gone() -> None:
    assert deleted([seen(1)], archive(1), archive(2)) == "2026/11/02"


def test_what_comes_back_is_not_gone() -> None:
    assert deleted([seen(1), seen(2, kind=GONE), seen(3)], archive(1), archive(2, 1), archive(3, 2)) == ""


def test_what_went_twice_is_gone_since_the_last_time() -> None:
    sightings = [seen(1), seen(2, kind=GONE), seen(3), seen(4, kind=GONE)]
    several = [archive(1), archive(2, 1), archive(3, 2), archive(4, 3)]
    assert deleted(sightings, *several) == "2026/11/04"


def test_a_listing_that_was_entered_out_of_order_does_not_change_what_others_say() -> None:
    """It came after the third, which rests on the first: it has the path, they have not."""
    assert deleted([seen(2)], archive(1), archive(2, 1), archive(3, 1)) == "2026/11/03"


def test_an_archive_without_a_listing_says_nothing_of_what_it_has_not() -> None:
    assert deleted([seen(1)], archive(1), archive(2, listing=Listing.TAR)) == ""
    tar = archive(1, listing=Listing.TAR)
    assert deleted([seen(1)], tar, archive(2, listing=Listing.TAR)) == ""


def test_a_path_of_two_sources_is_gone_when_it_is_from_both() -> None:
    one, other = archive(1), archive(2, name=b"all.tar")
    both = [seen(1), seen(2)]
    assert deleted(both, one, other, archive(3)) == ""
    assert deleted(both, one, other, archive(3), archive(4, name=b"all.tar")) == "2026/11/04"


def test_what_is_gone_from_one_peer_is_not_from_another_that_has_the_same_archive() -> None:
    shared = archive(1, 0, stand(1, peer=b"beta"))
    alpha, beta = became([seen(1)], shared, archive(2))
    assert (alpha.peer, alpha.deleted) == (b"alpha", "2026/11/02")
    assert (beta.peer, beta.deleted) == (b"beta", "")


def test_what_stands_in_a_later_day_itself_is_not_gone() -> None:
    plain = Sighting(Member(PATH, "file", 5, 1, b"y" * 32), b"", stand(5, PATH))
    assert deleted([seen(1), plain], archive(1), archive(2)) == ""


def test_equal_content_on_several_days_is_one_version_with_all_its_copies() -> None:
    same = [Sighting(Member(PATH, "file", 5, 7, b"x" * 32), digest(day)) for day in (1, 2)]
    (only,) = became(same, archive(1), archive(2))
    (version,) = only.versions
    assert version.days == ("2026/11/01", "2026/11/02")
    assert [copy.archive for copy in version.copies] == [digest(1), digest(2)]


def test_what_is_only_listed_is_held_where_the_same_content_is() -> None:
    (only,) = became([seen(1), seen(2, held=False)], archive(1), archive(2, 1))
    first, second = only.versions
    assert first.copies == second.copies
    assert [copy.stand.day for copy in second.copies] == ["2026/11/01"]
    assert only.newest == second


def test_discs_that_were_given_up_hold_nothing_and_proven_ones_come_first() -> None:
    stands = [
        stand(1, label="GIVEN_UP", given_up=True),
        stand(1, label="BURNT", status=SessionStatus.BURNT),
        stand(1, label="PROVEN"),
    ]
    record = ArchiveRecord(digest(1), Listing.INDEX, stands=tuple(stands))
    (only,) = became([seen(1)], record)
    assert only.newest.discs == ("PROVEN", "BURNT")
    assert only.newest.proven
    (unproven,) = became([seen(1)], record._replace(stands=tuple(stands[:2])))
    assert not unproven.newest.proven


def test_an_archive_that_stands_nowhere_is_no_version() -> None:
    assert became([seen(1)], ArchiveRecord(digest(1), Listing.TAR)) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"2026/11/22/alpha/etc.tar", b"alpha/etc"),
        (b"2026/11/22/alpha/sub/etc.tar.gz", b"alpha/sub/etc"),
        (b"2026/11/22/alpha/etc.tar.zst.part-001-of-002", b"alpha/etc"),
        (b"2026/11/22/alpha/v1.tar.d.tgz", b"alpha/v1.tar.d"),
    ],
)
def test_archives_of_a_source_have_their_line_alike(path: bytes, line: bytes) -> None:
    assert line_of(path) == line
    assert is_archive_name(path)


@pytest.mark.parametrize(
    "name", [b"a.gz", b"tar", b".tar", b"etc.tar.index.jsonl.gz", b"etc.tar.deleted", b"x.tar/y"]
)
def test_other_files_are_no_archives(name: bytes) -> None:
    assert not is_archive_name(b"2026/11/22/alpha/" + name)


def test_a_place_in_a_day_is_below_the_folder_of_a_peer() -> None:
    assert place_in_day(b"2026/11/22/alpha/a/b") == (b"2026/11/22/alpha", b"a/b")
    assert place_in_day(b"2026/11/22/alpha") is None
    assert place_in_day(b"2026/11/22") is None
    assert place_in_day(b"CEDARCHEST/README.txt") is None
