"""Drives in memory that burn real ISO 9660 bytes with both trees: what is read back is what was laid out.

A `Tray` stands for the drive itself and outlives the writers that are opened on it; a `MemoryDisc` may be
taken out and put back. Sequential media get sessions with gaps; overwritable ones begin at block 32 and
repeat the newest descriptors at block 0.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fakes.image import BLOCK, Session, twice

from cedarchest.adapters.scan import scan, scan_one
from cedarchest.errors import (
    ConfigError,
    DamagedDisc,
    DriveMissing,
    ForeignDisc,
    MediumFull,
    NoMedium,
    NotAppendable,
    ToolFailed,
    WrongDisc,
)
from cedarchest.model.disc import DiscState, Observation, TocEntry
from cedarchest.model.image.identity import read_identity
from cedarchest.model.image.volume import DESCRIPTORS
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import TRAITS, Medium
from cedarchest.model.size import gap_blocks
from cedarchest.ports import Burnt, FoundDrive, Graft, SessionSource, Writer

OVERWRITABLE_START = 32
ALIGNED = 32
SMALL_DISC = 20_000
DEVICE_TYPES = ("auto", "cdwriter", "dvdwriter", "bdwriter")


@dataclass(eq=False)
class Recorded:
    """A session that is on a disc: its place, its tree, and where its files' data stand."""

    toc: TocEntry
    tree: dict[bytes, Entry] = field(default_factory=dict)
    addresses: dict[bytes, tuple[int, int]] = field(default_factory=dict)


