"""What stands on a disc, read with other programs than ours: it is what was staged, whatever the names.

A disc with two sessions is written once for the module; xorriso extracts it, bsdtar and pycdlib list it,
`sha256sum` and the shell script on the disc compare it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pycdlib
import pytest
from tests.bare_root import TOOLS
from tests.cli.program import program, told
from tests.conftest import Project, Ran

FIRST, HOSTILE = "2026/11/21", "2026/11/22"
ROOT = os.geteuid() == 0
AT = 1_700_000_000
DEEP = "/".join(f"level{number:02d}_of_many" for number in range(30))
NAMES = (
    b"new\nline",
    b"two\n\nlines\n",
    b"carriage\rreturn",
    b"back\\slash",
    b"..\\victim\\keep.txt",
    b"\\x41",
    b"-rf",
    b"--",
    b"a=b",
    b"=",
    b"caf\xe9",
    b"\xff\xfe",
    "Ünïcödé ☃".encode(),
    b"n" * 255,
    b" in blanks ",
    b"tab\tbed",
    b"quote'\"`$(x)",
    b"star*[a]?",
    b"#comment",
    b"...",
    b"..hidden",
    b"README",
    b"readme",
    b"bell\x07",
    b"\x7f",
)


@dataclass(frozen=True)
class Disc:
    """A disc as staged, as an image, and as xorriso extracted it."""

    project: Project
    image: Path
    tree: Path
    stored: Ran
    days: tuple[str, ...] = (FIRST, HOSTILE)

    def json(self, path: str) -> dict[str, object]:
        """A file of the disc."""
        value = json.loads((self.tree / path).read_text())
        assert isinstance(value, dict)
        return value


def extract(image: Path, target: Path) -> Path:
    """All of a disc as files."""
    argv = ["xorriso", "-no_rc", "-hardlinks", "on", "-acl", "on", "-xattr", "any", "-osirrox", "on"]
    subprocess.run(
        [*argv, "-indev", f"stdio:{image}", "-extract", "/", str(target)], check=True, capture_output=True
    )
    return target


def stage_hostile(project: Project) -> None:
    """A day with every kind of entry and of name that a disc can hold."""
    day = project.stage(HOSTILE, {f"size{size}": os.urandom(size) for size in (0, 1, 2047, 2048, 2049)})
    alpha = day / "alpha"
    for folder, names in (("names", NAMES), (os.fsdecode(b"dir \xe9\n"), NAMES), (DEEP, NAMES[:3])):
        (alpha / folder).mkdir(parents=True)
        for raw in names:
            (alpha / folder / os.fsdecode(raw)).write_bytes(b"content of " + raw)
    (alpha / "empty").mkdir(mode=0o700)
    (alpha / "nested/empty").mkdir(parents=True)
    (alpha / "first").write_bytes(b"one file of two names\n")
    (alpha / "second").hardlink_to(alpha / "first")
    for name, target in {
        "near": "first",
        "far": "/etc/hostname",
        "gone": "nowhere/at all",
        "up": "..",
    }.items():
        (alpha / name).symlink_to(target)
    (alpha / "odd").symlink_to(os.fsdecode(b"a\nb\xff/" + b"/".join([b"t" * 250] * 4)))
    os.mkfifo(alpha / "pipe", mode=0o640)
    for mode in (0o400, 0o600, 0o755, 0o6711, 0o1777):
        path = alpha / f"mode{mode:o}"
        path.write_bytes(b"")
        path.chmod(mode)
    (alpha / "early").touch()
    os.utime(alpha / "early", (1, 1))
    os.utime(alpha / "first", ns=(AT * 10**9, AT * 10**9 + 123_456_789))
    if ROOT:
        os.chown(alpha / "size1", 1234, 2345)


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disc]:
    """Two days in two sessions of one disc."""
    project = Project(tmp_path_factory.mktemp("disc") / "project")
    for folder in (project.staging, project.shelf):
        folder.mkdir(parents=True)
    project.configure()
    project.stage(FIRST)
    assert project.run("store").status == 0
    stage_hostile(project)
    stored = project.run("--json", "store")
    assert stored.status == 0, stored.err
    (image,) = project.images()
    yield Disc(project, image, extract(image, project.root / "extracted"), stored)
    for path in (project.root / "extracted").rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(project.root)


def walk(root: Path) -> Iterator[bytes]:
    """Every path below a folder, relative to it."""
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            yield os.path.relpath(os.path.join(folder, name), os.fsencode(root))  # noqa: PTH118 - bytes


def staged_paths(disc: Disc) -> set[bytes]:
    """What of the staged days has to be on the disc, relative to its root."""
    return {
        day.encode() + b"/" + path
        for day in disc.days
        for path in walk(disc.project.staging / day)
        if path != b"cback.store"
    }


def pairs(disc: Disc) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each staged path with where it is staged and where it was extracted."""
    for path in sorted(staged_paths(disc)):
        yield path, os.fsencode(disc.project.staging) + b"/" + path, os.fsencode(disc.tree) + b"/" + path


