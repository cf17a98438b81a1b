"""Discs as Cedar Backup writes them: images of genisoimage with its arguments, in a burner or as files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.burner.burner import Burner

BLOCK = 2048
FIRST, SECOND, THIRD = "2026/11/21", "2026/11/22", "2026/11/23"
FIRST_LABEL, SECOND_LABEL = "CEDAR BACKUP 21-NOV-2026", "CEDAR BACKUP 22-NOV-2026"


def require_genisoimage() -> None:
    """Skip the calling test where there is no genisoimage; under CI=true that is a failure."""
    if shutil.which("genisoimage"):
        return
    if os.environ.get("CI") == "true":
        pytest.fail("genisoimage is not installed")
    pytest.skip("genisoimage is not installed")


def staged(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A day as Cedar Backup stages it, with these files of the peer `mach`."""
    for name, content in files.items():
        path = folder / "mach" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "mach" / "cback.collect").touch()
    (folder / "cback.stage").touch()
    return folder


def image(
    target: Path, label: str, day: str, source: Path, more: Sequence[object] = (), *, trees: str = "-r"
) -> Path:
    """What `mkisofs` makes of a day for Cedar Backup; `more` says which session it goes on top of."""
    labelled = ["-V", label] if label else []
    argv = ["genisoimage", "-quiet", *labelled, "-graft-points", *trees.split(), "-o", target, *more]
    subprocess.run([*map(str, argv), f"{day}/={source}"], check=True, capture_output=True)
    return target


def burn(drive: Burner, label: str, day: str, source: Path, scratch: Path) -> None:
    """A session on the disc in a drive, on top of what is there."""
    more: list[object] = []
    if drive.state().closed_sessions:
        asked = ["xorriso", "-no_rc", "-as", "cdrecord", "dev=/dev/sr0", "-msinfo"]
        said = subprocess.run(asked, env=drive.env(), check=True, capture_output=True, text=True).stdout
        more = ["-C", said.split()[-1], "-M", shutil.copy(drive.data_path, scratch / "before.iso")]
    made = image(scratch / "session.iso", label, day, source, more)
    argv = ["xorriso", "-no_rc", "-as", "cdrecord", "dev=/dev/sr0", "-multi", "-tao", str(made)]
    subprocess.run(argv, env=drive.env(), check=True, capture_output=True)


def grow(disc: Path, label: str, day: str, source: Path) -> None:
    """A session behind what an image holds, and its descriptor in the first one's place.

    So does growisofs on media that are written over.
    """
    raw = bytearray(disc.read_bytes())
    at = -(-len(raw) // BLOCK // 16) * 16
    session = disc.with_name("session")
    new = image(session, label, day, source, ["-C", f"16,{at}", "-M", disc]).read_bytes()
    session.unlink()
    descriptor = bytearray(new[16 * BLOCK : 17 * BLOCK])
    total = at + len(new) // BLOCK
    descriptor[80:88] = total.to_bytes(4, "little") + total.to_bytes(4, "big")
    raw += bytes(at * BLOCK - len(raw)) + new
    raw[16 * BLOCK : 17 * BLOCK] = descriptor
    disc.write_bytes(raw)
