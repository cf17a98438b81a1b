"""One session on one disc: prepared, announced in the catalog, burnt, found again in the disc's own TOC."""

from __future__ import annotations

import contextlib
import logging
import string
import uuid
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from cedarchest import __version__
from cedarchest.actions.facts import disc_named
from cedarchest.actions.loading import CurrentDisc
from cedarchest.actions.selection import DayShare, Selection, foreseen, select
from cedarchest.actions.session_files import made_dirs, save_files, tree_time
from cedarchest.config.model import Config
from cedarchest.errors import (
    CedarchestError,
    MediaError,
    MediumFull,
    NotAppendable,
    StagingError,
    ToolFailed,
)
from cedarchest.model.closing import CloseDisc, is_last_session
from cedarchest.model.disc import (
    CLOSED_BADLY,
    INPUT_CHANGED,
    REFUSED,
    DiscRecord,
    DiscState,
    Observation,
    SessionRecord,
    SessionStatus,
    StoredEntry,
    as_closed,
)
from cedarchest.model.findings import Finding
from cedarchest.model.media import BLOCK
from cedarchest.model.names import first_few, label_word
from cedarchest.model.session import VolumePlace
from cedarchest.ports import (
    DayIndex,
    Graft,
    ImageTree,
    Ports,
    SavedSession,
    SessionSource,
    StagedDay,
    Writer,
)

log = logging.getLogger(__name__)


def reading_ahead(
    days: Sequence[StagedDay], ports: Ports, *, always_new: bool
) -> contextlib.AbstractContextManager[None]:
    """Let the tool look at days while they are indexed and planned, where they will hardly be appended.

    All of them on one new disc is what it is told; a burn of anything else begins anew.
    """
    if not days or not (always_new or not any(disc.accepts_sessions for disc in ports.catalog.discs())):
        return contextlib.nullcontext()
    try:
        grafts = foreseen(days, ports)
    except StagingError:  # the indexing says so of that day, and goes on with the others
        return contextlib.nullcontext()
    return ports.drives.reading_ahead(made_dirs([day.day for day in days], {}), grafts)


def burn_session(
    config: Config,
    writer: Writer,
    disc: DiscRecord,
    current: CurrentDisc | None,
    shares: Sequence[DayShare],
    ports: Ports,
    *,
    place: VolumePlace | None = None,
    close: CloseDisc = CloseDisc.NEVER,
) -> SessionRecord:
    """Write what of days goes on this disc as one session; afterwards it is `burnt`, not yet proven.

    Without any its tree is that of the last verified session: that makes it visible again, or closes the
    disc with it. Only sequential media can be closed. What closes a disc may take its margin.

    Raises:
        StagingError: what is staged changed since it was indexed; nothing was written.
        MediumFull: the session does not fit; nothing was written.
        ToolError, MediaError: the write failed; the intent stays open for the next run.
    """
    visible = current.visible if current else {}
    selection = select(shares, visible, ports)
    place = place or VolumePlace(str(uuid.uuid4()))
    days = [share.index for share in shares]
    base = current.base.number if current and current.base else 0
    return _burn(config, writer, disc, base, selection, visible, days, place, ports, close=close)


def burn_tree(
    config: Config,
    writer: Writer,
    disc: DiscRecord,
    selection: Selection,
    visible: Mapping[bytes, StoredEntry],
    tree: ImageTree,
    place: VolumePlace,
    made_at: datetime,
    ports: Ports,
) -> SessionRecord:
    """Write the tree of another disc's image, which shows what is `visible`, as the first session of a disc.

    `made_at` is the time of that tree: a copy is no newer than what it holds.

    Raises:
        As `burn_session`.
    """
    return _burn(config, writer, disc, 0, selection, visible, (), place, ports, tree=tree, made_at=made_at)


