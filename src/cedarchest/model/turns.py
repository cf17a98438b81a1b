"""What audits have read of a session, MiB by MiB, and what the next one reads.

A turn is a run of an audit that read something of the session. Of two MiBs the one is read first whose
reading is longer ago; where they are of one age, so many of them are taken as are wanted, evenly spread. So
samples come round to all of a disc, each in as many turns as it takes, and nothing is left to chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Self

from cedarchest.model.disc import CheckKind, CheckRecord
from cedarchest.model.sweep import CHUNK


def mibs_of(blocks: int) -> int:
    """The MiBs of a session, the last one of what is left."""
    return -(-blocks // CHUNK)


@dataclass(frozen=True, slots=True)
class Turns:
    """What audits have read of a session.

    `last` has for each MiB the number of the turn that last read it and found it good, or the session bad, 0
    for none; `times` are those of the turns, the first one first. `left` is what an audit of the whole disc
    has still to read that did not come to its end.
    """

    last: tuple[int, ...]
    times: tuple[datetime, ...] = ()
    left: frozenset[int] = frozenset()

    @classmethod
    def none(cls, blocks: int) -> Self:
        """Of a session of so many blocks nothing was read yet."""
        return cls((0,) * mibs_of(blocks))

    def read(self, mibs: Iterable[int], turn: int, at: datetime) -> Self:
        """The same once these MiBs were read and found good in a turn, which may be the next one."""
        last = list(self.last)
        done = frozenset(mibs)
        for mib in done:
            last[mib] = turn
        times = self.times if turn <= len(self.times) else (*self.times, at)
        return replace(self, last=tuple(last), times=times, left=self.left - done)

    def tried(self, mibs: Iterable[int]) -> Self:
        """The same once these MiBs were read in the last turn and made the session bad: others come first."""
        last = list(self.last)
        for mib in mibs:
            last[mib] = len(self.times)
        return replace(self, last=tuple(last))

    def ages(self, proven_at: datetime) -> list[tuple[datetime, int]]:
        """For each MiB when it was last read and found good, and in which turn.

        `proven_at` is when all of the session was last read at once.
        """
        known = [(proven_at, 0), *((max(at, proven_at), turn) for turn, at in enumerate(self.times, 1))]
        return [known[turn] for turn in self.last]

    def read_since(self, proven_at: datetime) -> datetime:
        """The time since which every MiB was read and found good."""
        known = [proven_at, *(max(at, proven_at) for at in self.times)]
        return min((known[turn] for turn in set(self.last)), default=proven_at)

    def to_read(self, proven_at: datetime, since: datetime, *, begun: bool) -> frozenset[int]:
        """What an audit of the whole reads: all, or of one that was begun what is left, and what is older."""
        if not begun:
            return frozenset(range(len(self.last)))
        return self.left | {mib for mib, (at, _) in enumerate(self.ages(proven_at)) if at < since}


def proven_at(checks: Iterable[CheckRecord], session: int) -> datetime | None:
    """When all of a session was last read at once and found good; audits have their turns instead."""
    found = [
        check.at
        for check in checks
        if check.session == session and check.passed and check.kind is not CheckKind.AUDIT
    ]
    return max(found, default=None)


def sampled(sessions: Mapping[int, tuple[Turns, datetime]], percent: Decimal) -> dict[int, frozenset[int]]:
    """The MiBs of a disc that a sample of so many hundredths reads, by session; at least one."""
    aged = sorted(
        (age, number, mib)
        for number, (turns, at) in sessions.items()
        for mib, age in enumerate(turns.ages(at))
    )
    wanted = math.ceil(len(aged) * percent / 100)
    chosen: dict[int, set[int]] = {number: set() for number in sessions}
    for _, group in groupby(aged, key=lambda each: each[0]):
        of_age = list(group)
        count = min(len(of_age), wanted)
        for place in range(count):
            _, number, mib = of_age[place * len(of_age) // count]
            chosen[number].add(mib)
        wanted -= count
    return {number: frozenset(mibs) for number, mibs in chosen.items()}
