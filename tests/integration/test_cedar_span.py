"""`cback3-span` over several discs, asked and unasked; `cback3-amazons3-sync`, which says what it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cedar_runs import CedarPool
from tests.terminal import Terminal

DAY, NEXT = "2026/11/23", "2026/11/24"
DISC = 20 * 512
PART = bytes(3 * 1024 * 1024)
STORE = (
    "<stage><staging_dir>{root}/staging</staging_dir><peer><name>here</name><type>local</type>"
    "<collect_dir>{root}/collect</collect_dir></peer></stage><store><source_dir>{root}/staging</source_dir>"
    "<media_type>dvd+r</media_type><device_type>dvdwriter</device_type>"
    "<target_device>/dev/sr0</target_device></store>"
)


@pytest.fixture
def pool(tmp_path: Path) -> CedarPool:
    """Two days that are more than a disc holds."""
    require()
    made = CedarPool(tmp_path)
    made.configure(STORE.format(root=made.root))
    for day in (DAY, NEXT):
        made.stage(day, {f"part{number}": PART + bytes([number]) for number in range(4)})
    return made


def stored(pool: CedarPool) -> list[bool]:
    return [(pool.root / "staging" / day / "cback.store").exists() for day in (DAY, NEXT)]


def terminal(pool: CedarPool, drive: Burner, *switches: str) -> Terminal:
    command = [str(Path(sys.executable).with_name("cback3-span"))]
    return Terminal(pool, drive, "-l", str(pool.log), *switches, command=command)


def test_without_a_terminal_nothing_is_asked_and_each_run_goes_on_with_the_next_disc(pool: CedarPool) -> None:
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        pool.environ |= drive.env()
        first = pool.run(command="cback3-span")
        assert first.status == 6
        assert "Insert a blank disc" in first.out
        assert "would store" in first.out
        statuses = []
        for _ in range(4):
            drive.exchange("dvd+r", blocks=DISC)
            ran = pool.run(command="cback3-span")
            statuses.append(ran.status)
            if ran.status == 0:
                break
        assert statuses[-1] == 0
        assert stored(pool) == [True, True]
        again = pool.run(command="cback3-span")
        assert (again.status, "nothing to store" in again.out) == (0, True)


def test_a_day_that_is_staged_by_half_is_on_no_disc(pool: CedarPool) -> None:
    (pool.root / "staging" / NEXT / "cback.stage").unlink()
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        pool.environ |= drive.env()
        while (ran := pool.run(command="cback3-span")).status == 6 and "Insert a blank disc" in ran.out:
            drive.exchange("dvd+r", blocks=DISC)
    assert ran.status == 0, ran.out
    assert stored(pool) == [True, False]


def test_at_a_terminal_it_is_asked_before_anything_is_written_and_for_each_disc(pool: CedarPool) -> None:
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        asked = terminal(pool, drive)
        asked.until("Continue? [Y/n]: ")
        asked.answer("maybe\n")
        asked.answer("y\n")
        asked.until("Put the first disc into /dev/sr0, and press Enter: ")
        asked.answer("\n")
        assert "would store" in asked.until("Accept this? [Y/n]: ")
        asked.answer("\n")
        asked.until("Press Enter")
        drive.exchange("dvd+r", blocks=DISC)
        asked.answer("\n")
        asked.until("no problems found")
        assert asked.status() == 0
    assert stored(pool) == [True, True]


@pytest.mark.parametrize("answers", [["n\n"], ["\n", "\n", "no\n"]])
def test_who_says_no_has_nothing_written(pool: CedarPool, answers: list[str]) -> None:
    questions = ["Continue?", "press Enter", "Accept this?"]
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        asked = terminal(pool, drive)
        for question, answer in zip(questions, answers, strict=False):
            asked.until(question)
            asked.answer(answer)
        assert asked.status() == 0
        assert drive.state().closed_sessions == 0
    assert stored(pool) == [False, False]


def test_who_says_yes_beforehand_is_asked_for_discs_alone(pool: CedarPool) -> None:
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        asked = terminal(pool, drive, "--yes")
        said = asked.until("Press Enter")
        asked.answer("q\n")
        assert asked.status() == 6
    assert "[Y/n]" not in said
    assert stored(pool).count(True) < 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["-V"], 0), (["-D"], 0), (["-x"], 2), (["collect"], 2), (["-c", "/nonexistent"], 4)],
)
def test_its_command_line_is_that_of_cedar_backup(pool: CedarPool, arguments: list[str], status: int) -> None:
    assert pool.run(*arguments, command="cback3-span").status == status


@pytest.mark.parametrize("command", ["cback-amazons3-sync", "cback3-amazons3-sync"])
def test_what_is_not_copied_to_s3_is_said_and_fails(tmp_path: Path, command: str) -> None:
    pool = CedarPool(tmp_path)
    ran = pool.run("-v", "-u", "-w", "-b", str(pool.root), "s3://bucket/path", command=command, config=False)
    assert ran.status == 6
    assert f"aws s3 sync {pool.root} s3://bucket/path" in ran.out
    assert "was not copied" in pool.log.read_text()
    quiet = pool.run("-q", str(pool.root), "s3://bucket/path", command=command, config=False)
    assert (quiet.status, quiet.out, quiet.err) == (6, "", "")
    assert pool.run(str(pool.root), command=command, config=False).status == 2
    assert pool.run("--nosuch", "a", "b", command=command, config=False).status == 2
