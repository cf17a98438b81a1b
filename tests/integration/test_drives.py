"""`drives` on an emulated burner: what there is, what is in it, and why it cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cli.program import program, told
from tests.conftest import Project

from cedarchest.adapters.drives import stable_name

DAY = "2026/11/21"
NOTHING: dict[str, Any] = {"device": "/dev/sr0", "path": "/dev/sr0", "configured": False, "error": None}
EMULATED = {**NOTHING, "labels": [], "model": "EMULATED TEST BURNER", "firmware": "1.00"}


@pytest.fixture(autouse=True)
def _emulator() -> None:
    require()


def drives(project: Project, drive: Burner) -> list[dict[str, Any]]:
    ran = project.run("--json", "drives", environ=drive.env())
    assert ran.status == 0, ran.err
    found = told(ran)["drives"]
    assert isinstance(found, list)
    return found


def test_a_drive_is_told_without_any_configuration(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with Burner("bd-r") as drive:
        ran = program("drives", "--json", cwd=tmp_path, environ={**environ, **drive.env()})
        assert ran.status == 0, ran.err
        made = "VERBAT/IMe/0 (Mitsubishi Kagaku Media Co.)"
        disc = {
            "state": "blank",
            "medium": "bd-r",
            "medium_id": made,
            "label": "",
            "ours": False,
            "sessions": 0,
        }
        room = {"capacity_blocks": 12_219_392, "free_blocks": 12_219_392}
        assert told(ran)["drives"] == [{**EMULATED, "disc": disc | room}]
        said = program("drives", cwd=tmp_path, environ={**environ, **drive.env()}).out
        assert said.splitlines() == [
            "/dev/sr0",
            "  EMULATED TEST BURNER, firmware 1.00",
            "  bd-r, blank, 25.0 GB of 25.0 GB free",
            f"  the disc is a {made}",
        ]
    with Burner("none") as drive:
        ran = program("drives", "--json", cwd=tmp_path, environ={**environ, **drive.env()})
        assert told(ran)["drives"] == [{**EMULATED, "disc": None}]
        assert "  no disc\n" in program("drives", cwd=tmp_path, environ={**environ, **drive.env()}).out
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_it_is_told_ours_or_not(project: Project, tmp_path: Path) -> None:
    project.configure(device="/dev/sr0")
    with Burner("dvd+r") as drive:
        project.stage(DAY)
        assert project.run("store", environ=drive.env()).status == 0
        ran = project.run("--json", "drives", environ=drive.env())
        (found,) = told(ran)["drives"]
        assert found["configured"] is True
        assert (found["disc"]["state"], found["disc"]["ours"]) == ("appendable", True)
        assert told(ran)["discs"] == found["labels"] == [found["disc"]["label"]]
        drive.exchange("dvd+r")
        photo = tmp_path / "photo"
        photo.write_bytes(b"x")
        subprocess.run(
            ["xorriso", "-no_rc", "-outdev", "/dev/sr0", "-volid", "PHO\x1bTOS",
             "-map", str(photo), "/p", "-commit"],
            env={**os.environ, **drive.env()}, check=True, capture_output=True,
        )  # fmt: skip
        ran = project.run("drives", environ=drive.env())
        assert "dvd+r, appendable, not ours: PHO\\x1bTOS," in ran.out
        assert "\x1b" not in ran.out + ran.err


def test_a_drive_in_trouble_says_so_and_hides_no_other(project: Project) -> None:
    project.configure(device=["/dev/sr0", "/dev/sr7", "shelf:shelf"])
    with Burner("dvd+r") as drive:
        drive.unplug()
        unplugged, missing, shelf = drives(project, drive)
        drive.plug()
    assert (unplugged["device"], unplugged["disc"], unplugged["error"]["code"]) == ("/dev/sr0", None, 9)
    assert unplugged["error"]["advice"].startswith("Check the drive's cable")
    assert (missing["device"], missing["error"]["message"]) == ("/dev/sr7", "there is no device /dev/sr7")
    assert (shelf["device"], shelf["error"]) == (f"shelf:{project.shelf}", None)
    said = project.run("drives").out
    assert f"shelf:{project.shelf}  (configured)\n  a shelf with no disc yet\n" in said
    project.configure()
    project.stage(DAY)
    assert project.run("store").status == 0
    assert f"  a shelf with {project.images()[0].stem}\n" in project.run("drives").out
    assert "/dev/sr7  (configured)\n  cannot be used: there is no device /dev/sr7\n    Check" in said


def test_a_mounted_drive_is_told_and_not_touched(project: Project, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("36 35 11:0 / /mnt/disc ro - iso9660 /dev/sr0 ro\n")
    with Burner("dvd+r") as drive:
        environ = {**drive.env(), "FAKEBURN_MOUNTINFO": str(mounts)}
        ran = project.run("--json", "drives", environ=environ)
        found = json.loads(ran.out)["drives"][0]
        assert found["error"]["kind"] == "DeviceMounted", found
        assert drive.counts() == {}


def test_a_drive_by_link_is_the_same_drive(project: Project) -> None:
    link = project.root / "burner"
    link.symlink_to("/dev/sr0")
    project.configure(device=str(link))
    with Burner("dvd+r") as drive:
        found = drives(project, drive)
    assert [(each["device"], each["configured"]) for each in found] == [("/dev/sr0", True)]


def test_the_stable_name_is_that_of_make_and_serial_number(tmp_path: Path) -> None:
    device = tmp_path / "sr1"
    device.touch()
    links = tmp_path / "by-id"
    assert stable_name(device, links) == device
    links.mkdir()
    (links / "ata-OTHER").symlink_to(tmp_path / "sr0")
    assert stable_name(device, links) == device
    (links / "wwn-0x5").symlink_to(device)
    assert stable_name(device, links) == links / "wwn-0x5"
    (links / "usb-MAKE_MODEL_SERIAL-0:0").symlink_to(device)
    (links / "gone").symlink_to(tmp_path / "sr9")
    assert stable_name(device, links) == links / "usb-MAKE_MODEL_SERIAL-0:0"
