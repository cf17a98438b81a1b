"""What is staged changes between its index, the burn and the check: no false mark, and one run puts it right.

A change is made by a script in xorriso's place: when the burn is told of the disc, which the last look
before the writing must see, or when it is told to write, which only the check of the disc and the last look
at staging can see.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Project

from cedarchest.adapters import day_files
from cedarchest.adapters.staging import StagingFolder

pytestmark = pytest.mark.slow

DAY = "2026/11/22"
REAL = shutil.which("xorriso") or "xorriso"
IS_BURN = 'case "$*" in *-options_from_file*) ;; *) exec ' + REAL + ' "$@";; esac\n'
CONTENT = b"what was staged " * 700
NOBODY = 65534


def statuses(project: Project) -> list[str]:
    """How far the sessions of all discs have come."""
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [session["status"] for disc in details for session in disc["sessions"]]


def in_use(project: Project) -> list[bool]:
    """Which discs take further sessions."""
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [disc["accepts_sessions"] for disc in details]


def on_disc(image: Path, path: str) -> bytes:
    """A file as xorriso reads it from an image."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [REAL, "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", path, f"{folder}/x"],
            check=True,
            capture_output=True,
        )
        return Path(folder, "x").read_bytes()


@dataclass(frozen=True)
class Change:
    """What happens to the staged file, as shell; `spoils` tells whether the disc gets other content."""

    script: str
    spoils: bool = True


CHANGES = {
    "truncated": Change('truncate -s 3000 "$file"'),
    "grown": Change('echo more >>"$file"'),
    "vanished": Change('rm "$file"'),
    "replaced": Change('tr a-z A-Z <"$file" >"$file.new"; mv "$file.new" "$file"'),
    "replaced, same time": Change(
        'tr a-z A-Z <"$file" >"$file.new"; touch -r "$file" "$file.new"; mv "$file.new" "$file"'
    ),
    "other content, same time": Change(
        'touch -r "$file" "$0.time"; printf X | dd of="$file" bs=1 seek=9000 conv=notrunc status=none;'
        ' touch -r "$0.time" "$file"'
    ),
    "a new file": Change('echo late >"${file%/*}/late"', spoils=False),
    "a new link": Change('ln -s a "${file%/*}/late"', spoils=False),
    "became a directory": Change('rm "$file"; mkdir "$file"'),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)

Changing = Callable[[str], None]


@pytest.fixture
def staged(project: Project) -> Path:
    """A staged file among others."""
    return project.stage(DAY, {"a": CONTENT, "b": b"b", "sub/c": b"c"}) / "alpha" / "a"


@pytest.fixture
def changing(tmp_path: Path, staged: Path, monkeypatch: pytest.MonkeyPatch) -> Changing:
    """Makes xorriso do something to the staged file in the course of a burn."""

    def change(script: str) -> None:
        folder = tmp_path / "tools"
        install(folder, staged, script)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return change


def install(folder: Path, file: Path, script: str) -> None:
    """Put a xorriso into a folder that does something to a file when it is to burn."""
    folder.mkdir()
    tool = folder / "xorriso"
    tool.write_text(f'#!/bin/sh\n{IS_BURN}file="{file}"\n{script}\n')
    tool.chmod(0o755)


def at_start(change: Change) -> str:
    """The change comes when it is known where to write: the day is indexed then."""
    return _before("-volid .*", change)


def at_writing(change: Change) -> str:
    return _before("-end", change)


def _before(command: str, change: Change) -> str:
    """Commands pass through a filter that makes the change before one of them."""
    return (
        f'cat >"$0.change" <<\'END\'\nfile="$1"\n{change.script}\nEND\n'
        'for each; do case "$each" in /dev/fd/*) commands=$each;; esac; done\n'
        f'sed -u "/^{command}$/e sh \\"$0.change\\" \\"$file\\"" <"$commands" | {REAL} -no_rc'
        " -signal_handling sig_ign -abort_on FATAL -pkt_output on -options_from_file - -rollback_end"
    )


def put_right(staged: Path) -> None:
    if staged.is_dir():
        staged.rmdir()
    staged.unlink(missing_ok=True)
    staged.write_bytes(CONTENT)
    for late in staged.parent.glob("late"):
        late.unlink()
    (staged.parent.parent / "INDEX.jsonl.gz").unlink(missing_ok=True)


