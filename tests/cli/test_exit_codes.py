"""Every exit status that scripts rely on, brought about as it happens to users."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.program import ACTIONS, NEEDED, error_of, program, told
from tests.conftest import Project, Ran

DAY = "2026/11/22"
REAL = shutil.which("xorriso") or "xorriso"
NEEDLE = b"find me on the disc " * 300


def spoil(image: Path, content: bytes = NEEDLE) -> None:
    """Change one byte of a file's content on a disc."""
    raw = image.read_bytes()
    place = raw.index(content)
    with image.open("r+b") as stream:
        stream.seek(place + 100)
        stream.write(b"#")


def log_to(project: Project, path: str) -> None:
    text = project.config.read_text()
    project.config.write_text(text.replace("[options]\n", f'[options]\nlog_file = "{path}"\n'))


def test_a_store_that_is_done_and_one_with_nothing_to_do_end_with_0(project: Project) -> None:
    project.stage(DAY)
    assert [project.run("store").status, project.run("store").status] == [0, 0]
    assert project.is_marked(DAY)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("burn",),
        ("store", "--frob"),
        ("store", "2026-11-22"),
        ("store", "--day"),
        ("store", "--day", "2026-11-31"),
        ("store", "--day", "yesterday"),
        ("store", "--day", ""),
        ("status", "more"),
        ("status", "-c"),
        ("discs", "A", "B"),
    ],
)
def test_a_command_line_that_there_is_not_ends_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = program(*arguments, cwd=tmp_path)
    assert ran.status == 2
    assert ran.out == ""
    assert "`cedarchest ACTION --help`" in ran.err


def test_a_log_that_cannot_be_written_ends_with_3_before_anything_is_done(project: Project) -> None:
    project.stage(DAY)
    log_to(project, "nowhere/run.log")
    ran = project.run("--json", "store")
    assert ran.status == 3
    assert "nowhere/run.log" in error_of(ran)["message"]
    assert not project.images()


def test_a_log_that_is_a_link_is_refused_with_3(project: Project) -> None:
    (project.root / "run.log").symlink_to(project.root / "precious")
    log_to(project, "run.log")
    assert project.run("status").status == 3
    assert not (project.root / "precious").exists()


def test_every_run_adds_to_the_log(project: Project) -> None:
    log_to(project, "run.log")
    project.stage(DAY)
    first, second = project.run("-q", "store"), project.run("status")
    assert (first.status, first.out, first.err, second.status) == (0, "", "", 0)
    lines = (project.root / "run.log").read_text().splitlines()
    assert [line for line in lines if re.search(r" INFO store\[\d+\] store, configured by", line)]
    assert [line for line in lines if "no problems found" in line]
    assert (project.root / "run.log").stat().st_mode & 0o777 & ~0o640 == 0


def test_a_configuration_that_is_absent_ends_with_4(tmp_path: Path) -> None:
    ran = program("--json", "-c", "absent.toml", "status", cwd=tmp_path)
    assert ran.status == 4
    assert "cedarchest init" in error_of(ran)["advice"]


@pytest.mark.skipif(Path("/etc/cedarchest/cedarchest.toml").exists(), reason="this machine has one")
@pytest.mark.parametrize(
    "action", [each for each in ACTIONS if each not in ("init", "migrate", "backup", "drives")]
)
def test_without_any_configuration_an_action_ends_with_4_and_says_where_it_looked(
    tmp_path: Path, action: str
) -> None:
    needed = NEEDED.get(action, ())
    ran = program(action, "--json", *needed, cwd=tmp_path, environ={"XDG_STATE_HOME": str(tmp_path)})
    assert ran.status == 4
    assert error_of(ran)["kind"] == "ConfigError"
    assert len(error_of(ran)["problems"]) == 4


def test_a_wrong_clock_ends_with_4(project: Project) -> None:
    ran = project.run("--json", "status", environ={"CEDARCHEST_NOW": "noon"})
    assert ran.status == 4
    assert "CEDARCHEST_NOW" in error_of(ran)["message"]


