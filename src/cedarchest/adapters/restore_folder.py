"""The folder that files are restored to: reached by handle, so that no link in it leads out of it.

Folders are made open for us alone; they get their attributes when all that is in them has been made. What
these are is in `restore_attributes`, how a file is written in `restore_files`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cedarchest.adapters.restore_attributes import Attributes
from cedarchest.adapters.restore_files import OURS, LocalSpool, LocalWriting, Sentences, write_at
from cedarchest.errors import RestoreError
from cedarchest.model.index import KIND_BY_FORMAT, Entry, Kind
from cedarchest.ports.restoring import RestoreRules, There

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PATH_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_UNNAMED = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS)
_KEPT_FOLDERS = 64
_PIECE = 1 << 20


class LocalRestoreFolders:
    """Folders of this machine that are restored to."""

    def open(self, root: Path, rules: RestoreRules) -> LocalRestoreFolder:
        """A folder, made where it is absent."""
        with Sentences(os.fsencode(root), b""):
            root.mkdir(parents=True, exist_ok=True)
            if root != Path("/") and not os.access(root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return LocalRestoreFolder(root, rules)


class LocalRestoreFolder:
    """One of them, open."""

    def __init__(self, root: Path, rules: RestoreRules) -> None:
        self._shown = os.fsencode(root)
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folders: OrderedDict[bytes, int] = OrderedDict()
        self._attributes = Attributes(rules)
        self._privileged = rules.privileged
        self._made: set[bytes] = set()
        self._finished: set[bytes] = set()
        self._loosened: dict[bytes, int] = {}  # folders that were made open for us, and their modes

    def close(self) -> None:
        """Give back what was opened, and to folders the modes they had, or that others get that are new."""
        umask = os.umask(0)
        os.umask(umask)
        new = dict.fromkeys(self._made - self._finished, 0o777 & ~umask)
        self._loosened.update({path: mode for path, mode in new.items() if not path.startswith(OURS)})
        for path, mode in self._loosened.items():
            with (
                contextlib.suppress(OSError),
                self._at(path) as (parent, name),
                _by_handle(parent, name) as it,
            ):
                it.chmod(mode)
        for descriptor in (*self._folders.values(), self._root):
            os.close(descriptor)
        os.sync()  # what is told to be there stays there
        self._folders.clear()

    def look(self, path: bytes) -> There | None:
        """What is at a path; None where nothing is."""
        try:
            with self._at(path) as (parent, name):
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                target = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(status.st_mode) else b""
        except RestoreError as error:
            if error.__cause__ is not None and isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        kind = KIND_BY_FORMAT[stat.S_IFMT(status.st_mode)]
        return There(kind, status.st_size, status.st_mtime_ns, target)

    def digest(self, path: bytes, read: Callable[[int], None]) -> bytes:
        """The SHA-256 of a file that is there."""
        whole = hashlib.sha256()
        with (
            self._at(path) as (parent, name),
            os.fdopen(_reopened(parent, name, _FILE), "rb", 0) as file,
        ):
            done = 0
            while piece := file.read(_PIECE):
                whole.update(piece)
                done += len(piece)
                read(done)
        return whole.digest()

    @contextlib.contextmanager
    def writing(self, path: bytes) -> Iterator[LocalWriting]:
        """Write a file; what is not kept is gone afterwards."""
        self._make_parents(path)
        with (
            self._at(path) as (shared, _),
            _again(shared) as parent,
            contextlib.closing(LocalWriting(self._shown, path, parent, self._attributes)) as file,
        ):
            yield file

    def put(self, path: bytes, content: bytes, entry: Entry) -> None:
        """Make a small file where nothing is, content and attributes at once."""
        folder, _, name = path.rpartition(b"/")
        parent = self._folders.get(folder, -1)
        if parent < 0:
            self._make_parents(path)
            with self._at(path) as (parent, name):
                pass
        try:
            descriptor = os.open(b".", _UNNAMED, 0o600, dir_fd=parent)
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                with Sentences(self._shown, path):
                    raise
            self._put_by_name(path, content, entry)
            return
        with Sentences(self._shown, path):
            try:
                if os.write(descriptor, content) < len(content):
                    write_at(descriptor, 0, content)
                self._attributes.give(descriptor, entry)
                os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=parent, follow_symlinks=True)
            finally:
                os.close(descriptor)

    def _put_by_name(self, path: bytes, content: bytes, entry: Entry) -> None:
        """The same on file systems that have no files without a name."""
        if self.look(path) is not None:
            with Sentences(self._shown, path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        with self.writing(path) as file:
            file.write(0, content)
            file.keep(len(content), entry)

    @contextlib.contextmanager
    def spool(self, name: bytes) -> Iterator[LocalSpool]:
        """A file of ours where something is put together; it stays until it is dropped."""
        folder = OURS + b"spool"
        path = folder + b"/" + name
        self._make_parents(path)
        with self._at(path) as (shared, _), _again(shared) as parent:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o600, dir_fd=parent)
            spool = LocalSpool(descriptor)
            try:
                yield spool
            finally:
                os.close(descriptor)
                if spool.dropped:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=parent)
                    with contextlib.suppress(OSError):  # others are in it
                        os.rmdir(folder, dir_fd=self._root)
                        os.close(self._folders.pop(folder))

    def folder(self, path: bytes) -> None:
        """Have a folder there."""
        self._make_parents(path + b"/.")

    def made(self, path: bytes) -> bool:
        """Whether a folder was made here and now, since it was not there."""
        return path in self._made

    def remove(self, path: bytes) -> None:
        """Take away a file, if it is there."""
        with self._at(path) as (parent, name), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)

    def make(self, path: bytes, entry: Entry, *, replace: bool) -> bool:
        """Make a link, pipe or device there; False for what is made only when asked."""
        if entry.kind in (Kind.CHAR, Kind.BLOCK) and not self._privileged:
            return False
        if entry.kind is Kind.SOCKET:  # only a program that listens there can make one
            return True
        self._make_parents(path)
        with self._at(path) as (parent, name):
            if replace:
                _remove(parent, name)
            if entry.kind is Kind.LINK:
                os.symlink(entry.target, name, dir_fd=parent)
            elif entry.kind is Kind.FIFO:
                os.mkfifo(name, 0o600, dir_fd=parent)
            else:
                kind = stat.S_IFCHR if entry.kind is Kind.CHAR else stat.S_IFBLK
                os.mknod(name, kind | 0o600, entry.rdev, dir_fd=parent)
        self.finish(path, entry)
        return True

    def join(self, path: bytes, other: bytes, *, replace: bool) -> None:
        """Have a file at `path` that is the one at `other`."""
        self._make_parents(path)
        with (
            self._at(other) as (shared, name),
            _again(shared) as first,
            self._at(path) as (parent, link),
        ):
            if replace:
                _remove(parent, link)
            os.link(name, link, src_dir_fd=first, dst_dir_fd=parent, follow_symlinks=False)

    def finish(self, path: bytes, entry: Entry) -> None:
        """Give what is there the attributes of an entry."""
        self._finished.add(path)
        with self._at(path) as (parent, name):
            if entry.kind in (Kind.FILE, Kind.DIR):
                descriptor = _reopened(parent, name, _FOLDER if entry.kind is Kind.DIR else _FILE)
                self._loosened.pop(path, None)
                try:
                    self._attributes.give(descriptor, entry)
                finally:
                    os.close(descriptor)
                return
            self._attributes.own(
                lambda uid, gid: os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False), entry
            )
            if entry.kind is not Kind.LINK:
                with _by_handle(parent, name) as handle:
                    handle.chmod(entry.mode & 0o1777)
            with contextlib.suppress(OverflowError):
                os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def left_off(self) -> Mapping[str, int]:
        """Of what attributes how many were not set, in words."""
        return dict(self._attributes.left_off)

    @contextlib.contextmanager
    def _at(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The folder that a path is in, open, and its name there; says of errors what they are of."""
        folder, _, name = path.rpartition(b"/")
        with Sentences(self._shown, path):
            yield self._opened(folder), name

    def _opened(self, folder: bytes) -> int:
        """A folder, by handles from the root on; those that were used last stay open."""
        if not folder:
            return self._root
        if (known := self._folders.get(folder)) is not None:
            self._folders.move_to_end(folder)
            return known
        below: list[bytes] = []
        while folder and folder not in self._folders:
            below.append(folder)
            folder = folder.rpartition(b"/")[0]
        descriptor = self._folders[folder] if folder else self._root
        for each in reversed(below):
            descriptor = os.open(each.rpartition(b"/")[2], _FOLDER, dir_fd=descriptor)
            self._folders[each] = descriptor
            if len(self._folders) > _KEPT_FOLDERS:
                os.close(self._folders.popitem(last=False)[1])
        return descriptor

    def _make_parents(self, path: bytes) -> None:
        """Have all folders above a path."""
        folder = path.rpartition(b"/")[0]
        missing: list[bytes] = []
        while folder and folder not in self._folders:
            missing.append(folder)
            folder = folder.rpartition(b"/")[0]
        for each in reversed(missing):
            with self._at(each) as (parent, name):
                self._have_folder(each, parent, name)
                self._opened(each)

    def _have_folder(self, folder: bytes, parent: int, name: bytes) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
            self._made.add(folder)
        except FileExistsError:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
            if not status.st_mode & stat.S_IWUSR and status.st_uid == os.geteuid() != 0:
                self._loosened[folder] = stat.S_IMODE(status.st_mode)
                with _by_handle(parent, name) as handle:
                    handle.chmod(self._loosened[folder] | stat.S_IRWXU)


@contextlib.contextmanager
def _again(descriptor: int) -> Iterator[int]:
    """The same open folder, for as long as it is needed."""
    again = os.dup(descriptor)
    try:
        yield again
    finally:
        os.close(again)


@contextlib.contextmanager
def _by_handle(parent: int, name: bytes) -> Iterator[Path]:
    """A path to exactly what has a name in a folder, whatever takes its place."""
    descriptor = os.open(name, _PATH_ONLY, dir_fd=parent)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _reopened(parent: int, name: bytes, flags: int) -> int:
    """A file or folder of ours, open, though its own mode may forbid that."""
    try:
        return os.open(name, flags, dir_fd=parent)
    except PermissionError:
        with _by_handle(parent, name) as handle:
            mode = stat.S_IMODE(handle.stat().st_mode)
            handle.chmod(mode | stat.S_IRWXU)
            try:
                return os.open(name, flags, dir_fd=parent)
            finally:
                handle.chmod(mode)


def _remove(parent: int, name: bytes) -> None:
    """Take away what has a name, unless it is a folder with something in it."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        os.rmdir(name, dir_fd=parent)
