"""What of a source has to go into its next archive, compared with what is proven to be on disc.

A *state* is what a collect of a source found, and in which archive the content of each file is. The base
of an increment is the newest state whose archives are all proven; without one the source is collected
whole. States are kept as the index of an archive is written, with what tells that a file has not changed.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO, NamedTuple

from cedarchest.model.index import (
    FORMAT,
    VERSION,
    Entry,
    Fingerprint,
    Kind,
    batches,
    entry_of,
    format_record,
)
from cedarchest.model.names import from_text, to_text


class Seen(NamedTuple):
    """Something of a source as it stands: path from `/`, no digest yet, and its fingerprint."""

    entry: Entry
    fingerprint: Fingerprint


class Held(NamedTuple):
    """Something of a source with its digest; `archive` counts from the one that the state is of, 0."""

    entry: Entry
    fingerprint: Fingerprint
    archive: int = 0


class Archive(NamedTuple):
    """An archive: its file name, the day it was made, 32 bytes of SHA-256."""

    name: bytes
    day: date
    sha256: bytes


@dataclass(frozen=True, slots=True)
class State:
    """What a collect found: the day, the day of the whole collect it rests on, its archives, newest first.

    One without archives only says that there was a collect.
    """

    day: date
    whole_day: date
    archives: tuple[Archive, ...] = ()
    held: Mapping[bytes, Held] = field(default_factory=dict)

    def is_proven(self, told: Mapping[bytes, int], copies: int) -> bool:
        """Whether all its archives are, by digest, told to be on as many verified discs."""
        return bool(self.archives) and all(told.get(each.sha256, 0) >= copies for each in self.archives)


@dataclass(frozen=True, slots=True)
class Increment:
    """What goes into the archive, what those of the base hold, whether that has other attributes now."""

    members: tuple[Seen, ...]
    kept: tuple[Held, ...]
    altered: bool = False


def compare(
    seen: Sequence[Seen],
    unseen: Collection[bytes],
    base: State | None,
    digest: Callable[[Seen], bytes | None],
) -> Increment:
    """What has to be archived of all that is seen.

    A file that has size, times and inode as in the base is not read. One whose size is the same is asked
    its `digest` (None: it cannot be told); where that is the same too, the base holds its content. All
    names of a file with several go together. What the base has at or below a path that was `unseen`,
    because it cannot be looked at, is taken to be there still.
    """
    if base is None:
        return Increment(tuple(seen), ())
    kept: dict[bytes, Held] = {}
    for one in seen:
        before = base.held.get(one.entry.path)
        if before is not None and (held := _held_still(one, before, digest)):
            kept[one.entry.path] = held
    broken = {_group(one.entry) for one in seen if one.entry.path not in kept}
    for one in seen:
        if _group(one.entry) in broken:
            kept.pop(one.entry.path, None)
    members = tuple(one for one in seen if one.entry.path not in kept)
    altered = any(held.entry != base.held[path].entry for path, held in kept.items())
    still = _unseen(base, {one.entry.path for one in seen}, unseen)
    return Increment(members, (*kept.values(), *still), altered)


def _unseen(base: State, seen: Collection[bytes], unseen: Collection[bytes]) -> Iterator[Held]:
    below = tuple(path + b"/" for path in unseen)
    for path, held in base.held.items() if unseen else ():
        if path not in seen and (path in unseen or path.startswith(below)):
            yield held


def _group(entry: Entry) -> bytes:
    return entry.hardlink or entry.path


def _held_still(one: Seen, before: Held, digest: Callable[[Seen], bytes | None]) -> Held | None:
    """The same with the content that the base holds; None when it has to be archived."""
    entry, old = one.entry, before.entry
    if entry.kind is not old.kind or entry.size != old.size or entry.hardlink != old.hardlink:
        return None
    if one.fingerprint == before.fingerprint and entry.mtime_ns == old.mtime_ns:
        return Held(entry._replace(sha256=old.sha256), one.fingerprint, before.archive)
    if entry.kind is Kind.FILE and digest(one) == old.sha256:
        return Held(entry._replace(sha256=old.sha256), one.fingerprint, before.archive)
    return None


def next_state(
    day: date, base: State | None, archive: Archive, kept: Iterable[Held], archived: Iterable[Held]
) -> State:
    """The state after a collect: what the new archive holds, and what earlier ones still do."""
    carried = list(kept)
    numbers = sorted({held.archive for held in carried})
    renumbered = {old: new for new, old in enumerate(numbers, start=1)}
    everything = [*archived, *(held._replace(archive=renumbered[held.archive]) for held in carried)]
    everything.sort(key=lambda held: held.entry.path)
    earlier = tuple(base.archives[number] for number in numbers) if base else ()
    return State(
        day,
        base.whole_day if base else day,
        (archive, *earlier),
        {held.entry.path: held for held in everything},
    )


def deleted_since(states: Iterable[State], present: Collection[bytes]) -> tuple[bytes, ...]:
    """Paths that any of these states has and that are there no more, what a folder holds before itself."""
    known = {path for state in states for path in state.held}
    return tuple(sorted(known.difference(present), reverse=True))


# -- as a file --------------------------------------------------------------------------------------


def write_state(stream: BinaryIO, state: State, *, fingerprints: bool) -> None:
    """Write a state as an index; with `fingerprints` so that it can be compared with.

    `archives` in the first line are the archives, this one first; a record's `in` says which of them
    has the content of a file, and is not there for the first.
    """
    head = {
        "format": FORMAT,
        "version": VERSION,
        "of": "archive",
        "day": state.day.isoformat(),
        "whole_day": state.whole_day.isoformat(),
        "archives": [
            {"name": to_text(each.name), "day": each.day.isoformat(), "sha256": each.sha256.hex()}
            for each in state.archives
        ],
    }
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=1, mtime=0) as packed:
        packed.write(json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        for batch in batches(_record(held, fingerprints=fingerprints) for held in state.held.values()):
            packed.write(batch)


def _record(held: Held, *, fingerprints: bool) -> bytes:
    more = b',"in":%d' % held.archive if held.archive else b""
    if fingerprints:
        more += b',"inode":%d,"ctime_ns":%d' % held.fingerprint
    return format_record(held.entry)[:-2] + more + b"}\n"


def read_state(stream: BinaryIO, *, head_only: bool = False) -> State:
    """Read what `write_state` wrote with fingerprints; perhaps without what the state holds.

    Raises:
        ValueError: it is damaged, or of another version.
    """
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
            lines = [packed.readline()] if head_only else packed.read().splitlines()
        head = json.loads(lines[0])
        if (head["format"], head["version"]) != (FORMAT, VERSION):
            raise ValueError("it is of another format or version")
        held = [_held_of(line) for line in lines[1:]]
        return State(
            date.fromisoformat(head["day"]),
            date.fromisoformat(head["whole_day"]),
            tuple(
                Archive(
                    from_text(each["name"]), date.fromisoformat(each["day"]), bytes.fromhex(each["sha256"])
                )
                for each in head["archives"]
            ),
            {each.entry.path: each for each in held},
        )
    except (KeyError, IndexError, TypeError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"it is damaged: {error}") from error


def _held_of(line: bytes) -> Held:
    record = json.loads(line)
    fingerprint = Fingerprint(int(record["inode"]), int(record["ctime_ns"]))
    return Held(entry_of(record), fingerprint, int(record.get("in", 0)))
