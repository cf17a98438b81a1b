"""Paths that are stored: members of archives, and what stands in a staged day; and what became of each.

An archive is known by its SHA-256, so its members are kept once, wherever copies of it stand. Of an archive
with an index only what its index tells anew is kept: the content it holds, attributes that are others than
in the listing it rests on, and what is gone since. A listing that rests on nothing is all that there was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cedarchest.model.index import Entry
from cedarchest.model.parts import whole_path

if TYPE_CHECKING:
    from cedarchest.model.disc import SessionStatus

GONE = "gone"
"""The kind of a path that a listing has no more."""


class Member(NamedTuple):
    """A path as an archive or a staged day has it; `path` is raw bytes without a leading slash.

    `kind` is one of an entry's, or `GONE`. `sha256` is empty where it is not known. What is not `held` is
    listed only: its content is in an earlier archive.
    """

    path: bytes
    kind: str
    size: int = 0
    mtime_ns: int = 0
    sha256: bytes = b""
    held: bool = True


class Listing(StrEnum):
    """How members of an archive came to be known."""

    UNREAD = "unread"
    INDEX = "index"  # all that there was when it was made
    TAR = "tar"  # what it holds, and nothing besides
    BAD = "bad"  # it could not be read


class Stand(NamedTuple):
    """Where something stands: a session of a disc, and the path there from the disc's root."""

    path: bytes
    disc_id: str
    label: str
    session: int
    status: SessionStatus
    given_up: bool = False

    @property
    def day(self) -> str:
        """The day it was stored of, `YYYY/MM/DD`."""
        return self.path[:10].decode("ascii", "replace")

    @property
    def peer(self) -> bytes:
        """The folder of the day that it is in."""
        return peer_of(self.path)

    @property
    def line(self) -> bytes:
        """What archives of one source have alike: peer and name, without the packing."""
        return line_of(self.path)


class ArchiveRecord(NamedTuple):
    """An archive: how its members are known, why not, which listing they rest on, and where it stands.

    What is at or below a path that was `unread` when it was made may have been there though it is not listed.
    """

    sha256: bytes
    listing: Listing = Listing.UNREAD
    reason: str = ""
    rests_on: bytes = b""  # the SHA-256 of that archive
    stands: tuple[Stand, ...] = ()
    unread: frozenset[bytes] = frozenset()


class Holder(NamedTuple):
    """An archive, by its SHA-256, that holds a content, and the path that it has there."""

    content: bytes
    archive: bytes
    path: bytes


class Sighting(NamedTuple):
    """A member, and in what it was: an archive of a SHA-256, or else a staged day at a stand."""

    member: Member
    archive: bytes = b""
    stand: Stand | None = None


def member_of(entry: Entry, path: bytes, *, held: bool = True) -> Member:
    """An entry of an index as a member."""
    return Member(path, entry.kind.value, entry.size, entry.mtime_ns, entry.sha256, held)


_ARCHIVE = re.compile(rb"(.+)\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)", re.DOTALL)
_IN_DAY = re.compile(rb"\d{4}/\d{2}/\d{2}/([^/]+)(?=/)")


def is_archive_name(path: bytes) -> bool:
    """Whether a file, or the whole that it is a part of, is an archive by its name."""
    if b".t" not in path:
        return False  # as of nearly every file
    return _ARCHIVE.fullmatch((whole_path(path) or path).rpartition(b"/")[2]) is not None


def place_in_day(path: bytes) -> tuple[bytes, bytes] | None:
    """Day and peer, as one path, and what comes behind, of a path from a disc's root; None of any other."""
    match = _IN_DAY.match(path)
    return (path[: match.end()], path[match.end() + 1 :]) if match else None


def peer_of(path: bytes) -> bytes:
    """The peer of a path from a disc's root; empty where it is in no peer's folder."""
    match = _IN_DAY.match(path)
    return match[1] if match else b""


def line_of(path: bytes) -> bytes:
    """Peer and name of an archive by its path from a disc's root, without day, part and packing."""
    below = (whole_path(path) or path)[11:]
    match = _ARCHIVE.fullmatch(below)
    return match[1] if match else below


def told_anew(listed: Iterable[Member], before: Mapping[bytes, Member]) -> Iterator[Member]:
    """What of a listing has to be kept on top of another one, so that both can be told from it."""
    there: set[bytes] = set()
    for member in listed:
        there.add(member.path)
        if member.held or _seen_as(before.get(member.path)) != _seen_as(member):
            yield member
    for path in before:
        if path not in there:
            yield Member(path, GONE, held=False)


def _seen_as(member: Member | None) -> Member | None:
    return member and member._replace(held=False)


def listing_of(layers: Iterable[Iterable[Member]]) -> dict[bytes, Member]:
    """All that there was, from what was kept of a listing and, before it, of those it rests on."""
    there: dict[bytes, Member] = {}
    for number, layer in enumerate(list(layers)):
        if number:
            there = {path: _seen_as(member) or member for path, member in there.items()}
        for member in layer:
            if member.kind == GONE:
                there.pop(member.path, None)
            else:
                there[member.path] = member
    return there