def test_the_same_paths_stand_on_the_disc_and_no_others(disc: Disc) -> None:
    found = {path for path in walk(disc.tree) if not path.startswith(b"CEDARCHEST")}
    parents = {b"2026", b"2026/11", *(day.encode() for day in disc.days)}
    assert found == staged_paths(disc) | parents


def test_the_content_is_the_same(disc: Disc) -> None:
    for path, staged, extracted in pairs(disc):
        if stat.S_ISREG(os.lstat(staged).st_mode):
            content = Path(os.fsdecode(extracted)).read_bytes()
            assert content == Path(os.fsdecode(staged)).read_bytes(), path


def test_kinds_modes_sizes_and_link_targets_are_the_same(disc: Disc) -> None:
    for path, staged, extracted in pairs(disc):
        one, other = os.lstat(staged), os.lstat(extracted)
        if stat.S_ISLNK(one.st_mode):
            links = [Path(os.fsdecode(each)).readlink() for each in (extracted, staged)]
            assert links[0] == links[1], path
        else:
            assert oct(other.st_mode) == oct(one.st_mode), path
        if stat.S_ISREG(one.st_mode):
            assert other.st_size == one.st_size, path


def test_times_are_the_same_to_the_second(disc: Disc) -> None:
    for path, staged, extracted in pairs(disc):
        if not stat.S_ISLNK(os.lstat(staged).st_mode):
            times = os.lstat(extracted).st_mtime_ns // 10**9, os.lstat(staged).st_mtime_ns // 10**9
            assert times[0] == times[1], path


def test_hard_links_are_still_one_file(disc: Disc) -> None:
    alpha = disc.tree / HOSTILE / "alpha"
    assert (alpha / "first").samefile(alpha / "second")
    assert (alpha / "first").stat().st_nlink == 2


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
def test_owners_are_the_same(disc: Disc) -> None:
    for path, staged, extracted in pairs(disc):
        one, other = os.lstat(staged), os.lstat(extracted)
        assert (other.st_uid, other.st_gid) == (one.st_uid, one.st_gid), path


def test_the_store_indicator_is_not_on_the_disc_and_the_stage_indicator_is(disc: Disc) -> None:
    for day in disc.days:
        assert disc.project.is_marked(day)
        assert not (disc.tree / day / "cback.store").exists()
        assert (disc.tree / day / "cback.stage").is_file()


def test_parents_of_the_days_are_ours(disc: Disc) -> None:
    owners = (0, 0) if ROOT else (os.getuid(), os.getgid())
    for path in ("2026", "2026/11", "CEDARCHEST", "CEDARCHEST/sessions"):
        seen = (disc.tree / path).stat()
        assert (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid) == (0o755, *owners), path


def test_parents_of_the_days_belong_to_root_on_the_disc(disc: Disc) -> None:
    listed = subprocess.run(
        ["xorriso", "-no_rc", "-indev", f"stdio:{disc.image}", "-lsdl", "/2026", "/2026/11", "/CEDARCHEST"],
        check=True,
        capture_output=True,
    ).stdout.decode("utf-8", "replace")
    rows = [line.split()[:4] for line in listed.splitlines() if line.startswith("drwx")]
    assert [(row[0].rstrip("+"), row[2], row[3]) for row in rows] == [("drwxr-xr-x", "0", "0")] * 3


def supports_xattrs(folder: Path) -> bool:
    """Whether the file system of a folder keeps attributes of users."""
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"x")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def attributes(path: Path) -> dict[str, bytes]:
    """Extended attributes and ACLs of a path.

    Without a directory's ACL for itself: xorriso sets its mode after it, which changes the mask; on the
    disc it is right.
    """
    names = (name for name in os.listxattr(path) if not name.startswith("security."))
    return {
        name: os.getxattr(path, name)
        for name in names
        if not (path.is_dir() and name == "system.posix_acl_access")
    }


