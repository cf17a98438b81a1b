"""/dev/sr0 in the kernel for tests: its coming and going, what the kernel believes of it, its mounts."""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NODE = Path("/dev/sr0")
BY_ID = Path("/dev/disk/by-id/scsi-EMULATED_TEST_BURNER")
TREE = Path("/run/tree")
"""Debian 13 beside the system that the tests run on: udev, CDEmu."""

CDROM_DRIVE_STATUS, CDS_DISC_OK, CDROM_LOCKDOOR = 0x5326, 4, 0x5329  # Linux, linux/cdrom.h
SECTOR = 512
WAIT_S = 120.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Come back when it holds.

    Raises:
        TimeoutError: it does not, for long.
    """
    until = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {WAIT_S:.0f} s for {what}")
        time.sleep(0.02)


def in_tree(*argv: str) -> list[str]:
    """The command line that runs a program of the tree, where our preloaded library is not."""
    return ["env", "-u", "LD_PRELOAD", "chroot", str(TREE), *argv]


def wait_for_node() -> None:
    """Come back when the drive is there and udev has given it names and permissions."""
    wait_until(BY_ID.exists, "udev's links to the drive")
    subprocess.run(in_tree("udevadm", "settle"), check=True)


def wait_for_no_node() -> None:
    wait_until(lambda: not os.path.lexists(BY_ID) and not NODE.exists(), "the drive's going")


@contextlib.contextmanager
def _opened() -> Iterator[int]:
    node = os.open(NODE, os.O_RDONLY | os.O_NONBLOCK)  # or the open would pull the tray in
    try:
        yield node
    finally:
        os.close(node)


def has_medium() -> bool:
    """Whether the kernel sees a disc that is ready."""
    with _opened() as node:
        return fcntl.ioctl(node, CDROM_DRIVE_STATUS) == CDS_DISC_OK


def lock_door(*, locked: bool = True) -> None:
    """Have the kernel hold the disc in, or let it go: udev locks the door behind each disc it looks at."""
    with _opened() as node:
        fcntl.ioctl(node, CDROM_LOCKDOOR, int(locked))


def believed_blocks() -> int:
    """How long the kernel takes the disc for."""
    return int(Path("/sys/block/sr0/size").read_text()) * SECTOR // 2048


@contextlib.contextmanager
def mounted(point: Path, *options: str) -> Iterator[Path]:
    """The disc, mounted by the kernel's own iso9660."""
    point.mkdir(exist_ok=True)
    chosen = ",".join(("ro", *options))
    subprocess.run(["mount", "-t", "iso9660", "-o", chosen, str(NODE), str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)
