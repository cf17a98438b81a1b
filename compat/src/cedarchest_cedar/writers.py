"""Drives under the names of Cedar Backup's writers, to look at the disc that is in them.

What writes is in `actions.store`: a session that is written past the catalog would be proven by nobody.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from cedarchest.actions.writers import create_writer
from cedarchest.config.model import Config
from cedarchest.errors import NoMedium
from cedarchest.model.disc import DiscState, Observation
from cedarchest.model.media import BLOCK
from cedarchest.report.progress import ProgressReporter
from cedarchest.wiring import wired
from cedarchest_cedar.translate import path_text, section
from cedarchest_cedar.util import displayBytes

__all__ = ["CdWriter", "DvdWriter", "MediaCapacity", "createWriter"]


@dataclass(frozen=True)
class MediaCapacity:
    """Bytes of a disc: those that are used, and those that a further session may have."""

    bytesUsed: float
    bytesAvailable: float

    def __post_init__(self) -> None:
        for name in ("bytesUsed", "bytesAvailable"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def totalCapacity(self) -> float:
        """All of them."""
        return self.bytesUsed + self.bytesAvailable

    @property
    def utilized(self) -> float:
        """How much is used, in percent."""
        return 100.0 * self.bytesUsed / self.totalCapacity if self.totalCapacity else 100.0

    def __str__(self) -> str:
        used, total = displayBytes(self.bytesUsed), displayBytes(self.totalCapacity)
        return f"utilized {used} of {total} ({self.utilized:.2f}%)"


class DvdWriter:
    """A drive; which disc is in it, it says itself."""

    def __init__(
        self,
        device: str,
        scsiId: str | None = None,
        driveSpeed: int | None = None,
        mediaType: int | None = None,
        noEject: bool = False,
        refreshMediaDelay: int = 0,
        ejectDelay: int = 0,
    ) -> None:
        del noEject, refreshMediaDelay, ejectDelay
        if not device:
            raise ValueError("a writer needs a device")
        self.device, self.scsiId, self.driveSpeed, self.mediaType = device, scsiId, driveSpeed, mediaType

    def isRewritable(self) -> bool:
        """Whether the disc in the drive can be written over.

        Raises:
            OSError: there is none, or the drive does not say.
        """
        return self._seen().traits.rewritable

    def retrieveCapacity(self, entireDisc: bool = False, useMulti: bool = True) -> MediaCapacity:
        """What is used of the disc in the drive and what is left, as the drive says; or an empty one's.

        Raises:
            OSError: there is none, or the drive does not say.
        """
        del useMulti
        seen = self._seen()
        free = seen.capacity if entireDisc else min(seen.free, seen.capacity)
        return MediaCapacity(float((seen.capacity - free) * BLOCK), float(free * BLOCK))

    def _seen(self) -> Observation:
        seen = _looked_at(self.device)
        if seen.state is DiscState.NONE:
            raise NoMedium(f"there is no disc in {self.device}")
        return seen


class CdWriter(DvdWriter):
    """The same; a drive is a drive."""


def createWriter(config: object) -> DvdWriter:
    """The drive of a configuration.

    Raises:
        ValueError: the configuration names none.
    """
    store = section(config, "store")
    device = path_text(getattr(store, "devicePath", None), "store.devicePath")
    kind = CdWriter if getattr(store, "deviceType", None) == "cdwriter" else DvdWriter
    return kind(device, driveSpeed=getattr(store, "driveSpeed", None))


def _looked_at(device: str) -> Observation:
    """The disc in a drive, for which nothing else has to be configured."""
    with tempfile.TemporaryDirectory(prefix="cedarchest-") as folder:
        tables = {"options": {"state_dir": f"{folder}/state"}, "store": {"device": device}}
        config = Config.from_mapping(tables, Path(folder))
        with wired(config, ProgressReporter(quiet=True), read_only=True, needs_catalog=False) as ports:
            writer = create_writer(config, ports=ports)
            try:
                return writer.observe()
            finally:
                writer.close()
