"""The program on an emulated burner: what an administrator with a drive and a few discs does."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.conftest import Project
from tests.terminal import Terminal

from cedarchest.adapters.drives import LocalDrives
from cedarchest.adapters.locks import HeldLocks
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.errors import DriveForbidden
from cedarchest.model.media import Medium

FIRST, SECOND, THIRD = "2026/11/21", "2026/11/22", "2026/11/23"
MEDIA = ["dvd+r", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dvd+rw", "bd-r", "cd-r"))]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def store(project: Project, drive: Burner, *arguments: str, now: str = "2026-11-23T23:00") -> int:
    ran = project.run("store", *arguments, environ={**drive.env(), "CEDARCHEST_NOW": now})
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran.status


@pytest.mark.parametrize("medium", MEDIA)
def test_days_are_appended_proven_and_read_back_by_others(
    project: Project, medium: str, tmp_path: Path
) -> None:
    with Burner(profile=medium) as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(SECOND)
        assert store(project, drive) == 0
        assert project.is_marked(FIRST)
        assert project.is_marked(SECOND)
        assert project.run("verify", environ=drive.env()).status == 0
        assert project.run("verify", "/dev/sr0", environ=drive.env()).status == 0
        assert drive.state().refused_overwrites == 0
        assert_drive_named(project, drive)
        assert_medium_named(project, drive)
        subprocess.run(
            ["xorriso", "-no_rc", "-osirrox", "on", "-indev", "/dev/sr0", "-extract", "/2026",
             str(tmp_path / "out")],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
    compared = filecmp.dircmp(tmp_path / "out", project.staging / "2026", ignore=["cback.store"])
    assert (compared.left_only, compared.right_only, compared.diff_files) == ([], [], [])
    there, here = tmp_path / "out" / "11" / "22", project.staging / SECOND
    assert filecmp.cmp(there / "alpha" / "a.txt", here / "alpha" / "a.txt", shallow=False)


def assert_drive_named(project: Project, drive: Burner) -> None:
    """Sessions and checks name the drive they were made with, for those who ask why a disc cannot be read."""
    details = project.run("--json", "discs", environ=drive.env()).json["details"]
    assert isinstance(details, list)
    made = [*details[0]["sessions"], *details[0]["checks"]]
    assert {each["drive_model"] for each in made} == {"EMULATED TEST BURNER 1.00"}
    (label,) = named(project, drive, "discs")
    lines = project.run("discs", label, environ=drive.env()).out
    assert "passed in /dev/sr0 (EMULATED TEST BURNER 1.00)" in lines
    told = drive.data_path.read_bytes()
    assert told.count(b'"drive": "EMULATED TEST BURNER 1.00"') == len(details[0]["sessions"])


MEDIUM_IDS = {
    "dvd+r": "MCC/003/48 (Mitsubishi Chemical Corporation)",
    "dvd+rw": "MKM/A02/48 (Mitsubishi Kagaku Media Co.)",
    "cd-r": "97m34s23f/79m59s70f (Mitsubishi Chemical Corporation)",
    "bd-r": "VERBAT/IMe/0 (Mitsubishi Kagaku Media Co.)",
}


def assert_medium_named(project: Project, drive: Burner) -> None:
    """Sessions tell which make of disc they are on and the speed that was asked for."""
    details = project.run("--json", "discs", environ=drive.env()).json["details"]
    assert isinstance(details, list)
    expected = MEDIUM_IDS[drive.profile]
    assert {each["medium_id"] for each in details[0]["sessions"]} == {expected}
    assert {each["speed_asked"] for each in details[0]["sessions"]} == {"best"}
    (label,) = named(project, drive, "discs")
    lines = project.run("discs", label, environ=drive.env()).out
    assert f" on {expected}, speed asked for: best" in lines
    told = drive.data_path.read_bytes()
    assert told.count(f'"medium": "{expected}",\n "speed": "best"'.encode()) == len(details[0]["sessions"])


def test_the_speed_that_a_drive_wrote_with_is_recorded_and_goes_on_the_disc(project: Project) -> None:
    project.configure(device="/dev/sr0", speed=4)
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST, {"large": os.urandom(3_000_000)})
        drive.faults([Fault("write", times=ALWAYS, effect=Effect.SLOW, seconds=0.02)])
        assert store(project, drive) == 0
        drive.faults([])
        details = project.run("--json", "discs", environ=drive.env()).json["details"]
        assert isinstance(details, list)
        (session,) = details[0]["sessions"]
        assert session["speed_asked"] == "4x"
        # 16 blocks, or 32 kB, take 20 ms and what the machine adds: never more than 1640 kB/s
        assert 100 < session["speed_used"] < 1700
        assert f"written at {session['speed_used']} kB/s" in project.run("discs", details[0]["label"]).out
        project.stage(SECOND)
        assert store(project, drive) == 0
        assert f'"speed_kb_s": {session["speed_used"]}'.encode() in drive.data_path.read_bytes()


def test_a_full_write_once_disc_asks_for_a_blank_one_and_goes_on_with_it(project: Project) -> None:
    with Burner(profile="cd-r", blocks=14_000) as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(SECOND, {"large": os.urandom(6_000_000)})
        assert store(project, drive) == 8
        assert not project.is_marked(SECOND)
        drive.exchange("cd-r")
        assert store(project, drive) == 0
    assert project.is_marked(SECOND)


def test_another_disc_of_ours_is_the_wrong_one(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        old = drive.exchange("dvd+r")
        project.stage(SECOND)
        assert store(project, drive) == 0
        drive.exchange("dvd+r", directory=old)
        project.stage(THIRD)
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8
        assert "is in use" in ran.err


def two_discs(project: Project, drive: Burner) -> Path:
    """Two days, a disc each; the second disc is in the drive, the first in the folder that is returned."""
    project.configure(device="/dev/sr0", new_disc="daily")
    project.stage(FIRST)
    assert store(project, drive, now="2026-11-21T23:00") == 0
    old = drive.exchange("dvd+r")
    project.stage(SECOND)
    assert store(project, drive, now="2026-11-22T23:00") == 0
    return old


@pytest.mark.parametrize("action", ["verify", "audit"])
def test_a_check_of_a_disc_that_is_not_there_says_so_and_reads_no_other(
    project: Project, action: str
) -> None:
    with Burner(profile="dvd+r") as drive:
        two_discs(project, drive)
        ran = project.run(action, "CC_20261121_001", environ=drive.env())
        assert ran.status == 8
        assert "CC_20261121_001: NOT READ" in ran.out
        assert "/dev/sr0 holds CC_20261122_001, and CC_20261121_001 is needed" in ran.err
        assert project.run(action, "CC_20261122_001", environ=drive.env()).status == 0
        drive.exchange("none")
        ran = project.run(action, "CC_20261121_001", environ=drive.env())
        assert ran.status == 8
        assert "there is no disc in /dev/sr0; CC_20261121_001 is needed" in ran.err
        assert all(project.is_marked(day) for day in (FIRST, SECOND))


@pytest.mark.parametrize("action", ["verify", "audit"])
def test_somebody_is_asked_for_each_disc_that_is_to_be_checked(project: Project, action: str) -> None:
    with Burner(profile="dvd+r") as drive:
        old = two_discs(project, drive)
        asked = Terminal(project, drive, action, "CC_20261122_001", "CC_20261121_001")
        asked.until("Press Enter")
        drive.exchange("dvd+r", directory=old)
        asked.answer("\n")
        assert asked.status() == 0
    ran = project.run("--json", "discs")
    kinds = [[check["kind"] for check in disc["checks"]] for disc in json.loads(ran.out)["details"]]
    assert kinds == [["store", action], ["store", action]]


@pytest.mark.slow
def test_a_week_is_rebuilt_on_a_blank_disc_that_is_asked_for(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(SECOND)  # a Sunday
        project.stage(THIRD)
        assert store(project, drive) == 0
        ran = project.run("rebuild", environ=drive.env())
        assert ran.status == 8
        assert "Insert a blank disc" in ran.err
        drive.exchange("dvd+r")
        ran = project.run("rebuild", environ=drive.env())
        assert ran.status == 0, ran.err
        assert len(named(project, drive, "discs")) == 2
        assert drive.state().closed_sessions == 1


@pytest.mark.slow
def test_a_new_week_wants_a_new_disc_and_takes_a_blank_one(project: Project) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly")
    with Burner(profile="dvd+r") as drive:
        project.stage(SECOND)
        assert store(project, drive) == 0
        project.stage(THIRD)
        assert store(project, drive) == 8
        drive.exchange("dvd+r")
        assert store(project, drive) == 0
        assert len(named(project, drive, "discs")) == 2
    assert project.is_marked(THIRD)


def named(project: Project, drive: Burner, *arguments: str) -> list[str]:
    """Labels of the discs that an answer names."""
    discs = project.run("--json", *arguments, environ=drive.env()).json["discs"]
    assert isinstance(discs, list)
    return discs


def test_status_names_the_disc_in_use(project: Project) -> None:
    with Burner(profile="bd-r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(SECOND)
        ran = project.run("status", environ=drive.env())
        assert ran.status == 0, ran.err
        assert SECOND in ran.out
        assert named(project, drive, "discs")[0] in ran.out


def test_validate_finds_the_drive_and_leaves_its_disc_blank(project: Project) -> None:
    with Burner(profile="bd-r") as drive:
        ran = project.run("validate", environ=drive.env())
        assert ran.status == 0, ran.err
        assert "a new disc is begun next" in ran.out
        assert "2A" not in drive.counts()
        assert drive.state().tracks == []


@pytest.mark.parametrize("action", ["status", "discs", "validate", "verify"])
def test_what_only_looks_writes_nothing_to_a_disc(project: Project, action: str) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        drive.reset_counts()
        assert project.run(action, environ=drive.env()).status == 0
        assert "2A" not in drive.counts()


def test_a_dry_run_says_what_goes_where_and_burns_nothing(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        ran = project.run("store", "--dry-run", environ=drive.env())
        assert ran.status == 0, ran.err
        assert FIRST in ran.out
        assert drive.state().tracks == []
    assert not project.is_marked(FIRST)


def test_an_empty_drive_says_what_to_insert(project: Project) -> None:
    with Burner(profile="none") as drive:
        project.stage(FIRST)
        ran = project.run("store", environ=drive.env())
    assert ran.status == 8
    assert "Insert a blank disc" in ran.err


@pytest.mark.slow
def test_a_rewritable_disc_is_reused_only_after_the_retention(project: Project) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly")
    with Burner(profile="dvd+rw") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(THIRD)
        assert store(project, drive, now="2026-11-24T01:00") == 8
        assert store(project, drive, now="2026-12-24T01:00") == 0
    assert project.is_marked(THIRD)
    details = project.run("--json", "discs").json["details"]
    assert [disc["given_up"] for disc in details] == [True, False]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_our_own_disc_is_erased_by_hand_only_after_the_retention(project: Project) -> None:
    with Burner(profile="dvd+rw") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        environ = {**drive.env(), "CEDARCHEST_NOW": "2026-11-24T01:00"}
        early = project.run("initialize", "--yes", environ=environ)
        assert early.status == 8
        assert "younger than" in early.err
        assert project.run("verify", environ=environ).status == 0
        environ["CEDARCHEST_NOW"] = "2026-12-24T01:00"
        assert project.run("initialize", "--yes", environ=environ).status == 0
        project.stage(THIRD)
        assert store(project, drive, now="2026-12-24T02:00") == 0
    assert project.is_marked(THIRD)


def test_nothing_is_erased_without_a_yes(project: Project) -> None:
    with Burner(profile="dvd+rw") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        late = {**drive.env(), "CEDARCHEST_NOW": "2026-12-24T01:00"}
        assert project.run("initialize", environ=late).status == 8
        assert project.run("verify", environ=late).status == 0


def test_a_foreign_disc_takes_no_day(project: Project, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"family")
    with Burner(profile="dvd+r") as drive:
        subprocess.run(
            ["xorriso", "-no_rc", "-volid", "PHOTOS", "-outdev", "/dev/sr0", "-map", str(tmp_path / "photo"),
             "/photo", "-end"],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
        before = drive.state()
        project.stage(FIRST)
        ran = project.run("--json", "store", environ=drive.env())
        assert ran.status == 8
        assert ran.json["error"]["kind"] == "ForeignDisc"  # type: ignore[index]
        assert "PHOTOS" in ran.err
        assert project.run("store", "--full", "--day", FIRST, environ=drive.env()).status == 8
        assert drive.state() == before


def test_our_disc_of_another_catalog_takes_no_day(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.staging.mkdir(parents=True)
    other.configure(device="/dev/sr0")
    with Burner(profile="dvd+r") as drive:
        other.stage(FIRST)
        assert store(other, drive) == 0
        project.stage(SECOND)
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8
        assert "does not know" in ran.err
        assert "`cedarchest catalog rebuild /dev/sr0` enters this one" in ran.err
        assert drive.state().closed_sessions == 1


def test_a_disc_that_was_given_up_as_lost_is_known_when_it_is_found_in_the_drive(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        label = project.run("--json", "discs").json["discs"][0]  # type: ignore[index]
        assert project.run("discs", "lost", label).status == 0
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8
        assert f"holds our disc {label}, which was given up" in ran.err
        assert f"If it was lost and is found: cedarchest verify {label}" in ran.err
        assert project.run("verify", label, environ=drive.env()).status == 0
        assert project.is_marked(FIRST)


def test_a_foreign_rewritable_disc_is_erased_only_when_it_is_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"family")
    with Burner(profile="dvd+rw") as drive:
        subprocess.run(
            ["xorriso", "-no_rc", "-volid", "PHOTOS", "-outdev", "/dev/sr0", "-map", str(tmp_path / "photo"),
             "/photo", "-end"],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
        asked = ["initialize", "--yes", "--overwrite-foreign"]
        assert project.run(*asked, "OTHER", environ=drive.env()).status == 8
        assert project.run(*asked, "PHOTOS", environ=drive.env()).status == 0
        project.stage(FIRST)
        assert store(project, drive) == 0


@pytest.mark.parametrize("action", ["store", "rebuild", "verify", "initialize"])
@pytest.mark.parametrize("name", ["/dev/sr0", "link to\tthe drive"])
def test_a_mounted_device_is_refused_before_anything_else(project: Project, name: str, action: str) -> None:
    device = name if name.startswith("/") else str(project.root / name)
    if not name.startswith("/"):
        Path(device).symlink_to("/dev/sr0")
    project.configure(device=device)
    table = project.root / "mountinfo"
    table.write_text("30 1 11:0 / /media/My\\040Disc ro,nosuid - iso9660 /dev/sr0 ro\n")
    project.stage(FIRST)
    with Burner(profile="dvd+r") as drive:
        drive.reset_counts()
        ran = project.run("--json", action, environ={**drive.env(), "FAKEBURN_MOUNTINFO": str(table)})
        assert ran.status == 8
        assert ran.json["error"]["kind"] == "DeviceMounted"  # type: ignore[index]
        assert "/media/My Disc" in ran.err
        assert not drive.counts()


@pytest.mark.parametrize(
    "line",
    [
        "30 1 0:50 / /mnt/disc ro - fuseblk /dev/sr0 ro\n",  # another number, the same name
        "30 1 11:0 / /mnt/disc ro - udf /dev/disk/by-id/drive ro\n",  # another name, the same number
    ],
)
def test_a_mounted_device_is_known_by_number_or_name(project: Project, line: str) -> None:
    table = project.root / "mountinfo"
    table.write_text("29 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + line)
    project.stage(FIRST)
    with Burner(profile="dvd+r") as drive:
        ran = project.run("store", environ={**drive.env(), "FAKEBURN_MOUNTINFO": str(table)})
        assert ran.status == 8
        assert "/mnt/disc" in ran.err


def test_another_mounted_device_is_no_hindrance(project: Project) -> None:
    table = project.root / "mountinfo"
    table.write_text("30 1 11:1 / /mnt/disc ro - iso9660 /dev/sr1 ro\n")
    project.stage(FIRST)
    with Burner(profile="dvd+r") as drive:
        assert project.run("store", environ={**drive.env(), "FAKEBURN_MOUNTINFO": str(table)}).status == 0


def test_a_missing_device_has_its_own_error(project: Project) -> None:
    project.configure(device="/dev/none-such")
    project.stage(FIRST)
    ran = project.run("--json", "store")
    assert (ran.status, ran.json["error"]["kind"]) == (9, "DriveMissing")  # type: ignore[index]


def test_a_file_is_no_drive(project: Project) -> None:
    project.configure(device=str(project.config))
    project.stage(FIRST)
    assert project.run("store").status == 9


def refusal_as_nobody(device: str) -> int:
    """The exit code of what refuses a device to a user who is nobody."""
    drives = LocalDrives(
        Xorriso(), HeldLocks(), shelf_medium=Medium.BD_R, shelf_capacity=0, speed="", progress=lambda _: None
    )
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        drives.open(device, "auto")
    except DriveForbidden as error:
        status = error.exit_code
    finally:
        os._exit(status)


def test_a_device_that_may_not_be_used_has_its_own_error() -> None:
    nodes = [path for path in Path("/dev").iterdir() if path.is_char_device()]
    private = [path for path in nodes if path.stat().st_mode & 0o077 == 0 and path.stat().st_uid == 0]
    if not private:
        pytest.skip("there is no device here that is root's alone")
    assert refusal_as_nobody(str(private[0])) == 9


def test_an_unknown_type_of_device_is_an_error_of_the_configuration(project: Project) -> None:
    project.configure(device="/dev/sr0", device_type="floppy")
    project.stage(FIRST)
    ran = project.run("store")
    assert ran.status == 4
    assert "floppy" in ran.err


def test_a_closed_disc_is_followed_by_a_blank_one(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        subprocess.run(
            ["xorriso", "-no_rc", "-close", "on", "-dev", "/dev/sr0", "-volid", "CLOSED", "-end"],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
        assert drive.state().final
        project.stage(SECOND)
        assert store(project, drive) == 8
        drive.exchange("dvd+r")
        assert store(project, drive) == 0
    assert project.is_marked(SECOND)


@pytest.mark.parametrize("there", ["none", "dvd+r"])
def test_status_names_the_disc_that_is_to_be_read_before_anything_is_stored(
    project: Project, there: str
) -> None:
    project.configure(device="/dev/sr0", check="deferred")
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        label = project.run("--json", "discs").json["discs"][0]  # type: ignore[index]
        project.stage(SECOND)
        assert "would store" in project.run("status", environ=drive.env()).out
        drive.exchange(there)
        said = project.run("status", environ=drive.env()).out
        assert f"Insert {label}: the next `cedarchest store` reads it first." in said
        assert "would store" not in said
        assert project.run("store", environ=drive.env()).status == 8


def test_a_rewritable_disc_of_an_earlier_week_is_begun_anew_once_it_was_initialized(project: Project) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly")

    def at(day: str) -> dict[str, str]:
        return {**drive.env(), "CEDARCHEST_NOW": f"{day.replace('/', '-')}T23:00"}

    with Burner(profile="dvd+rw") as drive:
        project.stage("2026/11/02")
        assert project.run("store", environ=at("2026/11/02")).status == 0
        first = drive.exchange("dvd+rw")
        project.stage("2026/11/09")
        assert project.run("store", environ=at("2026/11/09")).status == 0
        shutil.rmtree(project.staging / "2026")
        project.stage("2026/11/23")
        drive.exchange("dvd+rw", directory=first)
        ran = project.run("store", environ=at("2026/11/23"))
        assert ran.status == 8
        assert "if nothing on it is needed any more: cedarchest initialize." in ran.err
        assert project.run("initialize", "--yes", environ=at("2026/11/23")).status == 0
        assert project.run("store", environ=at("2026/11/23")).status == 0
        assert project.is_marked("2026/11/23")


def assert_refused_as_foreseen(project: Project, environ: dict[str, str]) -> None:
    """All that only look say what a store says, and a store says 8."""
    validated = project.run("validate", environ=environ)
    dry = project.run("store", "--dry-run", environ=environ)
    told = project.run("--json", "status", environ=environ).json
    stored = project.run("--json", "store", environ=environ)
    error = stored.json["error"]
    assert isinstance(error, dict)
    assert (stored.status, error["message"][:21]) == (8, "a new disc is needed;")
    assert (validated.status, f"WRONG  drive and disc: {error['message']}" in validated.out) == (8, True)
    assert (dry.status, error["message"] in dry.err, error["advice"] in dry.err) == (8, True, True)
    assert (told["drive_problem"], told["insert"]) == (error["message"], error["advice"])


@pytest.mark.parametrize("why", ["sealed", "full", "week"])
def test_a_disc_that_takes_no_more_is_refused_by_all_that_look_ahead(project: Project, why: str) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly" if why == "week" else "when-full")
    with Burner(profile="bd-r", blocks=2500) as drive:
        environ = {**drive.env(), "CEDARCHEST_NOW": "2026-11-23T23:00"}
        project.stage(SECOND, {"large": os.urandom(3_000_000)} if why == "full" else None)
        assert store(project, drive) == 0
        if why == "sealed":
            (label,) = named(project, drive, "discs")
            assert project.run("seal", label, environ=environ).status == 0
        project.stage(THIRD, {"large": os.urandom(3_000_000)} if why == "full" else None)
        assert_refused_as_foreseen(project, environ)
        drive.exchange("bd-r", blocks=2500)
        said = project.run("validate", environ=environ)
        assert (said.status, "/dev/sr0, a new disc is begun next" in said.out) == (0, True)
        assert project.run("store", "--dry-run", environ=environ).status == 0
        assert project.run("--json", "status", environ=environ).json["drive_problem"] == ""
        assert store(project, drive) == 0


def test_a_sealed_disc_is_spoken_of_before_anything_is_due(project: Project) -> None:
    with Burner(profile="bd-r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        (label,) = named(project, drive, "discs")
        assert project.run("seal", label, environ=drive.env()).status == 0
        for action, status in (("validate", 8), ("status", 0)):
            ran = project.run(action, environ=drive.env())
            assert ran.status == status
            assert f"a new disc is needed; /dev/sr0 holds {label}, which is written once" in ran.out


def test_validate_warns_of_a_week_that_wants_another_disc_before_its_first_day_is_there(
    project: Project,
) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly")
    with Burner(profile="dvd+r") as drive:
        project.stage(SECOND)
        assert store(project, drive) == 0
        ran = project.run("validate", environ={**drive.env(), "CEDARCHEST_NOW": "2026-11-22T23:00"})
        assert (ran.status, "have a blank disc" in ran.err) == (0, False)
        ran = project.run("validate", environ={**drive.env(), "CEDARCHEST_NOW": "2026-11-23T23:00"})
        assert ran.status == 0
        assert "a new week began on 2026/11/23 (new_disc = weekly); a new disc is needed" in ran.err


@pytest.mark.slow
def test_a_rewritable_disc_that_would_be_erased_is_foreseen_as_that(project: Project) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly")
    with Burner(profile="dvd+rw") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(THIRD)
        early = {**drive.env(), "CEDARCHEST_NOW": "2026-11-24T01:00"}
        assert_refused_as_foreseen(project, early)
        late = {**drive.env(), "CEDARCHEST_NOW": "2026-12-24T01:00"}
        before = drive.data_path.read_bytes()
        for action in (["validate"], ["store", "--dry-run"], ["status"]):
            assert project.run(*action, environ=late).status == 0
        assert drive.data_path.read_bytes() == before
        assert project.run("store", environ=late).status == 0


@pytest.mark.parametrize("there", ["none", "dvd+r"])
def test_a_disc_that_is_to_be_read_first_is_asked_for_by_validate_and_a_dry_run(
    project: Project, there: str
) -> None:
    project.configure(device="/dev/sr0", check="deferred")
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        (label,) = named(project, drive, "discs")
        project.stage(SECOND)
        assert project.run("validate", environ=drive.env()).status == 0
        drive.exchange(there)
        for action in (["validate"], ["store", "--dry-run"], ["store"]):
            ran = project.run(*action, environ=drive.env())
            assert ran.status == 8
            assert f"Insert {label}" in ran.out + ran.err
            assert "or a blank one" not in ran.out + ran.err
