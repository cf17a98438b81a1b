"""Members of archives from the discs alone: catalog, staging and collect dirs are gone."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cedar_discs import FIRST, FIRST_LABEL, SECOND, image, require_genisoimage, staged
from tests.cli.program import told
from tests.cli.test_collect_cli import settle, sources
from tests.cli.test_json import assert_described
from tests.conftest import Project, Ran

from cedarchest.adapters.catalog import open_catalog

pytestmark = pytest.mark.slow

MONDAY, TUESDAY, WEDNESDAY = "2026-11-23", "2026-11-24", "2026-11-25"


def packed(mode: str, files: Mapping[str, bytes]) -> bytes:
    """An archive as Cedar Backup makes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{mode}", format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def lose(project: Project) -> None:
    """Lose all but the discs."""
    for name in ("state", "staging", "collect", "home"):
        shutil.rmtree(project.root / name, ignore_errors=True)
    project.staging.mkdir()


def rebuilt(project: Project, *arguments: str) -> Ran:
    ran = project.run("--json", "catalog", "rebuild", *arguments)
    assert_described(ran)
    return ran


def answers(project: Project, *patterns: str) -> list[dict[str, Any]]:
    """All that find and history tell, but for whether it was read back."""
    found = []
    for pattern in patterns:
        ran = project.run("--json", "find", pattern)
        for each in told(ran)["found"]:
            history = told(project.run("--json", "history", each["path"]))["histories"]
            found.append({"find": each, "history": history})
    return [without_proof(each) for each in found]


def without_proof(value: Any) -> Any:
    if isinstance(value, dict):
        left_out = ("proven", "status", "checked_at", "passed", "last_check", "last_read")
        return {key: without_proof(each) for key, each in value.items() if key not in left_out}
    return [without_proof(each) for each in value] if isinstance(value, list) else value


def members(project: Project) -> set[bytes]:
    with closing(open_catalog(f"sqlite:///{project.root}/state/catalog.sqlite", read_only=True)) as catalog:
        return {
            path
            for each in catalog.archives(
                {
                    entry.sha256
                    for disc in catalog.discs()
                    for session in catalog.sessions(disc.disc_id)
                    for entry in catalog.entries(disc.disc_id, session.number)
                }
            )
            for path in catalog.listing(each)
        }