@pytest.mark.skipif(not ROOT, reason="the disc shows them to root")
def test_extended_attributes_and_acls_come_back(project: Project) -> None:
    if not supports_xattrs(project.root):
        pytest.skip("this file system keeps no attributes")
    day = project.stage(HOSTILE)
    staged = [day / "alpha/a.txt", day / "alpha/sub"]
    for path in staged:
        os.setxattr(path, "user.note", b"bytes \x00\xff\n")
        os.setxattr(path, "user.empty", b"")
        with contextlib.suppress(OSError):
            os.setxattr(path, "trusted.note", b"of root")
    if shutil.which("setfacl"):
        subprocess.run(["setfacl", "-m", "u:1234:rw,g:2345:r", *map(str, staged)], check=True)
        subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx", str(staged[1])], check=True)
        assert "system.posix_acl_access" in attributes(staged[0])
        assert "system.posix_acl_default" in attributes(staged[1])
    assert project.run("store").status == 0
    tree = extract(project.images()[0], project.root / "extracted")
    for path in staged:
        assert attributes(tree / path.relative_to(project.staging)) == attributes(path)


@pytest.mark.parametrize("session", ["001", "002"])
def test_the_sums_of_every_session_hold(disc: Disc, session: str) -> None:
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", f"CEDARCHEST/sessions/{session}/SHA256SUMS"],
        cwd=disc.tree,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK\n") >= 5


def test_together_the_sums_cover_every_file_but_themselves_and_what_is_renewed(disc: Disc) -> None:
    lines = [
        line
        for path in disc.tree.glob("CEDARCHEST/sessions/*/SHA256SUMS")
        for line in path.read_bytes().splitlines()
    ]
    files = [
        path
        for path in walk(disc.tree)
        if stat.S_ISREG(os.lstat(os.fsencode(disc.tree) + b"/" + path).st_mode)
    ]
    renewed = {b"CEDARCHEST/README.txt", b"CEDARCHEST/restore.sh"}
    uncovered = {path for path in files if path in renewed or path.startswith(b"CEDARCHEST/sessions/")}
    covered = [line for line in lines if b"  CEDARCHEST/sessions/" not in line]
    assert len(covered) == len(set(files) - uncovered)


@pytest.mark.parametrize("day", [FIRST, HOSTILE])
def test_the_sums_of_a_day_hold_where_it_was_extracted(disc: Disc, day: str) -> None:
    argv = ["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"]
    subprocess.run(argv, cwd=disc.tree / day, check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("bsdtar"), reason="libarchive-tools is not installed")
def test_bsdtar_lists_the_same_paths(disc: Disc) -> None:
    argv = ["bsdtar", "-cf", "-", "--format=gnutar", f"@{disc.image}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|", errors="surrogateescape") as archive:
            found = {os.fsencode(member.name.removeprefix("./")) for member in archive}
    assert found - {b"."} == set(walk(disc.tree))


def pycdlib_paths(image: Path) -> Iterator[bytes]:
    """Every Rock Ridge path, as bytes; walked by the plain ISO names, since the others may be no text."""
    iso = pycdlib.PyCdlib()
    iso.open(str(image))
    queue = [("/", b"")]
    while queue:
        folder, path = queue.pop()
        for child in iso.list_children(iso_path=folder):
            if child is None or child.is_dot() or child.is_dotdot():
                continue
            found = path + child.rock_ridge.name()
            yield found
            if child.is_dir():
                name = child.file_identifier().decode("ascii")
                queue.append((f"{folder.rstrip('/')}/{name}", found + b"/"))
    iso.close()


def test_pycdlib_lists_the_same_paths(disc: Disc) -> None:
    assert set(pycdlib_paths(disc.image)) == set(walk(disc.tree))


def test_the_disc_says_who_it_is(disc: Disc) -> None:
    described = disc.json("CEDARCHEST/disc.json")
    (known,) = told(disc.project.run("--json", "discs"))["details"]
    assert (described["format"], described["version"]) == ("cedarchest-disc", 1)
    assert (described["disc_id"], described["label"]) == (known["disc_id"], disc.image.stem)
    assert str(uuid.UUID(str(described["disc_id"]))) == described["disc_id"]
    assert described["copy"] == 1


