"""Observes what a plan needs and has it made: the days' cost, the disc in use, what an empty one holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cedarchest.actions.facts import below, is_same
from cedarchest.actions.loading import CurrentDisc, find_current
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, StagingError
from cedarchest.model.disc import DiscState, Observation
from cedarchest.model.media import TRAITS, Medium, MediumTraits
from cedarchest.model.plan import DueDay, Policy, Room, StorePlan, plan_store
from cedarchest.model.size import OWN_BLOCKS_A_DAY, Tally, tally
from cedarchest.ports import DayIndex, Ports, StagedDay, Writer

FIRST_SESSION_ON_OVERWRITABLE = 32


def indexes_of(
    days: Sequence[StagedDay], ask: Callable[[Path, str], DayIndex]
) -> tuple[list[DayIndex], list[CedarchestError]]:
    """The days as `ask` finds them; what is wrong with one does not hold up the others."""
    found: list[DayIndex] = []
    problems: list[CedarchestError] = []
    for day in days:
        try:
            found.append(ask(day.directory, day.day))
        except StagingError as error:
            problems.append(error)
    return found, problems


def plan_days(
    config: Config, writer: Writer, days: Sequence[DayIndex], ports: Ports, *, always_new: bool
) -> StorePlan:
    """The volumes for these days on what is in the drive and on new discs. Writes nothing.

    Raises:
        MediaError: the disc that is there can be neither appended to nor replaced without a hand.
    """
    if not days:
        return StorePlan(())
    current = None if always_new else find_current(config, writer, ports)
    seen = current.seen if current else writer.observe()
    traits, capacity = _medium_of(config, seen)
    due = [_due(day, current) for day in days]
    empty = Room(label="", free=capacity - FIRST_SESSION_ON_OVERWRITABLE, sessions=0, visible=Tally())
    store = config.require_store()
    policy = Policy(
        new_disc=store.new_disc,
        starting_weekday=config.options.weekday,
        blank_factor=store.blank_factor,
        margin_blocks=store.margin_blocks(writer.device, capacity),
        traits=traits,
        always_new=always_new,
    )
    return plan_store(due, current.room if current else None, empty, policy)


def _due(day: DayIndex, current: CurrentDisc | None) -> DueDay:
    """What a day costs whole, and on the disc in use where some of it stands already."""
    of_day = Tally(data_blocks=OWN_BLOCKS_A_DAY)
    supplement = None
    if current is not None and below(current.visible, day.day):
        new = (entry for entry in day.entries if not is_same(entry, current.visible.get(entry.path)))
        supplement = tally(new) + of_day
    return DueDay(day.day, tally(day.entries) + of_day, day.data_bytes, supplement)


def _medium_of(config: Config, seen: Observation) -> tuple[MediumTraits, int]:
    """Traits and capacity to plan with: the drive's word, else the nominal of the configured medium."""
    store = config.require_store()
    if seen.state is not DiscState.NONE or seen.capacity:
        return seen.traits, seen.capacity
    medium = store.media if isinstance(store.media, Medium) else Medium.DVD_PLUS_R
    return TRAITS[medium], TRAITS[medium].nominal_blocks
