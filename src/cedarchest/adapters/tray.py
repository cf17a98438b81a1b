"""The tray of an optical drive: pulled in before use; out and in again, so that the drive forgets a disc.

The kernel's cdrom ioctls say whether a tray is open and whether the drive knows yet what is in it; a node
that does not answer them is left alone. Whether a tray comes in again by itself they cannot say (that of a
slim drive does not): a drive tells by the Load bit of its Removable Medium feature, if it is new enough.

Source: linux/cdrom.h; MMC-6, GET CONFIGURATION (46h) and feature 0003h.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path

from cedarchest.adapters import sg
from cedarchest.errors import NoMedium, ToolFailed

log = logging.getLogger(__name__)

READY_S = 60.0
"""How long any drive gets to look at a disc: a BD of several layers takes up to half a minute."""

MOVING_S = 15.0
"""How long a tray may take to come in."""

POLL_S = 0.1

_CLOSE_TRAY = 0x5319
_DRIVE_STATUS = 0x5326
_CURRENT_SLOT = 0x7FFFFFFF
_TIMEOUT_MS = 10_000
_GET_CONFIGURATION = 0x46
_REMOVABLE_MEDIUM = 0x0003
_LOAD = 0x10


class _State(IntEnum):
    """What CDROM_DRIVE_STATUS says."""

    UNKNOWN = 0
    EMPTY = 1
    OPEN = 2
    NOT_READY = 3
    LOADED = 4


class Tray:
    """The tray of a drive; `ask` shows a person a problem and what to do; None where nobody is there."""

    def __init__(
        self, path: Path, *, ready_s: float = READY_S, ask: Callable[[str, str], bool] | None = None
    ) -> None:
        self._path = path
        self._ready_s = ready_s
        self._ask = ask

    def make_ready(self) -> None:
        """Pull the tray in where it is open, and wait until the drive knows what is in it.

        Raises:
            NoMedium: the tray is open and does not come in by itself.
            ToolFailed: the drive is not ready in the time it gets.
        """
        with self._opened() as drive:
            if not self._came_in(drive):
                raise NoMedium(self._stays_out, advice="Push it in and run the command again.")
            until = time.monotonic() + self._ready_s
            while _state(drive) is _State.NOT_READY:
                if time.monotonic() >= until:
                    raise ToolFailed(
                        f"{self._path} was not ready {self._ready_s:g} seconds after its tray closed",
                        advice="Wait until its light is off and run the command again; where it always takes"
                        " so long, set [store] load_delay higher.",
                    )
                time.sleep(POLL_S)

    def cycle(self, eject: Callable[[], None]) -> bool:
        """Have the disc out and in again; False where it might stay out, or did not come out.

        Raises:
            NoMedium, ToolFailed: it stayed out, or the drive is not ready in the time it gets.
        """
        if self._ask is None and not self._is_known_to_load():
            return False
        eject()
        if self.holds_disc():
            return False
        self.make_ready()
        return True

    def holds_disc(self) -> bool:
        """Whether the tray is in, with a disc in it; False where nobody knows."""
        with self._opened() as drive:
            return _state(drive) is _State.LOADED

    def _came_in(self, drive: int) -> bool:
        """Whether the tray is in, after it was told to come in, or somebody was asked to push it."""
        if _state(drive) is not _State.OPEN or self._pulled_in(drive):
            return True
        while self._ask is not None and self._ask(self._stays_out, "Push it in."):
            if _state(drive) is not _State.OPEN:
                return True
        return False

    @property
    def _stays_out(self) -> str:
        return f"the tray of {self._path} is open and does not come in by itself"

    def _pulled_in(self, drive: int) -> bool:
        """Whether the tray came in when it was told to."""
        try:
            fcntl.ioctl(drive, _CLOSE_TRAY, 0)
        except OSError as error:
            log.info("the tray of %s was not pulled in: %s", self._path, error.strerror)
            return False
        until = time.monotonic() + MOVING_S
        while _state(drive) is _State.OPEN and time.monotonic() < until:
            time.sleep(POLL_S)
        return _state(drive) is not _State.OPEN

    def _is_known_to_load(self) -> bool:
        with self._opened() as drive:
            told = _feature(drive, _REMOVABLE_MEDIUM)
        return bool(told) and told[0] & _LOAD != 0

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The drive; -1 where it cannot be opened, of which others tell."""
        try:
            drive = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            yield -1
            return
        try:
            yield drive
        finally:
            os.close(drive)


def _state(drive: int) -> _State:
    try:
        return _State(fcntl.ioctl(drive, _DRIVE_STATUS, _CURRENT_SLOT))
    except (OSError, ValueError):
        return _State.UNKNOWN


def _feature(drive: int, number: int) -> bytes:
    """What a drive says of one of its features, behind the descriptor's head; nothing if it has none."""
    command = bytes((_GET_CONFIGURATION, 2)) + number.to_bytes(2) + bytes((0, 0, 0, 0, 16, 0))
    try:
        told = sg.ask(drive, command, 16, timeout_ms=_TIMEOUT_MS).ljust(16, b"\0")
    except (sg.RefusedError, OSError, ValueError):
        return b""
    has_it = int.from_bytes(told[:4]) > 4 and int.from_bytes(told[8:10]) == number
    return told[12 : 12 + told[11]] if has_it else b""