def test_every_session_says_what_it_is(disc: Disc) -> None:
    for number, day in enumerate(disc.days, 1):
        described = disc.json(f"CEDARCHEST/sessions/{number:03d}/session.json")
        assert (described["format"], described["session"]) == ("cedarchest-session", number)
        assert described["on_top_of"] == number - 1
        assert described["label"] == disc.image.stem
        assert "xorriso" in str(described["tool"])
        (held,) = described["days"] if isinstance(described["days"], list) else []
        with gzip.open(disc.tree / day / "INDEX.jsonl.gz") as index:
            next(index)
            records = index.read()
        digest = hashlib.sha256(records).hexdigest()
        assert (held["day"], held["partial"], held["index_sha256"]) == (day, False, digest)
        assert held["entries"] == len(records.splitlines())


def test_a_later_session_brings_the_outcome_of_the_earlier_one(disc: Disc) -> None:
    outcome = disc.json("CEDARCHEST/sessions/002/earlier/001.json")
    assert (outcome["session"], outcome["status"]) == (1, "verified")
    digests = outcome["sha256"]
    raw = disc.image.read_bytes()
    first, blocks = outcome["first_block"], outcome["blocks"]
    assert isinstance(first, int)
    assert isinstance(blocks, int)
    extent = raw[first * 2048 : (first + blocks) * 2048]
    parts = [extent[at : at + (1 << 20)] for at in range(0, len(extent), 1 << 20)]
    assert digests == [hashlib.sha256(part).hexdigest() for part in parts]


def test_what_joliet_cannot_name_is_a_warning_and_stands_in_the_session(disc: Disc) -> None:
    (warning,) = [each for each in told(disc.stored)["warnings"] if "Joliet" in each]
    joliet = disc.json("CEDARCHEST/sessions/002/session.json")["joliet"]
    assert isinstance(joliet, dict)
    assert warning.startswith(f"{len(joliet['missing'])} entries have no Joliet name")
    assert any(path.startswith(f"{HOSTILE}/alpha/level00_of_many") for path in joliet["missing"])
    assert joliet["renamed"][f"{HOSTILE}/alpha/names/star*[a]?"] == "star_[a]_"


def test_a_readme_and_a_script_for_those_without_the_program_stand_on_the_disc(disc: Disc) -> None:
    text = (disc.tree / "CEDARCHEST/README.txt").read_text()
    assert "mount -o ro" in text
    assert "sha256sum" in text
    assert (disc.tree / "CEDARCHEST/restore.sh").read_text().startswith("#!/bin/sh\n")


