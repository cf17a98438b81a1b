"""A shelf: a directory of disc images that acts as a drive which loads its own discs.

An image `LABEL.iso` is one disc. It is blank only when the file is absent or empty: xorriso calls a
file of zeros blank as well and a truncated one appendable, so the length is held against the last
session here. The capacity is the configured one, since xorriso takes the whole file system for it.
Durability: xorriso syncs the image at the end of a burn (`-stdio_sync end`), the directory is synced here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from cedarchest.adapters.blocks import BlockReader
from cedarchest.adapters.durable import begin_flush, sync_directory
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.adapters.xorriso_words import BurnOptions
from cedarchest.config.store import IMAGE_SUFFIX
from cedarchest.errors import (
    DamagedDisc,
    DiskFull,
    DriveForbidden,
    MediumFull,
    NoMedium,
    NotAppendable,
    WrongDisc,
)
from cedarchest.model.disc import DiscState, Observation, TocEntry
from cedarchest.model.image.identity import cedar_identity, read_identity
from cedarchest.model.image.volume import DESCRIPTORS
from cedarchest.model.media import BLOCK, TRAITS, Medium
from cedarchest.model.names import is_label
from cedarchest.ports import Burnt, SessionSource

FIRST_SESSION = 32
"""Sessions on overwritable media begin at block 32; 0 to 31 hold the newest session's descriptors."""


