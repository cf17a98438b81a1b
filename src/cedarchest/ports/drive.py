"""Drives: what writes and reads discs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cedarchest.model.disc import Observation


@dataclass(frozen=True, slots=True)
class Graft:
    """A staged path and the absolute path it takes on the disc, both raw bytes.

    A directory brings all below it, unless `single`: then only itself. Of a file with a `span` comes only
    that part: where it begins, and its bytes.
    """

    source: bytes
    target: bytes
    single: bool = False
    span: tuple[int, int] | None = None


def stays_open(_blocks: int) -> bool:
    """Another session may follow."""
    return False


@dataclass(frozen=True, slots=True)
class ImageTree:
    """The tree of a session in an image file that begins at a block."""

    image: Path
    start: int


@dataclass(frozen=True, slots=True)
class SessionSource:
    """What a session is made of.

    `base` is the number of the session whose tree the new one goes on top of; 0 begins an empty tree, or
    brings the whole `tree` of another disc's image with it.
    `made_dirs` are absolute disc paths that we make (0755, root, time `made_at`), parents first.
    `removed` are disc paths taken out of that tree with all below them, before anything comes into it.
    `excluded` are source paths below grafted directories that never come into it. `later` is what is grafted
    after `grafts`, iterated once: it may be prepared while the tool looks at those. `changed_ns` is when
    anything of `grafts` changed last, in nanoseconds since 1970. `closes` gets the session's size in blocks,
    once it is confirmed, and says whether a sequential disc is closed with it.
    """

    volume_id: str
    base: int
    made_dirs: tuple[bytes, ...]
    grafts: Sequence[Graft]
    removed: tuple[bytes, ...]
    made_at: int
    excluded: tuple[bytes, ...] = ()
    later: Iterable[Graft] = ()
    changed_ns: int = 0
    tree: ImageTree | None = None
    closes: Callable[[int], bool] = stays_open


@dataclass(frozen=True, slots=True)
class Burnt:
    """What the tool said after a write: whether it met input that changed, and how fast it wrote.

    `close_failed` is what the drive said when it had taken all data, and would not close the session.
    """

    input_changed: bool
    speed_kb_s: int = 0  # 0 where it was too little to measure
    close_failed: str = ""


class Writer(Protocol):
    """A drive: a burner, or a shelf that loads its own discs. Nothing is ever guessed.

    Reading works on blocks of 2048 bytes of the loaded disc, at rising addresses, from the device
    and not from a cache once `reload` was called.
    """

    @property
    def device(self) -> str:
        """The device as configured."""
        ...

    @property
    def loads_itself(self) -> bool:
        """Whether `load` needs no hand (a shelf)."""
        ...

    @property
    def image(self) -> Path | None:
        """The file that the loaded disc is; None in a drive."""
        ...

    def labels(self) -> tuple[str, ...]:
        """Labels of the discs of ours that can be loaded without a hand, in order of name."""
        ...

    def observe(self) -> Observation:
        """The disc that is loaded now. Writes nothing; a blank disc stays blank.

        Raises:
            MediaError: the disc is damaged in a way that leaves its state unknown.
            ToolError: the drive or the tool did not answer in a way we understand.
        """
        ...

    def load(self, label: str) -> Observation:
        """Have the disc of this label in the drive.

        Raises:
            NoMedium, WrongDisc: another one or none is there, and no hand of ours can change that.
        """
        ...

    def load_blank(self, label: str) -> Observation:
        """Have a disc in the drive on which a first session labelled `label` can be written.

        Raises:
            NoMedium, NotAppendable, ForeignDisc: the disc that is there cannot become it.
        """
        ...

    def write(self, source: SessionSource, confirm: Callable[[int], None]) -> Burnt:
        """Write a session to the loaded disc.

        `confirm` gets the session's size in blocks as the tool computed it, before a block is
        written; when it raises, nothing is written and the exception comes through.

        Raises:
            MediumFull: the tool refused for want of space; nothing is written.
            ToolError, MediaError, DiskFull: the write failed; what is on the disc is unknown.
        """
        ...

    def blank(self, *, full: bool = False) -> None:
        """Erase the loaded rewritable disc: what says what is on it or, which takes long, all of it.

        Raises:
            NotAppendable: it is write-once.
        """
        ...

    def close_damaged(self) -> None:
        """Close what a torn write left open on sequential media; what came of it shows in `observe`.

        Raises:
            MediaError: it cannot be closed.
        """
        ...

    def reload(self) -> None:
        """Make the next read come from the disc itself.

        Raises:
            ToolError: the system does not know the disc as it is now.
        """
        ...

    def cycle_tray(self) -> None:
        """Make the drive itself forget the disc, where its tray is known to come in again, or by a hand.

        Raises:
            NoMedium, ToolError: the disc is out, or the drive is not ready again.
        """
        ...

    def read(self, start: int, count: int) -> bytes:
        """`count` blocks from block `start`; fewer only at the end of the disc.

        Raises:
            DamagedDisc: the drive could not read them.
        """
        ...

    def eject(self) -> None:
        """Open the tray; a shelf has none. Failing is the caller's warning, never harm."""
        ...

    def close(self) -> None:
        """Give back what was opened; the writer is not used any more."""
        ...


@dataclass(frozen=True, slots=True)
class FoundDrive:
    """A drive by the name that a writer has for it, and by one that stays when drives come and go."""

    device: str
    stable: str
    configured: bool = False


class Drives(Protocol):
    """Opens drives by configured device and type."""

    def found(self, configured: Sequence[str]) -> tuple[FoundDrive, ...]:
        """The burners of this machine, each once whatever leads to it; then what else is configured."""
        ...

    def open(self, device: str, device_type: str) -> Writer:
        """A writer for the device; refuses a mounted device before anything else.

        Raises:
            ConfigError: no such device type.
            DeviceMounted, DriveMissing, DriveForbidden: each what it says.
        """
        ...

    def reading_ahead(
        self, made_dirs: Sequence[bytes], grafts: Sequence[Graft]
    ) -> AbstractContextManager[None]:
        """Have the tool look at what a new disc is to get, before it is known which disc that is.

        The first burn of exactly this on an empty disc goes on from there; any other begins anew, also where
        something of it changed meanwhile. Nothing is opened that could be written.
        """
        ...

    def open_path(self, path: Path) -> Writer:
        """The disc in a device, or an image file wherever it lies, for reading.

        Raises:
            DeviceMounted, DriveMissing, DriveForbidden: each what it says.
        """
        ...
