"""Who hears of a run: news through apprise and pings, to a real server; nothing of it changes a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_collect_cli import sources
from tests.cli.test_json import assert_described
from tests.conftest import Project
from tests.running import started
from tests.web import Web, serving

from cedarchest.config.choices import Outcome
from cedarchest.config.load import load_config
from cedarchest.recorded import journalled
from cedarchest.report.outcome import Result
from cedarchest.report.progress import ProgressReporter

pytestmark = pytest.mark.slow

DAY = "2026/11/24"
TOKEN = "s3cr3tt0ken"
NOT_THERE = "cannot be read: no such file or directory"
HOST = os.uname().nodename


@pytest.fixture
def web(project: Project) -> Iterator[Web]:
    project.environ |= {"no_proxy": "127.0.0.1", "CEDARCHEST_NOW": "2026-11-24T03:00"}
    with serving() as server:
        yield server


def add(project: Project, table: str, **keys: object) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    with project.config.open("a") as stream:
        stream.write("\n".join([f"[[{table}]]", *lines, ""]))


def told_of(project: Project, web: Web, *actions: str, path: str = f"/{TOKEN}") -> None:
    """Have news of every outcome and pings sent to the server."""
    action = list(actions) or ["store"]
    add(project, "notify", url=web.url(f"{path}/news", "json"), action=action, on=list(Outcome))
    add(project, "ping", url=web.url(path), action=action)


def test_a_run_that_worked(project: Project, web: Web) -> None:
    told_of(project, web)
    project.stage(DAY)
    ran = project.run("--json", "-vv", "store")
    assert (ran.status, told(ran)["warnings"]) == (0, [])
    assert web.asked == [f"GET /{TOKEN}/start", f"GET /{TOKEN}", f"POST /{TOKEN}/news"]
    (news,) = web.news()
    assert news["title"] == f"cedarchest store on {HOST}: ok"
    assert news["type"] == "success"
    assert "2026/11/24" in news["message"]
    assert TOKEN not in ran.out + ran.err


def test_a_run_that_failed_tells_the_reason_and_what_to_do_first(project: Project, web: Web) -> None:
    told_of(project, web)
    ran = project.run("--json", "store", "--day", "2026-11-20")
    error = error_of(ran)
    assert ran.status == 6
    assert web.asked == [f"GET /{TOKEN}/start", f"POST /{TOKEN}/fail", f"POST /{TOKEN}/news"]
    assert web.bodies[1] == error["message"]
    (news,) = web.news()
    assert news["title"] == f"cedarchest store on {HOST}: failed"
    assert news["type"] == "failure"
    assert news["message"].splitlines()[:2] == [error["message"], f"  {error['advice']}"]


def test_something_left_out_is_a_failure_to_who_watches(project: Project, web: Web) -> None:
    told_of(project, web)
    add(project, "hook", action="store", when="after", argv=["false"])
    project.stage(DAY)
    assert project.run("store").status == 11
    assert web.asked[1] == f"POST /{TOKEN}/fail"
    assert web.bodies[1] == "the hook `false` ended with 1: it said nothing"
    (news,) = web.news()
    assert (news["title"], news["type"]) == (f"cedarchest store on {HOST}: partial", "warning")
    assert news["message"].startswith("left out: the hook `false` ended with 1: it said nothing\n")
    assert news["message"].count("left out: ") == 1


def test_a_night_is_told_once(project: Project, web: Web) -> None:
    told_of(project, web, "all", "collect", "stage", "store", "purge")
    (project.root / "home").mkdir()
    sources(project, {"path": str(project.root / "home")})
    assert project.run("all").status == 0
    assert web.asked == [f"GET /{TOKEN}/start", f"GET /{TOKEN}", f"POST /{TOKEN}/news"]
    assert web.news()[0]["title"] == f"cedarchest all on {HOST}: ok"


def test_by_default_only_a_night_is_watched_and_only_failures_are_news(project: Project, web: Web) -> None:
    add(project, "notify", url=web.url("/news", "json"))
    add(project, "notify", url=web.url("/others", "json"), action="verify")
    add(project, "ping", url=web.url("/ping"))
    project.stage(DAY)
    assert project.run("store").status == 0
    assert web.asked == []
    assert project.run("store", "--day", "2026-11-20").status == 6
    assert web.asked == ["POST /news"]


def test_what_only_looks_tells_nothing(project: Project, web: Web) -> None:
    told_of(project, web, "store", "discs", "all")
    project.stage(DAY)
    for arguments in (["status"], ["validate"], ["discs"], ["store", "--dry-run"], ["all", "--dry-run"]):
        assert project.run(*arguments).status == 0
    assert web.asked == []


def test_the_start_is_told_before_the_work(project: Project, web: Web) -> None:
    told_of(project, web, path="/404")
    asked = project.root / "asked"
    add(project, "hook", action="store", when="before", argv=["touch", str(asked)])
    (project.root / "state").mkdir()
    (project.root / "state/catalog.sqlite").write_bytes(b"no catalog" * 1000)
    ran = project.run("--json", "store")
    assert error_of(ran)["kind"] == "CatalogError"
    assert not asked.exists()
    assert web.asked == ["GET /404/start", "POST /404/fail", "POST /404/news", *["POST /404/news"] * 2]
    assert "catalog" in web.bodies[1]


@pytest.mark.slow
def test_who_cannot_be_told_is_a_warning(project: Project, web: Web) -> None:
    for place in (web.url("/500"), web.url("/hang"), "http://127.0.0.1:1"):
        add(project, "ping", url=f"{place}/{TOKEN}", action="store", start="", timeout="1 s")
    for place, timeout in ((web.url("/500", "json"), "30 s"), (web.url("/hang", "json"), "2 s")):
        add(project, "notify", url=f"{place}/{TOKEN}", on="ok", timeout=timeout)
    add(project, "notify", url_file="absent", on="ok")
    project.stage(DAY)
    ran = project.run("--json", "-vv", "store")
    assert_described(ran)
    assert (ran.status, told(ran)["outcome"]) == (0, "ok")
    assert project.is_marked(DAY)
    warnings = told(ran)["warnings"]
    assert [each.partition(" was not told: ") for each in warnings if "was not told" in each] == [
        ("ping[0]", " was not told: ", "the answer was 500 Internal Server Error"),
        ("ping[1]", " was not told: ", "there was no answer within 1 s"),
        ("ping[2]", " was not told: ", "it cannot be reached: Connection refused"),
        ("notify[0]", " was not told: ", "the answer was 500 Internal Server Error"),
        ("notify[1]", " was not told: ", "there was no answer within 2 s"),
        ("notify[2]", " was not told: ", f"the address in {project.root}/absent {NOT_THERE}"),
    ]
    assert "WARNING ping[0] was not told" in ran.err
    assert TOKEN not in ran.out + ran.err
    log = (project.root / "state/runs.jsonl").read_text().splitlines()[1]
    assert json.loads(log)["outcome"] == "ok"


def test_a_library_that_cannot_be_used_is_a_warning(project: Project, web: Web, tmp_path: Path) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError('half of it is missing')")
    add(project, "notify", url=web.url(f"/{TOKEN}", "json"), on="ok")
    project.stage(DAY)
    environ = {**os.environ, **project.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "cedarchest", "-c", str(project.config), "--json", "store"]
    ran = subprocess.run(command, env=environ, cwd=project.root, capture_output=True, text=True, check=False)
    assert (ran.returncode, json.loads(ran.stdout)["outcome"]) == (0, "ok"), ran.stderr
    assert "notify[0] was not told: it ended with ImportError" in ran.stderr


def test_a_run_that_is_interrupted_is_told(project: Project, web: Web) -> None:
    told_of(project, web)
    begun = project.root / "begun"
    add(project, "hook", action="store", when="before", argv=["sh", "-c", f"touch {begun}; exec sleep 30"])
    process = started(project, "store")
    until = time.monotonic() + 30
    while not begun.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() == 5
    assert web.asked == [f"GET /{TOKEN}/start", f"POST /{TOKEN}/fail", f"POST /{TOKEN}/news"]
    assert web.news()[0]["message"].startswith("the run was interrupted\n  Run the same command again")


def test_a_fault_of_the_program_is_told(project: Project, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    told_of(project, web, "discs")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(ZeroDivisionError):
        journalled("discs", load_config(project.config), ProgressReporter(), lambda: Result(f"{1 // 0}"))
    assert web.bodies[1].startswith("ZeroDivisionError: ")
    assert web.news()[0]["title"] == f"cedarchest discs on {HOST}: failed"


@pytest.mark.parametrize("part", ["start", "end"])
def test_who_interrupts_the_telling_need_not_wait(project: Project, web: Web, part: str) -> None:
    add(project, "ping", url=web.url("/hang"), start="/start" if part == "start" else "", action="store")
    project.stage(DAY)
    process = started(project, "store")
    until = time.monotonic() + 30
    while not web.asked:
        assert time.monotonic() < until
        time.sleep(0.02)
    web.asked.clear()
    process.signal(signal.SIGTERM)
    if part == "start":
        while not web.asked:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert web.asked == ["POST /hang/fail"]
        process.signal(signal.SIGTERM)
    assert process.wait() == (5 if part == "start" else 0)
    assert time.monotonic() < until
    assert project.is_marked(DAY) is (part == "end")
    assert "not all may have been told" in process.said()


@pytest.mark.slow
def test_a_terminal_lost_while_the_start_is_told_ends_the_run(project: Project, web: Web) -> None:
    add(project, "ping", url=web.url("/hang"), start="/start", failure="", action="store", timeout="1 s")
    project.stage(DAY)
    process = started(project, "store")
    until = time.monotonic() + 30
    while not web.asked:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.signal(signal.SIGHUP)
    assert process.wait() == 5, process.said()
    assert not project.is_marked(DAY)
    assert project.images() == []


def test_validate_says_whether_addresses_are_understood(project: Project, web: Web, tmp_path: Path) -> None:
    told_of(project, web)
    ran = project.run("--json", "-vv", "validate")
    assert_described(ran)
    assert ran.status == 0
    found = {each["what"]: each["found"] for each in told(ran)["checked"]}
    assert (found["notify[0]"], found["ping[0]"]) == ("json", "http")
    (tmp_path / "url").write_text(f"nonsense://{TOKEN}")
    add(project, "notify", url=f"slack://{TOKEN}")
    add(project, "ping", url_file=str(tmp_path / "url"))
    wrong = project.run("-vv", "validate")
    assert wrong.status == 4
    assert "apprise does not understand the address" in wrong.err
    assert f"what stands in {tmp_path}/url is no address to send to" in wrong.err
    assert TOKEN not in ran.out + ran.err + wrong.out + wrong.err
    assert web.asked == []
