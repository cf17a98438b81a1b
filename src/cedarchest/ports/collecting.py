"""What is collected, and the collect dir that it is left in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cedarchest.config.choices import ArchiveFormat
from cedarchest.config.collect import Collect, CollectSource
from cedarchest.model.handover import Collected
from cedarchest.model.increments import Held, Seen, State


@dataclass(frozen=True, slots=True)
class SourceLook:
    """A source as it stands: by absolute path of the file or folder of each archive what belongs into it.

    `problems` are paths from `/` that cannot be looked at, with the reason.
    """

    archives: Mapping[bytes, Sequence[Seen]]
    problems: Mapping[bytes, str]


@dataclass(frozen=True, slots=True)
class KeptOut:
    """What of ours stays out of a source that it lies below: folders, and images that stand in a shelf."""

    folders: Sequence[Path] = ()
    shelves: Sequence[Path] = ()


class Sources(Protocol):
    """The files of this machine that are to be collected."""

    def look(
        self, collect: Collect, source: CollectSource, known: Mapping[bytes, Held], own: KeptOut
    ) -> SourceLook:
        """All of a source that is not left out; below it the collect dir, and what is our `own`, always are.

        What still is as it is `known` (path from `/`) is given as the entry there, digest included, and is
        not looked at any closer.

        Raises:
            CollectError: the source is not there, or may not be read.
        """
        ...

    def digest(self, seen: Seen) -> bytes | None:
        """The SHA-256 of a file; None when it cannot be read or does not hold still."""
        ...


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that was written: what it holds, and why not what it does not hold, by path from `/`.

    What is held has the fingerprint from before it was read; `restless` are those of which that changed
    while they were read. `said` is what the tool says besides.
    """

    collected: Collected
    held: Sequence[Held] = ()
    unread: Mapping[bytes, str] = field(default_factory=dict)
    restless: Sequence[bytes] = ()
    said: Sequence[str] = ()


class CollectDir(Protocol):
    """The collect dir. What is written there has its name only when it is whole, and is ours alone to read.

    Every method may raise CollectError (the folder cannot be used) and DiskFull.
    """

    def owner(self) -> tuple[int, int]:
        """The user and group that files are made for, by number; -1 for one that nobody chose.

        Raises:
            ConfigError: this machine has not the one that was chosen.
        """
        ...

    def begin(self, root: Path) -> bool:
        """Make the folder where it is absent, take the mark away, and what killed runs left.

        Whether the mark was there.
        """
        ...

    def packing(
        self,
        root: Path,
        name: bytes,
        form: ArchiveFormat,
        members: Sequence[Seen],
        read: Callable[[int], None],
    ) -> AbstractContextManager[Packed]:
        """Archive members; the archive gets its name when the block is left without an error.

        `read` gets the bytes so far, before they are packed.

        Raises:
            ToolMissing, ToolFailed: each what it says; the archive that had the name is as it was.
        """
        ...

    def pack_output(
        self, root: Path, name: bytes, form: ArchiveFormat, argv: Sequence[str], read: Callable[[int], None]
    ) -> Packed:
        """Keep what a program writes on its standard output as `name`.

        Raises:
            CollectError: the program failed; what had the name is as it was.
        """
        ...

    def write(self, root: Path, name: bytes, content: bytes) -> Collected:
        """Write a file that goes with an archive."""
        ...

    def remove(self, root: Path, names: Sequence[bytes]) -> None:
        """Take away files that are there."""
        ...

    def finish(self, root: Path, files: Mapping[bytes, Collected]) -> None:
        """Say what this collect left, and that it has ended."""
        ...

    def add(self, root: Path, files: Mapping[bytes, Collected], *, marked: bool) -> None:
        """Say what was added to what a collect left; the mark is there again if it was."""
        ...


class CollectStates(Protocol):
    """What earlier collects found, kept in `state_dir` by the name of the archive.

    Every method may raise CollectError and DiskFull.
    """

    def heads(self, name: bytes) -> Mapping[int, State | None]:
        """The states by number, newest first, without what they hold; None for a damaged one."""
        ...

    def load(self, name: bytes, number: int) -> State | None:
        """A state; None when it is damaged."""
        ...

    def keep(self, name: bytes, state: State, *, number: int, forget_before: int) -> None:
        """Keep a state under a number; those with a smaller one than `forget_before` are forgotten."""
        ...
