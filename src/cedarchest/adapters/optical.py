"""An optical burner, driven by xorriso and read by block.

What the disc is, what is free and where the next session goes is what the drive says, each time.
Sequential media are written incrementally (`-write_type tao`): a session that is cut off leaves a track
that can be closed, which a reserved one (session-at-once) does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from cedarchest.adapters.mounts import refuse_mounted
from cedarchest.adapters.scsi import DriveReader
from cedarchest.adapters.tray import Tray
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.adapters.xorriso_words import HEAD_BLOCKS, Blanking, BurnOptions, Formats, Toc
from cedarchest.errors import (
    DamagedDisc,
    ForeignDisc,
    NoMedium,
    NotAppendable,
    ToolFailed,
    UnexpectedOutput,
    WrongDisc,
)
from cedarchest.model.disc import DiscIdentity, DiscState, Observation
from cedarchest.model.image.identity import cedar_identity, read_identity
from cedarchest.model.media import Medium
from cedarchest.ports import Burnt, SessionSource

log = logging.getLogger(__name__)

_MEDIA = {
    "CD-R": Medium.CD_R,
    "CD-RW": Medium.CD_RW,
    "DVD-R sequential recording": Medium.DVD_R,
    "DVD-RW sequential recording": Medium.DVD_RW,
    "DVD-RW restricted overwrite": Medium.DVD_RW_OVERWRITE,
    "DVD-R/DL sequential recording": Medium.DVD_R_DL,
    "DVD+R": Medium.DVD_PLUS_R,
    "DVD+R/DL": Medium.DVD_PLUS_R_DL,
    "DVD+RW": Medium.DVD_PLUS_RW,
    "DVD-RAM": Medium.DVD_RAM,
    "BD-R sequential recording": Medium.BD_R,
    "BD-R random recording": Medium.BD_R,
    "BD-RE": Medium.BD_RE,
    "CD-ROM": Medium.CD_R,
    "DVD-ROM": Medium.DVD_PLUS_R,
    "BD-ROM": Medium.BD_R,
}
"""Profile names as xorriso prints them behind "Media current". Source: libburn 1.5.4, mmc.c.

