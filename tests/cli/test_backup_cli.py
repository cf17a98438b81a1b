"""`backup` as a person runs it who has folders and a disc, and no pool."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cli.program import error_of, program, told
from tests.cli.test_json import assert_described
from tests.conftest import Project, Ran

from cedarchest.adapters.drives import only_one
from cedarchest.errors import DriveMissing

pytestmark = pytest.mark.slow

DAY, NEXT_DAY = "2026/11/24", "2026/11/25"


@dataclass
class Person:
    """Somebody with a folder of letters, a folder for disc images, and no configuration."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def letters(self) -> Path:
        return self.root / "letters"

    @property
    def state(self) -> Path:
        return self.root / "xdg/cedarchest"

    def images(self) -> list[Path]:
        return sorted((self.root / "discs").glob("*.iso"))

    def run(self, *arguments: str, day: str = DAY, environ: Mapping[str, str] | None = None) -> Ran:
        variables = {
            "XDG_STATE_HOME": str(self.root / "xdg"),
            "CEDARCHEST_NOW": f"{day.replace('/', '-')}T20:00",
            **self.environ,
            **(environ or {}),
        }
        return program(*arguments, cwd=self.root, environ=variables)

    def backup(self, *arguments: str, day: str = DAY) -> Ran:
        return self.run("backup", *arguments, "--device", "shelf:discs", day=day)

    def on_the_way(self) -> list[str]:
        """What stands between folders and disc."""
        return sorted(
            str(path.relative_to(self.state / "backup"))
            for path in (self.state / "backup").rglob("*")
            if path.is_file() and "cback.collect" not in path.name and path.parent.parent.name != "collect"
        )


@pytest.fixture
def person(tmp_path: Path) -> Person:
    made = Person(tmp_path)
    made.letters.mkdir()
    (made.letters / "to ann").write_bytes(b"dear ann " * 500)
    return made


def members(image: Path, day: str, into: Path) -> set[str]:
    """What the archives of a day hold, read from a disc by other programs."""
    subprocess.run(
        ["xorriso", "-no_rc", "-osirrox", "on", "-indev", str(image), "-extract", f"/{day}", str(into)],
        check=True, capture_output=True,
    )  # fmt: skip
    archives = sorted(into.rglob("*.tar.zst"))
    assert archives
    listed = [subprocess.check_output(["tar", "-tf", str(archive)], text=True) for archive in archives]
    return {f"/{line}" for lines in listed for line in lines.splitlines()}


def test_a_folder_comes_to_a_proven_disc_without_a_configuration(person: Person, tmp_path: Path) -> None:
    ran = person.backup("--json", "letters")
    assert ran.status == 0, ran.err
    assert_described(ran)
    found = told(ran)
    assert [each["action"] for each in found["actions"]] == ["collect", "stage", "store"]
    (label,) = found["discs"]
    assert (found["outcome"], found["days"], found["dry_run"]) == ("ok", [DAY], False)
    assert f"{person.letters}/to ann" in members(person.images()[0], DAY, tmp_path / "out")
    assert person.on_the_way() == []
    assert label in person.run("discs").out
    assert person.run("verify", label).status == 0
    assert f"{DAY}  stored on {label}" in person.run("status").out
    assert person.state.stat().st_mode & 0o077 == 0


def test_the_next_one_goes_on_the_same_disc_without_being_told_where(person: Person, tmp_path: Path) -> None:
    assert person.backup("letters").status == 0
    (person.letters / "to bob").write_bytes(b"dear bob")
    ran = person.run("backup", "letters", day=NEXT_DAY)
    assert ran.status == 0, ran.err
    assert f"stored {NEXT_DAY} on {person.images()[0].stem}" in ran.out
    (image,) = person.images()
    assert f"{person.letters}/to bob" in members(image, NEXT_DAY, tmp_path / "out")
    assert person.run("backup", "letters", "--full", day=NEXT_DAY).status == 0
    assert len(person.images()) == 2


