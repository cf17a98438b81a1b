"""One session on one disc: prepared, announced in the catalog, burnt, found again in the disc's own TOC."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from cedarchest import __version__
from cedarchest.actions.facts import below, disc_named, is_same
from cedarchest.actions.loading import CurrentDisc
from cedarchest.config.model import Config
from cedarchest.errors import MediumFull, StagingError, ToolFailed
from cedarchest.model.disc import (
    DayContent,
    DiscRecord,
    Observation,
    SessionRecord,
    SessionStatus,
    StoredEntry,
)
from cedarchest.model.findings import Finding
from cedarchest.model.image.joliet import joliet_losses
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text
from cedarchest.model.session import (
    DISC_FILE,
    HOME,
    disc_json,
    outcome_json,
    readme,
    session_folder,
    session_json,
)
from cedarchest.ports import DayIndex, Graft, Ports, SavedSession, SessionSource, Writer

log = logging.getLogger(__name__)

LONGEST_TARGET = 1023
LONGEST_NAME = 255
"""Of a link's target and of a name in it, in bytes: over them libisofs 1.5.4 gives up the whole image."""
MANY_ENTRIES = 200_000


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


def unholdable(entry: Entry) -> str:
    """Why an ISO image with Rock Ridge cannot hold an entry; empty when it can."""
    if entry.kind in (Kind.CHAR, Kind.BLOCK, Kind.SOCKET):
        return f"a {entry.kind} node"
    if entry.kind is not Kind.LINK:
        return ""
    if len(entry.target) > LONGEST_TARGET:
        return f"a link target of {len(entry.target)} bytes"
    longest = max(map(len, entry.target.split(b"/")))
    return f"a link target with a name of {longest} bytes" if longest > LONGEST_NAME else ""


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
            grafts += [_graft(day, entry) for entry in wanted]
            replaces += [e.path for e in wanted if e.path in visible and e.kind is not Kind.DIR]
        else:
            grafts.append(Graft(_source(day, day.day.encode()), b"/" + day.day.encode()))
            excluded += [_source(day, path) for path in lost]
            if os.path.lexists(day.directory / "cback.store"):
                removed.append(f"/{day.day}/cback.store".encode())
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


def _source(day: DayIndex, path: bytes) -> bytes:
    return bytes(day.directory) + path[len(day.day) :]


def _graft(day: DayIndex, entry: Entry) -> Graft:
    return Graft(_source(day, entry.path), b"/" + entry.path, single=True)


def burn_session(
    config: Config,
    writer: Writer,
    disc: DiscRecord,
    current: CurrentDisc | None,
    days: Sequence[DayIndex],
    ports: Ports,
) -> SessionRecord:
    """Write the days as one session; afterwards it is `burnt`, not yet proven.

    Without days it is a repair session: the tree of the last verified session made visible again.

    Raises:
        StagingError: what is staged changed since it was indexed; nothing was written.
        MediumFull: the session does not fit; nothing was written.
        ToolError, MediaError: the write failed; the intent stays open for the next run.
    """
    seen = writer.observe()
    visible = current.visible if current else {}
    selection = select(days, visible, ports)
    session = _intent(seen, disc, current, selection, ports, writer)
    margin = config.require_store().margin_blocks(writer.device, seen.capacity)
    digests: list[SavedSession] = []
    looked: list[Future[list[Finding]]] = []

    def grafts() -> Iterator[Graft]:
        """The days first: the tool looks at them while our files are prepared, and we look once more."""
        yield from selection.grafts
        digests.append(_save_files(disc, session, selection, visible, ports))
        looked.append(beside.submit(_changes, days, ports))
        yield from digests[0].grafts

    def confirm(blocks: int) -> None:
        """The last look before the burn: nothing staged has changed, it fits, the intent is kept."""
        _refuse_changes(looked[0].result())
        if blocks > seen.free - margin:
            raise MediumFull(
                f"the session needs {blocks} blocks; {disc.label} has {seen.free} left,"
                f" {margin} of them a margin",
                advice="Run the command again with a new disc.",
                needed=blocks,
                free=seen.free,
                margin=margin,
            )
        ports.interrupts.check()
        ports.catalog.put_session(_saved(replace(session, blocks=blocks)), disc)
        ports.reporter.phase(f"writing {disc.label} session {session.number}", blocks * BLOCK)

    def _saved(record: SessionRecord) -> SessionRecord:
        return replace(record, index_sha256=digests[0].index_sha256, sums_sha256=digests[0].sums_sha256)

    source = SessionSource(
        volume_id=disc.label,
        base=session.base,
        made_dirs=tuple(_made(session, visible)),
        grafts=grafts(),
        removed=selection.removed,
        excluded=selection.excluded,
        made_at=_made_at(session),
    )
    with ThreadPoolExecutor(1) as beside, ports.interrupts.shielded():
        try:
            burnt = writer.write(source, confirm)
        except ToolFailed:
            if looked:  # the tool may have stumbled over what changed; then it never came to the writing
                _refuse_changes(looked[0].result())
            raise
        if burnt.input_changed:
            ports.reporter.warn(
                "what is staged changed while it was written; the check will say what differs"
            )
        done = _found_again(writer, _saved(session))
        ports.catalog.put_session(done, disc)
    return done


