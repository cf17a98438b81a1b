"""What is packed, encrypted and in pieces, opened by the real programs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gpg import encrypted

from cedarchest.adapters import unpacking
from cedarchest.adapters.unpacking import Unpackers
from cedarchest.errors import DamagedDisc, StagingError, ToolMissing

UNPACKING = Unpackers()
PLAIN = hashlib.shake_256(b"plain").digest(300_000) + b"text\n" * 100_000
PACKERS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}


def packed(content: bytes, program: str) -> bytes:
    return subprocess.run([program, "-c"], input=content, check=True, capture_output=True).stdout


def in_chunks(content: bytes, size: int = 100_000) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def opened(name: str, content: bytes, size: int = 100_000) -> bytes:
    with UNPACKING.opened(name.encode(), in_chunks(content, size)) as stream:
        return stream.read()


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "unpacking"]


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("name", ["mysqldump.txt", "svndump-0:7-srv-svn.txt", "mbox-2026-mail"])
def test_dumps_come_as_they_were(name: str, end: str) -> None:
    assert opened(name + end, packed(PLAIN, PACKERS[end])) == PLAIN


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_it_does_not_matter_how_it_is_cut_in_chunks(size: int) -> None:
    assert opened("a.txt.gz", packed(b"some text", "gzip"), size) == b"some text"


@pytest.mark.parametrize("name", ["photo.jpg", "x.gz.bak", "notes", "cback.collect"])
def test_what_has_no_such_name_is_plain(name: str) -> None:
    assert opened(name, packed(PLAIN, "gzip")) == packed(PLAIN, "gzip")


@pytest.mark.parametrize("end", [*PACKERS, ""])
@pytest.mark.parametrize("name", ["etc.tar", "etc.tar.gz", "etc.tgz", "2026/11/22/mach/etc.tar.bz2"])
def test_an_archive_is_unpacked_by_what_it_is_whatever_its_name_says(name: str, end: str) -> None:
    content = packed(PLAIN, PACKERS[end]) if end else PLAIN
    assert opened(name, content) == PLAIN


def test_what_is_encrypted_is_decrypted_with_the_users_own_key(keys: str) -> None:
    assert opened("etc.tar.gz.gpg", encrypted(packed(PLAIN, "gzip"), keys)) == PLAIN
    assert opened("mysqldump.txt.bz2.gpg", encrypted(packed(PLAIN, "bzip2"), keys)) == PLAIN
    assert opened("notes.gpg", encrypted(b"notes", keys)) == b"notes"


def test_what_was_encrypted_twice_is_decrypted_twice(keys: str) -> None:
    assert opened("a.tar.gpg.gpg", encrypted(encrypted(PLAIN, keys), keys)) == PLAIN


def test_pieces_in_their_order_are_the_whole(keys: str) -> None:
    content = encrypted(packed(PLAIN, "gzip"), keys)
    assert opened("etc.tar.gz.gpg", content, len(content) // 3) == PLAIN


def test_without_the_key_it_says_so(keys: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = encrypted(PLAIN, keys)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(other))
    with pytest.raises(StagingError, match=r"a\.tar\.gpg cannot be decrypted: .*[Nn]o secret key") as caught:
        opened("a.tar.gpg", content)
    assert "key ring" in caught.value.advice
    monkeypatch.undo()
    subprocess.run(["gpgconf", "--homedir", str(other), "--kill", "all"], check=True, capture_output=True)


def test_a_bit_that_changed_in_what_is_encrypted_is_no_success(keys: str) -> None:
    content = bytearray(encrypted(PLAIN, keys))
    content[len(content) // 2] ^= 1
    with pytest.raises(StagingError, match="cannot be decrypted"):
        opened("a.tar.gpg", bytes(content))


@pytest.mark.parametrize("end", PACKERS)
def test_what_was_cut_off_or_damaged_is_no_success(end: str) -> None:
    content = packed(PLAIN, PACKERS[end])
    with pytest.raises(StagingError, match="cannot be unpacked"):
        opened(f"a.txt{end}", content[: len(content) // 2])


@pytest.mark.parametrize("content", [b"", b"\x1f", b"no such thing at all"])
def test_what_is_not_what_its_name_says_is_named(content: bytes) -> None:
    with pytest.raises(StagingError, match=r"a\.txt\.gz is not packed by gzip"):
        opened("a.txt.gz", content)


def test_what_taking_the_data_raises_comes_through(keys: str) -> None:
    def failing() -> Iterator[bytes]:
        yield encrypted(PLAIN, keys)[:50_000]
        raise DamagedDisc("scratched")

    for name in ("a.tar.gz.gpg", "a.gpg"):
        with pytest.raises(DamagedDisc), UNPACKING.opened(name.encode(), failing()) as stream:
            stream.read()


def test_whoever_reads_only_the_beginning_may_leave_and_takes_no_more(keys: str) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        for chunk in in_chunks(packed(os.urandom(30 << 20), "gzip")):
            taken += len(chunk)
            yield chunk

    with UNPACKING.opened(b"a.txt.gz", endless()) as stream:
        assert len(stream.read(10)) == 10
    at_the_end = taken
    assert at_the_end < 20 << 20
    assert keys


def test_bombs_meet_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LEAST_LIMIT", 1 << 20)
    bomb = packed(packed(bytes(64 << 20), "bzip2"), "bzip2")
    with pytest.raises(StagingError, match="unpacks to more than"):
        opened("a.txt.bz2.bz2", bomb)


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing, match="gpg"):
        opened("a.gpg", b"x")


def test_no_passphrase_is_ever_an_argument() -> None:
    assert not [word for word in unpacking.DECRYPT if "pass" in word]
