"""What a comparison found, as values: missing, unexpected and different are separate things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cedarchest.model.disc import BlockRange


class FindingKind(StrEnum):
    """In which way disc and index disagree."""

    MISSING = "missing"  # the index has it, the disc does not
    UNEXPECTED = "unexpected"  # the disc has it, the index does not
    DIFFERENT = "different"  # both have it, with other content or attributes
    UNREADABLE = "unreadable"  # the drive could not read it
    STRUCTURE = "structure"  # a tree, descriptor or other block is not what was written


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement, with the place on the disc where there is one.

    `path` is absolute on the disc in text form (see `model.names`), or empty where no path is
    concerned. Blocks are 2048 bytes, `first_block` counts from the start of the disc,
    `last_block` is inclusive; both are -1 where no block is concerned.
    """

    kind: FindingKind
    path: str
    detail: str
    first_block: int = -1
    last_block: int = -1

    def __str__(self) -> str:
        place = f" (blocks {self.first_block} to {self.last_block})" if self.first_block >= 0 else ""
        return f"{self.kind}: {self.path or 'disc'}: {self.detail}{place}"


def damaged_blocks(findings: Iterable[Finding]) -> tuple[BlockRange, ...]:
    """The blocks that findings concern, rising, those that touch in one."""
    joined: list[BlockRange] = []
    places = sorted((each.first_block, each.last_block) for each in findings if each.first_block >= 0)
    for first, last in places:
        if joined and first <= joined[-1].last + 1:
            joined[-1] = BlockRange(joined[-1].first, max(last, joined[-1].last))
        else:
            joined.append(BlockRange(first, last))
    return tuple(joined)
