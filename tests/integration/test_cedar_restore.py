"""What Cedar Backup stored comes back by its discs alone: tar files, encrypted, in pieces, dumps."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cedar_discs import FIRST, FIRST_LABEL, SECOND, SECOND_LABEL, burn, require_genisoimage, staged
from tests.conftest import Project
from tests.gpg import encrypted

NOISE = hashlib.shake_256(b"noise").digest(120_000)
MONDAY = {"etc/fstab": b"monday", "etc/gone": b"deleted on Tuesday", "etc/noise": NOISE}
TUESDAY = {"etc/fstab": b"tuesday", "etc/new": b"new"}


def tar(files: Mapping[str, bytes]) -> bytes:
    """As Python's tarfile, and so Cedar Backup, writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), 0o640, 1_000_000_000
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def cut(name: str, content: bytes, size: int) -> dict[str, bytes]:
    """As `split` leaves it for Cedar Backup's extension."""
    return {
        f"{name}_{number:05}": content[start : start + size]
        for number, start in enumerate(range(0, len(content), size))
    }


@pytest.fixture
def drive(project: Project) -> Iterator[Burner]:
    require()
    require_genisoimage()
    project.configure(device="/dev/sr0")
    with Burner(profile="cd-r") as burner:
        yield burner


def entered(
    project: Project, drive: Burner, tmp_path: Path, first: Mapping[str, bytes], second: Mapping[str, bytes]
) -> None:
    """Two days of a week on a disc, and nothing but the disc."""
    for label, day, files in ((FIRST_LABEL, FIRST, first), (SECOND_LABEL, SECOND, second)):
        burn(drive, label, day, staged(tmp_path / day.replace("/", "-"), files), tmp_path)
    ran = project.run("catalog", "rebuild", environ=drive.env())
    assert ran.status == 0, ran.out + ran.err


def restore(project: Project, drive: Burner, *arguments: str) -> tuple[int, dict[str, Any]]:
    to = str(project.root / "back")
    ran = project.run("--json", "restore", "--to", to, *arguments, environ=drive.env())
    return ran.status, json.loads(ran.out)


def back(project: Project) -> dict[str, bytes]:
    top = project.root / "back/mach"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_tar_files_of_a_week_are_unpacked_over_each_other(
    project: Project, drive: Burner, tmp_path: Path
) -> None:
    dump = bz2.compress(b"CREATE TABLE")
    entered(
        project,
        drive,
        tmp_path,
        {"etc.tar.gz": tar(MONDAY), "mysqldump.txt.bz2": dump},
        {"etc.tar.gz": tar(TUESDAY)},
    )
    status, told = restore(project, drive)
    assert (status, told["lost"]) == (0, [])
    assert any("what was deleted meanwhile comes back" in note for note in told["notes"])
    assert back(project) == {**MONDAY, **TUESDAY, "mysqldump.txt.bz2": dump}
    assert (project.root / "back/mach/etc/fstab").stat().st_mode & 0o777 == 0o640


def test_a_day_of_cedar_backup_comes_back_as_it_was_staged(
    project: Project, drive: Burner, tmp_path: Path
) -> None:
    archive = tar(MONDAY)
    entered(project, drive, tmp_path, {"etc.tar.gz": archive, "d/x": b"x"}, {"y": b"y"})
    assert restore(project, drive, "--day", FIRST)[0] == 0
    assert {name for name in back(project) if not name.startswith("cback.")} == {"etc.tar.gz", "d/x"}
    assert back(project)["etc.tar.gz"] == archive


def test_what_is_encrypted_or_in_pieces_is_unpacked_with_the_key_at_hand(
    project: Project, drive: Burner, tmp_path: Path, keys: str
) -> None:
    secret = encrypted(tar(MONDAY), keys)
    first = {
        **cut("etc.tar.gz.gpg", secret, len(secret) // 3),
        "svndump-0:7-srv.txt.bz2.gpg": encrypted(bz2.compress(b"a dump"), keys),
        **cut("mbox-mail.xz", lzma.compress(NOISE), 50_000),
    }
    entered(project, drive, tmp_path, first, {"etc.tar.gz.gpg": encrypted(tar(TUESDAY), keys)})
    status, told = restore(project, drive)
    assert (status, told["lost"]) == (0, []), told
    found = back(project)
    assert bz2.decompress(found.pop("svndump-0:7-srv.txt.bz2")) == b"a dump"
    assert lzma.decompress(found.pop("mbox-mail.xz")) == NOISE
    assert found == {**MONDAY, **TUESDAY}
    assert not list((project.root / "back").glob(".cedarchest*"))
    status, told = restore(project, drive, "etc/fstab", "no/such")
    assert (status, [each["path"] for each in told["lost"]]) == (11, ["mach/no/such"])
    assert told["restored"] == 0


def test_without_the_key_what_is_encrypted_is_named_and_the_rest_comes(
    project: Project, drive: Burner, tmp_path: Path, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"etc.tar.gz.gpg": encrypted(tar(MONDAY), keys), "plain": b"plain"}
    entered(project, drive, tmp_path, first, {"other": b"other"})
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(other))
    status, told = restore(project, drive)
    assert status == 11
    ((lost),) = told["lost"]
    assert "cannot be decrypted" in lost["reason"]
    assert back(project) == {"plain": b"plain", "other": b"other"}


def test_two_files_in_pieces_with_long_names_are_not_mixed(
    project: Project, drive: Burner, tmp_path: Path
) -> None:
    one, two = (hashlib.shake_256(name).digest(150_000) for name in (b"one", b"two"))
    name = "a-very-long-name-of-a-dump-of-a-data-base"
    first = {**cut(f"{name}-1.sql", one, 60_000), **cut(f"{name}-2.sql", two, 60_000)}
    entered(project, drive, tmp_path, first, {"x": b"x"})
    assert restore(project, drive)[0] == 0
    assert back(project) == {f"{name}-1.sql": one, f"{name}-2.sql": two, "x": b"x"}


def test_a_newer_archive_in_pieces_counts_more_than_an_older_plain_one(
    project: Project, drive: Burner, tmp_path: Path
) -> None:
    newer = tar(TUESDAY | {"etc/noise": NOISE[::-1]})
    entered(
        project, drive, tmp_path, {"etc.tar.gz": tar(MONDAY)}, cut("etc.tar.gz", newer, len(newer) // 2 + 1)
    )
    status, told = restore(project, drive)
    assert (status, told["lost"]) == (0, []), told
    assert back(project) == {**MONDAY, **TUESDAY, "etc/noise": NOISE[::-1]}


def test_further_names_of_a_file_keep_their_content(
    project: Project, drive: Burner, tmp_path: Path, keys: str
) -> None:
    """On Monday `b` is another name of `a`; on Tuesday `a` alone is new."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"OLD"))
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "a"
        archive.addfile(link)
    first = {"x.tar.gpg": encrypted(out.getvalue(), keys)}
    entered(project, drive, tmp_path, first, {"x.tar.gpg": encrypted(tar({"a": b"NEW"}), keys)})
    status, told = restore(project, drive)
    assert (status, told["lost"]) == (0, []), told
    assert back(project) == {"a": b"NEW", "b": b"OLD"}
    assert restore(project, drive, "b")[0] == 0
