"""`collect` as users run it: what a machine has comes into archives that hold everything, nothing twice."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import error_of, told
from tests.conftest import Project

from cedarchest.model.handover import read_collected, read_receipt
from cedarchest.model.index import read_index

pytestmark = pytest.mark.slow

MONDAY, TUESDAY, WEDNESDAY = "2026-11-23T03:00", "2026-11-24T03:00", "2026-11-25T03:00"
NEXT_TUESDAY = "2026-12-01T03:00"


def sources(project: Project, *tables: dict[str, object], commands: Any = (), **collect: object) -> None:
    """Configure what is collected, and this machine as the peer that stages it."""
    folder = project.root / "collect"
    text = project.config.read_text().split("[collect]")[0] + "[collect]\n"
    text += _keys({"dir": str(folder), **collect})
    text += "".join(f"[[collect.source]]\n{_keys(table)}" for table in tables)
    text += "".join(f"[[collect.command]]\n{_keys(table)}" for table in commands)
    text += f'[[peer]]\nname = "here"\ncollect_dir = "{folder}"\n'
    project.config.write_text(text)


def _keys(values: dict[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@pytest.fixture
def home(project: Project) -> Iterator[Path]:
    """A small tree, on a Tuesday."""
    project.environ["CEDARCHEST_NOW"] = TUESDAY
    top = project.root / "home"
    for name in ("a", "b/c", "b/d/e"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    settle(top)
    yield top
    subprocess.run(["chmod", "-R", "u+rwX", str(project.root)], check=True)


def settle(top: Path) -> None:
    """Wait until the times of change lie so far back that a file is known by them."""
    while _age_ns(top) < 1.1e9:
        time.sleep(0.05)


def _age_ns(top: Path) -> int:
    probe = top.parent / "probe"
    probe.write_bytes(b"")
    now = probe.stat().st_ctime_ns
    probe.unlink()
    return now - max(os.lstat(path).st_ctime_ns for path in [top, *top.rglob("*")])


def collected(project: Project) -> dict[str, Path]:
    """What a collect left, as its list has it; each as it was digested there."""
    folder = project.root / "collect"
    listed = read_collected((folder / "cback.collect.jsonl").read_bytes())
    for name, file in listed.items():
        content = (folder / os.fsdecode(name)).read_bytes()
        assert (len(content), hashlib.sha256(content).digest()) == (file.size, file.sha256)
    assert (folder / "cback.collect").is_file()
    return {os.fsdecode(name): folder / os.fsdecode(name) for name in listed}


def members(archive: Path, top: Path) -> set[str]:
    """Members of an archive by path from `top`; the top itself is `.`."""
    done = subprocess.run(["tar", "-tf", str(archive)], check=True, capture_output=True)
    return {os.path.relpath("/" + line, top) for line in os.fsdecode(done.stdout).splitlines()}


def records(archive: Path) -> list[dict[str, Any]]:
    """First line and records of an archive's index."""
    lines = gzip.decompress(Path(f"{archive}.index.jsonl.gz").read_bytes()).splitlines()
    return [json.loads(line) for line in lines]


def holding(archive: Path, top: Path) -> dict[str, int]:
    """What the index says: each path from `top`, and in which archive it is."""
    return {
        os.path.relpath("/" + record["path"], top): record.get("in", 0) for record in records(archive)[1:]
    }


def archive_of(top: Path, suffix: str = ".zst") -> str:
    return str(top).strip("/").replace("/", "-") + ".tar" + suffix


def proven(project: Project) -> None:
    """Stage and store what was collected; the receipt comes into the collect dir."""
    assert project.run("stage").status == 0
    ran = project.run("store")
    assert ran.status == 0, ran.err


