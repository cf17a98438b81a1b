"""One more copy of a disc: from a shelf, and with a single drive."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cli.program import error_of, told
from tests.conftest import Project

pytestmark = pytest.mark.slow

DAY, NEXT = "2026/11/22", "2026/11/23"
NOON = {"CEDARCHEST_NOW": "2026-11-23T12:00"}
FIRST, COPY = "CC_20261123_001", "CC_20261123_B001"


def shown(image: Path, target: Path) -> Path:
    """What an image shows, brought out by another reader."""
    target.mkdir()
    subprocess.run(["bsdtar", "-xf", str(image), "-C", str(target)], check=True)
    return target / "2026"


def contents(root: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Files by their paths, with content, mode, time and number of links."""
    return {
        str(path.relative_to(root)): (path.read_bytes(), at.st_mode, int(at.st_mtime), at.st_nlink)
        for path in sorted(root.rglob("*"))
        if path.is_file() and (at := path.stat())
    }


def three_sessions(project: Project) -> None:
    """A day with links, another day, and a supplement of the first one that replaces a file."""
    folder = project.stage(DAY, {"a": b"a" * 5000, "dir/b": b"b", "kept": b"k"})
    os.link(folder / "alpha" / "a", folder / "alpha" / "link")
    assert project.run("store", environ=NOON).status == 0
    project.stage(NEXT)
    assert project.run("store", environ=NOON).status == 0
    (folder / "alpha" / "later").write_bytes(b"later")
    (folder / "cback.store").unlink()
    assert project.run("store", environ=NOON).status == 0


def test_a_copy_shows_all_that_the_disc_shows_and_counts_for_its_days(
    project: Project, tmp_path: Path
) -> None:
    three_sessions(project)
    shutil.rmtree(project.staging / "2026")
    ran = project.run("--json", "copy", FIRST, environ=NOON)
    assert (ran.status, told(ran)["discs"], told(ran)["days"]) == (0, [COPY], [DAY, NEXT])
    disc, copy = (shown(project.shelf / f"{label}.iso", tmp_path / label) for label in (FIRST, COPY))
    assert contents(copy) == contents(disc)
    assert project.run("verify").status == 0
    assert project.run("verify", str(project.shelf / f"{COPY}.iso")).status == 0
    sums = ["sha256sum", "--quiet", "-c", "CEDARCHEST/sessions/001/SHA256SUMS"]
    subprocess.run(sums, cwd=copy.parent, check=True)
    lost = project.run("discs", "lost", FIRST)
    assert "LOST" not in lost.out
    assert DAY in project.run("status").out


def test_a_copy_takes_no_further_days(project: Project) -> None:
    three_sessions(project)
    assert project.run("copy", FIRST, environ=NOON).status == 0
    project.stage("2026/11/24")
    assert told(project.run("--json", "store", environ=NOON))["discs"] == [FIRST]


def test_a_disc_that_differs_is_not_copied(project: Project) -> None:
    three_sessions(project)
    image = project.shelf / f"{FIRST}.iso"
    raw = image.read_bytes()
    image.write_bytes(raw.replace(b"a" * 5000, b"a" * 4999 + b"b"))
    ran = project.run("--json", "copy", FIRST, environ=NOON)
    assert (ran.status, error_of(ran)["kind"]) == (7, "VerifyError")
    assert project.images() == [image]


def test_a_copy_of_a_volume_takes_its_place_in_the_set(project: Project) -> None:
    project.configure(capacity="2 MiB")
    project.stage(DAY, {f"f{number}": os.urandom(700_000) for number in range(4)})
    assert project.run("store", environ=NOON).status == 0
    first, second = (image.stem for image in project.images())
    shutil.rmtree(project.staging / "2026")
    assert project.run("copy", second, environ=NOON).status == 0
    assert "LOST" not in project.run("discs", "lost", second).out
    assert f"LOST: {DAY}" in project.run("discs", "lost", first).out


@pytest.mark.parametrize("medium", ["dvd+r", "dvd+rw", "bd-re", "dvd-ram", "cd-r"])
def test_with_one_drive_the_disc_is_read_first_and_a_blank_one_wanted(
    project: Project, medium: str, tmp_path: Path
) -> None:
    require()
    project.configure(device="/dev/sr0")
    with Burner(medium) as drive:
        project.stage(DAY)
        environ = {**NOON, **drive.env()}
        assert project.run("store", environ=environ).status == 0
        project.stage(NEXT)
        assert project.run("store", environ=environ).status == 0
        shutil.rmtree(project.staging / "2026")
        ran = project.run("--json", "copy", FIRST, environ=environ)
        assert ran.status == 8
        assert "Insert a blank disc" in error_of(ran)["advice"]
        drive.exchange(medium)
        ran = project.run("--json", "copy", FIRST, environ=environ)
        assert (ran.status, told(ran)["discs"]) == (0, [COPY]), ran.err
        assert project.run("verify", environ=environ).status == 0
        assert drive.state().refused_overwrites == 0
    assert not list((project.root / "state").rglob("*.iso"))


def test_a_copy_keeps_the_margin_of_its_disc(project: Project) -> None:
    """What a disc holds does not fit another of its kind on which more room is to stay free."""
    require()
    project.configure(device="/dev/sr0")
    with Burner("dvd+r") as drive:
        project.stage(DAY, {"most": os.urandom(4 << 20)})
        environ = {**NOON, **drive.env()}
        assert project.run("store", environ=environ).status == 0
        ran = project.run("copy", FIRST, environ=environ)
        assert ran.status == 8  # it is read; now a blank one is wanted
        drive.exchange("dvd+r")
        project.configure(device="/dev/sr0", margin="4480 MiB")
        ran = project.run("--json", "copy", FIRST, environ=environ)
        assert (ran.status, error_of(ran)["kind"]) == (8, "MediumFull"), ran.err
        assert not drive.state().closed_sessions


def test_a_disc_that_is_not_in_the_drive_is_asked_for(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")
    with Burner("dvd+r") as drive:
        project.stage(DAY)
        environ = {**NOON, **drive.env()}
        assert project.run("store", environ=environ).status == 0
        drive.exchange("dvd+r")
        ran = project.run("--json", "copy", FIRST, environ=environ)
        assert ran.status == 8
        assert FIRST in error_of(ran)["advice"]


def test_a_working_folder_that_cannot_be_written_is_named(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")
    with Burner("dvd+r") as drive:
        project.stage(DAY)
        environ = {**NOON, **drive.env()}
        assert project.run("store", environ=environ).status == 0
        blocked = project.root / "state" / "work" / "copies"
        blocked.parent.mkdir(exist_ok=True)
        blocked.write_bytes(b"")
        ran = project.run("--json", "copy", FIRST, environ=environ)
        assert (ran.status, error_of(ran)["kind"]) == (6, "CatalogError")
        assert str(blocked) in error_of(ran)["message"]
