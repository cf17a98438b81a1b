"""What archives hold, read from archives of real programs and from their indexes, hostile ones too."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from datetime import date
from pathlib import Path

import pytest

from cedarchest.adapters import archive_members
from cedarchest.adapters.archive_members import LocalArchives
from cedarchest.adapters.unpacking import Unpackers
from cedarchest.errors import DamagedDisc, StagingError
from cedarchest.model.increments import Archive, Held, State, write_state
from cedarchest.model.index import Entry, Fingerprint, Kind
from cedarchest.model.members import Member

READER = LocalArchives()
SUFFIXES = ("tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst")
TIME = 1_780_000_000_123_456_789


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def read(root: Path, name: str) -> dict[bytes, Member]:
    found, elsewhere = READER.members(root, name.encode(), lambda _done: None)
    assert elsewhere == 0
    return {member.path: member for member in found}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with one of each."""
    root = tmp_path / "tree"
    (root / "etc" / ("d" * 120)).mkdir(parents=True)
    (root / "etc/a").write_bytes(b"a" * 3000)
    (root / "etc/hard").hardlink_to(root / "etc/a")
    (root / "etc" / ("d" * 120) / ("n" * 100)).write_bytes(b"long")
    Path(os.fsdecode(os.fsencode(root) + b"/etc/\xff\n\\")).write_bytes(b"odd")
    (root / "etc/link").symlink_to("a")
    os.mkfifo(root / "etc/fifo")
    with (root / "etc/holes").open("wb") as sparse:
        sparse.truncate(3 << 20)
        sparse.seek(1 << 20)
        sparse.write(b"data")
    for path in sorted(root.rglob("*")):
        os.utime(path, ns=(TIME, TIME), follow_symlinks=False)
    return root


def as_there(root: Path) -> dict[bytes, tuple[str, int, bytes]]:
    """Kind, size and digest of all in a folder."""
    found = {}
    for path in root.rglob("*"):
        raw = os.fsencode(path.relative_to(root))
        if path.is_symlink():
            found[raw] = ("link", 0, b"")
        elif path.is_dir():
            found[raw] = ("dir", 0, b"")
        elif path.is_file():
            found[raw] = ("file", path.stat().st_size, sha(path.read_bytes()))
        else:
            found[raw] = ("fifo", 0, b"")
    return found


def told(members: dict[bytes, Member]) -> dict[bytes, tuple[str, int, bytes]]:
    return {path: (one.kind, one.size, one.sha256) for path, one in members.items()}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("form", ["gnu", "pax", "ustar-short"])
