"""Audits of discs and drives that fail, one by another, and of runs that end before their end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.cli.program import error_of, told
from tests.cli.test_json import assert_described
from tests.conftest import Project, Ran
from tests.forked import AtWork
from tests.running import started

from cedarchest.model.mapfile import DiscMap, parse_mapfile

pytestmark = pytest.mark.long

DAY = "2026/11/22"
READ = "28"
MIB_BLOCKS = 512
SENSES = [Sense(3, 0x11, 0), Sense(3, 0x02, 0), Sense(4, 0x44, 0), Sense(5, 0x64, 0), Sense(11, 0, 6)]


@dataclass
class Two:
    """A project with a disc of some MiB in the first of two drives, whichever has it later."""

    project: Project
    drives: tuple[Burner, Burner]
    holder: int = 0

    @property
    def first(self) -> Burner:
        """The drive that has the disc."""
        return self.drives[self.holder]

    @property
    def environ(self) -> dict[str, str]:
        return self.drives[0].env_with(self.drives[1])

    def run(self, *arguments: str) -> Ran:
        ran = self.project.run("--json", *arguments, environ=self.environ)
        print(ran.err)  # noqa: T201 - seen when a test fails
        assert_described(ran)
        return ran

    def audit(self, *arguments: str) -> dict[str, Any]:
        (found,) = told(self.run("audit", self.label, *arguments))["verdicts"]
        assert isinstance(found, dict)
        return found

    def started(self) -> AtWork:
        """An audit at work."""
        label, settings = self.label, self.environ
        self.project.environ.update(
            {name: settings[name] for name in settings if name.startswith("FAKEBURN")}
        )
        return started(self.project, "audit", label)

    @property
    def label(self) -> str:
        return str(told(self.run("discs"))["discs"][0])

    def disc(self) -> dict[str, Any]:
        found = told(self.run("discs"))["details"][0]
        assert isinstance(found, dict)
        return found

    def audits(self) -> list[dict[str, Any]]:
        return [check for check in self.disc()["checks"] if check["kind"] == "audit"]

    def status_text(self) -> str:
        return self.project.run("status", environ=self.environ).out

    def status(self) -> str:
        return str(self.disc()["sessions"][0]["status"])

    def hand_over(self) -> None:
        """Put the disc into the other drive."""
        taken = self.first.exchange("none")
        self.holder = 1 - self.holder
        self.first.exchange("dvd+r", directory=taken)


@pytest.fixture
def two(project: Project) -> Iterator[Two]:
    require()
    project.configure(device=["/dev/sr0", "/dev/sr1"])
    project.stage(DAY, {"big": os.urandom(6 << 20), "letter": b"Dear reader"})
    with Burner("dvd+r") as first, Burner("none") as second:
        made = Two(project, (first, second))
        assert made.run("store").status == 0
        yield made


def bad(*places: int, sense: Sense | None = None) -> list[Fault]:
    return [Fault("read", lba=place, times=ALWAYS, sense=sense) for place in places]


def mapped(found: dict[str, Any]) -> DiscMap:
    return parse_mapfile(Path(found["map"]).read_text())[0]


# -- what cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sense", SENSES, ids=str)
def test_all_round_a_block_that_cannot_be_read_is_read(two: Two, sense: Sense) -> None:
    two.first.faults(bad(2000, sense=sense))
    found = two.audit()
    assert sum(two.first.fired()) >= 3  # with its MiB, with 64 KiB, and alone
    assert (found["passed"], found["whole"], found["copy_wanted"]) == (False, True, True)
    assert found["damaged"] == [{"first_block": 2000, "last_block": 2000}]
    assert found["missing_blocks"] == 1
    assert mapped(found).missing() == [(2000, 2000)]
    assert f"/{DAY}/alpha/big: these blocks could not be read (blocks 2000 to 2000)" in found["findings"][0]
    (check,) = two.audits()
    assert check["drive_model"] == "EMULATED TEST BURNER 1.00"
    assert check["retries"] == found["retries"] > 0
    assert two.status() == "bad"
    assert not two.project.is_marked(DAY)


def test_a_disc_that_cannot_be_read_ends_with_8_and_names_drive_and_copy(two: Two) -> None:
    two.first.faults(bad(2000))
    ran = two.run("audit")
    error = error_of(ran)
    assert (ran.status, error["kind"]) == (8, "DamagedDisc")
    assert "cannot be read in full in EMULATED TEST BURNER 1.00" in error["message"]
    text = two.status_text()
    assert "failed in EMULATED TEST BURNER 1.00 on " in text
    assert f"another drive may read it: cedarchest audit {two.label}" in text


def test_what_is_read_only_by_trying_again_is_good_and_a_copy_is_wanted(two: Two) -> None:
    two.first.faults([Fault("read", lba=2000, times=1)])
    found = two.audit()
    assert two.first.fired() == [1]
    assert (found["passed"], found["whole"], found["retries"] > 0) == (True, True, True)
    assert found["copy_wanted"]
    assert two.project.is_marked(DAY)
    assert two.run("verify").status == 0  # all at once again
    assert told(two.run("status"))["copies_wanted"] == []


def test_what_one_drive_cannot_read_another_may_and_the_later_full_reading_counts(two: Two) -> None:
    two.first.faults(bad(2000))
    assert not two.audit()["passed"]
    two.hand_over()
    found = two.audit()
    assert (found["passed"], found["whole"], found["drive"]) == (True, True, "/dev/sr1")
    events = [(check["drive"], check["passed"], check["whole"]) for check in two.audits()]
    assert events == [("/dev/sr0", False, True), ("/dev/sr1", True, True)]
    assert two.status() == "verified"
    assert two.project.is_marked(DAY)
    assert list((two.project.root / "state" / "rescue").iterdir()) == []
    assert told(two.run("status"))["copies_wanted"] == []


def test_a_sample_in_another_drive_overrules_nothing(two: Two) -> None:
    two.first.faults(bad(2000))
    assert not two.audit()["passed"]
    two.hand_over()
    found = two.audit("--sample", "50%")
    assert (found["passed"], found["whole"]) == (True, False)
    assert two.status() == "bad"
    assert not two.project.is_marked(DAY)


def test_two_drives_that_fail_at_other_places_read_all_of_it_together(two: Two) -> None:
    two.first.faults(bad(1000, 2000))
    assert two.audit()["missing_blocks"] == 2
    two.hand_over()
    two.first.faults(bad(2000, 2100))
    found = two.audit()
    assert mapped(found).missing() == [(2000, 2000)]
    assert found["missing_blocks"] == 1
    two.hand_over()
    two.first.faults(bad(1000))
    found = two.audit()
    assert not found["passed"]
    assert mapped(found).missing() == []
    assert two.status() == "bad"
    folder = two.project.root / "state" / "rescue"
    assert sorted(path.suffixes[0] for path in folder.iterdir()) == [
        ".drive-001",
        ".drive-002",
        ".img",
        ".img",
        ".map",
    ]


def test_what_two_drives_read_together_is_copied(two: Two) -> None:
    two.first.faults(bad(1000, 2000))
    assert not two.audit()["passed"]
    ran = two.run("copy", two.label)
    assert (ran.status, error_of(ran)["kind"]) == (8, "NotAppendable")  # some of it is missing
    assert f"another drive may read it: cedarchest audit {two.label}" in two.status_text()
    two.hand_over()
    two.first.faults(bad(2100))
    assert two.audit()["missing_blocks"] == 0
    label = two.label
    assert f"make a new copy: cedarchest copy {label}" in two.status_text()
    shutil.rmtree(two.project.staging / "2026")
    ran = two.run("copy", label)
    assert ran.status == 8
    assert "into the drive that could read these blocks" in error_of(ran)["advice"]
    two.hand_over()
    two.first.faults(bad(1000, 2000))
    two.drives[1 - two.holder].faults([])
    two.drives[1 - two.holder].exchange("dvd+r")
    ran = two.run("copy", label)
    assert (ran.status, told(ran)["source"], told(ran)["days"]) == (0, label, [DAY])
    assert f"{label} failed; it is put together from what drives read of it" in ran.err
    (made,) = told(ran)["discs"]
    assert two.run("verify", made).status == 0
    state = told(two.run("status"))
    assert (state["lost"], state["copies_wanted"]) == ([], [])


def test_blocks_of_bad_places_are_kept_as_they_were(two: Two) -> None:
    two.first.faults(bad(2000))
    found = two.audit()
    image = Path(found["map"]).with_suffix(".img").read_bytes()
    kept = parse_mapfile(Path(found["map"]).with_suffix(".img.map").read_text())[0]
    assert kept.is_read(1999, 1)
    assert not kept.is_read(2000, 1)
    disc = two.first.data_path.read_bytes()
    assert image[1999 * 2048 : 2000 * 2048] == disc[1999 * 2048 : 2000 * 2048]


def test_a_disc_that_is_dead_from_a_place_on_is_not_asked_for_every_block_of_it(two: Two) -> None:
    two.first.faults([Fault("read", lba=1500, end=100_000, times=ALWAYS)])
    found = two.audit()
    assert not found["passed"]
    assert found["damaged"][0]["first_block"] == 1500
    missing = mapped(found).missing()
    assert missing[0][0] == 1500


# -- drives that go away -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["unplugged", "exchanged", "no power"])
def test_a_drive_that_goes_away_says_nothing_against_its_disc(two: Two, what: str) -> None:
    two.first.faults([Fault("read", times=ALWAYS, effect=Effect.SLOW, seconds=0.05)])
    with two.started() as process:
        wait_for(lambda: two.first.fired()[0] > 30, process)
        if what == "unplugged":
            two.first.unplug()
        elif what == "exchanged":
            two.first.exchange("dvd+r")
        else:
            two.first.kill()
        assert process.wait() in (8, 9)
    assert two.audits() == []
    assert two.status() == "verified"
    assert two.project.is_marked(DAY)


def test_a_drive_that_goes_away_while_bad_places_are_tried_says_nothing_against_its_disc(two: Two) -> None:
    two.first.faults([Fault("read", lba=2000, times=ALWAYS, effect=Effect.SENSE, seconds=0.3)])
    with two.started() as process:
        wait_for(lambda: two.first.fired()[0] >= 2, process)
        two.first.unplug()
        assert process.wait() in (8, 9)
    assert two.audits() == []
    assert two.status() == "verified"
    assert two.project.is_marked(DAY)


def wait_for(happened: Callable[[], bool], process: AtWork) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert process.poll() is None, process.said()
        assert time.monotonic() < until
        time.sleep(0.02)


# -- runs that end before their end ------------------------------------------------------------------------


def test_an_audit_that_its_time_ended_is_gone_on_with_where_it_stopped(two: Two) -> None:
    two.first.faults([Fault("read", times=ALWAYS, effect=Effect.SLOW, seconds=0.03)])
    first = two.audit("--time-limit", "1s")
    assert (first["passed"], first["whole"]) == (True, False)
    assert first["blocks"] > 0
    assert first["left_blocks"] > 0
    total = two.disc()["sessions"][0]["blocks"]
    assert first["blocks"] + first["left_blocks"] == total
    two.first.faults([])
    second = two.audit()
    assert (second["passed"], second["whole"], second["left_blocks"]) == (True, True, 0)
    assert second["blocks"] == first["left_blocks"]
    assert [check["whole"] for check in two.audits()] == [False, True]
    assert two.audit()["blocks"] == total  # a new one reads all again


def test_an_audit_may_be_gone_on_with_in_another_drive(two: Two) -> None:
    two.first.faults([Fault("read", times=ALWAYS, effect=Effect.SLOW, seconds=0.03)])
    first = two.audit("--time-limit", "1s")
    two.hand_over()
    second = two.audit()
    assert (second["whole"], second["blocks"]) == (True, first["left_blocks"])


def test_what_a_stopped_audit_could_not_read_is_tried_again_before_it_is_whole(two: Two) -> None:
    slow = Fault("read", lba=1600, end=10_000, times=ALWAYS, effect=Effect.SLOW, seconds=0.1)
    two.first.faults([*bad(1000), slow])
    first = two.audit("--time-limit", "2s")
    assert (first["passed"], first["whole"]) == (False, False)
    assert two.status() == "bad"
    two.first.faults([])
    second = two.audit()
    assert (second["passed"], second["whole"]) == (True, True)
    assert first["left_blocks"] < second["blocks"] <= first["left_blocks"] + MIB_BLOCKS
    assert two.status() == "verified"
    assert two.project.is_marked(DAY)


def test_an_audit_that_is_gone_on_with_forgets_no_session_that_it_found_bad(two: Two) -> None:
    two.project.stage("2026/11/23", {"next": os.urandom(3 << 20)})
    assert two.run("store").status == 0
    second = two.disc()["sessions"][1]["start"]
    slow = Fault("read", lba=second + 600, end=second + 700, times=ALWAYS, effect=Effect.SLOW, seconds=9)
    two.first.faults([*bad(1000), slow])
    first = two.audit("--time-limit", "8s")
    assert (first["passed"], first["whole"], first["sessions"]) == (False, False, 2)
    assert f"make a new copy: cedarchest copy {two.label}" in two.status_text()
    two.first.faults(bad(1000))
    again = two.audit()
    assert (again["passed"], again["whole"]) == (False, True)
    assert again["missing_blocks"] == 1
    two.first.faults([])
    assert two.audit()["blocks"] == sum(each["blocks"] for each in two.disc()["sessions"])
    assert two.status() == "verified"


def test_a_disc_too_damaged_to_say_which_it_is_is_audited_by_its_label(two: Two) -> None:
    label = two.label
    two.first.faults([Fault("read", lba=1000, end=100_000, times=ALWAYS)])
    ran = two.run("audit")
    assert ran.status == 8
    assert f"name it: cedarchest audit {label}" in error_of(ran)["advice"]
    found = two.audit()
    assert not found["passed"]
    assert found["damaged"][0]["first_block"] == 1000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_audit_that_was_ended_or_killed_is_gone_on_with(two: Two, number: signal.Signals) -> None:
    total = two.disc()["sessions"][0]["blocks"]
    two.first.faults([Fault("read", times=ALWAYS, effect=Effect.SLOW, seconds=0.05)])
    with two.started() as process:
        wait_for(lambda: two.first.fired()[0] > 70, process)  # four MiB; some of them are kept
        os.kill(process.pid, number)
        assert process.wait() == (5 if number is signal.SIGTERM else -signal.SIGKILL)
    assert two.project.is_marked(DAY)
    two.first.faults([])
    found = two.audit()
    assert (found["passed"], found["whole"]) == (True, True)
    assert 0 < found["blocks"] <= total - MIB_BLOCKS


def test_discs_that_the_time_did_not_suffice_for_come_first_next_time(project: Project) -> None:
    project.configure(new_disc="daily")
    for day in (DAY, "2026/11/23"):
        project.stage(day)
    assert project.run("store").status == 0
    first, second = (image.stem for image in project.images())
    ran = project.run("--json", "audit", "--time-limit", "0.0001 s")
    assert (told(ran)["discs"], told(ran)["waiting"]) == ([first], [second])
    ran = project.run("--json", "audit", "--time-limit", "0.0001 s")
    assert (told(ran)["discs"], told(ran)["waiting"]) == ([second], [first])


# -- slow places, and empty drives -------------------------------------------------------------------------


def test_a_slow_place_is_told_and_a_copy_is_wanted(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")
    project.stage(DAY, {"big": os.urandom(60 << 20)})
    with Burner("dvd+r") as drive:
        assert project.run("store", environ=drive.env()).status == 0
        drive.faults([Fault("read", lba=9000, end=9064, times=ALWAYS, effect=Effect.SLOW, seconds=1.0)])
        ran = project.run("--json", "audit", environ=drive.env())
        (found,) = told(ran)["verdicts"]
        assert (ran.status, found["passed"], found["whole"], found["copy_wanted"]) == (0, True, True, True)
        (slow,) = found["slow"]
        assert slow["first_block"] <= 9000 < slow["first_block"] + slow["blocks"]
        fastest = max(each["bytes_a_second"] for each in speeds(project, drive))
        assert slow["bytes_a_second"] * 4 < fastest
        assert f"reads slowly at blocks {slow['first_block']} to " in ran.err
        status = project.run("status", environ=drive.env()).out
        assert "was slow in EMULATED TEST BURNER 1.00" in status
        drive.exchange("dvd+r")
        ran = project.run("--json", "copy", found["disc"], environ=drive.env())
        assert ran.status == 8  # it has to be in the drive


def speeds(project: Project, drive: Burner) -> list[dict[str, int]]:
    details = told(project.run("--json", "discs", environ=drive.env()))["details"]
    found = details[0]["checks"][-1]["speeds"]
    assert isinstance(found, list)
    return found


def test_an_empty_drive_is_no_failure_where_only_what_is_due_is_read(two: Two) -> None:
    two.first.exchange("none")
    assert two.run("audit").status == 8
    ran = two.run("audit", "--due")
    assert (ran.status, told(ran)["outcome"]) == (0, "nothing-to-do")
    with later(two.project):
        ran = two.run("audit", "--due")
        assert [each["disc"] for each in told(ran)["elsewhere"]] == [two.label]


@contextlib.contextmanager
def later(project: Project) -> Iterator[None]:
    project.environ["CEDARCHEST_NOW"] = "2031-01-01T00:00+00:00"
    yield
    del project.environ["CEDARCHEST_NOW"]


def test_a_drive_that_is_not_there_ends_with_9(project: Project) -> None:
    project.configure(device="/dev/no-such-drive")
    assert project.run("audit", "--due").status == 9
