"""The folder that files are restored to: reached by handle, so that no link in it leads out of it.

A file is written under a name of ours beside its place, and gets its own name once it is whole. Folders are
made open for us alone; they get their attributes when all that is in them has been made.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import logging
import os
import pwd
import stat
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from cedarchest.errors import CedarchestError, DiskFull, RestoreError
from cedarchest.model.index import KIND_BY_FORMAT, Entry, Kind
from cedarchest.model.names import to_text
from cedarchest.ports.restoring import RestoreRules, There

log = logging.getLogger(__name__)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PATH_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OURS = b".cedarchest-"
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS)
_KEPT_FOLDERS = 64
_PIECE = 1 << 20
_PRIVILEGED_BITS = stat.S_ISUID | stat.S_ISGID
_ACL = b"system.posix_acl"
_PRIVILEGED_KINDS = (b"security.", b"trusted.")


class LocalRestoreFolders:
    """Folders of this machine that are restored to."""

    def open(self, root: Path, rules: RestoreRules) -> LocalRestoreFolder:
        """A folder, made where it is absent."""
        with _sentences(os.fsencode(root), b""):
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
        self._owners = _Owners(rules)
        self._privileged = rules.privileged
        self._left_off: Counter[str] = Counter()
        self._made: set[bytes] = set()
        self._finished: set[bytes] = set()
        self._loosened: dict[bytes, int] = {}  # folders that were made open for us, and their modes

    def close(self) -> None:
        """Give back what was opened, and to folders the modes they had, or that others get that are new."""
        umask = os.umask(0)
        os.umask(umask)
        new = dict.fromkeys(self._made - self._finished, 0o777 & ~umask)
        self._loosened.update({path: mode for path, mode in new.items() if not path.startswith(_OURS)})
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
        with self._at(path) as (shared, name), _again(shared) as parent:
            ours = _OURS + hashlib.sha256(name).hexdigest()[:16].encode()
            with contextlib.suppress(FileNotFoundError):  # what a killed run left
                os.unlink(ours, dir_fd=parent)
            descriptor = os.open(ours, _NEW, 0o600, dir_fd=parent)
            writing = LocalWriting(self, path, parent, ours, descriptor)
            try:
                yield writing
            finally:
                os.close(descriptor)
                if not writing.kept:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(ours, dir_fd=parent)

    def put(self, path: bytes, content: bytes, entry: Entry) -> None:
        """Make a small file where nothing is, content and attributes at once."""
        folder, _, name = path.rpartition(b"/")
        parent = self._folders.get(folder, -1)
        if parent < 0:
            self._make_parents(path)
            with self._at(path) as (parent, name):
                pass
        try:
            descriptor = os.open(b".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=parent)
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                with _sentences(self._shown, path):
                    raise
            self._put_by_name(path, content, entry)
            return
        with _sentences(self._shown, path):
            try:
                if os.write(descriptor, content) < len(content):
                    _write(descriptor, 0, content)
                self.attributes(descriptor, entry)
                os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=parent, follow_symlinks=True)
            finally:
                os.close(descriptor)

    def _put_by_name(self, path: bytes, content: bytes, entry: Entry) -> None:
        """The same on file systems that have no files without a name."""
        if self.look(path) is not None:
            with _sentences(self._shown, path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        with self.writing(path) as file:
            file.write(0, content)
            file.keep(len(content), entry)

    @contextlib.contextmanager
    def spool(self, name: bytes) -> Iterator[LocalSpool]:
        """A file of ours where something is put together; it stays until it is dropped."""
        folder = _OURS + b"spool"
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
                    self.attributes(descriptor, entry)
                finally:
                    os.close(descriptor)
                return
            self._own(lambda uid, gid: os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False), entry)
            if entry.kind is not Kind.LINK:
                with _by_handle(parent, name) as handle:
                    handle.chmod(entry.mode & 0o1777)
            with contextlib.suppress(OverflowError):
                os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def attributes(self, descriptor: int, entry: Entry) -> None:
        """Give an open file or folder owner, extended attributes, mode, ACLs and time, in this order."""
        self._own(partial(os.fchown, descriptor), entry)
        acls = [each for each in entry.xattrs if each[0].startswith(_ACL)]
        if entry.xattrs:
            self._xattrs(descriptor, entry, [each for each in entry.xattrs if each not in acls])
        mode = entry.mode & 0o7777
        if mode & _PRIVILEGED_BITS and not self._privileged:
            self._left_off["setuid or setgid bits"] += 1
            mode &= ~_PRIVILEGED_BITS
        os.fchmod(descriptor, mode)
        if acls:
            self._xattrs(descriptor, entry, acls)
        try:
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        except (OSError, OverflowError):
            self._left_off["times that this file system cannot hold"] += 1

    def _xattrs(self, descriptor: int, entry: Entry, xattrs: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in xattrs:
            if name.startswith(_PRIVILEGED_KINDS) and not self._privileged:
                self._left_off["attributes of the kinds security and trusted"] += 1
                continue
            try:
                os.setxattr(descriptor, name, value)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else "no such name"
                log.info("%s cannot be given %s: %s", to_text(entry.path), to_text(name), why)
                self._left_off[f"attributes that cannot be set here ({why})"] += 1

    def left_off(self) -> Mapping[str, int]:
        """Of what attributes how many were not set, in words."""
        return dict(self._left_off)

    def _own(self, change: Callable[[int, int], None], entry: Entry) -> None:
        if entry.uid < 0:  # it is not known
            return
        if not self._owners.may_be_set:
            if (entry.uid, entry.gid) != (os.geteuid(), os.getegid()):
                self._left_off["owners, which only root may set"] += 1
            return
        try:
            change(*self._owners.of(entry))
        except (PermissionError, OverflowError):
            self._left_off["owners, which this machine does not let us set"] += 1

    # -- ways --------------------------------------------------------------------------------------

    def at(self, path: bytes) -> contextlib.AbstractContextManager[None]:
        """Says of errors of what path they are."""
        return _sentences(self._shown, path)

    @contextlib.contextmanager
    def _at(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The folder that a path is in, open, and its name there; says of errors what they are of."""
        folder, _, name = path.rpartition(b"/")
        with _sentences(self._shown, path):
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


