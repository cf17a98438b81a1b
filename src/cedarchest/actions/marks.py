"""`cback.store` says of a staged day what the catalog proves; it follows whatever happens to the discs."""

from __future__ import annotations

from collections.abc import Iterable

from cedarchest.actions.facts import is_covered, is_stored
from cedarchest.actions.selection import unholdable
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError
from cedarchest.ports import DayIndex, Ports, StagedDay


def is_proven(config: Config, day: DayIndex, ports: Ports) -> bool:
    """Whether the catalog proves that a day as it is staged now is on enough discs."""
    copies = config.require_store().copies
    if day.digest and is_stored(ports.catalog, day.day, day.digest, copies):
        return True
    not_held = [entry.path for entry in day.entries if unholdable(entry)]
    return is_covered(ports.catalog, day, copies, not_held)


def follow_proof(config: Config, days: Iterable[str], ports: Ports, *, trust_marks: bool = False) -> None:
    """Mark the staged ones of these days that are proven now, and take the mark from the others.

    With `trust_marks` a day that is marked is not looked at.
    """
    for day in _staged(config, days, ports):
        if day.marked_stored and trust_marks:
            continue
        proven = _is_proven_as_staged(config, day, ports)
        if proven and not day.marked_stored:
            ports.staging.mark_stored(day.directory)
        elif not proven and day.marked_stored:
            ports.staging.unmark_stored(day.directory)
            ports.reporter.warn(f"{day.day} is no longer proven to be on disc; it is due again")


def take_back(config: Config, days: Iterable[str], ports: Ports) -> None:
    """Take the marks away before something happens to the proof; `follow_proof` then decides anew."""
    for day in _staged(config, days, ports):
        if day.marked_stored:
            ports.staging.unmark_stored(day.directory)


def _is_proven_as_staged(config: Config, day: StagedDay, ports: Ports) -> bool:
    """Whether all that is staged of a day now is proven: a supplement that no disc has keeps it due."""
    try:
        return is_proven(config, ports.staging.look(day.directory, day.day), ports)
    except CedarchestError as error:
        ports.reporter.warn(error.message)
        return False


def _staged(config: Config, days: Iterable[str], ports: Ports) -> list[StagedDay]:
    wanted = set(days)
    if config.stage is None or not wanted:
        return []
    try:
        found = ports.staging.days(config.stage.dir)
    except CedarchestError as error:
        ports.reporter.warn(error.message)
        return []
    return [day for day in found if day.staged and day.day in wanted]