# -- what is in an archive --------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
def test_an_archive_holds_everything_and_is_ours_alone_to_read(
    project: Project, home: Path, form: str
) -> None:
    (home / "empty").mkdir()
    (home / "dangling").symlink_to("nowhere")
    os.link(home / "a", home / "b" / "hard")
    os.mkfifo(home / "pipe")
    with (home / "sparse").open("wb") as stream:
        stream.seek(3_000_000)
        stream.write(b"end")
        stream.truncate(9_000_000)
    (home / os.fsdecode(b"\xff new\nline\\ -x")).write_bytes(b"odd")
    (home / "-dash").write_bytes(b"")
    long = home / ("l" * 255) / ("m" * 200)
    long.parent.mkdir()
    long.write_bytes(b"long")
    (home / "large").write_bytes(os.urandom(3 << 20))
    os.setxattr(home / "a", "user.note", b"kept")
    subprocess.run(["setfacl", "-m", "u:1:r", str(home / "b/c")], check=True)
    os.utime(home / "b/c", ns=(1, 981_173_106_123_456_789))
    if os.geteuid() == 0:
        os.mknod(home / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    listening = socket.socket(socket.AF_UNIX)
    with listening:
        here = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        listening.bind(f"/proc/self/fd/{here}/socket")  # its own path may be too long for one
        os.close(here)
    sources(project, {"path": str(home)}, archive=form)
    ran = project.run("collect")
    assert ran.status == 0, ran.err
    left = collected(project)
    name = archive_of(home, form.removeprefix("tar"))
    assert set(left) == {name, f"{name}.index.jsonl.gz"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (project.root / "collect").iterdir()} == {0o600}
    back = project.root / "back"
    back.mkdir()
    options = ["--xattrs", "--acls", "--same-permissions"]
    subprocess.run(["tar", *options, "-xf", str(left[name]), "-C", str(back)], check=True)
    (home / "socket").unlink()
    assert picture(back / str(home).strip("/")) == picture(home)
    assert (back / str(home).strip("/") / "sparse").stat().st_blocks * 512 < 1_000_000
    with Path(f"{left[name]}.index.jsonl.gz").open("rb") as stream:
        index = read_index(stream)
    assert {b"/" + entry.path for entry in index.entries} == {
        os.fsencode(path) for path in [home, *home.rglob("*")]
    }
    for entry in index.entries:
        if entry.kind == "file":
            content = Path("/", os.fsdecode(entry.path)).read_bytes()
            assert entry.sha256 == hashlib.sha256(content).digest(), entry.path
    assert [entry.hardlink for entry in index.entries if entry.path.endswith(b"b/hard")] == [
        os.fsencode(home / "a")[1:]
    ]


def of_owner(home: Path) -> None:
    """An attribute of a file."""
    os.setxattr(home / "b/c", "user.note", b"kept")


def of_link(home: Path) -> None:
    """An attribute of a link, which root may give it."""
    (home / "link").symlink_to("nowhere")
    if os.geteuid() == 0:
        os.setxattr(home / "link", "trusted.note", b"kept", follow_symlinks=False)


def acl(home: Path) -> None:
    """An ACL of a file."""
    subprocess.run(["setfacl", "-m", "u:1:r", str(home / "b/c")], check=True)


def default_acl(home: Path) -> None:
    """What a folder hands down, without an ACL of its own."""
    subprocess.run(["setfacl", "-d", "-m", "u:1:r", str(home / "b")], check=True)


@pytest.mark.parametrize("give", [of_owner, of_link, acl, default_acl])
def test_an_attribute_comes_back_where_nothing_else_has_one(
    project: Project, home: Path, give: Callable[[Path], None]
) -> None:
    give(home)
    sources(project, {"path": str(home)})
    assert project.run("collect").status == 0
    back = project.root / "back"
    back.mkdir()
    options = ["--xattrs", "--xattrs-include=*", "--acls", "--same-permissions"]
    archive = collected(project)[archive_of(home)]
    subprocess.run(["tar", *options, "-xf", str(archive), "-C", str(back)], check=True)
    assert picture(back / str(home).strip("/")) == picture(home)


def picture(top: Path) -> dict[bytes, object]:
    """All that can be told of a tree."""
    seen: dict[bytes, object] = {}
    inodes: dict[int, bytes] = {}
    for path in sorted([top, *top.rglob("*")]):
        raw, status = os.fsencode(path), os.lstat(path)
        name = raw[len(os.fsencode(top)) :]
        kind = stat.S_IFMT(status.st_mode)
        first = inodes.setdefault(status.st_ino, name)
        content: object = status.st_rdev
        if stat.S_ISREG(kind):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(kind):
            content = path.readlink()
        names = os.listxattr(raw, follow_symlinks=False)
        xattrs = {each: os.getxattr(raw, each, follow_symlinks=False) for each in names}
        times = 0 if stat.S_ISDIR(kind) else status.st_mtime_ns
        seen[name] = (kind, status.st_mode, status.st_uid, status.st_gid, times, first, content, xattrs)
    return seen


def test_a_file_that_is_reached_on_two_ways_has_its_digest_on_both(project: Project, home: Path) -> None:
    """Tar keeps the second as a link to the first, though the file has one name."""
    (home / "link").symlink_to("b")
    sources(project, {"path": str(home), "link_depth": 1}, {"path": str(home / "b")})
    assert project.run("collect").status == 0
    archive = collected(project)[archive_of(home)]
    assert {"link/c", "b/c"} <= members(archive, home)
    with Path(f"{archive}.index.jsonl.gz").open("rb") as stream:
        found = {entry.path[len(str(home)) :]: entry.sha256 for entry in read_index(stream).entries}
    assert found[b"link/c"] == found[b"b/c"] == hashlib.sha256(b"b/c" * 1000).digest()


@pytest.mark.parametrize("names", [["x.tar.zst"], ["x.tar"], ["db", "db.gz"], ["db", "db"], ["x.deleted"]])
def test_a_command_takes_no_name_of_another_archive(project: Project, home: Path, names: list[str]) -> None:
    commands = [{"name": name, "argv": ["echo"], "archive": "tar"} for name in names]
    sources(project, {"path": str(home)}, commands=commands)
    assert error_of(project.run("--json", "collect"))["code"] == 4


def test_a_pattern_that_is_none_is_an_error_of_the_configuration(project: Project, home: Path) -> None:
    sources(project, {"path": str(home), "exclude": ["!"]})
    assert error_of(project.run("--json", "collect"))["message"] == (
        "collect: exclude '!' is no pattern as in .gitignore"
    )


def test_what_root_collects_is_for_whom_the_master_logs_in_as(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    text = project.config.read_text()
    project.config.write_text(text.replace("[options]\n", '[options]\nuser = "nobody"\n'))
    assert project.run("collect").status == 0
    owner = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    assert {path.stat().st_uid for path in (project.root / "collect").rglob("*")} == {owner}
    project.config.write_text(text.replace("[options]\n", '[options]\nuser = "nobody-at-all"\n'))
    error = error_of(project.run("--json", "collect"))
    assert (error["code"], error["kind"]) == (4, "ConfigError")


def test_names_that_would_collide_are_told_apart(project: Project, home: Path) -> None:
    (home / "b-c").write_bytes(b"other")
    sources(project, {"path": str(home / "b-c")}, {"path": str(home / "b/c")}, {"path": str(home / "a")})
    assert project.run("collect").status == 0
    archives = [name for name in collected(project) if name.endswith(".tar.zst")]
    shared = archive_of(home / "b/c").removesuffix(".tar.zst")
    assert sorted(name.startswith(f"{shared}-") for name in archives) == [False, True, True]
    held = [members(project.root / "collect" / name, home) for name in sorted(archives)]
    assert sorted(map(sorted, held)) == [["a"], ["b-c"], ["b/c"]]


def test_a_source_is_named_once(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, {"path": str(home)})
    error = error_of(project.run("--json", "collect"))
    assert (error["code"], error["kind"]) == (4, "ConfigError")
    sources(project)
    error = error_of(project.run("--json", "collect"))
    assert (error["code"], error["message"]) == (4, "the configuration names nothing to collect")


# -- what is left out -------------------------------------------------------------------------------

EVERYTHING = {".", "a", "b", "b/c", "b/d", "b/d/e"}


@pytest.mark.parametrize(
    ("everywhere", "of_source", "left"),
    [
        ({}, {}, EVERYTHING),
        ({}, {"exclude": ["c"]}, EVERYTHING - {"b/c"}),
        ({}, {"exclude": ["/d"]}, EVERYTHING),
        ({}, {"exclude": ["/b/d"]}, EVERYTHING - {"b/d", "b/d/e"}),
        ({}, {"exclude": ["b/*", "!b/c"]}, EVERYTHING - {"b/d", "b/d/e"}),
        ({}, {"exclude": ["a/"]}, EVERYTHING),
        ({}, {"exclude": ["{home}/b/d"]}, EVERYTHING - {"b/d", "b/d/e"}),
        ({"exclude": ["{home}/b"]}, {}, {".", "a"}),
        ({"exclude": ["/b"]}, {}, EVERYTHING),
        ({"exclude": ["e"]}, {"exclude": ["a"]}, EVERYTHING - {"a", "b/d/e"}),
        ({"exclude_regex": [".*/[ae]"]}, {}, EVERYTHING - {"a", "b/d/e"}),
        ({"exclude_regex": ["b"]}, {"exclude_regex": ["{home}/b"]}, {".", "a"}),
        ({"ignore_file": "c"}, {}, {".", "a"}),
        ({"ignore_file": "c"}, {"ignore_file": "e"}, {".", "a", "b", "b/c"}),
    ],
)
def test_what_is_left_out_is_said_by_patterns_expressions_and_files(
    project: Project,
    home: Path,
    everywhere: dict[str, Any],
    of_source: dict[str, Any],
    left: set[str],
) -> None:
    def here(table: dict[str, Any]) -> dict[str, Any]:
        return json.loads(json.dumps(table).replace("{home}", str(home)))  # type: ignore[no-any-return]

    sources(project, {"path": str(home), **here(of_source)}, **here(everywhere))
    assert project.run("collect").status == 0
    archive = collected(project)[archive_of(home)]
    assert members(archive, home) == left
    assert set(holding(archive, home)) == left


def test_staged_days_and_discs_below_a_source_are_not_collected_again(project: Project, home: Path) -> None:
    project.configure(device=["shelf:shelf", "shelf:home/discs"])
    (home / "discs").mkdir()
    sources(project, {"path": str(project.root)})
    for now in (TUESDAY, WEDNESDAY):
        assert project.run("all", environ={"CEDARCHEST_NOW": now}).status == 0
    assert len(project.images()) == 1
    assert list(project.staging.rglob("*.tar.zst"))
    found = members(collected(project)[archive_of(project.root)], project.root)
    assert {"home", "home/a", "state", "state/catalog.sqlite"} <= found
    assert not any(each.startswith(("collect", "staging", "shelf/", "home/discs/")) for each in found)
    without = f"without {project.staging}, images in {project.shelf}, images in {home}/discs\n"
    assert f"0 commands, into {project.root}/collect, {without}" in project.run("validate").out


@pytest.mark.parametrize("place", ["state", "staging", "shelf"])
def test_a_collect_dir_that_holds_a_folder_of_ours_is_refused(
    project: Project, home: Path, place: str
) -> None:
    sources(project, {"path": str(home)})
    text = project.config.read_text()
    inside = text.replace(f'"{place}"', f'"collect/{place}"').replace(
        f'"shelf:{place}"', f'"shelf:collect/{place}"'
    )
    project.config.write_text(inside)
    folder = project.root / "collect"
    for action in ("collect", "stage", "all", "validate"):
        ran = project.run("--json", action)
        assert (ran.status, error_of(ran)["kind"]) == (4, "ConfigError")
        assert f"{folder}/{place} lies in collect.dir ({folder})" in ran.err
    assert (
        "WRONG  collect dir: that would back up what cedarchest itself keeps" in project.run("validate").out
    )
    assert not list(folder.glob("*.tar.*"))
    project.config.write_text(text)
    assert f"ok     collect dir: {folder}\n" in project.run("validate").out


def test_the_collect_dir_is_not_collected_into_itself(project: Project, home: Path) -> None:
    sources(project, {"path": str(project.root)})
    assert project.run("collect").status == 0
    found = members(collected(project)[archive_of(project.root)], project.root)
    assert {"home", "home/a", "state"} <= found
    assert not any(each.startswith("collect") for each in found)


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({}, {"link"}),
        ({"link_depth": 1}, {"link/x", "link/up"}),
        ({"link_depth": 2}, {"link/x", "link/up"}),
        ({"link_depth": 1, "dereference": True}, {"link", "../far", "../far/x", "../far/up"}),
    ],
)
def test_links_to_folders_are_followed_as_far_as_is_said(
    project: Project, home: Path, keys: dict[str, object], left: set[str]
) -> None:
    far = project.root / "far"
    far.mkdir()
    (far / "x").write_bytes(b"x")
    (far / "up").symlink_to(far)  # with a further level this would go on for ever
    (home / "link").symlink_to(far)
    sources(project, {"path": str(home), **keys})
    assert project.run("collect").status == 0
    assert members(collected(project)[archive_of(home)], home) == EVERYTHING | left


