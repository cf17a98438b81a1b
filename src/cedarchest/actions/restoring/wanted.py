"""What is to be restored, by the catalog: a machine as it was on a day, or what was staged on one.

Of archives with an index it is known all that there was when each was made. Of others, Cedar Backup's among
them, only what each holds: there the archives of a week together are what there was, and what was deleted
in that week comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cedarchest.actions.restoring.packed import PackedFiles
from cedarchest.actions.restoring.sources import sources_of
from cedarchest.errors import RestoreError
from cedarchest.model.archive_names import DELETED_SUFFIX, INDEX_SUFFIX
from cedarchest.model.days import parse_day
from cedarchest.model.disc import DayContent, SessionRecord
from cedarchest.model.index import Kind
from cedarchest.model.members import ArchiveRecord, Listing, Member, is_archive_name
from cedarchest.model.names import first_few, to_text
from cedarchest.model.parts import Split, whole_path
from cedarchest.model.patterns import Selection
from cedarchest.model.restoring import (
    Chosen,
    Held,
    Listed,
    Packed,
    Restoration,
    Wanted,
    listed_last,
    located_listing,
    pieces_of,
    still_there,
)
from cedarchest.model.unread import unread_above
from cedarchest.ports import Ports


@dataclass(slots=True)
class _Gathering:
    """What was found to be wanted, by its path; what comes later takes the place of what came before."""

    selects: Selection
    prefix: bytes = b""
    chosen: dict[bytes, Chosen] = field(default_factory=dict)
    above: set[bytes] = field(default_factory=set)
    heads: list[ArchiveRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    as_is: list[str] = field(default_factory=list)  # archives that nobody could look into
    packed: list[Packed] = field(default_factory=list)


def wanted_as_of(
    peer: bytes, until: str, selects: Selection, prefix: bytes, starting_weekday: int, *, ports: Ports
) -> Restoration:
    """A machine as it was on a day, as far as paths are selected.

    Raises:
        RestoreError: nothing of it that is selected was stored up to that day.
    """
    gathering = _Gathering(selects, prefix)
    lines = _lines(peer, until, ports)
    held = list(ports.catalog.held_of(peer, until))
    packed = PackedFiles(held, len("YYYY/MM/DD/") + len(peer) + 1)
    _gather_plain(gathering, peer, held, packed, lines, ports, in_place=not prefix)

    def since(line: bytes) -> str:
        """The day from which on archives of a source that say nothing of what is gone are taken."""
        days = [day for day, _ in lines.get(line, ())] + packed.days(line)
        full = [day for day in days if parse_day(day).weekday() == starting_weekday]
        return max(full, default=min(days))

    gathering.packed += packed.wanted(selects, since, in_place=not prefix)
    listed: list[Listed] = []
    unlisted: list[tuple[str, ArchiveRecord]] = []
    for line, dated in lines.items():
        known = [each for each in dated if each[1].listing in (Listing.INDEX, Listing.TAR)]
        if not known or known[-1] != dated[-1]:
            gathering.as_is.append(_not_unpacked(dated[-1][1], dated[-1][0]))
        if not known:
            continue
        if known[-1][1].listing is Listing.INDEX:
            listed.append(_listed(known, ports))
            gathering.heads += {each.sha256: each for _, each in known}.values()
        else:
            _gather_held(gathering, [each for each in known if each[0] >= since(line)], ports)
            unlisted.append(next(each for each in known if each[1].sha256 == known[-1][1].sha256))

    def before(archive: bytes, day: str) -> Listed | None:
        """What the same source as that of an archive listed on a day, or last before it."""
        dated = next(each for each in lines.values() if any(one.sha256 == archive for _, one in each))
        known = [each for each in dated if each[1].listing is Listing.INDEX and each[0] <= day]
        return _listed(known, ports) if known else None

    for each in sorted(still_there(listed, before), key=lambda each: each.day):
        _gather_listed(gathering, each)
        _tell_unread(gathering, each)
    _note_last(gathering, unlisted, max((each.day for each in listed), default=""))
    if not gathering.chosen and not gathering.packed:
        raise _nothing(peer, until, ports)
    return _restoration(gathering, ports)


def _nothing(peer: bytes, until: str, ports: Ports) -> RestoreError:
    known = ", ".join(map(to_text, ports.catalog.peers())) or "none"
    return RestoreError(
        f"nothing of {to_text(peer)} that was asked for was stored up to {until}",
        advice=f"`cedarchest find` shows what was stored when. Peers that are known: {known}.",
    )


def _lines(peer: bytes, until: str, ports: Ports) -> dict[bytes, list[tuple[str, ArchiveRecord]]]:
    """The archives of each source of a peer up to a day, in the order in which they were stored."""
    lines: dict[bytes, list[tuple[str, ArchiveRecord]]] = {}
    for archive in ports.catalog.archives_of(peer):
        for line, day in {(stand.line, stand.day) for stand in archive.stands if stand.peer == peer}:
            if day <= until:
                lines.setdefault(line, []).append((day, archive))
    for line, dated in lines.items():
        dated.sort(key=lambda each: (each[0], each[1].sha256))
        several = {day for (day, _), (again, _) in pairwise(dated) if day == again}
        written = {day: _order_written(day, ports) for day in several}
        dated.sort(key=lambda each: (each[0], _first_written(each, line, written.get(each[0], {}))))
    return lines


def _listed(dated: Sequence[tuple[str, ArchiveRecord]], ports: Ports) -> Listed:
    with_index = [each for each in dated if each[1].listing is Listing.INDEX]
    return listed_last(with_index, lambda sha256: located_listing(ports.catalog.layers(sha256)))


def _order_written(day: str, ports: Ports) -> Mapping[tuple[str, int], int]:
    """The turn in which sessions with content of a day were written."""
    contents = ports.catalog.contents(day, everywhere=True)
    return {(session.disc_id, session.number): turn for turn, (session, _) in enumerate(contents)}


def _first_written(
    dated: tuple[str, ArchiveRecord], line: bytes, order: Mapping[tuple[str, int], int]
) -> int:
    """When an archive of a day came first: of two of one source the later one is what there was."""
    day, archive = dated
    stands = [stand for stand in archive.stands if (stand.day, stand.line) == (day, line)]
    return min((order.get((stand.disc_id, stand.session), 0) for stand in stands), default=0)


def _not_unpacked(archive: ArchiveRecord, day: str) -> str:
    names = sorted(to_text(whole_path(stand.path) or stand.path) for stand in archive.stands)
    why = archive.reason or "what it holds is not known yet: `cedarchest verify` reads it"
    return f"{names[0] if names else day} is restored as it is, not unpacked: {why}"


def _gather_plain(
    gathering: _Gathering,
    peer: bytes,
    held: Sequence[Held],
    packed: PackedFiles,
    lines: Mapping[bytes, Sequence[tuple[str, ArchiveRecord]]],
    ports: Ports,
    *,
    in_place: bool,
) -> None:
    """What was staged of a peer besides archives that are unpacked, each path as it was last."""
    splits = ports.catalog.splits()
    unpacked = {
        archive.sha256
        for dated in lines.values()
        for _, archive in dated
        if archive.listing in (Listing.INDEX, Listing.TAR)
    }
    skip = len("YYYY/MM/DD/") + len(peer) + 1
    wholes = _wholes(splits)
    for path, several in _newest_of((each for each in held if not packed.has(each)), wholes).items():
        inner = path[skip:]
        name = inner.rpartition(b"/")[2]
        if in_place or name.startswith(b"cback.") or name.endswith((INDEX_SUFFIX, DELETED_SUFFIX)):
            continue
        sha256 = wholes.get(several[0].entry.sha256, several[0].entry.sha256)
        if is_archive_name(name) and sha256 in unpacked:
            continue
        _choose_plain(gathering, inner, sha256, several, splits)


def _choose_plain(
    gathering: _Gathering,
    path: bytes,
    sha256: bytes,
    held: Sequence[Held],
    splits: Mapping[bytes, Sequence[Split]],
) -> None:
    if not gathering.selects(path) or held[0].entry.kind == Kind.SOCKET:
        return
    entry = held[0].entry
    pieces = pieces_of(held, splits.get(sha256, ()))
    size = sum(piece.size for piece in pieces) if pieces else entry.size
    wanted = Wanted(
        gathering.prefix + path,
        entry.kind,
        size,
        entry.mtime_ns,
        sha256,
        whole_path(entry.path) or entry.path,
    )
    day = entry.path[:10].decode("ascii", "replace")
    gathering.chosen[path] = Chosen(wanted, held=tuple(held), day=day)


def _wholes(splits: Mapping[bytes, Sequence[Split]]) -> Mapping[bytes, bytes]:
    """By the digest of each part of a file that was cut the digest of the whole."""
    return {part: whole for whole, several in splits.items() for split in several for part in split.digests}


def _newest_of(found: Iterable[Held], wholes: Mapping[bytes, bytes]) -> dict[bytes, list[Held]]:
    """By path without its day all that is held of what was stored there last; paths begin with that day."""
    newest: dict[bytes, tuple[bytes, list[Held]]] = {}
    for held in found:
        path = whole_path(held.entry.path) or held.entry.path
        digest = held.entry.sha256
        content = wholes.get(digest, b"" if whole_path(held.entry.path) else digest)
        inner = path[11:]
        before = newest.get(inner)
        if before is None or before[0] != content or before[1][0].entry.kind != held.entry.kind:
            newest[inner] = (content, [held])
        else:
            before[1].append(held)
    return {(held[-1].entry.path[:11]) + inner: held for inner, (_, held) in newest.items()}


def _gather_listed(gathering: _Gathering, listed: Listed) -> None:
    """All that there was when an archive with an index was made."""
    there = listed.there
    above: set[bytes] = set()
    for path in there:
        if not gathering.selects(path):
            continue
        _choose_listed(gathering, path, listed)
        folder = path.rpartition(b"/")[0]
        while folder and folder not in above:
            above.add(folder)
            folder = folder.rpartition(b"/")[0]
    for folder in above:
        if folder in there and not gathering.selects(folder):
            _choose_listed(gathering, folder, listed)
            gathering.above.add(folder)


def _choose_listed(gathering: _Gathering, path: bytes, listed: Listed) -> None:
    """What an archive lists; what it could not read counts only where no other archive tells of it later."""
    day, head = listed.told_by(path)
    known = gathering.chosen.get(path)
    if path not in listed.before or known is None or known.day < day:
        _choose(gathering, path, *listed.there[path], day, head)


def _tell_unread(gathering: _Gathering, listed: Listed) -> None:
    """Say what could not be read on the day, and of which of it nothing is known from before.

    Where a folder has an archive of its own, that above it says the same.
    """
    never = listed.never_read()
    known = frozenset(listed.unread).difference(never)
    chosen = (path for path in listed.there if path in gathering.chosen and gathering.selects(path))
    back = {top for path in chosen if (top := unread_above(path, known))} if known else set()
    lost = [path for path in never if gathering.selects(path)]
    told = ((sorted(back), "comes back as it was stored before"), (lost, "was not stored before"))
    for (paths, what), said in zip(told, (gathering.notes, gathering.as_is), strict=True):
        names = first_few([f"/{to_text(path)}" for path in paths], ", ")
        line = f"could not be read when it was collected on {listed.day}, and {what}: {names}"
        if paths and line not in said:
            said.append(line)


def _choose(
    gathering: _Gathering, path: bytes, member: Member, holder: bytes, day: str, head: bytes = b""
) -> None:
    if member.kind == Kind.SOCKET:
        return
    before = gathering.chosen.get(path)
    if before and before.day == day and before.wanted.kind == Kind.DIR != member.kind:
        return  # of two archives of a day, a folder tells more than the link that leads to it
    wanted = Wanted(gathering.prefix + path, member.kind, member.size, member.mtime_ns, member.sha256, path)
    gathering.chosen[path] = Chosen(wanted, holder, head=head, day=day)


def _gather_held(gathering: _Gathering, dated: Sequence[tuple[str, ArchiveRecord]], ports: Ports) -> None:
    """What archives hold of which nothing else is known, each path as the last one has it."""
    for day, archive in dated:
        for path, member in ports.catalog.listing(archive.sha256).items():
            if gathering.selects(path):
                _choose(gathering, path, member, archive.sha256, day)
    if len(dated) > 1 and gathering.chosen:
        first, (last, archive) = dated[0][0], dated[-1]
        name = to_text(archive.stands[0].line) if archive.stands else "a source"
        gathering.notes.append(
            f"{name} has no index: what its archives from {first} to {last} hold is put over each other, and"
            " what was deleted meanwhile comes back, too"
        )


def _note_last(gathering: _Gathering, unlisted: Iterable[tuple[str, ArchiveRecord]], listed: str) -> None:
    """Say of which archives without an index nobody knows whether what they hold was there on a later day.

    After a machine came over from Cedar Backup they are those of folders that had gone by then.
    """
    used = {each.archive for each in gathering.chosen.values()}
    names = [
        f"{to_text(archive.stands[0].line)} ({day})"
        for day, archive in unlisted
        if day < listed and archive.sha256 in used and archive.stands
    ]
    if names:
        gathering.notes.append(
            f"archives without an index that nothing came after, up to {listed}: what they hold comes back,"
            f" though it may have been deleted since: {first_few(sorted(names), ', ')}"
        )


def wanted_of_day(day: str, peer: bytes, selects: Selection, *, ports: Ports) -> Restoration:
    """What was staged on a day, all of it or what is of one peer, as far as paths are selected.

    Raises:
        RestoreError: no disc holds that.
    """
    gathering = _Gathering(selects)
    splits = ports.catalog.splits()
    wholes = _wholes(splits)
    below = day.encode() + (b"/" + peer if peer else b"")
    newest = _newest_of(_since_whole(ports.catalog.held_at(below), ports.catalog.contents(day)), wholes)
    for path, held in newest.items():
        sha256 = wholes.get(held[0].entry.sha256, held[0].entry.sha256)
        if path[11:]:
            _choose_plain(gathering, path[11:], sha256, held, splits)
    if not gathering.chosen:
        raise RestoreError(
            f"no disc holds anything of {day}"
            + (f" that is of {to_text(peer)} and was asked for" if peer else ""),
            advice="`cedarchest status` and `cedarchest discs` show the days that are on disc.",
        )
    return _restoration(gathering, ports)


def _since_whole(
    found: Iterable[Held], contents: Sequence[tuple[SessionRecord, DayContent]]
) -> Iterator[Held]:
    """What of a day is in the newest session that holds all of it, or came after; with all places of that."""
    order = [(session.disc_id, session.number) for session, _ in contents]
    wholes = [
        position
        for position, (_, content) in enumerate(contents)
        if not content.partial and content.pieces == 1
    ]
    since = set(order[wholes[-1] :]) if wholes else set(order)
    held = list(found)
    there = {each.entry.path for each in held if (each.disc_id, each.session) in since}
    return (each for each in held if each.entry.path in there)


def _restoration(gathering: _Gathering, ports: Ports) -> Restoration:
    """All of it, with the sources that it comes from."""
    chosen = {each.wanted.target: each for _, each in sorted(gathering.chosen.items())}
    found = sources_of(chosen, gathering.heads, ports)
    return Restoration(
        {target: each.wanted for target, each in chosen.items()},
        found.sources,
        found.lost,
        found.attributes,
        gathering.prefix,
        frozenset(gathering.prefix + path for path in gathering.above),
        tuple(gathering.notes),
        tuple(gathering.packed),
        gathering.selects,
        {target: each.day for target, each in chosen.items() if not each.head},
        tuple(gathering.as_is),
    )
