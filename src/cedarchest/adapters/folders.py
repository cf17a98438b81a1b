"""Folders that are kept small: everything is reached by handle, so that no link leads out of them.

A name in a folder that others may write to is data: it is never joined to a path that the kernel would
resolve anew, and each step to a file opens a folder that is no link.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path

from cedarchest.adapters.digests import digest_descriptor
from cedarchest.errors import StagingError
from cedarchest.model.index import KIND_BY_FORMAT, Fingerprint, Kind
from cedarchest.model.names import to_text
from cedarchest.ports import FolderItem

log = logging.getLogger(__name__)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SMALL = 64 << 20
_ASIDE = re.compile(r"\.(\d\d)\.(purging|purged)")
"""A day on its way out: moved aside to be looked at once more (`purging`), or found to be as it was."""


class LocalFolders:
    """Folders of this machine."""

    def __init__(self) -> None:
        self._unlinked: set[tuple[int, int]] = set()  # files that lost one of several names here

    def look(self, root: Path) -> tuple[FolderItem, ...]:
        """All below a folder on its file system, what a folder holds before the folder itself."""
        found: list[FolderItem] = []
        pending = [b""]
        with _sentences(root, "looked at"), inside(root) as top:
            device = os.fstat(top).st_dev
            while pending:
                parent = pending.pop()
                with below(top, parent) as folder, os.scandir(folder) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        path = (parent + b"/" if parent else b"") + os.fsencode(entry.name)
                        found.append(_item(path, status))
                        if stat.S_ISDIR(status.st_mode):
                            if status.st_dev == device:
                                pending.append(path)
                            else:  # another file system is mounted there: it never grows old
                                found[-1] = replace(found[-1], changed_ns=sys.maxsize)
        return tuple(reversed(found))

    def digest(self, root: Path, item: FolderItem) -> bytes:
        """The SHA-256 of a file."""
        folder, _, name = item.path.rpartition(b"/")
        with _sentences(root, "read", item), inside(root, folder) as parent:
            descriptor = os.open(name, _FILE, dir_fd=parent)
            try:
                digest = digest_descriptor(descriptor, item.size)
                same = _item(item.path, os.fstat(descriptor)) == item
            finally:
                os.close(descriptor)
        if digest is None or not same:
            raise StagingError(
                f"{_shown(root, item)} changed while it was read",
                advice="Let whatever writes it finish, then run the command again.",
            )
        return digest

    def read(self, root: Path, item: FolderItem) -> bytes:
        """The content of a small file."""
        folder, _, name = item.path.rpartition(b"/")
        with (
            _sentences(root, "read", item),
            inside(root, folder) as parent,
            os.fdopen(os.open(name, _FILE, dir_fd=parent), "rb") as stream,
        ):
            content = stream.read(_SMALL + 1)
        if len(content) > _SMALL:
            raise StagingError(f"{_shown(root, item)} is larger than {_SMALL} bytes", path=str(root))
        return content

    def remove(self, root: Path, item: FolderItem) -> bool:
        """Remove a file that is as it was, or a folder that is empty; False when it is not so."""
        folder, _, name = item.path.rpartition(b"/")
        with _sentences(root, "removed", item):
            try:
                with inside(root, folder) as parent:
                    return self._remove(parent, name, item)
            except FileNotFoundError:
                return False

    def _remove(self, parent: int, name: bytes, item: FolderItem) -> bool:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        inode = (status.st_dev, status.st_ino)
        if item.kind is Kind.DIR:
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    return False
                raise
            return True
        now = _item(item.path, status)
        if inode in self._unlinked:  # its time of change is ours
            now = replace(now, changed_ns=item.changed_ns, fingerprint=item.fingerprint)
        if now != item:
            return False
        os.unlink(name, dir_fd=parent)
        if status.st_nlink > 1:
            self._unlinked.add(inode)
        return True


def take_out(root: Path, day: str, look_again: Callable[[Path], None]) -> None:
    """Remove a day's folder: moved aside, looked at once more, then gone. A kill leaves all or nothing.

    What `look_again` raises comes through, and the day is where it was.

    Raises:
        StagingError: it may not be removed.
    """
    month, _, name = day.rpartition("/")
    aside, gone = f".{name}.purging", f".{name}.purged"
    with _sentences(root / day, "removed"):
        with inside(root, month.encode()) as parent:
            os.rename(name, aside, src_dir_fd=parent, dst_dir_fd=parent)
            try:
                look_again(root / month / aside)
            except BaseException:
                os.rename(aside, name, src_dir_fd=parent, dst_dir_fd=parent)
                raise
            os.rename(aside, gone, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
            shutil.rmtree(gone, dir_fd=parent)
        _remove_empty(root, month)


def finish_taking_out(root: Path) -> None:
    """See to the end what `take_out` had begun when it was killed.

    Raises:
        StagingError: it cannot be seen to its end; names it.
    """
    months = [
        path
        for path in root.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]")
        if path.is_dir() and not path.is_symlink() and not path.parent.is_symlink()
    ]
    for path in months:
        month = path.relative_to(root).as_posix()
        with _sentences(path, "looked at"), inside(root, month.encode()) as parent:
            names = _names(parent)
            for match in filter(None, map(_ASIDE.fullmatch, names)):
                _finish_one(path, parent, match, names)
        _remove_empty(root, month)


def _names(folder: int) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _finish_one(month: Path, parent: int, match: re.Match[str], names: Container[str]) -> None:
    name, day, how_far = match[0], match[1], match[2]
    if how_far == "purged":
        shutil.rmtree(name, dir_fd=parent)
    elif day in names:
        log.warning(
            "%s is left of a purge that was killed, and its day was staged anew: remove it when nothing in it"
            " is needed",
            month / name,
        )
    else:
        os.rename(name, day, src_dir_fd=parent, dst_dir_fd=parent)


def _remove_empty(root: Path, month: str) -> None:
    """Take away a month and a year that hold nothing any more."""
    with contextlib.suppress(OSError), inside(root) as top:
        os.rmdir(month, dir_fd=top)
        os.rmdir(month.partition("/")[0], dir_fd=top)


@contextlib.contextmanager
def inside(root: Path, folder: bytes = b"") -> Iterator[int]:
    """A handle of a folder below `root`; `root` itself may be a link, nothing below it."""
    top = os.open(root, _FOLDER)
    try:
        with below(top, folder) as descriptor:
            yield descriptor
    finally:
        os.close(top)


@contextlib.contextmanager
def below(top: int, folder: bytes) -> Iterator[int]:
    """A handle of a folder below one that is open; no part of the way is a link."""
    descriptor = os.dup(top)
    try:
        for name in folder.split(b"/") if folder else []:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _sentences(place: Path, done: str, item: FolderItem | None = None) -> Iterator[None]:
    """Says what could not be done to what."""
    try:
        yield
    except StagingError:
        raise
    except OSError as error:
        path = _shown(place, item) if item else str(place)
        raise StagingError(
            f"{path} cannot be {done}: {error.strerror}",
            advice="Correct its permissions, or run as the user it belongs to.",
            path=path,
        ) from error


def _shown(root: Path, item: FolderItem) -> str:
    return f"{root}/{to_text(item.path)}"


def _item(path: bytes, status: os.stat_result) -> FolderItem:
    kind = KIND_BY_FORMAT[stat.S_IFMT(status.st_mode)]
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    size = status.st_size if kind is Kind.FILE else 0
    return FolderItem(path, kind, size, changed, Fingerprint(status.st_ino, status.st_ctime_ns))
