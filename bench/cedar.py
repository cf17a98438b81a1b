"""What Cedar Backup does with one day, as a process: `/usr/bin/python3 cedar.py DAY STAGED COPY [IMAGE]`.

With an image: estimate, image, fsync, comparison, as its store action does them for a disc. Without:
the comparison alone. Its own library does the work, as the system has it installed; where it would
mount the disc it is given a plain copy, which spares it reading an image.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def main(day: str, staged: str, copy: str, image: str = "") -> None:
    if image:
        write(day, staged, image)
    filesystem: Any = importlib.import_module("CedarBackup3.filesystem")
    filesystem.compareContents(staged, copy)


def write(day: str, staged: str, image: str) -> None:
    resolver: Any = importlib.import_module("CedarBackup3.util").PathResolverSingleton
    resolver.getInstance().fill({"mkisofs": "/usr/bin/genisoimage"})  # as its Debian package configures it
    iso: Any = importlib.import_module("CedarBackup3.writers.util").IsoImage()
    iso.volumeId = "BENCH"
    iso.addEntry(staged, graftPoint=day, contentsOnly=True)
    iso.getEstimatedSize()
    iso.writeImage(image)
    descriptor = os.open(image, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
