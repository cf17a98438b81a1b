"""MiBs of one session read again against its block map, and kept every few seconds as far as they were.

A bad place is left at first and tried in smaller steps after all else. What comes of it is kept, and so is a
map of what the drive made of the disc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cedarchest.actions.prove import KEPT_FINDINGS, Reading, anchor_findings, refuse_vanished
from cedarchest.errors import DiskFull
from cedarchest.model.check import SessionCheck
from cedarchest.model.damage import damage_findings
from cedarchest.model.disc import Observation, SessionRecord, SessionStatus
from cedarchest.model.findings import Finding
from cedarchest.model.image.volume import structure
from cedarchest.model.mapfile import BlockState, DiscMap
from cedarchest.model.media import BLOCK
from cedarchest.model.pace import Pace, area_of
from cedarchest.model.rounding import DIGEST, FAILING_S, MibReader
from cedarchest.model.turns import Turns
from cedarchest.ports import Ports, Writer

KEPT_EVERY_S = 2.0
GRACE_S = 30.0
"""How long beyond its limit a run may take at most to try in smaller steps what failed."""

VANISHED_AFTER = 2
"""How many readings fail in a row until it is asked whether the disc is there at all."""


class TimeLimit:
    """How long a run may go on."""

    def __init__(self, stopwatch: Callable[[], float], limit: timedelta | None) -> None:
        self._stopwatch = stopwatch
        self._end = stopwatch() + limit.total_seconds() if limit else float("inf")
        self._grace = min(GRACE_S, limit.total_seconds()) if limit else GRACE_S

    def goes_on(self) -> bool:
        """Whether there is time left."""
        return self._stopwatch() < self._end

    def has_grace(self) -> bool:
        """Whether there is time to end in good order."""
        return self._stopwatch() < self._end + self._grace


@dataclass(frozen=True, slots=True)
class SessionTask:
    """What is to be read of a session; `of_all` says that it is part of an audit of all of the disc."""

    label: str
    session: SessionRecord
    turns: Turns
    wanted: frozenset[int]
    of_all: bool


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What was read of a session: what it came to, what is kept of it, what is bad, what was not tried."""

    reading: Reading
    turns: Turns
    bad: frozenset[int]
    left: frozenset[int]


