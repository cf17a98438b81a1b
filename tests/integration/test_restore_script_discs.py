"""The script on the discs, with what is in parts on several of them, and with discs that lie."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.bare_root import BareRoot, bare_root
from tests.cli.program import told
from tests.conftest import REPOSITORY, Project, Ran
from tests.pool import peers

pytestmark = pytest.mark.long

DAY = "2026/11/23"
KIB = 1 << 10
LONG = "n" * 248


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> BareRoot:
    return bare_root(tmp_path_factory.mktemp("bare") / "root", {"sh": "dash"})


@pytest.fixture
def bare(root: BareRoot) -> Iterator[BareRoot]:
    """A root with tools and no discs yet."""
    yield root
    for name in ("discs", "back", "copies", "victim"):
        subprocess.run(["chmod", "-R", "u+rwX", str(root.root / name)], check=False, capture_output=True)
        shutil.rmtree(root.root / name, ignore_errors=True)


def mounted(project: Project, bare: BareRoot) -> list[str]:
    """The discs of a project in a bare root."""
    for image in project.images():
        argv = ["xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", "/"]
        subprocess.run([*argv, str(bare.root / "discs" / image.stem)], check=True, capture_output=True)
    subprocess.run(["chmod", "-R", "u+w", str(bare.root / "discs")], check=True)
    return [f"/discs/{image.stem}" for image in project.images()]


def script(bare: BareRoot, disc: str, *arguments: str) -> Ran:
    return bare.run(f"{disc}/CEDARCHEST/restore.sh", *arguments)


def content(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


# -- parts -------------------------------------------------------------------------------------------

FILES = {
    "large": content("large", 3000 * KIB + 7),
    LONG: content("long", 2500 * KIB),
    "odd 'name'\n\\": content("odd", 2200 * KIB),
    "small": b"small",
    "large.part-001-of-no": b"no part",
    "other.part-001-of-": b"no part either",
}


@pytest.fixture
def in_parts(project: Project, bare: BareRoot) -> list[str]:
    """A day over several small discs, on which files are cut."""
    project.configure(capacity="2 MiB")
    folder = project.stage(DAY, FILES)
    (folder / "alpha/large").chmod(0o640)
    os.utime(folder / "alpha/large", (1_600_000_000, 1_600_000_000))
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    discs = mounted(project, bare)
    assert len(discs) > 2
    return discs


def is_whole(folder: Path) -> None:
    """A day that was copied is as it was staged."""
    found = {path.name: path.read_bytes() for path in (folder / "alpha").iterdir()}
    assert found == FILES
    large = (folder / "alpha/large").stat()
    assert (large.st_mode & 0o777, large.st_mtime) == (0o640, 1_600_000_000)
    sums = ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"]
    subprocess.run(sums, cwd=folder, check=True)


def test_one_disc_after_the_other_brings_a_day_together(in_parts: list[str], bare: BareRoot) -> None:
    for disc in in_parts[:-1]:
        ran = script(bare, disc, "day", DAY, "/back")
        assert ran.status == 1
        assert "no problems found" in ran.out
        assert "parts these are not here:" in ran.err
        assert not (bare.root / "back" / DAY / "alpha/odd 'name'\n\\").exists() or disc != in_parts[0]
    first, count = in_parts[0].removeprefix("/discs/"), len(in_parts)
    assert f"volume 1 of {count} is {first}\n" in ran.err
    assert f"volume {count} of {count} is a disc that was made after" in ran.err
    assert f"volume {count - 1} of" not in ran.err
    ran = script(bare, in_parts[-1], "day", DAY, "/back")
    assert (ran.status, ran.err) == (0, ""), ran.out
    is_whole(bare.root / "back" / DAY)
    assert script(bare, in_parts[0], "day", DAY, "/back").status == 0
    is_whole(bare.root / "back" / DAY)


def test_all_discs_at_once_bring_a_day_together(in_parts: list[str], bare: BareRoot) -> None:
    also = [word for disc in in_parts[1:] for word in ("--also", disc)]
    ran = script(bare, in_parts[0], *also, "day", DAY, "/back")
    assert (ran.status, ran.err) == (0, ""), ran.out
    is_whole(bare.root / "back" / DAY)


def test_parts_in_a_folder_to_which_discs_were_copied_are_joined(in_parts: list[str], bare: BareRoot) -> None:
    for disc in in_parts:
        shutil.copytree(bare.root / disc[1:], bare.root / "copies", dirs_exist_ok=True)
    ran = script(bare, in_parts[0], "join", "/copies")
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert ran.out.count("joined ") == 3
    is_whole(bare.root / "copies" / DAY)


def test_a_part_that_differs_joins_nothing(in_parts: list[str], bare: BareRoot) -> None:
    for disc in in_parts:
        shutil.copytree(bare.root / disc[1:], bare.root / "copies", dirs_exist_ok=True)
    (part,) = (bare.root / "copies" / DAY / "alpha").glob("large.part-001-of-*[0-9]")
    part.write_bytes(b"something else")
    ran = script(bare, in_parts[0], "join", "/copies")
    assert ran.status == 1
    assert "/copies/2026/11/23/alpha/large.joined is not what its checksum says" in ran.err
    assert part.exists()
    assert ran.out.count("joined ") == 2


def test_what_stands_where_a_file_would_be_joined_is_not_overwritten(
    in_parts: list[str], bare: BareRoot
) -> None:
    for disc in in_parts:
        shutil.copytree(bare.root / disc[1:], bare.root / "copies", dirs_exist_ok=True)
    (bare.root / "copies" / DAY / "alpha/large").write_bytes(b"mine")
    ran = script(bare, in_parts[0], "join", "/copies")
    assert ran.status == 1
    assert (bare.root / "copies" / DAY / "alpha/large").read_bytes() == b"mine"
    assert list((bare.root / "copies" / DAY / "alpha").glob("large.part-001-of-*[0-9]"))


def test_a_copied_day_leads_nowhere_else(project: Project, bare: BareRoot) -> None:
    """One disc has a link where another has a folder."""
    project.stage(DAY, {"in/f": b"f"})
    assert project.run("store").status == 0
    (disc,) = mounted(project, bare)
    before = sorted((bare.root / "tmp").iterdir())
    (bare.root / "back" / DAY / "alpha").mkdir(parents=True)
    (bare.root / "back" / DAY / "alpha/in").symlink_to("/tmp")
    ran = script(bare, disc, "day", DAY, "/back")
    assert ran.status == 1
    assert "alpha/in is a link" in ran.err
    assert sorted((bare.root / "tmp").iterdir()) == before


# -- archives ----------------------------------------------------------------------------------------


def collecting(project: Project, **keys: object) -> Path:
    """A project that collects a folder of this machine as peer `here`."""
    home = project.root / "home"
    home.mkdir()
    peers(project, {"name": "here"})
    text = project.config.read_text() + (
        f'[collect]\ndir = "{project.root}/collect/here"\nmode = "incr"\n'
        f'[[collect.source]]\npath = "{home}"\nrecursion_level = 1\n'
    )
    keyed = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    project.config.write_text(text.replace('device = "shelf:shelf"\n', f'device = "shelf:shelf"\n{keyed}'))
    return home


def night(project: Project, now: str) -> None:
    project.environ["CEDARCHEST_NOW"] = now
    for action in ("collect", "stage", "store"):
        ran = project.run(action)
        assert ran.status == 0, ran.out + ran.err


def restored(bare: BareRoot, home: Path) -> dict[str, bytes]:
    top = bare.root / "back/here" / str(home)[1:]
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_an_archive_in_parts_is_unpacked_from_all_its_discs(project: Project, bare: BareRoot) -> None:
    home = collecting(project, capacity="2 MiB")
    (home / "noise").write_bytes(content("noise", 4500 * KIB))
    night(project, "2026-11-23T03:00")
    first, *others = mounted(project, bare)
    also = [word for disc in others for word in ("--also", disc)]
    partly = script(bare, first, *also[:-2], "host", "here", DAY, "/back")
    assert partly.status == 1
    assert "home.tar.zst of 2026-11-23 is missing: 1 files are in it" in partly.err
    assert f"volume {len(others) + 1} of {len(others) + 1} is a disc that was made after" in partly.err
    assert restored(bare, home) == {}
    subprocess.run(["rm", "-r", str(bare.root / "back")], check=True)
    ran = script(bare, first, *also, "host", "here", DAY, "/back")
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert restored(bare, home) == {"noise": content("noise", 4500 * KIB)}


def test_archives_of_odd_names_come_back(project: Project, bare: BareRoot) -> None:
    home = collecting(project)
    wanted = {f"{name}/x": name.encode() for name in ('it\'s "odd"', '"', "tab\t", "b\\n", '","day":"')}
    for path, content in wanted.items():
        (home / path).parent.mkdir()
        (home / path).write_bytes(content)
    night(project, "2026-11-23T03:00")
    ran = script(bare, mounted(project, bare)[0], "host", "here", DAY, "/back")
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert restored(bare, home) == wanted


def test_what_could_not_be_read_is_told(of_user: Project, bare: BareRoot) -> None:
    home = collecting(of_user)
    odd = 'sub/it\'s "odd"\n'
    (home / odd).mkdir(parents=True)
    for name in ("plain", "secret", f"{odd}/x"):
        (home / name).write_bytes(name.encode())
    for day, mode in {"2026-11-23": 0o755, "2026-11-24": 0, "2026-11-30": 0}.items():
        (home / "plain").write_bytes(day.encode())
        for name in ("secret", odd):
            (home / name).chmod(mode)
        for action in ("collect", "stage", "store"):
            ran = of_user.run_as_user(action, environ={"CEDARCHEST_NOW": f"{day}T03:00+00:00"})
            assert ran.status == (0 if mode or action != "collect" else 11), ran.err
    (home / odd).chmod(0o755)
    disc = mounted(of_user, bare)[0]
    unread = [str(home / name).replace("\n", "?") for name in ("secret", odd)]
    ran = script(bare, disc, "host", "here", "2026/11/24", "/back")
    assert ran.status == 0, ran.err
    for path in unread:
        assert f"{path} was not read on 2026-11-24T03:00:00+00:00, and is as it was before\n" in ran.err
    assert restored(bare, home) == {
        "plain": b"2026-11-24",
        "secret": b"secret",
        f"{odd}/x": f"{odd}/x".encode(),
    }
    shutil.rmtree(bare.root / "back")
    ran = script(bare, disc, "host", "here", "2026/11/30", "/back")
    assert ran.status == 1
    for path in unread:
        assert f"{path} was not read on 2026-11-30T03:00:00+00:00: an earlier day may have it\n" in ran.err
    assert "2 problems; all else of here as of 2026/11/30 is in" in ran.err
    assert restored(bare, home) == {"plain": b"2026-11-30"}


@pytest.mark.parametrize("first_day", ["2026-11-23", "2026-11-24"])
def test_what_was_collected_again_on_a_day_counts(project: Project, bare: BareRoot, first_day: str) -> None:
    """The archive of a folder that went meanwhile is still on the disc beside those of the later collect."""
    home = collecting(project)
    for user in ("ann", "bob"):
        (home / user).mkdir()
        (home / user / "f").write_bytes(user.encode())
    if first_day != "2026-11-23":
        night(project, "2026-11-23T03:00")
        (home / "eve").mkdir()
        (home / "eve/f").write_bytes(b"eve")
    night(project, f"{first_day}T04:00")
    shutil.rmtree(home / "bob")
    shutil.rmtree(home / "eve", ignore_errors=True)
    (home / "ann/f").write_bytes(b"later")
    night(project, f"{first_day}T05:00")
    (disc,) = mounted(project, bare)
    ran = script(bare, disc, "host", "here", first_day.replace("-", "/"), "/back")
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert restored(bare, home) == {"ann/f": b"later"}


# -- lies --------------------------------------------------------------------------------------------


def lying_disc(
    bare: BareRoot, members: Sequence[tarfile.TarInfo], records: Sequence[Mapping[str, object]]
) -> str:
    """A disc with an archive of a peer and its index, in order as far as checksums tell."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            member.size = 4 if member.isreg() else 0
            archive.addfile(member, io.BytesIO(b"evil"))
    sha256 = hashlib.sha256(stream.getvalue()).hexdigest()
    head = {
        "format": "cedarchest-index", "version": 1, "of": "archive", "day": "2026-11-23",
        "whole_day": "2026-11-23", "source": "s", "at": "2026-11-23T02:00:00+00:00",
        "archives": [{"name": "s.tar", "day": "2026-11-23", "sha256": sha256}],
    }  # fmt: skip
    lines = [json.dumps(each, separators=(",", ":")).replace("NUL", "\0") for each in (head, *records)]
    files = {
        "s.tar": stream.getvalue(),
        "s.tar.index.jsonl.gz": gzip.compress("".join(line + "\n" for line in lines).encode()),
    }
    day = bare.root / "discs/evil" / DAY
    (day / "here").mkdir(parents=True)
    (bare.root / "discs/evil/CEDARCHEST").mkdir()
    shutil.copy(
        REPOSITORY / "src/cedarchest/on_disc/restore.sh", bare.root / "discs/evil/CEDARCHEST/restore.sh"
    )
    for name, data in files.items():
        (day / "here" / name).write_bytes(data)
    sums = [f"{hashlib.sha256(data).hexdigest()}  here/{name}\n" for name, data in files.items()]
    (day / "SHA256SUMS").write_text("".join(sums))
    return "/discs/evil"


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, 0o644
    return made


