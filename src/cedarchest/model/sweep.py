"""One sweep over a session, in rising order, a MiB at a time, each block read once.

Whoever needs blocks asks `Sweep.read`; what is ahead is read on the way there and kept until
`release` says that nothing below an address is wanted any more, so that the trees, which stand
before the data, are parsed from the same reading. Every block goes into the block map, which a
second thread digests. Blocks that cannot be read become zeros and are remembered.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Self

from cedarchest.errors import DamagedDisc
from cedarchest.model.image.volume import Read
from cedarchest.model.media import BLOCK

CHUNK = 512
"""Blocks of a reading, and of an element of the block map: one MiB."""

_KEPT_CHUNKS = 256
_QUEUED_CHUNKS = 8
_RETRIES = 1000


class BadBlocks:
    """Ranges of blocks that could not be read, rising; a range is first and last block."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def add(self, first: int, last: int) -> None:
        """Add a range behind all others; one that touches the last one makes it longer."""
        if self.ranges and self.ranges[-1][1] + 1 >= first >= self.ranges[-1][0]:
            first = self.ranges.pop()[0]
        self.ranges.append((first, last))

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of the ranges that are between two blocks."""
        found = []
        for index in range(bisect_left(self.ranges, first, key=lambda bad: bad[1]), len(self.ranges)):
            begin, end = self.ranges[index]
            if begin > last:
                break
            found.append((max(begin, first), min(end, last)))
        return found


class BlockMap:
    """SHA-256 of each chunk in turn, digested by a thread of its own; `add` waits when it is behind."""

    def __init__(self) -> None:
        self._queue: Queue[bytes | None] = Queue(_QUEUED_CHUNKS)
        self._digests = bytearray()
        self._thread = Thread(target=self._work, name="block map", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (chunk := self._queue.get()) is not None:
            self._digests += hashlib.sha256(chunk).digest()

    def add(self, chunk: bytes) -> None:
        """Have the next chunk digested."""
        self._queue.put(chunk)

    def finish(self) -> bytes:
        """The map, once all chunks are in it; idempotent."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        return bytes(self._digests)


class Sweep:
    """Reads a session once. A context manager, so that its thread ends whatever happens.

    `progress` gets the blocks read so far. `short_at` is where the disc ended before the session
    did, -1 otherwise.
    """

    def __init__(self, read: Read, start: int, blocks: int, progress: Callable[[int], None]) -> None:
        self._device = read
        self._start = start
        self._end = start + blocks
        self._progress = progress
        self._next = start
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._map = BlockMap()
        self._retries = _RETRIES
        self.bad = BadBlocks()
        self.short_at = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._map.finish()

    def read(self, start: int, count: int) -> bytes:
        """Blocks of the session, fewer only at its end; advances the sweep when they are ahead."""
        count = min(count, self._end - start)
        if count <= 0:
            return b""
        while self._next < start + count:
            self._advance()
            if len(self._chunks) > _KEPT_CHUNKS:
                self._chunks.popleft()
        first = self._chunks[0][0]
        if start < first:
            return self.read_again(start, count)
        index = (start - first) // CHUNK
        base, chunk = self._chunks[index]
        begin = (start - base) * BLOCK
        if begin + count * BLOCK <= len(chunk):
            return chunk[begin : begin + count * BLOCK]
        parts = [chunk[begin:]]
        wanted = count * BLOCK - len(parts[0])
        while wanted > 0:
            index += 1
            parts.append(self._chunks[index][1][:wanted])
            wanted -= len(parts[-1])
        return b"".join(parts)

    def read_again(self, start: int, count: int) -> bytes:
        """Blocks that were passed and let go, once more from the disc."""
        return self._fetch(start, count, BadBlocks())

    def release(self, below: int) -> None:
        """Let go of what stands below an address; the newest chunk stays."""
        chunks = self._chunks
        while len(chunks) > 1 and chunks[0][0] + CHUNK <= below:
            chunks.popleft()

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """What is still kept and the rest of the session, as (address, MiB); each is let go after."""
        while True:
            while self._chunks:
                yield self._chunks.popleft()
            if self._next >= self._end:
                return
            self._advance()

    def block_map(self) -> bytes:
        """The map of all that was read; the sweep is over."""
        return self._map.finish()

    def _advance(self) -> None:
        count = min(CHUNK, self._end - self._next)
        chunk = self._fetch(self._next, count, self.bad)
        self._chunks.append((self._next, chunk))
        self._map.add(chunk)
        self._next += count
        self._progress(self._next - self._start)

    def _fetch(self, start: int, count: int, bad: BadBlocks) -> bytes:
        if 0 <= self.short_at <= start:
            return bytes(count * BLOCK)
        try:
            data = self._device(start, count)
        except DamagedDisc:
            return self._salvage(start, count, bad)
        if len(data) < count * BLOCK:
            self.short_at = start + len(data) // BLOCK
            bad.add(self.short_at, self._end - 1)
            data += bytes(count * BLOCK - len(data))
        return data

    def _salvage(self, start: int, count: int, bad: BadBlocks) -> bytes:
        """What can be read of blocks that failed together, with zeros for the rest."""
        if count == 1 or self._retries <= 0:
            bad.add(start, start + count - 1)
            return bytes(count * BLOCK)
        self._retries -= 2
        half = count // 2
        return self._fetch(start, half, bad) + self._fetch(start + half, count - half, bad)