def test_archives_of_gnu_tar_are_read_whatever_they_are_packed_with(
    tree: Path, tmp_path: Path, suffix: str, form: str
) -> None:
    if form == "ustar-short":
        (tree / "etc" / ("d" * 120) / ("n" * 100)).unlink()
        (tree / "etc" / ("d" * 120)).rmdir()
    format_of = form.partition("-")[0]
    sparse = ["--sparse"] if format_of != "ustar" else []
    archive = tmp_path / f"etc.{suffix}"
    subprocess.run(
        ["tar", "-c", "-a", f"--format={format_of}", *sparse, "-C", str(tree), "-f", str(archive), "etc"],
        check=True,
    )
    found = read(tmp_path, archive.name)
    assert told(found) == as_there(tree)
    expected = TIME if form == "pax" else TIME // 10**9 * 10**9
    assert {one.mtime_ns for path, one in found.items() if path != b"etc"} == {expected}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_archives_as_cedar_backup_makes_them_are_read(tree: Path, tmp_path: Path, mode: str) -> None:
    """Its collect action uses Python's tarfile in GNU format, with absolute paths given."""
    suffix = mode.partition(":")[2]
    archive = tmp_path / f"etc.tar{'.' + suffix if suffix else ''}"
    with tarfile.open(name=archive, mode=mode, format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
        for path in sorted(tree.rglob("*")):
            tar.add(path, recursive=False)
    inside = os.fsencode(tree).strip(b"/")
    expected = {inside + b"/" + path: what for path, what in as_there(tree).items()}
    assert told(read(tmp_path, archive.name)) == expected


def hostile(root: Path, *members: tuple[str, bytes], name: str = "x.tar") -> None:
    with tarfile.open(root / name, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in members:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_paths_that_lead_elsewhere_are_left_out_and_counted(tmp_path: Path) -> None:
    hostile(tmp_path, ("../up", b"1"), ("a/../../up", b"2"), ("./a//b/", b"3"), ("/etc/x", b"4"), (".", b""))
    found, elsewhere = READER.members(tmp_path, b"x.tar", lambda _done: None)
    assert [member.path for member in found] == [b"a/b", b"etc/x"]
    assert elsewhere == 2


def test_of_a_path_that_comes_twice_the_last_counts(tmp_path: Path) -> None:
    hostile(tmp_path, ("a", b"first"), ("b", b""), ("a", b"the last"))
    assert read(tmp_path, "x.tar")[b"a"].sha256 == sha(b"the last")


def test_an_archive_without_members_has_none(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(bytes(10240))
    assert read(tmp_path, "x.tar") == {}


def refusal(root: Path, name: str = "x.tar") -> str:
    with pytest.raises(StagingError) as caught:
        READER.members(root, name.encode(), lambda _done: None)
    assert name in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8bnothing", b"\x28\xb5\x2f\xfd"])
def test_what_is_no_archive_is_said_to_be_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    refusal(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_a_packed_archive_that_breaks_off_is_unreadable(tree: Path, tmp_path: Path, suffix: str) -> None:
    (tree / "etc/noise").write_bytes(os.urandom(200_000))
    archive = tmp_path / f"x.{suffix}"
    subprocess.run(["tar", "-c", "-a", "-C", str(tree), "-f", str(archive), "etc"], check=True)
    with archive.open("r+b") as stream:
        stream.truncate(archive.stat().st_size // 2)
    refusal(tmp_path, archive.name)


def test_links_are_not_followed_on_the_way(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    hostile(outside, ("a", b"1"))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "x.tar").symlink_to(outside / "x.tar")
    (inside / "folder").symlink_to(outside)
    refusal(inside)
    refusal(inside, "folder/x.tar")


def header(name: bytes, size: int, kind: bytes = b"0") -> bytes:
    """A header whose size may be a lie."""
    info = tarfile.TarInfo(name.decode())
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def test_a_header_that_would_take_all_memory_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as stream:
        stream.write(header(b"pax", 1 << 40, tarfile.XHDTYPE))
        stream.truncate(1 << 40)
    assert "larger than any should be" in refusal(tmp_path)


def test_holes_of_an_endless_file_are_not_digested(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("endless")
        info.size = 512
        info.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "endless",
            "GNU.sparse.realsize": str(1 << 60),
        }
        tar.addfile(info, io.BytesIO(b"0\n".ljust(512, b"\0")))
    assert read(tmp_path, "x.tar")[b"endless"] == Member(b"endless", "file", 1 << 60)


def test_what_unpacks_to_far_more_than_it_should_is_given_up(tmp_path: Path) -> None:
    with (tmp_path / "zero").open("w+b") as data:
        data.truncate(1 << 30)
        forward = archive_members.Forward(data, 3 << 20, lambda _done: None)
        with pytest.raises(ValueError, match="unpacks to more than 3145728 bytes"):
            forward.seek(1 << 30)


# Indexes.

ARCHIVE, EARLIER = b"a" * 32, b"e" * 32
FRIDAY = date(2026, 11, 20)


def held(path: bytes, archive: int = 0) -> Held:
    entry = Entry(path, Kind.FILE, 5, 0o644, 0, 0, TIME, sha256=sha(path))
    return Held(entry, Fingerprint(1, 1), archive)


def write_beside(root: Path, *several: Held, whole: bool = False) -> None:
    archives = [Archive(b"x.tar", FRIDAY, ARCHIVE)]
    if not whole:
        archives.append(Archive(b"x.tar", date(2026, 11, 19), EARLIER))
    whole_day = FRIDAY if whole else date(2026, 11, 19)
    state = State(FRIDAY, whole_day, tuple(archives), {one.entry.path: one for one in several})
    with (root / "x.tar.index.jsonl.gz").open("wb") as stream:
        write_state(stream, state, fingerprints=False)


def test_an_index_lists_all_that_there_was_and_says_what_the_archive_holds(tmp_path: Path) -> None:
    write_beside(tmp_path, held(b"a"), held(b"b", 1), held(b"\xff\n"))
    head = READER.index_head(tmp_path, b"x.tar", ARCHIVE)
    assert head is not None
    assert not head.is_whole
    listed = list(READER.listed(tmp_path, b"x.tar"))
    assert listed == [
        Member(b"a", "file", 5, TIME, sha(b"a")),
        Member(b"b", "file", 5, TIME, sha(b"b"), held=False),
        Member(b"\xff\n", "file", 5, TIME, sha(b"\xff\n")),
    ]


def test_the_index_of_a_whole_archive_says_that_it_is_one(tmp_path: Path) -> None:
    write_beside(tmp_path, held(b"a"), whole=True)
    head = READER.index_head(tmp_path, b"x.tar", ARCHIVE)
    assert head is not None
    assert head.is_whole


def test_an_index_says_what_could_not_be_read(tmp_path: Path) -> None:
    forged(tmp_path, unread=["etc/shadow", "odd\\x0a\\xff"])
    head = READER.index_head(tmp_path, b"x.tar", ARCHIVE)
    assert head is not None
    assert head.unread == {b"etc/shadow", b"odd\n\xff"}


@pytest.mark.parametrize("unread", [7, "etc", None, [7], ["../up"], ["/abs"], [""], {"a": 1}])
def test_what_an_index_calls_unread_and_is_no_path_is_refused(tmp_path: Path, unread: object) -> None:
    forged(tmp_path, unread=unread)
    with pytest.raises(StagingError, match="calls unread"):
        READER.index_head(tmp_path, b"x.tar", ARCHIVE)


def test_where_there_is_no_index_there_is_none(tmp_path: Path) -> None:
    assert READER.index_head(tmp_path, b"x.tar", ARCHIVE) is None


def test_the_index_of_another_archive_is_refused(tmp_path: Path) -> None:
    write_beside(tmp_path, held(b"a"))
    with pytest.raises(StagingError, match="index of another archive"):
        READER.index_head(tmp_path, b"x.tar", EARLIER)


def forged(root: Path, *lines: bytes, **more: object) -> None:
    head: dict[str, object] = {"format": "cedarchest-index", "version": 1}
    head |= {"day": "2026-11-20", "whole_day": "2026-11-20", "archives": [{"sha256": ARCHIVE.hex()}], **more}
    content = b"\n".join([json.dumps(head).encode(), *lines]) + b"\n"
    (root / "x.tar.index.jsonl.gz").write_bytes(gzip.compress(content))


RECORD = (
    b'{"path":"%s","type":"file","mode":"0644","uid":0,"gid":0,"mtime_ns":%d,"size":%d,"sha256":"' + b"0" * 64
)


def record(path: bytes = b"a", mtime_ns: int = 0, size: int = 0, more: bytes = b"") -> bytes:
    return RECORD % (path, mtime_ns, size) + b'"' + more + b"}"


@pytest.mark.parametrize(
    "lines",
    [
        [b"{"],
        [b"[]"],
        [b'"x"'],
        [record(b"../up")],
        [record(b"/abs")],
        [record(b"b"), record(b"a")],
        [record(b"a"), record(b"a")],
        [record(size=1 << 63)],
        [record(mtime_ns=1 << 100)],
        [record(more=b',"in":1')],
        [record(more=b',"in":-1')],
        [record(more=b',"in":"0"')],
        [b"x" * (5 << 20)],
    ],
)
def test_records_that_no_index_has_are_refused(tmp_path: Path, lines: list[bytes]) -> None:
    forged(tmp_path, *lines)
    with pytest.raises(StagingError, match="cannot be read"):
        list(READER.listed(tmp_path, b"x.tar"))


@pytest.mark.parametrize(
    "head",
    [b"", b"null", b"[]", b'{"format": "cedarchest-index", "version": 2}', b'{"archives": 7}', b"\xff"],
)
def test_a_first_line_that_no_index_has_is_refused(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "x.tar.index.jsonl.gz").write_bytes(gzip.compress(head + b"\n"))
    with pytest.raises(StagingError, match="cannot be read"):
        READER.index_head(tmp_path, b"x.tar", ARCHIVE)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9]])
def test_an_index_that_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.index.jsonl.gz").write_bytes(content)
    with pytest.raises(StagingError):
        READER.index_head(tmp_path, b"x.tar", ARCHIVE)


def test_an_index_of_endless_zeros_is_given_up(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.tar.index.jsonl.gz", "wb", compresslevel=1) as stream:
        for _ in range(100):
            stream.write(bytes(1 << 20))
    with pytest.raises(StagingError):
        READER.index_head(tmp_path, b"x.tar", ARCHIVE)


# From streams, as discs give them


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stream_tells_what_the_file_does(tree: Path, tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"etc.{suffix}"
    subprocess.run(["tar", "-c", "-a", "-C", str(tree), "-f", str(archive), "etc"], check=True)
    content = archive.read_bytes()
    chunks = (content[at : at + 7000] for at in range(0, len(content), 7000))
    with Unpackers().opened(archive.name.encode(), chunks) as stream:
        found, elsewhere = READER.members_in(stream, len(content), archive.name.encode(), lambda _done: None)
    assert elsewhere == 0
    assert {member.path: member for member in found} == read(tmp_path, archive.name)


def test_a_stream_that_is_no_archive_is_refused_by_its_name() -> None:
    with pytest.raises(StagingError, match=r"mach/x\.tar cannot be read"):
        READER.members_in(io.BytesIO(b"no tar" * 1000), 6000, b"mach/x.tar", lambda _done: None)


def test_what_a_stream_raises_comes_through() -> None:
    class Scratched(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise DamagedDisc("scratched")

    with pytest.raises(DamagedDisc):
        READER.members_in(Scratched(), 6000, b"x.tar", lambda _done: None)


def test_an_index_tells_the_same_wherever_it_comes_from(tmp_path: Path) -> None:
    write_beside(tmp_path, held(b"a"), held(b"b", 1))
    content = (tmp_path / "x.tar.index.jsonl.gz").read_bytes()
    assert READER.head_in(content, b"x.tar", ARCHIVE) == READER.index_head(tmp_path, b"x.tar", ARCHIVE)
    assert list(READER.listed_in(content, b"x.tar")) == list(READER.listed(tmp_path, b"x.tar"))
    with pytest.raises(StagingError, match="index of another archive"):
        READER.head_in(content, b"x.tar", EARLIER)
    with pytest.raises(StagingError, match=r"x\.tar\.index"):
        list(READER.listed_in(content[:-9], b"x.tar"))