def test_a_source_that_is_a_link_is_entered_and_a_linked_file_is_kept_with_the_link(
    project: Project, home: Path
) -> None:
    (project.root / "folder").symlink_to(home)
    (project.root / "file").symlink_to(home / "a")
    sources(project, {"path": str(project.root / "folder")}, {"path": str(project.root / "file")})
    assert project.run("collect").status == 0
    left = collected(project)
    assert members(left[archive_of(project.root / "folder")], project.root / "folder") == EVERYTHING - {"."}
    assert members(left[archive_of(project.root / "file")], project.root) == {"file", "home/a"}


def test_folders_below_a_source_get_archives_of_their_own(project: Project, home: Path) -> None:
    sources(project, {"path": str(home), "recursion_level": 2})
    assert project.run("collect").status == 0
    left = {name: path for name, path in collected(project).items() if name.endswith(".tar.zst")}
    held = {name: members(path, home) for name, path in left.items()}
    assert sorted(map(sorted, held.values())) == [[".", "a", "b"], ["b", "b/c", "b/d"], ["b/d", "b/d/e"]]
    assert held[archive_of(home)] == {".", "a", "b"}


def test_other_file_systems_are_left_out_where_it_is_said(project: Project) -> None:
    device = Path("/dev").stat().st_dev
    others = {path.name for path in Path("/dev").iterdir() if path.is_dir() and path.stat().st_dev != device}
    assert others
    sources(project, {"path": "/dev", "one_file_system": True})
    project.run("collect")
    found = members(collected(project)["dev.tar.zst"], Path("/dev"))
    assert others <= found
    assert not any(each.startswith(f"{other}/") for each in found for other in others)


