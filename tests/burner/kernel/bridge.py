"""Puts the emulated drive behind the kernel: commands come from /dev/vhba_ctl, from no preloaded library.

Each open of the control node adds one SCSI device to the kernel, closing it takes it away. What is read:

    u32 tag, lun; u8 cdb[16]; u8 cdb_len; 3 bytes of padding; u32 data_len; then the data of a write

and what is written in answer, where the data are the sense bytes after CHECK CONDITION:

    u32 tag, status, data_len; then the data

Source: vhba.c, structs vhba_request and vhba_response.
"""

import os
import select
import socket
import struct
import threading
from pathlib import Path

from tests.burner import wire
from tests.burner.sense import STATUS_CHECK_CONDITION
from tests.burner.wire import Direction, Message, Reply, Request

CONTROL = Path("/dev/vhba_ctl")
HEADER = struct.Struct("<II16sB3xI")
ANSWER = struct.Struct("<III")
LARGEST = HEADER.size + (256 << 10)
STOP_TIMEOUT_S = 10


class Bridge:
    """A thread between the kernel and the drive at a socket; a kernel opens it once, for all programs."""

    def __init__(self, server: Path) -> None:
        self._drive = socket.socket(socket.AF_UNIX)
        self._drive.connect(str(server))
        self._kernel = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
        self._stop_asked, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._stop_asked not in select.select([self._kernel, self._stop_asked], [], [])[0]:
            tag, request = unpack_request(os.read(self._kernel, LARGEST))
            try:
                reply = wire.ask(self._drive, request)
            except (EOFError, OSError):
                return  # the drive lost its power: the kernel waits for it as for a real one
            os.write(self._kernel, pack_reply(tag, reply))

    def close(self) -> None:
        """Unplug the drive from the kernel."""
        os.close(self._stop)
        self._thread.join(STOP_TIMEOUT_S)
        os.close(self._kernel)
        os.close(self._stop_asked)
        self._drive.close()


def unpack_request(raw: bytes) -> tuple[int, Request]:
    """The tag, and the command as the drive wants it."""
    tag, _lun, cdb, length, size = HEADER.unpack_from(raw)
    data = raw[HEADER.size :]
    direction = Direction.OUT if data else Direction.IN
    return tag, Request(Message.COMMAND, cdb[:length], direction, size, data)


def pack_reply(tag: int, reply: Reply) -> bytes:
    """The answer as the kernel wants it."""
    data = reply.sense if reply.status == STATUS_CHECK_CONDITION else reply.data
    return ANSWER.pack(tag, reply.status, len(data)) + data
