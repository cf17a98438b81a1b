"""What a program writes, moved into a file by the kernel, and read from there while more comes.

Through our own memory it would take twice as long: each byte is copied from pipe to page cache once, and
whoever digests it finds it there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading

_AT_ONCE = 1 << 20


class Splice:
    """A pipe that is emptied into a file, from where that stands; `readinto` gives what has come.

    It takes the pipe over; the file stays open until `close` has returned. What comes after a failure is read
    and not kept, so that whoever writes comes to its end.
    """

    def __init__(self, pipe: int, file: int) -> None:
        self._pipe = pipe
        self._file = file
        self._given = self._there = os.lseek(file, 0, os.SEEK_CUR)
        self._has_ended = False
        self._failure: OSError | None = None
        self._news = threading.Condition()
        self._over = os.eventfd(0)
        self._waiting = select.poll()
        for descriptor in (pipe, self._over):
            self._waiting.register(descriptor, select.POLLIN)
        self._mover = threading.Thread(target=self._move_all, daemon=True)
        self._mover.start()

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from its start with what comes next; 0 at the end.

        Raises:
            OSError: the file cannot be written, or not be read.
        """
        with self._news:
            self._news.wait_for(lambda: self._there > self._given or self._has_ended)
            count = min(len(buffer), self._there - self._given)
            if self._failure:
                raise self._failure
        count = os.preadv(self._file, [buffer[:count]], self._given) if count else 0
        self._given += count
        return count

    def close(self) -> None:
        """Nothing more is wanted; whoever still writes finds the pipe broken."""
        os.eventfd_write(self._over, 1)
        self._mover.join()
        for descriptor in (self._pipe, self._over):
            os.close(descriptor)

    def _move_all(self) -> None:
        try:
            while self._is_wanted() and (count := self._move()):
                with self._news:
                    self._there += count
                    self._news.notify()
        except OSError as error:
            self._failure = error
        with self._news:
            self._has_ended = True
            self._news.notify()
        with contextlib.suppress(OSError):
            while self._failure and self._is_wanted() and os.read(self._pipe, _AT_ONCE):
                pass

    def _is_wanted(self) -> bool:
        """Wait until something comes, or nothing does any more; False once nothing is wanted."""
        return all(descriptor != self._over for descriptor, _ in self._waiting.poll())

    def _move(self) -> int:
        """Move what is in the pipe; how much that was, 0 at its end."""
        try:
            return os.splice(self._pipe, self._file, _AT_ONCE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        data = os.read(self._pipe, _AT_ONCE)  # a file system that the kernel moves nothing into
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        return len(data)
