"""One disc read again, session by session, as far as a run is to go.

What is found of a session has the consequences of a verify. A run that reads a share of a disc takes what was
read longest ago; one that reads all records first what it is going to read, so that the next one goes on with
what is left of it, in whichever drive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from cedarchest.actions.audit_session import SessionAudit, SessionResult, SessionTask, TimeLimit
from cedarchest.actions.audits_due import check_state, turns_of
from cedarchest.actions.marks import last_digests, standing
from cedarchest.actions.prove import Reading, asked_disc, judge_again, same_disc
from cedarchest.actions.verify import follow_session, is_replaced
from cedarchest.config.model import Config
from cedarchest.errors import CatalogError, CedarchestError, DamagedDisc, Interrupted, VerifyError
from cedarchest.model.disc import (
    BlockRange,
    CheckKind,
    DiscRecord,
    Observation,
    SessionRecord,
    SessionStatus,
    Speed,
)
from cedarchest.model.findings import Finding, damaged_blocks
from cedarchest.model.mapfile import BlockState, DiscMap
from cedarchest.model.sweep import CHUNK
from cedarchest.model.turns import Turns, sampled
from cedarchest.ports import Ports, Writer

ALL = Decimal(100)


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What an audit found of a disc in a drive; blocks and seconds are those of this run.

    `whole`: all of the disc has been read now since one moment, by this run and those that it went on with.
    `left_blocks` are still to be read of what it was to read. `map` tells what is missing of a disc, with all
    that any drive read. `weak` says why a copy is wanted, and what to do.
    """

    disc: str
    device: str
    drive_model: str
    whole: bool
    sessions: int
    blocks: int
    left_blocks: int
    seconds: float
    retries: int
    damaged: tuple[BlockRange, ...]
    slow: tuple[Speed, ...]
    findings: tuple[Finding, ...]
    problem: CedarchestError | None
    replaced: int
    unproven: tuple[int, ...]
    lost: tuple[str, ...]
    map: Path | None
    missing_blocks: int
    weak: str
    next_check: datetime | None

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with what was read."""
        return self.problem is None


def audit_disc(
    config: Config, writer: Writer, disc: DiscRecord, percent: Decimal, limit: TimeLimit, ports: Ports
) -> AuditVerdict:
    """Read a disc, or a share of it in hundredths, as far as the time goes; marks follow what is found."""
    return _DiscAudit(config, writer, disc, percent, limit, ports).run()


class _DiscAudit:
    """An audit of one disc at work."""

    def __init__(
        self,
        config: Config,
        writer: Writer,
        disc: DiscRecord,
        percent: Decimal,
        limit: TimeLimit,
        ports: Ports,
    ) -> None:
        self._config, self._writer, self._disc = config, writer, disc
        self._of_all, self._percent, self._limit, self._ports = percent >= ALL, percent, limit, ports
        known = ports.catalog.sessions(disc.disc_id)
        self._known = turns_of(disc, known, ports.catalog.checks(disc.disc_id), ports)
        self._sessions = {each.number: each for each in known}
        self._seen: Observation | None = None
        self._readings: list[Reading] = []
        self._left: dict[int, frozenset[int]] = {}
        self._problem: CedarchestError | None = None
        self._replaced = 0
        self._suspect: list[str] = []

    def run(self) -> AuditVerdict:
        """Read what there is to read, and say what was found."""
        began = self._ports.clock.monotonic()
        for task in self._plan():
            self._left[task.session.number] = task.wanted
            is_over = bool(self._readings) and not self._limit.goes_on()
            if task.wanted and not is_over and not self._is_gone():
                self._audit(task)
        return self._verdict(self._ports.clock.monotonic() - began)

    def _is_gone(self) -> bool:
        """Whether drive or disc went away, so that there is nothing more to read."""
        return self._problem is not None and not isinstance(self._problem, VerifyError | DamagedDisc)

    def _plan(self) -> list[SessionTask]:
        """What to read of each session; a run of all of the disc records that it has begun."""
        turns = {number: each for number, (each, _) in self._known.items()}
        if not self._of_all:
            wanted = sampled(self._known, self._percent)
        else:
            since = self._ports.clock.now() - self._config.audit.interval(self._disc.medium)
            begun = any(each.left for each in turns.values())
            wanted = {
                number: each.to_read(at, since, begun=begun and not self._failed_since(number, each))
                for number, (each, at) in self._known.items()
            }
            turns = {number: replace(each, left=wanted[number]) for number, each in turns.items()}
            self._ports.catalog.put_turns(self._disc.disc_id, turns)
        return [
            SessionTask(self._disc.label, self._sessions[number], turns[number], wanted[number], self._of_all)
            for number in sorted(turns)
        ]

    def _failed_since(self, number: int, turns: Turns) -> bool:
        """Whether a session was found bad after an audit of all had come to its end with it."""
        return self._sessions[number].status is SessionStatus.BAD and not turns.left

    def _audit(self, task: SessionTask) -> None:
        """Read of a session what is wanted, and let what is found have its consequences."""
        session, error = task.session, None
        self._ports.interrupts.check()
        try:
            seen = self._seen_with(session)
            result = SessionAudit(self._writer, seen, task, self._blank_map, self._limit, self._ports).run()
            self._readings.append(result.reading)
            self._left[session.number] = result.left
            self._judge(session, result)
        except Interrupted:
            raise
        except CedarchestError as found:
            error = found
        if isinstance(error, VerifyError | DamagedDisc) and is_replaced(session, self._ports):
            self._replaced, error = self._replaced + 1, None
        if error is not None:
            self._suspect += [content.day for content in session.days]
        self._problem = self._problem or error
        follow_session(self._config, session, error, self._ports)

    def _judge(self, session: SessionRecord, result: SessionResult) -> None:
        """Record what a reading says of its session; then what is bad has had its turn.

        Raises:
            VerifyError, DamagedDisc: disc and data differ.
        """
        try:
            judge_again(self._writer, self._disc, session, result.reading, self._ports, kind=CheckKind.AUDIT)
        except (VerifyError, DamagedDisc):
            tried = result.turns.tried(result.bad)
            self._ports.catalog.put_turns(self._disc.disc_id, {session.number: tried})
            raise

    def _seen_with(self, session: SessionRecord) -> Observation:
        """The disc in the drive, which has this session where it was.

        Raises:
            WrongDisc, MediaError, ToolError: it is not there.
        """
        there = self._seen.sessions if self._seen else ()
        if self._seen is None:
            self._seen = asked_disc(self._writer, self._disc, session, self._ports)
        elif (session.number, session.start) not in [(each.number, each.start) for each in there]:
            self._seen = same_disc(self._writer, self._disc, session)
        return self._seen

    def _blank_map(self) -> DiscMap:
        """A map of the disc that wants what was not read and found good as lately as it counts."""
        checks = self._ports.catalog.checks(self._disc.disc_id)
        known = turns_of(self._disc, self._sessions.values(), checks, self._ports)
        since = self._ports.clock.now() - self._config.audit.interval(self._disc.medium)
        placed = [self._sessions[number] for number in known]
        end = max(each.start + each.blocks for each in placed)
        made = DiscMap(0, end)
        made.mark(0, end, BlockState.READ)
        for each in placed:
            turns, proven_at = known[each.number]
            for mib, (at, _) in enumerate(turns.ages(proven_at)):
                if at <= since:
                    first = mib * CHUNK
                    blocks = min(CHUNK, each.blocks - first)
                    made.mark(each.start + first, blocks, BlockState.UNTRIED)
        return made

    def _verdict(self, seconds: float) -> AuditVerdict:
        findings = [each for reading in self._readings for each in reading.check.findings]
        whole = self._of_all and bool(self._known) and not any(self._left.values()) and not self._is_gone()
        if whole:
            self._end_audit()
        merged = self._map(whole=whole)
        state = check_state(self._config, self._disc, self._ports)
        digests = last_digests(self._suspect, self._ports)
        return AuditVerdict(
            self._disc.label,
            self._writer.device,
            self._seen.drive_name if self._seen else "",
            whole=whole,
            sessions=len(self._readings),
            blocks=sum(reading.check.blocks for reading in self._readings),
            left_blocks=sum(self._blocks_of(number, mibs) for number, mibs in self._left.items()),
            seconds=seconds,
            retries=sum(reading.retries for reading in self._readings),
            damaged=damaged_blocks(findings),
            slow=tuple(area for reading in self._readings for area in reading.slow),
            findings=tuple(findings),
            problem=self._problem,
            replaced=self._replaced,
            unproven=tuple(self._unproven()),
            lost=standing(self._config, digests, self._ports).lost,
            map=merged[0] if merged else None,
            missing_blocks=merged[1].failed_blocks if merged else 0,
            weak=state.weak,
            next_check=state.next_check,
        )

    def _end_audit(self) -> None:
        """Record that nothing is left of an audit of all: what is bad was tried, and is read by the next."""
        turns = self._ports.catalog.turns(self._disc.disc_id)
        ended = {number: replace(each, left=frozenset()) for number, each in turns.items() if each.left}
        self._ports.catalog.put_turns(self._disc.disc_id, ended)

    def _map(self, *, whole: bool) -> tuple[Path, DiscMap] | None:
        """What is missing of the disc; None where nothing is, and where that cannot be told."""
        try:
            if whole and self._is_good():
                self._ports.rescues.drop(self._disc.label)
            return self._ports.rescues.merged(self._disc.label)
        except CatalogError as error:
            self._problem = self._problem or error
            return None

    def _is_good(self) -> bool:
        """Whether all of the disc that audits read is proven now."""
        known = self._ports.catalog.sessions(self._disc.disc_id)
        return all(each.status is SessionStatus.VERIFIED for each in known if each.number in self._known)

    def _unproven(self) -> list[int]:
        """Sessions that are there and were never proven: it is for a verify to do so."""
        return [
            number
            for number, each in self._sessions.items()
            if each.status is not SessionStatus.ABANDONED
            and number not in self._known
            and not is_replaced(each, self._ports)
        ]

    def _blocks_of(self, number: int, mibs: frozenset[int]) -> int:
        blocks = self._sessions[number].blocks
        return sum(min(CHUNK, blocks - mib * CHUNK) for mib in mibs)
