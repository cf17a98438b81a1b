"""The proof of a session: read back from the disc, compared, recorded; a bad one is bypassed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cedarchest.actions.burn import burn_session
from cedarchest.actions.cedar_disc import survey
from cedarchest.actions.day_claims import days_that_agree
from cedarchest.actions.facts import visible_entries
from cedarchest.actions.found_disc import UNKNOWN
from cedarchest.actions.loading import current_disc, lost_advice, not_there, with_right_disc
from cedarchest.actions.selfcheck import expected_by_disc
from cedarchest.config.model import Config
from cedarchest.errors import (
    CatalogError,
    CedarchestError,
    DamagedDisc,
    Interrupted,
    NoMedium,
    NotAppendable,
    VerifyError,
    WrongDisc,
)
from cedarchest.model.check import SessionCheck, check_session
from cedarchest.model.disc import (
    BAD_SESSION,
    INPUT_CHANGED,
    SAID,
    UNREADABLE,
    CheckKind,
    CheckRecord,
    DiscRecord,
    DiscState,
    Observation,
    SessionRecord,
    SessionStatus,
    Speed,
    TocEntry,
    as_closed,
)
from cedarchest.model.findings import Finding, FindingKind, damaged_blocks
from cedarchest.model.image.volume import check_anchor
from cedarchest.model.index import Entry
from cedarchest.model.media import BLOCK
from cedarchest.model.names import first_few, label_word
from cedarchest.model.pace import Pace
from cedarchest.model.survey import compare_surveyed, with_attributes
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)

KEPT_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """A session as read now: what the comparison gave, how long it took, and in which drive.

    What is not `whole` says nothing of what was not read.
    """

    check: SessionCheck
    seconds: float
    seen: Observation
    whole: bool = True
    speeds: tuple[Speed, ...] = ()
    slow: tuple[Speed, ...] = ()
    retries: int = 0


def read_session(writer: Writer, seen: Observation, session: SessionRecord, ports: Ports) -> Reading:
    """Read a session of the loaded disc in one sweep and compare it with what was put there."""
    entry = next(each for each in seen.sessions if each.number == session.number)
    if session.has_no_index:
        return _read_surveyed(writer, seen, session, entry, ports)
    label = entry.volume_id
    expected = expected_of(writer, session, ports)
    earlier = visible_entries(ports.catalog, session.disc_id, session.base) if session.base else {}
    ports.reporter.phase(f"checking {label} session {session.number}", session.blocks * BLOCK)

    def progress(blocks: int) -> None:
        ports.interrupts.pass_on()
        ports.reporter.advance(blocks * BLOCK)

    pace = Pace(ports.clock.monotonic)
    began = ports.clock.monotonic()
    anchor = anchor_findings(writer, seen, session)
    check = check_session(
        pace.measured(writer.read),
        session.start,
        session.blocks,
        expected,
        earlier,
        volume_id=label,
        known_map=session.block_map,
        one_time=not seen.is_cedars,  # what stood there before has three times
        progress=progress,
        finding_limit=KEPT_FINDINGS,
    )
    if anchor:
        check = replace(check, findings=(*check.findings, *anchor))
    if check.findings:
        refuse_vanished(writer, seen, session)
    for area in pace.slow_areas():
        ports.reporter.warn(f"{label} reads slowly at {area}")
    seconds = ports.clock.monotonic() - began
    slow = () if writer.loads_itself else pace.slow()
    return Reading(check, seconds, seen, speeds=pace.speeds(), slow=slow)


def _read_surveyed(
    writer: Writer, seen: Observation, session: SessionRecord, entry: TocEntry, ports: Ports
) -> Reading:
    """Read a session of Cedar Backup once more, and compare it with what it was when it was entered.

    Raises:
        CatalogError: not all of it could be read then.
    """
    label = seen.identity.label if seen.identity else entry.volume_id
    if session.reason.startswith(UNKNOWN):
        raise CatalogError(
            f"{label} session {session.number} could not all be read when it was entered: there is nothing to"
            " compare it with",
            advice="Clean it or put it into another drive, and enter it again: cedarchest catalog rebuild",
            label=label,
        )
    began = ports.clock.monotonic()
    earlier = visible_entries(ports.catalog, session.disc_id, session.base) if session.base else {}
    found = survey(writer, seen, entry, earlier, label, ports)
    expected = {each.path: each for each in ports.catalog.entries(session.disc_id, session.number)}
    findings = compare_surveyed(expected, found, session.start, session.block_map)
    if findings:
        refuse_vanished(writer, seen, session)
    check = SessionCheck(findings, found.block_map, found.held, found.blocks)
    return Reading(check, ports.clock.monotonic() - began, seen)


def expected_of(writer: Writer, session: SessionRecord, ports: Ports) -> Sequence[Entry]:
    """All that a session put on its disc: by what is kept here, else by the index on the disc itself.

    Of one of Cedar Backup it is what its tree shows as it was entered, or less where that is damaged.

    Raises:
        CatalogError: neither is what the catalog says that was written.
    """
    if session.has_no_index:
        toc = TocEntry(session.number, session.start, session.blocks, "")
        held = ports.catalog.entries(session.disc_id, session.number)
        return tuple(with_attributes(writer.read, toc, held))
    try:
        return _kept_here(session, ports)
    except CatalogError as error:
        entry = TocEntry(session.number, session.start, session.blocks, "")
        expected = expected_by_disc(writer, entry, session.index_sha256, session.sums_sha256)
        if expected is None:
            raise
        log.info("%s; the index on the disc is the one that was written, and is used", error.message)
        return expected


def _kept_here(session: SessionRecord, ports: Ports) -> Sequence[Entry]:
    """All that a session put on its disc, by its files in the state folder."""
    kept = ports.workspace.expected(session.disc_id, session.number)
    if [own.sha256 for own in kept[-2:]] != [session.index_sha256, session.sums_sha256]:
        raise CatalogError(
            f"the files that are kept of session {session.number} are not those of the one in the catalog",
            advice="Put catalog and state folder back from copies of the same time.",
        )
    return kept


def refuse_vanished(writer: Writer, seen: Observation, session: SessionRecord) -> None:
    """A drive that went away or got another disc in the middle says nothing against the disc it had.

    Raises:
        WrongDisc, ToolError: it is not there any more.
    """
    if writer.observe().sessions != seen.sessions:
        raise WrongDisc(
            f"{writer.device} lost {seen.label} while its session {session.number} was read",
            advice=f"Insert {seen.label} and run the command again: the session is checked first.",
            needed=seen.label,
        )


def anchor_findings(writer: Writer, seen: Observation, session: SessionRecord) -> list[Finding]:
    """Blocks 0 to 31 of overwritable media and shelves, which repeat the newest session's descriptors."""
    findings: list[Finding] = []
    newest = seen.sessions[-1]
    if (writer.loads_itself or seen.traits.overwritable) and newest.number == session.number:
        check_anchor(writer.read, newest.start, findings.append)
    return findings


