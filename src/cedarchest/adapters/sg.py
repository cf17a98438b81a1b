"""One SCSI command to a drive, by the SG_IO ioctl of Linux, and why a drive refuses one.

Source: Linux, scsi/sg.h (struct sg_io_hdr, version 3); SPC-4 4.5 (sense data).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
from typing import NamedTuple

_SG_IO = 0x2285
_FROM_DEVICE = -3
_CHECK_CONDITION = 0x02
RECOVERED, NOT_READY, MEDIUM_ERROR, HARDWARE_ERROR, ILLEGAL_REQUEST, UNIT_ATTENTION = range(1, 7)


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
    NOT_READY: "the drive is not ready",
    MEDIUM_ERROR: "the disc is bad there",
    HARDWARE_ERROR: "the drive failed",
    ILLEGAL_REQUEST: "nothing stands there",
    UNIT_ATTENTION: "another disc came in",
}


class RefusedError(Exception):
    """The drive answered with sense data."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(str(sense))
        self.sense = sense


def parse_sense(raw: bytes) -> Sense:
    """Sense data in fixed or in descriptor format."""
    if raw[0] & 0x7F >= 0x72:
        return Sense(raw[1] & 15, raw[2], raw[3])
    return Sense(raw[2] & 15, raw[12], raw[13])


def ask(drive: int, command: bytes, size: int, *, timeout_ms: int) -> bytes:
    """Send a command to an open drive and give its answer: `size` bytes, or fewer.

    Raises:
        RefusedError: the drive says why it does not.
        OSError: the command did not come through, or no answer.
    """
    answer = ctypes.create_string_buffer(size)
    asked = ctypes.create_string_buffer(command, len(command))
    sense = ctypes.create_string_buffer(64)
    request = _Request(
        interface_id=ord("S"),
        dxfer_direction=_FROM_DEVICE,
        cmd_len=len(command),
        mx_sb_len=len(sense),
        dxfer_len=size,
        dxferp=ctypes.addressof(answer),
        cmdp=ctypes.addressof(asked),
        sbp=ctypes.addressof(sense),
        timeout=timeout_ms,
    )
    fcntl.ioctl(drive, _SG_IO, request)
    if request.status == _CHECK_CONDITION:
        found = parse_sense(sense.raw)
        if found.key > RECOVERED:
            raise RefusedError(found)
    elif request.status or request.host_status:
        raise OSError(errno.EIO, f"no answer (status {request.status}, host {request.host_status})")
    return answer.raw[: size - request.resid]
