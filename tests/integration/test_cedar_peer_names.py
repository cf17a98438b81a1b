"""`LocalPeer` and `RemotePeer` under Cedar Backup's names, by a folder and by a real sshd."""

from __future__ import annotations

import getpass
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sshd import Sshd

from cedarchest_cedar.peer import LocalPeer, RemotePeer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("ssh") / "sshd") as running:
        yield running


def remote(server: Sshd, folder: Path, **more: str) -> RemotePeer:
    words = ["scp", "-B", "-P", str(server.port), "-i", str(server.identity), *server.ssh_options]
    return RemotePeer(
        "127.0.0.1", str(folder), str(folder.parent), getpass.getuser(), rcpCommand=shlex.join(words), **more
    )


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    folder = tmp_path / "collect"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.fixture(params=["local", "ssh"])
def peer(request: pytest.FixtureRequest, server: Sshd, collected: Path) -> LocalPeer:
    return LocalPeer("here", str(collected)) if request.param == "local" else remote(server, collected)


def test_files_are_copied_and_adjusted(peer: LocalPeer, collected: Path, target: Path) -> None:
    for name in ("a b", "..\\c", "cback.collect"):
        (collected / name).write_text(name)
    assert peer.stagePeer(str(target), permissions=0o640) == 2
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a b": "a b", "..\\c": "..\\c"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o640}


def test_files_are_given_to_whom_they_are_to_belong(peer: LocalPeer, collected: Path, target: Path) -> None:
    (collected / "a").touch()
    assert peer.stagePeer(str(target), ownership=("root", "adm")) == 1
    assert (target / "a").group() == ("adm" if os.geteuid() == 0 else target.group())


def test_a_folder_is_refused_and_nothing_is_copied(peer: LocalPeer, collected: Path, target: Path) -> None:
    (collected / "a").touch()
    (collected / "folder").mkdir()
    with pytest.raises(ValueError, match="folder"):
        peer.stagePeer(str(target))
    assert not list(target.iterdir())


def test_nothing_to_copy_is_an_error(peer: LocalPeer, collected: Path, target: Path) -> None:
    (collected / "cback.collect").touch()
    with pytest.raises(OSError, match="nothing"):
        peer.stagePeer(str(target))


def test_a_target_has_to_be_there(peer: LocalPeer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no directory"):
        peer.stagePeer(str(tmp_path / "nowhere"))


def test_a_peer_is_ready_by_its_mark(peer: LocalPeer, collected: Path) -> None:
    assert not peer.checkCollectIndicator()
    (collected / "cback.collect").touch()
    (collected / "own.mark").touch()
    assert peer.checkCollectIndicator()
    assert peer.checkCollectIndicator("own.mark")
    assert not peer.checkCollectIndicator("other.mark")


def test_a_mark_is_left_with_the_peer(peer: LocalPeer, collected: Path) -> None:
    peer.writeStageIndicator()
    peer.writeStageIndicator("own.mark")
    assert {path.name for path in collected.iterdir()} == {"cback.stage", "own.mark"}


def test_a_collect_dir_that_is_not_there_is_not_ready_and_takes_no_mark(server: Sshd, tmp_path: Path) -> None:
    wrong = {
        LocalPeer("here", f"{tmp_path}/nowhere"): ValueError,
        remote(server, tmp_path / "nowhere"): OSError,
    }
    for peer, error in wrong.items():
        assert not peer.checkCollectIndicator()
        with pytest.raises(error, match="nowhere"):
            peer.writeStageIndicator()
        with pytest.raises(error, match="nowhere"):
            peer.stagePeer(str(tmp_path))


def test_commands_and_actions_are_run_on_the_peer(server: Sshd, collected: Path) -> None:
    program = collected / "cback3"
    program.write_text(f'#!/bin/sh\necho "$@" >> {collected}/said\ntest "$1" != fail || echo no >&2\n')
    program.write_text(program.read_text() + 'test "$1" != fail\n')
    program.chmod(0o755)
    peer = remote(server, collected, cbackCommand=f"{program} -q")
    peer.executeManagedAction("collect", fullBackup=False)
    peer.executeManagedAction("collect", fullBackup=True)
    peer.executeRemoteCommand(f'{program} "two words; $x"')
    with pytest.raises(OSError, match="ended with 1: no"):
        peer.executeRemoteCommand(f"{program} fail")
    said = (collected / "said").read_text().splitlines()
    assert said == ["-q collect", "-q --full collect", "two words; $x", "fail"]


def test_a_peer_that_lets_nobody_in_is_not_ready(server: Sshd, collected: Path, target: Path) -> None:
    (collected / "cback.collect").touch()
    peer = remote(server, collected)
    peer.rcpCommand = f"scp -B -P {server.port} -i /nonexistent -o StrictHostKeyChecking=yes"
    assert not peer.checkCollectIndicator()
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        peer.executeRemoteCommand("true")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("", "/c"), "name"), (("a", "c"), "absolute"), (("a", "/c", "sometimes"), "sometimes")],
)
def test_a_peer_that_makes_no_sense_is_refused(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LocalPeer(*arguments)


@pytest.mark.parametrize(("folder", "user", "words"), [("w", "u", "absolute"), ("/w", "", "user")])
def test_a_remote_peer_needs_a_folder_and_a_user(folder: str, user: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RemotePeer("far", "/c", folder, user)


def test_commands_are_run_on_a_peer_of_which_no_folder_is_known(server: Sshd, collected: Path) -> None:
    known = remote(server, collected)
    peer = RemotePeer(known.name, remoteUser=known.remoteUser, rcpCommand=known.rcpCommand)
    peer.executeRemoteCommand(f"touch {collected}/ran")
    assert (collected / "ran").exists()
    for action in (peer.writeStageIndicator, peer.checkCollectIndicator):
        with pytest.raises(ValueError, match="made without a collect dir"):
            action()


def test_how_failures_are_ignored_is_checked_when_it_is_set(peer: LocalPeer) -> None:
    peer.ignoreFailureMode = "daily"
    with pytest.raises(ValueError, match='"sometimes" is none of'):
        peer.ignoreFailureMode = "sometimes"
    assert peer.ignoreFailureMode == "daily"
