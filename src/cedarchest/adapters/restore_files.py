"""A restored file is written under a name of ours beside its place, and gets its own once it is whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os

from cedarchest.adapters.restore_attributes import Attributes
from cedarchest.errors import CedarchestError, DiskFull, RestoreError
from cedarchest.model.index import Entry
from cedarchest.model.names import to_text

OURS = b".cedarchest-"
"""How names of ours begin."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalWriting:
    """A file on its way, under a name of ours."""

    def __init__(self, root: bytes, path: bytes, parent: int, attributes: Attributes) -> None:
        self._root, self._path = root, path
        self._parent = parent
        self._attributes = attributes
        self._name = path.rpartition(b"/")[2]
        self._ours = OURS + hashlib.sha256(self._name).hexdigest()[:16].encode()
        with contextlib.suppress(FileNotFoundError):  # what a killed run left
            os.unlink(self._ours, dir_fd=parent)
        self._descriptor = os.open(self._ours, _NEW, 0o600, dir_fd=parent)
        self._size = 0
        self._kept = False

    def close(self) -> None:
        """Have what is not kept gone."""
        os.close(self._descriptor)
        if not self._kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._ours, dir_fd=self._parent)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset."""
        with Sentences(self._root, self._path):
            write_at(self._descriptor, offset, data)
        self._size = max(self._size, offset + len(data))

    def keep(self, size: int, entry: Entry | None, *, suffix: bytes = b"") -> None:
        """Give it its size, its attributes as far as they are known, and its name."""
        if size != self._size:
            os.ftruncate(self._descriptor, size)
        if entry is not None:
            self._attributes.give(self._descriptor, entry)
        if suffix:  # nothing that is there is overwritten
            name = self._name + suffix
            os.link(self._ours, name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            return
        os.rename(self._ours, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        self._kept = True


class LocalSpool:
    """A file of ours that is put together from pieces."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.dropped = False

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset."""
        write_at(self._descriptor, offset, data)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that were written; fewer only at the end."""
        return os.pread(self._descriptor, size, offset)

    def drop(self) -> None:
        """It is not needed any more."""
        self.dropped = True


def write_at(descriptor: int, offset: int, data: bytes | memoryview) -> None:
    """Put all of some bytes at an offset."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


class Sentences:
    """Says of an error what it is an error of."""

    __slots__ = ("_path", "_root")

    def __init__(self, root: bytes, path: bytes) -> None:
        self._root, self._path = root, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None or isinstance(error, CedarchestError):
            return
        if isinstance(error, (ValueError, OverflowError)):  # no file system has such a name, number or time
            raise RestoreError(f"{to_text(self._path)} cannot be restored: {error}") from error
        if isinstance(error, OSError):
            raise self._said_of(error) from error

    def _said_of(self, error: OSError) -> RestoreError | DiskFull:
        shown = to_text(self._root.rstrip(b"/") + b"/" + self._path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(f"there is no room left for {shown}", path=shown)
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            reason = "something that is no folder is in its way, and is not followed"
        else:
            reason = error.strerror or type(error).__name__
        return RestoreError(
            f"{shown} cannot be restored: {reason}",
            advice="Put right what it says, or restore to another folder; then run the command again.",
            path=shown,
        )
