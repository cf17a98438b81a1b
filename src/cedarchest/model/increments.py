"""What of a source has to go into its next archives, so that they restore it on top of earlier ones.

A *state* is what a collect of a source found, and in which archive the content of each file is. The base
of an increment is the newest state whose archives are all proven to be on disc; without one the source is
collected whole. Of a later state nobody knows whether its archives came to be on disc, so an increment is
right on top of the base alone, and on top of the base and any of the later ones: only what all of them have
alike is not archived again, and what any of them has and is not there any more is said to be deleted.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, NamedTuple

from cedarchest.model.index import (
    FORMAT,
    SHA256_SIZE,
    USUAL,
    VERSION,
    Entry,
    Fingerprint,
    Kind,
    format_record,
    parse_record,
    usual_entry,
    usual_or_other,
    whole_lines,
    with_content,
    write_lines,
)
from cedarchest.model.names import from_text, to_text
from cedarchest.model.unread import named


class Seen(NamedTuple):
    """Something of a source as it stands: path from `/`, and its fingerprint.

    What was held before and still is the same has the very entry of then; anything else has no digest yet.
    """

    entry: Entry
    fingerprint: Fingerprint


class Held(NamedTuple):
    """Something of a source with its digest; `archive` counts in the archives of its state."""

    entry: Entry
    fingerprint: Fingerprint
    archive: int = 0


class Archive(NamedTuple):
    """An archive: file name, the day it was made, 32 bytes of SHA-256, and those of what goes with it."""

    name: bytes
    day: date
    sha256: bytes
    beside: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What a collect found: the day, the day of the whole collect it rests on, its archives, newest first.

    One without archives only says that there was a collect; one that is not complete is never a base.
    """

    day: date
    whole_day: date
    archives: tuple[Archive, ...] = ()
    held: Mapping[bytes, Held] = field(default_factory=dict)
    is_complete: bool = True

    def is_proven(self, told: Mapping[bytes, int], copies: int) -> bool:
        """Whether all of its archives, and all that goes with them, are told to be on enough discs.

        With 0 `copies` it is enough that they are told of.
        """
        digests = [digest for each in self.archives for digest in (each.sha256, *each.beside)]
        return self.is_complete and bool(digests) and all(told.get(each, -1) >= copies for each in digests)


@dataclass(frozen=True, slots=True)
class Increment:
    """What has to be archived, and by path what earlier archives hold.

    `altered` are those of the latter that have other attributes now; `kinds` is what base and later states
    had, by path: None where they do not agree.
    """

    members: Mapping[bytes, Seen]
    kept: Mapping[bytes, Held] = field(default_factory=dict)
    altered: frozenset[bytes] = frozenset()
    kinds: Mapping[bytes, Kind | None] = field(default_factory=dict)


def compare(
    seen: Mapping[bytes, Seen],
    unseen: Collection[bytes],
    base: State | None,
    later: Iterable[State],
    digest: Callable[[Seen], bytes | None],
) -> Increment:
    """What has to be archived of all that is seen.

    A file that has size, times and inode as in the base is not read. One whose size is the same is asked
    its `digest` (None: it cannot be told); where that is the same too, the base holds its content. All
    names of a file with several go together. What the base has at or below a path that was `unseen`,
    because it cannot be looked at, is taken to be there still.
    """
    if base is None:
        return Increment({path: _to_be_read(one) for path, one in seen.items()})
    kept: dict[bytes, Held] = {}
    for path, one in seen.items():
        before = base.held.get(path)
        if before is None:
            continue
        if one.entry is before.entry:
            kept[path] = before
        elif held := _held_still(one, before, digest):
            kept[path] = held
    kinds: dict[bytes, Kind | None] = {path: held.entry.kind for path, held in base.held.items()}
    for state in later:
        for path, held in state.held.items():
            if kinds.setdefault(path, held.entry.kind) is not held.entry.kind:
                kinds[path] = None
        for path in [path for path in kept if not _is_alike(state.held.get(path), base.held[path])]:
            del kept[path]
    broken = {_group(one.entry) for path, one in seen.items() if path not in kept}
    for path, one in seen.items() if broken else ():
        if _group(one.entry) in broken:
            kept.pop(path, None)
    members = {path: _to_be_read(one) for path, one in seen.items() if path not in kept}
    altered = frozenset(
        path
        for path, held in kept.items()
        if held is not base.held[path] and held.entry != base.held[path].entry
    )
    kept |= _unseen(base, seen, unseen)
    return Increment(members, kept, altered, kinds)


def is_unchanged(seen: Mapping[bytes, Seen], unseen: Collection[bytes], base: State) -> bool:
    """Whether all is there, and is as the base has it, which `compare` would find out with more ado."""
    return (
        not unseen
        and len(seen) == len(base.held)
        and all(path in base.held and one.entry is base.held[path].entry for path, one in seen.items())
    )


