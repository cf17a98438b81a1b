"""The verify action: discs read again and compared, with the catalog or from what they hold themselves.

With the catalog a failed comparison takes the copy back: `cback.store` goes, the day is due again; a
later pass restores all three. A disc or image that is named by its path is compared with its own indexes
and changes nothing in the catalog: it may be a copy that the catalog knows nothing of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cedarchest.actions.loading import is_written_here
from cedarchest.actions.marks import follow_proof
from cedarchest.actions.prove import prove_again
from cedarchest.actions.selfcheck import check_by_itself
from cedarchest.actions.settle import settle_session
from cedarchest.actions.store import create_writer
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, DamagedDisc, NoMedium, VerifyError
from cedarchest.model.disc import DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.findings import Finding
from cedarchest.ports import Ports, Writer


@dataclass(frozen=True, slots=True)
class DiscVerdict:
    """What a verify said of one disc."""

    disc: str  # label, or path where it was named by that
    passed: bool
    sessions: int
    blocks: int
    seconds: float
    findings: tuple[Finding, ...] = ()
    problem: CedarchestError | None = None
    replaced: int = 0  # sessions that are as bad as they were, and whose days later ones hold


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
        shown = "; ".join(str(finding) for finding in outcome.findings[:5])
        problem = VerifyError(
            f"{target} ({outcome.label}) differs from its own index: {shown}",
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
    writer = create_writer(config, ports=ports)
    try:
        verdicts = []
        for disc in _discs_to_verify(writer, labels, ports):
            ports.interrupts.check()
            verdicts.append(_verify_disc(config, writer, disc, ports))
        return verdicts
    finally:
        writer.close()


def _discs_to_verify(writer: Writer, labels: Sequence[str], ports: Ports) -> list[DiscRecord]:
    known = [disc for disc in ports.catalog.discs() if not disc.given_up]
    if labels:
        by_label = {disc.label: disc for disc in known}
        if unknown := [label for label in labels if label not in by_label]:
            raise NoMedium(
                f"the catalog knows no disc {unknown[0]}",
                advice="`cedarchest discs` lists them; an image or device is named by its path.",
            )
        return [by_label[label] for label in labels]
    if writer.loads_itself:
        return [disc for disc in known if _written_here(disc, writer, ports)]
    seen = writer.observe()
    for disc in known:
        if seen.identity is not None and disc.disc_id == seen.identity.disc_id:
            return [disc]
    raise NoMedium(
        f"{writer.device} holds no disc that the catalog knows",
        advice="Insert one, or name the device to compare the disc with itself:"
        f" cedarchest verify {writer.device}",
    )


def _written_here(disc: DiscRecord, writer: Writer, ports: Ports) -> bool:
    sessions = ports.catalog.sessions(disc.disc_id)
    return any(is_written_here(session.drive, disc.label, writer) for session in sessions)


def _verify_disc(config: Config, writer: Writer, disc: DiscRecord, ports: Ports) -> DiscVerdict:
    """Every session of a disc in rising order; marks follow what is found."""
    began = ports.clock.monotonic()
    findings: list[Finding] = []
    problem: CedarchestError | None = None
    replaced = 0
    sessions = [
        each
        for each in ports.catalog.sessions(disc.disc_id)
        if each.status is not SessionStatus.ABANDONED and each.status is not SessionStatus.CLAIMED
    ]
    for session in sessions:
        error = _verify_session(config, writer, disc, session, ports)
        if isinstance(error, VerifyError | DamagedDisc) and _is_replaced(session, ports):
            replaced, error = replaced + 1, None
        if isinstance(error, VerifyError):
            findings += error.findings
        problem = problem or error
        as_before = error is None and session.status is SessionStatus.VERIFIED
        follow_proof(config, [content.day for content in session.days], ports, trust_marks=as_before)
    return DiscVerdict(
        disc.label,
        passed=problem is None,
        sessions=len(sessions),
        blocks=sum(session.blocks for session in sessions),
        seconds=ports.clock.monotonic() - began,
        findings=tuple(findings),
        problem=problem,
        replaced=replaced,
    )


def _verify_session(
    config: Config, writer: Writer, disc: DiscRecord, session: SessionRecord, ports: Ports
) -> CedarchestError | None:
    """What is wrong with a session now."""
    try:
        if session.status in (SessionStatus.INTENDED, SessionStatus.BURNT):
            settle_session(config, writer, disc, session, ports)
        else:
            prove_again(writer, disc, session, ports)
    except CedarchestError as error:
        return error
    return None


def _is_replaced(session: SessionRecord, ports: Ports) -> bool:
    """Whether it was known to be bad, and later sessions that are verified hold all its days."""
    return session.status is SessionStatus.BAD and all(
        any(
            other.status is SessionStatus.VERIFIED and other.created_at >= session.created_at
            for other, _ in ports.catalog.contents(content.day)
        )
        for content in session.days
    )
