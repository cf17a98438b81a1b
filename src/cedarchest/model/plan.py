"""Which day goes on which disc: plans are values, made before anything is written.

A plan is a list of volumes, each a session on one disc. Days stay whole here and are taken oldest
first. Only what is known of discs and days decides; the clock does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cedarchest.errors import MediumFull
from cedarchest.model.days import parse_day, week_of
from cedarchest.model.media import BLOCK, MediumTraits
from cedarchest.model.size import Tally, gap_blocks, session_blocks, shown


class NewDisc(StrEnum):
    """When a new disc is begun; named as in the configuration."""

    WHEN_FULL = "when-full"
    WEEKLY = "weekly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class DueDay:
    """A day to be stored and what it costs; `supplement` is what of it the disc in use does not have yet."""

    day: str
    cost: Tally
    data_bytes: int
    supplement: Tally | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A disc as a plan sees it: what is visible on it, what is free, which days it holds.

    `label` is empty for a disc yet to be begun; `closed_reason` says why nothing may be added.
    """

    label: str
    free: int
    sessions: int
    visible: Tally
    days: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether it is a disc yet to be begun."""
        return not self.label


@dataclass(frozen=True, slots=True)
class Volume:
    """One session on one disc: its days, and blocks it needs at most of those that are free."""

    label: str  # empty: a new disc
    days: tuple[str, ...]
    blocks: int
    free: int
    data_bytes: int
    why: str

    @property
    def new_disc(self) -> bool:
        """Whether the session is the first of a disc."""
        return not self.label


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What a store is going to do; `refused` are the days that no disc of the kind can take, with numbers."""

    volumes: tuple[Volume, ...]
    refused: tuple[MediumFull, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that decide between appending and a new disc."""

    new_disc: NewDisc
    starting_weekday: int
    blank_factor: float | None
    margin_blocks: int
    traits: MediumTraits
    always_new: bool = False  # --full and rebuild


@dataclass(slots=True)
class _Draft:
    """A volume in the making."""

    room: Room
    why: str
    days: list[DueDay]

    def blocks(self, policy: Policy, *more: DueDay) -> int:
        costs = (
            day.cost if self.room.is_new or day.supplement is None else day.supplement
            for day in (*self.days, *more)
        )
        new = sum(costs, Tally())
        return session_blocks(new, self.room.visible, policy.traits)

    def free(self, policy: Policy) -> int:
        return max(0, self.room.free - policy.margin_blocks)

    def fits(self, day: DueDay, policy: Policy) -> bool:
        return self.blocks(policy, day) <= self.free(policy)


def plan_store(due: Sequence[DueDay], current: Room | None, empty: Room, policy: Policy) -> StorePlan:
    """Volumes for due days, on the current disc as far as policy and room allow, then on new ones.

    `current` is the disc that takes further sessions, `empty` what a new one offers. A day that does not
    fit even on an empty disc is refused and holds up no other.
    """
    drafts = [_Draft(current, "", [])] if current else []
    refused: list[MediumFull] = []
    for day in due:
        if why := _why_new(day, drafts[-1] if drafts else None, policy):
            draft = _Draft(empty, why, [])
            if not draft.fits(day, policy):
                refused.append(_too_large(day, draft, policy))
                continue
            drafts.append(draft)
        drafts[-1].days.append(day)
    volumes = tuple(_volume(draft, policy) for draft in drafts if draft.days)
    return StorePlan(volumes, tuple(refused))


def _why_new(day: DueDay, draft: _Draft | None, policy: Policy) -> str:
    """Why a day cannot join a volume, empty when it can."""
    if draft is None:
        return "it is to be a disc of its own" if policy.always_new else "there is no disc to append to"
    if draft.room.sessions >= policy.traits.max_sessions:
        return f"{draft.room.label} holds {draft.room.sessions} sessions, as many as it can"
    if not draft.fits(day, policy):
        name = draft.room.label or "the new disc"
        free = shown(draft.free(policy))
        return f"{name} has {free} left, {day.day} needs up to {shown(draft.blocks(policy, day))}"
    rule = _rule(day, draft, policy)
    if rule and policy.blank_factor is not None and not draft.room.is_new:
        required = sum(each.data_bytes for each in (*draft.days, day))
        if draft.free(policy) * BLOCK / (1 + required) > policy.blank_factor:
            return ""  # so much room is left that the disc is not given up yet
    return rule


def _rule(day: DueDay, draft: _Draft, policy: Policy) -> str:
    """Why the configured policy wants a new disc for a day, empty when it does not."""
    held = [*draft.room.days, *(each.day for each in draft.days)]
    if not held or policy.always_new:
        return ""
    if policy.new_disc is NewDisc.DAILY and day.day not in held:
        return "each day has its own disc (new_disc = daily)"
    week = week_of(parse_day(day.day), policy.starting_weekday)
    if policy.new_disc is NewDisc.WEEKLY and week > week_of(
        max(map(parse_day, held)), policy.starting_weekday
    ):
        return f"a new week began on {week:%Y/%m/%d} (new_disc = weekly)"
    return ""


def _volume(draft: _Draft, policy: Policy) -> Volume:
    return Volume(
        label=draft.room.label,
        days=tuple(day.day for day in draft.days),
        blocks=draft.blocks(policy),
        free=draft.free(policy),
        data_bytes=sum(day.data_bytes for day in draft.days),
        why=draft.why or f"{draft.room.label} has room",
    )


def _too_large(day: DueDay, draft: _Draft, policy: Policy) -> MediumFull:
    needed, free = draft.blocks(policy, day), draft.free(policy)
    margin = f" besides a margin of {shown(policy.margin_blocks)}" if policy.margin_blocks else ""
    return MediumFull(
        f"{day.day} needs up to {shown(needed)} ({needed} blocks); an empty disc holds {shown(free)}"
        f" ({free} blocks){margin}",
        advice="Use a larger medium, or take something out of the day."
        + (" [store] margin is larger than the disc." if not free else ""),
        day=day.day,
        needed=needed,
        free=free,
    )


def sessions_until_full(free: int, session: int, sessions: int, traits: MediumTraits) -> int:
    """How many more sessions of a size a disc takes, gaps included."""
    count = 0
    while sessions + count < traits.max_sessions and free >= session > 0:
        free -= session + gap_blocks(sessions + count, traits)
        count += 1
    return count
