"""What a store is going to be refused by the discs that are in the drives. Only looks, and erases nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cedarchest.actions.copies import is_due_as
from cedarchest.actions.loading import CurrentDisc, find_current, is_written_here, lost_advice
from cedarchest.actions.planning import plan_days
from cedarchest.actions.reuse import refuse_kept
from cedarchest.actions.writers import labels_in
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, Interrupted, NotAppendable
from cedarchest.model.disc import SessionStatus
from cedarchest.model.plan import StorePlan
from cedarchest.ports import DayIndex, Ports, Writer


def burnt_elsewhere(writers: Sequence[Writer], ports: Ports) -> CedarchestError | None:
    """That a store waits for a disc, to read what an earlier run burnt on it, and that no drive has it."""
    discs = {disc.disc_id: disc for disc in ports.catalog.discs()}
    at_hand = {label for writer in writers for label in labels_in(writer)}
    for session in ports.catalog.open_sessions():
        label, number = discs[session.disc_id].label, session.number
        can_be_had = any(is_written_here(session.drive, label, writer) for writer in writers)
        if session.status is SessionStatus.BURNT and label not in at_hand and can_be_had:
            return NotAppendable(
                f"session {number} of {label} was written by an earlier run and is not proven",
                advice=f"Insert {label}: the next `cedarchest store` reads it first. {lost_advice(label)}",
                label=label,
            )
    return None


@dataclass(frozen=True, slots=True)
class Drives:
    """The drives of a store, and those in which copies are written at the same time."""

    writers: Sequence[Writer]
    homes: Mapping[int, str]

    def home(self, copy: int) -> Writer:
        """The drive that a copy is written in first."""
        return next(each for each in self.writers if each.device == self.homes[copy])

    def able(self, copy: int) -> Iterator[Writer]:
        """The drives that may begin a disc for a copy: its home, and those that nobody else needs."""
        home = self.home(copy)
        yield home
        for each in self.writers:
            if each.device != home.device and (each.loads_itself or each.device not in self.homes.values()):
                yield each


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a store would do for a copy: the disc in use, the plan, and why its new disc cannot be begun."""

    current: CurrentDisc | None
    plan: StorePlan
    refused: CedarchestError | None


def foresee(config: Config, copy: int, due: Iterable[DayIndex], drives: Drives, ports: Ports) -> Foreseen:
    """What a store would do for a copy with the days that are due, and where none is, with the next one.

    Raises:
        MediaError, ToolError: the disc that is there cannot be used; says which one to insert.
    """
    writer = drives.home(copy)
    current = find_current(config, writer, ports, copy=copy)
    of_copy = [day for day in due if is_due_as(copy, config, day, ports)]
    plan = plan_days(config, writer, of_copy, ports, always_new=False, copy=copy).plan
    wants_new = begins_new(plan) or current is None
    return Foreseen(current, plan, refused_beginning(config, copy, drives, ports) if wants_new else None)


def begins_new(plan: StorePlan) -> bool:
    """Whether the first thing that a plan wants is a new disc."""
    return bool(plan.volumes) and plan.volumes[0].new_disc


def refused_beginning(config: Config, copy: int, drives: Drives, ports: Ports) -> CedarchestError | None:
    """Why no drive can begin a new disc for a copy, as its home says it; None where one can."""
    refusals = []
    for writer in drives.able(copy):
        try:
            refuse_kept(config, writer, ports)
        except Interrupted:
            raise
        except CedarchestError as error:
            refusals.append(error)
        else:
            return None
    return refusals[0]
