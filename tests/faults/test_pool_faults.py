"""What a pool loses or lets be seen in its nights, tried on this program: whole cycles, killed or starved.

Each way in which Cedar Backup was shown to lose data without a word (A) or to be unsafe (C), and what would
fail here if this program did the same:

A1 a peer that is staged in part, and then purged:
   test_a_folder_in_a_collect_dir_comes_to_disc_before_it_goes,
   test_what_could_not_be_staged_is_neither_marked_nor_purged_and_comes_again
A2 a burner that writes nothing: test_a_burn_that_wrote_nothing_is_found_out
A3 a file that is truncated while it is read: test_a_file_that_shrinks_while_it_is_read_harms_no_neighbour
A4 names that collide: test_names_that_would_collide_are_told_apart, test_no_two_archives_share_a_name
A5 what was not staged is in no later archive: test_what_never_arrived_is_collected_again,
   test_a_staging_disk_that_is_lost_before_the_store_costs_nothing
A6 an old archive staged for a new one: test_a_night_without_changes_stores_nothing
A7 a backslash in a name: test_an_archive_holds_everything_and_is_ours_alone_to_read
A8 a file that may not be read: test_what_cannot_be_read_is_named_and_harms_no_neighbour
A9 a fragment of a killed collect: test_what_a_killed_collect_began_is_not_staged,
   test_a_collect_killed_at_any_moment_loses_nothing
A10 empty folders, dangling links, pipes, modes, attributes, holes:
   test_an_archive_holds_everything_and_is_ours_alone_to_read
C1 a name that leads a purge elsewhere: test_a_name_is_a_name_and_a_link_leads_nowhere
C2 links in the place of what root writes: test_a_link_in_the_collect_dir_is_replaced_and_never_followed,
   test_a_receipt_is_never_written_through_a_link, test_a_link_that_was_staged_is_never_written_through,
   test_c2_an_indicator_that_is_a_link_is_replaced_and_not_followed
C3 code in a state: test_a_state_is_never_run, test_c3_nothing_in_the_state_folder_is_ever_run
C4 shells in paths: test_no_shell_of_another_machine_takes_part_in_the_name_of_a_collect_dir,
   test_c4_a_path_with_shell_characters_is_a_path
C5 what is private seen by others: test_what_is_private_is_so_on_all_its_ways,
   test_c5_what_is_private_in_staging_is_private_on_the_disc
C6 passwords in arguments and logs: test_a_password_of_a_command_is_seen_nowhere
C7 mounts of discs: test_c7_no_disc_is_ever_mounted
C8 a digest that can be forged: test_a_change_that_sha1_does_not_see_is_archived
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.program import told
from tests.cli.test_collect_cli import archive_of, collected, sources
from tests.conftest import REPOSITORY, Project

pytestmark = pytest.mark.long

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (f"2026-11-{day}T03:00" for day in (23, 24, 25, 26))


@pytest.fixture
def home(project: Project) -> Path:
    """Something to collect in increments, on a Monday; what is on disc is purged at once."""
    project.environ["CEDARCHEST_NOW"] = MONDAY
    top = project.root / "home"
    top.mkdir()
    (top / "letter").write_bytes(b"dear " * 1000)
    configure(project, top)
    return top


def configure(project: Project, home: Path, **peer: str) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    keys = "".join(f'{key} = "{value}"\n' for key, value in peer.items())
    purged = f'[[purge.dir]]\npath = "{project.root}/collect"\nretain_days = 0\n'
    project.config.write_text(project.config.read_text() + keys + purged)


def on_discs(project: Project, into: Path) -> dict[str, bytes]:
    """All files that stand on the discs, by their path from the year."""
    into.mkdir()
    for image in project.images():
        subprocess.run(
            ["xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}",
             "-extract", "/2026", str(into)],
            check=True, capture_output=True,
        )  # fmt: skip
    return {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}


def unpacked(archives: list[Path], into: Path) -> dict[str, bytes]:
    """The files that archives give back, one upon the other, by their path in the folder `home`."""
    into.mkdir()
    for archive in archives:
        subprocess.run(["tar", "-xpf", str(archive), "-C", str(into)], check=True)
    (top,) = into.glob("**/home")
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_each_fault_has_its_tests() -> None:
    """Those that the table above names."""
    there = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    faults = re.split(r"^(?=[AC]\d+ )", __doc__ or "", flags=re.MULTILINE)[1:]
    assert [fault.split()[0] for fault in faults] == [
        *(f"A{number}" for number in range(1, 11)),
        *(f"C{number}" for number in range(1, 9)),
    ]
    for fault in faults:
        names = re.findall(r"test_\w+", fault)
        assert names
        assert [name for name in names if f"def {name}(" not in there] == []


# -- what comes to disc -----------------------------------------------------------------------------


def test_a_folder_in_a_collect_dir_comes_to_disc_before_it_goes(
    project: Project, home: Path, tmp_path: Path
) -> None:
    folder = project.root / "collect"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "dump").write_bytes(b"dump")
    ran = project.run("all")
    assert ran.status == 0, ran.err
    found = on_discs(project, tmp_path / "discs")
    assert found["11/23/here/below/dump"] == b"dump"
    archive = tmp_path / "discs/11/23/here" / archive_of(home)
    assert unpacked([archive], tmp_path / "back") == {"letter": b"dear " * 1000}
    assert {path.name for path in folder.iterdir()} == {
        "cback.collect", "cback.collect.jsonl", "cback.receipts",
    }  # fmt: skip


def test_what_could_not_be_staged_is_neither_marked_nor_purged_and_comes_again(
    project: Project, home: Path, tmp_path: Path
) -> None:
    configure(project, home, max_size="10 B")
    ran = project.run("all")
    assert ran.status == 6
    assert "here has " in ran.err
    assert {archive_of(home), f"{archive_of(home)}.index.jsonl.gz"} == set(collected(project))
    assert list(project.staging.glob("2*")) == project.images() == []
    configure(project, home)
    project.environ["CEDARCHEST_NOW"] = TUESDAY
    assert project.run("all").status == 0
    on_discs(project, tmp_path / "discs")
    archive = tmp_path / "discs/11/24/here" / archive_of(home)
    assert unpacked([archive], tmp_path / "back") == {"letter": b"dear " * 1000}


def test_a_night_without_changes_stores_nothing(project: Project, home: Path) -> None:
    text = project.config.read_text().partition("[[purge.dir]]")[0]  # so that the archive of Monday stays
    project.config.write_text(text)
    assert project.run("all").status == 0
    assert project.is_marked("2026/11/23")
    project.environ["CEDARCHEST_NOW"] = TUESDAY
    found = told(ran := project.run("--json", "all"))
    assert (ran.status, found["outcome"], found["days"]) == (0, "nothing-to-do", [])
    assert not (project.staging / "2026/11/24").exists()
    assert (home / "letter").exists()


@pytest.mark.slow
def test_a_staging_disk_that_is_lost_before_the_store_costs_nothing(
    project: Project, home: Path, tmp_path: Path
) -> None:
    """With two nights on it: one stored, one not; what changed in both comes again in the next."""
    wanted = {"letter": b"dear " * 1000}
    for now, name in ((MONDAY, "first"), (TUESDAY, "second"), (WEDNESDAY, "third"), (THURSDAY, "fourth")):
        project.environ["CEDARCHEST_NOW"] = now
        wanted[name] = os.urandom(5000)
        (home / name).write_bytes(wanted[name])
        if now in (TUESDAY, WEDNESDAY):
            assert project.run("collect").status == 0
            assert project.run("stage").status == 0
            shutil.rmtree(project.staging)
            project.staging.mkdir()
        else:
            ran = project.run("all")
            assert ran.status == 0, ran.err
    on_discs(project, tmp_path / "discs")
    days = sorted((tmp_path / "discs/11").iterdir())
    assert [day.name for day in days] == ["23", "26"]
    archives = [day / "here" / archive_of(home) for day in days]
    assert unpacked(archives, tmp_path / "back") == wanted
    assert set(unpacked(archives[1:], tmp_path / "last")) == {"second", "third", "fourth"}
    assert project.run("verify").status == 0


# -- what nobody may see ----------------------------------------------------------------------------


def test_what_is_private_is_so_on_all_its_ways(project: Project, home: Path, tmp_path: Path) -> None:
    """A file of which others may know nothing stands in archives and lists that they may not read."""
    (home / "letter").chmod(0o600)
    for action in ("collect", "stage", "store"):
        assert project.run(action).status == 0
    on_discs(project, tmp_path / "discs")
    places = [project.root / "collect", project.staging / "2026/11/23/here", tmp_path / "discs/11/23/here"]
    for place in places:
        for name in (archive_of(home), f"{archive_of(home)}.index.jsonl.gz"):
            assert stat.S_IMODE((place / name).stat().st_mode) == 0o600, place
    for folder in (project.root / "state", project.root / "collect"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_password_of_a_command_is_seen_nowhere(project: Project, home: Path) -> None:
    """It has it from the environment; arguments, logs, lists and states tell nothing of it."""
    script = "tr '\\0' ' ' < /proc/$$/cmdline; printf %s \"$PGPASSWORD\" | sha256sum"
    command = {"name": "dump", "argv": ["sh", "-c", script], "archive": "tar"}
    sources(project, {"path": str(home)}, commands=[command])
    text = project.config.read_text().replace("[options]\n", '[options]\nlog_file = "log"\n')
    project.config.write_text(text)
    ran = project.run("-vv", "collect", environ={"PGPASSWORD": "hunter2"})
    assert ran.status == 0, ran.err
    assert hashlib.sha256(b"hunter2").hexdigest() in (project.root / "collect/dump").read_text()
    assert "/proc/$$/cmdline" in (project.root / "log").read_text()  # all else of the command is told
    assert "hunter2" not in ran.out + ran.err
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []


# -- killed purges ----------------------------------------------------------------------------------


def contents(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@dataclass
class Purged:
    """A project with proven and unproven things in staging and collect dir, all of them old."""

    project: Project
    pristine: Path

    def renew(self) -> int:
        """Put everything back as it was; gives the number of files."""
        for name in ("staging", "collect"):
            shutil.rmtree(self.project.root / name, ignore_errors=True)
            shutil.copytree(self.pristine / name, self.project.root / name)
        return self.count()

    def count(self) -> int:
        return sum(len(contents(self.project.root / name)) for name in ("staging", "collect"))

    def purge(self, seconds: float = 120) -> bool:
        """Whether it came to its end before it was killed, after so many seconds."""
        try:
            ran = self.project.run("purge", environ={"CEDARCHEST_NOW": "2031-01-01T03:00"}, timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        assert ran.status == 0, ran.err
        return True


PROVEN = {f"d{number % 3}/f{number}": hashlib.sha512(b"%d" % number).digest() * 20 for number in range(60)}
UNPROVEN = {"d0/unproven": b"on no disc", "unproven/x": b"neither"}


@pytest.fixture
def purged(project: Project, tmp_path: Path) -> Purged:
    for day in ("2026/11/01", "2026/11/02", "2026/12/01"):
        project.stage(day, PROVEN)
    assert project.run("store").status == 0
    project.stage("2026/12/02", UNPROVEN)
    for name, content in {**PROVEN, **UNPROVEN}.items():
        path = tmp_path / "pristine/collect" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    project.staging.rename(tmp_path / "pristine/staging")
    for name in ("staging", "collect"):
        table = f'[[purge.dir]]\npath = "{name}"\nretain_days = 14\n'
        project.config.write_text(project.config.read_text() + table)
    return Purged(project, tmp_path / "pristine")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_purge_killed_at_any_moment_takes_nothing_unproven_and_is_seen_to_its_end(
    purged: Purged, seed: int
) -> None:
    """Ten times and until one was half done, at moments that close in on those when it is at work."""
    dice, halfway = random.Random(seed), 0
    project, collect = purged.project, purged.project.root / "collect"
    soonest, latest = 0.0, 0.3
    for number in range(60):
        if number >= 10 and halfway:
            break
        everything = purged.renew()
        moment = dice.uniform(soonest, latest)
        if purged.purge(moment):
            latest = (latest + moment) / 2
            soonest *= 0.95  # machines are now faster, now slower
        elif purged.count() == everything:
            soonest = (soonest + moment) / 2
            latest *= 1.1
        else:
            halfway += 1
        left = contents(collect)
        assert left.items() >= UNPROVEN.items()
        assert left.items() <= {**PROVEN, **UNPROVEN}.items()
        for day in project.staging.glob("2026/*/[0-9]*"):  # a day is whole or gone
            there = contents(purged.pristine / "staging" / day.relative_to(project.staging))
            assert contents(day).items() >= there.items()
        assert purged.purge()
        assert contents(collect) == UNPROVEN
        assert [path.name for path in project.staging.glob("2026/*/*")] == ["02"]
        assert contents(project.staging / "2026/12/02/alpha") == UNPROVEN
    assert halfway
    assert project.run("verify").status == 0
    assert told(project.run("--json", "status"))["due"] == ["2026/12/02"]