def prove_session(
    config: Config,
    writer: Writer,
    disc: DiscRecord,
    session: SessionRecord,
    ports: Ports,
    *,
    kind: CheckKind,
) -> SessionRecord:
    """Check a burnt session from the disc itself and record what came of it.

    Raises:
        WrongDisc: another disc is in the drive now; nothing is recorded.
        VerifyError, DamagedDisc: disc and data differ; the session is recorded as bad and the tree
            before it made visible again.
    """
    reading = read_session(writer, same_disc(writer, disc, session), session, ports)
    return conclude(config, writer, disc, session, reading, ports, kind=kind)


def conclude(
    config: Config,
    writer: Writer,
    disc: DiscRecord,
    session: SessionRecord,
    reading: Reading,
    ports: Ports,
    *,
    kind: CheckKind,
) -> SessionRecord:
    """Record what a first reading found; raises and bypasses the session when it found anything."""
    findings = reading.check.findings
    record = check_record(session, reading, kind, writer, ports)
    if findings:
        bad = replace(session, status=SessionStatus.BAD, reason=_reason(findings, reading))
        ports.catalog.record_proof(bad, (), record)
        # A disc is as good as before when it holds what it was given, which was not what had been indexed.
        kept = disc if session.reason == INPUT_CHANGED else _no_more(disc, BAD_SESSION)
        _bypass(config, writer, as_closed(kept, reading.seen), ports)
        raise differences(findings, disc, session, reading)
    good = replace(session, status=SessionStatus.VERIFIED, block_map=reading.check.block_map, reason="")
    ports.catalog.record_proof(good, reading.check.entries, record)
    if (now := as_closed(disc, reading.seen)) != disc:
        ports.catalog.put_disc(now)
    log.info("%s session %d: no problems found", disc.label, session.number)
    return good