def test_a_folder_that_changed_the_same_day_is_stored_again_and_an_unchanged_one_is_not(
    person: Person, tmp_path: Path
) -> None:
    assert person.backup("letters").status == 0
    (image,) = person.images()
    size = image.stat().st_size
    ran = person.backup("letters")
    assert ran.status == 0, ran.err
    assert image.stat().st_size == size
    assert f"nothing to store: all of it is on {image.stem} already; --full begins another disc" in ran.out
    assert person.on_the_way() == []
    (person.letters / "to bob").write_bytes(b"dear bob")
    (person.root / "music").mkdir()
    for folder in ("letters", "music"):
        ran = person.backup(folder)
        assert ran.status == 0, ran.err
    held = members(image, DAY, tmp_path / "out")
    assert {f"{person.letters}/to bob", f"{person.root}/music/"} <= held
    assert person.run("verify").status == 0


def test_an_earlier_version_that_comes_back_is_stored_again(person: Person, tmp_path: Path) -> None:
    """It stands on the disc, but in a session that a later one replaced: who mounts it does not see it."""
    letter = person.letters / "to ann"
    for number, content in enumerate((b"one", b"two", b"one")):
        letter.write_bytes(content)
        for path in (letter, person.letters):
            os.utime(path, (1_600_000_000, 1_600_000_000 + (content == b"two")))
        ran = person.backup("letters")
        assert (ran.status, "stored" in ran.out) == (0, True), ran.err
        members(person.images()[0], DAY, tmp_path / f"out{number}")
        (archive,) = (tmp_path / f"out{number}").rglob("*.tar.zst")
        assert subprocess.check_output(["tar", "-xOf", archive, "--wildcards", "*/to ann"]) == content
    assert "nothing to store" in person.backup("letters").out


def test_folders_whose_plain_names_are_the_same_do_not_replace_each_other(
    person: Person, tmp_path: Path
) -> None:
    for folder in ("c-d", "c/d"):
        (person.root / folder).mkdir(parents=True)
        (person.root / folder / "f").write_bytes(folder.encode())
        ran = person.backup(folder)
        assert ran.status == 0, ran.err
    held = members(person.images()[0], DAY, tmp_path / "out")
    assert {f"{person.root}/c-d/f", f"{person.root}/c/d/f"} <= held


