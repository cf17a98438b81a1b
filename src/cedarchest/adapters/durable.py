"""Writes that survive a power cut: temporary name, fsync, rename, fsync of the directory."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from cedarchest.errors import CatalogError, CedarchestError, DiskFull


@contextlib.contextmanager
def durable_file(path: Path, mode: int = 0o600, *, suffix: str = "") -> Iterator[BinaryIO]:
    """A stream whose content stands at `path` once the block is left without an exception.

    Before that `path` is as it was. No link is followed: the temporary name is new, and the rename
    replaces whatever `path` is. That name may get a `suffix` that tells it from other files.

    Raises:
        DiskFull: there is no room for it.
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{suffix}")
    new = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, new, mode), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{path} cannot be written: {error.strerror}", path=str(path)) from error
        raise


@contextlib.contextmanager
def written_below(root: Path) -> Iterator[None]:
    """Says in a sentence what keeps us from writing below a folder of the state or working directory.

    Raises:
        DiskFull: there is no room for it.
        CatalogError: something else keeps us from it.
    """
    try:
        yield
    except CedarchestError:
        raise
    except OSError as error:
        problem = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else CatalogError
        raise problem(
            f"{root} cannot be written: {error.strerror}",
            advice="Make room, or correct [options] state_dir or its permissions.",
        ) from error


def clear_unfinished(directory: Path, names: Iterable[str]) -> None:
    """Take away what writers of these names left in a directory when they were killed."""
    left_behind = re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})\.[0-9a-f]{{8}}")
    with contextlib.suppress(OSError):  # whatever is wrong with the folder is said when it is looked at
        for path in directory.iterdir():
            if left_behind.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                path.unlink()


def begin_flush(descriptor: int, start: int, end: int) -> None:
    """Have the kernel begin to write out bytes of a file: then the fsync at its end waits for the last only.

    It only hurries: what keeps the kernel from it is no failure, the fsync says what went wrong.
    Source: Linux, mm/fadvise.c: what is dirty is written first, and not waited for.
    """
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file still stands at a path; another may have taken its place."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