@changes
def test_a_change_just_before_the_burn_is_seen_and_nothing_is_written(
    project: Project, staged: Path, changing: Changing, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    with monkeypatch.context():
        changing(at_start(change))
        ran = project.run("store")
    assert ran.status == 6, ran.err
    assert "/alpha/" in ran.err
    assert not project.is_marked(DAY)
    assert project.images() == []
    monkeypatch.undo()
    put_right(staged)
    assert project.run("store").status == 0
    assert project.is_marked(DAY)
    assert on_disc(project.images()[-1], f"/{DAY}/alpha/a") == CONTENT


@changes
def test_a_change_during_the_burn_leaves_no_mark(
    project: Project, staged: Path, changing: Changing, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """What spoils the disc is found by reading it (7); what does not is found by a last look (6)."""
    changing(at_writing(change))
    ran = project.run("store")
    monkeypatch.undo()
    assert ran.status == (7 if change.spoils else 6), ran.err
    assert statuses(project) == ["bad" if change.spoils else "verified"]
    assert not project.is_marked(DAY)
    put_right(staged)
    judged = in_use(project)
    assert project.run("verify").status == (7 if change.spoils else 0)
    assert in_use(project) == judged
    again = project.run("store")
    assert again.status == 0, again.err
    assert project.is_marked(DAY)
    assert len(project.images()) == (1 if judged == [True] else 2)
    assert on_disc(project.images()[-1], f"/{DAY}/alpha/a") == CONTENT
    assert project.run("verify", *(image.stem for image in project.images()[-1:])).status == 0


@changes
def test_a_change_between_two_runs_is_never_taken_silently(
    project: Project, staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: Change
) -> None:
    """The first run leaves the index and finds no xorriso; additions are stored, changes refused."""
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path))
        assert project.run("store").status == 9
    script = tmp_path / "change"
    script.write_text(f'file="{staged}"\n{change.script}\n')
    subprocess.run(["/bin/sh", str(script)], check=True)
    ran = project.run("store")
    if (staged.parent / "late").exists() or (staged.parent / "late").is_symlink():
        assert ran.status == 0
        assert project.is_marked(DAY)
        return
    assert ran.status == 6, ran.err
    assert "alpha/a" in ran.err
    assert not project.is_marked(DAY)
    assert project.images() == []
    put_right(staged)
    assert project.run("store").status == 0
    assert on_disc(project.images()[0], f"/{DAY}/alpha/a") == CONTENT


def test_a_supplement_is_stored_as_a_further_session(project: Project, staged: Path) -> None:
    assert project.run("store").status == 0
    (staged.parent / "late").write_bytes(b"late")
    (project.staging / DAY / "cback.store").unlink()
    assert project.run("store").status == 0
    assert project.is_marked(DAY)
    assert statuses(project) == ["verified", "verified"]
    assert on_disc(project.images()[0], f"/{DAY}/alpha/late") == b"late"
    assert on_disc(project.images()[0], f"/{DAY}/alpha/a") == CONTENT


@pytest.mark.parametrize(
    "names",
    [
        [b"\x01", b"\x80", b"\x01 "],
        [b"\x01", b"\x80", b"\x01 ", b"\x80 "],
        [b".\x01", b".\x80"],
        [b".\x01", b".\x80", b"0._"],
        [b"\x01.a", b"\x80.a", b"\x01"],
    ],
    ids=repr,
)
def test_names_that_joliet_makes_one_of_are_found_under_their_numbers(
    project: Project, names: list[bytes]
) -> None:
    folder = project.stage(DAY) / "alpha"
    for name in names:
        (folder / os.fsdecode(name)).touch()
    ran = project.run("store")
    assert ran.status == 0, ran.err