def _burn(
    config: Config,
    writer: Writer,
    disc: DiscRecord,
    base: int,
    selection: Selection,
    visible: Mapping[bytes, StoredEntry],
    days: Sequence[DayIndex],
    place: VolumePlace,
    ports: Ports,
    *,
    close: CloseDisc = CloseDisc.NEVER,
    tree: ImageTree | None = None,
    made_at: datetime | None = None,
) -> SessionRecord:
    seen = writer.observe()
    _refuse_unproven(disc, base, ports)
    session = _intent(config, seen, disc, base, selection, place, ports, writer)
    if made_at:
        session = replace(session, created_at=made_at)
    margin = config.require_store().margin_blocks(writer.device, seen.capacity)
    if writer.loads_itself or seen.traits.overwritable:
        close = CloseDisc.NEVER
    elif not days and tree is None:
        margin = 0
    with ThreadPoolExecutor(1) as beside, ports.interrupts.shielded():
        making = _Making(disc, session, selection, visible, days, place, seen, margin, close, beside, ports)
        source = SessionSource(
            volume_id=disc.label,
            base=session.base,
            made_dirs=tuple(made_dirs([content.day for content in session.days], visible)),
            grafts=selection.grafts,
            removed=selection.removed,
            excluded=selection.excluded,
            later=making.later(),
            changed_ns=max((day.fingerprints.newest_ns for day in days), default=0),
            made_at=tree_time(session),
            closes=making.closes,
            tree=tree,
        )
        disc = making.write(writer, source)
        done, after = _found_again(writer, making.recorded())
        if making.is_last and after.state is not DiscState.CLOSED:
            ports.reporter.warn(f"{disc.label} was to be closed, but the drive says that it is {after.state}")
        ports.catalog.put_session(done, as_closed(disc, after))
    return done


def _refuse_unproven(disc: DiscRecord, base: int, ports: Ports) -> None:
    """Nothing goes on top of what a disc only claims: its tree would be repeated unread.

    Raises:
        NotAppendable: it has to be verified first.
    """
    for session in ports.catalog.sessions(disc.disc_id) if base else ():
        if session.number == base and session.status is SessionStatus.CLAIMED:
            raise NotAppendable(
                f"session {base} of {disc.label} was entered as the disc claims it, and not read yet",
                advice=f"Read it first: cedarchest verify {label_word(disc.label)}",
                label=disc.label,
            )


@dataclass
class _Making:
    """A session in the making: what the tool is given, and the last look before it writes."""

    disc: DiscRecord
    session: SessionRecord
    selection: Selection
    visible: Mapping[bytes, StoredEntry]
    days: Sequence[DayIndex]
    place: VolumePlace
    seen: Observation
    margin: int
    close: CloseDisc
    beside: Executor
    ports: Ports
    saved: SavedSession | None = None
    changes: Future[list[Finding]] | None = None
    is_last: bool = False
    announced: bool = False

    def later(self) -> Iterator[Graft]:
        """Our files, prepared while the tool looks at the days; then we look at these once more."""
        yield from self.selection.later
        self.saved = save_files(self.disc, self.session, self.selection, self.visible, self.place, self.ports)
        self.changes = self.beside.submit(_changes, self.days, self.ports)
        yield from self.saved.grafts

    def confirm(self, blocks: int) -> None:
        """The last look before the burn: nothing staged has changed, it fits, the intent is kept."""
        self.refuse_changes()
        free = self.seen.free
        if blocks > free - self.margin:
            raise MediumFull(
                f"the session needs {blocks} blocks; {self.disc.label} has {free} left,"
                f" {self.margin} of them a margin",
                advice="Run the command again with a new disc.",
                needed=blocks,
                free=free,
                margin=self.margin,
            )
        self.ports.interrupts.check()
        self.session = replace(self.session, blocks=blocks)
        self.ports.catalog.put_session(self.recorded(), self.disc)
        self.announced = True
        self.ports.reporter.phase(f"writing {self.disc.label} session {self.session.number}", blocks * BLOCK)

    def closes(self, blocks: int) -> bool:
        """Whether the disc is closed with this session."""
        self.is_last = is_last_session(self.seen, blocks, self.margin, self.close)
        if self.is_last:
            self.ports.reporter.note(f"{self.disc.label} is closed with this session")
        return self.is_last

    def write(self, writer: Writer, source: SessionSource) -> DiscRecord:
        """Have it written; the disc as it is to be known from now on.

        Raises:
            StagingError, MediumFull: as the last look before the burn said; nothing was written.
            ToolError, MediaError: the write failed.
        """
        try:
            burnt = writer.write(source, self.confirm)
        except NotAppendable:
            self._forget(writer)
            raise
        except ToolFailed:
            self.refuse_changes()  # it may have stumbled over one; then it never came to the writing
            raise
        self.session = replace(self.session, speed_used=burnt.speed_kb_s)
        if burnt.input_changed:
            self.session = replace(self.session, reason=INPUT_CHANGED)
            self.ports.reporter.warn(f"{INPUT_CHANGED}; the check will say what differs")
        if not burnt.close_failed:
            return self.disc
        self.ports.reporter.warn(
            f"closing session {self.session.number} of {self.disc.label} failed ({burnt.close_failed}): it is"
            " read back all the same, and the disc takes no more sessions"
        )
        _close_again(writer, self.session.number)
        return replace(self.disc, accepts_sessions=False, reason=CLOSED_BADLY)

    def _forget(self, writer: Writer) -> None:
        """Not count a disc that was refused and is as blank as it was; else the next run settles it."""
        with contextlib.suppress(CedarchestError):
            if not self.announced or writer.observe().state is not DiscState.BLANK:
                return
            self.ports.catalog.put_session(
                replace(self.recorded(), status=SessionStatus.ABANDONED, reason=REFUSED),
                replace(self.disc, accepts_sessions=False, given_up=True, reason=REFUSED),
            )

    def recorded(self) -> SessionRecord:
        """The session as the catalog keeps it, with the digests of our files."""
        assert self.saved is not None
        return replace(self.session, index_sha256=self.saved.index_sha256, sums_sha256=self.saved.sums_sha256)

    def refuse_changes(self) -> None:
        """Nothing is written of what is not as it was indexed.

        Raises:
            StagingError: names what changed.
        """
        findings = self.changes.result() if self.changes else []
        if findings:
            shown = first_few([f"{finding.path} {finding.detail}" for finding in findings])
            raise StagingError(
                f"what is staged changed since it was indexed: {shown}",
                advice="Nothing was written. Let whatever writes there finish, then run the command again.",
                findings=[str(finding) for finding in findings],
            )


