"""What discs only claim to hold is read before anything goes on top of it, or is written once more.

A catalog that was made anew from discs knows nothing for certain. A store reads the discs that it is going to
append to, and those that claim staged days which are due; all others wait for a `verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cedarchest.actions.loading import expected_disc
from cedarchest.actions.marks import follow_claims, follow_proof
from cedarchest.actions.prove import prove_again
from cedarchest.actions.writers import labels_in
from cedarchest.config.model import Config
from cedarchest.errors import DamagedDisc, VerifyError
from cedarchest.model.disc import DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.names import first_few, label_word
from cedarchest.ports import Ports, Writer


def prove_claims(config: Config, writers: Sequence[Writer], ports: Ports) -> None:
    """Read the sessions that are but claimed, of the discs in use and of those that claim days which are due.

    A session that differs is bad from now on, which is warned of.

    Raises:
        WrongDisc, ToolError: the disc went away.
    """
    claiming = _claiming(ports)
    if not claiming:
        return
    due = _due(config, ports)
    for writer in writers:
        there = set(labels_in(writer))
        in_use = _in_use(config, writer, ports)
        for disc, sessions in claiming:
            wanted = disc.disc_id in in_use or _claims(disc, due, ports)
            if wanted and disc.label in there:
                _prove(config, writer, disc, sessions, ports)
    left = [disc.label for disc, _ in _claiming(ports) if _claims(disc, due, ports)]
    if left:
        ports.reporter.warn(
            f"days that are due stand on {first_few(left, ', ')} by what these discs claim; they are written"
            f" again unless the discs are read first: cedarchest verify {label_word(left[0])}"
        )


def claims_to_prove(config: Config, ports: Ports) -> Iterator[str]:
    """What a store would read first, or that it would not."""
    due = _due(config, ports)
    for disc, sessions in _claiming(ports):
        if disc.accepts_sessions or _claims(disc, due, ports):
            numbers = ", ".join(str(session.number) for session in sessions)
            yield f"{disc.label} only claims its session {numbers}; a store reads it first, if it is at hand"


def _prove(
    config: Config, writer: Writer, disc: DiscRecord, sessions: Sequence[SessionRecord], ports: Ports
) -> None:
    for session in sessions:
        ports.interrupts.check()
        ports.reporter.note(f"reading {disc.label} session {session.number}, which is not proven here yet")
        held = [content.day for content in session.days]
        try:
            prove_again(writer, disc, session, ports)
        except (VerifyError, DamagedDisc) as error:
            if "findings" not in error.fields and not isinstance(error, VerifyError):
                raise  # it could not even be looked at
            ports.reporter.warn(error.message)
            follow_proof(config, held, ports)
        else:
            follow_claims(config, session, ports)


def _claiming(ports: Ports) -> list[tuple[DiscRecord, list[SessionRecord]]]:
    """Discs with the sessions that they claim, in order."""
    found = []
    for disc in ports.catalog.discs():
        claimed = [
            session
            for session in ([] if disc.given_up else ports.catalog.sessions(disc.disc_id))
            if session.status is SessionStatus.CLAIMED
        ]
        if claimed:
            found.append((disc, claimed))
    return found


def _in_use(config: Config, writer: Writer, ports: Ports) -> set[str]:
    """The discs that a store may append to with this drive."""
    if not writer.loads_itself:
        seen = writer.observe()
        return {seen.identity.disc_id} if seen.identity else set()
    copies = range(1, config.require_store().copies + 1)
    expected = (expected_disc(writer, ports, copy) for copy in copies)
    return {disc.disc_id for disc in expected if disc}


def _due(config: Config, ports: Ports) -> set[str]:
    """Staged days that have no mark."""
    found = ports.staging.days(config.stage.dir) if config.stage else ()
    return {day.day for day in found if day.staged and not day.marked_stored}


def _claims(disc: DiscRecord, due: set[str], ports: Ports) -> bool:
    """Whether a disc claims any of the days."""
    return any(
        content.day in due
        for session in ports.catalog.sessions(disc.disc_id)
        if session.status is SessionStatus.CLAIMED
        for content in session.days
    )
