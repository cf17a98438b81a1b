"""Collect dirs of peers: the same behaviour on this machine and through a real sshd."""

from __future__ import annotations

import os
import pwd
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.sshd import Sshd

from cedarchest.adapters.rsync import Address, RsyncPeers
from cedarchest.adapters.ssh import Login
from cedarchest.errors import PeerError
from cedarchest.model.index import Kind
from cedarchest.ports import PeerFolder

pytestmark = pytest.mark.slow

NAMES = [
    b"plain",
    b"with space",
    b"new\nline",
    b"back\\#012slash",
    b"\xff\xe4",
    b"-dash",
    b"a -> b",
    b"[*?]$(x);`y`",
]


def login(server: Sshd, **changes: object) -> Login:
    """The way to a server."""
    peer = server.peer
    values = {
        "host": str(peer["host"]),
        "user": str(peer["user"]),
        "port": server.port,
        "identity": server.identity,
        "options": tuple(server.ssh_options),
        "timeout_s": 20.0,
        **changes,
    }
    return Login(**values)  # type: ignore[arg-type] # the values are those of its fields


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server for all tests of this module."""
    with Sshd(tmp_path_factory.mktemp("ssh") / "sshd") as running:
        yield running


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """A collect dir whose name is none that a shell would leave alone."""
    folder = tmp_path / "it's; a $(dir) `of`\nall [*]\\"
    folder.mkdir()
    return folder


@pytest.fixture(params=["local", "ssh"])
def peers(request: pytest.FixtureRequest, server: Sshd, collected: Path, tmp_path: Path) -> RsyncPeers:
    """A peer `alpha` with that collect dir."""
    address = Address(collected, login(server) if request.param == "ssh" else None)
    return RsyncPeers({"alpha": address}, tmp_path / "scratch")


@pytest.fixture
def folder(peers: RsyncPeers) -> PeerFolder:
    """The collect dir of the peer."""
    return peers.named("alpha")


def nothing(_path: bytes, _size: int) -> None:
    """Nobody counts."""


def test_a_collect_that_has_not_ended_hands_nothing_over(folder: PeerFolder, collected: Path) -> None:
    assert folder.handover() is None
    (collected / "cback.collect").symlink_to("/etc/hostname")
    assert folder.handover() is None
    (collected / "cback.collect").unlink()
    (collected / "cback.collect").mkdir()
    assert folder.handover() is None


def test_a_handover_has_its_time_and_list(folder: PeerFolder, collected: Path) -> None:
    (collected / "cback.collect").touch()
    os.utime(collected / "cback.collect", (0, 1_790_000_000))
    found = folder.handover()
    assert found is not None
    assert (found.at, found.listed) == (datetime.fromtimestamp(1_790_000_000, UTC), b"")
    (collected / "cback.collect.jsonl").write_bytes(b"list\n")
    assert (found := folder.handover()) is not None
    assert found.listed == b"list\n"


def test_all_is_looked_at_whatever_its_name(folder: PeerFolder, collected: Path) -> None:
    for name in NAMES:
        (collected / os.fsdecode(name)).write_bytes(b"12345")
        os.utime(collected / os.fsdecode(name), (0, 1_700_000_000.9))
    (collected / "below").mkdir()
    (collected / "below" / "link").symlink_to("/etc")
    os.mkfifo(collected / "fifo")
    collected.chmod(0o751)
    (collected / "plain").chmod(0o4640)
    seen = folder.look()
    assert (seen.problems, seen.mode) == ((), 0o751)
    found = {item.path: item for item in seen.items}
    assert found[b"plain"].mode == 0o640
    assert set(found) == {*NAMES, b"below", b"below/link", b"fifo"}
    assert {(found[name].kind, found[name].size, found[name].mtime) for name in NAMES} == {
        (Kind.FILE, 5, 1_700_000_000)
    }
    kinds = [found[path].kind for path in (b"below", b"below/link", b"fifo")]
    assert kinds == [Kind.DIR, Kind.LINK, Kind.FIFO]


def test_what_is_fetched_is_as_it_was_but_for_rights(
    folder: PeerFolder, collected: Path, tmp_path: Path
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    for number, name in enumerate(NAMES):
        (collected / os.fsdecode(name)).write_bytes(b"x" * number)
    (collected / "plain").chmod(0o4751)
    (collected / "not asked for").touch()
    (collected / "empty").mkdir()
    (collected / "link").symlink_to("/etc/shadow")
    os.utime(collected / "plain", ns=(0, 1_700_000_000_123_456_789))
    sizes: dict[bytes, int] = {}
    assert folder.fetch([*NAMES, b"empty", b"link"], into, sizes.__setitem__) == ()
    assert sorted(os.fsencode(path.name) for path in into.iterdir()) == sorted([*NAMES, b"empty", b"link"])
    assert [(into / os.fsdecode(name)).stat().st_size for name in NAMES] == list(range(len(NAMES)))
    status = (into / "plain").stat()
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o751, 1_700_000_000_123_456_789)
    assert (into / "link").readlink() == Path("/etc/shadow")
    assert [sizes[name] for name in NAMES] == list(range(len(NAMES)))


def test_a_folder_brings_all_that_is_in_it(folder: PeerFolder, collected: Path, tmp_path: Path) -> None:
    (collected / "cback.collect").touch()
    (collected / "sub" / "empty").mkdir(parents=True)
    (collected / "sub" / "cback.x").write_bytes(b"data")
    (collected / "other").mkdir()
    for number, (asked, found) in enumerate(
        [(b"sub", ["sub", "sub/cback.x", "sub/empty"]), (b".", ["other", "sub", "sub/cback.x", "sub/empty"])]
    ):
        into = tmp_path / f"into{number}"
        into.mkdir()
        assert folder.fetch([asked], into, nothing) == ()
        assert sorted(str(path.relative_to(into)) for path in into.rglob("*")) == found


def test_what_cannot_be_had_is_named_and_the_rest_comes(
    folder: PeerFolder, collected: Path, tmp_path: Path
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (collected / "there").write_bytes(b"x")
    (problem,) = folder.fetch([b"there", b"gone"], into, nothing)
    assert "gone" in problem
    assert [path.name for path in into.iterdir()] == ["there"]


def test_a_collect_dir_that_is_not_there_is_an_error(folder: PeerFolder, collected: Path) -> None:
    collected.rmdir()
    for ask in (folder.handover, folder.look):
        with pytest.raises(PeerError, match=r"alpha cannot be read .*No such file"):
            ask()


def test_a_file_comes_whole_or_not_at_all(folder: PeerFolder, collected: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    (into / ".rsync-partial").mkdir(parents=True)
    (collected / "big").write_bytes(bytes(range(256)) * 4096)
    (into / ".rsync-partial" / "big").write_bytes(bytes(range(256)) * 100)  # what a broken line left
    assert folder.fetch([b"big"], into, nothing) == ()
    assert (into / "big").read_bytes() == (collected / "big").read_bytes()
    assert [path.name for path in into.iterdir()] == ["big"]


@pytest.mark.parametrize("resumable", [True, False])
def test_a_transfer_can_be_stopped(server: Sshd, collected: Path, tmp_path: Path, resumable: bool) -> None:
    (collected / "big").write_bytes(os.urandom(3_000_000))
    slow = Address(collected, login(server, bytes_a_second=200_000))
    peers = RsyncPeers({"alpha": slow}, tmp_path / "scratch")
    into = tmp_path / "into"
    into.mkdir()
    ended: list[BaseException] = []

    def fetch() -> None:
        try:
            peers.named("alpha").fetch([b"big"], into, nothing, resumable=resumable)
        except PeerError as error:
            ended.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    while not any(path.is_file() and path.stat().st_size > 300_000 for path in into.iterdir()):
        time.sleep(0.02)
    peers.stop()
    thread.join(20)
    assert len(ended) == 1
    left = [path.name for path in into.rglob("*")]
    assert left == ([".rsync-partial", "big"] if resumable else [])
    with pytest.raises(PeerError):
        peers.named("alpha").look()  # and nothing begins any more


# -- other machines ---------------------------------------------------------------------------------


def test_a_host_that_nobody_knows_is_not_trusted(server: Sshd, collected: Path, tmp_path: Path) -> None:
    stranger = login(server, options=("-F", "none", "-o", f"UserKnownHostsFile={tmp_path}/none"))
    peers = RsyncPeers({"alpha": Address(collected, stranger)}, tmp_path / "scratch")
    with pytest.raises(PeerError, match="alpha cannot be read") as caught:
        peers.named("alpha").handover()
    assert "works without a question: ssh -o BatchMode=yes" in caught.value.advice


@pytest.mark.parametrize(
    "name",
    [
        "`touch$IFS{ran}`",
        "$(touch {ran})",
        "x;touch {ran}",
        "two\ntouch {ran}\n",
        "st[ab]r*",
        "back\\sl ash",
        "~",
    ],
)
def test_no_shell_of_another_machine_takes_part_in_the_name_of_a_collect_dir(
    server: Sshd, tmp_path: Path, name: str
) -> None:
    ran = Path(pwd.getpwuid(os.geteuid()).pw_dir, "@cedarchest-test-ran")
    (tmp_path / "star").mkdir()  # what wildcards would find
    collected = tmp_path / name.format(ran=ran.name)
    collected.mkdir()
    (collected / "cback.collect").touch()
    (collected / "file").write_bytes(b"content")
    for kind in ("into", "told"):
        (tmp_path / kind).mkdir()
    (tmp_path / "told/receipt").write_bytes(b"receipt")
    folder = RsyncPeers({"alpha": Address(collected, login(server))}, tmp_path / "scratch").named("alpha")
    assert folder.handover() is not None
    assert {item.path for item in folder.look().items} == {b"cback.collect", b"file"}
    assert folder.fetch([b"file"], tmp_path / "into", nothing) == ()
    folder.put(tmp_path / "told")
    assert (tmp_path / "into/file").read_bytes() == b"content"
    assert (collected / "receipt").read_bytes() == b"receipt"
    assert not ran.exists()


def test_a_machine_that_is_down_is_an_error(server: Sshd, collected: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = Address(collected, login(server, port=closed.getsockname()[1]))
        with pytest.raises(PeerError, match=r"Connection refused|closed") as caught:
            RsyncPeers({"alpha": address}, tmp_path / "scratch").named("alpha").handover()
        assert caught.value.message == caught.value.message.strip()  # ssh ends its lines with \r\n


def test_a_machine_that_says_nothing_is_not_waited_for(server: Sshd, collected: Path, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        way = login(server, port=silent.getsockname()[1], timeout_s=1.0)
        began = time.monotonic()
        with pytest.raises(PeerError, match="alpha cannot be read"):
            RsyncPeers({"alpha": Address(collected, way)}, tmp_path / "scratch").named("alpha").handover()
        assert time.monotonic() - began < 30
