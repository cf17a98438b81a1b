"""The data of files as they stand on the loaded disc, each held against its digest as it comes by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from cedarchest.errors import DamagedDisc, StagingError
from cedarchest.model.disc import StoredEntry
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text
from cedarchest.ports import Writer

PIECE_BLOCKS = 512


class OtherContent(StagingError):
    """What stands on a disc is not what its session lists."""


def blocks_of(file: StoredEntry) -> int:
    """The blocks that the data of a file take."""
    return -(-file.size // BLOCK)


def data_of(writer: Writer, files: Iterable[StoredEntry]) -> Iterator[bytes]:
    """The data of files one behind another, in pieces; whoever takes all of them has what was entered.

    A file without a digest comes as it stands.

    Raises:
        DamagedDisc: they cannot be read.
        OtherContent: once the end of a file is read, if it is another one.
    """
    for file in files:
        digest = hashlib.sha256()
        start, left = file.start, file.size
        while left > 0:
            count = min(PIECE_BLOCKS, -(-left // BLOCK))
            chunk = writer.read(start, count)[:left] if start >= 0 else b""
            if len(chunk) < min(left, count * BLOCK):
                raise DamagedDisc(f"the disc ends before /{to_text(file.path)} does")
            digest.update(chunk)
            yield chunk
            start, left = start + count, left - len(chunk)
        if file.sha256 and digest.digest() != file.sha256:
            raise OtherContent(f"/{to_text(file.path)} is not what the disc says that it is")
