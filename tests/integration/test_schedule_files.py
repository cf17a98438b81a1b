"""The adapter on real files below a root of its own; systemd and cron themselves read what it writes."""

from __future__ import annotations

import subprocess
from datetime import time
from pathlib import Path

import pytest
from tests.standins import StandIns

from cedarchest.adapters.schedule import SystemScheduler
from cedarchest.errors import ScheduleError, ToolFailed
from cedarchest.model.scheduled_files import MARK, SERVICE, TIMER, Invoked, cron_file, crontab_lines, units
from cedarchest.ports import Scope

ODD = """odd "folder" 100% $HOME 'x' \\ ä"""


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    made = StandIns(tmp_path / "bin")
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "etc/cron.d").mkdir(parents=True)
    (made / "run/systemd/system").mkdir(parents=True)
    return made


def scheduler(root: Path) -> SystemScheduler:
    return SystemScheduler(root, {}, uid=0)


def invoked(tmp_path: Path) -> Invoked:
    """A program and a configuration in folders of odd names."""
    (tmp_path / "a b%c$d").mkdir()
    program = tmp_path / "a b%c$d" / "cedarchest"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return Invoked((str(program),), tmp_path / ODD / "c.toml", (time(2, 30), time(14, 5)))


@pytest.mark.parametrize("scope", Scope)
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, scope: Scope) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    texts = units(invoked(tmp_path), whole_machine=scope is Scope.SYSTEM)
    for name, text in texts.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", *(str(folder / name) for name in texts)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(folder) not in done.stdout + done.stderr


def test_cron_finds_nothing_wrong_with_the_lines(tmp_path: Path) -> None:
    file = tmp_path / "crontab"
    file.write_text("\n".join([*crontab_lines(invoked(tmp_path)), ""]))
    done = subprocess.run(["crontab", "-n", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_units_are_put_replaced_and_dropped(root: Path, standins: StandIns) -> None:
    folder = root / "etc/systemd/system"
    first = scheduler(root).put_units(Scope.SYSTEM, {SERVICE: f"{MARK}\n1\n", TIMER: f"{MARK}\n"}, TIMER)
    assert first == (str(folder / SERVICE), str(folder / TIMER))
    assert standins.calls() == ["daemon-reload", f"enable --now {TIMER}"]
    scheduler(root).put_units(Scope.SYSTEM, {SERVICE: f"{MARK}\n2\n", TIMER: f"{MARK}\n"}, TIMER)
    assert (folder / SERVICE).read_text() == f"{MARK}\n2\n"
    assert (folder / SERVICE).stat().st_mode & 0o777 == 0o644
    standins.calls()
    assert scheduler(root).drop_units(Scope.SYSTEM, (SERVICE, TIMER), TIMER) == first
    assert standins.calls() == [f"disable --now {TIMER}", "daemon-reload"]
    assert list(folder.iterdir()) == []
    assert scheduler(root).drop_units(Scope.SYSTEM, (SERVICE, TIMER), TIMER) == ()
    assert standins.calls() == []


def foreign(path: Path) -> None:
    path.write_text("[Unit]\n")


def masked(path: Path) -> None:
    path.symlink_to("/dev/null")


def ours_elsewhere(path: Path) -> None:
    path.with_name("other").write_text(f"{MARK}\n")
    path.symlink_to("other")


@pytest.mark.parametrize("make", [foreign, masked, ours_elsewhere, Path.mkdir])
def test_what_is_not_ours_is_refused_and_nothing_is_written(
    root: Path, standins: StandIns, make: object
) -> None:
    folder = root / "etc/systemd/system"
    folder.mkdir(parents=True)
    assert callable(make)
    make(folder / TIMER)
    make(root / "etc/cron.d/cedarchest")
    before = sorted(root.rglob("*"))
    with pytest.raises(ScheduleError, match="is not ours"):
        scheduler(root).put_units(Scope.SYSTEM, {SERVICE: f"{MARK}\n", TIMER: f"{MARK}\n"}, TIMER)
    with pytest.raises(ScheduleError, match="is not ours"):
        scheduler(root).drop_units(Scope.SYSTEM, (SERVICE, TIMER), TIMER)
    with pytest.raises(ScheduleError, match="is not ours"):
        scheduler(root).put_cron("cedarchest", f"{MARK}\n")
    with pytest.raises(ScheduleError, match="is not ours"):
        scheduler(root).drop_cron("cedarchest")
    assert sorted(root.rglob("*")) == before
    assert standins.calls() == []


def test_a_file_for_cron_is_put_replaced_and_dropped(root: Path, tmp_path: Path) -> None:
    text = cron_file(invoked(tmp_path))
    path = root / "etc/cron.d/cedarchest"
    for content in (f"{MARK}\nold\n", text, text):
        assert scheduler(root).put_cron("cedarchest", content) == str(path)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o644)
    assert scheduler(root).drop_cron("cedarchest") == str(path)
    assert scheduler(root).drop_cron("cedarchest") == ""
    assert list(path.parent.iterdir()) == []


def test_without_cron_there_is_no_file_for_it(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="there is no folder") as caught:
        scheduler(tmp_path).put_cron("cedarchest", f"{MARK}\n")
    assert "apt-get install cron" in caught.value.advice


def test_a_systemctl_that_fails_is_said_and_files_can_go_all_the_same(root: Path, standins: StandIns) -> None:
    standins.break_systemctl()
    with pytest.raises(ToolFailed, match="`systemctl daemon-reload` ended with 1: Failed to connect"):
        scheduler(root).put_units(Scope.SYSTEM, {TIMER: f"{MARK}\n"}, TIMER)
    with pytest.raises(ToolFailed, match="disable"):
        scheduler(root).drop_units(Scope.SYSTEM, (TIMER,), TIMER)
    (root / "run/systemd/system").rmdir()
    assert scheduler(root).drop_units(Scope.SYSTEM, (TIMER,), TIMER)
    assert not (root / "etc/systemd/system" / TIMER).exists()


def test_only_root_schedules_for_the_machine(root: Path) -> None:
    with pytest.raises(ScheduleError, match="only root") as caught:
        SystemScheduler(root, {}, uid=1000).allow(Scope.SYSTEM)
    assert "--user" in caught.value.advice
    SystemScheduler(root, {}, uid=1000).allow(Scope.USER)
    SystemScheduler(root, {}, uid=0).allow(Scope.SYSTEM)
