"""The copy action: all that a disc shows, on one more disc, from the disc itself: staging is not needed.

What is on a disc in a drive is read into the working folder first, since the drive is needed for the copy;
it stays there until the copy is proven, so that a run which wants a blank disc can go on later.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cedarchest.actions.burn import burn_tree
from cedarchest.actions.facts import base_chain, last_good, last_verified, named_disc, visible_entries
from cedarchest.actions.loading import with_right_disc
from cedarchest.actions.marks import follow_proof
from cedarchest.actions.prove import expected_of, prove_session
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.rescued import rescued_chain, rescued_pieces
from cedarchest.actions.reuse import begin_blank
from cedarchest.actions.selection import Selection
from cedarchest.actions.store import StoreOptions, settle_earlier
from cedarchest.actions.verify import verify_disc
from cedarchest.actions.writers import create_writer, device_for, device_holding
from cedarchest.config.model import Config
from cedarchest.errors import DamagedDisc, NotAppendable, VerifyError
from cedarchest.model.disc import (
    CheckKind,
    DayContent,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    still_shown,
)
from cedarchest.model.index import Entry
from cedarchest.model.media import BLOCK
from cedarchest.model.names import label_word
from cedarchest.model.session import HOME, VolumePlace
from cedarchest.ports import ImageTree, Ports, Writer

log = logging.getLogger(__name__)

COPY_OF = "it is a copy of "
"""How the reason begins for which a copy takes no more sessions; the label of the disc follows."""

PIECE_BLOCKS = 512


@dataclass(frozen=True, slots=True)
class CopyReport:
    """A disc and its new copy, with the days that the copy holds."""

    label: str
    copy: str
    number: int
    days: tuple[str, ...]


def execute_copy(config: Config, label: str, *, ports: Ports) -> CopyReport:
    """Make one more copy of a disc, and prove it by reading it back.

    Raises:
        NoMedium, WrongDisc, NotAppendable: the disc or a blank one is not there; says which to insert.
        VerifyError, DamagedDisc: the disc is not what was written to it, or its copy is not.
        DiskFull: there is no room to read the disc into.
    """
    with ports.locks.hold(config.options.state_dir):
        settle_earlier(config, StoreOptions(), ports)
        sources = _sources(named_disc(label, ports), ports)
        _refuse_without_index(sources[0])
        ports.workspace.drop_images(but=_name(sources[0].chain[-1]))
        source, image, entries = _read_one(config, sources, ports)
        chain = source.chain
        copy = _write(config, source.disc, chain, ImageTree(image, chain[-1].start), entries, ports)
        ports.workspace.drop_images()
        days = tuple(sorted({content.day for session in chain for content in session.days}))
        follow_proof(config, days, ports)
        leave_receipts(config, ports=ports)
        return CopyReport(source.disc.label, copy.label, copy.copy, days)


@dataclass(frozen=True, slots=True)
class _Source:
    """A disc to copy, with the sessions that make up what it shows."""

    disc: DiscRecord
    chain: tuple[SessionRecord, ...]
    rescued: bool = False  # put together from what several drives read of it


def _sources(named: DiscRecord, ports: Ports) -> list[_Source]:
    """What to copy, the best first: the named disc, but others that hold the same before one that failed.

    Raises:
        NotAppendable: nothing of it is proven, and no other disc holds the same.
    """
    sessions = ports.catalog.sessions(named.disc_id)
    own = [source] if (source := _proven(named, ports)) else []
    has_failed = any(each.status is SessionStatus.BAD and each.block_map for each in sessions)
    others = [
        source
        for disc in ports.catalog.discs()
        if disc.disc_id != named.disc_id and not disc.given_up and (source := _proven(disc, ports))
        if _holds(source.chain, sessions) and not any(each.has_no_index for each in source.chain)
    ]
    chain = rescued_chain(named, ports) if has_failed else ()
    rescued = [_Source(named, chain, rescued=True)] if chain else []
    sources = [*others, *rescued, *own] if has_failed else [*own, *others]
    word = label_word(named.label)
    if not sources:
        raise NotAppendable(
            f"{'not all' if last_verified(sessions) else 'nothing'} on {named.label} is proven, so there is"
            " nothing to copy, and no other disc holds the same",
            advice=f"Run `cedarchest audit {word}` first, in another drive: it may read what one could not."
            if has_failed
            else f"Run `cedarchest verify {word}` first.",
            label=named.label,
        )
    if sources[0].rescued:
        ports.reporter.warn(f"{named.label} failed; it is put together from what drives read of it")
    elif sources[0].disc != named:
        other = sources[0].disc.label
        ports.reporter.warn(f"{named.label} is not proven; {other} holds the same and is copied")
    elif has_failed:
        ports.reporter.warn(f"the sessions of {named.label} that failed will not be on its copy")
    return sources


def _refuse_without_index(source: _Source) -> None:
    """Say of a disc of Cedar Backup that it cannot be copied.

    Raises:
        NotAppendable: it is one.
    """
    label = source.disc.label
    if any(session.has_no_index for session in source.chain):
        raise NotAppendable(
            f"{label} has sessions of Cedar Backup, without an index that a copy could be proven with",
            advice="Stage what it holds once more, under its days, and store that; or copy it bit by bit"
            " with another program.",
            label=label,
        )


def _proven(disc: DiscRecord, ports: Ports) -> _Source | None:
    """A disc of which all that it shows is proven."""
    sessions = ports.catalog.sessions(disc.disc_id)
    base = last_verified(sessions)
    if base is None or base != last_good(sessions):
        return None
    return _Source(disc, tuple(base_chain(sessions, base.number)))


def _holds(chain: Sequence[SessionRecord], sessions: Sequence[SessionRecord]) -> bool:
    """Whether a disc has the days of another one's sessions, as whole as they are there."""
    held = [(session, content) for session in chain for content in session.days]
    wanted = [
        (session, content)
        for session in sessions
        if session.status is not SessionStatus.ABANDONED
        for content in session.days
    ]
    return bool(wanted) and all(
        any(
            (there.day, there.index_digest) == (content.day, content.index_digest)
            and (not there.partial or holder.name == session.name)
            for holder, there in held
        )
        for session, content in wanted
    )