def _no_more(disc: DiscRecord, reason: str) -> DiscRecord:
    """A disc that takes no more sessions, for a reason unless it has one already."""
    return replace(disc, accepts_sessions=False, reason=disc.reason or reason)


def prove_again(writer: Writer, disc: DiscRecord, session: SessionRecord, ports: Ports) -> Reading:
    """Read a session that was judged before and keep the check; the newest verdict counts.

    Raises:
        WrongDisc: another disc is in the drive.
        VerifyError, DamagedDisc: disc and data differ; the session counts as bad from now on.
    """
    reading = read_session(writer, asked_disc(writer, disc, session, ports), session, ports)
    judge_again(writer, disc, session, reading, ports, kind=CheckKind.VERIFY)
    return reading


def judge_again(
    writer: Writer,
    disc: DiscRecord,
    session: SessionRecord,
    reading: Reading,
    ports: Ports,
    *,
    kind: CheckKind,
) -> None:
    """Keep a reading of a session that was judged before; the newest verdict of all of it counts.

    Raises:
        VerifyError, DamagedDisc: disc and data differ; the session counts as bad from now on.
    """
    record = check_record(session, reading, kind, writer, ports)
    found = reading.check.findings
    if found:
        bad = replace(session, status=SessionStatus.BAD, reason=_reason(found, reading))
        news = session.status is not SessionStatus.BAD  # of a bad one it was decided before
        ports.catalog.put_session(bad, _no_more(disc, BAD_SESSION) if news else None)
        ports.catalog.add_check(record)
        raise differences(found, disc, session, reading)
    log.info("%s session %d: no problems found", disc.label, session.number)
    if session.status is SessionStatus.VERIFIED or not reading.whole:
        ports.catalog.add_check(record)
        return
    good = replace(session, status=SessionStatus.VERIFIED, reason="", block_map=reading.check.block_map)
    if session.status is SessionStatus.CLAIMED or session.reason.startswith(SAID):
        good = replace(good, days=days_that_agree(writer, session, reading.check.entries, ports))
    ports.catalog.record_proof(good, reading.check.entries, record)
    sessions = ports.catalog.sessions(disc.disc_id)
    if disc.reason in ("", BAD_SESSION) and all(each.status is not SessionStatus.BAD for each in sessions):
        ports.catalog.put_disc(replace(disc, accepts_sessions=True, reason=""))


def check_record(
    session: SessionRecord, reading: Reading, kind: CheckKind, writer: Writer, ports: Ports
) -> CheckRecord:
    """A reading as an event for the catalog."""
    return CheckRecord(
        disc_id=session.disc_id,
        session=session.number,
        kind=kind,
        at=ports.clock.now(),
        passed=not reading.check.findings,
        drive=writer.device,
        tool=session.tool,
        blocks=reading.check.blocks,
        seconds=reading.seconds,
        findings=tuple(str(finding) for finding in reading.check.findings),
        drive_model=reading.seen.drive_name,
        whole=reading.whole,
        speeds=reading.speeds,
        slow=reading.slow,
        retries=reading.retries,
        damaged=damaged_blocks(reading.check.findings),
    )


