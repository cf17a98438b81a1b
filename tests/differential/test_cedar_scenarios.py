"""The same days, discs and files to Cedar Backup's `cback3`, which burns with growisofs, and to ours.

Both run on the day that it is; `starting_day` is so many days ago, and so are the days that are staged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cedar_runs import CedarPool

pytestmark = pytest.mark.long

DAY = 86_400
TABLE = Path(__file__).parents[2] / "docs/how-to/from-cedar.md"
MOUNT = 'exec xorriso -no_rc -osirrox on:auto_chmod_off -indev /dev/sr0 -extract / "$4" >&2\n'
UMOUNT = 'chmod -R u+w "$1" && exec find "$1" -mindepth 1 -delete\n'
VOLNAME = 'exec dd if="$DISC" bs=1 skip=32808 count=32 2>/dev/null\n'
NOTHING = "exit 0\n"
OF_OURS = ("INDEX.jsonl.gz", "SHA256SUMS")  # beside what was staged
TOOLS = {"mount": MOUNT, "umount": UMOUNT, "volname": VOLNAME, "eject": NOTHING}


def ago(days: int, today: date) -> str:
    return f"{today - timedelta(days=days):%Y/%m/%d}"


@dataclass
class Machine:
    """A folder and a drive of its own for one of the two."""

    pool: CedarPool
    drive: Burner
    today: date

    def configure(self, start: int, media: str, inside: str, rest: str = "") -> None:
        """Write the configuration; the week began `start` days ago."""
        root = self.pool.root
        overrides = ""
        for name, text in TOOLS.items():
            tool = root / name
            tool.write_text(f"#!/bin/sh\n{text}")
            tool.chmod(0o755)
            overrides += f"<override><command>{name}</command><abs_path>{tool}</abs_path></override>"
        name = f"{self.today - timedelta(days=start):%A}".lower()
        self.pool.configure(
            f"<peers><peer><name>here</name><type>local</type><collect_dir>{root}/collect</collect_dir></peer>"
            f"</peers><stage><staging_dir>{root}/staging</staging_dir></stage>"
            f"<store><source_dir>{root}/staging</source_dir><media_type>{media}</media_type>"
            f"<device_type>dvdwriter</device_type><target_device>/dev/sr0</target_device>"
            f"<check_data>Y</check_data>{inside}</store>{rest}",
            options=overrides,
        )
        text = self.pool.config.read_text()
        self.pool.config.write_text(text.replace(">monday<", f">{name}<"))

    def run(self, words: str, *, theirs: bool) -> int:
        """The exit status of a command."""
        self.pool.environ = {**self.drive.env(), "DISC": str(self.drive.data_path)}
        if not theirs:
            self.pool.environ["CEDARCHEST_NOW"] = f"{self.today}T12:00:00"
        ran = (self.pool.run_theirs if theirs else self.pool.run)(*words.split())
        print(ran.out, ran.err)  # noqa: T201 - seen when a test fails
        return ran.status

    def marked(self) -> list[str]:
        """The days that count as stored."""
        found = (self.pool.root / "staging").glob("*/*/*/cback.store")
        return sorted(str(path.parent.relative_to(self.pool.root / "staging")) for path in found)

    def disc(self) -> dict[str, bytes]:
        """The staged files that the disc shows, by path."""
        to = self.pool.root / "read"
        shutil.rmtree(to, ignore_errors=True)
        argv = ["xorriso", "-no_rc", "-osirrox", "on", "-indev", "/dev/sr0", "-extract", "/", str(to)]
        subprocess.run(argv, env={**os.environ, **self.drive.env()}, capture_output=True, check=False)
        return {
            str(path.relative_to(to)): path.read_bytes()
            for path in sorted(to.glob("[0-9]*/**/*"))
            if path.is_file() and not path.name.startswith("cback.") and path.name not in OF_OURS
        }


@dataclass(frozen=True)
class Burning:
    """Days that were staged, so many days ago, and what is run."""

    staged: tuple[int, ...]
    runs: tuple[str, ...] = ("store",)
    start: int = 2
    half: tuple[int, ...] = ()  # staged, but not to the end
    stored: tuple[int, ...] = ()
    media: str = "dvd+rw"
    inside: str = ""
    between: tuple[int, ...] = ()  # staged after the first run
    files: Mapping[str, bytes] = field(default_factory=lambda: {"a.tar": b"archive" * 900, "b c/ü": b""})

    def done(self, folder: Path, *, theirs: bool) -> tuple[list[int], list[str], dict[str, bytes]]:
        """The exit statuses, the days that are marked, and what is on the disc."""
        today = date.today()  # noqa: DTZ011 - Cedar Backup has no other clock
        with Burner(profile=self.media) as drive:
            machine = Machine(CedarPool(folder), drive, today)
            machine.configure(self.start, self.media, self.inside)
            self._stage(machine, (*self.staged, *self.half))
            staging = machine.pool.root / "staging"
            for days in self.half:
                (staging / ago(days, today) / "cback.stage").unlink()
            for days in self.stored:
                (staging / ago(days, today) / "cback.store").touch()
            statuses = []
            for number, words in enumerate(self.runs):
                if number == 1:
                    self._stage(machine, self.between)
                statuses.append(machine.run(words, theirs=theirs))
            if today != date.today():  # noqa: DTZ011
                return self.done(folder.with_name(folder.name + "-again"), theirs=theirs)
            return statuses, machine.marked(), machine.disc()

    def _stage(self, machine: Machine, days: tuple[int, ...]) -> None:
        for each in days:
            named = {name: content + str(each).encode() for name, content in self.files.items()}
            machine.pool.stage(ago(each, machine.today), named)


FULL = "--full store"
DAILY = "<blank_behavior><mode>daily</mode><factor>{}</factor></blank_behavior>"
WEEKLY = "<blank_behavior><mode>weekly</mode><factor>{}</factor></blank_behavior>"

ALIKE = {
    "a day is stored": Burning((0,), (FULL,)),
    "a full store wants the day of today": Burning((1,), (FULL,)),
    "a full store takes no day of tomorrow": Burning((-1,), (FULL,)),
    "nothing is staged": Burning(()),
    "what is stored is not stored again": Burning((0,), stored=(0,)),
    "what is staged by half is not stored": Burning((), half=(0,)),
    "what is older is not stored by half": Burning((0,), (FULL,), half=(1,)),
    "the first day of a week takes a blank disc": Burning((0,), start=0),
    "the second day of a week is appended": Burning((1,), ("rebuild", "store"), between=(0,), start=1),
    "the last day of a week is appended": Burning((1,), ("rebuild", "store"), between=(0,), start=6),
    "the day after is appended": Burning((0,), (FULL, "store"), between=(-1,)),
    "a second run has nothing to do": Burning((0,), (FULL, "store")),
    "all of it is stored again when it is asked for": Burning((0,), (FULL, FULL)),
    "a week is rebuilt": Burning((2, 1, 0), ("rebuild",)),
    "a week with holes is rebuilt": Burning((2, 0), ("rebuild",), stored=(2,)),
    "a week is rebuilt from its first day": Burning((1, 0), ("rebuild",), start=0),
    "a whole week is rebuilt": Burning((7, 6, 5, 4, 3, 2, 1, 0), ("rebuild",), start=6),
    "a rebuild leaves what is staged by half": Burning((1,), ("rebuild",), half=(0,)),
    "a rebuild of nothing": Burning((), ("rebuild",)),
    "a rebuild takes a new disc": Burning((1,), ("rebuild", "rebuild"), between=(0,)),
    "a disc is initialized": Burning((0,), ("initialize",)),
    "a disc is initialized, and takes a day": Burning((0,), ("initialize", FULL)),
    "an initialized disc passes where discs are checked": Burning(
        (0,), ("initialize", FULL), inside="<check_media>Y</check_media>"
    ),
    "a day with no files": Burning((0,), (FULL,), files={}),
    "a day with large files": Burning((0,), (FULL,), files={"large": bytes(9_000_000), "x/y/z": b"deep"}),
    "a write-once disc": Burning((0,), (FULL,), media="dvd+r"),
    "a write-once disc is appended to": Burning((1,), ("rebuild", "store"), between=(0,), media="dvd+r"),
    "a write-once disc is appended to twice": Burning(
        (1,), ("rebuild", "store", "store"), between=(0,), media="dvd+r"
    ),
    "a disc of each day, with room": Burning(
        (1,), ("rebuild", "store"), between=(0,), inside=DAILY.format("1.0")
    ),
    "a disc of each week": Burning((1,), ("rebuild", "store"), between=(0,), inside=WEEKLY.format("1000000")),
}
"""What comes out as it does by Cedar Backup."""


DIFFERENT = {
    "a blank disc in the middle of a week": (Burning((0,)), ([6], 0, 0), ([0], 1, 1)),
    "days": (Burning((2, 1), ("rebuild", "store"), between=(0, -1), start=1), ([0, 0], 2, 2), ([0, 0], 4, 4)),
    "days of a disc that is written over": (
        Burning((1,), ("rebuild", FULL), between=(0,)),
        ([0, 0], 2, 1),
        ([0, 0], 1, 1),
    ),
    "days of a daily disc": (
        Burning((1,), ("rebuild", "store"), between=(0,), inside=DAILY.format("1000000")),
        ([0, 0], 2, 1),
        ([0, 0], 1, 1),
    ),
}
"""What does not: by its row in the table of differences, how it ends, and how many days there are then."""


@pytest.fixture(autouse=True)
def _tools() -> None:
    require()
    if not shutil.which("growisofs"):
        assert os.environ.get("CI") != "true", "growisofs is not installed"
        pytest.skip("growisofs is not installed")


@pytest.mark.parametrize("name", ALIKE)
def test_a_day_is_burnt_alike(tmp_path: Path, name: str) -> None:
    theirs = ALIKE[name].done(tmp_path / "theirs", theirs=True)
    ours = ALIKE[name].done(tmp_path / "ours", theirs=False)
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]
    assert ours[2].keys() == theirs[2].keys()
    assert ours == theirs


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_day_is_burnt_otherwise(tmp_path: Path, name: str) -> None:
    assert f"| {name} |" in TABLE.read_text(encoding="utf-8")
    burning, theirs, ours = DIFFERENT[name]
    for expected, is_theirs in ((theirs, True), (ours, False)):
        statuses, marked, disc = burning.done(tmp_path / str(is_theirs), theirs=is_theirs)
        assert (statuses, len(marked), len({path[:10] for path in disc})) == expected


@pytest.mark.parametrize("media", ["dvd+rw", "dvd+r"])
def test_cedar_backup_goes_on_with_what_ours_left(tmp_path: Path, media: str) -> None:
    with Burner(profile=media) as drive:
        machine = Machine(CedarPool(tmp_path), drive, date.today())  # noqa: DTZ011
        machine.configure(3, media, "")
        days = [ago(each, machine.today) for each in (1, 0, -1)]
        for day, theirs, status in zip(days, (False, True, False), (0, 0, 6), strict=True):
            machine.pool.stage(day, {"a.tar": day.encode()})
            assert machine.run("store", theirs=theirs) == status
        assert machine.marked() == days[:2]  # a disc that another program wrote to takes none of ours
        assert machine.disc() == {f"{day}/here/a.tar": day.encode() for day in days[:2]}


@pytest.mark.parametrize(("start", "theirs", "ours"), [(0, 6, 6), (1, 0, 6)])
def test_a_write_once_disc_of_last_week_is_in_the_drive(
    tmp_path: Path, start: int, theirs: int, ours: int
) -> None:
    for is_theirs, status in ((True, theirs), (False, ours)):
        with Burner(profile="dvd+r") as drive:
            machine = Machine(CedarPool(tmp_path / str(is_theirs)), drive, date.today())  # noqa: DTZ011
            machine.configure(3, "dvd+r", "")
            machine.pool.stage(ago(2, machine.today), {"a.tar": b"last week"})
            assert machine.run("rebuild", theirs=is_theirs) == 0
            machine.configure(start, "dvd+r", "")
            machine.pool.stage(ago(0, machine.today), {"a.tar": b"this week"})
            assert machine.run("store", theirs=is_theirs) == status
