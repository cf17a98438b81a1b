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


@pytest.mark.long
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


@pytest.fixture
def machine(project: Project) -> Machine:
    return Machine(project)


class Machine:
    """A machine whose sources and days a test says."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.home = project.root / "home"
        self.home.mkdir()
        peers(project, {"name": "here"})
        shelf = 'device = "shelf:shelf"\n'
        text = project.config.read_text().replace(shelf, f'{shelf}new_disc = "daily"\n')
        project.config.write_text(f'{text}[collect]\ndir = "{project.root}/collect/here"\nmode = "incr"\n')

    def source(self, path: Path, *keys: str) -> None:
        lines = "\n".join(keys)
        text = f'[[collect.source]]\npath = "{path}"\n{lines}\n'
        self.project.config.write_text(self.project.config.read_text() + text)

    def night(self, day: str) -> None:
        self.project.environ["CEDARCHEST_NOW"] = f"{day}T03:00"
        for action in ("collect", "stage", "store"):
            ran = self.project.run(action)
            assert ran.status == 0, ran.out + ran.err

    def restored(self, target: Path, *arguments: str, status: int = 0) -> Path:
        ran = self.project.run("restore", "--to", str(target), *arguments)
        assert ran.status == status, ran.out + ran.err
        return target / "here" / str(self.home)[1:]


def test_a_source_in_what_another_one_leaves_out_is_not_taken_for_gone(
    machine: Machine, target: Path
) -> None:
    (machine.home / "inner").mkdir()
    (machine.home / "inner/f").write_text("inner")
    machine.source(machine.home, 'exclude = ["inner/"]')
    machine.source(machine.home / "inner")
    for day in (23, 24, 25):
        (machine.home / "outer").write_text(str(day))
        machine.night(f"2026-11-{day}")
        back = machine.restored(target)
        assert ((back / "inner/f").read_text(), (back / "outer").read_text()) == ("inner", str(day))
        wipe(target)


def test_an_archive_that_is_as_an_earlier_one_counts_for_both_days(machine: Machine, target: Path) -> None:
    machine.source(machine.home, 'mode = "daily"', 'archive = "tar"')
    times = {"v1": 1_000_000_000, "v2": 1_000_000_001}
    for day, version in ((23, "v1"), (24, "v2"), (25, "v1")):
        (machine.home / "f").write_text(version)
        os.utime(machine.home / "f", (times[version], times[version]))
        os.utime(machine.home, (1, 1))
        machine.night(f"2026-11-{day}")
        assert (machine.restored(target) / "f").read_text() == version
        wipe(target)
    assert (machine.restored(target, "--as-of", "2026-11-24") / "f").read_text() == "v2"


def test_a_tree_deeper_than_anything_comes_back(machine: Machine, target: Path) -> None:
    here = os.open(machine.home, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("f", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
    os.close(here)
    machine.source(machine.home)
    machine.night("2026-11-23")
    machine.restored(target)
    found = subprocess.run(["find", str(target), "-type", "d"], check=True, capture_output=True).stdout
    assert found.count(b"\n") > 1100
    subprocess.run(["rm", "-rf", str(target), str(machine.home / "d")], check=True)


def test_a_name_with_a_slash_in_front_is_no_name_anywhere(machine: Machine, target: Path) -> None:
    (machine.home / "d").mkdir()
    (machine.home / "d/homely").write_text("x")
    machine.source(machine.home)
    machine.night("2026-11-23")
    machine.restored(target, "/homel*", status=6)
    assert (machine.restored(target, "homel*") / "d/homely").read_text() == "x"


def test_in_place_without_a_disc_changes_nothing(machine: Machine) -> None:
    shadow = machine.home / "shadow"
    shadow.write_text("old")
    machine.source(machine.home)
    machine.night("2026-11-23")
    shadow.write_text("newer")
    shadow.chmod(0)
    os.utime(shadow, (4e9, 4e9))
    machine.home.chmod(0o755)
    before = picture(machine.project.root / "home"), machine.home.stat()
    (image,) = machine.project.images()
    away = image.rename(machine.project.root / "away.iso")
    ran = machine.project.run("restore", str(machine.home), "--in-place", "--yes")
    assert ran.status == 8, ran.out + ran.err
    assert (picture(machine.project.root / "home"), machine.home.stat()) == before
    away.rename(image)
    ran = machine.project.run("restore", str(machine.home), "--in-place", "--yes")
    assert ran.status == 11
    assert "shadow: what is there is newer" in ran.out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that a user may read and not change")
def test_what_was_there_and_may_not_be_changed_is_not_counted_as_restored(of_user: Project) -> None:
    machine = Machine(of_user)
    theirs = of_user.root.parent / "theirs"  # the project itself becomes the user's
    theirs.mkdir(mode=0o755)
    (theirs / "f").write_text("f")
    os.mkfifo(theirs / "pipe", mode=0o644)
    for path in (theirs, theirs / "f"):
        os.chown(path, NOBODY, NOBODY)
    machine.source(theirs)
    machine.night("2026-11-23")
    ran = of_user.run_as_user("--json", "restore", "--in-place", "--yes")
    assert ran.status == 11, ran.out + ran.err
    (left_out,) = told(ran)["left_out"]
    assert left_out.startswith(f"{str(theirs)[1:]}/pipe: ")
    assert (ran.json["wanted"], ran.json["already_there"], ran.json["restored"]) == (3, 2, 0)


def test_a_dry_run_tells_what_would_be_left(machine: Machine, target: Path) -> None:
    (machine.home / "f").write_text("f")
    machine.source(machine.home)
    machine.night("2026-11-23")
    found = target / "here" / str(machine.home)[1:]
    found.mkdir(parents=True)
    (found / "f").write_text("mine")
    ran = machine.project.run("restore", "--to", str(target), "--dry-run", "no/such", str(machine.home))
    assert ran.status == 11
    assert "something else is there already" in ran.out
    assert "no/such: nothing of this name was stored then" in ran.out
    assert (found / "f").read_text() == "mine"


# -- what could not be read -------------------------------------------------------------------------


@pytest.fixture
def shut(of_user: Project) -> Iterator[Shut]:
    found = Shut(of_user)
    yield found
    (found.machine.home / "sd").chmod(0o755)


class Shut:
    """A machine of an ordinary user with a folder, a file and a secret that may not be read on some days."""

    def __init__(self, project: Project) -> None:
        self.machine = Machine(project)
        self.project, self.home = project, self.machine.home
        (self.home / "sd/deep").mkdir(parents=True)
        for name in ("sd/x", "sd/deep/y", "f", "plain"):
            (self.home / name).write_text(f"{name} at first")

    def night(self, day: str, *, mode: int, status: int) -> None:
        """Collect, stage and store with these modes."""
        (self.home / "plain").write_text(f"plain on {day}")
        for name in ("sd", "f"):
            (self.home / name).chmod(mode)
        for action in ("collect", "stage", "store"):
            ran = self.project.run_as_user(action, environ={"CEDARCHEST_NOW": f"{day}T03:00"})
            assert ran.status == (status if action == "collect" else 0), ran.out + ran.err
        (self.home / "sd").chmod(0o755)

    def restored(self, day: str, *arguments: str, status: int = 0) -> tuple[dict[str, str], Ran]:
        """What a restore as of a day gives, by name, with its content."""
        target = self.project.root / f"back {day}"
        ran = self.project.run_as_user("restore", "--as-of", day, "--to", str(target), *arguments)
        assert ran.status == status, ran.out + ran.err
        top = target / "here" / str(self.home)[1:]
        return {
            str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()
        }, ran

    def deleted(self) -> list[str]:
        """The names of what counts as deleted."""
        ran = self.project.run_as_user("--json", "find", "*", "--deleted")
        assert ran.status == 0, ran.out + ran.err
        return sorted(each["path"].removeprefix(f"{str(self.home)[1:]}/") for each in told(ran)["found"])


@pytest.mark.parametrize("mode", ["incr", "daily"])
def test_what_could_not_be_read_comes_back_as_it_was_before_and_is_not_deleted(shut: Shut, mode: str) -> None:
    shut.machine.source(shut.home, f'mode = "{mode}"')
    shut.night("2026-11-23", mode=0o755, status=0)
    at_first = {name: f"{name} at first" for name in ("sd/x", "sd/deep/y", "f")}
    for day in ("2026-11-30", "2026-12-01", "2026-12-07"):
        shut.night(day, mode=0, status=11)
        assert shut.deleted() == []
        back, ran = shut.restored(day)
        assert back == {**at_first, "plain": f"plain on {day}"}
        assert (
            f"could not be read when it was collected on {day.replace('-', '/')}, and comes back as it was"
            f" stored before: {shut.home}/f, {shut.home}/sd\n"
        ) in ran.out
    shutil.rmtree(shut.home / "sd")
    (shut.home / "sd").mkdir()
    shut.night("2026-12-08", mode=0o755, status=0)
    assert shut.deleted() == ["sd/deep", "sd/deep/y", "sd/x"]
    assert shut.restored("2026-12-08")[0] == {"f": "f at first", "plain": "plain on 2026-12-08"}


def test_discs_alone_tell_what_could_not_be_read(shut: Shut) -> None:
    shut.machine.source(shut.home)
    for day, mode in (("2026-11-23", 0o755), ("2026-11-30", 0)):
        shut.night(day, mode=mode, status=0 if mode else 11)
    shutil.rmtree(shut.project.root / "state")
    ran = shut.project.run_as_user("catalog", "rebuild")
    assert ran.status == 0, ran.out + ran.err
    assert shut.deleted() == []
    assert sorted(shut.restored("2026-11-30")[0]) == ["f", "plain", "sd/deep/y", "sd/x"]


def test_what_was_never_read_is_said_to_be_left_out(shut: Shut) -> None:
    shut.machine.source(shut.home)
    for day in ("2026-11-23", "2026-11-30"):
        shut.night(day, mode=0, status=11)
        said = (
            f"could not be read when it was collected on {day.replace('-', '/')}, and was not stored before:"
            f" {shut.home}/f, {shut.home}/sd"
        )
        assert said in shut.restored(day, "--dry-run", status=11)[1].out
        back, ran = shut.restored(day, status=11)
        assert back == {"plain": f"plain on {day}"}
        assert said in ran.out
    assert shut.deleted() == []
    back, ran = shut.restored("2026-11-30", f"{shut.home}/plain")
    assert "could not be read" not in ran.out


def test_of_a_folder_with_an_archive_of_its_own_the_last_one_that_could_be_read_counts(shut: Shut) -> None:
    shut.machine.source(shut.home, "recursion_level = 1")
    shut.night("2026-11-23", mode=0o755, status=0)
    shut.night("2026-11-30", mode=0, status=11)
    assert shut.deleted() == []
    assert sorted(shut.restored("2026-11-30")[0]) == ["f", "plain", "sd/deep/y", "sd/x"]