def _read_one(config: Config, sources: Sequence[_Source], ports: Ports) -> tuple[_Source, Path, list[Entry]]:
    """The first of some discs that is as it was written, read; one that is not any more is passed over.

    Raises:
        VerifyError, DamagedDisc: none of them is.
    """
    for source, is_last in zip(sources, [*[False] * (len(sources) - 1), True], strict=True):
        try:
            return source, *_read(config, source, ports)
        except (VerifyError, DamagedDisc) as error:
            if is_last:
                raise
            ports.reporter.warn(f"{error.message}; another disc that holds the same is copied")
    raise AssertionError("there is no disc to copy")


def _read(config: Config, source: _Source, ports: Ports) -> tuple[Path, list[Entry]]:
    """The disc as an image, verified now or when it was read, and all entries that it shows but ours."""
    disc, chain = source.disc, source.chain
    writer = create_writer(config, ports=ports, device=device_holding(config, disc.label, ports))
    try:
        image = ports.workspace.kept_image(_name(chain[-1]))
        if image is None:
            with_right_disc(writer, ports, lambda: writer.load(disc.label))
            if not source.rescued:
                verdict = verify_disc(config, writer, disc, ports)
                if verdict.problem:
                    raise verdict.problem
            image = (None if source.rescued else writer.image) or _kept(writer, source, ports)
        reader = ports.drives.open_path(image)
        try:
            return image, _shown(reader, chain, ports)
        finally:
            reader.close()
    finally:
        writer.close()


def _kept(writer: Writer, source: _Source, ports: Ports) -> Path:
    """What a disc holds, as an image in the working folder."""
    disc, chain = source.disc, source.chain
    total = sum(session.blocks for session in chain) * BLOCK
    ports.reporter.phase(f"reading {disc.label} into the working folder", total)

    def pieces() -> Iterator[tuple[int, bytes]]:
        done = 0
        for session in chain:  # what lies between sessions cannot always be read, and holds nothing
            end = session.start + session.blocks
            for start in range(session.start, end, PIECE_BLOCKS):
                ports.interrupts.check()
                piece = writer.read(start, min(PIECE_BLOCKS, end - start))
                yield start * BLOCK, piece
                done += len(piece)
                ports.reporter.advance(done)

    rescued = rescued_pieces(writer, disc, chain, ports, ports.reporter.advance)
    found = _with_head(rescued if source.rescued else pieces(), chain)
    return ports.workspace.keep_image(_name(chain[-1]), total, found)


