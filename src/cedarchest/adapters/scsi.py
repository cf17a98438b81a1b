"""Reads blocks from a drive by SCSI commands: what is on the disc, whatever the kernel believes of it.

The kernel asks for the size of a disc when it comes in, and again when the drive tells of a change. A drive
need not tell of a session that was burnt into it: then the block device goes on ending where it ended
before, on a disc that was blank at its first block, and a good session reads as nothing. It also shortens
the device for good after an error near its end. READ(10) knows neither, nor a cache.

Source: SBC-3 5.11 (READ(10)) and 5.15 (READ CAPACITY(10)).
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

from cedarchest.adapters import sg
from cedarchest.adapters.blocks import opened_to_read
from cedarchest.adapters.sg import RefusedError
from cedarchest.errors import DamagedDisc
from cedarchest.model.media import BLOCK

BLOCKS_A_COMMAND = 32
"""64 KiB, which every host adapter takes in one command."""

TIMEOUT_MS = 60_000
"""For one command; a drive tries hard at a bad spot before it gives up."""

READY_WITHIN_S = 60.0
"""How long a drive may take to get ready, as after a disc came in."""

READY_POLL_S = 0.2
ATTENTIONS = 5
"""How often a drive may say that something happened before a command counts as refused."""

_READ_CAPACITY, _READ = 0x25, 0x28
_BECOMING_READY, _MEDIUM_CHANGED = 0x04, 0x28


class DriveReader:
    """An open drive; not for several threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._end = 0  # the block after the last one of the disc

    def reopen(self) -> None:
        """Forget the disc's size, and ask for it when next read."""
        self.close()

    def read(self, start: int, count: int) -> bytes:
        """`count` blocks from `start`; fewer at the end.

        Raises:
            DamagedDisc: they cannot be read.
            DriveForbidden, DriveMissing: the drive may not be read, or is not there.
        """
        if self._descriptor < 0:
            self._open()
        end = min(start + count, self._end)
        pieces = range(start, end, BLOCKS_A_COMMAND)
        parts = [self._read_piece(first, min(BLOCKS_A_COMMAND, end - first)) for first in pieces]
        return b"".join(parts)

    def _read_piece(self, first: int, count: int) -> bytes:
        command = bytes((_READ, 0)) + first.to_bytes(4) + bytes((0,)) + count.to_bytes(2) + bytes(1)
        last = first + count - 1
        return self._ask(command, count * BLOCK, f"blocks {first} to {last} of {self._path}", first, last)

    def _open(self) -> None:
        advice = "Run as a user of the device's group (often cdrom), or as root."
        self._descriptor = opened_to_read(self._path, advice)
        answer = self._ask(bytes((_READ_CAPACITY,)) + bytes(9), 8, f"the disc in {self._path}", 0, 0)
        self._end = int.from_bytes(answer[:4]) + 1

    def _ask(self, command: bytes, size: int, what: str, first: int, last: int) -> bytes:
        try:
            return self._until_ready(command, size)
        except (RefusedError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise DamagedDisc(
                f"{what} cannot be read: {reason}",
                advice="Clean the disc or try another drive; `cedarchest verify` names the files.",
                first_block=first,
                last_block=last,
            ) from error

    def _until_ready(self, command: bytes, size: int) -> bytes:
        """Ask again while the drive only says what happened to it, or that it is about to be ready.

        That a disc came in is no news before its size is known; later it may be another one.
        """
        attentions = 0
        until = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                return self._command(command, size)
            except RefusedError as error:
                key, code, _ = error.sense
                is_exchanged = self._end > 0 and code == _MEDIUM_CHANGED
                if key == sg.UNIT_ATTENTION and attentions < ATTENTIONS and not is_exchanged:
                    attentions += 1
                elif (key, code) == (sg.NOT_READY, _BECOMING_READY) and time.monotonic() < until:
                    time.sleep(READY_POLL_S)
                else:
                    raise

    def _command(self, command: bytes, size: int) -> bytes:
        """One command, and the whole answer."""
        answer = sg.ask(self._descriptor, command, size, timeout_ms=TIMEOUT_MS)
        if len(answer) < size:
            raise OSError(errno.EIO, f"the drive sent {len(answer)} of {size} bytes")
        return answer

    def close(self) -> None:
        """Close the drive; reading opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._end = -1, 0
