"""Each way in which Cedar Backup was shown to lose or spoil a store, tried on this program.

The letters are those under which the faults are known in `docs/`; what concerns collect, stage and purge is
tested with them.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.cli.program import told
from tests.conftest import Project

WRITE_ONCE = ["cd-r", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dvd-r", "dvd+r", "bd-r"))]
OLD_WEEK, NEW_WEEK = "2026/11/22", "2026/11/23"  # a Sunday and the Monday after it


@pytest.fixture
def burner(project: Project) -> Callable[[str], Burner]:
    """Makes the project's drive an emulated one with a disc of a profile in it."""
    require()

    def begin(profile: str) -> Burner:
        project.configure(device="/dev/sr0")
        return Burner(profile=profile)

    return begin


def test_b1_b2_a_store_after_midnight_leaves_each_week_its_disc(project: Project) -> None:
    project.configure(new_disc="weekly")
    project.stage("2026/11/21")
    assert project.run("store", environ={"CEDARCHEST_NOW": "2026-11-21T23:00"}).status == 0
    project.stage(OLD_WEEK)
    assert project.run("store", environ={"CEDARCHEST_NOW": "2026-11-23T00:20"}).status == 0
    assert len(project.images()) == 1
    project.stage(NEW_WEEK)
    assert project.run("store", environ={"CEDARCHEST_NOW": "2026-11-24T00:20"}).status == 0
    assert len(project.images()) == 2


def test_b1_b2_a_rewritable_disc_outlives_the_midnights_at_either_end_of_its_week(
    project: Project, burner: Callable[[str], Burner]
) -> None:
    with burner("dvd+rw") as drive:
        project.configure(device="/dev/sr0", new_disc="weekly")

        def store(day: str, now: str) -> int:
            project.stage(day)
            return project.run("store", environ={**drive.env(), "CEDARCHEST_NOW": now}).status

        assert store("2026/11/21", "2026-11-21T23:00") == 0
        assert store(OLD_WEEK, "2026-11-23T00:20") == 0
        discs = project.run("--json", "discs").json["details"]
        assert isinstance(discs, list)
        assert [len(disc["sessions"]) for disc in discs] == [2]
        before = drive.data_path.read_bytes()
        assert store(NEW_WEEK, "2026-11-24T00:20") == 8
        assert drive.data_path.read_bytes() == before
        drive.exchange("dvd+rw")
        assert project.run("store", environ={**drive.env(), "CEDARCHEST_NOW": "2026-11-24T00:30"}).status == 0
    assert project.is_marked(NEW_WEEK)