def few_tools(folder: Path) -> Path:
    """A folder with the common tools that the script may use, and nothing else."""
    folder.mkdir()
    for name in (*TOOLS, "sh"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def restore(disc: Disc, tools: Path, *arguments: str, locale: str = "C") -> Ran:
    """Run the script on the disc with few tools and the plainest shell."""
    shell = shutil.which("dash") or "/bin/sh"
    done = subprocess.run(
        [shell, str(disc.tree / "CEDARCHEST/restore.sh"), *arguments],
        env={"PATH": str(few_tools(tools)), "LC_ALL": locale},
        capture_output=True,
        check=False,
    )
    return Ran(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


LOCALES = pytest.mark.parametrize("locale", ["C", "C.UTF-8"])


def test_the_script_on_the_disc_lists_the_days(disc: Disc, tmp_path: Path) -> None:
    assert restore(disc, tmp_path / "tools", "days").out.split() == list(disc.days)


@LOCALES
def test_the_script_on_the_disc_checks_everything(disc: Disc, tmp_path: Path, locale: str) -> None:
    ran = restore(disc, tmp_path / "tools", "check", locale=locale)
    assert (ran.status, ran.out, ran.err) == (0, "no problems found\n", "")


@LOCALES
def test_the_script_on_the_disc_checks_a_day(disc: Disc, tmp_path: Path, locale: str) -> None:
    ran = restore(disc, tmp_path / "tools", "check", HOSTILE, locale=locale)
    assert (ran.status, ran.out, ran.err) == (0, "no problems found\n", "")


@LOCALES
def test_the_script_on_the_disc_copies_a_day_and_compares_it(disc: Disc, tmp_path: Path, locale: str) -> None:
    target = tmp_path / "a target"
    ran = restore(disc, tmp_path / "tools", "day", HOSTILE, str(target), locale=locale)
    assert (ran.status, ran.out, ran.err) == (0, "no problems found\n", "")
    assert set(walk(target / HOSTILE)) == set(walk(disc.tree / HOSTILE))


@LOCALES
def test_the_script_on_the_disc_finds_a_file_that_differs(disc: Disc, tmp_path: Path, locale: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(disc.tree, copy, symlinks=True, ignore=lambda *_: ["pipe"])
    (copy / HOSTILE / "alpha/names" / os.fsdecode(b"caf\xe9")).write_bytes(b"else")
    spoilt = Disc(disc.project, disc.image, copy, disc.stored)
    ran = restore(spoilt, tmp_path / "tools", "check", HOSTILE, locale=locale)
    assert ran.status != 0
    assert "no problems found" not in ran.out
    assert "names/caf\N{REPLACEMENT CHARACTER}: FAILED" in ran.out


@pytest.mark.parametrize(
    "arguments", [(), ("burn",), ("day",), ("day", "2026/11/20", "x"), ("check", "2026/11/20")]
)
def test_the_script_on_the_disc_says_when_it_cannot(
    disc: Disc, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ran = restore(disc, tmp_path / "tools", *arguments)
    assert ran.status != 0
    assert ran.err or ran.out.startswith("usage:")
    assert "no problems found" not in ran.out


def test_the_disc_proves_itself_without_any_configuration(disc: Disc, tmp_path: Path) -> None:
    ran = program("verify", str(disc.image), cwd=tmp_path)
    assert (ran.status, ran.err) == (0, "")
    assert "no problems found (2 sessions, " in ran.out


def test_the_catalog_and_the_disc_agree_after_all_this(disc: Disc) -> None:
    assert disc.project.run("verify").status == 0


@pytest.fixture
def roomy(project: Project) -> Iterator[Project]:
    """A project with room for a large disc, which is not left behind."""
    if shutil.disk_usage(project.root).free < 12 << 30:
        pytest.skip("it needs 12 GiB")
    yield project
    shutil.rmtree(project.root)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_file_of_more_than_4_gib_is_stored_and_verified(roomy: Project) -> None:
    large = roomy.stage(FIRST, {"small": b"small\n"}) / "alpha/large"
    size = (4 << 30) + 4097
    with large.open("wb") as stream:
        stream.truncate(size)
        for place in (0, (4 << 30) - 2, size - 9):
            stream.seek(place)
            stream.write(b"not zero\n")
    assert roomy.run("store", timeout=1700).status == 0
    assert roomy.is_marked(FIRST)
    (image,) = roomy.images()
    if shutil.which("bsdtar"):
        path = f"{FIRST}/alpha/large"
        argv = ["bsdtar", "-xOf", str(image), path]
        digest = hashlib.sha256()
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while part := process.stdout.read(1 << 20):
                digest.update(part)
        sums = (roomy.staging / FIRST / "SHA256SUMS").read_text().splitlines()
        assert f"{digest.hexdigest()}  alpha/large" in sums
    assert roomy.run("verify", timeout=1700).status == 0


def test_names_with_what_once_was_utf_8_pass_the_check(project: Project) -> None:
    """RFC 2279 had characters of up to six bytes, past the end of Unicode."""
    folder = project.stage("2026/11/22") / "alpha"
    once = (b"\xf6\xbd\x8f\xb6", b"\xf4\x90\x80\x80x", b"\xf8\x88\x80\x80\x80x", b"\xfd\x80\x80\x80\x80\x80")
    for number, name in enumerate((*once, b"\xf7\xbf")):
        (folder / f"{number}{os.fsdecode(name)}").write_bytes(name)
    assert project.run("store").status == 0
    assert project.run("verify").status == 0


def test_the_readme_of_an_older_program_is_renewed_though_it_is_as_long(project: Project) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    with contextlib.closing(sqlite3.connect(project.root / "state/catalog.sqlite")) as catalog:
        older = "UPDATE entries SET sha256 = zeroblob(32) WHERE path = 'CEDARCHEST/README.txt'"
        assert catalog.execute(older).rowcount == 1
        catalog.commit()
    project.stage(HOSTILE)
    assert project.run("store").status == 0
    tree = extract(project.images()[0], project.root / "extracted")
    with gzip.open(tree / "CEDARCHEST/sessions/002/INDEX.jsonl.gz") as index:
        renewed = [line for line in index if b'"CEDARCHEST/README.txt"' in line or b"restore.sh" in line]
    assert len(renewed) == 1
