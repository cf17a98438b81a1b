"""Which day goes on which disc: plans are values, made before anything is written.

A plan is a list of volumes, each a session on one disc. It begins as few new discs as it can, and among
plans with as few it cuts as few days between discs. Only what is known of discs and days decides; the
clock does not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cedarchest.errors import MediumFull
from cedarchest.model.days import parse_day, week_of
from cedarchest.model.media import BLOCK, MediumTraits
from cedarchest.model.packing import Bin, DoesNotFitError, DueDay, Share, pack
from cedarchest.model.size import Tally, gap_blocks, shown


class NewDisc(StrEnum):
    """When a new disc is begun; named as in the configuration."""

    WHEN_FULL = "when-full"
    WEEKLY = "weekly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Room:
    """A disc as a plan sees it: what is visible on it, what is free, which days it holds.

    `label` is empty for a disc yet to be begun.
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
    """One session on one disc: what of which days, and blocks it needs at most of those that are free."""

    label: str  # empty: a new disc
    shares: tuple[Share, ...]
    blocks: int
    free: int
    why: str
    copy: int = 1

    @property
    def new_disc(self) -> bool:
        """Whether the session is the first of a disc."""
        return not self.label

    @property
    def days(self) -> tuple[str, ...]:
        """Its days."""
        return tuple(share.day for share in self.shares)

    @property
    def data_bytes(self) -> int:
        """Bytes of data."""
        return sum(share.data_bytes for share in self.shares)


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What a store is going to do; `refused` are the days that no disc of the kind can take, with numbers."""

    volumes: tuple[Volume, ...]
    refused: tuple[MediumFull, ...] = ()

    def discs_of(self, day: str) -> int:
        """On how many discs a day is going to be."""
        return sum(day in volume.days for volume in self.volumes)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that decide between appending and a new disc."""

    new_disc: NewDisc
    starting_weekday: int
    blank_factor: float | None
    margin_blocks: int
    traits: MediumTraits
    always_new: bool = False  # --full and rebuild
    copy: int = 1

    def usable(self, room: Room) -> int:
        """Blocks of a disc that may be used."""
        return max(0, room.free - self.margin_blocks)

    def bin(self, room: Room) -> Bin:
        """A disc to be filled."""
        return Bin(self.usable(room), room.visible, self.traits, new_disc=room.is_new)


@dataclass(slots=True)
class _Group:
    """Days that go together: on the disc in use as far as it takes them, or on new ones, and why."""

    in_use: Room | None
    why: str
    days: list[DueDay] = field(default_factory=list)


def plan_store(due: Sequence[DueDay], current: Room | None, empty: Room, policy: Policy) -> StorePlan:
    """Volumes for due days, on the current disc as far as policy and room allow, then on new ones.

    `current` is the disc that takes further sessions, `empty` what a new one offers. Something of a day that
    does not fit even on an empty disc has the day refused, and holds up no other.
    """
    waiting, refused = list(due), list[MediumFull]()
    while True:
        try:
            groups = _groups(waiting, current, policy)
            volumes = [volume for group in groups for volume in _volumes(group, empty, policy)]
        except DoesNotFitError as error:
            waiting.remove(error.day)
            refused.append(_too_large(error, empty, policy))
        else:
            return StorePlan(tuple(volumes), tuple(refused))


def _groups(due: Sequence[DueDay], current: Room | None, policy: Policy) -> list[_Group]:
    """The days by the discs that the rules allow them to share."""
    why = "it is to be a disc of its own" if policy.always_new else "there is no disc to append to"
    if current is not None and current.sessions >= policy.traits.max_sessions:
        why = f"{current.label} holds {current.sessions} sessions, as many as it can"
        current = None
    groups = [_Group(current, why)]
    for day in due:
        group = groups[-1]
        if rule := _rule(day, group, policy):
            if group.in_use is not None and _has_much_room(day, group, group.in_use, policy):
                rule = ""
            elif group.days:
                groups.append(_Group(None, rule))
            else:
                groups[-1] = _Group(None, rule)
        groups[-1].days.append(day)
    return groups


def _rule(day: DueDay, group: _Group, policy: Policy) -> str:
    """Why the configured policy wants a new disc for a day, empty when it does not."""
    held = [*(group.in_use.days if group.in_use else ()), *(each.day for each in group.days)]
    return "" if policy.always_new else rule_for(day.day, held, policy.new_disc, policy.starting_weekday)


def rule_for(day: str, held: Collection[str], new_disc: NewDisc, starting_weekday: int) -> str:
    """Why a day may not go on a disc that holds others, empty when it may."""
    if not held:
        return ""
    if new_disc is NewDisc.DAILY and day not in held:
        return "each day has its own disc (new_disc = daily)"
    week = week_of(parse_day(day), starting_weekday)
    if new_disc is NewDisc.WEEKLY and week > week_of(max(map(parse_day, held)), starting_weekday):
        return f"a new week began on {week:%Y/%m/%d} (new_disc = weekly)"
    return ""


def _has_much_room(day: DueDay, group: _Group, in_use: Room, policy: Policy) -> bool:
    """Whether so much room is left that the disc is not given up yet; as Cedar Backup computes it."""
    if policy.blank_factor is None:
        return False
    required = sum(each.due.data_bytes(0, len(each.due)) for each in (*group.days, day))
    return policy.usable(in_use) * BLOCK / (1 + required) > policy.blank_factor


def _volumes(group: _Group, empty: Room, policy: Policy) -> list[Volume]:
    """The volumes of days that go together."""
    in_use = group.in_use

    def bins(new: int) -> list[Bin]:
        return [policy.bin(room) for room in ([in_use] if in_use else []) + [empty] * new]

    packed = pack(group.days, bins)
    rooms = [in_use] if in_use else []
    return [
        Volume(
            label=room.label,
            shares=tuple(each.shares),
            blocks=each.blocks(),
            free=each.limit,
            why=f"{room.label} has room" if room.label else _why_new(each, packed, group),
            copy=policy.copy,
        )
        for each, room in zip(packed, rooms + [empty] * (len(packed) - len(rooms)), strict=True)
        if each.shares
    ]


def _why_new(new: Bin, packed: Sequence[Bin], group: _Group) -> str:
    """Why a volume begins a disc."""
    number = packed.index(new)
    if number == 0:
        return group.why
    before, share = packed[number - 1], new.shares[0]
    name = group.in_use.label if group.in_use and number == 1 else "the new disc"
    needed = shown(before.blocks(share.cost))
    return f"{name} has {shown(before.limit)} left, {share.day} needs up to {needed}"


def _too_large(error: DoesNotFitError, empty: Room, policy: Policy) -> MediumFull:
    day, place = error.day, error.place
    needed = policy.bin(empty).blocks(Share(day.due, place, place + 1).cost)
    free = policy.usable(empty)
    margin = f" besides a margin of {shown(policy.margin_blocks)}" if policy.margin_blocks else ""
    return MediumFull(
        f"{day.day} needs up to {shown(needed)} ({needed} blocks) at once; an empty disc holds {shown(free)}"
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