def test_b3_a_foreign_disc_at_the_start_of_a_week_is_left_alone(
    project: Project, burner: Callable[[str], Burner], tmp_path: Path
) -> None:
    (tmp_path / "photo").write_bytes(b"family")
    with burner("dvd+rw") as drive:
        subprocess.run(
            ["xorriso", "-no_rc", "-volid", "FAMILY_PHOTOS", "-outdev", "/dev/sr0", "-map",
             str(tmp_path / "photo"), "/photo", "-end"],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
        before = drive.data_path.read_bytes()
        project.stage(NEW_WEEK)
        ran = project.run("store", environ=drive.env())
        asked = project.run("initialize", "--yes", environ=drive.env())
        assert (ran.status, asked.status) == (8, 8)
        assert drive.data_path.read_bytes() == before
    assert "FAMILY_PHOTOS" in ran.err


def test_b4_a_tray_that_stays_shut_does_not_undo_a_good_store(
    project: Project, burner: Callable[[str], Burner]
) -> None:
    with burner("dvd+r") as drive:
        project.configure(device="/dev/sr0", eject=True)
        project.stage(OLD_WEEK)
        project.run("validate", environ=drive.env())
        drive.faults([Fault("1e", times=ALWAYS), Fault("1b", times=ALWAYS)])
        ran = project.run("store", environ=drive.env())
        assert ran.status == 0, ran.err
        assert project.is_marked(OLD_WEEK)
        assert len(drive.state().tracks) == 1


def begun(project: Project, drive: Burner) -> subprocess.Popen[bytes]:
    """A store at work, from its first encounter with an ordered fault on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cedarchest", "-c", str(project.config), "store"],
        env=drive.env(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=project.root,
    )  # fmt: skip
    while not sum(drive.fired()):
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_b5_a_store_killed_between_burn_and_mark_burns_nothing_twice(
    project: Project, burner: Callable[[str], Burner]
) -> None:
    with burner("dvd+r") as drive:
        project.stage(OLD_WEEK)
        drive.faults([Fault("read", times=ALWAYS, effect=Effect.SLOW, seconds=0.2)])
        with begun(project, drive) as process:  # a blank disc is not read before it is burnt
            process.kill()
        time.sleep(0.5)  # the slow read ends; then the drive sees that nobody is there any more
        assert drive.state().closed_sessions == 1
        assert not project.is_marked(OLD_WEEK)
        drive.faults([])
        ran = project.run("store", environ=drive.env())
        assert ran.status == 0, ran.err
        assert drive.state().closed_sessions == 1
    assert project.is_marked(OLD_WEEK)


def test_b6_of_two_stores_at_once_one_burns(project: Project, burner: Callable[[str], Burner]) -> None:
    with burner("dvd+r") as drive:
        project.stage(OLD_WEEK, {"a": bytes(3_000_000)})
        drive.faults([Fault("write", times=ALWAYS, effect=Effect.SLOW, seconds=0.3)])
        with begun(project, drive) as first:
            second = project.run("store", environ=drive.env())
            drive.faults([])
            assert first.wait() == 0
        assert second.status == 10
        assert "another run" in second.err
        assert drive.state().closed_sessions == 1
    assert project.is_marked(OLD_WEEK)


def test_b7_a_drive_that_does_not_answer_is_never_taken_for_an_empty_one(
    project: Project, burner: Callable[[str], Burner]
) -> None:
    with burner("dvd+r") as drive:
        project.stage(OLD_WEEK)
        drive.faults([Fault("51", times=ALWAYS), Fault("52", times=ALWAYS), Fault("46", times=ALWAYS)])
        ran = project.run("store", environ=drive.env())
        assert ran.status in (8, 9), ran.err
        assert drive.state().tracks == []
    assert not project.is_marked(OLD_WEEK)


@pytest.mark.parametrize("medium", WRITE_ONCE)
def test_b8_a_write_once_disc_with_data_cannot_be_made_new(
    project: Project, burner: Callable[[str], Burner], medium: str
) -> None:
    with burner(medium) as drive:
        project.stage(OLD_WEEK)
        assert project.run("store", environ=drive.env()).status == 0
        project.stage(NEW_WEEK)
        project.configure(device="/dev/sr0", new_disc="weekly")
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8
        assert "blank disc" in ran.err
        assert drive.state().closed_sessions == 1
    assert not project.is_marked(NEW_WEEK)


def test_b9_no_block_is_written_beyond_what_the_disc_in_the_drive_holds(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")
    folder = project.stage(OLD_WEEK)
    (folder / "alpha" / "large").write_bytes(bytes(1990 * 2048))
    with Burner("dvd+r", blocks=2000) as drive:
        assert project.run("store", environ=drive.env()).status == 8
        assert drive.state().refused_addresses == 0
        assert not project.is_marked(OLD_WEEK)
        drive.exchange("dvd+r", blocks=2000)
        assert project.run("store", environ=drive.env()).status == 0
        assert drive.state().refused_addresses == 0
    assert project.is_marked(OLD_WEEK)


def test_b9_a_day_that_only_fits_on_paper_takes_two_discs(project: Project) -> None:
    """A DVD+R holds 2,295,104 blocks, not 4.4 GiB."""
    folder = project.stage(OLD_WEEK)
    with (folder / "alpha" / "large").open("wb") as stream:
        stream.truncate(4_715_000_000)
    volumes = told(project.run("--json", "store", "--dry-run"))["volumes"]
    assert len(volumes) == 2
    assert all(volume["blocks_at_most"] <= volume["free_blocks"] == 2_295_072 for volume in volumes)


def test_b11_an_equals_sign_in_a_peers_name_is_a_name(project: Project) -> None:
    folder = project.stage(OLD_WEEK)
    (folder / "peer=1").mkdir()
    (folder / "peer=1" / "a=b").write_bytes(b"x")
    assert project.run("store").status == 0
    assert project.is_marked(OLD_WEEK)


def test_b11_b12_b13_odd_names_are_burnt_and_nothing_is_mounted(
    project: Project, burner: Callable[[str], Burner]
) -> None:
    """An equals sign, a byte that is no UTF-8, a newline; a mount first on PATH would leave a trace."""
    folder = project.stage(OLD_WEEK)
    (folder / "peer=1").mkdir()
    for name in (b"a=b", b"caf\xe9", b"two\nlines"):
        (folder / "peer=1" / os.fsdecode(name)).write_bytes(name)
    tools = project.root / "tools"
    tools.mkdir()
    for tool in ("mount", "umount"):
        (tools / tool).write_text(f'#!/bin/sh\ntouch "{project.root}/called-{tool}"\n')
        (tools / tool).chmod(0o755)
    with burner("dvd+r") as drive:
        environ = {**drive.env(), "PATH": f"{tools}:{os.environ['PATH']}"}
        ran = project.run("-v", "store", environ=environ)
        assert ran.status == 0, ran.err
        assert project.run("verify", environ=environ).status == 0
    assert project.is_marked(OLD_WEEK)
    assert not list(project.root.glob("called-*"))


def test_b14_two_empty_trees_are_no_proof_of_a_day(project: Project) -> None:
    folder = project.staging / OLD_WEEK
    folder.mkdir(parents=True)
    (folder / "cback.stage").touch()
    assert project.run("store").status == 0
    (folder / "late").write_bytes(b"late")
    (folder / "cback.store").unlink()
    assert project.run("store").status == 0
    sessions = project.run("--json", "discs").json["details"][0]["sessions"]  # type: ignore[index]
    assert len(sessions) == 2


def test_b15_validate_says_in_its_exit_status_that_something_is_wrong(project: Project) -> None:
    project.config.write_text(project.config.read_text().replace("shelf:shelf", "/dev/none-such"))
    assert project.run("validate").status == 9


@pytest.mark.parametrize("new_disc", ["weekly", "daily"])
def test_b16_a_policy_without_factor_is_a_policy(project: Project, new_disc: str) -> None:
    project.configure(new_disc=new_disc)
    project.stage(OLD_WEEK)
    assert project.run("store").status == 0


def test_b16_a_configuration_without_staging_is_told_so(project: Project) -> None:
    project.config.write_text('[store]\ndevice = "shelf:shelf"\n')
    ran = project.run("store")
    assert ran.status == 4
    assert "[stage]" in ran.err


def test_b17_a_misspelt_key_or_table_is_an_error_that_names_it(project: Project) -> None:
    project.config.write_text(project.config.read_text() + "warn_midnite = true\n[stagee]\ndir = 1\n")
    ran = project.run("store")
    assert ran.status == 4
    assert "warn_midnite" in ran.err
    assert "stagee" in ran.err


def test_c2_an_indicator_that_is_a_link_is_replaced_and_not_followed(project: Project) -> None:
    folder = project.stage(OLD_WEEK)
    secret = project.root / "secret"
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    (folder / "cback.store").symlink_to(project.root / "elsewhere")
    (folder / "SHA256SUMS").symlink_to(secret)
    assert project.run("store").status == 6
    (folder / "SHA256SUMS").unlink()
    assert project.run("store").status == 0
    assert secret.read_bytes() == b"secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert not (project.root / "elsewhere").exists()
    assert not (folder / "cback.store").is_symlink()


def test_c3_nothing_in_the_state_folder_is_ever_run(project: Project) -> None:
    """Files there are JSON, text and SQLite; a pickle in their place is refused."""
    folder = project.stage(OLD_WEEK)
    (folder / "INDEX.jsonl.gz").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    ran = project.run("store")
    assert ran.status == 6
    assert not (project.root / "pwned").exists()


def test_c4_a_path_with_shell_characters_is_a_path(project: Project) -> None:
    moved = project.root / "st;touch pwned $(touch pwned) 'x"
    project.staging.rename(moved)
    text = project.config.read_text().replace('dir = "staging"', f'dir = "{moved}"')
    project.config.write_text(text)
    folder = moved / OLD_WEEK / "alpha"
    folder.mkdir(parents=True)
    (folder / "a; touch pwned").write_bytes(b"x")
    (folder.parent / "cback.stage").touch()
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert not list(Path(project.root).rglob("pwned"))


def test_c5_what_is_private_in_staging_is_private_on_the_disc(project: Project, tmp_path: Path) -> None:
    folder = project.stage(OLD_WEEK)
    (folder / "alpha" / "a.txt").chmod(0o600)
    assert project.run("store").status == 0
    target = tmp_path / "out"
    subprocess.run(
        ["xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{project.images()[0]}", "-extract",
         f"/{OLD_WEEK}/alpha/a.txt", str(target)],
        check=True, capture_output=True,
    )  # fmt: skip
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE((project.root / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "INDEX.jsonl.gz").stat().st_mode) == 0o600


def test_c7_no_disc_is_ever_mounted(project: Project) -> None:
    """A mount, umount or eject first on PATH leaves a trace when it is called."""
    tools = project.root / "tools"
    tools.mkdir()
    for name in ("mount", "umount", "eject", "volname", "losetup"):
        (tools / name).write_text(f'#!/bin/sh\ntouch "{project.root}/called-{name}"\n')
        (tools / name).chmod(0o755)
    project.stage(OLD_WEEK)
    environ = {"PATH": f"{tools}:{os.environ['PATH']}"}
    assert project.run("store", environ=environ).status == 0
    assert project.run("verify", environ=environ).status == 0
    assert not list(project.root.glob("called-*"))