As ROM many drives show a disc that is closed, and drives that only read any disc.
"""

_SPARED = (Medium.BD_R, Medium.BD_RE)
"""What gets spare blocks by a format; a DVD-RAM always has them."""


class OpticalDrive:
    """A writer over a burner's device node."""

    loads_itself = False

    def __init__(
        self,
        path: Path,
        xorriso: Xorriso,
        *,
        speed: str,
        progress: Callable[[int], None],
        defect_management: bool = False,
        tray: Tray | None = None,
    ) -> None:
        self._path = path
        self._xorriso = xorriso
        self._speed = speed
        self._defect_management = defect_management
        self._progress = progress
        self._reader = DriveReader(path)
        self._tray = tray or Tray(path)
        self._remembers = True  # whether the drive may have in its memory what is on the disc

    @property
    def device(self) -> str:
        """The device as configured."""
        return str(self._path)

    @property
    def image(self) -> Path | None:
        """A disc in a drive is no file."""
        return None

    def labels(self) -> tuple[str, ...]:
        """The disc in the drive, if it is ours; nothing else can be loaded without a hand."""
        seen = self.observe()
        return (seen.label or seen.identity.label,) if seen.identity else ()

    def observe(self) -> Observation:
        """The disc in the drive as it is now."""
        self._reader.close()
        refuse_mounted(self._path)
        self._tray.make_ready()
        toc = self._xorriso.toc(self.device)
        if toc.state is DiscState.NONE:
            return Observation(
                self.device,
                DiscState.NONE,
                Medium.CD_R,
                drive_model=toc.model,
                drive_firmware=toc.firmware,
            )
        if toc.profile not in _MEDIA:
            raise UnexpectedOutput(
                f"{self.device} holds a medium we do not know: {toc.profile!r}",
                advice="Insert a recordable CD, DVD or BD.",
            )
        medium = _MEDIA[toc.profile]
        formats = self._formats_wanted(toc.state, medium)
        writable = formats.size_with_spares if formats else toc.writable
        seen = Observation(
            self.device,
            toc.state,
            medium,
            capacity=toc.readable + writable,
            free=writable,
            next_address=toc.next_address,
            sessions=toc.sessions,
            identity=self._identity(toc),
            drive_model=toc.model,
            drive_firmware=toc.firmware,
            single=toc.single,
            medium_id=toc.product,
        )
        self._reader.close()
        return seen

    def _formats_wanted(self, state: DiscState, medium: Medium) -> Formats | None:
        """The formats of an empty disc that is to have spare blocks and has none yet."""
        if not self._defect_management or state is not DiscState.BLANK or medium not in _SPARED:
            return None
        formats = self._xorriso.formats(self.device)
        return None if formats.has_spares else formats

    def _identity(self, toc: Toc) -> DiscIdentity | None:
        """Who the disc says it is: in its newest session, or an earlier one where that is torn."""
        found = (read_identity(self.read, session.start) for session in reversed(toc.sessions))
        of_ours = next((identity for identity in found if identity), None)
        return of_ours or cedar_identity(self.read, toc.sessions)

    def load(self, label: str) -> Observation:
        """See that the disc of this label is in the drive; there is no hand of ours to change it."""
        seen = self._loaded(f"Insert the disc {label}.")
        if not seen.is_of(label) or seen.identity is None:
            raise WrongDisc(
                f"{self.device} holds {_described(seen)}, {label} is needed",
                advice=f"Insert the disc {label} and run the command again.",
                needed=label,
                found=seen.label,
            )
        return seen

    def load_blank(self, label: str) -> Observation:
        """See that a blank disc is in the drive; it gets spare blocks, where it is to have them."""
        seen = self._loaded("Insert a blank disc.")
        if seen.state is DiscState.BLANK:
            return self._formatted(seen)
        advice = f"Insert a blank disc; it will be labelled {label}."
        if seen.identity is None:
            raise ForeignDisc(f"{self.device} holds {_described(seen)}", advice=advice, found=seen.label)
        raise NotAppendable(
            f"{self.device} holds {_described(seen)}, a blank disc is needed", advice=advice, found=seen.label
        )

    def _formatted(self, seen: Observation) -> Observation:
        """A blank disc with spare blocks, where it is to have them."""
        if self._formats_wanted(seen.state, seen.medium) is None:
            return seen
        self._reader.close()
        self._xorriso.format(self.device)
        return self.observe()

    def _loaded(self, advice: str) -> Observation:
        seen = self.observe()
        if seen.state is DiscState.NONE:
            raise NoMedium(f"there is no disc in {self.device}", advice=advice)
        if seen.state is DiscState.DAMAGED:
            raise DamagedDisc(f"the disc in {self.device} is damaged", advice="Insert another disc.")
        return seen

    def write(self, source: SessionSource, confirm: Callable[[int], None]) -> Burnt:
        """Burn a session onto the disc in the drive."""
        seen = self._loaded("Insert a disc.")
        self._reader.close()  # the burner is opened exclusively
        self._remembers = True
        options = BurnOptions(
            address=self.device,
            newest=seen.sessions[-1].number if seen.sessions else 0,
            first_blocks=seen.sessions[0].blocks if seen.sessions else 0,
            padding_blocks=seen.traits.padding,
            md5=True,
            optical=True,
            single=seen.single,
            doubtful=seen.medium is Medium.DVD_RW and not seen.sessions,
            start=max(seen.next_address, HEAD_BLOCKS if seen.traits.overwritable else 0),
            speed=self._speed,
        )
        return self._xorriso.burn(source, options, confirm, self._progress)

    def blank(self, *, full: bool = False) -> None:
        """Erase a rewritable disc; a DVD-RW always as a whole, or it would take one session only."""
        seen = self._loaded("Insert a disc.")
        if not seen.traits.rewritable:
            raise NotAppendable(
                f"{self.device} holds a {seen.medium} disc, which is written once",
                advice="Insert a blank disc.",
            )
        self._reader.close()
        blanking = Blanking.QUICK
        if full or seen.medium is Medium.DVD_RW:
            blanking = Blanking.FORMAT if seen.traits.overwritable else Blanking.WHOLE
        self._xorriso.blank(self.device, blanking)

    def close_damaged(self) -> None:
        """Close what a torn write left open."""
        self._reader.close()
        self._xorriso.close_damaged(self.device)

    def reload(self) -> None:
        """Ask the drive anew, past what the kernel has cached or believes of the disc."""
        self._reader.reopen()

    def cycle_tray(self) -> None:
        """Open and close the tray, once after each write, where it is known to come in again."""
        if not self._remembers:
            return
        self._reader.close()
        self._remembers = False
        if not self._tray.cycle(self._let_out):
            log.info(
                "the tray of %s does not open, or may not come in again by itself: the disc is read without"
                " that, past the system's cache",
                self.device,
            )

    def _let_out(self) -> None:
        try:
            self._xorriso.eject(self.device)
        except ToolFailed as error:  # the disc is still in, as the tray will say
            log.info("%s", error.message)

    def read(self, start: int, count: int) -> bytes:
        """Blocks from the disc."""
        return self._reader.read(start, count)

    def eject(self) -> None:
        """Open the tray."""
        self._reader.close()
        self._xorriso.eject(self.device)
        if self._tray.holds_disc():
            raise ToolFailed(f"the tray of {self.device} did not open")

    def close(self) -> None:
        """Give the device back."""
        self._reader.close()


def _described(seen: Observation) -> str:
    if seen.identity is not None:
        return f"our disc {seen.label}"
    return f"a disc that is not ours ({seen.label or 'no label'})"
