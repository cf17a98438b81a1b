"""The verify action: discs read again and compared, with the catalog or from what they hold themselves.

With the catalog a failed comparison takes the copy back: `cback.store` goes, the day is due again; a
later pass restores all three. So does a disc that was given up as lost, once it is found, named and read.
A disc or image that is named by its path is compared with its own indexes and changes nothing in the
catalog: it may be a copy that the catalog knows nothing of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cedarchest.actions.facts import disc_named, is_whole
from cedarchest.actions.indexing import index_archives
from cedarchest.actions.loading import (
    is_written_here,
    newer_than_catalog,
    sessions_unknown,
    warn_of_strangers,
)
from cedarchest.actions.marks import follow_claims, follow_proof, last_digests, standing
from cedarchest.actions.prove import is_there, prove_again
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.reuse import LOST
from cedarchest.actions.selfcheck import check_by_itself
from cedarchest.actions.settle import settle_session
from cedarchest.actions.writers import all_writers, holding
from cedarchest.config.model import Config
from cedarchest.errors import CatalogError, CedarchestError, DamagedDisc, Interrupted, NoMedium, VerifyError
from cedarchest.model.disc import FOUND_AGAIN, DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.findings import Finding
from cedarchest.model.names import first_few, label_word
from cedarchest.ports import Ports, Writer


@dataclass(frozen=True, slots=True)
class DiscVerdict:
    """What a verify said of one disc; sessions and blocks are those that were read."""

    disc: str  # label, or path where it was named by that
    passed: bool
    sessions: int
    blocks: int
    seconds: float
    findings: tuple[Finding, ...] = ()
    problem: CedarchestError | None = None
    replaced: int = 0  # sessions that are as bad as they were, and whose days later ones hold
    lost: tuple[str, ...] = ()  # days of what failed that are on no other disc and not staged any more


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The verdicts, in the order the discs were read."""

    verdicts: tuple[DiscVerdict, ...]

    @property
    def problems(self) -> tuple[CedarchestError, ...]:
        """What went wrong, one for each disc that failed."""
        return tuple(verdict.problem for verdict in self.verdicts if verdict.problem)


def execute_verify(config: Config | None, targets: Sequence[str], *, ports: Ports) -> VerifyReport:
    """Verify the named discs, or those that are there; a failing one does not hold up the others."""
    verdicts: list[DiscVerdict] = []
    by_path = [target for target in targets if "/" in target]
    labels = [target for target in targets if "/" not in target]
    for target in by_path:
        ports.interrupts.check()
        verdicts.append(_verify_path(target, ports))
    if config is not None and (labels or not targets):
        with ports.locks.hold(config.options.state_dir):
            verdicts += _verify_known(config, labels, ports)
            index_archives(config, ports)
            leave_receipts(config, ports=ports)
    return VerifyReport(tuple(verdicts))


def _verify_path(target: str, ports: Ports) -> DiscVerdict:
    """A device or image compared with what it says of itself."""
    began = ports.clock.monotonic()
    try:
        writer = ports.drives.open_path(Path(target))
        try:
            outcome = check_by_itself(writer, target, ports)
        finally:
            writer.close()
    except CedarchestError as error:
        return DiscVerdict(target, passed=False, sessions=0, blocks=0, seconds=0.0, problem=error)
    problem = None
    if outcome.findings:
        problem = VerifyError(
            f"{target} ({outcome.label}) differs from its own index: {first_few(outcome.findings)}",
            findings=outcome.findings,
            advice="Use another copy of this disc; what is not named is good.",
        )
    return DiscVerdict(
        target,
        passed=not outcome.findings,
        sessions=outcome.sessions,
        blocks=outcome.blocks,
        seconds=ports.clock.monotonic() - began,
        findings=outcome.findings,
        problem=problem,
    )


def _verify_known(config: Config, labels: Sequence[str], ports: Ports) -> list[DiscVerdict]:
    verdicts = []
    with all_writers(config, ports) as writers:
        for writer, disc in discs_to_read(writers, labels, ports):
            ports.interrupts.check()
            verdicts.append(verify_disc(config, writer, disc, ports))
    return verdicts


