"""What systemd and cron are told: whatever is in a path reaches the program unchanged, or is refused."""

from __future__ import annotations

import os
import re
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.scheduled_files import (
    LINE_MARK,
    MARK,
    SERVICE,
    TIMER,
    CannotBeNamed,
    Invoked,
    cron_file,
    crontab_lines,
    units,
    without_ours,
)

PROGRAM = "/usr/local/bin/cedarchest"
RAW = st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw)
TRICKY = st.text(alphabet="a%$\\'\" \t#;{}~äé\n=-", min_size=1, max_size=20).map(os.fsencode)


def invoked(config: str, program: str = PROGRAM, *times: time) -> Invoked:
    return Invoked((program,), Path("/") / config, times or (time(2, 30),))


def as_systemd_reads(line: str) -> list[str]:
    """The words of a command line. Source: systemd.syntax(7), systemd.unit(5), systemd.service(5)."""
    words: list[str] = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)(?=\s|$)', line):
        raw = os.fsencode(quoted or bare)
        raw = re.sub(rb"\\x([0-9a-f]{2})|\\(.)", lambda m: bytes([int(m[1], 16)]) if m[1] else m[2], raw)
        words.append(os.fsdecode(raw).replace("%%", "%"))
    return [words[0], *(word.replace("$$", "$") for word in words[1:])]


def as_cron_hands_on(command: str) -> str:
    """What the shell gets. Source: Debian cron 3.0pl1, do_command.c: the loop over `e->cmd`."""
    out, escaped = "", False
    for each in command:
        if escaped:
            out = out[:-1] + each if each == "%" else out + each
            escaped = False
        else:
            assert each != "%", "a line break"
            out += each
            escaped = each == "\\"
    return out


def as_the_shell_reads(command: str) -> list[str]:
    import shlex

    return shlex.split(command, comments=True)


@given(RAW | TRICKY)
def test_systemd_reads_any_path_of_a_configuration_as_it_is(raw: bytes) -> None:
    call = invoked(os.fsdecode(raw))
    service = units(call, whole_machine=True)[SERVICE]
    (line,) = [each for each in service.split("\n") if each.startswith("ExecStart=")]
    assert as_systemd_reads(line.removeprefix("ExecStart=")) == [PROGRAM, "-c", str(call.config), "all"]
    if os.fsdecode(raw).isascii():
        assert service.isascii()


@given(RAW | TRICKY)
def test_cron_reads_any_path_of_a_configuration_as_it_is(raw: bytes) -> None:
    call = invoked(os.fsdecode(raw))
    if "\n" in str(call.config):
        with pytest.raises(CannotBeNamed, match="line break"):
            crontab_lines(call)
        return
    (line,) = crontab_lines(call)
    when, command = line[:11], line[11:]
    assert when == "30 2 * * * "
    assert as_the_shell_reads(as_cron_hands_on(command)) == [PROGRAM, "-q", "-c", str(call.config), "all"]


@pytest.mark.parametrize("path", ["/a'b/cedarchest", '/a"b', "/a\\b", "/a\nb", "/\udcff"])
def test_a_program_that_systemd_cannot_start_is_refused(path: str) -> None:
    with pytest.raises(CannotBeNamed, match="systemd takes no program"):
        units(invoked("c", path), whole_machine=False)


def test_a_program_keeps_its_dollar_and_its_percent() -> None:
    service = units(invoked("c", "/a $b%/cedarchest"), whole_machine=False)[SERVICE]
    assert 'ExecStart="/a $b%%/cedarchest" -c /c all\n' in service


def test_a_command_that_is_too_long_for_cron_is_refused() -> None:
    with pytest.raises(CannotBeNamed, match="990 bytes"):
        cron_file(invoked("c" * 1000))


def test_every_time_is_in_the_timer_and_in_the_crontab() -> None:
    call = invoked("c", PROGRAM, time(2, 30), time(14, 0), time(14, 30))
    timer = units(call, whole_machine=True)[TIMER]
    assert re.findall("OnCalendar=(.*)", timer) == ["*-*-* 02:30:00", "*-*-* 14:00:00", "*-*-* 14:30:00"]
    assert [line.split(" * ")[0] for line in crontab_lines(call)] == ["0 14", "30 2,14"]
    assert cron_file(call).splitlines()[3].startswith("0 14 * * * root /usr/local/bin/cedarchest -q -c /c")


def test_all_files_and_lines_bear_our_mark() -> None:
    call = invoked("c")
    for text in (*units(call, whole_machine=True).values(), cron_file(call)):
        assert text.startswith(f"{MARK}\n")
        assert text.endswith("\n")
    assert all(line.endswith(LINE_MARK) for line in crontab_lines(call))
    assert without_ours(["a", *crontab_lines(call), "# b"]) == ["a", "# b"]


def test_something_left_out_is_no_success_for_systemd() -> None:
    service = units(invoked("c"), whole_machine=True)[SERVICE]
    assert "SuccessExitStatus" not in service
    assert "KillMode=process\nKillSignal=SIGINT\n" in service