def _to_be_read(one: Seen) -> Seen:
    return one._replace(entry=one.entry._replace(sha256=b"")) if one.entry.sha256 else one


def _group(entry: Entry) -> bytes:
    return entry.hardlink or entry.path


def _held_still(one: Seen, before: Held, digest: Callable[[Seen], bytes | None]) -> Held | None:
    """The same with the content that the base holds; None when it has to be archived."""
    entry, old = one.entry, before.entry
    if entry.kind is not old.kind or entry.size != old.size or entry.hardlink != old.hardlink:
        return None
    if one.fingerprint == before.fingerprint and entry.mtime_ns == old.mtime_ns:
        return Held(with_content(entry, entry.size, old.sha256), one.fingerprint, before.archive)
    if entry.kind is Kind.FILE and digest(one) == old.sha256:
        return Held(with_content(entry, entry.size, old.sha256), one.fingerprint, before.archive)
    return None


def _is_alike(one: Held | None, other: Held) -> bool:
    """Whether a state has at a path what another one has, but for attributes."""
    if one is None:
        return False
    mine, its = one.entry, other.entry
    return (mine.kind, mine.size, mine.sha256, mine.target, mine.hardlink, mine.rdev) == (
        its.kind, its.size, its.sha256, its.target, its.hardlink, its.rdev,
    )  # fmt: skip


def _unseen(base: State, seen: Collection[bytes], unseen: Collection[bytes]) -> dict[bytes, Held]:
    below = tuple(path + b"/" for path in unseen)
    return {
        path: held
        for path, held in (base.held.items() if unseen else ())
        if path not in seen and (path in unseen or path.startswith(below))
    }


def deleted(
    known: Iterable[bytes],
    kinds: Mapping[bytes, Kind | None],
    present: Mapping[bytes, Kind],
    here: Iterable[bytes],
) -> tuple[bytes, ...]:
    """Of `known` paths those to take away before an increment is restored, what a folder holds before itself.

    They are what `kinds` has and is not `present`, and what is of another kind now: all that is at or below
    such a path is in the increment. None of them leads through a link. `here` are paths that are present, all
    that could be below a known one.
    """
    above: set[bytes] | None = None
    gone = set()
    for path in known:
        if path in present:
            if kinds[path] is not present[path]:
                gone.add(path)
            continue
        if above is None:
            above = _above(here)
        if path not in above:
            gone.add(_first_no_folder(path, kinds, present) or path)
        elif kinds[path] is not Kind.DIR:
            gone.add(path)
    return tuple(sorted(gone, reverse=True))


def _above(paths: Iterable[bytes]) -> set[bytes]:
    """All folders that something of these is in."""
    folders: set[bytes] = set()
    for path in paths:
        folder = path.rpartition(b"/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition(b"/")[0]
    return folders


def _first_no_folder(path: bytes, kinds: Mapping[bytes, Kind | None], present: Mapping[bytes, Kind]) -> bytes:
    """The first on the way to a path that is, or was, something else than a folder."""
    end = path.find(b"/")
    while end >= 0:
        folder = path[:end]
        if kinds.get(folder, Kind.DIR) is not Kind.DIR or present.get(folder, Kind.DIR) is not Kind.DIR:
            return folder
        end = path.find(b"/", end + 1)
    return b""


def next_state(
    day: date,
    base: State | None,
    made: Sequence[tuple[Archive, Iterable[Held]]],
    kept: Iterable[Held],
) -> State:
    """The state after a collect: what each new archive holds, and what earlier ones still do."""
    carried = list(kept)
    numbers = sorted({held.archive for held in carried})
    renumbered = {old: new for new, old in enumerate(numbers, start=len(made))}
    everything = {held.entry.path: _in(renumbered[held.archive], held) for held in carried}
    for number, (_, archived) in enumerate(made):
        everything |= {held.entry.path: _in(number, held) for held in archived}
    earlier = [base.archives[number] for number in numbers] if base else []
    return State(
        day,
        base.whole_day if base else day,
        (*(archive for archive, _ in made), *earlier),
        dict(sorted(everything.items())),
    )


def _in(archive: int, held: Held) -> Held:
    return held if held.archive == archive else held._replace(archive=archive)


def attempt(day: date, base: State | None, increment: Increment) -> State:
    """The state of a collect of which nobody knows yet what of its archives comes to be: never a base."""
    unread = {path: Held(one.entry, one.fingerprint) for path, one in increment.members.items()}
    held = {**increment.kept, **unread}
    archives = base.archives if base else ()
    return State(day, base.whole_day if base else day, archives, held, is_complete=False)


# -- as a file --------------------------------------------------------------------------------------


def write_state(
    stream: BinaryIO, state: State, *, fingerprints: bool, collected: Mapping[str, object] | None = None
) -> None:
    """Write a state as an index; with `fingerprints` so that it can be compared with.

    `archives` in the first line are the archives, this one first; a record's `in` says which of them
    has the content of a file, and is not there for the first. `collected` says there what the archive
    is of, see `collected_as`.
    """
    head: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "of": "archive",
        "day": state.day.isoformat(),
        "whole_day": state.whole_day.isoformat(),
        **(collected or {}),
        "archives": [_described(each, fingerprints=fingerprints) for each in state.archives],
    }
    if not state.is_complete:
        head["complete"] = False
    write_lines(stream, head, (_record(held, fingerprints=fingerprints) for held in state.held.values()))