def discs_to_read(
    writers: Sequence[Writer], labels: Sequence[str], ports: Ports
) -> list[tuple[Writer, DiscRecord]]:
    """The discs that are named, each with the drive that holds it; or all that are in the drives."""
    known = [disc for disc in ports.catalog.discs() if not disc.given_up]
    if labels:
        named = [_named(label, known, ports) for label in labels]
        return [(holding(writers, disc.label), disc) for disc in named]
    found: list[tuple[Writer, DiscRecord]] = []
    problems: list[CedarchestError] = []
    for writer in writers:
        try:
            found += [(writer, disc) for disc in _discs_in(writer, known, ports)]
        except Interrupted:
            raise
        except CedarchestError as error:
            problems.append(error)
    if problems and not found:
        raise problems[0]
    for problem in problems:
        ports.reporter.warn(problem.message)
    return found


def _discs_in(writer: Writer, known: Sequence[DiscRecord], ports: Ports) -> list[DiscRecord]:
    if writer.loads_itself:
        warn_of_strangers(writer, ports)
        return [disc for disc in known if _written_here(disc, writer, ports)]
    seen = writer.observe()
    for disc in known:
        if seen.identity is not None and disc.disc_id == seen.identity.disc_id:
            return [disc]
    if seen.identity is None and disc_named(known, seen.label) is not None:
        raise NoMedium(
            f"{writer.device} holds a disc labelled {seen.label} that does not say which one it is",
            advice=f"If it is that disc, and damaged, name it: cedarchest audit {label_word(seen.label)}",
            label=seen.label,
        )
    raise NoMedium(
        f"{writer.device} holds no disc that the catalog knows",
        advice="Insert one, or name the device to compare the disc with itself:"
        f" cedarchest verify {writer.device}",
    )


def _named(label: str, known: Sequence[DiscRecord], ports: Ports) -> DiscRecord:
    if (disc := disc_named(known, label)) is not None:
        return disc
    given_up = disc_named(ports.catalog.discs(), label)
    if given_up is not None and _was_lost(given_up, ports):
        return given_up
    if given_up is not None:
        raise NoMedium(
            f"{label} was given up: nothing on it counts any more",
            advice="An image or device that is named by its path is compared with itself.",
        )
    raise NoMedium(
        f"the catalog knows no disc {label}",
        advice="`cedarchest discs` lists them; an image or device is named by its path.",
    )


def _was_lost(disc: DiscRecord, ports: Ports) -> bool:
    """Whether it was given up for no other reason than that nobody had it.

    What a session says of it goes when it is found and read with a failure, which a later pass makes good.
    """
    sessions = ports.catalog.sessions(disc.disc_id)
    return disc.given_up and (disc.reason == LOST or any(each.reason == LOST for each in sessions))


def _look_for(disc: DiscRecord, ports: Ports) -> None:
    """Have what was unproven on a disc when it was lost looked at again; nothing counts before it is read."""
    for session in ports.catalog.sessions(disc.disc_id):
        if session.reason == LOST and session.status is SessionStatus.ABANDONED:
            ports.catalog.put_session(replace(session, status=SessionStatus.BURNT))


def _count_again(config: Config, disc: DiscRecord, ports: Ports) -> None:
    """A lost disc that was found, and found to be good, counts again; it takes no further sessions."""
    ports.catalog.put_disc(replace(disc, given_up=False, accepts_sessions=False, reason=FOUND_AGAIN))
    for session in ports.catalog.sessions(disc.disc_id):
        if session.reason == LOST:
            ports.catalog.put_session(replace(session, reason=""))
    held = {content.day for each in ports.catalog.sessions(disc.disc_id) for content in each.days}
    follow_proof(config, held, ports)
    ports.reporter.note(f"{disc.label} was lost and is found: what it holds counts again")


def _written_here(disc: DiscRecord, writer: Writer, ports: Ports) -> bool:
    """Whether something that counts was written on it that this drive can have."""
    return any(is_written_here(each.drive, disc.label, writer) for each in _counting(disc, ports))