@pytest.fixture
def week(project: Project) -> Project:
    """A whole collect and two increments, each on disc."""
    home = project.root / "home"
    sources(project, {"path": str(home)}, mode="incr")
    for name in ("stays", "changes", "goes", "sub/too"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(f"{name}\n".encode() * 50)
    for day, change in (
        (MONDAY, lambda: None),
        (TUESDAY, lambda: (home / "changes").write_bytes(b"another\n")),
        (WEDNESDAY, (home / "goes").unlink),
    ):
        change()
        settle(home)
        project.environ["CEDARCHEST_NOW"] = f"{day}T03:00"
        ran = project.run("all")
        assert ran.status == 0, ran.err
    return project


@pytest.mark.long
def test_after_all_but_the_discs_is_lost_every_member_is_found_as_before(week: Project) -> None:
    patterns = ("stays", "changes", "goes", "too", "*.tar.zst")
    before = answers(week, *patterns)
    assert len(before) >= 5
    lose(week)
    ran = rebuilt(week)
    assert (ran.status, told(ran)["unindexed"], told(ran)["absent"]) == (0, [], []), ran.err
    assert told(ran)["indexed"] == 3
    assert answers(week, *patterns) == before
    assert week.run("verify").status == 0
    assert answers(week, *patterns) == before
    assert told(rebuilt(week))["outcome"] == "nothing-to-do"


@pytest.mark.parametrize(("mode", "end"), [("", ""), ("gz", ".gz"), ("bz2", ".bz2"), ("xz", ".xz")])
def test_archives_without_an_index_are_read_through(project: Project, mode: str, end: str) -> None:
    archive = packed(mode, {"etc/fstab": b"root\n", "etc/deep/er": b"x" * 200_000})
    project.stage(FIRST, {f"etc.tar{end}": archive})
    assert project.run("store").status == 0
    lose(project)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"]) == (0, 1), ran.err
    (found,) = told(project.run("--json", "find", "fstab"))["found"]
    assert (found["path"], found["size"], found["proven"]) == ("etc/fstab", 5, False)


def lose_and_rebuild(project: Project) -> Ran:
    lose(project)
    return project.run("catalog", "rebuild")


def test_archives_on_discs_of_cedar_backup_are_read_through(project: Project, tmp_path: Path) -> None:
    require_genisoimage()
    archive = packed("gz", {"home/ann/letter": b"dear\n"})
    source = staged(tmp_path / "day", {"home.tar.gz": archive, "mysqldump.txt.gz": b"no archive"})
    image(project.shelf / f"{FIRST_LABEL}.iso", FIRST_LABEL, FIRST, source)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"]) == (0, 1), ran.err
    (found,) = told(project.run("--json", "find", "letter"))["found"]
    assert (found["peer"], found["discs"]) == ("mach", [FIRST_LABEL])
    assert project.run("verify").status == 0
    (found,) = told(project.run("--json", "find", "letter"))["found"]
    assert found["proven"]


def test_an_archive_that_is_none_is_named_with_the_reason_and_the_others_are_listed(project: Project) -> None:
    project.stage(FIRST, {"etc.tar.gz": b"\x1f\x8bno archive", "good.tar": packed("", {"good": b"good"})})
    assert project.run("store").status == 0
    lose(project)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"]) == (11, 1)
    (one,) = told(ran)["unindexed"]
    assert (one["disc"], one["path"]) == (project.images()[0].stem, f"{FIRST}/alpha/etc.tar.gz")
    assert "gzip" in one["why"]
    assert told(ran)["left_out"] == [
        f"{one['disc']} /{one['path']}: {one['why']}; what it holds cannot be found by name"
    ]
    assert "not listed: " in lose_and_rebuild(project).out
    assert told(rebuilt(project))["unindexed"] == []  # what is known to be bad is not read again


def test_an_archive_that_is_not_what_the_disc_says_is_not_taken_for_it(project: Project) -> None:
    """Whoever changed it would have another archive's members found; a whole copy still may tell them."""
    archive = packed("", {"etc/passwd": b"root"})
    project.stage(FIRST, {"etc.tar": archive})
    assert project.run("store").status == 0
    (disc,) = project.images()
    whole = disc.read_bytes()
    disc.write_bytes(whole.replace(b"etc/passwd", b"etc/shadow"))
    lose(project)
    ran = rebuilt(project)
    assert ran.status == 11
    assert "is not what the disc says that it is" in told(ran)["unindexed"][0]["why"]
    assert b"etc/shadow" not in members(project)
    disc.write_bytes(whole)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"], told(ran)["outcome"]) == (0, 1, "ok")
    assert b"etc/passwd" in members(project)


def stands_at(project: Project, end: bytes) -> int:
    """Where the data of the first file begin whose path ends so."""
    with closing(open_catalog(f"sqlite:///{project.root}/state/catalog.sqlite", read_only=True)) as catalog:
        (disc,) = catalog.discs()
        held = catalog.entries(disc.disc_id, 1)
        return next(entry.start for entry in held if entry.path.endswith(end)) * 2048


def test_what_one_copy_cannot_tell_another_does(project: Project) -> None:
    project.configure(copies=2)
    project.stage(FIRST, {"etc.tar": packed("", {"etc/passwd": b"root"})})
    assert project.run("store").status == 0
    first, _ = project.images()
    first.write_bytes(first.read_bytes().replace(b"etc/passwd", b"etc/shadow"))
    lose(project)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"], told(ran)["unindexed"]) == (0, 1, [])
    assert b"etc/passwd" in members(project)


def test_an_index_that_is_not_the_one_of_the_disc_is_not_believed(week: Project) -> None:
    (disc,) = week.images()
    at = stands_at(week, b".tar.zst.index.jsonl.gz")
    raw = bytearray(disc.read_bytes())
    assert raw[at : at + 2] == b"\x1f\x8b"
    raw[at + 40] ^= 1
    disc.write_bytes(raw)
    lose(week)
    ran = rebuilt(week)
    assert told(ran)["indexed"] == 3
    assert any("the archive itself is read instead" in line for line in told(ran)["warnings"])
    assert told(week.run("--json", "find", "stays"))["found"]


def test_a_disc_that_was_not_at_hand_is_told(project: Project) -> None:
    project.configure(capacity="3 MiB")
    project.stage(FIRST, {"one.tar": packed("", {"one": b"1"})})
    assert project.run("store").status == 0
    project.stage(SECOND, {"two.tar": packed("", {"two": os.urandom(2_500_000)})})
    assert project.run("store").status == 0
    first, second = project.images()
    forget_members(project)
    hidden = first.rename(project.root / first.name)
    ran = rebuilt(project)
    assert told(ran)["absent"] == [{"disc": first.stem, "archives": 1}]
    assert told(ran)["indexed"] == 1
    assert f"{first.stem} was not at hand" in project.run("catalog", "rebuild").out
    ran = rebuilt(project, str(hidden))
    assert (told(ran)["absent"], told(ran)["indexed"]) == ([], 1)
    assert second.exists()


def forget_members(project: Project) -> None:
    """Have the catalog be one of before members were kept."""
    with closing(sqlite3.connect(project.root / "state/catalog.sqlite")) as catalog, catalog:
        catalog.execute("DELETE FROM members")
        catalog.execute("UPDATE trees SET listing = 'unread' WHERE sha256 IS NOT NULL")
    shutil.rmtree(project.staging)
    project.staging.mkdir()


def parts(content: bytes, count: int) -> dict[str, bytes]:
    size = len(content) // count
    cuts = [size * number for number in range(count)] + [len(content)]
    return {
        f"big.tar.gz.part-{number + 1:03d}-of-{count:03d}": content[cuts[number] : cuts[number + 1]]
        for number in range(count)
    }


def test_an_archive_in_parts_on_one_disc_is_joined(project: Project) -> None:
    noise = os.urandom(3 << 20)
    project.stage(FIRST, parts(packed("gz", {"var/noise": noise}), 3))
    assert project.run("store").status == 0
    lose(project)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"]) == (0, 1), ran.err
    (found,) = told(project.run("--json", "find", "noise"))["found"]
    assert (found["path"], found["discs"]) == ("var/noise", [project.images()[0].stem])
    assert project.run("verify").status == 0
    (found,) = told(project.run("--json", "find", "noise"))["found"]
    assert found["proven"]


def test_an_archive_in_parts_over_several_discs_is_joined_and_listed_by_its_index(project: Project) -> None:
    home = project.root / "home"
    sources(project, {"path": str(home), "archive": "tar"}, mode="daily")
    device = 'device = "shelf:shelf"'
    text = project.config.read_text().replace(device, f'{device}\ncapacity = "5 MiB"')
    project.config.write_text(text)
    home.mkdir()
    (home / "noise").write_bytes(os.urandom(13 << 20))
    (home / "small").write_bytes(b"small")
    settle(home)
    project.environ["CEDARCHEST_NOW"] = f"{MONDAY}T03:00"
    ran = project.run("all")
    assert ran.status == 0, ran.err
    before = answers(project, "noise", "small")
    discs = project.images()
    assert len(discs) > 2
    lose(project)
    ran = rebuilt(project, *map(str, reversed(discs)))
    assert (ran.status, told(ran)["indexed"], told(ran)["unindexed"]) == (0, 1, []), ran.err
    assert answers(project, "noise", "small") == before
    assert project.run("verify").status == 0
    assert answers(project, "noise", "small") == before
    lose(project)
    ran = rebuilt(project, *map(str, discs[1:]))
    assert ran.status == 11
    (one,) = told(ran)["unindexed"]
    assert "was not at hand when it was wanted: enter all discs of it together" in one["why"]
    ran = rebuilt(project, *map(str, discs))
    assert (told(ran)["indexed"], told(ran)["unindexed"]) == (1, [])


def test_parts_are_joined_though_the_last_one_is_on_the_first_disc(project: Project) -> None:
    project.configure(capacity="3 MiB")
    first, second = parts(packed("gz", {"var/noise": os.urandom(4 << 20)}), 2).items()
    folder = project.stage(FIRST, dict([second]))
    assert project.run("store").status == 0
    (folder / "cback.store").unlink()
    (folder / "alpha" / first[0]).write_bytes(first[1])
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert len(project.images()) == 2
    lose(project)
    ran = rebuilt(project)
    (one,) = told(ran)["unindexed"]
    assert one["why"] == "its parts are on several discs, none of which has its index"


def test_an_archive_of_which_a_part_is_missing_is_named(project: Project) -> None:
    (name, content), *_ = parts(packed("gz", {"var/noise": os.urandom(1 << 20)}), 2).items()
    project.stage(FIRST, {name: content})
    assert project.run("store").status == 0
    lose(project)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["indexed"]) == (11, 0)
    (one,) = told(ran)["unindexed"]
    assert one["path"] == f"{FIRST}/alpha/big.tar.gz"
    assert one["why"].startswith("part 2 of 2 was not at hand")


def test_a_dry_run_reads_no_archive(project: Project) -> None:
    project.stage(FIRST, {"etc.tar": packed("", {"etc/fstab": b"x"})})
    assert project.run("store").status == 0
    lose(project)
    assert told(rebuilt(project, "--dry-run"))["indexed"] == 0
