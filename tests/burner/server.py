"""The emulated drive as a process: `python -m tests.burner.server SOCKET DISCDIR PROFILE [BLOCKS]`.

PROFILE is a name in `profiles.KINDS`, such as dvd+r, bd-re, or none. "ready" on stdout says that the socket
takes connections. With --until-stdin-closes the drive goes when its starter does. SIGTERM saves the disc.
"""

import argparse
import contextlib
import errno
import os
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from tests.burner import mmc, wire
from tests.burner.drive import Drive
from tests.burner.faults import DriveGoneError, Effect, PowerLostError
from tests.burner.profiles import BY_NAME
from tests.burner.sense import DRIVER_SENSE, STATUS_CHECK_CONDITION, CheckCondition
from tests.burner.wire import Json, Message, Reply, Request

EXIT_POWER_LOST = 9
SETTLE_TIMEOUT_S = 5


class Server:
    """One drive, any number of openers; a thread for each."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive
        self.plugged = True
        self._forgotten = threading.Condition(drive.lock)
        self._opened: set[socket.socket] = set()
        self._exclusive: socket.socket | None = None
        self._writer: socket.socket | None = None

    def serve(self, connection: socket.socket) -> None:
        """Answer one opener until it closes, or the drive is unplugged."""
        try:
            while True:
                request = wire.read_request(connection)
                connection.sendall(self._answer(connection, request).pack())
        except (EOFError, OSError):
            pass
        except DriveGoneError:
            self.unplug()
        except PowerLostError:
            self.lose_power()
        finally:
            self._forget(connection)

    def _answer(self, connection: socket.socket, request: Request) -> Reply:
        if request.message is Message.CONTROL:
            return Reply(data=wire.pack_json(self.control(wire.unpack_json(request.data))))
        if not self.plugged:
            raise EOFError
        with self.drive.lock:
            self._opened.add(connection)
        if request.message is Message.OPEN:
            return Reply(status=self._open(connection, request.length))
        return self._command(connection, request)

    def _open(self, connection: socket.socket, flags: int) -> int:
        """Do what the kernel does in open(2); 0 or an errno.

        Without O_NONBLOCK it pulls the tray in and wants a disc. It takes the pending unit attention.
        """
        with self.drive.lock:
            self._settle()
            self.drive.unit_attention = None
            if not flags & os.O_NONBLOCK:
                if self.drive.pulls_in:
                    self.drive.load()
                self.drive.unit_attention = None
                if not self.drive.profile:
                    return errno.ENOMEDIUM
            if flags & os.O_EXCL:
                if self._exclusive not in (None, connection):
                    return errno.EBUSY
                self._exclusive = connection
        return 0

    def _settle(self) -> None:
        """Wait until openers that are gone are forgotten; a kernel has closed their files by now."""

        def all_alive() -> bool:
            return not any(map(_hung_up, self._opened))

        self._forgotten.wait_for(all_alive, SETTLE_TIMEOUT_S)

    def _command(self, connection: socket.socket, request: Request) -> Reply:
        command = mmc.Command(request.cdb, request.data)
        block, count = mmc.transfer_span(command)
        time.sleep(self.drive.delay_s)
        try:
            kinds = mmc.fault_kinds(command)
            fault = self.drive.plan.strike(kinds, block, count)
            with self.drive.lock:
                lost = fault is not None and fault.effect is Effect.LOST
                data = mmc.execute(self.drive, replace(command, lost=lost))
                if command.opcode in mmc.WRITE_OPCODES:
                    self._writer = connection
            self.drive.plan.follow(fault, kinds)
        except CheckCondition as failure:
            self.drive.log.append(f"{request.cdb.hex(' ')} -> {failure}")
            return Reply(STATUS_CHECK_CONDITION, DRIVER_SENSE, failure.sense.fixed_format())
        self.drive.log.append(f"{request.cdb.hex(' ')} -> {len(data)}")
        return Reply(data=data[: request.length])

    def control(self, order: Json) -> Json:
        if order.get("lose_power"):
            raise PowerLostError
        if "plugged" in order:
            if order["plugged"]:
                self.plugged = True
            else:
                self.unplug()
        with self.drive.lock:
            self._settle()
            self.drive.obey(order)
            return self.drive.report()

    def unplug(self) -> None:
        """Every descriptor of the drive is dead from now on; a burn in progress is damaged."""
        self.plugged = False
        with self.drive.lock:
            self.drive.lose_power()
            opened = list(self._opened)
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def lose_power(self) -> None:
        with self.drive.lock:
            self.drive.lose_power()
            os._exit(EXIT_POWER_LOST)

    def stop(self) -> None:
        """End the process with the disc as it is."""
        with self.drive.lock:
            self.drive.save()
            os._exit(0)

    def _forget(self, connection: socket.socket) -> None:
        """An opener is gone; if it was writing, what it left open is damaged."""
        with self.drive.lock:
            self._opened.discard(connection)
            if self._exclusive is connection:
                self._exclusive = None
            if self._writer is connection:
                self._writer = None
                self.drive.lose_power()
            connection.close()
            self._forgotten.notify_all()


def _hung_up(connection: socket.socket) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return any(events & select.POLLHUP for _, events in poller.poll(0))


def _stop_with_stdin(server: Server) -> None:
    sys.stdin.buffer.read()
    server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("profile", choices=BY_NAME)
    parser.add_argument("blocks", type=int, nargs="?", default=0)
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args()

    server = Server(Drive())
    server.drive.insert(options.directory, options.profile, options.blocks)
    options.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(options.socket))
    listener.listen(16)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.stop).start()

    signal.signal(signal.SIGTERM, stop)
    if options.until_stdin_closes:
        threading.Thread(target=_stop_with_stdin, args=[server], daemon=True).start()
    print("ready", flush=True)  # noqa: T201 -- the starter waits for it
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=server.serve, args=[connection], daemon=True).start()


if __name__ == "__main__":
    main()
