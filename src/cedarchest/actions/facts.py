"""What the catalog proves of days and discs: asked here, decided nowhere else."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from cedarchest.errors import NoMedium, NotAppendable
from cedarchest.model.disc import (
    DayContent,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    StoredEntry,
    still_shown,
    stored_as,
)
from cedarchest.model.index import Entry
from cedarchest.model.parts import parts_of
from cedarchest.ports import Catalog, DayIndex, Ports


def is_stored(catalog: Catalog, day: str, digest: bytes, copies: int) -> bool:
    """Whether a day with this index digest stands whole on as many verified discs, replaced by nothing."""
    newest = {
        session.disc_id: content
        for session, content in catalog.contents(day)
        if session.status is SessionStatus.VERIFIED
    }
    whole = [each for each in newest.values() if each.index_digest == digest and not each.partial]
    return len(whole) >= copies


def is_on_a_disc(catalog: Catalog, day: str) -> bool:
    """Whether a verified disc holds anything of a day."""
    return any(session.status is SessionStatus.VERIFIED for session, _ in catalog.contents(day))


def is_claimed(catalog: Catalog, day: str) -> bool:
    """Whether a disc that was not read here yet claims to hold anything of a day."""
    return any(session.status is SessionStatus.CLAIMED for session, _ in catalog.contents(day))


def is_covered(
    catalog: Catalog, day_index: DayIndex, copies: int, not_held: Iterable[bytes] = (), *, of_copy: int = 0
) -> bool:
    """Whether each entry of a day, in all that makes it up, is on as many verified discs, over any sessions.

    `not_held` are paths that no disc can hold: they live in the index, which has to be on as many. What was
    cut is there when all of its parts are. With `of_copy` only the discs of that number count.
    """
    known = catalog.copies(day_index.day, of_copy=of_copy)
    left_out = set(not_held)
    if left_out and _discs_with_index(catalog, day_index, of_copy) < copies:
        return False
    if not known and len(left_out) < len(day_index.entries):
        return False  # as of every new day
    missing = [
        entry
        for entry in day_index.entries
        if entry.path not in left_out and known.get(stored_as(entry), 0) < copies
    ]
    splits = catalog.splits({entry.sha256 for entry in missing}) if missing else {}
    taken = {entry.path for entry in day_index.entries} if splits else set[bytes]()
    return bool(day_index.entries) and all(
        any(
            all(known.get(stored_as(part.entry), 0) >= copies for part in parts_of(entry, split, taken))
            for split in splits.get(entry.sha256, ())
        )
        for entry in missing
    )


def _discs_with_index(catalog: Catalog, day_index: DayIndex, of_copy: int) -> int:
    """On how many verified discs the index of a day stands as it is now."""
    holding = {
        session.disc_id
        for session, content in catalog.contents(day_index.day)
        if session.status is SessionStatus.VERIFIED and content.index_digest == day_index.digest
    }
    if not of_copy:
        return len(holding)
    return sum(disc.disc_id in holding and disc.copy == of_copy for disc in catalog.discs())


def base_chain(sessions: Sequence[SessionRecord], number: int) -> list[SessionRecord]:
    """The sessions whose trees a session stands on, oldest first, itself included."""
    by_number = {session.number: session for session in sessions}
    chain: list[SessionRecord] = []
    while number in by_number and by_number[number] not in chain:
        chain.append(by_number[number])
        number = by_number[number].base
    return chain[::-1]


def last_verified(sessions: Sequence[SessionRecord]) -> SessionRecord | None:
    """The newest verified session of a disc."""
    verified = [session for session in sessions if session.status is SessionStatus.VERIFIED]
    return verified[-1] if verified else None


def last_good(sessions: Sequence[SessionRecord]) -> SessionRecord | None:
    """The newest session of a disc that is verified, or claimed to be: nothing goes on top of the latter."""
    good = [
        session for session in sessions if session.status in (SessionStatus.VERIFIED, SessionStatus.CLAIMED)
    ]
    return good[-1] if good else None


def visible_entries(catalog: Catalog, disc_id: str, base: int) -> dict[bytes, StoredEntry]:
    """What the tree of a session shows, by path; later sessions replace earlier ones."""
    shown: dict[bytes, StoredEntry] = {}
    for session in base_chain(catalog.sessions(disc_id), base):
        held = {entry.path: entry for entry in catalog.entries(disc_id, session.number)}
        shown = {**still_shown(shown, ((path, entry.kind) for path, entry in held.items())), **held}
    return shown


def without_maps(sessions: Iterable[SessionRecord]) -> tuple[SessionRecord, ...]:
    """Sessions without their block maps, which are large: for a look at many discs at once."""
    return tuple(replace(session, block_map=b"") for session in sessions)


def newest_written(
    contents: Iterable[tuple[SessionRecord, DayContent]],
) -> tuple[SessionRecord, DayContent] | None:
    """Of contents of a day, what was written last; None when nothing was."""
    written = (SessionStatus.VERIFIED, SessionStatus.BURNT, SessionStatus.BAD, SessionStatus.CLAIMED)
    found = [each for each in contents if each[0].status in written]
    return found[-1] if found else None


def is_whole(catalog: Catalog, day: str, digest: bytes) -> bool:
    """Whether discs prove all of a day with this index digest."""
    return are_whole(catalog, catalog.contents(day), digest)


def are_whole(catalog: Catalog, contents: Iterable[tuple[SessionRecord, DayContent]], digest: bytes) -> bool:
    """Whether contents of a day, on discs that count, prove all of it with this index digest.

    In one session with those it stands on, or in all volumes of a set with what they rest on.
    """
    verified = [each for each in contents if each[0].status is SessionStatus.VERIFIED]
    names = {session.name for session, _ in verified}
    sets: dict[str, list[tuple[SessionRecord, DayContent]]] = {}
    for session, content in verified:
        if content.index_digest == digest:
            sets.setdefault(session.volume_set, []).append((session, content))
    return any(
        len({session.volume for session, _ in volumes}) >= volumes[-1][1].pieces
        and all(_stands(catalog, session, content, names) for session, content in volumes)
        for volumes in sets.values()
    )


def _stands(catalog: Catalog, session: SessionRecord, content: DayContent, verified: Container[str]) -> bool:
    """Whether what a session needs to hold its day, on its disc and on others, is proven."""
    if not content.partial:
        return True
    chain = base_chain(catalog.sessions(session.disc_id), session.number)
    holding = [each.name for each in chain if any(held.day == content.day for held in each.days)]
    return all(name in verified for name in (*holding, *content.rests_on))


def named_disc(label: str, ports: Ports) -> DiscRecord:
    """The disc of a label that counts.

    Raises:
        NoMedium: the catalog knows none.
        NotAppendable: it was given up.
    """
    disc = disc_named(ports.catalog.discs(), label)
    if disc is None:
        raise NoMedium(
            f"the catalog knows no disc {label}", advice="`cedarchest discs` lists those it knows."
        )
    if disc.given_up:
        raise NotAppendable(
            f"{label} was given up: nothing on it counts any more",
            advice="Name another; `cedarchest discs` lists them.",
            label=label,
        )
    return disc


def disc_named(discs: Iterable[DiscRecord], label: str) -> DiscRecord | None:
    """The disc of a label, given up or not."""
    return next((disc for disc in discs if disc.label == label), None)


def days_on(sessions: Iterable[SessionRecord]) -> tuple[str, ...]:
    """Days with verified content in these sessions, oldest first."""
    found = {
        content.day
        for session in sessions
        if session.status is SessionStatus.VERIFIED
        for content in session.days
    }
    return tuple(sorted(found))


def is_same(entry: Entry, stored: StoredEntry | None) -> bool:
    """Whether a disc already shows this entry."""
    return stored is not None and stored == stored_as(entry, stored.start)


def below(shown: Mapping[bytes, StoredEntry], day: str) -> bool:
    """Whether any of the paths lies in a day."""
    prefix = day.encode() + b"/"
    return any(path.startswith(prefix) for path in shown)


def used_blocks(sessions: Sequence[SessionRecord]) -> int:
    """Blocks of a disc up to the end of its last session."""
    return max((session.start + session.blocks for session in sessions), default=0)


def free_blocks(disc: DiscRecord, sessions: Sequence[SessionRecord]) -> int:
    """Blocks of a disc that sessions may still take, what they need for themselves included."""
    writable = disc.accepts_sessions and not disc.given_up
    return max(0, disc.capacity - used_blocks(sessions)) if writable else 0