class LocalWriting:
    """A file on its way, under a name of ours."""

    def __init__(
        self, folder: LocalRestoreFolder, path: bytes, parent: int, ours: bytes, descriptor: int
    ) -> None:
        self._folder = folder
        self._path = path
        self._parent = parent
        self._ours, self._name = ours, path.rpartition(b"/")[2]
        self._descriptor = descriptor
        self._size = 0
        self.kept = False

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset."""
        with self._folder.at(self._path):
            _write(self._descriptor, offset, data)
        self._size = max(self._size, offset + len(data))

    def keep(self, size: int, entry: Entry | None, *, suffix: bytes = b"") -> None:
        """Give it its size, its attributes as far as they are known, and its name."""
        if size != self._size:
            os.ftruncate(self._descriptor, size)
        if entry is not None:
            self._folder.attributes(self._descriptor, entry)
        if suffix:  # nothing that is there is overwritten
            name = self._name + suffix
            os.link(self._ours, name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            return
        os.rename(self._ours, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        self.kept = True


class LocalSpool:
    """A file of ours that is put together from pieces."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.dropped = False

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset."""
        _write(self._descriptor, offset, data)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that were written; fewer only at the end."""
        return os.pread(self._descriptor, size, offset)

    def drop(self) -> None:
        """It is not needed any more."""
        self.dropped = True


def _write(descriptor: int, offset: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


class _Owners:
    """Whom restored files belong to, by number on this machine."""

    def __init__(self, rules: RestoreRules) -> None:
        self._rules = rules
        self._users: dict[tuple[str, int], int] = {}
        self._groups: dict[tuple[str, int], int] = {}
        self.may_be_set = os.geteuid() == 0

    def of(self, entry: Entry) -> tuple[int, int]:
        """User and group of an entry."""
        rules = self._rules
        return (
            _number(self._users, rules.users, entry.user, entry.uid, _user, numeric=rules.numeric),
            _number(self._groups, rules.groups, entry.group, entry.gid, _group, numeric=rules.numeric),
        )


def _number(
    known: dict[tuple[str, int], int],
    renamed: Mapping[str, str],
    name: str,
    number: int,
    ask: Callable[[str], int],
    *,
    numeric: bool,
) -> int:
    key = (name, number)
    if key not in known:
        meant = renamed.get(name) or renamed.get(str(number)) or ("" if numeric else name)
        try:
            known[key] = (
                int(meant) if meant.isdecimal() and meant.isascii() else ask(meant) if meant else number
            )
        except (KeyError, ValueError):
            known[key] = number
    return known[key]


def _user(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _group(name: str) -> int:
    return grp.getgrnam(name).gr_gid


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


@contextlib.contextmanager
def _sentences(root: bytes, path: bytes) -> Iterator[None]:
    """Says of an error what it is an error of."""
    try:
        yield
    except CedarchestError:
        raise
    except (ValueError, OverflowError) as error:  # no file system has such a name, number or time
        raise RestoreError(f"{to_text(path)} cannot be restored: {error}") from error
    except OSError as error:
        shown = to_text(root.rstrip(b"/") + b"/" + path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"there is no room left for {shown}", path=shown) from error
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            reason = "something that is no folder is in its way, and is not followed"
        else:
            reason = error.strerror or type(error).__name__
        raise RestoreError(
            f"{shown} cannot be restored: {reason}",
            advice="Put right what it says, or restore to another folder; then run the command again.",
            path=shown,
        ) from error