def point_elsewhere(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("b")


def become_a_link(folder: Path) -> None:
    (folder / "empty").rmdir()
    (folder / "empty").symlink_to("b")


def get_another_mode(folder: Path) -> None:
    (folder / "a").chmod(0o600)


def get_another_hard_link(folder: Path) -> None:
    (folder / "z").hardlink_to(folder / "a")


@pytest.mark.parametrize(
    "change",
    [point_elsewhere, become_a_link, get_another_mode, get_another_hard_link],
    ids=lambda f: f.__name__,
)
def test_what_was_changed_in_a_stored_day_is_not_stored_until_the_disc_shows_it(
    project: Project, staged: Path, change: Callable[[Path], None]
) -> None:
    folder = staged.parent
    (folder / "link").symlink_to("a")
    (folder / "empty").mkdir()
    assert project.run("store").status == 0
    change(folder)
    (project.staging / DAY / "INDEX.jsonl.gz").unlink()
    (project.staging / DAY / "cback.store").unlink()
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert project.is_marked(DAY)
    assert statuses(project) == ["verified", "verified"]
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [REAL, "-no_rc", "-hardlinks", "on", "-osirrox", "on", "-indev", f"stdio:{project.images()[0]}",
             "-extract", f"/{DAY}/alpha", f"{place}/x"],
            check=True, capture_output=True,
        )  # fmt: skip
        shown = {path.name: look(path) for path in Path(place, "x").iterdir()}
    assert shown == {path.name: look(path) for path in folder.iterdir()}
    assert project.run("verify").status == 0


def look(path: Path) -> tuple[int, str, bytes]:
    """Kind, mode, target and content."""
    status = path.lstat()
    target = str(path.readlink()) if path.is_symlink() else ""
    return status.st_mode, target, path.read_bytes() if path.is_file() else b""


# -- what no disc can hold --------------------------------------------------------------------------


def add_link(folder: Path) -> str:
    (folder / "odd").symlink_to("t" * 1100)
    return "a link target of 1100 bytes"


def add_socket(folder: Path) -> str:
    os.mknod(folder / "odd", stat.S_IFSOCK | 0o644)
    return "a socket"


