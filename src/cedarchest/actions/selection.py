"""What of some days goes into a session: which entries, how they are brought there, what no disc can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cedarchest.actions.facts import below, is_same
from cedarchest.model.disc import DayContent, StoredEntry
from cedarchest.model.holdable import unholdable
from cedarchest.model.index import Entry, Kind
from cedarchest.ports import DayIndex, Graft, Ports


@dataclass(frozen=True, slots=True)
class Selection:
    """What of some days goes into a session.

    `left_out` are entries that no ISO image can hold, with the reason; they live in the index.
    """

    contents: tuple[DayContent, ...]
    entries: tuple[Entry, ...]
    grafts: tuple[Graft, ...]
    removed: tuple[bytes, ...]
    excluded: tuple[bytes, ...]
    left_out: Mapping[bytes, str]
    replaces: tuple[bytes, ...]


def select(days: Sequence[DayIndex], visible: Mapping[bytes, StoredEntry], ports: Ports) -> Selection:
    """What of the days is not on the disc yet, and how it is brought there."""
    contents, entries, grafts, removed, excluded, replaces = [], [], [], [], [], []
    left_out: dict[bytes, str] = {}
    for day in days:
        everything = sorted((*day.entries, *ports.staging.companions(day)), key=lambda entry: entry.path)
        lost = {entry.path: why for entry in everything if (why := unholdable(entry))}
        left_out |= lost
        partial = below(visible, day.day)
        held = [entry for entry in everything if entry.path not in lost]
        wanted = [entry for entry in held if not partial or not is_same(entry, visible.get(entry.path))]
        if partial:
            wanted = _by_themselves(wanted)
            grafts += [_graft(day, entry) for entry in wanted]
            removed += [b"/" + entry.path for entry in wanted if _replaces_kind(entry, visible)]
            replaces += [e.path for e in wanted if e.path in visible and e.kind is not Kind.DIR]
        else:
            grafts.append(Graft(_source(day, day.day.encode()), b"/" + day.day.encode()))
            excluded += [_source(day, path) for path in (*lost, f"{day.day}/cback.store".encode())]
        entries += wanted
        contents.append(
            DayContent(day.day, day.digest, len(day.entries), sum(e.size for e in wanted), partial=partial)
        )
    return Selection(
        tuple(contents),
        tuple(entries),
        tuple(grafts),
        tuple(removed),
        tuple(excluded),
        left_out,
        tuple(replaces),
    )


def _by_themselves(wanted: Sequence[Entry]) -> list[Entry]:
    """A link to a file that stands on the disc already cannot share its data: it gets its own."""
    brought = {entry.path for entry in wanted}
    return [
        entry if entry.hardlink in brought else entry._replace(hardlink=b"") if entry.hardlink else entry
        for entry in wanted
    ]


def _replaces_kind(entry: Entry, visible: Mapping[bytes, StoredEntry]) -> bool:
    """Whether a directory takes the place of something else, or something else that of a directory."""
    stored = visible.get(entry.path)
    return stored is not None and (stored.kind == Kind.DIR) != (entry.kind is Kind.DIR)


def _source(day: DayIndex, path: bytes) -> bytes:
    return bytes(day.directory) + path[len(day.day) :]


def _graft(day: DayIndex, entry: Entry) -> Graft:
    return Graft(_source(day, entry.path), b"/" + entry.path, single=True)