class SessionAudit:
    """The reading of a session at work; `blank` gives the map of its disc that a drive begins with."""

    def __init__(
        self,
        writer: Writer,
        seen: Observation,
        task: SessionTask,
        blank: Callable[[], DiscMap],
        limit: TimeLimit,
        ports: Ports,
    ) -> None:
        self._writer, self._seen, self._task = writer, seen, task
        self._limit, self._ports = limit, ports
        self._label = task.label
        self._drive = " ".join(f"{writer.device} {seen.drive_name}".split())  # there are two of a kind, too
        self._maps = ports.rescues.maps(self._label)
        self._blank = blank
        session = task.session
        self._pace = Pace(ports.clock.monotonic, area_of(session.blocks))
        self._reader = MibReader(
            self._pace.measured(writer.read),
            session.start,
            session.blocks,
            session.block_map,
            stopwatch=ports.clock.monotonic,
            before=self._maps.get(self._drive),
            kept=ports.rescues.kept(self._label),
        )
        self._kept_at = ports.clock.monotonic()
        self._has_room = True

    def run(self) -> SessionResult:
        """Read what is wanted, as far as the time goes.

        Raises:
            WrongDisc, ToolError, MediaError: the drive or the disc went away; what was read before is kept.
        """
        began = self._ports.clock.monotonic()
        if len(self._task.session.block_map) != len(self._task.turns.last) * DIGEST:
            wrong = structure("", "the block map is one of a session of another size")
            return self._result([wrong], began)
        session = self._task.session
        anchor = [] if session.has_no_index else anchor_findings(self._writer, self._seen, session)
        try:
            self._sweep()
            self._round()
        except BaseException:
            self._keep_turns()
            raise
        self._keep_map()
        entries = self._ports.catalog.entries(session.disc_id, session.number)
        found = damage_findings(entries, self._reader.damage(), self._writer.read, KEPT_FINDINGS)
        return self._result([*anchor, *found], began)

    def _sweep(self) -> None:
        session, size = self._task.session, len(self._task.wanted) * self._reader.place(0)[1]
        self._ports.reporter.phase(f"auditing {self._label} session {session.number}", size * BLOCK)
        for mib in self._reader.sweep(self._order(), self._limit.goes_on):
            self._ports.interrupts.pass_on()
            if self._is_bad_elsewhere(mib) and mib in self._reader.good:
                self._keep([(self._reader.place(mib)[0], self._reader.data)])
            self._ports.reporter.advance(self._reader.blocks * BLOCK)
            if self._reader.in_a_row == VANISHED_AFTER:
                refuse_vanished(self._writer, self._seen, session)
            if self._ports.clock.monotonic() - self._kept_at > KEPT_EVERY_S:
                self._keep_turns()
        if self._reader.failed:
            refuse_vanished(self._writer, self._seen, session)

    def _order(self) -> list[int]:
        """What is wanted, first what no drive brought yet."""
        merged = self._ports.rescues.merged(self._label)
        missing = set()
        for mib in self._task.wanted if merged else ():
            first, count = self._reader.place(mib)
            if merged and merged[1].missing(first, first + count - 1):
                missing.add(mib)
        return [*sorted(missing), *sorted(self._task.wanted - missing)]

    def _round(self) -> None:
        clock = self._ports.clock
        until = clock.monotonic() + FAILING_S

        def goes_on() -> bool:
            return self._limit.has_grace() and clock.monotonic() < until

        for mib in sorted(self._reader.failed):
            pieces: list[tuple[int, bytes]] = []
            try:
                for piece in self._reader.round(mib, goes_on):
                    self._ports.interrupts.pass_on()
                    pieces.append(piece)
            finally:
                self._keep(pieces)
            self._drop_wrong(mib)
        if self._reader.failed:
            refuse_vanished(self._writer, self._seen, self._task.session)

    def _is_bad_elsewhere(self, mib: int) -> bool:
        """Whether a drive could not read a MiB, whatever another makes of it."""
        first, count = self._reader.place(mib)
        known = (BlockState.READ, BlockState.UNTRIED)
        return any(
            each.state not in known
            for found in self._maps.values()
            for each in found.within(first, first + count - 1)
        )

    def _keep(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Keep blocks of bad places, as long as there is room for them."""
        if not pieces or not self._has_room:
            return
        try:
            self._ports.rescues.keep(self._label, pieces)
        except DiskFull as error:
            self._has_room = False
            said = f"what is read of bad places of {self._label} is not kept: {error.message}"
            self._ports.reporter.warn(said)

    def _drop_wrong(self, mib: int) -> None:
        """Forget a MiB that is all there in pieces, and is not what was proven."""
        first, count = self._reader.place(mib)
        if self._ports.rescues.kept(self._label).is_read(first, count):
            data = self._ports.rescues.read(self._label, first, count)
            if not self._reader.is_proven(mib, data):
                self._ports.rescues.forget(self._label, first, count)

    def _keep_turns(self) -> Turns:
        """Record what was read and is good."""
        reader, turns, session = self._reader, self._task.turns, self._task.session
        if reader.tried:
            turns = turns.read(reader.good, len(turns.times) + 1, self._ports.clock.now())
        if turns != self._task.turns:
            self._ports.catalog.put_turns(session.disc_id, {session.number: turns})
        self._kept_at = self._ports.clock.monotonic()
        return turns

    def _keep_map(self) -> None:
        """Keep what the drive made of the disc, once anything of it is or was amiss."""
        if not (self._reader.failed or self._reader.differing or self._maps):
            return
        found = self._reader.found.copy()
        for mib in self._reader.differing:
            found.mark(*self._reader.place(mib), BlockState.UNTRIMMED)
        before = self._maps.get(self._drive) or self._blank()
        self._ports.rescues.put_map(self._label, self._drive, before.renewed(found))

    def _left(self) -> frozenset[int]:
        return self._task.wanted - self._reader.tried

    def _result(self, findings: Iterable[Finding], began: float) -> SessionResult:
        session, found = self._task.session, tuple(findings)
        whole = self._task.of_all and not self._left()
        proves = whole and not found and session.status is SessionStatus.BAD
        entries = tuple(self._ports.catalog.entries(session.disc_id, session.number)) if proves else ()
        on_disc = not self._writer.loads_itself  # how fast an image is read says nothing of its disc
        for area in self._pace.slow_areas() if on_disc else ():
            self._ports.reporter.warn(f"{self._label} reads slowly at {area}")
        reading = Reading(
            SessionCheck(found, session.block_map, entries, self._reader.blocks),
            self._ports.clock.monotonic() - began,
            self._seen,
            whole=whole,
            speeds=self._pace.speeds(),
            slow=self._pace.slow() if on_disc else (),
            retries=self._reader.retries,
        )
        bad = frozenset({*self._reader.failed, *self._reader.differing})
        return SessionResult(reading, self._keep_turns(), bad, self._left())
