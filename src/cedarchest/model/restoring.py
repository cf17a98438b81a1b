"""What is restored, and what it comes from.

A wanted file comes from a source: a stored file, whole or in parts, that is its content or an archive with it
as a member. Each piece of a source stands at places, on one or more discs, and one of them is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from cedarchest.model.disc import SessionStatus, StoredEntry
from cedarchest.model.index import Entry
from cedarchest.model.members import GONE, ArchiveRecord, Member
from cedarchest.model.parts import Split, part_place
from cedarchest.model.patterns import Selection
from cedarchest.model.unread import is_unread, still_unread


class Place(NamedTuple):
    """Where the bytes of a piece stand: on a disc, from a block on (-1: there are none)."""

    disc_id: str
    label: str
    session: int
    status: SessionStatus
    start: int
    path: bytes = b""  # from the disc's root


_TRUST = {SessionStatus.VERIFIED: 0, SessionStatus.BURNT: 1, SessionStatus.CLAIMED: 1}


def trust(place: Place) -> int:
    """How well a place is known to be good, the best first; a bad session may still have most of it."""
    return _TRUST.get(place.status, 2)


class Piece(NamedTuple):
    """Bytes of a source from an offset on, their SHA-256, and the places that they stand at."""

    offset: int
    size: int
    sha256: bytes
    places: tuple[Place, ...]


class Role(StrEnum):
    """What a source is read for."""

    INDEX = "index"  # of an archive: attributes of what is restored
    SESSION = "session"  # its own index: attributes of what was staged
    FILE = "file"  # it is what is restored
    ARCHIVE = "archive"  # what is restored is in it
    PACKED = "packed"  # what is in it shows when it is unpacked


@dataclass(frozen=True, slots=True)
class Source:
    """A stored file that is read: under what name, how large, and in which pieces it can be had.

    `targets` are the paths that it is restored to; `takes` tells those of each member of an archive, or of
    each path that the index of the archive `head` tells about.
    """

    role: Role
    sha256: bytes
    path: bytes
    size: int
    pieces: tuple[Piece, ...]
    targets: tuple[bytes, ...] = ()
    takes: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    head: bytes = b""

    @property
    def is_whole(self) -> bool:
        """Whether it stands on discs in one piece."""
        return len(self.pieces) == 1 and self.pieces[0].size == self.size


class Wanted(NamedTuple):
    """What is to be at a path below the folder that is restored to.

    `of` is the path that it had, by which the index of its archive, or of its session, tells its attributes.
    """

    target: bytes
    kind: str
    size: int
    mtime_ns: int
    sha256: bytes
    of: bytes


class Packed(NamedTuple):
    """A stored file whose content only shows when it is decrypted, or its pieces are joined.

    `name` is its path below the peer, as if it were in one piece. An archive `is_tar`, all else is one file.
    `line` is what those of one source have alike.
    """

    source: Source
    day: str
    name: bytes
    is_tar: bool
    mtime_ns: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Restoration:
    """All that is wanted by its path, what it comes from, known attributes, and what cannot be had and why.

    `prefix` comes before the path that everything had. What is `above` what was asked for is only made where
    it is absent. Of what is `packed`, the newest first, that is wanted which is selected, unless `days` tell
    of something later for its path; what an index tells of is in none. `as_is` tells of archives that nobody
    could look into.
    """

    wanted: Mapping[bytes, Wanted]
    sources: tuple[Source, ...]
    lost: Mapping[bytes, str]
    attributes: Mapping[bytes, Entry]
    prefix: bytes = b""
    above: frozenset[bytes] = frozenset()
    notes: tuple[str, ...] = ()
    packed: tuple[Packed, ...] = ()
    selects: Selection = field(default_factory=Selection)
    days: Mapping[bytes, str] = field(default_factory=dict)
    as_is: tuple[str, ...] = ()


class Held(NamedTuple):
    """A stored file: an entry of a session, on the disc that it is on."""

    entry: StoredEntry
    disc_id: str
    label: str
    session: int
    status: SessionStatus

    @property
    def place(self) -> Place:
        """Where its bytes stand."""
        return Place(self.disc_id, self.label, self.session, self.status, self.entry.start, self.entry.path)


class Chosen(NamedTuple):
    """What is wanted, and what has it: an archive, or where the file itself is held."""

    wanted: Wanted
    archive: bytes = b""
    held: tuple[Held, ...] = ()
    head: bytes = b""  # the archive whose index tells of it
    day: str = ""


def pieces_of(held: Iterable[Held], splits: Sequence[Split] = ()) -> tuple[Piece, ...]:
    """The pieces of one file, from all that is held of it, whole or cut in whatever parts.

    Whole comes before cut, and the fewest parts before more; none where only some parts are there. `splits`
    tell the digests of parts that belong together, as far as that is known.
    """
    whole: list[Held] = []
    cut: dict[int, dict[int, list[Held]]] = {}
    for each in held:
        number, count = part_place(each.entry.path)
        if count:
            cut.setdefault(count, {}).setdefault(number, []).append(each)
        else:
            whole.append(each)
    if whole:
        return (_piece(0, whole),)
    for count, parts in sorted(cut.items()):
        for digests in [each.digests for each in splits if len(each.digests) == count] or [()]:
            laid = [_of_digest(parts.get(number, ()), digests, number) for number in range(1, count + 1)]
            if all(laid):
                return tuple(_laid_out(laid))
    return ()


def _of_digest(held: Sequence[Held], digests: Sequence[bytes], number: int) -> list[Held]:
    return [each for each in held if not digests or each.entry.sha256 == digests[number - 1]]


def _laid_out(parts: Iterable[Sequence[Held]]) -> Iterator[Piece]:
    offset = 0
    for held in parts:
        yield _piece(offset, held)
        offset += held[0].entry.size


def _piece(offset: int, held: Sequence[Held]) -> Piece:
    first = held[0].entry
    same = [each.place for each in held if each.entry.sha256 == first.sha256]
    return Piece(offset, first.size, first.sha256, tuple(sorted(same, key=lambda each: (trust(each), each))))


class Located(NamedTuple):
    """A member of a listing, and the archive that has its content; empty where that is not known."""

    member: Member
    archive: bytes


def located_listing(layers: Iterable[tuple[bytes, Iterable[Member]]]) -> dict[bytes, Located]:
    """All that there was, with the archive of each content, from archives and what is kept of their listings.

    The layers come oldest first, as each rests on the one before.
    """
    there: dict[bytes, Located] = {}
    for archive, layer in layers:
        for member in layer:
            if member.kind == GONE:
                there.pop(member.path, None)
                continue
            before = there.get(member.path)
            holder = archive if member.held else b""
            if not holder and before and before.member.sha256 == member.sha256:
                holder = before.archive
            there[member.path] = Located(member, holder)
    return there


@dataclass(frozen=True, slots=True)
class Listed:
    """All that there was on a day of one archive with an index, by path.

    What was `unread` then is there as it was `before`, which tells day and archive of the listing.
    """

    day: str
    archive: bytes
    there: Mapping[bytes, Located]
    unread: Collection[bytes] = ()
    before: Mapping[bytes, tuple[str, bytes]] = field(default_factory=dict)

    def told_by(self, path: bytes) -> tuple[str, bytes]:
        """Day and archive of the listing that tells of a path."""
        return self.before.get(path, (self.day, self.archive))

    def never_read(self) -> list[bytes]:
        """Of what was unread that of which nothing was listed before either."""
        known: set[bytes] = set()
        for path, (member, _) in self.there.items() if self.unread else ():
            at = path if path in self.before or not member.held else path.rpartition(b"/")[0]
            while at and at not in known:
                known.add(at)
                at = at.rpartition(b"/")[0]
        return sorted(path for path in self.unread if path not in known)

    @property
    def root(self) -> bytes:
        """The path that everything of it is at or below."""
        paths = iter(self.there)
        root = next(paths, b"")
        for path in paths:
            while root and path != root and not path.startswith(root + b"/"):
                root = root.rpartition(b"/")[0]
        return root


Layered = Callable[[bytes], Mapping[bytes, "Located"]]
"""All that an archive lists, as `located_listing` gives it."""


def listed_last(dated: Sequence[tuple[str, ArchiveRecord]], listing: Layered) -> Listed:
    """All that there was when the last of a source's archives, all with indexes, was made.

    What could not be read then is as the newest one before has it for which it could.
    """
    day, head = dated[-1]
    there = dict(listing(head.sha256))
    before: dict[bytes, tuple[str, bytes]] = {}
    left: Collection[bytes] = head.unread
    for then, earlier in reversed(dated[:-1]):
        if not left:
            break
        still = still_unread(left, earlier.unread)
        if still != left:
            for path, located in listing(earlier.sha256).items():
                if path not in there and is_unread(path, left):
                    there[path] = located
                    before[path] = (then, earlier.sha256)
        left = still
    return Listed(day, head.sha256, there, head.unread, before)


Before = Callable[[bytes, str], Listed | None]
"""What the source of an archive listed on a day, or last before it."""


def still_there(several: Sequence[Listed], before: Before) -> list[Listed]:
    """Of the newest archives of sources those whose folders were still there when others were made.

    An archive lists the folders in it that have archives of their own. One that it listed once and lists no
    more is gone, and nothing new will ever say so of its own.
    """
    roots = {each.archive: each.root for each in several}
    tops = set(roots.values())

    def gone(each: Listed) -> bool:
        for other in several:
            if _is_gone(each, other, roots, tops):
                earlier = before(other.archive, each.day)
                if earlier and not _is_absent(each, earlier, roots, tops):
                    return True
        return False

    return [each for each in several if not gone(each)]


def _is_gone(each: Listed, other: Listed, roots: Mapping[bytes, bytes], tops: Collection[bytes]) -> bool:
    """Whether a later archive does not show the folder of another one, though it is above that."""
    root, at = roots[each.archive], roots[other.archive]
    if other is each or other.day <= each.day or root == at or (at and not root.startswith(at + b"/")):
        return False
    return _is_absent(each, other, roots, tops)


def _is_absent(each: Listed, other: Listed, roots: Mapping[bytes, bytes], tops: Collection[bytes]) -> bool:
    root, at = roots[each.archive], roots.get(other.archive, other.root)
    while at != root:
        at += (b"/" if at else b"") + root[len(at) :].lstrip(b"/").partition(b"/")[0]
        found = other.there.get(at)
        if found is None or found.member.kind != "dir":
            return True
        if at in tops:
            break
    return False
