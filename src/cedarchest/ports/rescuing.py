"""What is kept of discs that can no longer be read in full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cedarchest.model.mapfile import DiscMap


class Rescues(Protocol):
    """Maps of what drives could read of damaged discs, and the blocks that were got from bad places."""

    def maps(self, label: str) -> Mapping[str, DiscMap]:
        """What each drive could read of a disc, by the drive's name; nothing of a disc that is whole.

        Raises:
            CatalogError: a map is not one any more.
        """
        ...

    def put_map(self, label: str, drive: str, found: DiscMap) -> Path:
        """Keep what a drive could read of a disc, in place of what was kept of that drive.

        Gives the file with the map of all drives and of all that is kept, in the form of GNU ddrescue.

        Raises:
            CatalogError, DiskFull: it cannot be written.
        """
        ...

    def merged(self, label: str) -> tuple[Path, DiscMap] | None:
        """That file and its map; None for a disc that is whole."""
        ...

    def kept(self, label: str) -> DiscMap:
        """The blocks that are kept of a disc, as those that are read."""
        ...

    def keep(self, label: str, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Keep blocks, each piece with the block that it begins with.

        Raises:
            CatalogError, DiskFull: they cannot be written.
        """
        ...

    def forget(self, label: str, first: int, count: int) -> None:
        """Keep blocks no longer: they are not what they should be.

        Raises:
            CatalogError, DiskFull: that cannot be written.
        """
        ...

    def read(self, label: str, start: int, count: int) -> bytes:
        """Blocks that are kept; zeros for others."""
        ...

    def drop(self, label: str) -> None:
        """Forget all of this: the disc is whole.

        Raises:
            CatalogError: it cannot be removed.
        """
        ...