def _reason(findings: Sequence[Finding], reading: Reading) -> str:
    """Why a session is bad; what one drive cannot read, another may."""
    return f"{UNREADABLE}{_drive(reading)}: {findings[0]}" if _is_unreadable(findings) else str(findings[0])


def _is_unreadable(findings: Iterable[Finding]) -> bool:
    return all(finding.kind is FindingKind.UNREADABLE for finding in findings)


def _drive(reading: Reading) -> str:
    return reading.seen.drive_name or reading.seen.device


def differences(
    findings: tuple[Finding, ...], disc: DiscRecord, session: SessionRecord, reading: Reading
) -> VerifyError | DamagedDisc:
    """What the comparison found, as the error that says what to do."""
    shown = first_few(findings)
    if _is_unreadable(findings):
        return DamagedDisc(
            f"{disc.label} session {session.number} cannot be read in full in {_drive(reading)}: {shown}",
            advice=f"Clean the disc, or put it into another drive: `cedarchest verify"
            f" {label_word(disc.label)}` takes this back where it is read in full. Days of it that are"
            " staged are due again.",
            label=disc.label,
            findings=[str(finding) for finding in findings],
        )
    return VerifyError(
        f"{disc.label} session {session.number} differs from what was stored: {shown}",
        findings=findings,
        advice="Days of it that are staged are due again: run `cedarchest store` with another disc.",
        label=disc.label,
    )


def same_disc(writer: Writer, disc: DiscRecord, session: SessionRecord) -> Observation:
    """The disc that was written, seen anew; no other one is ever checked in its place."""
    if session.status in (SessionStatus.INTENDED, SessionStatus.BURNT):
        writer.cycle_tray()
    writer.reload()
    seen = writer.load(disc.label) if writer.loads_itself else writer.observe()
    entry = next((each for each in seen.sessions if each.number == session.number), None)
    # A tree too damaged to name its disc leaves label and place to know it by.
    known = seen.identity is None or seen.identity.disc_id == disc.disc_id
    if not seen.is_of(disc.label) or not known:
        raise not_there(seen, disc.label)
    if entry is None or entry.start != session.start:
        raise WrongDisc(
            f"{writer.device} holds {disc.label} without its session {session.number}",
            advice=f"Insert {disc.label} as it was and run the command again. {lost_advice(disc.label)}",
            needed=disc.label,
            found=seen.label,
        )
    writer.reload()
    return seen


def is_there(disc: DiscRecord, error: CedarchestError) -> bool:
    """Whether a disc was in the drive, for all that an error tells."""
    elsewhere = isinstance(error, WrongDisc) and error.fields.get("found") != disc.label
    return not elsewhere and not isinstance(error, NoMedium)


def asked_disc(writer: Writer, disc: DiscRecord, session: SessionRecord, ports: Ports) -> Observation:
    """The disc that was written, seen anew, after a person was asked for it where one is there.

    Raises:
        WrongDisc, MediaError, ToolError: it is not there.
    """
    return with_right_disc(writer, ports, lambda: same_disc(writer, disc, session))


def _bypass(config: Config, writer: Writer, disc: DiscRecord, ports: Ports) -> None:
    """Nothing more goes on the disc but a repair: the last good tree becomes the visible one again."""
    ports.catalog.put_disc(disc)
    try:
        seen = writer.observe()
        current = current_disc(seen, disc, ports)
        if current.base is None:
            return
        if seen.state is DiscState.CLOSED:
            raise NotAppendable(f"{disc.label} is closed")
        repair = burn_session(config, writer, disc, current, (), ports)
        prove_session(config, writer, disc, repair, ports, kind=CheckKind.STORE)
        ports.reporter.note(f"the tree of {disc.label} session {current.base.number} is visible again")
    except Interrupted:
        raise
    except CedarchestError as error:
        ports.reporter.warn(f"the good tree of {disc.label} could not be made visible again: {error}")
