"""Several drives at once: what each writes, and what is left when one fails or somebody interrupts."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.fakes.ports import RecordingReporter, memory_config, memory_ports
from tests.fakes.writer import MemoryDisc, MemoryDrives, MemoryWriter, Tray

from cedarchest.actions.status import execute_status
from cedarchest.actions.store import StoreOptions, StoreReport, execute_store
from cedarchest.actions.validate import execute_validate
from cedarchest.actions.verify import execute_verify
from cedarchest.adapters.catalog import open_catalog
from cedarchest.adapters.interrupts import Signals
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, Interrupted, MediumFull, NoMedium, NotAppendable, ToolFailed
from cedarchest.model.disc import SessionStatus
from cedarchest.ports import Burnt, Interrupts, Ports, SessionSource, Writer

pytestmark = pytest.mark.long

DAY, NEXT = "2026/11/22", "2026/11/23"
DISC = 900
"""Blocks of the discs here: a file of 1 MB each."""
LONG_S = 60


class Meeting(MemoryDrives):
    """Drives that wait for one another in the middle of a burn, or of a reading: alone none goes on."""

    def __init__(self, *trays: Tray, at: str = "write", then: Callable[[], None] | None = None) -> None:
        super().__init__(*trays)
        self.at = at
        self.met = threading.Barrier(len(trays), action=then)

    def open_path(self, path: Path) -> Writer:
        found = super().open_path(path)
        return _Meeting(self._trays[found.device], self)

    def meet(self, what: str) -> None:
        if what == self.at:
            self.met.wait(LONG_S)
            self.at = ""


class _Meeting(MemoryWriter):
    def __init__(self, tray: Tray, drives: Meeting) -> None:
        super().__init__(tray)
        self._drives = drives
        self._has_met = threading.current_thread() is threading.main_thread()  # there it only looks

    def write(self, source: SessionSource, confirm: Callable[[int], None]) -> Burnt:
        def met(blocks: int) -> None:
            confirm(blocks)
            self._drives.meet("write")

        return super().write(source, met)

    def read(self, start: int, count: int) -> bytes:
        if not self._has_met:
            self._has_met = True
            self._drives.meet("read")
        return super().read(start, count)


@dataclass
class Machine:
    """A machine with two drives and what it has staged."""

    root: Path
    trays: tuple[Tray, Tray]
    ports: Ports
    config: Config

    def stage(self, day: str, files: int = 1, size: int = 1000) -> None:
        folder = self.root / "staging" / day
        folder.mkdir(parents=True)
        for number in range(files):
            content = hashlib.shake_256(f"{day}{number}".encode()).digest(size)
            (folder / f"f{number}").write_bytes(content)
        (folder / "cback.stage").touch()

    def is_marked(self, day: str) -> bool:
        return (self.root / "staging" / day / "cback.store").is_file()

    def store(self, drives: MemoryDrives | None = None, interrupts: Interrupts | None = None) -> StoreReport:
        ports = replace(
            self.ports,
            drives=drives or self.ports.drives,
            interrupts=interrupts or self.ports.interrupts,
        )
        return execute_store(None, StoreOptions(), self.config, ports=ports)

    def statuses(self) -> list[SessionStatus]:
        catalog = self.ports.catalog
        return [each.status for disc in catalog.discs() for each in catalog.sessions(disc.disc_id)]

    def burns(self) -> list[int]:
        return [tray.burns for tray in self.trays]

    def warnings(self) -> list[str]:
        assert isinstance(self.ports.reporter, RecordingReporter)
        return self.ports.reporter.warnings


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Two drives with a blank DVD+R each."""
    trays = (Tray("/dev/sr0", MemoryDisc(capacity=DISC)), Tray("/dev/sr1", MemoryDisc(capacity=DISC)))
    with open_catalog(f"sqlite:///{tmp_path}/catalog.sqlite") as catalog:
        ports = replace(memory_ports(tmp_path, *trays), catalog=catalog)
        config = memory_config(tmp_path, device=["/dev/sr0", "/dev/sr1"])
        yield Machine(tmp_path, trays, ports, config)


def two_copies(machine: Machine) -> None:
    for tray in machine.trays:
        tray.disc = MemoryDisc()
    machine.config = memory_config(machine.root, device=["/dev/sr0", "/dev/sr1"], copies=2)


def label_in(tray: Tray) -> str:
    return MemoryWriter(tray).observe().label


def interrupt(signals: Signals) -> None:
    """Press Ctrl-C, and go on when that is known."""
    os.kill(os.getpid(), signal.SIGINT)
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        try:
            signals.check()
        except Interrupted:
            return
        time.sleep(0.001)
    raise AssertionError("no signal came")