# -- increments -------------------------------------------------------------------------------------


def test_what_is_proven_to_be_on_disc_is_not_collected_again(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    ran = project.run("collect")
    assert ran.out.startswith(f"collected {home} in {archive_of(home)}, whole: 3 files, 9.0 kB; ")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    found = told(ran := project.run("--json", "collect"))
    assert (ran.status, found["outcome"]) == (0, "nothing-to-do")
    assert found["archives"][0]["outcome"] == "nothing-new"
    assert collected(project) == {}
    assert sorted(path.name for path in (project.root / "collect").iterdir()) == [
        "cback.collect",
        "cback.collect.jsonl",
        "cback.receipts",
    ]
    (home / "a").rename(home / "renamed")
    (home / "b/c").write_bytes(b"x" * 3000)
    shutil.rmtree(home / "b/d")
    os.utime(home / "renamed")
    ran = project.run("collect", "--dry-run")
    assert ran.out == f"would collect {home} in {archive_of(home)}, what changed: 2 files, 4.0 kB\n"
    assert collected(project) == {}
    ran = project.run("collect")
    assert ran.status == 0, ran.err
    left = collected(project)
    assert set(left) == {archive_of(home) + suffix for suffix in ("", ".deleted", ".index.jsonl.gz")}
    archive = left[archive_of(home)]
    assert members(archive, home) == {".", "b", "b/c", "renamed"}
    assert holding(archive, home) == {".": 0, "b": 0, "b/c": 0, "renamed": 0}
    gone = Path(f"{archive}.deleted").read_bytes().split(b"\0")
    assert gone == [*(os.fsencode(home / name)[1:] for name in ("b/d/e", "b/d", "a")), b""]


def test_what_never_arrived_is_collected_again(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    (home / "new").write_bytes(b"new")
    project.run("collect")  # and nobody stages it
    project.environ["CEDARCHEST_NOW"] = "2026-11-26T03:00"
    (home / "newer").write_bytes(b"newer")
    (home / "new2").write_bytes(b"new2")
    project.run("collect")
    (home / "new2").unlink()
    project.run("collect")
    archive = collected(project)[archive_of(home)]
    assert members(archive, home) == {".", "new", "newer"}
    assert holding(archive, home) == {
        ".": 0, "new": 0, "newer": 0, "a": 1, "b": 1, "b/c": 1, "b/d": 1, "b/d/e": 1,
    }  # fmt: skip
    head = records(archive)[0]
    assert [each["day"] for each in head["archives"]] == ["2026-11-26", "2026-11-24"]
    assert (head["day"], head["whole_day"], head["source"]) == ("2026-11-26", "2026-11-24", str(home)[1:])
    assert datetime.fromisoformat(head["at"]) == datetime.fromisoformat("2026-11-26T03:00").astimezone()
    assert head["at"].endswith("+00:00")
    assert Path(f"{archive}.deleted").read_bytes() == os.fsencode(home / "new2")[1:] + b"\0"


def test_without_a_proof_everything_is_whole(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    for _ in range(2):
        found = told(project.run("--json", "collect"))
        assert [each["outcome"] for each in found["archives"]] == ["whole"]
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    assert told(project.run("--json", "collect"))["archives"][0]["outcome"] == "nothing-new"
    for receipt in (project.root / "collect/cback.receipts").iterdir():
        receipt.write_text(receipt.read_text().replace('"copies": 1', '"copies": 0'))
    assert told(project.run("--json", "collect"))["archives"][0]["outcome"] == "whole"


@pytest.mark.parametrize(("now", "options"), [(MONDAY, []), (NEXT_TUESDAY, []), (WEDNESDAY, ["--full"])])
def test_everything_is_whole_on_the_starting_day_and_when_it_was_missed_and_when_asked(
    project: Project, home: Path, now: str, options: list[str]
) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = now
    assert told(project.run("--json", "collect", *options))["archives"][0]["outcome"] == "whole"


def test_a_file_with_other_times_and_the_same_content_is_not_archived_but_told_of(
    project: Project, home: Path
) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    (home / "a").chmod(0o600)
    os.utime(home / "b/c", ns=(5, 5))
    project.run("collect")
    archive = collected(project)[archive_of(home)]
    assert members(archive, home) == set()
    by_name = {Path(record["path"]).name: record for record in records(archive)[1:]}
    assert (by_name["a"]["mode"], by_name["a"]["in"]) == ("0600", 1)
    assert (by_name["c"]["mtime_ns"], by_name["c"]["in"]) == (5, 1)


def test_a_changed_file_takes_all_its_names_along(project: Project, home: Path) -> None:
    os.link(home / "a", home / "b/twin")
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    with (home / "a").open("r+b") as stream:
        stream.write(b"AAAA")
    project.run("collect")
    assert members(collected(project)[archive_of(home)], home) == {"a", "b/twin"}


def test_what_is_collected_twice_on_a_day_rests_on_the_day_before(project: Project, home: Path) -> None:
    """The second archive takes the place of the first in that day, so it must not rest on it."""
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    for name in ("new", "newer"):
        (home / name).write_bytes(name.encode())
        project.run("collect")
        proven(project)
    archive = collected(project)[archive_of(home)]
    assert members(archive, home) == {".", "new", "newer"}


def test_an_archive_of_the_same_bytes_is_no_proof_of_another_day(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    (home / "a").chmod(0o600)
    project.run("collect")
    proven(project)  # an archive without members
    project.environ["CEDARCHEST_NOW"] = "2026-11-26T03:00"
    (home / "b/c").chmod(0o600)
    project.run("collect")  # the same again, and nobody stages it
    project.environ["CEDARCHEST_NOW"] = "2026-11-27T03:00"
    assert told(project.run("--json", "collect"))["archives"][0]["outcome"] == "changes"
    by_name = {Path(each["path"]).name: each for each in records(collected(project)[archive_of(home)])[1:]}
    assert by_name["c"]["mode"] == "0600"


def test_a_state_that_is_damaged_is_not_rested_on(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, mode="incr")
    for now in (TUESDAY, WEDNESDAY):
        project.environ["CEDARCHEST_NOW"] = now
        (home / now).touch()
        project.run("collect")
        if now == TUESDAY:
            proven(project)
    state = project.root / "state/collect" / archive_of(home, "") / "00000002.jsonl.gz"
    state.write_bytes(state.read_bytes()[:-30])
    project.environ["CEDARCHEST_NOW"] = "2026-11-26T03:00"
    found = told(project.run("--json", "collect"))
    assert [each["outcome"] for each in found["archives"]] == ["whole"]
    assert "what an earlier collect found cannot be read any more" in found["warnings"][0]


SHA1_SAME = bytes.fromhex(
    "255044462d312e330a25e2e3cfd30a0a0a312030206f626a0a3c3c2f57696474682032203020522f4865696768742033"
    "203020522f547970652034203020522f537562747970652035203020522f46696c7465722036203020522f436f6c6f72"
    "53706163652037203020522f4c656e6774682038203020522f42697473506572436f6d706f6e656e7420383e3e0a7374"
    "7265616d0affd8fffe00245348412d3120697320646561642121212121852fec092339759c39b1a1c63c4c97e1fffe01"
)
SHA1_ONE = SHA1_SAME + bytes.fromhex(
    "7f46dc93a6b67e013b029aaa1db2560b45ca67d688c7f84b8c4c791fe02b3df614f86db1690901c56b45c1530afedfb7"
    "6038e972722fe7ad728f0e4904e046c230570fe9d41398abe12ef5bc942be33542a4802d98b5d70f2a332ec37fac3514"
    "e74ddc0f2cc1a874cd0c78305a21566461309789606bd0bf3f98cda8044629a1"
)
SHA1_OTHER = SHA1_SAME + bytes.fromhex(
    "7346dc9166b67e118f029ab621b2560ff9ca67cca8c7f85ba84c79030c2b3de218f86db3a90901d5df45c14f26fedfb3"
    "dc38e96ac22fe7bd728f0e45bce046d23c570feb141398bb552ef5a0a82be331fea48037b8b5d71f0e332edf93ac3500"
    "eb4ddc0decc1a864790c782c76215660dd309791d06bd0af3f98cda4bc4629b1"
)
"""Two contents of one SHA-1: the first 320 bytes of the files at shattered.io."""


def test_a_change_that_sha1_does_not_see_is_archived(project: Project, home: Path) -> None:
    assert SHA1_ONE != SHA1_OTHER
    assert hashlib.sha1(SHA1_ONE).digest() == hashlib.sha1(SHA1_OTHER).digest()
    (home / "a").write_bytes(SHA1_ONE)
    sources(project, {"path": str(home)}, mode="incr")
    project.run("collect")
    proven(project)
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    with (home / "a").open("r+b") as stream:
        stream.write(SHA1_OTHER)
    project.run("collect")
    assert members(collected(project)[archive_of(home)], home) == {"a"}


def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_deleted(of_user: Project) -> None:
    home = of_user.root / "home"
    (home / "shut").mkdir(parents=True)
    (home / "shut/f").write_bytes(b"f")
    (home / "open").write_bytes(b"o")
    sources(of_user, {"path": str(home)}, mode="incr")
    environ = {"CEDARCHEST_NOW": TUESDAY}
    for action in ("collect", "stage", "store"):
        assert of_user.run_as_user(action, environ=environ).status == 0
    (home / "shut").chmod(0)
    (home / "open").write_bytes(b"other")
    ran = of_user.run_as_user("collect", environ={"CEDARCHEST_NOW": WEDNESDAY})
    (home / "shut").chmod(0o755)
    assert ran.status == 11
    assert ran.out.splitlines()[1:] == [f"left out: {home}/shut cannot be read: Permission denied"]
    archive = of_user.root / "collect" / archive_of(home)
    assert members(archive, home) - {"."} == {"open"}
    assert holding(archive, home) | {".": 0} == {".": 0, "open": 0, "shut": 1, "shut/f": 1}
    assert Path(f"{archive}.deleted").read_bytes() == b""


def test_what_is_weekly_is_due_on_the_starting_day_and_when_it_was_missed(
    project: Project, home: Path
) -> None:
    sources(
        project,
        {"path": str(home), "mode": "weekly"},
        commands=[{"name": "dump", "argv": ["echo", "dump"], "mode": "weekly"}],
    )
    outcomes = []
    for now in (TUESDAY, WEDNESDAY, "2026-11-30T03:00", NEXT_TUESDAY, "2026-12-09T03:00"):
        project.environ["CEDARCHEST_NOW"] = now
        outcomes.append({each["outcome"] for each in told(project.run("--json", "collect"))["archives"]})
    assert outcomes == [{"whole"}, {"not-due"}, {"whole"}, {"not-due"}, {"whole"}]
    assert told(project.run("--json", "collect", "--full"))["archives"][0]["outcome"] == "whole"


def test_what_is_weekly_and_failed_is_due_again(project: Project, home: Path) -> None:
    sources(project, {"path": str(home / "gone"), "mode": "weekly"}, {"path": str(home)})
    assert project.run("collect").status == 11
    (home / "gone").mkdir()
    assert [each["outcome"] for each in told(project.run("--json", "collect"))["archives"]] == ["whole"] * 2
    (home / "gone").rmdir()
    sources(project, {"path": str(home / "gone"), "mode": "weekly"}, {"path": str(home / "never")})
    assert [each["outcome"] for each in told(project.run("--json", "collect"))["archives"]] == [
        "not-due",
        "failed",
    ]
    assert not (project.root / "collect/cback.collect").exists()


def test_another_packing_takes_the_place_of_the_old_one(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, commands=[{"name": "dump", "argv": ["echo", "x"]}])
    project.run("collect")
    sources(project, {"path": str(home)}, commands=[{"name": "dump", "argv": ["echo", "x"]}], archive="tar")
    project.run("collect")
    left = {path.name for path in (project.root / "collect").iterdir()}
    name = archive_of(home, "")
    assert left == {name, f"{name}.index.jsonl.gz", "dump", "cback.collect", "cback.collect.jsonl"}


# -- what goes wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["daily", "incr"])
def test_what_cannot_be_read_is_named_and_harms_no_neighbour(of_user: Project, mode: str) -> None:
    home = of_user.root / "home"
    (home / "shut").mkdir(parents=True)
    for name in ("a", "secret", "shut/in", "z"):
        (home / name).write_bytes(name.encode())
    (home / "secret").chmod(0)
    (home / "shut").chmod(0)
    sources(of_user, {"path": str(home)}, mode=mode)
    ran = of_user.run_as_user("collect")
    (home / "shut").chmod(0o755)
    assert ran.status == 11, ran.err
    assert ran.out.splitlines()[1:] == [
        f"left out: {home}/shut cannot be read: Permission denied",
        f"left out: {home}/secret cannot be read: Permission denied",
    ]
    archive = of_user.root / "collect" / archive_of(home)
    assert members(archive, home) == {".", "a", "z"}
    assert set(holding(archive, home)) == {".", "a", "z"}
    assert records(archive)[0]["unread"] == [f"{str(home)[1:]}/{name}" for name in ("secret", "shut")]
    assert (of_user.root / "collect/cback.collect").is_file()


def test_each_archive_of_a_source_tells_what_of_it_could_not_be_read(of_user: Project) -> None:
    home = of_user.root / "home"
    for name in ("ann/shut", "bob/open"):
        (home / name).mkdir(parents=True)
    (home / "ann/shut").chmod(0)
    sources(of_user, {"path": str(home), "recursion_level": 1})
    ran = of_user.run_as_user("collect")
    (home / "ann/shut").chmod(0o755)
    assert ran.status == 11, ran.err
    top = str(home)[1:]
    for archive, unread in ((home, True), (home / "ann", True), (home / "bob", False)):
        head = records(of_user.root / "collect" / archive_of(archive))[0]
        assert head.get("unread") == ([f"{top}/ann/shut"] if unread else None)


def test_a_file_that_does_not_hold_still_is_named_and_harms_no_neighbour(
    project: Project, home: Path
) -> None:
    over = threading.Event()

    def write() -> None:
        with (home / "b/log").open("wb", buffering=0) as stream:
            while not over.wait(0.0005):
                stream.write(b"line\n" * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sources(project, {"path": str(home)})
        ran = project.run("collect")
    finally:
        over.set()
        writer.join()
    assert ran.status == 11, ran.err
    twice = "changed while it was read, and again when it was read once more: the archive has what was read"
    assert ran.out.splitlines()[1:] == [f"left out: {home}/b/log {twice}"]
    archive = collected(project)[archive_of(home)]
    assert members(archive, home) == EVERYTHING | {"b/log"}
    back = project.root / "back"
    back.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(back)], check=True)
    found = {record["path"]: record for record in records(archive)[1:]}
    for path in (home, *home.rglob("*")):
        if path.is_file():
            content = (back / str(path)[1:]).read_bytes()
            assert found[str(path)[1:]]["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_archive_without_files_is_read_by_other_programs(project: Project, home: Path) -> None:
    for path in [path for path in home.rglob("*") if path.is_file()]:
        path.unlink()
    sources(project, {"path": str(home)}, archive="tar")
    assert project.run("collect").status == 0
    archive = collected(project)[archive_of(home, "")]
    with tarfile.open(archive) as opened:
        assert set(opened.getnames()) == {str(each)[1:] for each in (home, *home.rglob("*"))}
    for argv in (["tar", "-tf"], ["bsdtar", "-tf"], ["busybox", "tar", "-tf"]):
        listed = subprocess.run([*argv, str(archive)], check=True, capture_output=True, text=True)
        assert (len(listed.stdout.splitlines()), listed.stderr) == (3, "")


def test_the_log_of_the_run_itself_is_collected_as_far_as_it_goes(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    log = home / "b/run.log"
    log.write_text("of yesterday\n")
    text = project.config.read_text()
    project.config.write_text(text.replace("[options]", f'[options]\nlog_file = "{log}"'))
    ran = project.run("-v", "collect")
    assert ran.status == 0, ran.out
    assert "b/run.log" in members(collected(project)[archive_of(home)], home)
    assert len(log.read_text()) > len("of yesterday\n")


def test_a_file_that_changes_once_while_it_is_read_is_read_again(project: Project, home: Path) -> None:
    """The compressor is held up until the file has been changed, so that the change comes in between."""
    (home / "a").write_bytes(os.urandom(40 << 20))
    tools = project.root / "tools"
    tools.mkdir()
    real = shutil.which("gzip")
    change = f'echo changed >> "{home}/a"; setfacl -m u:1:r "{home}/a"'
    (tools / "gzip").write_text(f'#!/bin/sh\n{change}\nexec {real} "$@"\n')
    (tools / "gzip").chmod(0o755)
    sources(project, {"path": str(home)}, archive="tar.gz")
    ran = project.run("collect", environ={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert ran.status == 0, ran.out
    back = project.root / "back"
    back.mkdir()
    archive = collected(project)[archive_of(home, ".gz")]
    subprocess.run(["tar", "--acls", "-xf", str(archive), "-C", str(back)], check=True)
    assert picture(back / str(home)[1:]) == picture(home)


def test_a_file_that_shrinks_while_it_is_read_harms_no_neighbour(project: Project, home: Path) -> None:
    """As when a log is turned: tar has begun with the file when it is cut, and is held up until then."""
    (home / "b/large").write_bytes(os.urandom(20 << 20))
    tools = project.root / "tools"
    tools.mkdir()
    real = shutil.which("gzip")
    cut = f'truncate -s $(($(stat -c %s "{home}/b/large") / 3)) "{home}/b/large"'
    (tools / "gzip").write_text(f'#!/bin/sh\n{cut}\nexec {real} "$@"\n')
    (tools / "gzip").chmod(0o755)
    sources(project, {"path": str(home)}, archive="tar.gz")
    ran = project.run("collect", environ={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert (ran.status, (home / "b/large").stat().st_size) == (0, (20 << 20) // 3), ran.out
    back = project.root / "back"
    back.mkdir()
    archive = collected(project)[archive_of(home, ".gz")]
    subprocess.run(["tar", "-xf", str(archive), "-C", str(back)], check=True)
    assert picture(back / str(home)[1:]) == picture(home)


def test_a_source_that_fails_holds_up_no_other(project: Project, home: Path) -> None:
    witness = project.root / "witness"
    sources(
        project,
        {"path": str(project.root / "gone"), "after": ["touch", str(witness)]},
        {"path": str(home / "a"), "before": ["false"], "after": ["touch", str(project.root / "never")]},
        {"path": str(home / "b"), "before": ["true"], "after": ["false"]},
        commands=[
            {"name": "bad", "argv": ["sh", "-c", "echo half; echo why >&2; exit 3"]},
            {"name": "good", "argv": ["sh", "-c", "echo $WORD"], "archive": "tar"},
        ],
    )
    found = told(ran := project.run("--json", "collect", environ={"WORD": "whole"}))
    assert (ran.status, found["outcome"]) == (11, "partial")
    assert [each["outcome"] for each in found["archives"]] == ["failed", "failed", "whole", "failed", "whole"]
    assert found["left_out"] == [
        f"{home}/b: the hook `false` ended with 1: it said nothing",
        f"{project.root}/gone cannot be collected: No such file or directory",
        f"{home}/a: the hook `false` ended with 1: it said nothing",
        "command bad: `sh` ended with 3: why",
    ]
    assert witness.exists()
    assert not (project.root / "never").exists()
    assert {name for name in collected(project) if "index" not in name} == {archive_of(home / "b"), "good"}
    assert (project.root / "collect/good").read_bytes() == b"whole\n"
    assert "bad" not in {path.name.partition(".")[0] for path in (project.root / "collect").iterdir()}


def test_when_nothing_works_there_is_no_mark(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    assert project.run("collect").status == 0
    home.rename(project.root / "elsewhere")
    error = error_of(project.run("--json", "collect"))
    assert (error["code"], error["kind"]) == (6, "CollectError")
    assert not (project.root / "collect/cback.collect").exists()
    assert (project.root / "collect" / archive_of(home)).is_file()
    (project.root / "elsewhere").rename(home)


def test_a_missing_compressor_is_named_with_its_package(project: Project, home: Path) -> None:
    tools = project.root / "tools"
    tools.mkdir()
    for name in ("tar", "xorriso"):
        (tools / name).symlink_to(shutil.which(name) or name)
    sources(project, {"path": str(home)}, archive="tar.xz")
    error = error_of(project.run("--json", "collect", environ={"PATH": str(tools)}))
    assert (error["code"], error["kind"]) == (9, "ToolMissing")
    assert error["advice"] == "Install it: apt-get install xz-utils"


def test_a_compressor_that_fails_leaves_the_old_archive(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)}, archive="tar.gz")
    assert project.run("collect").status == 0
    before = (project.root / "collect" / archive_of(home, ".gz")).read_bytes()
    tools = project.root / "tools"
    tools.mkdir()
    (tools / "gzip").write_text("#!/bin/sh\nhead -c 100\necho no more >&2\nexit 1\n")
    (tools / "gzip").chmod(0o755)
    (home / "a").write_bytes(os.urandom(8 << 20))
    error = error_of(project.run("--json", "collect", environ={"PATH": f"{tools}:{os.environ['PATH']}"}))
    assert (error["code"], error["message"]) == (9, "gzip ended with 1: no more")
    folder = project.root / "collect"
    assert (folder / archive_of(home, ".gz")).read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(("advance_on", "outcome"), [("staged", "nothing-new"), ("stored", "whole")])
def test_what_is_staged_may_be_enough(project: Project, home: Path, advance_on: str, outcome: str) -> None:
    sources(project, {"path": str(home)}, mode="incr", advance_on=advance_on)
    project.run("collect")
    assert project.run("stage").status == 0
    (receipt,) = (project.root / "collect/cback.receipts").iterdir()
    assert {each.copies for each in read_receipt(receipt.read_bytes())} == {0}
    project.environ["CEDARCHEST_NOW"] = WEDNESDAY
    assert told(project.run("--json", "collect"))["archives"][0]["outcome"] == outcome
    assert project.run("store").status == 0
    assert {each.copies for each in read_receipt(receipt.read_bytes())} == {1}


def test_validate_looks_at_what_is_collected(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    assert "ok     what is collected: 1 source and 0 commands" in project.run("validate").out
    sources(project, {"path": str(home)}, {"path": str(home / "gone")})
    ran = project.run("validate")
    assert ran.status == 6
    assert f"what is to be collected is not there, or may not be read: {home}/gone" in ran.err
    sources(project, {"path": str(home)}, {"path": str(home / "gone"), "before": ["true"]})
    assert "ok     what is collected: 2 sources and 0 commands" in project.run("validate").out


def test_a_dry_run_writes_nothing(project: Project, home: Path) -> None:
    sources(project, {"path": str(home), "before": ["touch", str(project.root / "touched")]})
    before = sorted(project.root.rglob("*"))
    ran = project.run("collect", "--dry-run")
    assert ran.out == f"would collect {home} in {archive_of(home)}, whole: 3 files, 9.0 kB\n"
    assert sorted(project.root.rglob("*")) == before


def test_a_catalog_that_cannot_be_opened_keeps_nobody_from_collecting(project: Project) -> None:
    home = project.root / "home"
    home.mkdir()
    (home / "letter").write_bytes(b"dear")
    sources(project, {"path": str(home)})
    (project.root / "state").mkdir(exist_ok=True)
    (project.root / "state/catalog.sqlite").write_bytes(b"no catalog" * 1000)
    assert project.run("collect").status == 0
    assert project.run("discs").status == 6
