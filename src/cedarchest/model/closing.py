"""When a disc is closed with the session that is written to it, so that no other can follow."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cedarchest.model.size import gap_blocks

if TYPE_CHECKING:
    from cedarchest.model.disc import Observation

SMALL_PART = 20
"""A session of a twentieth of a disc is worth leaving the disc open for, however large those on it are."""


class CloseDisc(StrEnum):
    """When a disc is closed for good; named as in the configuration."""

    NEVER = "never"
    WHEN_FULL = "when-full"
    ALWAYS = "always"


def is_last_session(seen: Observation, blocks: int, margin: int, close: CloseDisc) -> bool:
    """Whether a session of so many blocks is the last of the disc that was seen before it.

    A disc is full when less is left, besides the margin and the gap, than its smallest session took, or when
    it holds as many sessions as it can. A disc that takes one session is closed whatever is wished.
    """
    if seen.single or close is not CloseDisc.WHEN_FULL:
        return seen.single or close is CloseDisc.ALWAYS
    as_many_as_can_be = len(seen.sessions) + 1 >= seen.traits.max_sessions
    left = seen.free - blocks - gap_blocks(len(seen.sessions), seen.traits) - margin
    small = min(blocks, seen.capacity // SMALL_PART, *(session.blocks for session in seen.sessions))
    return as_many_as_can_be or left < small
