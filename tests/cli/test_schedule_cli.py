"""`schedule` as users run it, the journal of runs, and what `status` tells of both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_collect_cli import sources
from tests.cli.test_json import assert_described
from tests.conftest import Project
from tests.standins import StandIns

DAY = "2026/11/24"


@pytest.fixture
def scheduled(project: Project, tmp_path: Path) -> Project:
    """A project with a schedule, and a home of its own."""
    with project.config.open("a") as stream:
        stream.write('[schedule]\nat = "02:30"\n')
    home = tmp_path / "home"
    home.mkdir()
    project.environ |= {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "TZ": "Europe/Berlin",
        "CEDARCHEST_NOW": "2026-11-24T12:00:00+01:00",
    }  # fmt: skip
    return project


@pytest.fixture
def standins(scheduled: Project, tmp_path: Path) -> StandIns:
    made = StandIns(tmp_path / "bin")
    scheduled.environ["PATH"] = made.path
    return made


def units(project: Project) -> list[str]:
    return sorted(path.name for path in Path(project.environ["XDG_CONFIG_HOME"]).rglob("cedarchest.*"))


def test_units_of_a_user_are_installed_twice_and_removed(scheduled: Project, standins: StandIns) -> None:
    for at in ("02:30", "03:45"):
        scheduled.config.write_text(scheduled.config.read_text().replace('at = "02:30"', f'at = "{at}"'))
        ran = scheduled.run("--json", "schedule", "install", "--user", "--systemd")
        assert ran.status == 0, ran.err
        assert_described(ran)
        assert standins.calls() == ["--user daemon-reload", "--user enable --now cedarchest.timer"]
        folder = Path(scheduled.environ["XDG_CONFIG_HOME"]) / "systemd/user"
        assert f"OnCalendar=*-*-* {at}:00\n" in (folder / "cedarchest.timer").read_text()
    service = (folder / "cedarchest.service").read_text()
    assert f" -c {scheduled.config} all\n" in service
    assert "network-online" not in service
    scheduled.config.unlink()
    removed = scheduled.run("--json", "schedule", "remove", "--user")
    assert_described(removed)
    assert told(removed)["removed"] == [f"{folder}/cedarchest.service", f"{folder}/cedarchest.timer"]
    assert units(scheduled) == []
    again = scheduled.run("schedule", "remove", "--user")
    assert (again.status, again.out) == (0, "there is nothing of ours to remove\n")


def test_a_crontab_keeps_its_other_lines(scheduled: Project, standins: StandIns) -> None:
    standins.crontab.write_text("MAILTO=me\n1 1 * * * true # 100\\%\n")
    for _ in range(2):
        assert scheduled.run("schedule", "install", "--user", "--cron").status == 0
        lines = standins.crontab.read_text().splitlines()
        assert lines[:2] == ["MAILTO=me", "1 1 * * * true # 100\\%"]
        assert len(lines) == 3
        assert lines[2].startswith("30 2 * * * /")
    assert scheduled.run("schedule", "remove", "--user").status == 0
    assert standins.crontab.read_text() == "MAILTO=me\n1 1 * * * true # 100\\%\n"


def test_a_crontab_that_held_only_ours_is_gone(scheduled: Project, standins: StandIns) -> None:
    scheduled.run("schedule", "install", "--user", "--cron")
    assert standins.crontab.exists()
    assert "removed the user's crontab" in scheduled.run("schedule", "remove", "--user").out
    assert not standins.crontab.exists()


def test_what_starts_the_runs_is_one_of_both(scheduled: Project, standins: StandIns) -> None:
    scheduled.run("schedule", "install", "--user", "--cron")
    ran = scheduled.run("--json", "schedule", "install", "--user", "--systemd")
    assert told(ran)["removed"] == ["the user's crontab"]
    assert not standins.crontab.exists()
    scheduled.run("schedule", "install", "--user", "--cron")
    assert (units(scheduled), standins.crontab.exists()) == ([], True)


def test_show_writes_nothing(scheduled: Project, standins: StandIns) -> None:
    before = sorted(scheduled.root.parent.rglob("*"))
    for arguments in ((), ("show", "--user"), ("show", "--system")):
        ran = scheduled.run("schedule", *arguments)
        assert ran.status == 0
        assert "    OnCalendar=*-*-* 02:30:00\n" in ran.out
        assert "    30 2 * * * " in ran.out
        assert "next run: 2026-11-25 02:30\n" in ran.out
    assert_described(scheduled.run("--json", "schedule"))
    assert sorted(scheduled.root.parent.rglob("*")) == before


def test_without_the_table_no_schedule_is_spoken_of(project: Project) -> None:
    error = error_of(project.run("--json", "schedule", "install", "--user"))
    assert (error["code"], error["kind"]) == (4, "ConfigError")
    assert "[schedule]" in error["advice"]
    found = told(project.run("--json", "status"))
    assert (found["last_run"], found["next_run"], found["missed_runs"]) == (None, None, [])


@pytest.mark.parametrize(
    "arguments",
    [("install",), ("remove",), ("install", "--user", "--system"), ("begin",), ("show", "--cron"),
     ("install", "--user", "--cron", "--systemd")],
)  # fmt: skip
def test_who_and_what_have_to_be_said(scheduled: Project, arguments: tuple[str, ...]) -> None:
    assert scheduled.run("schedule", *arguments).status == 2


def test_an_ordinary_user_does_not_schedule_for_the_machine(of_user: Project) -> None:
    with of_user.config.open("a") as stream:
        stream.write('[schedule]\nat = "02:30"\n')
    for what in ("install", "remove"):
        ran = of_user.run_as_user("schedule", what, "--system")
        assert ran.status == 6
        assert "cedarchest: only root can schedule runs for the whole machine\n" in ran.err


def journal(project: Project) -> list[dict[str, object]]:
    path = project.root / "state/runs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def nightly(project: Project, *days: int) -> None:
    for day in days:
        now = f"2026-11-{day:02}T02:30:10+01:00"
        assert project.run("all", environ={"CEDARCHEST_NOW": now}).status == 0


def test_status_tells_the_last_the_next_and_the_missed_runs(scheduled: Project, tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(b"dear ")
    sources(scheduled, {"path": str(tmp_path / "letter")})
    nightly(scheduled, 20, 23)
    ran = scheduled.run("--json", "status")
    assert_described(ran)
    found = told(ran)
    assert found["last_run"] == {
        "action": "all", "began": "2026-11-23T02:30:10+01:00", "ended": "2026-11-23T02:30:10+01:00",
        "outcome": "ok", "exit_code": 0, "summary": "",
    }  # fmt: skip
    assert found["next_run"] == "2026-11-25T02:30:00+01:00"
    missed = ["2026-11-21", "2026-11-22", "2026-11-24"]
    assert found["missed_runs"] == [f"{day}T02:30:00+01:00" for day in missed]
    text = scheduled.run("status").out
    assert "last run: all at 2026-11-23 02:30: ok\nnext run: 2026-11-25 02:30\n" in text
    assert f"MISSED in the last 30 days: {', '.join(f'{day} 02:30' for day in missed)}\n" in text


def test_a_run_that_failed_is_told_with_its_reason(scheduled: Project) -> None:
    ran = scheduled.run("store", "--day", "2026-11-22")
    assert ran.status == 6
    assert "last run: store at 2026-11-24 12:00: failed (6): 2026/11/22 is not" in scheduled.run("status").out


def test_a_run_that_never_ended_is_told(scheduled: Project) -> None:
    scheduled.run("store")
    path = scheduled.root / "state/runs.jsonl"
    first, _second = path.read_text().splitlines()
    path.write_text(f"{first}\n")
    ran = scheduled.run("--json", "status")
    assert_described(ran)
    assert "which has not ended: it is at work still, or was killed" in scheduled.run("status").out


def test_only_real_runs_are_recorded(scheduled: Project, standins: StandIns) -> None:
    scheduled.stage(DAY)
    for arguments in (
        ["status"],
        ["validate"],
        ["discs"],
        ["schedule"],
        ["store", "--dry-run"],
        ["store", "-x"],
    ):
        scheduled.run(*arguments)
    assert journal(scheduled) == []
    scheduled.run("store")
    assert [each.get("action") for each in journal(scheduled)] == ["store", None]
    assert journal(scheduled)[1]["outcome"] == "ok"


def test_missed_runs_count_from_the_install_of_the_schedule(scheduled: Project, standins: StandIns) -> None:
    scheduled.environ["CEDARCHEST_NOW"] = "2026-11-20T12:00:00+01:00"
    assert scheduled.run("schedule", "install", "--user", "--cron").status == 0
    scheduled.environ["CEDARCHEST_NOW"] = "2026-11-21T12:00:00+01:00"
    found = told(scheduled.run("--json", "status"))
    assert (found["last_run"], found["missed_runs"]) == (None, ["2026-11-21T02:30:00+01:00"])


def test_a_journal_that_cannot_be_written_is_a_warning(scheduled: Project) -> None:
    scheduled.stage(DAY)
    (scheduled.root / "state/runs.jsonl").mkdir(parents=True)
    found = told(ran := scheduled.run("--json", "store"))
    assert ran.status == 0
    assert scheduled.is_marked(DAY)
    assert [each for each in found["warnings"] if "this run is not recorded" in each]
    assert scheduled.run("status").status == 0
