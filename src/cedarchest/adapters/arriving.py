"""Files are digested while others still arrive; only what holds until the end counts."""

from __future__ import annotations

import contextlib
import os
import stat
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Self

from cedarchest.adapters.digests import LARGE, Digests, digest_descriptor
from cedarchest.adapters.durable import begin_flush
from cedarchest.adapters.folders import inside
from cedarchest.adapters.process import run
from cedarchest.adapters.rsync import PARTIAL
from cedarchest.adapters.scan import Found, scan
from cedarchest.errors import Interrupted, StagingError
from cedarchest.model.index import Entry, Fingerprint, Kind, with_content

AWAITED = 64
"""Files at most that were announced and are not there yet; those before them are left to the end."""

_SYNC_S = 3600.0

_Known = tuple[Fingerprint, int, bytes]
"""What a file was while it was digested, its size, its digest."""


def flush(path: Path) -> None:
    """Have the kernel write out the file system of a path: then all on it outlasts a power cut.

    Raises:
        StagingError: the disk fails.
    """
    done = run(["sync", "-f", str(path)], timeout_s=_SYNC_S)
    if done.returncode:
        raise StagingError(
            f"{path} cannot be made durable: {done.tail}",
            advice="The disk of the staging folder fails: look at the kernel's log.",
            path=str(path),
        )


class _Parent(contextlib.ExitStack):
    """The folder that was opened last: files of one come one after the other."""

    def __init__(self, top: Path) -> None:
        super().__init__()
        self._top = top
        self._last: tuple[bytes, int] = (b"", -1)

    def of(self, folder: bytes) -> int:
        """A handle of a folder; a peer cannot name one that is elsewhere.

        Raises:
            OSError: it is not there, or not a folder.
            ValueError: no folder below is called so.
        """
        if b".." in folder.split(b"/"):
            raise ValueError(folder)
        if self._last[1] < 0 or folder != self._last[0]:
            self._last = (b"", -1)
            self.close()
            self._last = (folder, self.enter_context(inside(self._top, folder)))
        return self._last[1]


class ArrivingFiles:
    """What arrives in a folder; a context manager, so that no thread reads on when the rest is not wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._top = os.fsencode(folder) + b"/"
        self._announced: SimpleQueue[bytes | None] = SimpleQueue()
        self._known: dict[bytes, _Known] = {}
        self._parent = _Parent(folder)
        self._stopped = Event()
        self._thread = Thread(target=self._digest_all, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._finish()

    def came(self, path: bytes) -> None:
        """A file is there, or is about to be."""
        self._announced.put(path)

    def entries(self) -> tuple[tuple[Entry, Fingerprint], ...]:
        """All that arrived, files with their digests; what is not whole yet is left out.

        Raises:
            StagingError: something cannot be read or written out, or changes while it is read.
        """
        self._finish()
        with ThreadPoolExecutor(1) as aside:
            flushed = aside.submit(flush, self._folder)
            entries = tuple(self._looked_at())
            flushed.result()
        return entries

    def _looked_at(self) -> Iterator[tuple[Entry, Fingerprint]]:
        found = [one for one in scan(self._folder, prefix=b"") if PARTIAL not in one.entry.path.split(b"/")]
        digests = dict(self._digests(found))
        for entry, fingerprint in found:
            if entry.kind is Kind.FILE:
                digest = digests[entry.hardlink or entry.path]
                yield with_content(entry, entry.size, digest), fingerprint
            else:
                yield entry, fingerprint

    def _finish(self) -> None:
        if self._thread.is_alive():
            self._announced.put(None)
            self._thread.join()

    def _digests(self, found: list[Found]) -> Iterator[tuple[bytes, bytes]]:
        """Path and digest of each file: the one found before, or of what it is since."""
        left = []
        for entry, fingerprint in found:
            if entry.kind is not Kind.FILE or entry.hardlink:
                continue
            known = self._known.get(entry.path)
            if known and known[:2] == (fingerprint, entry.size):
                yield entry.path, known[2]
            else:
                left.append((self._top + entry.path, entry, fingerprint))
        with Digests(lambda _done: None, just_written=True) as digests:
            for number, digest in digests.of(left):
                yield left[number][1].path, digest

    def _digest_all(self) -> None:
        """Digest files in the order in which they are announced, each as soon as it is there."""
        awaited: deque[bytes] = deque()
        with self._parent, contextlib.suppress(Interrupted):
            while (path := self._announced.get()) is not None:
                awaited.append(path)
                while awaited and (len(awaited) > AWAITED or self._digest(awaited[0])):
                    awaited.popleft()

    def _digest(self, path: bytes) -> bool:
        """Digest a file; False when it is not there yet. What cannot be read is left to the end."""
        folder, _, name = path.rpartition(b"/")
        if not name:  # a folder
            return True
        try:
            parent = self._parent.of(folder)
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent
            )
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            return True
        try:
            before = os.fstat(descriptor)
            if stat.S_ISREG(before.st_mode):
                digest = digest_descriptor(descriptor, before.st_size, self._go_on)
                if before.st_size >= LARGE:
                    begin_flush(descriptor, 0, before.st_size)
                after = os.fstat(descriptor)
                if digest and (before.st_ctime_ns, before.st_size) == (after.st_ctime_ns, after.st_size):
                    fingerprint = Fingerprint(after.st_ino, after.st_ctime_ns)
                    self._known[path] = (fingerprint, after.st_size, digest)
        except OSError:
            pass
        finally:
            os.close(descriptor)
        return True

    def _go_on(self, _piece: bytes) -> None:
        if self._stopped.is_set():
            raise Interrupted("the rest is not wanted any more")
