"""Which devices are mounted, from the kernel's own list.

A device is known by its number, not by its name: `/dev/cdrom`, `/dev/disk/by-id/…` and `/dev/sr0`
may be one. Nothing is run and nothing is mounted.

Source: proc(5), `/proc/pid/mountinfo`: fields 3 (major:minor), 5 (mount point, octal escapes), 10 (source).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from cedarchest.errors import DeviceMounted

MOUNTINFO = Path("/proc/self/mountinfo")


class Mount(NamedTuple):
    """A mounted file system: its device number, where it is, what it was mounted from."""

    device: tuple[int, int]
    point: str
    source: str


def parse_mountinfo(text: bytes) -> tuple[Mount, ...]:
    """All mounts; lines that are not understood are passed over, as the manual asks of parsers."""
    mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(b" - ")
        left, right = before.split(b" "), after.split(b" ")
        number = re.fullmatch(rb"(\d+):(\d+)", left[2]) if len(left) > 4 else None
        if separator and number and len(right) > 1:
            mounts.append(Mount((int(number[1]), int(number[2])), _unescape(left[4]), _unescape(right[1])))
    return tuple(mounts)


def _unescape(word: bytes) -> str:
    plain = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), word)
    return plain.decode("utf-8", "surrogateescape")


def mount_of(device: Path, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount of a block device, found by device number and, for older kernels, by name.

    Raises:
        OSError: there is no such device.
    """
    status = device.stat()
    number = (os.major(status.st_rdev), os.minor(status.st_rdev))
    real = os.path.realpath(device)
    for mount in mounts:
        if stat.S_ISBLK(status.st_mode) and mount.device == number:
            return mount
        if mount.source.startswith("/") and os.path.realpath(mount.source) == real:
            return mount
    return None


def current_mounts() -> tuple[Mount, ...]:
    """The mounts this process sees."""
    return parse_mountinfo(MOUNTINFO.read_bytes())


def refuse_mounted(device: Path) -> None:
    """A mounted device is used by others.

    Raises:
        DeviceMounted: says where it is mounted.
    """
    try:
        mount = mount_of(device, current_mounts())
    except OSError:
        return  # not there: said below, in its own words
    if mount is not None:
        raise DeviceMounted(
            f"{device} is mounted at {mount.point}",
            advice=f"Unmount it (umount {mount.point}) and run the command again.",
            device=str(device),
            mount_point=mount.point,
        )
