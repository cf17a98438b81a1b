"""SHA-256 of staged files, each of which must hold still while it is read.

Large files are read side by side, since one processor digests more slowly than a disk reads; small ones
one after the other, since handing them on would cost more than digesting them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import Self

from cedarchest.adapters.durable import begin_flush
from cedarchest.errors import Interrupted, StagingError
from cedarchest.model.index import Entry, Fingerprint
from cedarchest.model.names import to_text

SIDE_BY_SIDE = 2
LARGE = 1 << 20
READ_SIZE = 1 << 20
REPORT_EVERY_S = 0.2
REPORT_EVERY_FILES = 256

Wanted = tuple[bytes, Entry, Fingerprint]
"""A file: where it is, and what it was when it was looked at."""


class Digests:
    """Digests of many files; a context manager, so that no thread reads on when the rest is not wanted."""

    def __init__(self, progress: Callable[[int], None], *, just_written: bool = False) -> None:
        """`progress` gets the bytes read so far, from the thread that asks for the digests.

        Large files that were `just_written` go to disk while they are digested.
        """
        self._progress = progress
        self._just_written = just_written
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self._lock = Lock()
        self._stopped = Event()
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def of(self, files: Iterable[Wanted]) -> Iterator[tuple[int, bytes]]:
        """Position and digest of each file, in no order.

        Raises:
            StagingError: as `digest_file`.
        """
        large: dict[Future[bytes], int] = {}
        for position, file in enumerate(files):
            if file[1].size >= LARGE:
                large[self._pool.submit(self._large, *file)] = position
            else:
                yield position, digest_file(*file)
                self._bytes += file[1].size
                if not position % REPORT_EVERY_FILES:
                    self._progress(self._bytes)
        pending = set(large)
        while pending:
            done, pending = wait(pending, REPORT_EVERY_S, "FIRST_COMPLETED")
            self._progress(self._bytes)
            for future in done:
                yield large[future], future.result()

    def _large(self, path: bytes, entry: Entry, fingerprint: Fingerprint) -> bytes:
        return digest_file(path, entry, fingerprint, self._read, just_written=self._just_written)

    def _read(self, piece: bytes) -> None:
        if self._stopped.is_set():
            raise Interrupted("the rest is not wanted any more")
        with self._lock:
            self._bytes += len(piece)


class PartDigests:
    """The SHA-256 of each part of so many bytes of what comes by, the last one of what is left."""

    def __init__(self, part_bytes: int) -> None:
        self._part_bytes = part_bytes
        self._left = 0
        self._parts: list[hashlib._Hash] = []

    def add(self, piece: bytes) -> None:
        """Bytes as they come."""
        view = memoryview(piece)
        while view:
            if not self._left:
                self._parts.append(hashlib.sha256())
                self._left = self._part_bytes
            now = view[: self._left]
            self._parts[-1].update(now)
            self._left -= len(now)
            view = view[len(now) :]

    def all(self) -> tuple[bytes, ...]:
        """One for each part."""
        return tuple(part.digest() for part in self._parts)


def _nothing(_piece: bytes) -> None:
    pass


def digest_file(
    path: bytes,
    entry: Entry,
    fingerprint: Fingerprint,
    read: Callable[[bytes], None] = _nothing,
    *,
    just_written: bool = False,
) -> bytes:
    """The SHA-256 of a file that is and stays the one that was looked at.

    `read` gets each piece that is read, and may raise to end it. What was `just_written` goes to disk
    meanwhile.

    Raises:
        StagingError: it cannot be read, or is another one or another size than before.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StagingError(
            f"{to_text(path)} cannot be read: {error.strerror}",
            advice="Correct its permissions, or run as a user who may read all that is staged.",
            path=to_text(path),
        ) from error
    try:
        if just_written:
            begin_flush(descriptor, 0, entry.size)
        digest = digest_descriptor(descriptor, entry.size, read)
        status = os.fstat(descriptor)
    except OSError as error:
        raise StagingError(f"{to_text(path)} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if digest is None or (status.st_ino, status.st_ctime_ns, status.st_size) != (*fingerprint, entry.size):
        raise StagingError(
            f"{to_text(path)} changed while it was read",
            advice="Let whatever writes it finish, then run the command again.",
            path=to_text(path),
        )
    return digest


def digest_descriptor(descriptor: int, size: int, read: Callable[[bytes], None] = _nothing) -> bytes | None:
    """The SHA-256 of what a descriptor reads to its end; None when that is not `size` bytes."""
    digest = hashlib.sha256()
    left = size
    while left > 0:
        part = os.read(descriptor, min(READ_SIZE, left + 1))
        if not part:
            return None
        digest.update(part)
        left -= len(part)
        read(part)
    return digest.digest() if left == 0 else None
