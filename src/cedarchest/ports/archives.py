"""What archives hold, in a folder or wherever a stream comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

if TYPE_CHECKING:
    from cedarchest.model.members import Member


class IndexHead(NamedTuple):
    """What an index beside an archive says of itself.

    Whether all that it lists is in the archive, and what could not be read when that was made.
    """

    is_whole: bool
    unread: frozenset[bytes] = frozenset()


class ArchiveReader(Protocol):
    """Archives of any origin, and the indexes beside them; no link is followed on the way to one.

    Every method may raise StagingError: what is there cannot be read, is not what it should be, or larger
    than anybody has to believe; the message says why.
    """

    def index_head(self, root: Path, path: bytes, sha256: bytes) -> IndexHead | None:
        """Of the index beside the archive at a path below `root`; None where there is none."""
        ...

    def listed(self, root: Path, path: bytes) -> Iterator[Member]:
        """What the index beside an archive lists, in order of path."""
        ...

    def members(self, root: Path, path: bytes, read: Callable[[int], None]) -> tuple[list[Member], int]:
        """What an archive holds, by reading it, and of how many members the paths lead elsewhere.

        `read` gets the unpacked bytes so far.

        Raises:
            ToolMissing: the program that unpacks it.
        """
        ...

    def head_in(self, content: bytes, path: bytes, sha256: bytes) -> IndexHead:
        """Of an index, given as it stands beside the archive at a path."""
        ...

    def listed_in(self, content: bytes, path: bytes) -> Iterator[Member]:
        """What such an index lists, in order of path."""
        ...

    def members_in(
        self, data: BinaryIO, size: int, path: bytes, read: Callable[[int], None]
    ) -> tuple[list[Member], int]:
        """As `members`, of an archive that comes unpacked; `size` are the bytes that it has packed.

        The stream is read to its end. What it raises besides comes through.
        """
        ...
