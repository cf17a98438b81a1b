"""Files that are digested while others still arrive: what counts is what is there at the end."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cedarchest.adapters import digests
from cedarchest.adapters.arrivals import ARRIVING, StagingArrivals
from cedarchest.adapters.arriving import AWAITED, ArrivingFiles
from cedarchest.adapters.staging import StagingFolder
from cedarchest.errors import StagingError
from cedarchest.model.index import Entry, put_below

AS_IT_COMES = "cedarchest.adapters.arriving.digest_descriptor"
AT_THE_END = "cedarchest.adapters.digests.digest_file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "peer"
    found.mkdir()
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often files were digested: as they came, and at the end."""
    counts = {"as they came": 0, "at the end": 0}

    def counting(what: str, do: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **named: object) -> object:
            counts[what] += 1
            return do(*arguments, **named)

        return counted

    monkeypatch.setattr(AS_IT_COMES, counting("as they came", digests.digest_descriptor))
    monkeypatch.setattr(AT_THE_END, counting("at the end", digests.digest_file))
    return counts


def found_in(files: ArrivingFiles) -> dict[bytes, bytes]:
    return {entry.path: entry.sha256 for entry, _ in files.entries() if entry.sha256}


def expected(folder: Path) -> dict[bytes, bytes]:
    return {
        os.fsencode(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def come(folder: Path, files: ArrivingFiles, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    files.came(name.encode())


def test_what_came_is_read_once(folder: Path, read: dict[str, int]) -> None:
    with ArrivingFiles(folder) as files:
        for number in range(100):
            come(folder, files, f"sub/{number}", b"x" * number)
        come(folder, files, "large", b"large" * 1_000_000)
        assert found_in(files) == expected(folder)
    assert read == {"as they came": 101, "at the end": 0}


def test_a_folder_does_not_hold_up_the_few_files_in_it(folder: Path, read: dict[str, int]) -> None:
    """rsync tells of each folder first, with a slash."""
    (folder / "sub").mkdir()
    with ArrivingFiles(folder) as files:
        for name in (b"./", b"sub/"):
            files.came(name)
        come(folder, files, "sub/a", b"a")
        come(folder, files, "b", b"b")
        assert found_in(files) == expected(folder)
    assert read == {"as they came": 2, "at the end": 0}


def test_what_was_announced_before_it_is_there_is_read_as_well(folder: Path, read: dict[str, int]) -> None:
    with ArrivingFiles(folder) as files:
        files.came(b"late")
        time.sleep(0.05)
        come(folder, files, "late", b"late")  # what comes next looks for it again
        assert found_in(files) == expected(folder)
    assert sum(read.values()) in (1, 2)


def test_what_never_comes_does_not_hold_up_the_others(folder: Path, read: dict[str, int]) -> None:
    with ArrivingFiles(folder) as files:
        files.came(b"never")
        for number in range(AWAITED + 10):
            come(folder, files, str(number), b"x")
        assert found_in(files) == expected(folder)
    assert read["as they came"] >= AWAITED


def test_nothing_announced_is_all_read_at_the_end(folder: Path, read: dict[str, int]) -> None:
    with ArrivingFiles(folder) as files:
        (folder / "a").write_bytes(b"from an earlier run")
        assert found_in(files) == expected(folder)
    assert read == {"as they came": 0, "at the end": 1}


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"after!")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def rewritten(path: Path) -> None:
    times = path.stat()
    path.write_bytes(b"after!")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def shortened(path: Path) -> None:
    path.write_bytes(b"aft")


@pytest.mark.parametrize("change", [replaced, rewritten, shortened])
def test_what_changed_since_is_read_again(
    folder: Path, read: dict[str, int], change: Callable[[Path], None]
) -> None:
    with ArrivingFiles(folder) as files:
        come(folder, files, "a", b"before")
        wait_for(lambda: read["as they came"] == 1)
        time.sleep(0.05)  # a change time tells no more than the kernel's clock
        change(folder / "a")
        assert found_in(files) == expected(folder)
    assert read == {"as they came": 1, "at the end": 1}


def test_every_name_of_a_file_has_its_digest(folder: Path) -> None:
    with ArrivingFiles(folder) as files:
        come(folder, files, "a", b"content")
        (folder / "b").hardlink_to(folder / "a")
        files.came(b"b")
        assert found_in(files) == expected(folder)


def test_what_is_no_file_or_elsewhere_is_not_read(folder: Path, tmp_path: Path, read: dict[str, int]) -> None:
    """A peer may say what it likes of what comes."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    elsewhere = [b"../outside/secret", b"sub/../../outside/secret", bytes(tmp_path / "outside" / "secret")]
    (folder / "sub").mkdir()
    with ArrivingFiles(folder) as files:
        (folder / "link").symlink_to(tmp_path / "outside")
        (folder / "dangling").symlink_to("nowhere")
        (folder / "dir").mkdir()
        os.mkfifo(folder / "fifo")
        for name in (b"link", b"link/secret", b"dangling", b"dir/", b"dir", b"fifo", b"a\0b", b"x" * 5000):
            files.came(name)
        for name in (*elsewhere, b"", b"/", b".", b".."):
            files.came(name)
        come(folder, files, "a", b"content")
        assert found_in(files) == expected(folder)
    assert sum(read.values()) == 1


def test_what_is_not_whole_is_left_out(folder: Path) -> None:
    with ArrivingFiles(folder) as files:
        come(folder, files, ".rsync-partial/a", b"half")
        come(folder, files, "a", b"whole")
        assert list(found_in(files)) == [b"a"]


def test_what_came_is_on_the_disk_before_it_counts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sync").write_text(f'#!/bin/sh\necho "$@: Input/output error"; [ -e {tmp_path}/well ]\n')
    (tmp_path / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with ArrivingFiles(folder) as files:
        come(folder, files, "a", b"content")
        with pytest.raises(StagingError, match=f"cannot be made durable: -f {folder}: Input/output error"):
            files.entries()
        (tmp_path / "well").touch()
        assert found_in(files) == expected(folder)


def into_the_day(root: Path, came: dict[str, bytes]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """The digests of a day that these files came and were moved into, and what they are to be."""
    arrivals, staging = StagingArrivals(), StagingFolder(root / "state", lambda *_: None)
    day = "2028/01/08"
    arrivals.prepare(root / "staging", {"peer"})
    folder = arrivals.folder(root / "staging", "peer", 0o700)
    with ArrivingFiles(folder) as files:
        for name, content in came.items():
            come(folder, files, name, content)
        arrived = files.entries()
    arrivals.move(root / "staging", "peer", day, [entry for entry, _ in arrived])
    top = b"2028/01/08/peer/"
    known = {top + entry.path: (put_below(top, entry), fingerprint) for entry, fingerprint in arrived}
    index = staging.index(root / "staging" / day, day, known)
    found = {entry.path.removeprefix(top): entry.sha256 for entry in index.entries if entry.sha256}
    assert not list((root / "staging" / ARRIVING).iterdir())
    return found, expected(root / "staging" / day / "peer")


def test_what_came_into_a_day_is_not_read_again(tmp_path: Path, read: dict[str, int]) -> None:
    """The first folder of a peer in a day is renamed; of one that comes late each file is."""
    first, there = into_the_day(tmp_path, {"a": b"first", "sub/b": b"second"})
    assert first == there
    later, there = into_the_day(tmp_path, {"c": b"third", "sub/d": b"fourth"})
    assert later == there
    assert len(later) == 4
    assert read == {"as they came": 4, "at the end": 0}


def test_what_is_another_file_in_the_day_than_the_one_that_came_is_read(
    tmp_path: Path, read: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    move = StagingArrivals.move

    def moved(self: StagingArrivals, root: Path, peer: str, day: str, entries: Sequence[Entry]) -> None:
        move(self, root, peer, day, entries)
        replaced(root / day / peer / "a")

    monkeypatch.setattr(StagingArrivals, "move", moved)
    found, there = into_the_day(tmp_path, {"a": b"before", "b": b"second"})
    assert found == there
    assert read == {"as they came": 2, "at the end": 1}


def test_no_thread_reads_on_when_the_rest_is_not_wanted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of 400 MB that is being read."""
    begun = threading.Event()
    digest = digests.digest_descriptor

    def slowly(descriptor: int, size: int, read: Callable[[bytes], None]) -> bytes | None:
        def piece(content: bytes) -> None:
            begun.set()
            time.sleep(0.01)
            read(content)

        return digest(descriptor, size, piece)

    monkeypatch.setattr(AS_IT_COMES, slowly)
    with (folder / "large").open("wb") as stream:
        stream.truncate(400 << 20)
    began = time.monotonic()
    with ArrivingFiles(folder) as files:
        files.came(b"large")
        assert begun.wait(20)
    assert time.monotonic() - began < 3  # whole it would take four seconds
    assert all("_digest_all" not in thread.name for thread in threading.enumerate())
