"""Which discs are due for a check, and of which a copy is wanted while they can be read: asked here alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cedarchest.config.model import Config
from cedarchest.errors import CatalogError
from cedarchest.model.disc import SAID, CheckRecord, DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.names import label_word
from cedarchest.model.turns import Turns, mibs_of, proven_at
from cedarchest.ports import Ports

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckState:
    """How a disc stands with its checks.

    Every MiB that was ever proven was read and found good since `read_since`; None where nothing was. With
    `is_begun` an audit of all of it did not come to its end. `weak` says why a copy of it is wanted, and
    what to do; it is empty where none is.
    """

    disc: DiscRecord
    read_since: datetime | None
    next_check: datetime | None
    is_due: bool
    is_begun: bool
    weak: str

    @property
    def urgency(self) -> tuple[bool, datetime]:
        """What is begun comes first, then what was read longest ago."""
        return not self.is_begun, self.read_since or self.disc.created_at


def check_states(config: Config, ports: Ports) -> tuple[CheckState, ...]:
    """All discs that count, oldest first."""
    discs = ports.catalog.discs()
    return tuple(check_state(config, disc, ports) for disc in discs if not disc.given_up)


def check_state(config: Config, disc: DiscRecord, ports: Ports) -> CheckState:
    """How a disc stands with its checks."""
    sessions, checks = ports.catalog.sessions(disc.disc_id), ports.catalog.checks(disc.disc_id)
    return check_state_of(config, disc, sessions, checks, ports)


def check_state_of(
    config: Config,
    disc: DiscRecord,
    sessions: Sequence[SessionRecord],
    checks: Sequence[CheckRecord],
    ports: Ports,
) -> CheckState:
    """The same of a disc whose sessions and checks are known already."""
    known = turns_of(disc, sessions, checks, ports)
    verified = [each.number for each in sessions if each.status is SessionStatus.VERIFIED]
    ages = [turns.read_since(at) for number, (turns, at) in known.items() if number in verified]
    since = min(ages, default=None)
    due_at = since + config.audit.interval(disc.medium) if since else None
    return CheckState(
        disc,
        since,
        due_at,
        is_due=due_at is not None and due_at <= ports.clock.now(),
        is_begun=any(turns.left for turns, _ in known.values()),
        weak=_weakness(config, disc, sessions, checks, ports),
    )


def turns_of(
    disc: DiscRecord, sessions: Iterable[SessionRecord], checks: Sequence[CheckRecord], ports: Ports
) -> dict[int, tuple[Turns, datetime]]:
    """What audits have read of each session that they can judge, and when all of it was last read at once.

    These are sessions that our own reading proved at some time, so that there is a block map to go by.
    """
    recorded = ports.catalog.turns(disc.disc_id)
    found = {}
    for session in sessions:
        at = proven_at(checks, session.number)
        if at is not None and session.block_map and _was_judged(session):
            found[session.number] = (_fitting(recorded, session), at)
    return found


def _was_judged(session: SessionRecord) -> bool:
    if session.status is SessionStatus.BAD:
        return not session.reason.startswith(SAID)
    return session.status is SessionStatus.VERIFIED


def _fitting(recorded: Mapping[int, Turns], session: SessionRecord) -> Turns:
    turns = recorded.get(session.number)
    fits = turns is not None and len(turns.last) == mibs_of(session.blocks)
    return turns if fits and turns is not None else Turns.none(session.blocks)


def _weakness(
    config: Config,
    disc: DiscRecord,
    sessions: Iterable[SessionRecord],
    checks: Sequence[CheckRecord],
    ports: Ports,
) -> str:
    """The worst of what checks found of sessions of which there are not enough others; empty for none."""
    several = list(sessions)
    copies = config.store.copies if config.store else 1
    weak = ""
    for session in several:
        found = _weak_check(session, [check for check in checks if check.session == session.number])
        if found is None or _is_held_elsewhere(disc, [session], ports, copies):
            continue
        said = f"{_verb(found)} in {found.drive_model or found.drive} on {found.at:%Y-%m-%d}"
        weak = said if not found.passed else weak or said
        if not found.passed:
            break
    return f"{weak}; {_remedy(disc, several, ports)}" if weak else ""


def _remedy(disc: DiscRecord, sessions: Sequence[SessionRecord], ports: Ports) -> str:
    """What to do about a disc of which a copy is wanted: to copy it, unless nobody can read it yet."""
    word = label_word(disc.label)
    written = [each for each in sessions if each.status is not SessionStatus.ABANDONED]
    proven = any(each.status is SessionStatus.VERIFIED for each in written)
    if proven or _is_rescued(disc, written, ports) or _is_held_elsewhere(disc, written, ports):
        return f"make a new copy: cedarchest copy {word}"
    return f"another drive may read it: cedarchest audit {word}"


def _is_rescued(disc: DiscRecord, sessions: Iterable[SessionRecord], ports: Ports) -> bool:
    """Whether drives together read all of some sessions."""
    try:
        merged = ports.rescues.merged(disc.label)
    except CatalogError as error:  # the audit says so
        log.info("%s", error.message)
        return False
    return merged is not None and all(merged[1].is_read(each.start, each.blocks) for each in sessions)


def _verb(check: CheckRecord) -> str:
    if not check.passed:
        return "failed"
    return "was slow" if check.slow else "was read only by trying again"


def _weak_check(session: SessionRecord, checks: Iterable[CheckRecord]) -> CheckRecord | None:
    """The check that speaks against a session that was proven: a reading of all of it counts for all."""
    if session.status not in (SessionStatus.VERIFIED, SessionStatus.BAD) or not session.block_map:
        return None
    weak: CheckRecord | None = None
    for check in checks:
        if not check.passed or check.slow or check.retries:
            weak = check
        elif check.blocks >= session.blocks or (check.whole and weak and not weak.passed):
            weak = None
    return weak if weak is None or weak.passed or session.status is SessionStatus.BAD else None


def _is_held_elsewhere(
    disc: DiscRecord, sessions: Iterable[SessionRecord], ports: Ports, copies: int = 1
) -> bool:
    """Whether so many other discs prove each day of sessions as it stands there."""
    return all(
        len(set(_others(disc, content.day, content.index_digest, ports))) >= copies
        for session in sessions
        for content in session.days
    )


def _others(disc: DiscRecord, day: str, digest: bytes, ports: Ports) -> Iterator[str]:
    for session, content in ports.catalog.contents(day):
        same = content.index_digest == digest and session.disc_id != disc.disc_id
        if same and session.status is SessionStatus.VERIFIED:
            yield session.disc_id
