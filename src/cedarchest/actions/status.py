"""The status action: which days are staged and stored, on which discs, what is due, what to insert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cedarchest.actions.audits_due import CheckState, check_states
from cedarchest.actions.copies import is_due_as
from cedarchest.actions.facts import are_whole, is_on_a_disc, newest_written, without_maps
from cedarchest.actions.foreseen import Drives, burnt_elsewhere, foresee
from cedarchest.actions.loading import CurrentDisc
from cedarchest.actions.marks import awaits_check, is_proven
from cedarchest.actions.past_runs import RunsReport, look_at_runs
from cedarchest.actions.planning import indexes_of
from cedarchest.actions.reuse import ERASED
from cedarchest.actions.writers import all_writers, copies_with_drives
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, Interrupted, NotAppendable
from cedarchest.model.disc import (
    CLOSED_BADLY,
    UNREADABLE,
    DayContent,
    DiscRecord,
    SessionRecord,
    SessionStatus,
)
from cedarchest.model.names import label_word
from cedarchest.model.plan import StorePlan, sessions_until_full
from cedarchest.ports import DayIndex, Ports, StagedDay

RECENT_SESSIONS = 7

KnownDiscs = Mapping[DiscRecord, Sequence[SessionRecord]]
Contents = Sequence[tuple[SessionRecord, DayContent]]


@dataclass(frozen=True, slots=True)
class DayStatus:
    """A day: whether it is staged and stored, on which discs it is proven, what is open about it.

    `was_on` names the disc of a day that is lost: not staged any more, and proven nowhere any more in the
    state in which it was written last.
    """

    day: str
    staged: bool
    stored: bool
    discs: tuple[str, ...]
    unproven: tuple[str, ...] = ()
    was_on: tuple[str, ...] = ()

    @property
    def due(self) -> bool:
        """Whether the next store takes it."""
        return self.staged and not self.stored


@dataclass(frozen=True, slots=True)
class StatusReport:
    """How things stand; `problem` is that of drive or disc, and says which one to insert.

    `day_problems` are what will keep the next store from taking certain days; `notices` are of discs that
    another drive may read, or that were closed badly; `runs` is what the journal and the schedule say;
    `checks` is how discs stand with theirs.
    """

    days: tuple[DayStatus, ...]
    plan: StorePlan | None
    current: str
    free_blocks: int
    days_until_full: int | None
    problem: CedarchestError | None = None
    day_problems: tuple[CedarchestError, ...] = ()
    notices: tuple[str, ...] = ()
    runs: RunsReport = field(default_factory=RunsReport)
    checks: tuple[CheckState, ...] = ()


def execute_status(config: Config, *, ports: Ports) -> StatusReport:
    """How things stand; looks at staging, catalog and drive, and writes nothing.

    Raises:
        StagingError: the staging folder cannot be read.
        CatalogError: the catalog cannot be read.
    """
    if config.stage is None and config.store is None:  # a machine that only collects
        return StatusReport((), None, "", 0, None, runs=look_at_runs(config, ports=ports))
    staged = ports.staging.days(config.require_stage().dir)
    due = [day for day in staged if day.staged and not _is_stored(config, day, ports)]
    known = _known_discs(ports)
    days = _days(staged, {day.day for day in due}, known, ports)
    looked_at, problems = indexes_of(due, ports.staging.look)
    plan, current, problem = _drive(config, [day for day in looked_at if not awaits_check(day, ports)], ports)
    return StatusReport(
        days=days,
        plan=plan,
        current=current.disc.label if current else "",
        free_blocks=current.seen.free if current else 0,
        days_until_full=_days_until_full(current),
        problem=problem,
        day_problems=(*problems, *(plan.refused if plan else ())),
        notices=tuple(_notices(known)),
        runs=look_at_runs(config, ports=ports),
        checks=check_states(config, ports),
    )


def _known_discs(ports: Ports) -> KnownDiscs:
    return {disc: without_maps(ports.catalog.sessions(disc.disc_id)) for disc in ports.catalog.discs()}


def _notices(known: KnownDiscs) -> Iterator[str]:
    """What of discs should not be forgotten, though nothing is due for it."""
    for disc, sessions in known.items():
        if disc.given_up:
            continue
        if disc.reason == CLOSED_BADLY:
            yield f"{disc.label} takes no more sessions: {disc.reason}"
        for session in sessions:
            if session.status is SessionStatus.BAD and session.reason.startswith(UNREADABLE):
                drive = session.reason.removeprefix(UNREADABLE).partition(":")[0]
                yield (
                    f"{disc.label} session {session.number} was unreadable in {drive}; another drive may read"
                    f" it: cedarchest verify {label_word(disc.label)}"
                )


def _is_stored(config: Config, day: StagedDay, ports: Ports) -> bool:
    """Whether a staged day has its mark or, where staging may not be written, the catalog's proof."""
    if day.marked_stored or not is_on_a_disc(ports.catalog, day.day):
        return day.marked_stored
    try:
        return is_proven(config, ports.staging.look(day.directory, day.day), ports)
    except CedarchestError:
        return False  # the plan says what is wrong with it