def test_two_copies_are_written_at_the_same_time(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    report = machine.store(Meeting(*machine.trays))
    assert (report.days, report.problems) == ((DAY,), ())
    assert sorted(map(label_in, machine.trays)) == ["CC_20261123_001", "CC_20261123_B001"]
    assert (machine.burns(), machine.is_marked(DAY)) == ([1, 1], True)
    assert machine.statuses() == [SessionStatus.VERIFIED] * 2


def test_two_copies_are_read_back_at_the_same_time(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    assert machine.store(Meeting(*machine.trays, at="read")).days == (DAY,)


def test_a_copy_goes_to_the_drive_that_holds_its_disc(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    machine.store()
    first, second = machine.trays
    first.disc, second.disc = second.disc, first.disc
    before = [label_in(tray) for tray in machine.trays]
    machine.stage(NEXT)
    report = machine.store(Meeting(*machine.trays))
    assert (report.days, [label_in(tray) for tray in machine.trays]) == ((NEXT,), before)
    assert all(tray.disc and len(tray.disc.sessions) == 2 for tray in machine.trays)
    assert not machine.warnings()


def test_the_copy_without_a_disc_in_a_drive_gets_the_blank_one(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    machine.store()
    first, second = machine.trays
    held = label_in(first)
    first.disc, second.disc = MemoryDisc(), first.disc
    machine.stage(NEXT)
    assert machine.store().days == (NEXT,)
    assert label_in(second) == held
    assert ("_B" in label_in(first)) != ("_B" in held)


def seal(machine: Machine, tray: Tray) -> str:
    """The label of the disc in a drive, which takes no more sessions."""
    label = label_in(tray)
    disc = next(each for each in machine.ports.catalog.discs() if each.label == label)
    machine.ports.catalog.put_disc(replace(disc, accepts_sessions=False))
    return label


def seal_second(machine: Machine) -> tuple[str, str]:
    """Two copies of a day, of which the second one's disc takes no more; a day is due. The labels of both."""
    two_copies(machine)
    machine.stage(DAY)
    machine.store()
    labels = label_in(machine.trays[0]), seal(machine, machine.trays[1])
    machine.stage(NEXT)
    return labels


def test_all_that_look_ahead_speak_of_the_drive_whose_disc_takes_no_more(machine: Machine) -> None:
    _, sealed = seal_second(machine)
    said = f"a new disc is needed; /dev/sr1 holds {sealed}, which is written once and has data"
    dry = execute_store(None, StoreOptions(dry_run=True), machine.config, ports=machine.ports)
    assert [problem.message[: len(said)] for problem in dry.problems] == [said]
    problem = execute_status(machine.config, ports=machine.ports).problem
    assert problem is not None
    assert problem.message.startswith(said)
    (drive,) = (
        each
        for each in execute_validate(machine.config, ports=machine.ports)
        if each.what == "drive and disc"
    )
    assert drive.found.startswith(said)
    assert machine.burns() == [1, 1]


def test_a_blank_disc_is_asked_for_only_in_the_drive_whose_disc_takes_no_more(machine: Machine) -> None:
    held, _ = seal_second(machine)
    report = machine.store()
    assert (report.discs, machine.burns(), machine.is_marked(NEXT)) == ((held,), [2, 1], False)
    (problem,) = report.problems
    assert problem.message.startswith("a new disc is needed; /dev/sr1 holds ")
    assert problem.advice == "Insert a blank disc in /dev/sr1 and run the command again."
    machine.trays[1].disc = MemoryDisc()
    assert machine.store().days == (NEXT,)
    assert machine.burns() == [2, 2]


def test_another_drive_may_begin_the_disc_that_is_wanted(machine: Machine) -> None:
    """So that nothing is refused where only the first of the drives has a disc that takes no more."""
    machine.stage(DAY)
    machine.store()
    seal(machine, machine.trays[0])
    machine.stage(NEXT)
    dry = execute_store(None, StoreOptions(dry_run=True), machine.config, ports=machine.ports)
    assert (dry.problems, execute_status(machine.config, ports=machine.ports).problem) == ((), None)
    assert all(each.problem is None for each in execute_validate(machine.config, ports=machine.ports))
    assert machine.store().days == (NEXT,)


def test_each_drive_takes_a_volume_of_a_set_and_the_next_run_goes_on(machine: Machine) -> None:
    machine.stage(DAY, files=3, size=1_000_000)
    report = machine.store(Meeting(*machine.trays))
    assert (machine.burns(), machine.is_marked(DAY)) == ([1, 1], False)
    assert len({label_in(tray) for tray in machine.trays}) == 2
    assert {type(problem) for problem in report.problems} == {NotAppendable}
    assert {problem.exit_code for problem in report.problems} == {8}
    machine.trays[1].disc = MemoryDisc(capacity=DISC)
    assert machine.store().days == (DAY,)
    assert (machine.burns(), machine.is_marked(DAY)) == ([1, 2], True)


def test_a_drive_without_a_disc_takes_no_part(machine: Machine) -> None:
    machine.stage(DAY)
    machine.trays[0].disc = None
    report = machine.store()
    assert (report.days, report.problems, machine.burns()) == ((DAY,), (), [0, 1])
    machine.stage(NEXT, files=2, size=1_000_000)
    machine.trays[1].disc = MemoryDisc(capacity=DISC)
    (problem, other) = machine.store().problems
    assert isinstance(problem, NoMedium)
    assert "/dev/sr0" in problem.message
    assert "/dev/sr1" in other.message
    assert machine.burns() == [0, 2]


def test_a_disc_that_is_too_small_leaves_its_volume_to_another_drive(machine: Machine) -> None:
    first, second = machine.trays
    first.disc, second.disc = MemoryDisc(capacity=2 * DISC), MemoryDisc(capacity=DISC // 2)
    machine.stage(DAY, files=4, size=1_000_000)
    report = machine.store()
    assert (machine.burns(), len(report.discs)) == ([1, 0], 1)
    assert {type(problem) for problem in report.problems} == {MediumFull, NotAppendable}
    second.disc = MemoryDisc(capacity=2 * DISC)
    assert machine.store().days == (DAY,)


@pytest.mark.parametrize("broken", [0, 1])
def test_a_drive_that_fails_leaves_the_volume_of_the_other_proven(machine: Machine, broken: int) -> None:
    two_copies(machine)
    machine.stage(DAY)
    machine.trays[broken].cut_off_after = 40
    report = machine.store(Meeting(*machine.trays))
    assert [type(problem) for problem in report.problems] == [ToolFailed]
    assert sorted(machine.statuses()) == [SessionStatus.INTENDED, SessionStatus.VERIFIED]
    assert not machine.is_marked(DAY)
    assert label_in(machine.trays[1 - broken]) in report.discs
    machine.trays[broken].disc = None  # it is asked for as long as nobody said that it is lost
    with pytest.raises(CedarchestError):
        machine.store()
    assert machine.burns() == [1, 1]


def test_a_drive_that_fails_in_a_set_ends_only_its_own_part(machine: Machine) -> None:
    machine.stage(DAY, files=2, size=1_000_000)
    machine.trays[1].cut_off_after = 40
    report = machine.store(Meeting(*machine.trays))
    assert [type(problem) for problem in report.problems] == [ToolFailed]
    again = machine.store()  # looks at the torn disc first, and wants another in its place
    assert machine.burns() == [1, 1]
    assert {problem.exit_code for problem in again.problems} == {8}
    machine.trays[1].disc = MemoryDisc(capacity=DISC)
    assert machine.store().days == (DAY,)
    assert (machine.burns(), machine.is_marked(DAY)) == ([1, 2], True)


def test_an_interrupt_lets_both_burns_end_and_marks_nothing(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    signals = Signals()
    drives = Meeting(*machine.trays, then=lambda: interrupt(signals))
    with signals.installed(), pytest.raises(Interrupted):
        machine.store(drives, signals)
    assert machine.statuses() == [SessionStatus.BURNT] * 2
    assert not machine.is_marked(DAY)
    assert machine.store().marked == (DAY,)
    assert (machine.burns(), machine.is_marked(DAY)) == ([1, 1], True)


def test_an_interrupt_ends_both_readings_and_marks_nothing(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    signals = Signals()
    drives = Meeting(*machine.trays, at="read", then=lambda: interrupt(signals))
    with signals.installed(), pytest.raises(Interrupted):
        machine.store(drives, signals)
    assert machine.statuses() == [SessionStatus.BURNT] * 2
    assert not machine.is_marked(DAY)
    assert machine.store().marked == (DAY,)
    assert machine.burns() == [1, 1]


def test_open_sessions_are_settled_in_the_drives_that_hold_them(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    signals = Signals()
    drives = Meeting(*machine.trays, then=lambda: interrupt(signals))
    with signals.installed(), pytest.raises(Interrupted):
        machine.store(drives, signals)
    first, second = machine.trays
    first.disc, second.disc = second.disc, first.disc
    assert machine.store().marked == (DAY,)
    assert machine.statuses() == [SessionStatus.VERIFIED] * 2


def test_verify_reads_what_is_in_the_drives_and_finds_a_disc_by_its_label(machine: Machine) -> None:
    two_copies(machine)
    machine.stage(DAY)
    machine.store()
    labels = [label_in(tray) for tray in machine.trays]
    verdicts = execute_verify(machine.config, [], ports=machine.ports).verdicts
    assert [(each.disc, each.passed) for each in verdicts] == [(label, True) for label in labels]
    for label in labels:
        (verdict,) = execute_verify(machine.config, [label], ports=machine.ports).verdicts
        assert (verdict.disc, verdict.passed) == (label, True)


def test_a_drive_that_is_not_there_is_warned_of_and_the_other_goes_on(machine: Machine) -> None:
    machine.config = memory_config(machine.root, device=["/dev/sr7", "/dev/sr1"])
    machine.stage(DAY)
    assert machine.store().days == (DAY,)
    assert machine.burns() == [0, 1]
    assert any("/dev/sr7" in warning for warning in machine.warnings())
