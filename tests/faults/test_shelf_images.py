"""Images on a shelf truncated, zeroed, replaced or gone, or without room: never blank, never lost."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Project

FIRST, SECOND = "2026/11/22", "2026/11/23"
REAL = shutil.which("xorriso") or "xorriso"


@pytest.fixture
def image(project: Project) -> Path:
    """The image with a proven first day; a second one is staged."""
    project.stage(FIRST, {"a": os.urandom(300_000), "b": b"b"})
    assert project.run("store").status == 0
    project.stage(SECOND)
    return project.images()[0]


def truncate_to(size: int) -> Callable[[Path], None]:
    return lambda image: os.truncate(image, size)


def lose_last_block(image: Path) -> None:
    """The last block of its session; xorriso rounds the file up behind it."""
    raw = image.read_bytes()
    blocks = int.from_bytes(raw[48 * 2048 + 80 :][:4], "little")
    os.truncate(image, (32 + blocks - 1) * 2048)


def zero(image: Path) -> None:
    image.write_bytes(bytes(image.stat().st_size))


def make_noise(image: Path) -> None:
    image.write_bytes(random.Random(7).randbytes(image.stat().st_size))


def make_foreign(label: str) -> Callable[[Path], None]:
    def replace(image: Path) -> None:
        image.unlink()
        subprocess.run(
            [REAL, "-no_rc", "-volid", label or image.stem, "-joliet", "on", "-outdev", f"stdio:{image}",
             "-map", "/etc/passwd", "/passwd", "-commit", "-rollback_end"],
            check=True, capture_output=True,
        )  # fmt: skip

    return replace


SPOILERS: dict[str, Callable[[Path], None]] = {
    "emptied": truncate_to(0),
    "a few bytes": truncate_to(100),
    "without descriptors": truncate_to(40 * 2048),
    "half": truncate_to(200_000),
    "last block": lose_last_block,
    "zeroed": zero,
    "noise": make_noise,
    "foreign": make_foreign("FAMILY_PHOTOS"),
    "foreign under our label": make_foreign(""),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_spoilt_image_is_never_taken_for_blank(
    project: Project, image: Path, spoil: Callable[[Path], None]
) -> None:
    whole = image.read_bytes()
    spoil(image)
    spoilt = image.read_bytes()
    assert project.run("status").status in (0, 8)
    stored = project.run("store")
    verified = project.run("verify")
    assert stored.status == 8, stored.err
    assert verified.status in (7, 8), verified.err
    assert image.stem in stored.err
    assert image.stem in verified.err
    assert "Traceback" not in stored.err + verified.err
    assert image.read_bytes() == spoilt
    assert project.images() == [image]
    assert not project.is_marked(SECOND)
    image.write_bytes(whole)
    assert project.run("verify").status == 0
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert project.is_marked(SECOND)
    assert project.run("verify").status == 0


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_status_says_what_is_wrong_with_a_spoilt_image(
    project: Project, image: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(image)
    ran = project.run("--json", "status")
    assert image.stem in str(ran.json["drive_problem"])
    assert ran.json["volumes"] == []


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_spoilt_image_that_is_named_to_verify_fails(
    project: Project, image: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(image)
    ran = project.run("verify", str(image))
    assert ran.status in (7, 8), ran.err
    assert str(image) in ran.err


def test_an_image_spoilt_before_its_check_gets_no_mark(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(FIRST, {"a": os.urandom(300_000)})
    assert project.run("store").status == 0
    image = project.images()[0]
    whole = image.read_bytes()
    for name, spoil in SPOILERS.items():
        if spoil is SPOILERS["foreign under our label"]:
            continue  # a disc that differs, see below
        spoil(image)
        spoilt = image.read_bytes()
        for action in ("store", "verify"):
            ran = project.run(action)
            assert ran.status in (7, 8), f"{name}: {ran}"
            assert not project.is_marked(FIRST)
            assert image.read_bytes() == spoilt
        image.write_bytes(whole)
    assert project.run("verify").status == 0
    assert project.is_marked(FIRST)


def test_a_foreign_image_under_our_label_proves_no_day(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(FIRST)
    assert project.run("store").status == 0
    image = project.images()[0]
    make_foreign("")(image)
    foreign = image.read_bytes()
    assert project.run("verify").status == 7
    assert not project.is_marked(FIRST)
    project.configure()
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert len(project.images()) == 2
    assert image.read_bytes() == foreign


def test_an_image_that_is_gone_is_asked_for(project: Project, image: Path) -> None:
    kept = image.rename(project.root / "kept")
    for action in ("store", "verify"):
        ran = project.run(action)
        assert ran.status == 8
        assert image.stem in ran.err
    assert "Put" in project.run("status").out
    assert project.images() == []
    kept.rename(image)
    assert project.run("store").status == 0
    assert project.is_marked(SECOND)


def test_a_shelf_that_vanished_is_not_made_anew(project: Project, image: Path) -> None:
    kept = project.shelf.rename(project.root / "kept")
    for action in ("store", "verify"):
        ran = project.run(action)
        assert ran.status == 8, ran.err
        assert not project.shelf.exists()
    assert project.run("status").status in (0, 8)
    kept.rename(project.shelf)
    assert project.run("store").status == 0
    assert project.run("verify").status == 0


def test_two_images_with_exchanged_names_are_found_out(project: Project, image: Path) -> None:
    project.configure(new_disc="daily")
    assert project.run("store").status == 0
    first, second = project.images()
    first.rename(project.root / "x")
    second.rename(first)
    (project.root / "x").rename(second)
    ran = project.run("verify")
    assert ran.status == 8
    assert first.stem in ran.err


def test_images_of_others_on_the_shelf_are_left_alone(project: Project, image: Path) -> None:
    for name in ("OTHER.iso", "lower case.iso", "CC_NOISE.iso"):
        (project.shelf / name).write_bytes(b"not ours")
    (project.shelf / "folder.iso").mkdir()
    assert project.run("store").status == 0
    verified = project.run("verify")
    assert verified.status == 0
    assert "this catalog does not know and passes over: CC_NOISE, OTHER;" in verified.err
    assert (project.shelf / "OTHER.iso").read_bytes() == b"not ours"


def test_an_image_that_is_in_the_way_of_a_new_label_is_not_overwritten(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CEDARCHEST_NOW", "2026-11-22T23:00:00")
    (project.shelf / "CC_20261122_001.iso").write_bytes(b"not ours")
    project.stage(FIRST)
    ran = project.run("store")
    assert (project.shelf / "CC_20261122_001.iso").read_bytes() == b"not ours"
    assert ran.status == 0, ran.err
    assert project.is_marked(FIRST)
    assert [image.stem for image in project.images()] == ["CC_20261122_001", "CC_20261122_002"]


@pytest.mark.long
@pytest.mark.parametrize("what", ["the shelf", "the image"])
def test_a_shelf_that_may_not_be_written_is_said_before_anything_is(of_user: Project, what: str) -> None:
    of_user.stage(FIRST)
    if what == "the image":
        assert of_user.run_as_user("store").status == 0
        of_user.stage(SECOND)
        place = of_user.images()[0]
        place.chmod(0o444)
    else:
        place = of_user.shelf
        place.chmod(0o555)
    checked = of_user.run_as_user("validate")
    assert checked.status == 9
    assert f"{place} may not be written" in checked.err
    before = of_user.run_as_user("--json", "discs").json["details"]
    ran = of_user.run_as_user("store")
    assert ran.status == 9
    assert f"{place} may not be written" in ran.err
    assert of_user.run_as_user("--json", "discs").json["details"] == before
    place.chmod(0o755)
    assert of_user.run_as_user("store").status == 0


# -- no room ----------------------------------------------------------------------------------------


def limited(folder: Path, blocks_of_512: int) -> str:
    """A PATH on which xorriso may write files of so many half KiB only."""
    folder.mkdir()
    tool = folder / "xorriso"
    tool.write_text(f"#!/bin/sh\ntrap '' XFSZ\nulimit -f {blocks_of_512}\nexec {REAL} \"$@\"\n")
    tool.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_write_error_in_the_first_session_leaves_no_mark(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.stage(FIRST, {"a": os.urandom(3_000_000)})
    with monkeypatch.context() as patched:
        patched.setenv("PATH", limited(tmp_path / "tools", 2000))
        ran = project.run("store")
    assert ran.status == 6, ran.err
    assert "File too large" in ran.err
    assert not project.is_marked(FIRST)
    again = project.run("store")
    assert again.status == 0, again.err
    assert project.is_marked(FIRST)
    assert project.run("verify").status == 0


def test_a_write_error_in_an_append_leaves_the_disc_good(
    project: Project, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.stage(SECOND, {"a": os.urandom(3_000_000)})
    with monkeypatch.context() as patched:
        patched.setenv("PATH", limited(tmp_path / "tools", 3000))
        ran = project.run("store")
    assert ran.status == 6, ran.err
    assert not project.is_marked(SECOND)
    assert project.run("verify", str(image)).status == 0
    assert project.run("store").status == 0
    assert project.is_marked(SECOND)
    assert project.images() == [image]
    assert project.run("verify").status == 0


@pytest.fixture
def small_shelf(project: Project) -> Iterator[Project]:
    """The project with a shelf on a file system of its own of 2 MiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(project.shelf)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a file system can only be mounted by root")
    yield project
    subprocess.run(["umount", "-l", str(project.shelf)], check=True)