def _days(
    staged: tuple[StagedDay, ...], due: Container[str], known: KnownDiscs, ports: Ports
) -> tuple[DayStatus, ...]:
    discs = {disc.disc_id: disc for disc in known}
    by_day = {day.day: day for day in staged}
    held = _contents(known)
    found = (
        _day(name, by_day.get(name), held.get(name, ()), discs, due, ports)
        for name in sorted({*by_day, *held})
    )
    return tuple(day for day in found if day is not None)


def _contents(known: KnownDiscs) -> Mapping[str, Contents]:
    """Where content of each day stands, on any disc, oldest session first."""
    held = defaultdict(list)
    for session in sorted(chain.from_iterable(known.values()), key=lambda session: session.created_at):
        for content in session.days:
            held[content.day].append((session, content))
    return held


def _day(
    name: str,
    day: StagedDay | None,
    ever: Contents,
    discs: Mapping[str, DiscRecord],
    due: Container[str],
    ports: Ports,
) -> DayStatus | None:
    """How a day stands; None for one that is of the past: nothing is left of it, and on purpose."""
    contents = [each for each in ever if not discs[each[0].disc_id].given_up]
    proven = [discs[s.disc_id].label for s, _ in contents if s.status is SessionStatus.VERIFIED]
    unsettled = (SessionStatus.BURNT, SessionStatus.INTENDED, SessionStatus.CLAIMED)
    open_ = [discs[s.disc_id].label for s, _ in contents if s.status in unsettled]
    staged = day is not None and day.staged
    was_on: tuple[str, ...] = ()
    if not staged and not open_:
        newest = newest_written(ever)
        if newest is None or newest[0].reason == ERASED:
            if day is None and not proven:
                return None
        elif not are_whole(ports.catalog, contents, newest[1].index_digest):
            was_on = (discs[newest[0].disc_id].label,)
    stored = (day.marked_stored or (staged and name not in due)) if day else bool(proven)
    return DayStatus(
        name,
        staged=staged,
        stored=stored and not was_on,
        discs=tuple(dict.fromkeys(proven)),
        unproven=tuple(dict.fromkeys(open_)),
        was_on=was_on,
    )


def _drive(
    config: Config, due: list[DayIndex], ports: Ports
) -> tuple[StorePlan | None, CurrentDisc | None, CedarchestError | None]:
    """The plan for what is due and the disc in use; trouble with the drive is part of the answer."""
    copies = range(1, config.require_store().copies + 1)
    wanted = [copy for copy in copies if any(is_due_as(copy, config, day, ports) for day in due)] or [1]
    try:
        with all_writers(config, ports) as writers:
            if absent := burnt_elsewhere(writers, ports):
                return None, None, absent
            drives = Drives(writers, next(copies_with_drives(wanted, writers, ports)))
            first, *others = drives.homes
            foreseen = foresee(config, first, due, drives, ports)
            refused = (_refused(config, copy, due, drives, ports) for copy in others)
            problem = foreseen.refused or next(filter(None, refused), None)
            return foreseen.plan, foreseen.current, problem and (_unsettled(ports) or problem)
    except CedarchestError as error:
        return None, None, _unsettled(ports) or error


def _refused(
    config: Config, copy: int, due: Sequence[DayIndex], drives: Drives, ports: Ports
) -> CedarchestError | None:
    """Why a copy cannot be written in its drive with the disc that is there."""
    try:
        return foresee(config, copy, due, drives, ports).refused
    except Interrupted:
        raise
    except CedarchestError as error:
        return error


def _unsettled(ports: Ports) -> CedarchestError | None:
    """What an earlier run left open, which is why a disc may not look like itself."""
    for session in ports.catalog.open_sessions():
        if session.status is SessionStatus.INTENDED:
            label = next(d.label for d in ports.catalog.discs() if d.disc_id == session.disc_id)
            return NotAppendable(
                f"session {session.number} of {label} was begun by an earlier run that did not see its end",
                advice="The next `cedarchest store` looks first at what came of it, on that disc.",
                label=label,
            )
    return None


def _days_until_full(current: CurrentDisc | None) -> int | None:
    """How many more days of the recent size the disc in use takes; None when there is no experience."""
    if current is None or not current.sessions:
        return None
    recent = current.sessions[-RECENT_SESSIONS:]
    blocks = max(1, sum(session.blocks for session in recent) // len(recent))
    return sessions_until_full(current.seen.free, blocks, len(current.seen.sessions), current.seen.traits)
