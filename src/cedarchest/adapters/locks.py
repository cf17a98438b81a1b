"""Locks that end with the last process that holds them.

`flock` belongs to an open file, so a burner that inherited the descriptor keeps the lock when we are
killed: the next run sees a lock whose owner is gone and waits for the burner to end.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cedarchest.errors import LockedError, StagingError

ORPHAN_POLL_S = 0.2


class HeldLocks:
    """The locks of this run; their descriptors go to the programs that write."""

    def __init__(self, waiting: Callable[[str], None] = lambda _: None) -> None:
        self._held: dict[str, int] = {}
        self._waiting = waiting

    def descriptors(self) -> Sequence[int]:
        """What a writing program inherits."""
        return tuple(self._held.values())

    def has(self, path: Path) -> bool:
        """Whether this run holds the lock of a path."""
        return str(path) in self._held

    def keep(self, path: Path, descriptor: int) -> None:
        """Remember a lock until the run ends."""
        self._held[str(path)] = descriptor

    def release(self) -> None:
        """Give back every lock."""
        while self._held:
            os.close(self._held.popitem()[1])

    @contextlib.contextmanager
    def hold(self, state_dir: Path) -> Iterator[None]:
        """Hold the lock of a state folder, and with it all locks taken until the end.

        One that this run holds already is held on.
        """
        path = state_dir / "lock"
        if self.has(path):
            yield
            return
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StagingError(
                f"the state folder {state_dir} cannot be used: {error.strerror}",
                advice="Correct [options] state_dir or the folder's permissions.",
            ) from error
        try:
            self._acquire(descriptor, path)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self.keep(path, descriptor)
            yield
        finally:
            if not self.has(path):
                os.close(descriptor)
            self.release()

    def _acquire(self, descriptor: int, path: Path) -> None:
        said = False
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            owner = os.pread(descriptor, 32, 0).strip().decode("ascii", "replace")
            if not owner.isdigit() or _is_alive(int(owner)):
                raise LockedError(
                    f"another run is at work (process {owner or 'unknown'} holds {path})", holder=owner
                )
            if not said:
                said = True
                self._waiting(f"an earlier run ({owner}) was killed; waiting for its burner to end")
            time.sleep(ORPHAN_POLL_S)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