def record(path: str, kind: str = "file", mode: str = "", **more: object) -> dict[str, object]:
    mode = mode or ("0755" if kind == "dir" else "0644")
    sums = {"size": 4, "sha256": hashlib.sha256(b"evil").hexdigest()} if kind == "file" else {}
    me = {"uid": os.getuid(), "gid": os.getgid()}
    return {"path": path, "type": kind, "mode": mode, **me, "mtime_ns": 10**18, **sums, **more}


LINK, HARD, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
LIES = {
    "paths that lead elsewhere": (
        [member("../../victim/pwned"), member("/victim/pwned"), member("s/../../../victim/pwned")],
        [record("../../victim/pwned"), record("/victim/pwned"), record("s/../../../victim/pwned")],
    ),
    "paths with zero bytes": (
        [member("../../victim/pwned"), member("s/x")],
        [
            record(f"s/.{zero}./.{zero}./.{zero}./.{zero}./victim/{kind}", kind)
            for zero in ("NUL", "\\x00", "\0", "\\", "\\x0g")
            for kind in ("file", "dir", "fifo")
        ],
    ),
    "a link in the archive, a folder in the index": (
        [member("s/x", LINK, "../../../../victim"), member("s/x/pwned")],
        [record("s", "dir"), record("s/x", "dir"), record("s/x/pwned")],
    ),
    "a link to a link": (
        [member("s/a", LINK, "b"), member("s/b", LINK, "/victim"), member("s/a/pwned"), member("s/b/pwned")],
        [record("s/a", "dir"), record("s/a/pwned"), record("s/b/pwned")],
    ),
    "a link in the index with something below": (
        [member("s/x/pwned")],
        [record("s/x", "link", target="/victim"), record("s/x/pwned")],
    ),
    "a hard link to what is outside": (
        [member("s/x", HARD, "../../../../victim/precious"), member("s/y", HARD, "/victim/precious")],
        [record("s/x", mode="0666"), record("s/y", mode="0666")],
    ),
    "a link where the index has a file": (
        [member("s/x", LINK, "/victim/precious")],
        [record("s/x", mode="0666")],
    ),
    "commands instead of attributes": (
        [member("s/$(touch victim;echo)`touch /victim/pwned`';touch /victim/pwned;'")],
        [
            record("s/$(touch victim;echo)`touch /victim/pwned`';touch /victim/pwned;'"),
            record("s/mode", "dir", mode="0644; touch /victim/pwned"),
            record("s/flag", "dir", mode="--reference=/victim/precious"),
            record("s/link", "link", target="'; touch /victim/pwned; '"),
            record("s/dash", "link", target="--target-directory=/victim"),
        ],
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_nothing_outside_is_touched_whatever_a_disc_says(bare: BareRoot, lie: str) -> None:
    victim = bare.root / "victim"
    victim.mkdir(mode=0o777)
    (victim / "precious").write_bytes(b"precious")
    (victim / "precious").chmod(0o600)
    (bare.root / "discs").mkdir()
    before = {path: path.lstat() for path in bare.root.rglob("*") if path.name != "null"}
    disc = lying_disc(bare, *LIES[lie])
    ran = script(bare, disc, "host", "here", DAY, "/back")
    after = {path: path.lstat() for path in bare.root.rglob("*")}
    new = {path.relative_to(bare.root).parts[0] for path in after.keys() - before.keys()}
    assert new <= {"back", "discs", "dev"}, ran.out + ran.err
    for path, status in before.items():
        assert (after[path].st_mode, after[path].st_size) == (status.st_mode, status.st_size), path
    assert {path.name for path in (bare.root / "back").iterdir()} <= {"here"}, ran.out + ran.err


def test_a_folder_is_made_where_one_source_has_a_link_and_another_something_below(
    bare: BareRoot,
) -> None:
    disc = lying_disc(bare, *LIES["a link in the index with something below"])
    ran = script(bare, disc, "host", "here", DAY, "/back")
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert (bare.root / "back/here/s/x/pwned").read_bytes() == b"evil"