def test_an_interrupt_before_the_burn_ends_with_5_and_the_next_run_goes_on(project: Project) -> None:
    project.stage(DAY)
    tools = project.root / "tools"
    tools.mkdir()
    script = f'#!/bin/sh\ncase "$*" in *-version*) kill -INT $PPID; sleep 5;; esac\nexec {REAL} "$@"\n'
    (tools / "xorriso").write_text(script)
    (tools / "xorriso").chmod(0o755)
    ran = project.run("--json", "store", environ={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert ran.status == 5
    assert error_of(ran)["kind"] == "Interrupted"
    assert not project.is_marked(DAY)
    assert project.run("store").status == 0
    assert project.is_marked(DAY)


def test_a_day_that_is_not_staged_ends_with_6(project: Project) -> None:
    ran = project.run("--json", "store", "--day", "2026-11-22")
    assert ran.status == 6
    assert error_of(ran)["day"] == DAY


def test_a_staging_folder_that_is_gone_ends_with_6(project: Project) -> None:
    project.staging.rmdir()
    ran = project.run("--json", "store")
    assert ran.status == 6
    assert error_of(ran)["kind"] == "StagingError"


def test_a_disc_that_differs_ends_with_7(project: Project) -> None:
    project.stage(DAY, {"a": NEEDLE})
    project.run("store")
    spoil(project.images()[0])
    ran = project.run("--json", "verify")
    assert ran.status == 7
    (finding,) = error_of(ran)["findings"]
    assert (finding["kind"], finding["path"]) == ("different", f"/{DAY}/alpha/a")


def test_a_day_for_which_an_empty_disc_has_no_room_ends_with_8(project: Project) -> None:
    project.configure(capacity="2 MiB", margin="1900 KiB")
    project.stage(DAY)
    ran = project.run("--json", "store")
    assert ran.status == 8
    assert error_of(ran)["kind"] == "MediumFull"


def test_a_tool_that_is_not_installed_ends_with_9(project: Project) -> None:
    project.stage(DAY)
    ran = project.run("--json", "store", environ={"PATH": str(project.root)})
    assert ran.status == 9
    assert error_of(ran)["kind"] == "ToolMissing"
    assert not project.is_marked(DAY)


def test_a_tool_that_fails_ends_with_9(project: Project) -> None:
    project.stage(DAY)
    tools = project.root / "tools"
    tools.mkdir()
    script = f'#!/bin/sh\ncase "$*" in *-options_from_file*) exit 7;; esac\nexec {REAL} "$@"\n'
    (tools / "xorriso").write_text(script)
    (tools / "xorriso").chmod(0o755)
    ran = project.run("--json", "store", environ={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert ran.status == 9
    assert not project.is_marked(DAY)


def test_a_drive_that_is_not_there_ends_with_9(project: Project) -> None:
    project.stage(DAY)
    project.configure(device="/dev/nothing-like-it")
    ran = project.run("--json", "store")
    assert ran.status == 9
    assert error_of(ran)["kind"] == "DriveMissing"


@pytest.mark.parametrize("action", ["store", "rebuild", "verify", "initialize"])
def test_what_writes_ends_with_10_while_another_run_is_at_work(project: Project, action: str) -> None:
    project.stage(DAY)
    lock = project.root / "state/lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        held.write(f"{os.getpid()}\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = project.run("--json", action)
    assert ran.status == 10
    assert error_of(ran)["holder"] == str(os.getpid())


@pytest.mark.parametrize("action", ["status", "discs", "validate"])
def test_what_only_looks_does_not_wait_for_another_run(project: Project, action: str) -> None:
    lock = project.root / "state/lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert project.run(action).status == 0


def a_socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # its address may be no longer than 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def a_long_link(path: Path) -> None:
    path.symlink_to("t" * 1024)


def a_link_with_a_long_name_in_it(path: Path) -> None:
    path.symlink_to("t" * 256 + "/x")


@pytest.mark.parametrize("make", [a_socket, a_long_link, a_link_with_a_long_name_in_it])
def test_what_no_disc_can_hold_is_left_out_with_11(project: Project, make: Callable[[Path], None]) -> None:
    day = project.stage(DAY)
    make(day / "alpha/odd")
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["outcome"], told(ran)["days"]) == (11, "partial", [DAY])
    assert [each.partition(":")[0] for each in told(ran)["left_out"]] == [f"/{DAY}/alpha/odd"]
    assert project.is_marked(DAY)


def test_when_several_things_go_wrong_the_worst_counts(project: Project) -> None:
    project.configure(new_disc="daily")
    for day in ("2026/11/20", "2026/11/21", "2026/11/22"):
        project.stage(day, {"a": NEEDLE})
    project.run("store")
    lost, spoiled, _ = project.images()
    lost.unlink()
    spoil(spoiled)
    ran = project.run("--json", "verify")
    assert [each["passed"] for each in told(ran)["verdicts"]] == [False, False, True]
    assert ran.status == 7
    assert lost.stem in ran.err


def shell(project: Project, script: str) -> Ran:
    """Run a script in which `$@` is the program with its configuration."""
    argv = ["sh", "-c", script, "sh", sys.executable, "-m", "cedarchest", "-c", str(project.config)]
    done = subprocess.run(argv, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_configuration_that_may_not_be_read_is_a_wrong_one_however_it_is_named(of_user: Project) -> None:
    of_user.config.chmod(0)
    for ran in (
        of_user.run_as_user("status"),
        of_user.run_as_user("status", configured=False, environ={"CEDARCHEST_CONFIG": str(of_user.config)}),
    ):
        assert ran.status == 4
        assert f"{of_user.config}: " in ran.err
        assert "ermission denied" in ran.err


def test_an_index_that_may_not_be_read_is_not_to_be_moved_away(of_user: Project) -> None:
    folder = of_user.stage(DAY)
    assert of_user.run_as_user("store").status == 0
    (folder / "cback.store").unlink()
    (folder / "INDEX.jsonl.gz").chmod(0)
    ran = of_user.run_as_user("store")
    assert ran.status == 6
    assert "INDEX.jsonl.gz cannot be read: Permission denied" in ran.err
    assert "Move" not in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_an_output_that_cannot_be_written_ends_with_6_in_one_line(project: Project) -> None:
    ran = shell(project, '"$@" status >/dev/full')
    assert ran.status == 6
    assert ran.err == "cedarchest: standard output cannot be written: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("wanted", ["--version", "--help"])
def test_not_even_help_is_a_riddle_where_nothing_can_be_written(project: Project, wanted: str) -> None:
    ran = shell(project, f"{sys.executable} -m cedarchest {wanted} >/dev/full")
    assert (ran.status, ran.err.splitlines()[0]) == (
        6,
        "cedarchest: standard output cannot be written: No space left on device",
    )
    ran = shell(project, f"{sys.executable} -m cedarchest {wanted} >&-")
    assert (ran.status, ran.err) == (0, "")


def test_a_terminal_that_lacks_a_character_is_shown_its_number(project: Project) -> None:
    long = project.stage(DAY) / "alpha" / "5 \u20ac"
    long.symlink_to("x" * 256)
    ran = shell(project, 'PYTHONIOENCODING=latin-1 "$@" store')
    assert ran.status == 11, ran.err
    assert f"left out: /{DAY}/alpha/5 \\u20ac: a link target" in ran.out
    assert project.is_marked(DAY)


def test_a_reader_that_goes_away_ends_with_6_and_no_word(project: Project) -> None:
    ran = shell(project, '{ sleep 0.1; "$@" status; echo $? >&2; } | true')
    assert ran.err == "6\n"


def test_closed_standard_streams_do_no_harm(project: Project) -> None:
    project.stage(DAY)
    assert shell(project, '"$@" store <&- >&- 2>&-').status == 0
    assert project.is_marked(DAY)
    assert project.run("verify").status == 0