def add_device(folder: Path) -> str:
    try:
        os.mknod(folder / "odd", stat.S_IFCHR | 0o644, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes device nodes")
    return "a char"


@pytest.mark.parametrize("add", [add_link, add_socket, add_device])
def test_what_no_disc_can_hold_is_left_out_and_said(
    project: Project, staged: Path, add: Callable[[Path], str]
) -> None:
    why = add(staged.parent)
    ran = project.run("--json", "store")
    assert ran.status == 11, ran.err
    left_out = ran.json["left_out"]
    assert isinstance(left_out, list)
    assert len(left_out) == 1
    assert left_out[0].startswith(f"/{DAY}/alpha/odd: {why}")
    assert ran.json["outcome"] == "partial"
    assert project.is_marked(DAY)
    assert on_disc(project.images()[0], f"/{DAY}/alpha/a") == CONTENT
    assert project.run("verify").status == 0
    assert project.run("store").status == 0


@pytest.mark.parametrize("copies", [1, 2])
def test_what_no_disc_can_hold_and_came_later_brings_its_index_to_disc(
    project: Project, staged: Path, copies: int
) -> None:
    """The folder it is in looks as before, so that nothing else of the day is due."""
    project.configure(copies=copies)
    assert project.run("store").status == 0
    before = staged.parent.stat()
    add_link(staged.parent)
    os.utime(staged.parent, ns=(before.st_atime_ns, before.st_mtime_ns))
    (project.staging / DAY / "cback.store").unlink()
    assert project.run("store").status == 11
    assert project.is_marked(DAY)
    for image in project.images():
        assert b"t" * 1100 in gzip.decompress(on_disc(image, f"/{DAY}/INDEX.jsonl.gz"))
    assert statuses(project) == ["verified"] * 2 * copies
    assert project.run("--json", "store").json["outcome"] == "nothing-to-do"


def stamp_late(folder: Path) -> None:
    os.utime(folder / "a.txt", (0, 6_000_000_000))


def close_with_slash(folder: Path) -> None:
    (folder / "to-folder").symlink_to("sub/")


@pytest.mark.parametrize("make", [stamp_late, close_with_slash])
def test_what_a_disc_shows_otherwise_is_warned_of_and_stored(
    project: Project, make: Callable[[Path], None]
) -> None:
    make(project.stage(DAY) / "alpha")
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert "the disc shows 1 of the entries otherwise than the index" in ran.err
    assert f"the first is /{DAY}/alpha/" in ran.err
    assert project.is_marked(DAY)
    assert project.run("verify").status == 0


def test_a_link_no_disc_can_hold_takes_nothing_with_it_whatever_its_name(
    project: Project, staged: Path
) -> None:
    name = "o*\n'[a]\\ ="
    (staged.parent / name).symlink_to("t" * 1100)
    (staged.parent / "o\n'a\\ =").write_bytes(b"stays")
    ran = project.run("store")
    assert ran.status == 11, ran.err
    assert on_disc(project.images()[0], f"/{DAY}/alpha/o\n'a\\ =") == b"stays"


# -- permissions, as a user who is not root ----------------------------------------------------------


UNREADABLE = Change('chmod 000 "$file"')


@pytest.mark.parametrize(
    ("moment", "status", "left"), [(at_start, 6, []), (at_writing, 7, ["bad"])], ids=["before", "during"]
)
def test_a_file_that_becomes_unreadable_in_the_course_of_a_burn_leaves_no_mark(
    of_user: Project, moment: Callable[[Change], str], status: int, left: list[str]
) -> None:
    file = of_user.stage(DAY, {"a": CONTENT}) / "alpha" / "a"
    tools = of_user.root / "tools"
    install(tools, file, moment(UNREADABLE))
    ran = of_user.run_as_user("store", environ={"PATH": f"{tools}:{os.environ['PATH']}"})
    file.chmod(0o644)
    assert ran.status == status, ran.err
    assert "alpha/a" in ran.err
    assert not of_user.is_marked(DAY)
    assert [each for each in statuses(of_user) if each != "abandoned"] == left
    assert of_user.run_as_user("store").status == 0
    assert of_user.is_marked(DAY)


def test_a_file_that_became_unreadable_between_two_runs_is_never_taken_silently(of_user: Project) -> None:
    file = of_user.stage(DAY, {"a": CONTENT}) / "alpha" / "a"
    assert of_user.run_as_user("store", environ={"PATH": str(of_user.root)}).status == 9
    file.chmod(0)
    ran = of_user.run_as_user("store")
    file.chmod(0o644)
    assert ran.status == 6, ran.err
    assert "alpha/a" in ran.err
    assert of_user.images() == []


def test_an_unreadable_staging_folder_is_an_error_that_names_it(of_user: Project) -> None:
    of_user.stage(DAY)
    of_user.staging.chmod(0)
    ran = of_user.run_as_user("store")
    of_user.staging.chmod(0o755)
    assert ran.status == 6, ran.err
    assert str(of_user.staging) in ran.err
    assert "Traceback" not in ran.err
    assert of_user.images() == []


@pytest.mark.parametrize("what", ["alpha", "alpha/a.txt"], ids=["folder", "file"])
def test_a_day_that_cannot_be_read_does_not_hold_up_the_others(of_user: Project, what: str) -> None:
    unreadable = of_user.stage("2026/11/21") / what
    of_user.stage(DAY)
    unreadable.chmod(0)
    ran = of_user.run_as_user("--json", "store")
    unreadable.chmod(0o755)
    assert ran.status == 6, ran.err
    assert ran.json["outcome"] == "partial"
    assert what in str(ran.json["error"])
    assert of_user.is_marked(DAY)
    assert not of_user.is_marked("2026/11/21")
    assert of_user.run_as_user("store").status == 0
    assert of_user.is_marked("2026/11/21")


def test_where_staging_may_not_be_written_the_catalog_is_the_mark_and_a_warning_says_so(
    of_user: Project,
) -> None:
    of_user.stage(DAY)
    folders = [folder for folder in (of_user.staging, *of_user.staging.rglob("*")) if folder.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    first = of_user.run_as_user("--json", "store")
    second = of_user.run_as_user("--json", "store")
    known = of_user.run_as_user("--json", "status").json
    for folder in folders:
        folder.chmod(0o755)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert len(first.json["warnings"]) == 1  # type: ignore[arg-type]
    assert "only the catalog knows" in str(first.json["warnings"])
    assert not of_user.is_marked(DAY)
    assert (second.json["volumes"], second.json["outcome"]) == ([], "nothing-to-do")
    assert second.json["warnings"] == []
    assert known["due"] == []
    assert [path.name for path in (of_user.staging / DAY).iterdir() if path.name.isupper()] == []


def test_a_mark_that_a_run_did_not_come_to_is_written_by_the_next_and_nothing_else_is(
    project: Project,
) -> None:
    mark = project.stage(DAY) / "cback.store"
    assert project.run("store").status == 0
    mark.unlink()
    before = project.images()[0].stat()
    ran = project.run("store")
    assert (ran.status, ran.out) == (0, f"marked {DAY} stored: proven by an earlier run\n")
    assert mark.is_file()
    assert project.images()[0].stat() == before


# -- what stands in the way ----------------------------------------------------------------------------


def make_file(path: Path) -> None:
    path.write_text("what somebody else wrote\n")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *(
            (name, make)
            for name in ("SHA256SUMS", "INDEX.jsonl.gz")
            for make in (make_file, make_folder, make_link)
        ),
        ("cback.store", make_folder),
    ],
)
def test_what_has_the_name_of_our_files_in_a_day_is_not_touched_and_holds_up_no_other_day(
    project: Project, name: str, make: Callable[[Path], None]
) -> None:
    project.stage("2026/11/21")
    taken = project.stage(DAY) / name
    make(taken)
    before = taken.lstat()
    ran = project.run("store")
    assert ran.status == 6
    assert str(taken) in ran.err
    assert project.is_marked("2026/11/21")
    assert len(project.images()) == 1
    assert not project.is_marked(DAY)
    now = taken.lstat()
    assert (now.st_ino, now.st_mode, now.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert project.run("store", "--dry-run").status == 6
    taken.rename(taken.parent / "alpha" / name)
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert project.is_marked(DAY)


def test_sums_that_a_killed_run_did_not_come_to_are_written_by_the_next(project: Project) -> None:
    folder = project.stage(DAY)
    assert project.run("store").status == 0
    sums = (folder / "SHA256SUMS").read_bytes()
    (folder / "SHA256SUMS").unlink()
    assert project.run("store", "--full", "--day", DAY).status == 0
    assert (folder / "SHA256SUMS").read_bytes() == sums


@pytest.mark.parametrize("place", ["2026/2/3", "2026/13/01", "26/02/03"])
def test_a_folder_that_only_looks_like_a_day_is_named(project: Project, place: str) -> None:
    project.stage(place)
    ran = project.run("status")
    assert ran.status == 0
    assert "nothing in it is stored" in ran.err


def test_a_link_to_a_day_is_named(project: Project) -> None:
    project.stage(DAY)
    (project.staging / "2026/11/23").symlink_to("22")
    ran = project.run("store")
    assert ran.status == 0
    assert ran.err.count(f"{project.staging}/2026/11/23 is a link and is passed over") == 1


def test_a_day_that_may_not_be_entered_does_not_hold_up_the_others(of_user: Project) -> None:
    of_user.stage("2026/11/21")
    of_user.stage(DAY).chmod(0)
    ran = of_user.run_as_user("store")
    assert ran.status == 6
    assert f"{of_user.staging / DAY} cannot be looked into" in ran.err
    assert of_user.is_marked("2026/11/21")
    assert DAY in of_user.run_as_user("status").out
    (of_user.staging / DAY).chmod(0o755)


def test_a_path_longer_than_may_be_is_named_with_what_to_do(project: Project) -> None:
    folder = project.stage(DAY) / "alpha"
    top = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=top)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=top)
            os.close(top)
            top = below
    finally:
        os.close(top)
    ran = project.run("store")
    assert ran.status == 6
    assert "stage the folder it is in as an archive" in ran.err
    shutil.rmtree(folder)


def test_a_month_that_may_not_be_entered_is_named(of_user: Project) -> None:
    month = of_user.stage(DAY).parent
    month.chmod(0)
    ran = of_user.run_as_user("store")
    assert ran.status == 6
    assert f"the staging folder {month} cannot be read" in ran.err
    month.chmod(0o755)


def test_sums_never_stand_beside_an_index_that_is_not_theirs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between index and sums while those of an earlier index stand there."""

    def killed(*_: object) -> None:
        raise SystemExit

    day = project.stage(DAY)
    StagingFolder(project.root / "state", lambda *_: None).index(day, DAY)
    (day / "alpha/late").write_bytes(b"late")
    with monkeypatch.context() as patch:
        patch.setattr(day_files, "write_sums", killed)
        with pytest.raises(SystemExit):
            StagingFolder(project.root / "state", lambda *_: None).index(day, DAY)
    StagingFolder(project.root / "state", lambda *_: None).index(day, DAY)
    assert b"  alpha/late\n" in (day / "SHA256SUMS").read_bytes()
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=day, check=True)