def _intent(
    seen: Observation,
    disc: DiscRecord,
    current: CurrentDisc | None,
    selection: Selection,
    ports: Ports,
    writer: Writer,
) -> SessionRecord:
    return SessionRecord(
        disc_id=disc.disc_id,
        number=len(seen.sessions) + 1,
        base=current.base.number if current and current.base else 0,
        start=seen.next_address,
        blocks=0,
        volume_set=str(uuid.uuid4()),
        status=SessionStatus.INTENDED,
        created_at=ports.clock.now(),
        days=selection.contents,
        tool=f"cedarchest {__version__}, {ports.tools.xorriso_version()}",
        drive=writer.device,
    )


def _save_files(
    disc: DiscRecord,
    session: SessionRecord,
    selection: Selection,
    visible: Mapping[bytes, StoredEntry],
    ports: Ports,
) -> SavedSession:
    """Write what of us goes on the disc into the workspace; names the losses once."""
    losses = joliet_losses(selection.entries)
    missing = [loss.path for loss in losses if not loss.name]
    if missing:
        ports.reporter.warn(
            f"{len(missing)} entries have no Joliet name (systems without Rock Ridge will not show them);"
            f" the first is /{to_text(missing[0])}"
        )
    if len(visible) + len(selection.entries) > MANY_ENTRIES:
        ports.reporter.warn(
            f"{disc.label} shows {len(visible) + len(selection.entries)} entries, repeated in each session:"
            " fewer and larger files leave more room"
        )
    folder = session_folder(session.number)
    files = {
        f"{folder}/session.json": session_json(
            disc,
            session,
            joliet_missing=missing,
            joliet_renamed=[(loss.path, loss.name) for loss in losses if loss.name],
            left_out=[f"/{to_text(path)}: {why}" for path, why in selection.left_out.items()],
            replaces=selection.replaces,
        )
    }
    if DISC_FILE.encode() not in visible:
        files[DISC_FILE] = disc_json(disc)
    files |= {
        name: content
        for name, content in readme().items()
        if (there := visible.get(name.encode())) is None or there.size != len(content)
    }
    for earlier in ports.catalog.sessions(disc.disc_id):
        path = f"{folder}/earlier/{earlier.number:03d}.json"
        if earlier.number < session.number and (not session.base or earlier.number >= session.base):
            files[path] = outcome_json(earlier)
    made = [
        Entry(path[1:], Kind.DIR, 0, 0o755, 0, 0, _made_at(session) * 10**9)
        for path in _made(session, visible)
    ]
    return ports.workspace.save(
        disc.disc_id,
        session.number,
        files,
        header={"disc_id": disc.disc_id, "label": disc.label, "session": session.number},
        entries=[*made, *selection.entries],
        made_at=_made_at(session),
    )


def _made_at(session: SessionRecord) -> int:
    return int(session.created_at.timestamp())


def _made(session: SessionRecord, visible: Mapping[bytes, StoredEntry]) -> list[bytes]:
    """Directories of ours that the tree does not have yet, parents first."""
    wanted = [f"/{HOME}", f"/{HOME}/sessions"]
    for content in session.days:
        year, month, _ = content.day.split("/")
        wanted += [f"/{year}", f"/{year}/{month}"]
    return [path.encode() for path in dict.fromkeys(wanted) if path[1:].encode() not in visible]


def _changes(days: Sequence[DayIndex], ports: Ports) -> list[Finding]:
    return [finding for day in days for finding in ports.staging.changes(day)]


def _refuse_changes(findings: Sequence[Finding]) -> None:
    if findings:
        shown = "; ".join(f"{finding.path} {finding.detail}" for finding in findings[:5])
        raise StagingError(
            f"what is staged changed since it was indexed: {shown}"
            + (f" and {len(findings) - 5} more" if len(findings) > 5 else ""),
            advice="Nothing was written. Let whatever writes there finish, then run the command again.",
            findings=[str(finding) for finding in findings],
        )


def _found_again(writer: Writer, session: SessionRecord) -> SessionRecord:
    """The session as the disc's own table of contents shows it.

    Raises:
        ToolFailed: it is not there, whatever the tool said.
    """
    seen = writer.observe()
    entry = next((each for each in seen.sessions if each.number == session.number), None)
    if entry is None or entry.start < session.start:
        raise ToolFailed(
            f"the tool reported success, but session {session.number} is not on the disc in {writer.device}",
            advice="Run the command again; if it happens again, try another drive.",
        )
    return replace(session, status=SessionStatus.BURNT, start=entry.start, blocks=entry.blocks)


def new_disc(seen: Observation, ports: Ports, avoid: Container[str] = ()) -> DiscRecord:
    """A disc about to be begun, with a label that no other has and that is none of those to avoid."""
    now = ports.clock.now()
    taken = ports.catalog.discs()
    label = next(
        name
        for count in range(1, 1000)
        if not disc_named(taken, name := f"CC_{now:%Y%m%d}_{count:03d}") and name not in avoid
    )
    return DiscRecord(str(uuid.uuid4()), label, seen.medium, seen.capacity, now)