def collected_as(source: bytes, at: datetime, unread: Collection[bytes] = ()) -> Mapping[str, object]:
    """What the first line of an archive's index says of its collect.

    The path of the source, without the slash it begins with, and when the run began, by universal time. A
    source may have several archives, of which the next collect makes others. Whoever restores has to
    know which of them belong together, and which collect of a day was the last one. What is at or below an
    `unread` path, of which there are none in most, was perhaps there though it is not listed.
    """
    said: dict[str, object] = {
        "source": to_text(source),
        "at": at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    if unread:
        said["unread"] = [to_text(path) for path in named(unread)]
    return said


def _described(archive: Archive, *, fingerprints: bool) -> dict[str, object]:
    described: dict[str, object] = {
        "name": to_text(archive.name),
        "day": archive.day.isoformat(),
        "sha256": archive.sha256.hex(),
    }
    if fingerprints:
        described["beside"] = [digest.hex() for digest in archive.beside]
    return described


def _record(held: Held, *, fingerprints: bool) -> bytes:
    if held.entry.kind is Kind.FILE and not held.entry.sha256:
        held = held._replace(entry=held.entry._replace(sha256=_UNKNOWN))
    further = f',"in":{held.archive}' if held.archive else ""
    if fingerprints:
        inode, ctime_ns = held.fingerprint
        further += f',"inode":{inode},"ctime_ns":{ctime_ns}'
    return format_record(held.entry, further=further)


_UNKNOWN = bytes(SHA256_SIZE)
"""The digest of a file that was to be read: no file has it."""


def read_state(stream: BinaryIO, *, head_only: bool = False) -> State:
    """Read what `write_state` wrote with fingerprints; perhaps without what the state holds.

    Raises:
        ValueError: it is damaged, or of another version.
    """
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
            head = json.loads(packed.readline() or b"null")
            if (head["format"], head["version"]) != (FORMAT, VERSION):
                raise ValueError("it is of another format or version")
            pieces = () if head_only else whole_lines(packed)
            all_held = (held for piece in pieces for held in map(_held_of, _FIELDS.findall(piece)))
            by_path = {held.entry.path: held for held in all_held}
        return State(
            date.fromisoformat(head["day"]),
            date.fromisoformat(head["whole_day"]),
            tuple(map(_archive_of, head["archives"])),
            by_path,
            is_complete=head.get("complete", True),
        )
    except (KeyError, TypeError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"it is damaged: {error}") from error


def _archive_of(described: Mapping[str, Any]) -> Archive:
    return Archive(
        from_text(described["name"]),
        date.fromisoformat(described["day"]),
        bytes.fromhex(described["sha256"]),
        tuple(bytes.fromhex(digest) for digest in described["beside"]),
    )


_FIELDS = usual_or_other(rb'(?:,"in":(\d{1,9}))?,"inode":(\d{1,20}),"ctime_ns":(-?\d{1,20})')
_NEW = tuple.__new__  # as in `model.index`
_IN, _INODE = b',"in":', b',"inode":'
_FINGERPRINT = re.compile(rb',"inode":(\d{1,20}),"ctime_ns":(-?\d{1,20})\}')


def _held_of(fields: Sequence[bytes]) -> Held:
    """What is held by a line: a record of an index with what `_record` put at its end."""
    number, inode, ctime_ns, line = fields[USUAL:]
    if fields[0]:
        fingerprint = _NEW(Fingerprint, (int(inode), int(ctime_ns)))
        return _NEW(Held, (usual_entry(fields[:USUAL]), fingerprint, int(number or 0)))
    end = line.rfind(_INODE)
    told = _FINGERPRINT.fullmatch(line, max(end, 0))
    if told is None:
        raise ValueError("a record has no fingerprint")
    archive, start = 0, line.rfind(_IN, 0, end)
    if start >= 0 and (number := line[start + len(_IN) : end]).isdigit():
        archive, end = int(number), start
    entry = parse_record(line[:end] + b"}")
    return Held(entry, Fingerprint(int(told[1]), int(told[2])), archive)
