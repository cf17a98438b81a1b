"""What became of a path: its versions on each peer, where each is held, and when it was deleted.

A version is what a path was for a while: kind, size, time and content. It is held by the archives that have
it in them, wherever those stand, and by the days that it stood in itself. A path is deleted when the newest
archive of each source that had it, and could read it if it was there, lists all that there was, and not this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cedarchest.model.members import GONE, ArchiveRecord, Listing, Member, Sighting, Stand
from cedarchest.model.unread import is_unread

Archives = Mapping[bytes, ArchiveRecord]
"""Archives by their SHA-256."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Where a version is held: in an archive or, without one, as a file that stands there itself."""

    stand: Stand
    archive: bytes = b""


@dataclass(frozen=True, slots=True)
class Version:
    """What a path was, on which days it was stored as that, oldest first, and what holds it."""

    member: Member
    days: tuple[str, ...]
    copies: tuple[Copy, ...]

    @property
    def discs(self) -> tuple[str, ...]:
        """The labels of the discs that hold it and count, proven ones first."""
        counting = [copy.stand for copy in self.copies if not copy.stand.given_up]
        ordered = sorted(counting, key=lambda stand: (stand.status != "verified", stand.label))
        return tuple(dict.fromkeys(stand.label for stand in ordered))

    @property
    def proven(self) -> bool:
        """Whether a disc that counts was read back with it."""
        return any(copy.stand.status == "verified" and not copy.stand.given_up for copy in self.copies)


@dataclass(frozen=True, slots=True)
class History:
    """A path of a peer: its versions, oldest first, and the day from which it was there no more."""

    peer: bytes
    path: bytes
    versions: tuple[Version, ...]
    deleted: str = ""

    @property
    def newest(self) -> Version:
        """The version that was stored last."""
        return max(self.versions, key=lambda version: (version.days[-1], version.member.mtime_ns))


@dataclass(slots=True)
class _Gathered:
    """A version in the making."""

    member: Member
    days: set[str] = field(default_factory=set)
    copies: list[Copy] = field(default_factory=list)


def histories(
    path: bytes,
    sightings: Sequence[Sighting],
    archives: Archives,
    line: Callable[[bytes], Iterable[ArchiveRecord]],
) -> list[History]:
    """What became of a path on each peer that ever had it, by name of the peer.

    `archives` has those of the sightings, `line` gives all of a source.
    """
    gathered: dict[bytes, dict[tuple[object, ...], _Gathered]] = {}
    for sighting in sightings:
        member = sighting.member
        if member.kind == GONE:
            continue
        for stand in _stands(sighting, archives):
            version = gathered.setdefault(stand.peer, {}).setdefault(_identity(member), _Gathered(member))
            version.days.add(stand.day)
            if member.held:
                version.member = member._replace(size=max(member.size, version.member.size))
                version.copies.append(Copy(stand, sighting.archive))
    of_archives = {sighting.archive: sighting.member for sighting in sightings if sighting.archive}

    def deleted_of(peer: bytes) -> str:
        return _deleted((peer, path), of_archives, archives, line, sightings)

    return [
        History(peer, path, _versions(several.values()), deleted_of(peer))
        for peer, several in sorted(gathered.items())
    ]


def _stands(sighting: Sighting, archives: Archives) -> tuple[Stand, ...]:
    if sighting.stand is not None:
        return (sighting.stand,)
    archive = archives.get(sighting.archive)
    return archive.stands if archive else ()


def _identity(member: Member) -> tuple[object, ...]:
    """What tells versions apart; of files that are held in parts not every part tells the size."""
    if member.sha256:
        return member.kind, member.mtime_ns, member.sha256
    return member.kind, member.mtime_ns, member.size


def _versions(gathered: Iterable[_Gathered]) -> tuple[Version, ...]:
    """The versions, oldest first; one that is only listed is held where the same content is."""
    several = list(gathered)
    held: dict[bytes, list[Copy]] = {}
    for each in several:
        if each.member.sha256:
            held.setdefault(each.member.sha256, []).extend(each.copies)
    found = [
        Version(
            each.member,
            tuple(sorted(each.days)),
            tuple(sorted(each.copies or held.get(each.member.sha256, []), key=lambda copy: copy.stand)),
        )
        for each in several
    ]
    return tuple(sorted(found, key=lambda version: (version.days, version.member.mtime_ns)))


def _deleted(
    place: tuple[bytes, bytes],
    of_archives: Mapping[bytes, Member],
    archives: Archives,
    line: Callable[[bytes], Iterable[ArchiveRecord]],
    sightings: Sequence[Sighting],
) -> str:
    """The day from which a path of a peer was there no more; empty where it still was, or nobody knows."""
    peer, path = place
    lines = {
        stand.line
        for sha256 in of_archives
        if sha256 in archives
        for stand in archives[sha256].stands
        if stand.peer == peer
    }
    gone = [_gone_from(each, path, of_archives, line(each)) for each in lines]
    if not gone or not all(gone):
        return ""
    last = max(gone)
    itself = [each.stand for each in sightings if each.stand and each.stand.peer == peer]
    return "" if any(stand.day >= last for stand in itself) else last


def _gone_from(
    line: bytes, path: bytes, of_archives: Mapping[bytes, Member], archives: Iterable[ArchiveRecord]
) -> str:
    """The day from which archives of a source do not list a path any more; empty where the newest does.

    Those for which it could not be read tell neither.
    """
    listed = {each.sha256: each for each in archives if each.listing is Listing.INDEX}
    dated = sorted(
        (stand.day, sha256) for sha256, each in listed.items() for stand in each.stands if stand.line == line
    )
    day = ""
    for there_on, sha256 in reversed(dated):
        if _is_listed(sha256, of_archives, listed):
            return day
        if not is_unread(path, listed[sha256].unread):
            day = there_on
    return ""


def _is_listed(sha256: bytes, of_archives: Mapping[bytes, Member], archives: Archives) -> bool:
    """Whether a path was there when an archive was made."""
    seen: set[bytes] = set()
    while sha256 and sha256 not in seen:
        if (member := of_archives.get(sha256)) is not None:
            return member.kind != GONE
        seen.add(sha256)
        sha256 = archives[sha256].rests_on if sha256 in archives else b""
    return False
