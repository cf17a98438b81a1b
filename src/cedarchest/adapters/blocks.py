"""Reads blocks of a disc image from the disk below it, past the page cache where the kernel lets us.

A verification that reads what the burn left in the cache proves nothing: an image is dropped from the
cache at each reload.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cedarchest.errors import DamagedDisc, DriveForbidden, DriveMissing
from cedarchest.model.media import BLOCK

LARGEST_READ = 512
"""Blocks a single read may ask for: 1 MiB, so that a bad spot costs little."""

AT_ONCE = 4 << 20
"""Bytes of an image that are read together where it is read on: disks give large pieces faster."""


def opened_to_read(path: Path, if_forbidden: str) -> int:
    """A descriptor of a device or an image, with advice for whoever may not read it.

    Raises:
        DriveForbidden, DriveMissing: it may not be read, or is not there.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise DriveForbidden(f"{path} may not be read: {error.strerror}", advice=if_forbidden) from error
        raise DriveMissing(f"{path} cannot be opened: {error.strerror}") from error


class BlockReader:
    """An open image; not for several threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._forget()

    def reopen(self) -> None:
        """Close, forget what is cached, open when next read."""
        self.close()
        self._open()
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def read(self, start: int, count: int) -> bytes:
        """`count` blocks from `start`; fewer at the end.

        Raises:
            DamagedDisc: they cannot be read.
        """
        if self._descriptor < 0:
            self._open()
        parts = []
        while count > 0:
            part = self._read_once(start, min(count, LARGEST_READ))
            parts.append(part)
            got = len(part) // BLOCK
            if got < min(count, LARGEST_READ):
                break
            start, count = start + got, count - got
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_once(self, start: int, count: int) -> bytes:
        begin, size = start * BLOCK, count * BLOCK
        try:
            return self._read(begin, size)
        except OSError as error:
            raise DamagedDisc(
                f"blocks {start} to {start + count - 1} of {self._path} cannot be read: {error.strerror}",
                advice="Clean the disc or try another drive; `cedarchest verify` names the files.",
                first_block=start,
                last_block=start + count - 1,
            ) from error

    def _forget(self) -> None:
        self._kept, self._kept_from = b"", 0
        self._next = -1  # where the last reading ended

    def _read(self, begin: int, size: int) -> bytes:
        offset = begin - self._kept_from
        if not 0 <= offset <= len(self._kept) - size:
            reads_on = begin == self._next
            self._kept = self._piece(begin, AT_ONCE) if reads_on else b""
            self._kept_from, offset = begin, 0
        self._next = begin + size
        data = self._kept[offset : offset + size] or self._exactly(begin, size)
        return data[: len(data) - len(data) % BLOCK]

    def _piece(self, begin: int, size: int) -> bytes:
        """A large piece; nothing where any of it cannot be read."""
        try:
            return self._exactly(begin, size)
        except OSError:
            return b""

    def _exactly(self, begin: int, size: int) -> bytes:
        data = os.pread(self._descriptor, size, begin)
        while len(data) < size and (more := os.pread(self._descriptor, size - len(data), begin + len(data))):
            data += more
        return data

    def _open(self) -> None:
        advice = "Correct its permissions, or run as the user it belongs to."
        self._descriptor = opened_to_read(self._path, advice)
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def close(self) -> None:
        """Close the disc; reading opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._forget()