def test_midnight_between_stage_and_store_loses_nothing(person: Person, tmp_path: Path) -> None:
    """The clock stands one minute before midnight when the run begins, and behind it once it has staged."""
    config = person.root / "cedarchest.toml"
    hook = tmp_path / "late"
    tables = f'[options]\nstate_dir = "{person.state}"\n[stage]\ndir = "staging"\n'
    tables += '[store]\ndevice = "shelf:discs"\n[[hook]]\naction = "stage"\nwhen = "after"\n'
    tables += f'argv = ["touch", "{hook}"]\n'
    config.write_text(tables)
    code = f"""
import sys, datetime, pathlib
from cedarchest.adapters.clock import SystemClock
from cedarchest.__main__ import main
late = pathlib.Path({str(hook)!r})
def now(self):
    return datetime.datetime(2026, 11, 25 if late.exists() else 24, 12, tzinfo=datetime.UTC)
SystemClock.now = now
sys.exit(main())
"""
    argv = [sys.executable, "-c", code, "-c", str(config), "backup", "letters"]
    ran = subprocess.run(argv, cwd=person.root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"stored {DAY} on" in ran.stdout
    assert (person.root / "staging" / DAY / "cback.store").is_file()


def test_another_device_is_told_that_the_disc_of_the_first_has_it(person: Person) -> None:
    assert person.backup("letters").status == 0
    (label,) = (image.stem for image in person.images())
    ran = person.run("--json", "backup", "letters", "--device", "shelf:others")
    assert_described(ran)
    assert (ran.status, told(ran)["discs"]) == (0, [label])
    assert (
        f"all of it is on {label} already" in person.run("backup", "letters", "--device", "shelf:others").out
    )


def test_a_file_is_stored_as_well_and_what_is_excluded_is_not(person: Person, tmp_path: Path) -> None:
    note = person.root / "note"
    note.write_bytes(b"milk")
    (person.letters / "draft.tmp").write_bytes(b"dear")
    ran = person.backup("letters", "note", "--exclude", "*.tmp", "--exclude", "nothing")
    assert ran.status == 0, ran.err
    held = members(person.images()[0], DAY, tmp_path / "out")
    assert {str(note), f"{person.letters}/to ann"} <= held
    assert not any("draft" in path for path in held)


def test_discs_and_what_is_on_the_way_are_not_stored_themselves(person: Person, tmp_path: Path) -> None:
    top = person.root / "link to all"
    top.symlink_to(".")
    for day in (DAY, NEXT_DAY):
        ran = person.backup("link to all", day=day)
        assert ran.status == 0, ran.err
    held = members(person.images()[0], NEXT_DAY, tmp_path.parent / f"{tmp_path.name}-out")
    assert f"{top}/letters/to ann" in held
    assert not any(path.endswith(".iso") or "/xdg/cedarchest" in path for path in held)
    error = error_of(person.backup("--json", "discs"))
    assert (error["code"], error["kind"]) == (4, "ConfigError")
    assert "where cedarchest keeps its own files" in error["message"]


def test_a_folder_that_is_not_there_is_left_out_and_said(person: Person) -> None:
    ran = person.backup("letters", "gone")
    assert ran.status == 11
    assert f"left out: {person.root}/gone cannot be collected: No such file or directory" in ran.out
    assert len(person.images()) == 1


def test_what_fails_stops_the_rest(person: Person) -> None:
    ran = person.backup("--json", "gone")
    assert_described(ran)
    assert error_of(ran)["message"] == f"{person.root}/gone cannot be collected: No such file or directory"
    found = told(ran)
    assert (ran.status, found["outcome"], len(found["actions"])) == (6, "failed", 1)
    assert found["left_out"] == [
        "stage: not done, since collect failed",
        "store: not done, since collect failed",
    ]
    assert person.images() == []


def test_a_file_that_may_not_be_read_is_left_out_and_said(of_user: Project) -> None:
    home = of_user.root / "home"
    home.mkdir()
    (home / "open").write_bytes(b"open")
    (home / "secret").write_bytes(b"secret")
    (home / "secret").chmod(0)
    environ = {"XDG_STATE_HOME": str(of_user.root / "xdg"), "HOME": str(of_user.root)}
    ran = of_user.run_as_user("backup", "home", "--device", "shelf:shelf", environ=environ, configured=False)
    assert ran.status == 11, ran.err
    assert f"{home}/secret" in ran.out
    assert "Permission denied" in ran.out
    assert len(of_user.images()) == 1


def test_a_drive_that_is_not_there_is_said_before_anything_is_collected(person: Person) -> None:
    ran = person.run("--json", "backup", "letters", "--device", "/dev/absent")
    assert error_of(ran)["kind"] == "DriveMissing"
    assert person.on_the_way() == []
    ran = person.run("--json", "backup", "letters", "--device", "absent")
    assert error_of(ran)["kind"] == "ConfigError"
    assert "neither an absolute path nor a shelf" in ran.err


def test_a_dry_run_says_what_and_where_and_writes_nothing(person: Person) -> None:
    before = sorted(person.root.rglob("*"))
    ran = person.backup("letters", "--dry-run")
    assert (ran.status, sorted(person.root.rglob("*"))) == (0, before)
    assert f"would collect {person.letters}" in ran.out
    assert f"would store it on a new disc, in shelf:{person.root}/discs" in ran.out
    assert person.backup("letters").status == 0
    ran = person.backup("--json", "letters", "--dry-run")
    assert_described(ran)
    assert f"would store it on {person.images()[0].stem}" in person.backup("letters", "--dry-run").out


def test_a_day_that_could_not_be_stored_is_stored_by_the_next(person: Person, tmp_path: Path) -> None:
    config = person.root / "home/.config/cedarchest/cedarchest.toml"
    config.parent.mkdir(parents=True)
    tables = f'[options]\nstate_dir = "{person.state}"\n[store]\ndevice = "shelf:{person.root}/discs"\n'
    config.write_text(f'{tables}[[hook]]\naction = "store"\nwhen = "before"\nargv = ["false"]\n')
    ran = person.run("backup", "letters")
    assert ran.status == 6
    assert any(path.startswith(f"staging/{DAY}") for path in person.on_the_way())
    config.write_text(tables)
    (person.root / "music").mkdir()
    dry = person.run("backup", "music", "--dry-run", day=NEXT_DAY)
    assert f"would store {DAY}, which an earlier run left" in dry.out
    found = told(ran := person.run("--json", "backup", "music", day=NEXT_DAY))
    assert ran.status == 0, ran.err
    assert found["days"] == [DAY, NEXT_DAY]
    assert person.on_the_way() == []
    held = members(person.images()[0], NEXT_DAY, tmp_path / "out")
    assert not any(path.startswith(str(person.letters)) for path in held)


def test_two_at_once_do_not_meet(person: Person) -> None:
    person.state.mkdir(parents=True)
    with (person.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        assert error_of(person.backup("--json", "letters"))["code"] == 10


@pytest.fixture
def configured(project: Project) -> Project:
    """A pool that collects a home by increments, on a Tuesday."""
    project.environ["CEDARCHEST_NOW"] = f"{DAY.replace('/', '-')}T03:00"
    home = project.root / "home"
    home.mkdir()
    (home / "a").write_bytes(b"a" * 1000)
    text = project.config.read_text()
    text += '[collect]\ndir = "collect"\nmode = "incr"\narchive = "tar.gz"\n'
    text += f'[[collect.source]]\npath = "{home}"\n'
    project.config.write_text(f'{text}[[peer]]\nname = "here"\ncollect_dir = "collect"\n')
    return project


def test_with_a_configuration_it_goes_by_that_and_leaves_the_pool_alone(configured: Project) -> None:
    assert configured.run("collect").status == 0
    states = sorted((configured.root / "state/collect").rglob("*.gz"))
    waiting = configured.stage("2026/11/20")
    ran = configured.run("--json", "backup", "home")
    assert ran.status == 0, ran.err
    assert told(ran)["days"] == [DAY]
    assert configured.is_marked(DAY)
    assert not (waiting / "cback.store").exists()
    assert sorted((configured.root / "state/collect").rglob("*.gz")) == states
    assert [path.name for path in configured.staging.glob(f"{DAY}/*/*.tar.*") if path.suffix != ".gz"] == []
    assert sorted((configured.root / "state/backup/archives").glob("*.tar*")) == []
    assert configured.run("all").status == 0
    assert configured.is_marked(DAY)
    assert (waiting / "cback.store").exists()


def test_all_of_it_is_stored_whatever_the_pool_collects_today(configured: Project) -> None:
    configured.config.write_text(configured.config.read_text().replace('"incr"', '"weekly"'))
    for name in ("b", "c"):
        (configured.root / "home" / name).write_bytes(b"new")
        ran = configured.run("backup", "home")
        assert ran.status == 0, ran.err
        assert f"stored {DAY}" in ran.out


def test_a_staging_disk_without_room_is_said_with_how_much_is_needed(configured: Project) -> None:
    text = configured.config.read_text().replace("[store]", 'reserve = "8000 TB"\n[store]')
    configured.config.write_text(text)
    error = error_of(configured.run("--json", "backup", "home"))
    assert (error["code"], error["kind"]) == (6, "DiskFull")
    assert error["advice"].startswith("There are 1.0 kB to store; packed, they stand in")
    assert configured.images() == []


@pytest.mark.parametrize(
    ("found", "said"), [((), "no optical drive"), (("/dev/sr0", "/dev/sr1"), "/dev/sr1")]
)
def test_no_drive_or_several_are_named_and_none_is_chosen(found: tuple[str, ...], said: str) -> None:
    with pytest.raises(DriveMissing, match=said) as caught:
        only_one([Path(each) for each in found])
    assert "--device" in caught.value.advice


def test_the_only_burner_is_taken_and_a_foreign_disc_is_refused_at_once(person: Person) -> None:
    require()
    with Burner(profile="dvd+r") as drive:
        for day in (DAY, NEXT_DAY):
            ran = person.run("--json", "backup", "letters", day=day, environ=drive.env())
            assert ran.status == 0, ran.err
            assert told(ran)["days"] == [day]
        assert person.on_the_way() == []
        assert person.run("verify", environ=drive.env()).status == 0
        drive.exchange("dvd+r")
        subprocess.run(
            ["xorriso", "-no_rc", "-outdev", "/dev/sr0", "-volid", "PHOTOS",
             "-map", str(person.letters), "/p", "-commit"],
            env={**os.environ, **drive.env()}, check=True, capture_output=True,
        )  # fmt: skip
        ran = person.run("backup", "letters", environ=drive.env())
    assert ran.status == 8
    assert "is not ours (PHOTOS)" in ran.err
    assert person.on_the_way() == []
