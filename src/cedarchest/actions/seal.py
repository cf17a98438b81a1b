"""The seal action: a disc that is to leave the house takes no more sessions, and is read once more.

Sequential media (CD, DVD-R, DVD-RW, DVD+R, BD-R) are closed, which other drives and players may ask for. A
drive closes a disc with a session: one that shows the last verified tree once more. DVD+RW, DVD-RAM, BD-RE
and shelves have nothing that could be closed: the catalog remembers that they take nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cedarchest.actions.burn import burn_session
from cedarchest.actions.facts import named_disc
from cedarchest.actions.loading import current_disc, newer_than_catalog, sessions_unknown
from cedarchest.actions.prove import prove_again, prove_session
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.settle import settle_session
from cedarchest.actions.verify import DiscVerdict, verify_disc
from cedarchest.actions.writers import create_writer, device_holding
from cedarchest.config.model import Config
from cedarchest.errors import MediumFull, NotAppendable, ToolFailed
from cedarchest.model.closing import CloseDisc
from cedarchest.model.disc import SEALED, CheckKind, DiscRecord, DiscState, Observation, SessionStatus
from cedarchest.model.names import label_word
from cedarchest.ports import Ports, Writer


@dataclass(frozen=True, slots=True)
class SealReport:
    """A disc that takes no more sessions: whether its medium is closed, and what reading all of it said.

    `session` is the one that closed it; 0 when none had to be written.
    """

    label: str
    closed: bool
    session: int
    verdict: DiscVerdict


def execute_seal(config: Config, label: str, *, ports: Ports) -> SealReport:
    """Close the disc of a label as far as it can be, read it, and remember that it takes nothing more.

    Raises:
        NoMedium, WrongDisc, NotAppendable, MediumFull: the disc is not there, or cannot be closed.
        VerifyError, DamagedDisc: the session that closes it cannot be read back as it was written.
        ToolFailed: the drive did not close it.
    """
    with ports.locks.hold(config.options.state_dir):
        writer = create_writer(config, ports=ports, device=device_holding(config, label, ports))
        try:
            report = _seal(config, writer, named_disc(label, ports), ports)
        finally:
            writer.close()
        leave_receipts(config, ports=ports)
        return report


def _seal(config: Config, writer: Writer, disc: DiscRecord, ports: Ports) -> SealReport:
    for each in ports.catalog.sessions(disc.disc_id):
        if each.status in (SessionStatus.INTENDED, SessionStatus.BURNT):
            settle_session(config, writer, disc, each, ports)
        elif each.status is SessionStatus.CLAIMED:
            prove_again(writer, disc, each, ports)
    seen = writer.load(disc.label)
    _refuse_other(seen, disc, ports)
    session = 0
    sequential = not writer.loads_itself and not seen.traits.overwritable
    if sequential and seen.state is not DiscState.CLOSED:
        session = _close(config, writer, disc, seen, ports)
        seen = writer.load(disc.label)
    sealed = replace(disc, accepts_sessions=False, reason=SEALED)
    ports.catalog.put_disc(sealed)
    verdict = verify_disc(config, writer, sealed, ports)
    closed = seen.state is DiscState.CLOSED
    if sequential and not closed:
        raise ToolFailed(
            f"{disc.label} takes no more sessions, but the drive did not close it",
            advice=f"It can be read as it is; to try again in another drive: cedarchest seal"
            f" {label_word(disc.label)}",
            label=disc.label,
        )
    return SealReport(disc.label, closed, session, verdict)


def _refuse_other(seen: Observation, disc: DiscRecord, ports: Ports) -> None:
    """A disc of this label that is not the one the catalog knows, or that holds more, is not sealed."""
    if seen.identity is None or seen.identity.disc_id != disc.disc_id:
        raise NotAppendable(
            f"{seen.device} holds a disc labelled {disc.label} that is not the one of this catalog",
            advice=f"Insert the {disc.label} that this catalog knows.",
            label=disc.label,
        )
    if unknown := sessions_unknown(seen, disc, ports):
        raise NotAppendable(
            newer_than_catalog(disc, unknown), advice="Put the newer catalog back.", label=disc.label
        )


def _close(config: Config, writer: Writer, disc: DiscRecord, seen: Observation, ports: Ports) -> int:
    """Write the session that closes a disc, and prove it; gives its number."""
    current = current_disc(seen, disc, ports)
    if current.base is None:
        raise NotAppendable(
            f"nothing on {disc.label} is proven, so there is nothing to seal it with",
            advice="Store on it first.",
            label=disc.label,
        )
    try:
        burnt = burn_session(config, writer, disc, current, (), ports, close=CloseDisc.ALWAYS)
    except MediumFull as error:
        error.advice = f"{disc.label} can be read as it is, and no day fits on it any more: it is left open."
        raise
    prove_session(config, writer, disc, burnt, ports, kind=CheckKind.STORE)
    return burnt.number
