"""Actions that the master has run on its peers, by a real sshd, also through a key that may do only that."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.conftest import REPOSITORY, Project
from tests.pool import peers, staged
from tests.running import started
from tests.sshd import Sshd

pytestmark = pytest.mark.slow

TUESDAY = "2026-11-24T03:00"
PROGRAM = Path(sys.executable).with_name("cedarchest")
PAGE = REPOSITORY / "docs/how-to/stage-from-other-machines.md"

Keys = dict[str, object]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("managed") / "sshd") as running:
        yield running


@pytest.fixture
def client(project: Project) -> Path:
    """The configuration of another machine, which collects and purges."""
    project.environ["CEDARCHEST_NOW"] = TUESDAY
    top = project.root / "mail"
    (top / "home").mkdir(parents=True)
    (top / "home" / "letter").write_bytes(b"dear " * 1000)
    config = top / "cedarchest.toml"
    config.write_text(
        f'[options]\nstate_dir = "state"\n[collect]\ndir = "{top}/collect"\n'
        f'[[collect.source]]\npath = "{top}/home"\n'
        f'[[purge.dir]]\npath = "{top}/collect"\nretain_days = 0\n'
    )
    (top / "collect").mkdir()
    return config


def managed(client: Path, **keys: object) -> Keys:
    """The keys of a peer that runs its actions by that configuration."""
    return {
        "name": "mail",
        "collect_dir": str(client.parent / "collect"),
        "managed": True,
        "managed_command": [str(PROGRAM), "-c", str(client)],
        **keys,
    }


def command(client: Path, action: str) -> str:
    return f"{PROGRAM} -c {client} {action}"


def test_a_night_is_run_on_all_machines(project: Project, server: Sshd, client: Path) -> None:
    peers(project, {**managed(client), **server.peer})
    found = told(ran := project.run("--json", "all", "--managed"))
    assert ran.status == 0, ran.err
    assert [each["action"] for each in found["actions"]] == ["collect", "stage", "store", "purge"]
    collected, *_, purged = found["actions"]
    assert collected["managed"] == [
        {
            "name": "mail",
            "command": command(client, "collect"),
            "outcome": "done",
            "left_out": [],
            "error": None,
        }
    ]
    assert [each["command"] for each in purged["managed"]] == [command(client, "purge")]
    assert project.is_marked("2026/11/24")
    assert not list((client.parent / "collect").glob("*.tar*"))  # stored, told by a receipt, purged


def test_a_collect_here_and_there_or_only_there(project: Project, server: Sshd, client: Path) -> None:
    home = project.root / "home"
    home.mkdir()
    peers(project, {**managed(client), **server.peer})
    with project.config.open("a") as stream:
        stream.write(f'[collect]\ndir = "here"\n[[collect.source]]\npath = "{home}"\n')
    here, there = project.root / "here", client.parent / "collect"
    ran = project.run("--full", "collect", "--managed-only")
    assert ran.status == 0, ran.err
    assert ran.out == f"ran `{command(client, '--full collect')}` on mail\n"
    assert (here.exists(), (there / "cback.collect").exists()) == (False, True)
    (there / "cback.collect").unlink()
    assert project.run("collect").status == 0
    assert ((here / "cback.collect").exists(), (there / "cback.collect").exists()) == (True, False)
    ran = project.run("collect", "--managed")
    assert ran.status == 0, ran.err
    assert (there / "cback.collect").exists()
    assert ran.out.endswith(f"ran `{command(client, 'collect')}` on mail\n")


def test_only_what_a_peer_is_managed_for_is_run_there(project: Project, server: Sshd, client: Path) -> None:
    peers(project, {**managed(client, managed_actions=["purge"]), **server.peer})
    error = error_of(project.run("--json", "collect", "--managed-only"))
    assert (error["code"], error["message"]) == (4, "no peer lets the master run collect")
    found = told(project.run("--json", "all", "--managed-only"))
    assert [each["action"] for each in found["actions"]] == ["purge"]
    peers(project, {**managed(client, managed=False), **server.peer})
    error = error_of(project.run("--json", "all", "--managed"))
    assert (error["code"], error["message"]) == (4, "no peer lets the master run collect or purge")


def test_a_dry_run_asks_no_peer(project: Project, server: Sshd, client: Path) -> None:
    peers(project, {**managed(client), **server.peer, "port": 1})
    for action in ("collect", "purge", "all"):
        ran = project.run(action, "--managed-only", "--dry-run")
        assert ran.status == 0, ran.err
        assert "would run `" in ran.out
    assert not (client.parent / "state").exists()


def test_a_peer_that_fails_holds_up_nobody(project: Project, server: Sshd, client: Path) -> None:
    broken = managed(client, name="broken", managed_command=["sh", "-c", "echo no disk; exit 3", "x"])
    absent = managed(client, name="absent")
    tables: list[Keys] = [{**broken, **server.peer}, {**absent, **server.peer, "port": 1}]
    peers(project, *tables, {**managed(client), **server.peer})
    found = told(ran := project.run("--json", "collect", "--managed-only"))
    assert ran.status == 11
    assert [each["outcome"] for each in found["managed"]] == ["failed", "failed", "done"]
    assert "on broken ended with 3: no disk" in found["left_out"][0]
    assert "absent cannot be logged in to" in found["left_out"][1]
    ran = project.run("collect", "--managed-only")
    assert "See that it is up and that this works without a question: ssh " in ran.out
    assert "Log in to broken and see what `" in ran.out
    peers(project, *tables)
    assert error_of(ran := project.run("--json", "collect", "--managed-only"))["kind"] == "PeerError"
    assert ran.status == 6
    peers(project, *({**each, "ignore_failures": "all"} for each in tables))
    found = told(ran := project.run("--json", "collect", "--managed-only"))
    assert (ran.status, [each["outcome"] for each in found["managed"]]) == (0, ["ignored", "ignored"])
    assert len(found["warnings"]) == 2


def test_what_a_peer_says_reaches_no_terminal_as_it_is(project: Project, server: Sshd, client: Path) -> None:
    hostile = ["sh", "-c", r"printf '\033[2Jgone\377\n'; exit 3", "x"]
    peers(project, {**managed(client, managed_command=hostile), **server.peer})
    log = project.root / "log"
    text = project.config.read_text().replace("[options]\n", f'[options]\nlog_file = "{log}"\n', 1)
    project.config.write_text(text)
    ran = project.run("-v", "collect", "--managed-only")
    assert ran.status == 6
    assert r"\x1b[2Jgone\xff" in ran.err
    assert "\x1b" not in ran.out + ran.err
    assert "Traceback" not in ran.err
    (ended,) = (json.loads(line) for line in (project.root / "state/runs.jsonl").read_text().splitlines()[1:])
    assert r"\x1b[2Jgone\xff" in ended["summary"]


def test_an_interrupt_ends_the_wait_for_peers(project: Project, server: Sshd, client: Path) -> None:
    begun = project.root / "begun"
    slow = ["sh", "-c", f"touch {begun}; while [ -e {begun} ]; do sleep 0.1; done", "x"]
    peers(project, {**managed(client, managed_command=slow), **server.peer})
    process = started(project, "collect", "--managed-only")
    until = time.monotonic() + 30
    while not begun.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    process.signal(signal.SIGINT)
    assert process.wait(15) == 5, process.said()
    begun.unlink()  # what runs over there goes on to its end


def test_a_peer_that_left_something_out_says_what(project: Project, server: Sshd, client: Path) -> None:
    (client.parent / "home" / "no").symlink_to("letter")
    client.write_text(client.read_text() + f'[[collect.source]]\npath = "{client.parent}/gone"\n')
    peers(project, {**managed(client), **server.peer})
    found = told(ran := project.run("--json", "collect", "--managed-only"))
    assert ran.status == 11
    assert [each["outcome"] for each in found["managed"]] == ["done"]
    assert "gone cannot be collected" in found["left_out"][0]


def test_what_fails_here_holds_up_no_peer(project: Project, server: Sshd, client: Path) -> None:
    peers(project, {**managed(client), **server.peer})
    with project.config.open("a") as stream:
        stream.write(f'[collect]\ndir = "here"\n[[collect.source]]\npath = "{project.root}/gone"\n')
        stream.write('[[hook]]\naction = "purge"\nwhen = "before"\nargv = ["false"]\n')
    found = told(ran := project.run("--json", "collect", "--managed"))
    assert ran.status == 6
    assert (found["error"]["kind"], found["managed"][0]["outcome"]) == ("CollectError", "done")
    found = told(ran := project.run("--json", "purge", "--managed"))
    assert ran.status == 6
    assert (found["error"]["kind"], found["managed"][0]["outcome"]) == ("HookFailed", "done")


def test_the_switches_exclude_each_other(project: Project) -> None:
    ran = project.run("collect", "--managed", "--managed-only")
    assert ran.status == 2
    assert "cannot both be given" in ran.err


def test_arguments_reach_the_peer_as_they_are(project: Project, server: Sshd, client: Path) -> None:
    odd = client.with_name("it's `date` $(x) *.toml")
    shutil.copy(client, odd)
    peers(project, {**managed(odd), **server.peer})
    ran = project.run("collect", "--managed-only")
    assert ran.status == 0, ran.err
    assert (client.parent / "collect" / "cback.collect").exists()


def test_the_documented_key_may_do_this_and_nothing_else(
    project: Project, client: Path, tmp_path: Path
) -> None:
    """The script is that of the page; only where things are is another."""
    (script,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = client.parent
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "cedarchest").write_text(f'#!/bin/sh\nexec {PROGRAM} -c {client} "$@"\n')
    (bin_folder / "cedarchest").chmod(0o755)
    moved = script.replace("collect_dir=/var/backups/collect", f"collect_dir={folder}/collect")
    assert moved != script
    guard = bin_folder / "cedarchest-peer"
    guard.write_text(moved.replace("\n", f"\nPATH={bin_folder}:{os.environ['PATH']}\n", 1))
    guard.chmod(0o755)
    with Sshd(tmp_path / "sshd", key_options=f'restrict,command="{guard}"') as server:
        keys: Keys = {"name": "mail", "managed": True, **server.peer, "collect_dir": "/"}
        peers(project, keys)
        ran = project.run("all", "--managed")
        assert ran.status == 0, ran.err
        assert len(staged(project, "2026/11/24")) >= 1
        assert list((folder / "collect" / "cback.receipts").iterdir())
        assert project.run("collect", "--full", "--managed-only").status == 0
        for forbidden in (["cat", str(client)], ["cedarchest", "store;"], ["cedarchest", "collect;id"]):
            peers(project, {**keys, "managed_command": forbidden})
            ran = project.run("--json", "collect", "--managed-only")
            assert ran.status == 6
            assert "this key may not do that" in json.loads(ran.out)["error"]["message"]
