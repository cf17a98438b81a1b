"""Where files are restored to, and archives that are taken apart for it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from cedarchest.model.index import Entry, Kind


@dataclass(frozen=True, slots=True)
class RestoreRules:
    """What of attributes comes back: all that is privileged or only what is not; owners under which names.

    Privileged are setuid and setgid, device nodes, and attributes of the kinds `security` and `trusted`.
    Owners go by name where this machine has the name, unless `numeric`; `users` and `groups` have other names
    for some.
    """

    privileged: bool = False
    numeric: bool = False
    users: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


class There(NamedTuple):
    """What stands at a path already: its time, and where it leads to if it is a link."""

    kind: Kind
    size: int
    mtime_ns: int
    target: bytes = b""


class Writing(Protocol):
    """A file that is being written; it has no name that anybody would take it for before it is kept."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset; what is not written reads as zeros and takes no room.

        Raises:
            DiskFull, RestoreError: they cannot be written.
        """
        ...

    def keep(self, size: int, entry: Entry | None, *, suffix: bytes = b"") -> None:
        """Give it its size, its attributes as far as they are known, and its name.

        Raises:
            DiskFull, RestoreError: it cannot be.
        """
        ...


class Spool(Protocol):
    """A file of ours that is put together from pieces.

    Every method may raise RestoreError and DiskFull.
    """

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that were written, now or by an earlier run; fewer only at the end."""
        ...

    def drop(self) -> None:
        """It is not needed any more."""
        ...


class RestoreFolder(Protocol):
    """The folder that is restored to. Everything in it is reached by handle, and no link is followed.

    Every method may raise RestoreError (it cannot be done at that path, and why) and DiskFull.
    """

    def look(self, path: bytes) -> There | None:
        """What is at a path; None where nothing is."""
        ...

    def digest(self, path: bytes, read: Callable[[int], None]) -> bytes:
        """The SHA-256 of a file that is there; `read` gets the bytes so far."""
        ...

    def writing(self, path: bytes) -> AbstractContextManager[Writing]:
        """Write a file; what is not kept is gone afterwards."""
        ...

    def put(self, path: bytes, content: bytes, entry: Entry) -> None:
        """Make a small file where nothing is, content and attributes at once."""
        ...

    def spool(self, name: bytes) -> AbstractContextManager[Spool]:
        """A file of ours where something is put together; it stays for a later run until it is dropped."""
        ...

    def folder(self, path: bytes) -> None:
        """Have a folder there."""
        ...

    def made(self, path: bytes) -> bool:
        """Whether a folder was made here and now, since it was not there."""
        ...

    def remove(self, path: bytes) -> None:
        """Take away a file, if it is there."""
        ...

    def make(self, path: bytes, entry: Entry, *, replace: bool) -> bool:
        """Make a link, pipe or device there, attributes included; False for what is made only when asked."""
        ...

    def join(self, path: bytes, other: bytes, *, replace: bool) -> None:
        """Have a file at `path` that is the one at `other`."""
        ...

    def finish(self, path: bytes, entry: Entry) -> None:
        """Give what is there the attributes of an entry."""
        ...

    def left_off(self) -> Mapping[str, int]:
        """Of what attributes how many were not set, in words."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


class RestoreFolders(Protocol):
    """Opens folders that are restored to."""

    def open(self, root: Path, rules: RestoreRules) -> RestoreFolder:
        """A folder, made where it is absent.

        Raises:
            RestoreError: it cannot be made, or may not be written.
        """
        ...


class Chunk(NamedTuple):
    """Bytes of a file at an offset; what lies between chunks are zeros."""

    offset: int
    data: bytes


class Unpacked(NamedTuple):
    """A member of an archive, its content, and its attributes as the archive has them.

    `path` is as it would be below the folder that it is unpacked in, `hardlink` that of the member before
    which is the same file. `chunks` are read before the next member is asked for, or never.
    """

    path: bytes
    kind: Kind
    hardlink: bytes
    chunks: Iterator[Chunk]
    entry: Callable[[], Entry]


class Unpacker(Protocol):
    """Takes archives apart, whatever they are packed with, on the way, and never into files."""

    def members(self, name: bytes, pieces: Iterable[bytes], size: int) -> Generator[Unpacked]:
        """The members of an archive of a name, from its bytes as they come, `size` in all.

        Where it is damaged those come that can still be told; what `pieces` raises comes through.

        Raises:
            RestoreError: it is damaged, from there on; or larger than anybody has to believe.
            ToolMissing: the program that unpacks it.
        """
        ...
