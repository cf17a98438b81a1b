"""The log file: every run adds to it, and one that finds it large begins a new one.

It is turned at the beginning of a run and under a lock. A handler that turns it in the middle, as that of the
standard library does, counts and renames for itself: of two runs at once one goes on in a file that the other
has renamed, turns it again, and what was to be kept is pushed out. Here a run keeps the file it has begun
with, whatever becomes of its name, and no line is lost or torn.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path
from typing import TextIO

from cedarchest.adapters.durable import is_at

_OPEN = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def open_log(path: Path, *, largest: int, keep: int) -> tuple[TextIO, str]:
    """A stream that adds to the log, turned before if it has `largest` bytes; `keep` old ones stay.

    With it what kept it from being turned; empty when nothing did.

    Raises:
        OSError: it cannot be opened.
    """
    problem = ""
    descriptor = os.open(path, _OPEN, 0o640)
    try:
        while _is_due(descriptor, largest):
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # for as long as some renames take
            if is_at(descriptor, path):
                problem = _turn(path, keep)
                if problem:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                    break
            os.close(descriptor)
            descriptor = -1
            descriptor = os.open(path, _OPEN, 0o640)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="surrogateescape"), problem
    except BaseException:
        if descriptor >= 0:
            os.close(descriptor)
        raise


def _is_due(descriptor: int, largest: int) -> bool:
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_size >= largest


def _turn(path: Path, keep: int) -> str:
    """Move the log to `.1`, that one to `.2` and so on; why that cannot be done, if so."""
    names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, keep + 1))]
    try:
        if not keep:
            path.unlink()
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            with contextlib.suppress(FileNotFoundError):
                newer.rename(older)
    except OSError as error:
        return f"the log {path} is large, and it cannot be turned: {error.strerror}"
    return ""
