"""Reads a stored file from a disc: block by block, with what cannot be read as zeros; or piece by piece.

Where copies are damaged in different places, the file is put together from what is good on each. What is
good the block map of each session tells, MiB by MiB; where there is none, only the digest of the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from cedarchest.errors import DamagedDisc, RestoreError
from cedarchest.model.disc import SessionRecord
from cedarchest.model.media import BLOCK
from cedarchest.model.restoring import Piece, Place, Source
from cedarchest.ports import Ports, Writer
from cedarchest.ports.restoring import Spool

BLOCKS_AT_ONCE = 512
"""Blocks of a reading, and of an element of a block map: one MiB."""

_SMALLER = (32, 1)
"""Blocks of the readings by which a damaged stretch is gone through."""

_GIVEN_UP = 256
"""Single blocks in a row that cannot be read, after which none is tried by itself before one can be again."""


@dataclass(slots=True)
class BlockReader:
    """Reads blocks from the disc in a drive, and remembers how much could not be read."""

    writer: Writer
    ports: Ports
    unreadable: int = 0
    in_a_row: int = 0
    passed: int = 0  # bytes of pieces that are done

    def blocks(self, start: int, count: int) -> bytes:
        """So many blocks, zeros for those that cannot be read or are not there."""
        return self._read(start, count, 0)

    def _read(self, start: int, count: int, level: int) -> bytes:
        self.ports.interrupts.check()
        try:
            data = self.writer.read(start, count)
        except DamagedDisc:
            if count == 1 or level == len(_SMALLER) or (level and self.in_a_row >= _GIVEN_UP):
                self.unreadable += count
                self.in_a_row += count
                return bytes(count * BLOCK)
            step = _SMALLER[level]
            return b"".join(
                self._read(start + done, min(step, count - done), level + 1) for done in range(0, count, step)
            )
        self.in_a_row = 0
        missing = count * BLOCK - len(data)
        self.unreadable += -(-missing // BLOCK)
        return data + bytes(missing)


def stream(reader: BlockReader, place: Place, size: int, *, certain: bool = True) -> Iterator[bytes]:
    """The bytes of a piece from a place, in order.

    Raises:
        RestoreError: some cannot be read, and nothing would show that they are zeros: it is not `certain`.
    """
    done = 0
    unreadable = reader.unreadable
    while done < size:
        count = min(BLOCKS_AT_ONCE, -(-(size - done) // BLOCK))
        data = reader.blocks(place.start + done // BLOCK, count)
        if reader.unreadable > unreadable and not certain:
            raise RestoreError("not all of it can be read")
        if len(data) > size - done:
            data = data[: size - done]
        done += len(data)
        reader.ports.reporter.advance(reader.passed + done)
        yield data


class Patchwork:
    """A file that is put together in a spool from what is good of it on several discs."""

    _MISSING, _DOUBTFUL, _GOOD = 0, 1, 2

    def __init__(self, source: Source, spool: Spool) -> None:
        self.source = source
        self._spool = spool
        self._states: dict[int, bytearray] = {}  # of the blocks of each piece, by its offset
        self._wrong: set[int] = set()  # pieces that were not as they should be when they were last looked at

    def has(self, piece: Piece) -> bool:
        """Whether a piece is there as it should be, now or since an earlier run."""
        state = self._state(piece)
        if state.count(self._GOOD) == len(state):
            return True
        if piece.offset in self._wrong or not piece.sha256:
            return False
        if _digest_of(self._spool, piece) == piece.sha256:
            state[:] = bytes([self._GOOD]) * len(state)
            return True
        self._wrong.add(piece.offset)
        return False

    def _state(self, piece: Piece) -> bytearray:
        return self._states.setdefault(piece.offset, bytearray(-(-piece.size // BLOCK)))

    def fill(self, piece: Piece, place: Place, session: SessionRecord | None, reader: BlockReader) -> bool:
        """Take from a place what is not there yet; whether the piece is as it should be now."""
        state = self._state(piece)
        self._wrong.discard(piece.offset)
        for at in _stretches(piece, place, session):
            if state.count(self._GOOD, at.first, at.first + at.count) == at.count:
                continue
            before = reader.unreadable
            data = reader.blocks(at.read_from, at.read)
            if reader.unreadable > before:
                found = self._MISSING
            elif at.digest and hashlib.sha256(data).digest() == at.digest:
                found = self._GOOD
            else:
                found = self._DOUBTFUL
            skip = (place.start + at.first - at.read_from) * BLOCK
            self._put(piece, at.first, data[skip : skip + at.count * BLOCK], found)
        return self.has(piece)

    def _put(self, piece: Piece, first: int, data: bytes, found: int) -> None:
        """Take blocks of a piece in where what is there is worse."""
        state = self._state(piece)
        data = data[: piece.size - first * BLOCK]
        count = -(-len(data) // BLOCK)
        if state.count(self._MISSING, first, first + count) == count:
            self._spool.write(piece.offset + first * BLOCK, data)
            state[first : first + count] = bytes([found]) * count
            return
        for number in range(count):
            if state[first + number] < found or state[first + number] == found == self._DOUBTFUL:
                block = data[number * BLOCK : (number + 1) * BLOCK]
                self._spool.write(piece.offset + (first + number) * BLOCK, block)
                state[first + number] = found

    def stream(self) -> Iterator[bytes]:
        """All of the file as it is now, zeros for what is missing."""
        done, step = 0, BLOCKS_AT_ONCE * BLOCK
        while done < self.source.size:
            wanted = min(step, self.source.size - done)
            data = self._spool.read(done, wanted)
            yield data + bytes(wanted - len(data))
            done += wanted


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Blocks `first` to `first + count` of a piece, and what is read of the disc to prove them."""

    first: int
    count: int
    read_from: int
    read: int
    digest: bytes


def _stretches(piece: Piece, place: Place, session: SessionRecord | None) -> Iterator[_Stretch]:
    """A piece as the elements of its session's block map cut it, or in as large stretches without one."""
    start, blocks = place.start, -(-piece.size // BLOCK)
    block_map = session.block_map if session else b""
    origin = session.start if session and block_map else start
    at = start
    while at < start + blocks:
        number = (at - origin) // BLOCKS_AT_ONCE
        begin = origin + number * BLOCKS_AT_ONCE
        end = begin + BLOCKS_AT_ONCE
        if session and block_map:
            end = min(end, session.start + session.blocks)
        last = min(end, start + blocks)
        if last <= at:  # it lies behind its session, as no file should
            last = end = min(at + BLOCKS_AT_ONCE, start + blocks)
            begin = at
            number = -1
        digest = block_map[number * 32 : number * 32 + 32] if number >= 0 else b""
        if digest:
            yield _Stretch(at - start, last - at, begin, end - begin, digest)
        else:
            yield _Stretch(at - start, last - at, at, last - at, b"")
        at = last


def _digest_of(spool: Spool, piece: Piece) -> bytes:
    digest, done, step = hashlib.sha256(), 0, BLOCKS_AT_ONCE * BLOCK
    while done < piece.size:
        data = spool.read(piece.offset + done, min(step, piece.size - done))
        if not data:
            return b""
        digest.update(data)
        done += len(data)
    return digest.digest()
