"""The messages between the interposer (interposer.c) or a test and the emulated drive.

A unix stream socket carries one request and one reply at a time, in host byte order (little endian):

    request  u32 message, cdb_len, direction, length; u8 cdb[16]; then `length` bytes if direction is OUT
    reply    u32 host, status, driver, sense_len, data_len; then the sense bytes, then the data

OPEN carries the flags of open(2) in `length` and is answered by an errno in `status`. COMMAND is one SCSI
command, answered as the SG_IO ioctl wants it. CONTROL takes and gives a JSON object; only tests send it.
"""

import json
import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

REQUEST = struct.Struct("<4I16s")
REPLY = struct.Struct("<5I")
CHUNK = 1 << 20

Json = dict[str, Any]
"""A JSON object, as it crosses the socket."""


class Message(IntEnum):
    OPEN = 0
    COMMAND = 1
    CONTROL = 2


class Direction(IntEnum):
    NONE = 0
    OUT = 1
    IN = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `data` is what travels to the drive, `length` what is wanted from it (or open's flags)."""

    message: Message
    cdb: bytes = b""
    direction: Direction = Direction.NONE
    length: int = 0
    data: bytes = b""

    def pack(self) -> bytes:
        length = len(self.data) if self.direction is Direction.OUT else self.length
        return REQUEST.pack(self.message, len(self.cdb), self.direction, length, self.cdb) + self.data


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; `status` is the SCSI status (SAM-5 5.3.1) or, after OPEN, an errno."""

    status: int = 0
    driver: int = 0
    sense: bytes = b""
    data: bytes = b""

    def pack(self) -> bytes:
        header = REPLY.pack(0, self.status, self.driver, len(self.sense), len(self.data))
        return header + self.sense + self.data


def read_exactly(connection: socket.socket, length: int) -> bytes:
    """Give `length` bytes; raises EOFError when the other side is gone."""
    buffer = bytearray()
    while len(buffer) < length:
        part = connection.recv(min(CHUNK, length - len(buffer)))
        if not part:
            raise EOFError
        buffer += part
    return bytes(buffer)


def read_request(connection: socket.socket) -> Request:
    message, cdb_len, direction, length, cdb = REQUEST.unpack(read_exactly(connection, REQUEST.size))
    data = read_exactly(connection, length) if direction == Direction.OUT else b""
    return Request(Message(message), cdb[: max(cdb_len, 6)], Direction(direction), length, data)


def ask(connection: socket.socket, request: Request) -> Reply:
    connection.sendall(request.pack())
    _, status, driver, sense_len, data_len = REPLY.unpack(read_exactly(connection, REPLY.size))
    sense = read_exactly(connection, sense_len)
    return Reply(status, driver, sense, read_exactly(connection, data_len))


def pack_json(content: Json) -> bytes:
    return json.dumps(content).encode()


def unpack_json(packed: bytes) -> Json:
    content: Json = json.loads(packed)
    return content


def control(server: Path, order: Json) -> Json:
    """Give an order to the drive and return what it tells of itself."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server))
        reply = ask(connection, Request(Message.CONTROL, direction=Direction.OUT, data=pack_json(order)))
    return unpack_json(reply.data)


def command(server: Path, cdb: bytes, *, data: bytes = b"", length: int = 0) -> Reply:
    """Open the drive, send one raw SCSI command, close it."""
    direction = Direction.OUT if data else Direction.IN
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server))
        ask(connection, Request(Message.OPEN, length=os.O_RDWR | os.O_NONBLOCK))
        return ask(connection, Request(Message.COMMAND, cdb, direction, length, data))
