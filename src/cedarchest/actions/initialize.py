"""The initialize action: makes the disc in the drive one that the next store can begin on.

A blank disc needs nothing: its label is part of its first session. But for a DVD-RW that was blanked
minimally: it would take one session only, and is blanked as a whole. A rewritable disc is erased, ours only
when nothing on it is needed any more, a foreign one only when it is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cedarchest.actions.loading import known_disc
from cedarchest.actions.reuse import ERASED, give_up, reasons_to_keep
from cedarchest.actions.writers import create_writer
from cedarchest.config.model import Config
from cedarchest.errors import ForeignDisc, NoMedium, NotAppendable
from cedarchest.model.disc import DiscRecord, DiscState, Observation
from cedarchest.ports import Ports, Writer

DESCRIPTORS = 16


@dataclass(frozen=True, slots=True)
class InitializeOptions:
    """What the caller allows."""

    overwrite_foreign: str = ""  # label or fingerprint
    confirmed: bool = False
    full: bool = False  # all of the disc, not only what says what is on it


@dataclass(frozen=True, slots=True)
class InitializeReport:
    """What was in the drive, and whether it was erased."""

    found: str
    erased: bool


def execute_initialize(
    config: Config, options: InitializeOptions, *, ports: Ports, confirm: Callable[[str], bool]
) -> InitializeReport:
    """Prepare the disc in the drive; `confirm` asks a person unless the options already say yes.

    Raises:
        NoMedium, NotAppendable, ForeignDisc: the disc cannot be, or may not be, erased.
    """
    with ports.locks.hold(config.options.state_dir):
        devices = config.require_store().device
        if len(devices) > 1:
            ports.reporter.warn(f"several drives are configured; {devices[0]} is used")
        writer = create_writer(config, ports=ports)
        try:
            return _initialize(config, options, writer, ports, confirm)
        finally:
            writer.close()


def _initialize(
    config: Config,
    options: InitializeOptions,
    writer: Writer,
    ports: Ports,
    confirm: Callable[[str], bool],
) -> InitializeReport:
    if writer.loads_itself:
        return InitializeReport(f"{writer.device}: a shelf begins new discs by itself", erased=False)
    seen = writer.observe()
    if seen.state is DiscState.NONE:
        raise NoMedium(f"there is no disc in {writer.device}")
    if seen.state is DiscState.BLANK:
        takes_several = not (seen.single and seen.traits.rewritable)
        if not takes_several:
            writer.blank(full=True)
        return InitializeReport(f"a blank {seen.medium} disc", erased=not takes_several)
    disc = _allowed(config, options, writer, seen, ports)
    described = f"the {seen.medium} disc {seen.label or 'without label'}"
    if not options.confirmed and not confirm(f"Erase {described} in {writer.device}?"):
        raise NotAppendable(f"{described} was not erased", advice="Say --yes to erase it without a question.")
    if disc is not None:
        give_up(config, disc, ERASED, ports)
    writer.blank(full=options.full)
    return InitializeReport(described, erased=True)


def _allowed(
    config: Config, options: InitializeOptions, writer: Writer, seen: Observation, ports: Ports
) -> DiscRecord | None:
    """The record of a disc of ours that may be erased; None for a foreign one that was named."""
    if not seen.traits.rewritable:
        raise NotAppendable(
            f"{writer.device} holds a {seen.medium} disc with data, which is written once",
            advice="Insert a blank disc.",
        )
    try:
        disc = known_disc(seen, ports)
    except NotAppendable:
        disc = None  # ours, of another catalog: it has to be named like a foreign one
    if disc is not None:
        if kept := reasons_to_keep(config, disc, seen, ports):
            raise NotAppendable(f"{disc.label} may not be erased: {kept[0]}", reasons=kept)
        return disc
    fingerprint = fingerprint_of(writer, seen)
    if options.overwrite_foreign not in (seen.label, fingerprint) or not options.overwrite_foreign:
        raise ForeignDisc(
            f"{writer.device} holds a disc that this catalog does not know"
            f" (label {seen.label or 'none'}, fingerprint {fingerprint})",
            advice=f"To erase it: cedarchest initialize --overwrite-foreign {seen.label or fingerprint}",
            label=seen.label,
            fingerprint=fingerprint,
        )
    return None


def fingerprint_of(writer: Writer, seen: Observation) -> str:
    """Twelve hexadecimal digits that tell foreign discs apart: of sessions and the newest descriptors.

    Raises:
        DamagedDisc: it cannot be read, and so not be told from others.
    """
    start = seen.sessions[-1].start if seen.sessions else 0
    blocks = writer.read(start, DESCRIPTORS + 2)
    return hashlib.sha256(repr(seen.sessions).encode() + blocks).hexdigest()[:12]