class Shelf:
    """A writer over `DIR/LABEL.iso`."""

    loads_itself = True

    def __init__(
        self,
        directory: Path,
        xorriso: Xorriso,
        *,
        medium: Medium,
        capacity: int,
        progress: Callable[[int], None],
    ) -> None:
        self._directory = directory
        self._xorriso = xorriso
        self._medium = medium
        self._capacity = capacity
        self._progress = progress
        self._image: Path | None = None
        self._reader: BlockReader | None = None

    @property
    def device(self) -> str:
        """The shelf as configured."""
        return f"shelf:{self._directory}"

    @property
    def image(self) -> Path | None:
        """The loaded image."""
        return self._image

    def labels(self) -> tuple[str, ...]:
        """Labels of images on the shelf by name; whether an image is ours shows when it is loaded."""
        names = (path.name.removesuffix(IMAGE_SUFFIX) for path in self._directory.glob(f"*{IMAGE_SUFFIX}"))
        return tuple(sorted(name for name in names if is_label(name)))

    def load(self, label: str) -> Observation:
        """Take the image of this label."""
        image = self._directory / f"{label}{IMAGE_SUFFIX}"
        if not is_label(label) or not image.is_file():
            raise NoMedium(
                f"there is no disc {label} on the shelf {self._directory}",
                advice=f"Put {label}{IMAGE_SUFFIX} back on the shelf.",
                label=label,
            )
        if image.stat().st_size == 0:
            raise DamagedDisc(
                f"{image} is empty and no disc",
                advice="Put the image back from a copy, or take it off the shelf.",
                label=label,
            )
        self.take_image(image)
        seen = self.observe()
        if seen.sessions and not seen.is_of(label):
            raise WrongDisc(
                f"{image} holds a disc labelled {seen.label!r}",
                advice="Give the image the name of its label again.",
                label=label,
            )
        return seen

    def load_blank(self, label: str) -> Observation:
        """Begin a new image of this label."""
        image = self._directory / f"{label}{IMAGE_SUFFIX}"
        if image.exists() and image.stat().st_size > 0:
            raise NotAppendable(f"{image} is there already and not empty", label=label)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DriveForbidden(
                f"the shelf {self._directory} cannot be made: {error.strerror}",
                advice="Make the directory or name another in [store] device.",
            ) from error
        self._refuse_forbidden(self._directory)
        self.take_image(image)
        return self.observe()

    def _refuse_forbidden(self, path: Path) -> None:
        """Say which part of the shelf may not be written before anything is.

        Raises:
            DriveForbidden: names it.
        """
        if not os.access(path, os.W_OK):
            raise DriveForbidden(
                f"{path} may not be written",
                advice="Correct its permissions, or store as the user it belongs to.",
                path=str(path),
            )

    def take_image(self, image: Path) -> None:
        """Take an image file by its path, whatever its name."""
        self.close()
        self._image, self._reader = image, BlockReader(image)

    def observe(self) -> Observation:
        """The loaded image as it is now."""
        if self._image is None:
            return Observation(self.device, DiscState.NONE, self._medium, self._capacity)
        size = self._image.stat().st_size if self._image.exists() else 0
        if size == 0:
            return Observation(
                self.device,
                DiscState.BLANK,
                self._medium,
                self._capacity,
                free=self._capacity - FIRST_SESSION,
                next_address=FIRST_SESSION,
            )
        toc = self._xorriso.toc(self._address)
        wanted = self._end_of(toc.sessions[-1]) * BLOCK if toc.sessions else 0
        if not toc.sessions or wanted > size:
            raise DamagedDisc(
                f"{self._image} is no whole disc image: it has {size} bytes"
                + (f", its sessions end at {wanted}" if wanted else " and no session"),
                advice="Put the image back from a copy, or take it off the shelf.",
                path=str(self._image),
            )
        return Observation(
            self.device,
            DiscState.APPENDABLE,
            self._medium,
            self._capacity,
            free=max(0, self._capacity - toc.next_address),
            next_address=toc.next_address,
            sessions=toc.sessions,
            identity=read_identity(self.read, toc.sessions[-1].start)
            or cedar_identity(self.read, toc.sessions),
        )

    def _end_of(self, session: TocEntry) -> int:
        """Where a session ends by its own descriptor: the table of contents cuts it at the file's end."""
        raw = self.read(session.start + DESCRIPTORS, 1)
        says = raw[80:84] if raw[1:6] == b"CD001" and raw[80:84] == raw[84:88][::-1] else b""
        return max(session.end, session.start + int.from_bytes(says, "little"))

    @property
    def _address(self) -> str:
        assert self._image is not None
        return f"stdio:{self._image}"

    def write(self, source: SessionSource, confirm: Callable[[int], None]) -> Burnt:
        """Write a session to the loaded image."""
        seen = self.observe()
        if seen.state is DiscState.NONE or self._image is None:
            raise NoMedium(f"no disc of {self.device} is loaded")
        self._refuse_forbidden(self._image if self._image.exists() else self._directory)
        if self._reader is not None:
            self._reader.close()  # what it keeps is about to be another session's

        def confirm_room(blocks: int) -> None:
            room = self._free_on_disk()
            if blocks > seen.free:
                raise MediumFull(
                    f"the session needs {blocks} blocks, {source.volume_id} has {seen.free} left",
                    advice="Store on a new disc.",
                    needed=blocks,
                    free=seen.free,
                )
            if blocks * BLOCK > room:
                raise DiskFull(
                    f"the session needs {blocks * BLOCK} bytes, the file system of {self._directory}"
                    f" has {room} left"
                )
            confirm(blocks)

        options = BurnOptions(
            address=self._address,
            newest=seen.sessions[-1].number if seen.sessions else 0,
            padding_blocks=TRAITS[self._medium].padding,
        )
        burnt = self._xorriso.burn(source, options, confirm_room, self._written(seen.next_address))
        sync_directory(self._directory)
        return burnt

    def _written(self, start: int) -> Callable[[int], None]:
        """What hears how many blocks from a start are written: the disk gets them while more come."""
        image, begun = self._image, 0
        assert image is not None

        def written(blocks: int) -> None:
            nonlocal begun
            self._progress(blocks)
            # an image that is gone is for the burn to say
            with contextlib.suppress(OSError), image.open("rb") as stream:
                begin_flush(stream.fileno(), (start + begun) * BLOCK, (start + blocks) * BLOCK)
                begun = blocks

        return written

    def _free_on_disk(self) -> int:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize

    def blank(self, *, full: bool = False) -> None:  # noqa: ARG002 (it is no longer there in any case)
        """Empty the image; only where the shelf stands for rewritable media."""
        assert self._image is not None
        if not TRAITS[self._medium].rewritable:
            raise NotAppendable(
                f"{self._image} stands for a {self._medium} disc, which is written once",
                advice="A shelf begins a new disc by itself; nothing needs to be erased.",
            )
        os.truncate(self._image, 0)
        self.reload()

    def close_damaged(self) -> None:
        """Nothing is ever torn on a shelf: a session shows only when its last block is there."""

    def reload(self) -> None:
        """Make the next read come from the disk below the image."""
        if self._reader is not None:
            self._reader.reopen()

    def cycle_tray(self) -> None:
        """A shelf has no tray, and no memory of its own."""

    def read(self, start: int, count: int) -> bytes:
        """Blocks of the loaded image."""
        if self._reader is None:
            raise NoMedium(f"no disc of {self.device} is loaded")
        return self._reader.read(start, count)

    def eject(self) -> None:
        """A shelf has no tray; the image is put back."""
        self.close()

    def close(self) -> None:
        """Put the image back."""
        if self._reader is not None:
            self._reader.close()
        self._image = self._reader = None
