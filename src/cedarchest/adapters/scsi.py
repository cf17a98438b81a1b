"""Reads blocks from a drive by SCSI commands: what is on the disc, whatever the kernel believes of it.

The kernel asks for the size of a disc when it comes in, and again when the drive tells of a change. A drive
need not tell of a session that was burnt into it: then the block device goes on ending where it ended
before, on a disc that was blank at its first block, and a good session reads as nothing. It also shortens
the device for good after an error near its end. READ(10) knows neither, nor a cache.

Source: SBC-3 5.11 (READ(10)) and 5.15 (READ CAPACITY(10)); SPC-4 4.5 (sense data); Linux, scsi/sg.h (SG_IO).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import NamedTuple

from cedarchest.errors import DamagedDisc, DriveForbidden, DriveMissing
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

_SG_IO = 0x2285
_FROM_DEVICE = -3
_CHECK_CONDITION = 0x02
_READ_CAPACITY, _READ = 0x25, 0x28
_RECOVERED, _NOT_READY, _UNIT_ATTENTION = 1, 2, 6
_BECOMING_READY, _MEDIUM_CHANGED = 0x04, 0x28


class _Request(ctypes.Structure):
    """Struct sg_io_hdr."""

    _fields_ = (
        ("interface_id", ctypes.c_int),
        ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte),
        ("mx_sb_len", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort),
        ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p),
        ("cmdp", ctypes.c_void_p),
        ("sbp", ctypes.c_void_p),
        ("timeout", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte),
        ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte),
        ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort),
        ("resid", ctypes.c_int),
        ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint),
    )


class Sense(NamedTuple):
    """Why a drive refused a command: sense key, additional sense code and its qualifier."""

    key: int
    code: int
    qualifier: int

    def __str__(self) -> str:
        words = _KEYS.get(self.key, "the drive refused")
        return f"{words} (sense {self.key:X}/{self.code:02X}/{self.qualifier:02X})"


_KEYS = {
    _NOT_READY: "the drive is not ready",
    3: "the disc is bad there",
    4: "the drive failed",
    5: "nothing stands there",
    _UNIT_ATTENTION: "another disc came in",
}


class _RefusedError(Exception):
    """The drive answered with sense data."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(str(sense))
        self.sense = sense


def parse_sense(raw: bytes) -> Sense:
    """Sense data in fixed or in descriptor format."""
    if raw[0] & 0x7F >= 0x72:
        return Sense(raw[1] & 15, raw[2], raw[3])
    return Sense(raw[2] & 15, raw[12], raw[13])


class DriveReader:
    """An open drive; not for several threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._end = 0  # the block after the last one of the disc
        self._buffer = ctypes.create_string_buffer(BLOCKS_A_COMMAND * BLOCK)

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
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise DriveForbidden(
                    f"{self._path} may not be read: {error.strerror}",
                    advice="Run as a user of the device's group (often cdrom), or as root.",
                ) from error
            raise DriveMissing(f"{self._path} cannot be opened: {error.strerror}") from error
        answer = self._ask(bytes((_READ_CAPACITY,)) + bytes(9), 8, f"the disc in {self._path}", 0, 0)
        self._end = int.from_bytes(answer[:4]) + 1

    def _ask(self, command: bytes, size: int, what: str, first: int, last: int) -> bytes:
        try:
            return self._until_ready(command, size)
        except (_RefusedError, OSError) as error:
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
            except _RefusedError as error:
                key, code, _ = error.sense
                is_exchanged = self._end > 0 and code == _MEDIUM_CHANGED
                if key == _UNIT_ATTENTION and attentions < ATTENTIONS and not is_exchanged:
                    attentions += 1
                elif (key, code) == (_NOT_READY, _BECOMING_READY) and time.monotonic() < until:
                    time.sleep(READY_POLL_S)
                else:
                    raise

    def _command(self, command: bytes, size: int) -> bytes:
        """One command, and the answer of this size."""
        asked = ctypes.create_string_buffer(command, len(command))
        sense = ctypes.create_string_buffer(64)
        request = _Request(
            interface_id=ord("S"),
            dxfer_direction=_FROM_DEVICE,
            cmd_len=len(command),
            mx_sb_len=len(sense),
            dxfer_len=size,
            dxferp=ctypes.addressof(self._buffer),
            cmdp=ctypes.addressof(asked),
            sbp=ctypes.addressof(sense),
            timeout=TIMEOUT_MS,
        )
        fcntl.ioctl(self._descriptor, _SG_IO, request)
        if request.status == _CHECK_CONDITION:
            found = parse_sense(sense.raw)
            if found.key > _RECOVERED:
                raise _RefusedError(found)
        elif request.status or request.host_status:
            raise OSError(errno.EIO, f"no answer (status {request.status}, host {request.host_status})")
        if request.resid:
            raise OSError(errno.EIO, f"the drive sent {size - request.resid} of {size} bytes")
        return ctypes.string_at(self._buffer, size)

    def close(self) -> None:
        """Close the drive; reading opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._end = -1, 0
