"""growisofs and wodim burn to our emulated drive through the kernel: a burner for others, too."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.burner.kernel.kernel_burner import KernelBurner
from tests.burner.kernel.node import NODE, mounted

BLOCK = 2048


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trees")
    for name in ("one", "two"):
        (root / name).mkdir()
        (root / name / f"{name}.bin").write_bytes(os.urandom(900_000))
    return root


@pytest.fixture(scope="module")
def image(trees: Path) -> Path:
    made = trees / "image.iso"
    subprocess.run(
        ["genisoimage", "-quiet", "-R", "-J", "-V", "ONE", "-o", str(made), str(trees / "one")], check=True
    )
    return made


def run(*argv: str | Path) -> None:
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def content(disc: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in disc.rglob("*.bin")}


def of(trees: Path, *names: str) -> dict[str, bytes]:
    return {f"{name}.bin": (trees / name / f"{name}.bin").read_bytes() for name in names}


@pytest.mark.parametrize("profile", ["dvd+r", "dvd+rw", "bd-re"])
def test_growisofs_burns_and_appends(profile: str, trees: Path, tmp_path: Path) -> None:
    with KernelBurner(profile, announces_sessions=True) as drive:
        run("growisofs", "-Z", NODE, "-quiet", "-R", "-J", trees / "one")
        run("growisofs", "-M", NODE, "-quiet", "-R", "-J", trees / "two")
        drive.reinsert()
        with mounted(tmp_path / "disc") as disc:
            assert content(disc) == of(trees, "one", "two")


def test_wodim_burns_a_cd_and_appends(trees: Path, image: Path, tmp_path: Path) -> None:
    with KernelBurner("cd-r", announces_sessions=True) as drive:
        run("wodim", f"dev={NODE}", "-tao", "-multi", "-data", image)
        where = subprocess.run(
            ["wodim", f"dev={NODE}", "-msinfo"], capture_output=True, text=True, check=True
        ).stdout.strip()
        second = trees / "second.iso"
        run("genisoimage", "-quiet", "-R", "-J", "-C", where, "-M", NODE, "-o", second, trees / "two")
        run("wodim", f"dev={NODE}", "-tao", "-multi", "-data", second)
        drive.reinsert()
        with mounted(tmp_path / "disc") as disc:
            assert content(disc) == of(trees, "one", "two")
        assert drive.state().closed_sessions == 2


def test_wodim_burns_a_dvd_at_once(image: Path) -> None:
    with KernelBurner("dvd+r") as drive:
        run("wodim", f"dev={NODE}", "-dao", image)
        drive.reinsert()
        with NODE.open("rb") as node:
            assert node.read(image.stat().st_size) == image.read_bytes()