def test_a_shelf_without_room_is_said_before_anything_is_written(small_shelf: Project) -> None:
    small_shelf.stage(FIRST, {"a": os.urandom(3_000_000)})
    ran = small_shelf.run("store")
    assert ran.status == 6, ran.err
    assert str(small_shelf.shelf) in ran.err
    assert not small_shelf.is_marked(FIRST)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_shelf.shelf)], check=True)
    assert small_shelf.run("store").status == 0
    assert small_shelf.is_marked(FIRST)


def test_a_shelf_that_fills_while_it_is_written_leaves_no_mark(
    small_shelf: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else takes the room when the burn begins to write."""
    small_shelf.stage(FIRST, {"a": os.urandom(1_200_000)})
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "xorriso").write_text(
        f'#!/bin/sh\ncase "$*" in *-options_from_file*) ;; *) exec {REAL} "$@";; esac\n'
        'for each; do case "$each" in /dev/fd/*) commands=$each;; esac; done\n'
        f'sed -u "/^-end$/e head -c 1500000 /dev/zero >{small_shelf.shelf}/taken" <"$commands" |'
        f" {REAL} -no_rc -signal_handling sig_ign -abort_on FATAL -pkt_output on"
        " -options_from_file - -rollback_end\n"
    )
    (folder / "xorriso").chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        ran = small_shelf.run("store")
    assert ran.status == 6, ran.err
    assert not small_shelf.is_marked(FIRST)
    (small_shelf.shelf / "taken").unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_shelf.shelf)], check=True)
    assert small_shelf.run("store").status == 0
    assert small_shelf.is_marked(FIRST)


def test_a_disc_that_is_full_by_its_capacity_makes_room_for_a_new_one(project: Project) -> None:
    project.configure(capacity="2 MiB")
    for day in (FIRST, SECOND):
        project.stage(day, {"a": os.urandom(1_000_000)})
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert len(project.images()) == 2
    assert project.run("verify").status == 0
