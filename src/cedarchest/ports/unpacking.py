"""What is packed, encrypted or in pieces, as the plain bytes that it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class Unpacking(Protocol):
    """Undoes what the end of a file's name tells: `.gpg`, then `.gz`, `.bz2`, `.xz`, `.zst`."""

    def opened(self, name: bytes, chunks: Iterable[bytes]) -> AbstractContextManager[BinaryIO]:
        """The plain bytes of a file of this name, which comes in chunks; nothing of it is kept in a file.

        What packs a tar archive is told by its first bytes, whatever its name says. A name that ends in none
        of these is plain. Chunks may be taken from another thread, and none any more once the context is
        left. What taking them raises comes through.

        Raises, while it is opened or read:
            StagingError: it is not what its name says, is damaged, cannot be decrypted, or unpacks to more
                than anybody has to believe.
            ToolMissing, ToolFailed: the program for it.
        """
        ...
