"""A file that a program writes, read behind it while it grows.

Nothing goes through a pipe: whoever digests what was written finds it in the page cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_POLL_S = 0.001
_MORE = 1 << 16
"""Bytes that a program writes at once, and more."""


class GrowingFile:
    """What a program writes into a file, from where that stands; `readinto` gives what has come.

    Make it before the program starts. `status` says how that ended, None as long as it has not.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._given = os.lseek(file, 0, os.SEEK_CUR)

    def readinto(self, buffer: memoryview, status: Callable[[], int | None]) -> int:
        """Fill a buffer from its start with what comes next; 0 at the end.

        Raises:
            OSError: the file cannot be read; or the program failed, and more cannot be written.
        """
        while True:
            ended_with = status()
            if count := os.preadv(self._file, [buffer], self._given):
                self._given += count
                return count
            if ended_with is not None:
                break
            time.sleep(_POLL_S)
        if ended_with:  # was it the disk? Whoever writes there is told
            os.posix_fallocate(self._file, self._given, _MORE)
            os.ftruncate(self._file, self._given)
        return 0