def _with_head(
    pieces: Iterable[tuple[int, bytes]], chain: Sequence[SessionRecord]
) -> Iterator[tuple[int, bytes]]:
    """The pieces, and in front of a first session that leaves room there the heads of the newest one.

    On media that are written over they stand there for systems that know no sessions. An image that has none
    is a blank disc to xorriso.
    """
    newest = chain[-1].start * BLOCK
    for offset, piece in pieces:
        yield offset, piece
        if offset == newest and chain[0].start >= HEADS.stop:
            yield HEADS.start * BLOCK, piece[HEADS.start * BLOCK : HEADS.stop * BLOCK]


HEADS = range(16, 32)
"""Blocks of a session in which ISO 9660 has its volume descriptors."""


def _name(session: SessionRecord) -> str:
    """The name of the image of a disc with this session as its last."""
    return f"{session.disc_id}-{session.number:03}"


def _shown(reader: Writer, chain: Sequence[SessionRecord], ports: Ports) -> list[Entry]:
    """What the newest session shows of days, as their sessions' indexes have it."""
    shown: dict[bytes, Entry] = {}
    for session in chain:
        new = expected_of(reader, session, ports)
        kept = still_shown(shown, ((entry.path, entry.kind.value) for entry in new))
        shown = {**kept, **{entry.path: entry for entry in new}}
    ours = f"{HOME}/".encode()
    days = [entry for path, entry in sorted(shown.items()) if not path.startswith(ours) and path != ours[:-1]]
    there = {entry.path for entry in days}
    return [entry if entry.hardlink in there else entry._replace(hardlink=b"") for entry in days]


def _write(
    config: Config,
    source: DiscRecord,
    chain: Sequence[SessionRecord],
    tree: ImageTree,
    entries: Sequence[Entry],
    ports: Ports,
) -> DiscRecord:
    number = _free_number(source, chain, ports)
    device = device_for(config, ports, copy=number, always_new=True)
    writer = create_writer(config, ports=ports, device=device)
    try:
        begun = with_right_disc(writer, ports, lambda: begin_blank(writer, ports, copy=number))
        disc = replace(begun, accepts_sessions=False, reason=f"{COPY_OF}{source.label}")
        selection = Selection(
            tuple(_contents(chain)), tuple(entries), (), (), (f"/{HOME}".encode(),), (), {}, ()
        )
        ours = f"{HOME}".encode()
        base = chain[-1].number
        visible = {
            path: entry
            for path, entry in visible_entries(ports.catalog, source.disc_id, base).items()
            if not path.startswith(ours)
        }
        session = burn_tree(
            config, writer, disc, selection, visible, tree, _place(chain), chain[-1].created_at, ports
        )
        prove_session(config, writer, disc, session, ports, kind=CheckKind.STORE)
        return disc
    finally:
        writer.close()


def _free_number(source: DiscRecord, chain: Sequence[SessionRecord], ports: Ports) -> int:
    """The lowest number of a copy that no other disc with a day of it has."""
    days = {content.day for session in chain for content in session.days}
    holding = {session.disc_id for day in days for session, _ in ports.catalog.contents(day)}
    taken = {disc.copy for disc in ports.catalog.discs() if disc.disc_id in holding} | {source.copy}
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _contents(chain: Sequence[SessionRecord]) -> Iterator[DayContent]:
    """What a copy holds of each day: as its newest session says; whole where that had the rest of it here."""
    of_day: dict[str, list[DayContent]] = {}
    for session in chain:
        for content in session.days:
            of_day.setdefault(content.day, []).append(content)
    for contents in of_day.values():
        size = sum(content.data_bytes for content in contents)
        elsewhere = any(content.rests_on or content.pieces > 1 for content in contents)
        yield replace(contents[-1], partial=contents[0].partial or elsewhere, data_bytes=size)


def _place(chain: Sequence[SessionRecord]) -> VolumePlace:
    """The place in a set that the disc has, if it holds a volume of one."""
    volume = next((session for session in reversed(chain) if session.volumes > 1), None)
    if volume is None:
        return VolumePlace(str(uuid.uuid4()))
    return VolumePlace(volume.volume_set, volume.volume, volume.volumes)