@dataclass(eq=False)
class MemoryDisc:
    """A disc; `scratched` blocks cannot be read, `torn` is what a cut-off burn left open."""

    medium: Medium = Medium.DVD_PLUS_R
    capacity: int = SMALL_DISC
    blocks: bytearray = field(default_factory=bytearray)
    sessions: list[Recorded] = field(default_factory=list)
    closed: bool = False
    torn: TocEntry | None = None
    scratched: set[int] = field(default_factory=set)

    @property
    def state(self) -> DiscState:
        if self.torn is not None:
            return DiscState.DAMAGED
        if self.closed:
            return DiscState.CLOSED
        return DiscState.APPENDABLE if self.sessions else DiscState.BLANK

    @property
    def next_address(self) -> int:
        traits = TRAITS[self.medium]
        if not self.sessions:
            return OVERWRITABLE_START if traits.overwritable else 0
        end = -(-self.sessions[-1].toc.end // ALIGNED) * ALIGNED
        return end if traits.overwritable else end + gap_blocks(len(self.sessions) - 1, traits)

    def record(self, start: int, raw: bytes) -> None:
        end = start * BLOCK + len(raw)
        self.blocks.extend(bytes(max(0, end - len(self.blocks))))
        self.blocks[start * BLOCK : end] = raw


@dataclass(eq=False)
class Tray:
    """A drive: the disc in it, and blocks after which the next burn is cut off."""

    device: str = "/dev/sr0"
    disc: MemoryDisc | None = field(default_factory=MemoryDisc)
    cut_off_after: int | None = None
    burns: int = 0


class MemoryWriter:
    """A writer over a tray."""

    loads_itself = False

    def __init__(self, tray: Tray, device: str = "") -> None:
        self._tray = tray
        self._device = device or tray.device

    @property
    def device(self) -> str:
        return self._device

    @property
    def image(self) -> Path | None:
        return None

    def labels(self) -> tuple[str, ...]:
        seen = self.observe()
        return (seen.label,) if seen.identity else ()

    def observe(self) -> Observation:
        disc = self._tray.disc
        if disc is None:
            return Observation(self.device, DiscState.NONE, Medium.CD_R)
        found = (read_identity(self.read, one.toc.start) for one in reversed(disc.sessions))
        return Observation(
            self.device,
            disc.state,
            disc.medium,
            capacity=disc.capacity,
            free=0 if disc.closed else max(0, disc.capacity - disc.next_address),
            next_address=disc.next_address,
            sessions=tuple(one.toc for one in disc.sessions),
            identity=next((identity for identity in found if identity), None),
            drive_model="memory",
        )

    def _loaded(self) -> MemoryDisc:
        if self._tray.disc is None:
            raise NoMedium(f"there is no disc in {self.device}")
        return self._tray.disc

    def load(self, label: str) -> Observation:
        self._loaded()
        seen = self.observe()
        if seen.label != label or seen.identity is None:
            raise WrongDisc(f"{self.device} holds {seen.label or 'another disc'}, {label} is needed")
        return seen

    def load_blank(self, label: str) -> Observation:
        self._loaded()
        seen = self.observe()
        if seen.state is DiscState.BLANK:
            return seen
        refusal = NotAppendable if seen.identity else ForeignDisc
        raise refusal(f"{self.device} holds {seen.label or 'a disc'}, a blank one is needed for {label}")

    def write(self, source: SessionSource, confirm: Callable[[int], None]) -> Burnt:
        disc = self._loaded()
        if disc.state not in (DiscState.BLANK, DiscState.APPENDABLE):
            raise NotAppendable(f"the disc in {self.device} is {disc.state}")
        start = disc.next_address
        base = disc.sessions[source.base - 1] if source.base else Recorded(TocEntry(0, 0, 0, ""))
        tree, contents = _tree_of(source, base.tree)
        kept = {path: place for path, place in base.addresses.items() if path in tree.keys() - contents}
        session = Session(tree.values(), contents, start=start, volume_id=source.volume_id, kept=kept)
        raw = session.build() + bytes(TRAITS[disc.medium].padding * BLOCK)
        size = len(raw) // BLOCK
        if start + size > disc.capacity:
            raise MediumFull(f"the session needs {size} blocks, {disc.capacity - start} are free")
        confirm(size)
        self._tray.burns += 1
        entry = TocEntry(len(disc.sessions) + 1, start, size, source.volume_id)
        if self._tray.cut_off_after is not None:
            self._cut_off(disc, entry, raw)
        disc.record(start, raw)
        if TRAITS[disc.medium].overwritable:
            disc.record(0, _anchor(raw, start))
        disc.sessions.append(Recorded(entry, tree, session.addresses))
        return Burnt(input_changed=False)

    def _cut_off(self, disc: MemoryDisc, entry: TocEntry, raw: bytes) -> None:
        """Write no more than the tray allows, and fail as a drive does that lost its writer."""
        written = min(self._tray.cut_off_after or 0, entry.blocks - 1)
        self._tray.cut_off_after = None
        disc.record(entry.start, raw[: written * BLOCK])
        if not TRAITS[disc.medium].overwritable:
            label = entry.volume_id if written > DESCRIPTORS + 1 else ""
            disc.torn = replace(entry, blocks=written, volume_id=label)
        raise ToolFailed(f"the burn on {self.device} was cut off after {written} blocks")

    def blank(self, *, full: bool = False) -> None:
        disc = self._loaded()
        if not TRAITS[disc.medium].rewritable:
            raise NotAppendable(f"{self.device} holds a {disc.medium} disc, which is written once")
        disc.blocks.clear()
        disc.sessions.clear()
        disc.torn = None

    def close_damaged(self) -> None:
        disc = self._loaded()
        if disc.torn is not None:
            disc.sessions.append(Recorded(disc.torn))
            disc.torn = None

    def reload(self) -> None:
        """Nothing is cached."""

    def cycle_tray(self) -> None:
        """Nothing is remembered."""

    def read(self, start: int, count: int) -> bytes:
        disc = self._loaded()
        if not disc.scratched.isdisjoint(range(start, start + count)):
            raise DamagedDisc(f"blocks {start} to {start + count - 1} cannot be read")
        return bytes(disc.blocks[start * BLOCK : (start + count) * BLOCK])

    def eject(self) -> None:
        """The disc stays where a test put it."""

    def close(self) -> None:
        """Nothing was opened."""


def _tree_of(
    source: SessionSource, base: dict[bytes, Entry]
) -> tuple[dict[bytes, Entry], dict[bytes, bytes]]:
    """The tree of a session, and the content of the files it brings itself."""
    taken_out = tuple(path[1:] for path in source.removed)
    tree = {
        path: entry
        for path, entry in base.items()
        if not any(path == one or path.startswith(one + b"/") for one in taken_out)
    }
    contents: dict[bytes, bytes] = {}
    for path in source.made_dirs:
        tree[path[1:]] = Entry(path[1:], Kind.DIR, 0, 0o755, 0, 0, source.made_at * 10**9)
    for graft in (*source.grafts, *source.later):
        target = graft.target[1:]
        brought = {target: scan_one(graft.source, target).entry}
        if brought[target].kind is Kind.DIR and not graft.single:
            found = scan(Path(os.fsdecode(graft.source)), prefix=target + b"/")
            brought |= {each.entry.path: each.entry for each in found}
        for path, entry in brought.items():
            place = graft.source + path[len(target) :]
            if any(place == one or place.startswith(one + b"/") for one in source.excluded):
                continue
            tree[path] = entry
            if entry.kind is Kind.FILE:
                contents[path] = Path(os.fsdecode(place)).read_bytes()
    return tree, contents


def _anchor(raw: bytes, start: int) -> bytes:
    """Blocks 0 to 31 of overwritable media: the newest descriptors, sizes counted from block 0."""
    anchor = bytearray(raw[: OVERWRITABLE_START * BLOCK])
    for block in range(OVERWRITABLE_START):
        at = block * BLOCK
        if anchor[at + 1 : at + 6] != b"CD001":
            anchor[at : at + BLOCK] = bytes(BLOCK) if block > DESCRIPTORS else anchor[at : at + BLOCK]
        elif anchor[at] in (1, 2):
            size = int.from_bytes(anchor[at + 80 : at + 84], "little")
            anchor[at + 80 : at + 88] = twice(start + size)
    return bytes(anchor)


class MemoryDrives:
    """Drives by device name."""

    def __init__(self, *trays: Tray) -> None:
        self._trays = {tray.device: tray for tray in trays}

    def found(self, configured: Sequence[str]) -> tuple[FoundDrive, ...]:
        names = dict.fromkeys((*self._trays, *configured))
        return tuple(FoundDrive(name, name, configured=name in configured) for name in names)

    def open(self, device: str, device_type: str) -> Writer:
        if device_type not in DEVICE_TYPES:
            raise ConfigError(f"the device type {device_type!r} is not known")
        return self.open_path(Path(device))

    def reading_ahead(
        self, made_dirs: Sequence[bytes], grafts: Sequence[Graft]
    ) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def open_path(self, path: Path) -> Writer:
        if str(path) not in self._trays:
            raise DriveMissing(f"there is no device {path}")
        return MemoryWriter(self._trays[str(path)])
