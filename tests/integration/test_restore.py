"""A machine, or a day, comes back from discs by the restore action, whole, in part, and over damage."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.program import told
from tests.conftest import NOBODY, Project, Ran
from tests.life import LIFE, MON, ROOT, TUE, WED, Picture, lived, picture
from tests.pool import peers
from tests.running import started

DISC = "CC_{}_001"


@dataclass(frozen=True)
class Lived:
    """The machine's project, with a disc for each day on the shelf, and how it was on each."""

    project: Project
    days: Mapping[str, Picture]

    @property
    def home(self) -> str:
        return str(self.project.root / "home")

    def restore(self, *arguments: str, status: int = 0) -> Ran:
        ran = self.project.run("restore", *arguments)
        assert ran.status == status, ran.out + ran.err
        return ran

    def image(self, day: str) -> Path:
        return self.project.shelf / f"{DISC.format(day.replace('/', ''))}.iso"

    def at(self, target: Path) -> Path:
        return target / "here" / self.home[1:]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    project = Project(tmp_path_factory.mktemp("life") / "project")
    yield Lived(project, lived(project))
    wipe(project.root)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "back"
    wipe(tmp_path / "back")


@pytest.fixture
def shelf(life: Lived, tmp_path: Path) -> Iterator[None]:
    """Whatever happens to the discs, they are whole again afterwards."""
    shutil.copytree(life.project.shelf, tmp_path / "shelf")
    yield
    shutil.rmtree(life.project.shelf)
    shutil.copytree(tmp_path / "shelf", life.project.shelf)


def wipe(folder: Path) -> None:
    if folder.exists():
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
        shutil.rmtree(folder)


def without_special_bits(seen: Picture) -> Picture:
    return {name: (oct(int(str(mode), 8) & ~0o6000), *others) for name, (mode, *others) in seen.items()}


@pytest.mark.parametrize("day", LIFE)
def test_a_machine_comes_back_as_it_was_on_every_day(life: Lived, target: Path, day: str) -> None:
    life.restore("--as-of", day, "--to", str(target), "--privileged")
    assert picture(life.at(target)) == life.days[day]
    etc = life.at(target).parent / "etc/today"
    assert etc.read_text() == day
    assert (target / "here/dump.zst").is_file()


def test_what_is_there_already_is_not_read_again(life: Lived, target: Path) -> None:
    life.restore("--as-of", WED, "--to", str(target), "--privileged")
    again = told(life.restore("--json", "--as-of", WED, "--to", str(target), "--privileged"))
    assert (again["restored"], again["already_there"]) == (0, again["wanted"])
    assert picture(life.at(target)) == life.days[WED]


def test_setuid_is_given_only_when_asked(life: Lived, target: Path) -> None:
    ran = life.restore("--as-of", MON, "--to", str(target))
    assert "not set: setuid or setgid bits" in ran.out
    assert picture(life.at(target)) == without_special_bits(life.days[MON])


def test_a_dry_run_names_the_discs_and_writes_nothing(life: Lived, target: Path) -> None:
    planned = told(life.restore("--json", "--dry-run", "--as-of", TUE, "--to", str(target)))
    assert not target.exists()
    assert sorted(each["disc"] for each in planned["plan"]) == [
        DISC.format("20261123"),
        DISC.format("20261124"),
    ]


def test_only_what_is_named_comes_back_and_a_name_that_was_not_there_is_told(
    life: Lived, target: Path
) -> None:
    life.restore(f"{life.home}/ann", "--as-of", TUE, "--to", str(target))
    found = picture(life.at(target))
    wanted = {name: what for name, what in life.days[TUE].items() if (name + b"/").startswith(b"/ann/")}
    assert {name: what[:-1] for name, what in found.items()} == {
        name: what[:-1] for name, what in wanted.items()
    }
    ran = life.restore("no/such", f"{life.home}/ann", "--as-of", TUE, "--to", str(target), status=11)
    assert "no/such: nothing of this name was stored then" in ran.out


def test_a_second_name_of_a_file_comes_back_without_the_first(life: Lived, target: Path) -> None:
    life.restore(f"{life.home}/two", "--as-of", MON, "--to", str(target))
    assert (life.at(target) / "two").read_bytes() == b"one file of two names"
    assert not (life.at(target) / "one").exists()


def test_a_day_comes_back_as_it_was_staged(life: Lived, target: Path) -> None:
    life.restore("--day", TUE, "--to", str(target))
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=target, check=True)
    staged = picture(life.project.staging / TUE)
    assert picture(target) == {name: what for name, what in staged.items() if name != b"/cback.store"}


