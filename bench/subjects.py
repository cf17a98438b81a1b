"""What is measured: days of three kinds, and for each of them our commands, their floors and the peer.

place/staging/DAY   the day        place/copy    a plain copy of it
place/run           the configuration, state and shelf of one run, made anew for each
place/image.iso     what a floor or the peer writes
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.processes import environment

from cedarchest.adapters.day_files import INDEX_NAME, STAGED_MARK, STORED_MARK, SUMS_NAME
from cedarchest.adapters.xorriso_words import TOOL, BurnOptions, burn_script
from cedarchest.config.template import template
from cedarchest.model.media import TRAITS, Medium
from cedarchest.ports import Graft, SessionSource

DAY = "2026/11/21"
LARGE_FILE = 40_000_000
PIECE = 1 << 20
SYSTEM_PYTHON = "/usr/bin/python3"

INDEXED = "store, indexed day"
UNINDEXED = "store, unindexed day"
VERIFY = "verify"
FLOOR = "floor: xorriso as ours + SHA-256"
FLOOR_DISK = "the same, image read from disk"
BARE = "bare floor: plain xorriso + SHA-256"
BARE_DISK = "bare floor, image read from disk"
BARE_MD5 = "bare floor with -md5 on"
ALONE = "plain xorriso alone"
CEDAR = "Cedar Backup store"
CEDAR_DISK = "the same, its copy read from disk"
CEDAR_CHECK = "Cedar Backup check"
CEDAR_CHECK_DISK = "the check, its copy read from disk"

_INDEX = """\
import sys; from pathlib import Path; from cedarchest.adapters.staging import StagingFolder
StagingFolder(Path(sys.argv[1]), lambda *_: None).index(Path(sys.argv[2]), sys.argv[3])"""
_HASH = """\
import hashlib, os, sys
digest = hashlib.sha256()
with open(sys.argv[1], "rb", buffering=0) as image:
    if sys.argv[2:]: os.posix_fadvise(image.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    while piece := image.read(1 << 20): digest.update(piece)
print(digest.hexdigest())"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a day is made of: large files of one size, small ones of 100 to 8000 bytes in folders."""

    large: int = 0
    large_bytes: int = LARGE_FILE
    small: int = 0
    folders: int = 0
    small_bytes: tuple[int, int] = (100, 8000)

    @property
    def bytes_at_most(self) -> int:
        """Room it takes on a file system, at most."""
        return self.large * self.large_bytes + self.small * max(4096, self.small_bytes[1] + 4096)


def shapes(scale: float) -> dict[str, Shape]:
    """The three days, at a scale: fewer small files, smaller large ones."""

    def part(whole: int) -> int:
        return max(1, round(whole * scale))

    size = part(LARGE_FILE)
    return {
        "big": Shape(large=30, large_bytes=size),
        "small": Shape(small=part(40_000), folders=part(200)),
        "mix": Shape(large=15, large_bytes=size, small=part(20_000), folders=part(100)),
    }


MILLION = Shape(small=1_000_000, folders=1000, small_bytes=(10, 100))


def make(shape: Shape, day: Path) -> tuple[int, int]:
    """Make a day and read it once; its number of files and bytes."""
    chance = random.Random(20261121)
    for number in range(shape.large):
        _fill(day / "large" / f"archive-{number:03}.tar", shape.large_bytes)
    for number in range(shape.small):
        folder = day / "small" / f"folder-{number % shape.folders:04}"
        _fill(folder / f"file-{number:07}.dat", chance.randint(*shape.small_bytes))
    (day / STAGED_MARK).touch()
    count = total = 0
    for parent, _, names in os.walk(day):
        for name in names:
            with Path(parent, name).open("rb") as stream:
                while piece := stream.read(PIECE):
                    total += len(piece)
            count += 1
    return count, total


def _fill(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for start in range(0, size, PIECE):
            stream.write(os.urandom(min(PIECE, size - start)))


def program() -> list[str]:
    """How cedarchest is called: as it is installed beside this interpreter."""
    installed = Path(sys.executable).with_name("cedarchest")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "cedarchest"]


def cedar_version() -> str:
    """The version of the Cedar Backup package, empty when it cannot be run."""
    if not shutil.which("dpkg-query") or not shutil.which("genisoimage"):
        return ""
    query = ["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Version}", "cedar-backup3"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return answer.removeprefix("ii").strip() if answer.startswith("ii") else ""


@dataclass(frozen=True)
class Subjects:
    """One day and all that is done with it; each preparation leaves the same state, whatever ran before."""

    place: Path

    @property
    def day(self) -> Path:
        return self.place / "staging" / DAY

    @property
    def run(self) -> Path:
        return self.place / "run"

    @property
    def image(self) -> Path:
        return self.place / "image.iso"

    @cached_property
    def all(self) -> dict[str, tuple[Callable[[], None], list[list[str]]]]:
        """By name: what is done before the clock starts, and the commands. `verify` follows a store."""
        ours = [*program(), "--config", str(self.run / "cedarchest.toml"), "--quiet"]
        cedar = [SYSTEM_PYTHON, str(Path(__file__).with_name("cedar.py")), DAY, str(self.day)]
        floor = [TOOL, "-no_rc", "-options_from_file", str(self.place / "floor.script")]
        read = [sys.executable, "-c", _HASH, str(self.image)]
        subjects: dict[str, tuple[Callable[[], None], list[list[str]]]] = {
            UNINDEXED: (self._unindexed, [[*ours, "store"]]),
            INDEXED: (self._indexed, [[*ours, "store"]]),
            VERIFY: (lambda: None, [[*ours, "verify"]]),
            FLOOR: (self._floor, [floor, read]),
            FLOOR_DISK: (self._floor, [floor, [*read, "from disk"]]),
            BARE: (self._fresh_image, [self._bare(), read]),
            BARE_DISK: (self._fresh_image, [self._bare(), [*read, "from disk"]]),
            BARE_MD5: (self._fresh_image, [self._bare("-md5", "on"), read]),
            ALONE: (self._fresh_image, [self._bare()]),
        }
        if cedar_version():
            copy = str(self.place / "copy")
            subjects[CEDAR] = (self._copied, [[*cedar, copy, str(self.image)]])
            subjects[CEDAR_DISK] = (self._copied_to_disk, subjects[CEDAR][1])
            subjects[CEDAR_CHECK] = (self._copied, [[*cedar, copy]])
            subjects[CEDAR_CHECK_DISK] = (self._copied_to_disk, subjects[CEDAR_CHECK][1])
        return subjects

    def _bare(self, *options: str) -> list[str]:
        write = ["-outdev", f"stdio:{self.image}", "-map", str(self.day), f"/{DAY}", "-end"]
        return [TOOL, "-no_rc", *options, "-padding", "0", "-stdio_sync", "end", *write]

    def _unindexed(self) -> None:
        for name in (INDEX_NAME, SUMS_NAME, STORED_MARK):
            (self.day / name).unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)
        self.image.unlink(missing_ok=True)
        self.run.mkdir()
        text = template(staging=str(self.place / "staging"))
        (self.run / "cedarchest.toml").write_text(text, encoding="utf-8")

    def _indexed(self) -> None:
        """As staging leaves a day: index and sums in it, fingerprints in the state folder."""
        self._unindexed()
        argv = [sys.executable, "-c", _INDEX, str(self.run / "state"), str(self.day), DAY]
        subprocess.run(argv, env=environment(), check=True)

    def _fresh_image(self) -> None:
        """The day as `_indexed` left it, no image."""
        (self.day / STORED_MARK).unlink(missing_ok=True)
        self.image.unlink(missing_ok=True)

    def _floor(self) -> None:
        self._fresh_image()
        (self.place / "floor.script").write_bytes(b"".join(floor_script(self.day, self.image)))

    def _copied(self) -> None:
        self._fresh_image()
        shutil.rmtree(self.place / "copy", ignore_errors=True)
        shutil.copytree(self.day, self.place / "copy", symlinks=True)

    def _copied_to_disk(self) -> None:
        """The copy as a disc would be that was just inserted: its data are not in memory, its folders are."""
        self._copied()
        os.sync()  # what was not written out yet stays in memory
        for parent, _, names in os.walk(self.place / "copy"):
            for name in names:
                with Path(parent, name).open("rb") as stream:
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def floor_script(day: Path, image: Path) -> Iterator[bytes]:
    """The session as our own store would have it written, without our files and our questions."""
    source = SessionSource(
        volume_id="BENCH",
        base=0,
        made_dirs=(b"/2026", b"/2026/11"),
        grafts=(Graft(os.fsencode(day), b"/" + DAY.encode()),),
        removed=(),
        made_at=1_795_000_000,
    )
    options = BurnOptions(f"stdio:{image}", padding_blocks=TRAITS[Medium.DVD_PLUS_R].padding)
    yield from (line for line in burn_script(source, options) if line != b"-print_size\n")
    yield b"-end\n"


def room_needed(chosen: Sequence[Shape]) -> tuple[int, int]:
    """Bytes and inodes that the largest set needs: the day, a copy, two images, catalog and indexes."""
    bytes_needed = max(4 * each.bytes_at_most + each.small * 2000 for each in chosen)
    return bytes_needed, max(2 * (each.small + each.large + each.folders) for each in chosen) + 1000