def _intent(
    config: Config,
    seen: Observation,
    disc: DiscRecord,
    base: int,
    selection: Selection,
    place: VolumePlace,
    ports: Ports,
    writer: Writer,
) -> SessionRecord:
    """The session to be; where the clock was set back it is no older than those that it comes after."""
    before = (each.created_at for each in ports.catalog.sessions(disc.disc_id))
    return SessionRecord(
        disc_id=disc.disc_id,
        number=len(seen.sessions) + 1,
        base=base,
        start=seen.next_address,
        blocks=0,
        volume_set=place.volume_set,
        status=SessionStatus.INTENDED,
        created_at=max((ports.clock.now(), *before)),
        days=selection.contents,
        tool=f"cedarchest {__version__}, {ports.tools.xorriso_version()}",
        drive=writer.device,
        drive_model=seen.drive_name,
        volume=place.volume,
        volumes=place.volumes,
        medium_id=seen.medium_id,
        speed_asked=_speed_asked(config, writer),
    )


def _speed_asked(config: Config, writer: Writer) -> str:
    """The speed that the drive is asked for; a shelf has none."""
    speed = config.require_store().speed
    if writer.loads_itself:
        return ""
    return f"{speed}x" if speed else "best"


def _changes(days: Sequence[DayIndex], ports: Ports) -> list[Finding]:
    return [finding for day in days for finding in ports.staging.changes(day)]


def _close_again(writer: Writer, number: int) -> None:
    """Close a session that the drive did not close, as one that was cut off; what came of it shows then."""
    if all(entry.number != number for entry in writer.observe().sessions):
        with contextlib.suppress(MediaError):
            writer.close_damaged()


def _found_again(writer: Writer, session: SessionRecord) -> tuple[SessionRecord, Observation]:
    """The session as the disc's own table of contents shows it, and the disc as it is now.

    Raises:
        ToolFailed: it is not there, whatever the tool said.
    """
    seen = writer.observe()
    entry = next((each for each in seen.sessions if each.number == session.number), None)
    if entry is None or entry.start < session.start:
        raise ToolFailed(
            f"session {session.number} was written, but the disc in {writer.device} does not show it",
            advice="Run the command again; if it happens again, try another drive.",
        )
    return replace(session, status=SessionStatus.BURNT, start=entry.start, blocks=entry.blocks), seen


def new_disc(seen: Observation, ports: Ports, copy: int = 1, *, avoid: Container[str] = ()) -> DiscRecord:
    """A disc about to be begun, with a label that no other has and that is none of those to avoid.

    The label of a second copy has a B before its number, that of a third one a C.
    """
    now = ports.clock.now()
    taken = ports.catalog.discs()
    letter = string.ascii_uppercase[copy - 1] if copy > 1 else ""
    label = next(
        name
        for count in range(1, 1000)
        if not disc_named(taken, name := f"CC_{now:%Y%m%d}_{letter}{count:03d}") and name not in avoid
    )
    return DiscRecord(str(uuid.uuid4()), label, seen.medium, seen.capacity, now, copy)