def _counting(disc: DiscRecord, ports: Ports) -> list[SessionRecord]:
    """Sessions of a disc that are there, or may be."""
    return [
        each for each in ports.catalog.sessions(disc.disc_id) if each.status is not SessionStatus.ABANDONED
    ]


def verify_disc(config: Config, writer: Writer, disc: DiscRecord, ports: Ports) -> DiscVerdict:
    """Every session of a disc in rising order; marks follow what is found."""
    began = ports.clock.monotonic()
    findings: list[Finding] = []
    problem: CedarchestError | None = None
    read: list[SessionRecord] = []
    suspect: list[str] = []
    replaced = 0
    lost = _was_lost(disc, ports)
    if lost:
        _look_for(disc, ports)
    for session in _counting(disc, ports):
        ports.interrupts.check()
        was_read, error = _verify_session(config, writer, disc, session, ports)
        read += [session] if was_read else []
        if isinstance(error, VerifyError | DamagedDisc) and is_replaced(session, ports):
            replaced, error = replaced + 1, None
        if isinstance(error, VerifyError):
            findings += error.findings
        problem = problem or error
        suspect += [content.day for content in session.days] if error else ()
        follow_session(config, session, error, ports)
        if error is not None and not is_there(disc, error):
            break
    if not read and problem is None:
        problem = NoMedium(f"there is nothing on {disc.label} to verify", label=disc.label)
    problem = problem or _beyond_catalog(writer, disc, ports)
    if lost and problem is None:
        _count_again(config, disc, ports)
    if problem is None:
        ports.rescues.drop(disc.label)
    return DiscVerdict(
        disc.label,
        passed=problem is None,
        sessions=len(read),
        blocks=sum(session.blocks for session in read),
        seconds=ports.clock.monotonic() - began,
        findings=tuple(findings),
        problem=problem,
        replaced=replaced,
        lost=standing(config, last_digests(suspect, ports), ports).lost,
    )


def follow_session(
    config: Config, session: SessionRecord, error: CedarchestError | None, ports: Ports
) -> None:
    """Marks follow what was found of a session, given as it was before it was read."""
    days = [content.day for content in session.days]
    as_before = error is None and (session.status is SessionStatus.VERIFIED or session.has_no_index)
    if error is None and session.status is SessionStatus.CLAIMED:
        follow_claims(config, session, ports)
    else:
        follow_proof(config, days, ports, trust_marks=as_before)


def _verify_session(
    config: Config, writer: Writer, disc: DiscRecord, session: SessionRecord, ports: Ports
) -> tuple[bool, CedarchestError | None]:
    """Whether a session was read to its end, and what is wrong with it now."""
    try:
        if session.status not in (SessionStatus.INTENDED, SessionStatus.BURNT):
            prove_again(writer, disc, session, ports)
        elif settle_session(config, writer, disc, session, ports) is None:
            ports.reporter.warn(
                f"session {session.number} of {disc.label} was never completed; its days are due"
            )
            return False, None
    except CedarchestError as error:
        return isinstance(error, VerifyError) or "findings" in error.fields, error
    return True, None


def _beyond_catalog(writer: Writer, disc: DiscRecord, ports: Ports) -> CedarchestError | None:
    """What is on the disc and could not be compared, since the catalog does not know it."""
    try:
        seen = writer.load(disc.label) if writer.loads_itself else writer.observe()
    except CedarchestError as error:
        return error
    unknown = sessions_unknown(seen, disc, ports)
    if not unknown:
        return None
    return CatalogError(
        newer_than_catalog(disc, unknown),
        advice="Put the newer catalog back. An image or device that is named by its path is compared with"
        " itself, all of it.",
        label=disc.label,
    )


def is_replaced(session: SessionRecord, ports: Ports) -> bool:
    """Whether it was known to be bad, and discs prove all of its days as they were written last."""
    digests = last_digests((content.day for content in session.days), ports)
    return (
        session.status is SessionStatus.BAD
        and bool(session.index_sha256)
        and all(is_whole(ports.catalog, day, digest) for day, digest in digests.items())
    )
