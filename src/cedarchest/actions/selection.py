"""What of some days goes into a session: which entries, how they are brought there, what no disc can hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cedarchest.actions.facts import below, is_same
from cedarchest.model.disc import DayContent, StoredEntry
from cedarchest.model.holdable import unholdable
from cedarchest.model.index import Entry, Kind
from cedarchest.model.parts import Part
from cedarchest.ports import DayIndex, Graft, Ports, StagedDay


@dataclass(frozen=True, slots=True)
class DayShare:
    """What of a staged day a disc gets: entries with the directories above them, files that are cut in parts.

    `pieces` is how many volumes of a set hold the day, `rests_on` names the sessions that had the rest of it
    before (`SessionRecord.name`).
    """

    index: DayIndex
    entries: Sequence[Entry]
    parts: Mapping[bytes, Part] = field(default_factory=dict)
    is_whole: bool = True
    pieces: int = 1
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """What of some days goes into a session.

    `later` are the grafts that come after all others: what changes with the indexing of a day, and parts.
    `left_out` are entries that no ISO image can hold, with the reason; they live in the index. `cut` are the
    files that stand there in parts.
    """

    contents: tuple[DayContent, ...]
    entries: tuple[Entry, ...]
    grafts: tuple[Graft, ...]
    later: tuple[Graft, ...]
    removed: tuple[bytes, ...]
    excluded: tuple[bytes, ...]
    left_out: Mapping[bytes, str]
    replaces: tuple[bytes, ...]
    cut: tuple[Part, ...] = ()


def select(shares: Sequence[DayShare], visible: Mapping[bytes, StoredEntry], ports: Ports) -> Selection:
    """What of the days is not on the disc yet, and how it is brought there."""
    contents, entries, grafts, later, removed, excluded, replaces = [], [], [], [], [], [], []
    left_out: dict[bytes, str] = {}
    cut: list[Part] = []
    for share in shares:
        day = share.index
        lost = {entry.path: why for entry in day.entries if (why := unholdable(entry))}
        left_out |= lost
        companions = ports.staging.companions(day)
        held = sorted((*share.entries, *companions), key=lambda entry: entry.path)
        by_itself = not share.is_whole or below(visible, day.day)
        wanted = [entry for entry in held if not by_itself or not is_same(entry, visible.get(entry.path))]
        parts = [share.parts[entry.path] for entry in wanted if entry.path in share.parts]
        if by_itself:
            wanted = _by_themselves(wanted)
            grafts += [_graft(day, entry) for entry in wanted if entry.path not in share.parts]
            removed += [b"/" + entry.path for entry in wanted if _replaces_kind(entry, visible)]
            replaces += [e.path for e in wanted if e.path in visible and e.kind is not Kind.DIR]
        else:
            whole = (entry.path for entry in share.entries if entry.path not in share.parts)
            grafts += _whole(day.directory, day.day, _tops(day.day, whole))
            later += [_graft(day, entry) for entry in companions]
            excluded += [_source(day, path) for path in (*lost, *{part.whole.path for part in parts})]
        later += [_part_graft(day, part) for part in parts]
        cut += parts
        entries += wanted
        contents.append(
            DayContent(
                day.day,
                day.digest,
                len(day.entries),
                sum(entry.size for entry in wanted),
                partial=by_itself,
                pieces=share.pieces,
                rests_on=share.rests_on,
            )
        )
    return Selection(
        tuple(contents),
        tuple(entries),
        tuple(grafts),
        tuple(later),
        tuple(removed),
        tuple(excluded),
        left_out,
        tuple(replaces),
        tuple(cut),
    )


def foreseen(days: Sequence[StagedDay], ports: Ports) -> list[Graft]:
    """The grafts of days of which nothing is on the disc yet, as they show before the days are indexed."""
    return [
        graft for day in days for graft in _whole(day.directory, day.day, ports.staging.top(day.directory))
    ]


def _whole(directory: Path, day: str, tops: Iterable[bytes]) -> list[Graft]:
    """A day by what stands at its top: index and sums, and so the folder, change while it is looked at."""
    source, target = bytes(directory) + b"/", b"/" + day.encode() + b"/"
    return [Graft(source + name, target + name) for name in tops]


def _tops(day: str, paths: Iterable[bytes]) -> dict[bytes, None]:
    start = len(day) + 1
    return dict.fromkeys(path[start:].partition(b"/")[0] for path in paths)


def _by_themselves(wanted: Sequence[Entry]) -> list[Entry]:
    """A link to a file that does not come along cannot share its data: the first of them gets its own."""
    brought = {entry.path for entry in wanted}
    leaders: dict[bytes, bytes] = {}
    found = []
    for entry in wanted:
        if entry.hardlink and entry.hardlink not in brought:
            leader = leaders.setdefault(entry.hardlink, entry.path)
            found.append(entry._replace(hardlink=b"" if leader == entry.path else leader))
        else:
            found.append(entry)
    return found


def _replaces_kind(entry: Entry, visible: Mapping[bytes, StoredEntry]) -> bool:
    """Whether a directory takes the place of something else, or something else that of a directory."""
    stored = visible.get(entry.path)
    return stored is not None and (stored.kind == Kind.DIR) != (entry.kind is Kind.DIR)


def _source(day: DayIndex, path: bytes) -> bytes:
    return bytes(day.directory) + path[len(day.day) :]


def _graft(day: DayIndex, entry: Entry) -> Graft:
    return Graft(_source(day, entry.path), b"/" + entry.path, single=True)


def _part_graft(day: DayIndex, part: Part) -> Graft:
    span = (part.offset, part.entry.size)
    return Graft(_source(day, part.whole.path), b"/" + part.entry.path, single=True, span=span)