def test_with_nothing_left_but_the_discs_every_day_comes_back(
    life: Lived, project: Project, target: Path
) -> None:
    """No catalog, no staging, no collect dirs: another machine with the discs on its shelf."""
    shutil.copytree(life.project.shelf, project.shelf, dirs_exist_ok=True)
    peers(project, {"name": "here"})
    ran = project.run("catalog", "rebuild")
    assert ran.status == 0, ran.out + ran.err
    for day in LIFE:
        ran = project.run("restore", "--peer", "here", "--as-of", day, "--to", str(target), "--privileged")
        assert ran.status == 0, ran.out + ran.err
        assert picture(life.at(target)) == life.days[day]
        wipe(target)


def test_a_restore_that_was_killed_goes_on_with_the_same_command(life: Lived, target: Path) -> None:
    arguments = ("restore", "--as-of", WED, "--to", str(target), "--privileged")
    for delay in (0.0, 0.01, 0.05):
        with started(life.project, *arguments) as process:
            while not target.exists() and process.poll() is None:
                time.sleep(0.001)
            time.sleep(delay)
            process.signal(signal.SIGKILL)
    life.restore(*arguments[1:])
    assert picture(life.at(target)) == life.days[WED]
    assert not list(target.rglob(".cedarchest*"))


def test_in_place_wants_a_yes_and_spares_what_is_newer(life: Lived) -> None:
    home = Path(life.home)
    assert life.project.run("restore", "--in-place").status == 2
    before = picture(home)
    try:
        wipe(home / "odd")
        (home / "empty").rmdir()
        (home / "large").write_bytes(b"newer")
        os.utime(home / "large", (4e9, 4e9))
        ran = life.restore(life.home, "--in-place", "--yes", "--privileged", status=11)
        assert "what is there is newer" in ran.out
        assert (home / "large").read_bytes() == b"newer"
        life.restore(life.home, "--in-place", "--yes", "--privileged", "--overwrite")
        assert picture(home) == before
    finally:
        life.project.run("restore", life.home, "--in-place", "--yes", "--privileged", "--overwrite")


def test_something_else_in_the_folder_is_left_unless_told(life: Lived, target: Path) -> None:
    (life.at(target)).mkdir(parents=True)
    (life.at(target) / "large").write_bytes(b"mine")
    (life.at(target) / "ann").write_bytes(b"no folder")
    ran = life.restore("--as-of", MON, "--to", str(target), status=11)
    assert f"here{life.home}/large: something else is there already" in ran.out
    assert "is no folder is in its way" in ran.out or "something that is no folder" in ran.out
    assert (life.at(target) / "large").read_bytes() == b"mine"
    assert (life.at(target) / "ann").read_bytes() == b"no folder"
    assert (life.at(target) / "bob/docs/f1").is_file()
    life.restore(f"{life.home}/large", "--as-of", MON, "--to", str(target), "--overwrite")
    assert (
        hashlib.sha256((life.at(target) / "large").read_bytes()).hexdigest() == life.days[MON][b"/large"][4]
    )


def test_no_link_is_followed(life: Lived, target: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (life.at(target)).mkdir(parents=True)
    (life.at(target) / "ann").symlink_to(tmp_path / "elsewhere")
    life.restore("--as-of", MON, "--to", str(target), status=11)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.skipif(not ROOT, reason="it is root who becomes somebody else")
def test_an_ordinary_user_gets_all_but_the_owners(life: Lived, of_user: Project) -> None:
    """The discs and the catalog are theirs; what belonged to others is theirs, too."""
    for folder in ("state", "shelf"):
        shutil.copytree(life.project.root / folder, of_user.root / folder, dirs_exist_ok=True)
    shutil.copy(life.project.config, of_user.config)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(of_user.root)], check=True)
    back = of_user.root / "back"
    ran = of_user.run_as_user("restore", "--as-of", WED, "--to", str(back))
    assert ran.status == 0, ran.out + ran.err
    assert "not set: owners, which only root may set" in ran.out

    def without_owners(seen: Picture) -> Picture:
        return {name: (mode, *others) for name, (mode, _, _, *others) in seen.items()}

    found = picture(back / "here" / life.home[1:])
    wipe(back)
    assert without_owners(found) == without_special_bits(without_owners(life.days[WED]))


def test_of_two_collects_of_a_day_the_second_is_what_there_was(project: Project, target: Path) -> None:
    home = project.root / "home"
    home.mkdir()
    peers(project, {"name": "here"})
    text = f'[collect]\ndir = "{project.root}/collect/here"\n[[collect.source]]\npath = "{home}"\n'
    project.config.write_text(project.config.read_text() + text)
    for hour in range(4):
        project.environ["CEDARCHEST_NOW"] = f"2026-11-23T0{hour}:00"
        (home / "f").write_text(f"hour {hour}")
        for action in ("collect", "stage", "store"):
            ran = project.run(action)
            assert ran.status == 0, ran.out + ran.err
        assert project.run("restore", "--to", str(target)).status == 0
        assert (target / "here" / str(home)[1:] / "f").read_text() == f"hour {hour}"
        wipe(target)
