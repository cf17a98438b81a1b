"""The machines that are backed up, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cedarchest.model.index import Kind


@dataclass(frozen=True, slots=True)
class Handover:
    """That a peer's collect has ended: when its `cback.collect` was written, and the list beside it.

    The list is the content of `cback.collect.jsonl`, empty where the peer makes none.
    """

    at: datetime
    listed: bytes


@dataclass(frozen=True, slots=True)
class PeerItem:
    """Something in a peer's collect dir: `path` is raw bytes from there, `target` where a link leads.

    `mode` has the permission bits (0777); `mtime` is whole seconds, None for a time that cannot be told.
    """

    path: bytes
    kind: Kind
    size: int
    mode: int
    mtime: int | None
    target: bytes = b""


@dataclass(frozen=True, slots=True)
class PeerLook:
    """A collect dir as it was found: its own mode, all in it, a line for each thing not to be looked at."""

    mode: int
    items: tuple[PeerItem, ...]
    problems: tuple[str, ...]


class PeerFolder(Protocol):
    """A peer's collect dir, on this machine or on another; nothing in it is trusted.

    Every method may raise PeerError (the peer cannot be reached, or does not let us) and ToolMissing.
    """

    def handover(self) -> Handover | None:
        """Whether the peer's collect has ended; None when it has not, or not ever."""
        ...

    def look(self) -> PeerLook:
        """All that is in it. Follows no link."""
        ...

    def fetch(
        self,
        paths: Iterable[bytes],
        into: Path,
        arrived: Callable[[bytes, int], None],
        *,
        resumable: bool = True,
    ) -> tuple[str, ...]:
        """Copy these paths below `into`; gives a line for each that could not be had in full.

        A folder brings all that is in it now, `.` the whole collect dir.

        A file has its name there only when it is whole; what a broken line left of one that was `resumable`
        is gone on with, for which it costs a little more to have each.
        `arrived` gets the path and size of each thing that is there, or is about to be; a folder's may end
        in a slash. Nobody gets a right by a copied mode (setuid) and nothing but files, folders and links is
        made.

        Raises:
            DiskFull: there is no room for them.
        """
        ...

    def put(self, folder: Path) -> None:
        """Copy all below a folder of ours into the collect dir, in the place of what has their names."""
        ...


@dataclass(frozen=True, slots=True)
class PeerRun:
    """A program that ended on a peer: its exit status, and what it said, line by line."""

    status: int
    said: tuple[str, ...]


class Peers(Protocol):
    """The machines that are backed up."""

    def named(self, name: str) -> PeerFolder:
        """The collect dir of a configured peer."""
        ...

    def act(self, name: str, argv: Sequence[str]) -> PeerRun:
        """Run a program on a configured remote peer to its end.

        Raises:
            PeerError: nobody can log in there, or the line broke; the program may still be at work.
            ToolMissing: there is no ssh here.
        """
        ...

    def stop(self) -> None:
        """End what is on its way; those who wait for it get a PeerError. Any thread may call it."""
        ...


class Receipts(Protocol):
    """What peers were told, and are to be told, of their files on disc; kept in `state_dir`.

    Every method may raise StagingError, where that folder cannot be used, or DiskFull.
    """

    def proof(self, day: str) -> Sequence[str]:
        """What the receipts of a day go by; nothing when there are none."""
        ...

    def write(self, day: str, proof: Sequence[str], receipts: Mapping[str, bytes]) -> None:
        """Keep the receipts of a day, by peer, to be brought to them."""
        ...

    def has(self, peer: str, day: str) -> bool:
        """Whether a peer has, or is to get, a receipt of a day."""
        ...

    def held(self, peer: str) -> Iterator[bytes]:
        """All receipts of a peer, whether it has them yet or not."""
        ...

    def due(self, peer: str) -> Path | None:
        """A folder of what is to be brought to a peer, as it is to stand there; None when nothing is."""
        ...

    def delivered(self, peer: str) -> None:
        """What was due has been brought."""
        ...
