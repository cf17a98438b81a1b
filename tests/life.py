"""Two weeks in the life of a machine, and how it looked on each of their days."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cli.test_disc_content import NAMES
from tests.conftest import Project
from tests.pool import peers

ROOT = os.geteuid() == 0
EVERY_BYTE = [bytes([97, code, 98]) for code in range(1, 256) if code != ord("/")]
MON, TUE, WED, THU, FRI, NEXT_MON, NEXT_TUE = (
    "2026/11/23",
    "2026/11/24",
    "2026/11/25",
    "2026/11/26",
    "2026/11/27",
    "2026/11/30",
    "2026/12/01",
)

Picture = Mapping[bytes, tuple[object, ...]]


def picture(top: Path) -> Picture:
    """All that has to come back: kinds, modes, owners, times, content, targets, names of one file."""
    seen: dict[bytes, tuple[object, ...]] = {}
    first: dict[int, bytes] = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for path in [folder, *(os.path.join(folder, name) for name in (*folders, *files))]:  # noqa: PTH118
            status = os.lstat(path)
            name = path[len(os.fsencode(top)) :]
            is_link = stat.S_ISLNK(status.st_mode)
            content: object = os.readlink(path) if is_link else None  # noqa: PTH115 - bytes
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
            times = 0 if is_link or stat.S_ISFIFO(status.st_mode) else status.st_mtime_ns
            is_one_of_several = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
            same = first.setdefault(status.st_ino, name) if is_one_of_several else b""
            keys = () if is_link else sorted(os.listxattr(path))
            more = tuple((key, os.getxattr(path, key)) for key in keys)
            seen[name] = (oct(status.st_mode), status.st_uid, status.st_gid, times, content, same, more)
    return {name: what for name, what in seen.items() if name}


def without_attributes(seen: Picture) -> Picture:
    """All but extended attributes and ACLs."""
    return {name: what[:-1] for name, what in seen.items()}


def first_day(home: Path) -> None:
    for user in ("ann", "bob"):
        (home / user / "docs").mkdir(parents=True)
        for number in range(3):
            (home / user / "docs" / f"f{number}").write_bytes(os.urandom(3000))
    (home / "odd").mkdir()
    for raw in (*NAMES, *EVERY_BYTE):
        (home / "odd" / os.fsdecode(raw)).write_bytes(b"content of " + raw)
    (home / os.fsdecode(b"-dir '\n\\ \xe9")).mkdir()
    (home / os.fsdecode(b"-dir '\n\\ \xe9") / "-rf").write_bytes(b"in an odd folder")
    (home / "one").write_bytes(b"one file of two names")
    (home / "two").hardlink_to(home / "one")
    (home / "ann/docs/deep/er").mkdir(parents=True)
    (home / "ann/docs/deep/er/two").hardlink_to(home / "ann/docs/f0")
    links = {"near": "one", "far": "/etc", "up": "../..", "gone": "-no where\n'\\", "in": "ann"}
    for name, target in links.items():
        (home / name).symlink_to(target)
    os.mkfifo(home / "pipe", mode=0o640)
    with (home / "holes").open("wb") as stream:
        stream.seek(2_000_000)
        stream.write(b"end")
        stream.truncate(5_000_000)
    for mode in (0o400, 0o604, 0o755, 0o6711, 0o1777):
        (home / f"mode{mode:o}").write_bytes(b"%o" % mode)
        (home / f"mode{mode:o}").chmod(mode)
    (home / "empty").mkdir()
    (home / "shut/in").mkdir(parents=True)
    (home / "shut/in/f").write_bytes(b"nobody may write here")
    (home / "file-dir").write_bytes(b"a file on Monday")
    (home / "dir-file/below").mkdir(parents=True)
    (home / "dir-file/below/f").write_bytes(b"x")
    (home / "dir-link").mkdir()
    (home / "dir-link/f").write_bytes(b"y")
    (home / "link-dir").symlink_to("ann")
    (home / "large").write_bytes(os.urandom(1 << 20))
    os.setxattr(home / "large", "user.colour", b"blue\0\xff")
    os.setxattr(home / "ann", "user.of", b"ann")
    subprocess.run(["setfacl", "-m", "u:12:r", str(home / "one")], check=True)
    subprocess.run(["setfacl", "-m", "d:u:12:rx,u:13:x", str(home / "bob")], check=True)
    if ROOT:
        os.chown(home / "mode604", 1234, 2345)
    (home / "shut").chmod(0o500)


def second_day(home: Path) -> None:
    (home / "ann/docs/f0").write_bytes(b"changed")
    os.setxattr(home / "large", "user.colour", b"green")  # nothing else of it changes, either
    (home / "ann/docs/f1").unlink()
    (home / "ann/docs/f2").rename(home / "bob/docs/moved")
    for name in ("two\n\nlines\n", "-rf", "\\x41", os.fsdecode(b"caf\xe9")):
        (home / "odd" / name).unlink()
    (home / "mode755").chmod(0o711)  # nothing else of it changes: only the index says so
    os.utime(home / "mode604", ns=(1, 981_173_106_123_456_789))
    (home / "file-dir").unlink()
    (home / "file-dir").mkdir()
    (home / "file-dir/f").write_bytes(b"a folder on Tuesday")
    shutil.rmtree(home / "dir-file")
    (home / "dir-file").write_bytes(b"a file on Tuesday")
    shutil.rmtree(home / "dir-link")
    (home / "dir-link").symlink_to("/etc")
    (home / "link-dir").unlink()
    (home / "link-dir").mkdir()
    (home / "link-dir/f").write_bytes(b"z")
    (home / "eve/docs").mkdir(parents=True)
    (home / "eve/docs/f").write_bytes(b"new here")
    (home / "near").unlink()
    (home / "near").symlink_to("large")


def third_day(home: Path) -> None:
    shutil.rmtree(home / "bob")
    (home / "ann/docs/f1").write_bytes(b"back again")
    shutil.rmtree(home / "file-dir")
    (home / "file-dir").write_bytes(b"a file once more")
    (home / "dir-link").unlink()
    (home / "dir-link").mkdir()
    (home / "one").unlink()
    (home / "pipe").unlink()
    if ROOT:
        os.chown(home / "mode604", 77, 88)


def fifth_day(home: Path) -> None:
    (home / "eve/docs/late").write_bytes(b"late")
    (home / "ann/docs/f0").unlink()


def next_week(home: Path) -> None:
    """A user is gone whose archive of last week still lies on a disc, and the week begins with all anew."""
    shutil.rmtree(home / "ann")
    (home / "odd/new").write_bytes(b"new")


def last_day(home: Path) -> None:
    (home / "ann").mkdir()
    (home / "ann/again").write_bytes(b"another one")
    (home / "odd/new").unlink()


LIFE = {
    MON: first_day,
    TUE: second_day,
    WED: third_day,
    THU: lambda _: None,
    FRI: fifth_day,
    NEXT_MON: next_week,
    NEXT_TUE: last_day,
}


def lived(project: Project) -> dict[str, Picture]:
    """Have it live, collected, staged and stored on a new disc each day; how its home was."""
    home = project.root / "home"
    for folder in (project.staging, project.shelf, home, project.root / "etc"):
        folder.mkdir(parents=True)
    peers(project, {"name": "here"})
    text = project.config.read_text() + (
        f'[collect]\ndir = "{project.root}/collect/here"\nmode = "incr"\n'
        f'[[collect.source]]\npath = "{home}"\nrecursion_level = 2\n'
        f'[[collect.source]]\npath = "{project.root}/etc"\nmode = "daily"\narchive = "tar.gz"\n'
        '[[collect.command]]\nname = "dump"\nargv = ["echo", "a dump"]\n'
    )
    project.config.write_text(
        text.replace('device = "shelf:shelf"', 'device = "shelf:shelf"\nnew_disc = "daily"\n')
    )
    days = {}
    for day, live in LIFE.items():
        project.environ["CEDARCHEST_NOW"] = f"{day.replace('/', '-')}T03:00"
        live(home)
        (project.root / "etc/today").write_text(day)
        days[day] = picture(project.root / "home")
        for action in ("collect", "stage", "store"):
            ran = project.run(action)
            assert ran.status == 0, ran.out + ran.err
    return days
