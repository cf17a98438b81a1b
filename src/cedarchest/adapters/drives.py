"""Opens drives by device and type: the checks that come before any drive is touched."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cedarchest.adapters.locks import HeldLocks
from cedarchest.adapters.mounts import refuse_mounted
from cedarchest.adapters.optical import OpticalDrive
from cedarchest.adapters.shelf import Shelf
from cedarchest.adapters.tray import READY_S, Tray
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.config.kinds import SHELF
from cedarchest.errors import ConfigError, DriveForbidden, DriveMissing, LockedError
from cedarchest.model.media import Medium
from cedarchest.ports import FoundDrive, Graft, Writer

CHECK_CABLE = "Check the drive's cable and [store] device in the configuration."
LOOKING_S = 10.0
"""How long a run that writes waits for others that only look at the drive."""

LOOKING_POLL_S = 0.1
OPTICAL_TYPES = ("cdwriter", "dvdwriter", "bdwriter")
DEVICE_TYPES = ("auto", *OPTICAL_TYPES, "shelf")

_NAMES = [Path(f"/dev/sr{number}") for number in range(16)]
_BY_ID = Path("/dev/disk/by-id")


def burners() -> list[Path]:
    """The optical drives of this machine, by the names that the kernel gives them."""
    return [path for path in _NAMES if path.is_block_device()]


def stable_name(device: Path, links: Path = _BY_ID) -> Path:
    """The link that leads to a device by make, model and serial number; the device where there is none."""
    try:
        leading = [link for link in sorted(links.iterdir()) if os.path.realpath(link) == str(device)]
    except OSError:
        return device
    return min(leading, key=lambda link: link.name.startswith("wwn-"), default=device)


def only_one(found: Sequence[Path]) -> Path:
    """The drive, where there is no choice.

    Raises:
        DriveMissing: there is none, or there are several.
    """
    if len(found) == 1:
        return found[0]
    if found:
        raise DriveMissing(
            f"this machine has several drives: {', '.join(map(str, found))}",
            advice=f"Say which one: --device {found[0]}",
        )
    raise DriveMissing(
        f"this machine has no optical drive (there is no {_NAMES[0]})",
        advice="Connect one and name it with --device, or have disc images: --device shelf:DIR",
    )


class LocalDrives:
    """The drives of this machine."""

    def __init__(
        self,
        xorriso: Xorriso,
        locks: HeldLocks,
        *,
        shelf_medium: Medium,
        shelf_capacity: int,
        speed: str,
        progress: Callable[[int], None],
        defect_management: bool = False,
        load_delay_s: float = 0.0,
        ask: Callable[[str, str], bool] | None = None,
        read_only: bool = False,
    ) -> None:
        self._xorriso = xorriso
        self._locks = locks
        self._shelf_medium = shelf_medium
        self._shelf_capacity = shelf_capacity
        self._speed = speed
        self._progress = progress
        self._defect_management = defect_management
        self._ready_s = READY_S + load_delay_s
        self._ask = ask
        self._read_only = read_only

    def found(self, configured: Sequence[str]) -> tuple[FoundDrive, ...]:
        """The burners of this machine, then what else is configured: a shelf, a drive that is not there."""
        real = {each: each if each.startswith(SHELF) else os.path.realpath(each) for each in configured}
        here = [
            FoundDrive(str(path), str(stable_name(path)), configured=str(path) in real.values())
            for path in burners()
        ]
        known = {each.device for each in here}
        others = [FoundDrive(each, each, configured=True) for each, path in real.items() if path not in known]
        return (*here, *others)

    def open(self, device: str, device_type: str) -> Writer:
        """A writer for the device; a mounted one is refused before anything else."""
        if device_type not in DEVICE_TYPES:
            raise ConfigError(
                f"the device type {device_type!r} is not known",
                problems=[f"store.device_type: {device_type!r}; allowed: {', '.join(DEVICE_TYPES)}"],
            )
        is_shelf = device.startswith(SHELF)
        if is_shelf != (device_type == "shelf") and device_type != "auto":
            raise ConfigError(
                f"the device {device!r} is no {device_type}",
                problems=["store.device_type: does not fit store.device; allowed: auto"],
            )
        if is_shelf:
            return self._open_shelf(Path(device.removeprefix(SHELF)))
        return self._open_optical(Path(device))

    def reading_ahead(
        self, made_dirs: Sequence[bytes], grafts: Sequence[Graft]
    ) -> AbstractContextManager[None]:
        """Have xorriso look at what a new disc is to get, before it is known which disc that is."""
        return self._xorriso.reading_ahead(made_dirs, grafts)

    def open_path(self, path: Path) -> Writer:
        """The disc in a device, or an image file wherever it lies, for reading."""
        if path.is_file():
            shelf = self._shelf(path.parent)
            shelf.take_image(path)
            return shelf
        if path.is_dir():
            raise DriveMissing(
                f"{path} is a folder, not a disc", advice="Name the image in it, or a device.", path=str(path)
            )
        if not path.exists():
            raise DriveMissing(
                f"there is no device or image {path}", advice="Look at the path again.", path=str(path)
            )
        return self._open_optical(path)

    def _open_shelf(self, directory: Path) -> Shelf:
        if directory.exists():
            if not directory.is_dir():
                raise DriveMissing(f"the shelf {directory} is not a directory")
            self._lock(directory, os.O_RDONLY | os.O_DIRECTORY)
        return self._shelf(directory)

    def _shelf(self, directory: Path) -> Shelf:
        return Shelf(
            directory,
            self._xorriso,
            medium=self._shelf_medium,
            capacity=self._shelf_capacity,
            progress=self._progress,
        )

    def _open_optical(self, device: Path) -> OpticalDrive:
        refuse_mounted(device)
        _refuse_unusable(device)
        real = Path(os.path.realpath(device))
        self._lock(real, os.O_RDONLY | os.O_NONBLOCK)
        return OpticalDrive(
            real,
            self._xorriso,
            speed=self._speed,
            progress=self._progress,
            defect_management=self._defect_management,
            tray=Tray(real, ready_s=self._ready_s, ask=self._ask),
        )

    def _lock(self, path: Path, flags: int) -> None:
        """Lock a device against a run with another state folder; kept until this run ends."""
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC)
        except PermissionError as error:
            raise DriveForbidden(
                f"{path} may not be opened: {error.strerror}",
                advice="Correct its permissions, or run as the user it belongs to.",
                path=str(path),
            ) from error
        except OSError as error:
            said = f"{path} cannot be opened: {error.strerror}"
            raise DriveMissing(said, advice=CHECK_CABLE, path=str(path)) from error
        if self._locks.has(path):
            os.close(descriptor)
            return
        if not self._take(descriptor):
            os.close(descriptor)
            raise LockedError(f"another run uses {path}", device=str(path))
        self._locks.keep(path, descriptor)

    def _take(self, descriptor: int) -> bool:
        """Those that look share the drive; who writes waits for them, for a while."""
        kind = fcntl.LOCK_SH if self._read_only else fcntl.LOCK_EX
        until = time.monotonic() + (0 if self._read_only else LOOKING_S)
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= until:
                    return False
                time.sleep(LOOKING_POLL_S)
            else:
                return True


def _refuse_unusable(device: Path) -> None:
    try:
        status = device.stat()
    except FileNotFoundError:
        raise DriveMissing(
            f"there is no device {device}",
            advice=CHECK_CABLE,
            device=str(device),
        ) from None
    except OSError as error:
        raise DriveForbidden(f"{device} cannot be looked at: {error.strerror}", device=str(device)) from error
    if not stat.S_ISBLK(status.st_mode) and not stat.S_ISCHR(status.st_mode):
        raise DriveMissing(
            f"{device} is no drive but a file",
            advice=f'For a directory of disc images write device = "shelf:{device.parent}".',
            device=str(device),
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise DriveForbidden(
            f"we may not read and write {device}",
            advice="Run as a user of the device's group (often cdrom), or as root.",
            device=str(device),
        )
