"""The same trees through Cedar Backup's collect and ours: the same members, but for what is documented."""

from __future__ import annotations

import random
import subprocess
import tarfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from tests.cedar_runs import CedarPool
from tests.cli.test_collect_cli import sources
from tests.conftest import Project

_CONFIG = """<?xml version="1.0"?>
<cb_config>
<reference><author/><revision/><description/></reference>
<options><starting_day>monday</starting_day><working_dir>{root}/work</working_dir>
<backup_user>root</backup_user><backup_group>root</backup_group><rcp_command>scp</rcp_command></options>
<collect><collect_dir>{root}/cedar</collect_dir><collect_mode>daily</collect_mode>
<archive_mode>tar</archive_mode><ignore_file>.ignore</ignore_file>{everywhere}
<dir><abs_path>{root}/home</abs_path>{keys}</dir></collect>
</cb_config>
"""


Case = tuple[dict[str, Any], dict[str, Any], str, str]


def case(ours: dict[str, Any], theirs: str, *everywhere: Any) -> Case:
    """Keys of the source, and elements of `<dir>`; then perhaps keys of `[collect]` and elements there."""
    of_all, elements = everywhere or ({}, "")
    return ours, of_all, theirs, elements


def level(number: int) -> str:
    return f"<recursion_level>{number}</recursion_level>"


def depth(number: int, dereference: str = "") -> str:
    return f"<link_depth>{number}</link_depth>{dereference}"


def exclude(**kinds: list[str]) -> str:
    paths = "".join(f"<{kind}>{each}</{kind}>" for kind, several in kinds.items() for each in several)
    return f"<exclude>{paths}</exclude>"


REAL, YES = {"dereference": True}, "<dereference>Y</dereference>"
CASES = [
    case({}, ""),
    *(case({"recursion_level": number}, level(number)) for number in (1, 2, 5)),
    *(case({"link_depth": number}, depth(number)) for number in (1, 2, 3)),
    case({"link_depth": 1, **REAL}, depth(1, YES)),
    case({"link_depth": 2, **REAL}, depth(2, YES)),
    case({"link_depth": 2, "recursion_level": 1, **REAL}, depth(2, YES) + level(1)),
    case({"exclude": ["/d0", "/d1/f1"]}, exclude(rel_path=["d0", "d1/f1"])),
    case({"exclude": ["{root}/home/d1"]}, exclude(abs_path=["{root}/home/d1"])),
    case({"exclude_regex": [".*/d[01]"]}, exclude(pattern=[".*/d[01]"])),
    case({"exclude_regex": [".*1"]}, exclude(pattern=[".*1"]),
         {"exclude": ["{root}/home/d0/d1"], "exclude_regex": [".*/f2"]},
         exclude(abs_path=["{root}/home/d0/d1"], pattern=[".*/f2"])),
    case({}, "", {"exclude_regex": ["{root}"]}, exclude(abs_path=["{root}"])),  # above what is collected
    case({"exclude_regex": [".*/d1"], "recursion_level": 1, "link_depth": 2},
         depth(2) + level(1) + exclude(pattern=[".*/d1"])),
]  # fmt: skip


def fill(top: Path, far: Path, dice: random.Random, depth: int = 3) -> None:
    """Folders, files, hard links, and links to files and folders; the deepest may say to be ignored."""
    top.mkdir()
    for number in range(3):
        (top / f"f{number}").write_bytes(dice.randbytes(dice.randrange(2000)))
    (top / "twin").hardlink_to(top / "f0")
    (top / "to-file").symlink_to(dice.choice([top / "f1", far / "f1", Path("f2")]))
    (top / "to-folder").symlink_to(dice.choice([far, far / "d0"]))
    for number in range(2) if depth else ():
        fill(top / f"d{number}", far, dice, depth - 1)
    if depth == 0 and dice.random() < 0.3:
        (top / ".ignore").touch()


@pytest.mark.parametrize("number", range(len(CASES)))
@pytest.mark.slow
def test_the_same_members_as_by_cedar_backup(project: Project, number: int) -> None:
    ours, everywhere, theirs, theirs_everywhere = CASES[number]
    home, far, further = (project.root / name for name in ("home", "far", "further"))
    dice = random.Random(number)
    (further / "d0").mkdir(parents=True)
    (further / "f1").write_bytes(b"1")
    (further / "d0" / "f0").write_bytes(b"0")
    fill(far, further, dice, 1)
    fill(home, far, dice)

    def here(value: Any) -> Any:
        if isinstance(value, list):
            return [here(each) for each in value]
        return value.replace("{root}", str(project.root)) if isinstance(value, str) else value

    def placed(table: dict[str, Any]) -> dict[str, Any]:
        return {key: here(value) for key, value in table.items()}

    sources(
        project,
        {"path": str(home), **placed(ours)},
        archive="tar",
        ignore_file=".ignore",
        **placed(everywhere),
    )
    assert project.run("collect").status == 0
    cedar(project.root, here(theirs), here(theirs_everywhere))
    mine = members(project.root / "collect")
    assert mine == by_its_own_file(project)
    assert mine == members(project.root / "cedar")
    assert sum(map(len, mine.values())) > 5


def collected_by_both(pool: CedarPool, inside: str) -> dict[str, set[str]]:
    """What our `cback3` collects of files, by archive, which is what Cedar Backup's does."""
    pool.configure(
        collect=f"<collect><collect_dir>{pool.root}/collect</collect_dir><collect_mode>daily</collect_mode>"
        f"<archive_mode>tar</archive_mode><ignore_file>.ignore</ignore_file>{inside}</collect>"
    )
    found = []
    for run in (pool.run_theirs, pool.run):
        ran = run("collect")
        assert ran.status == 0, ran.out + ran.err
        found.append(members(pool.root / "collect"))
        for path in (pool.root / "collect").glob("*.tar*"):
            path.unlink()
    assert found[0] == found[1]
    return found[1]


def test_names_with_newlines_are_left_out_alike(tmp_path: Path) -> None:
    pool = CedarPool(tmp_path)
    home = pool.root / "home"
    for name in ("new.line", "new\nline", "new-line", "end\n", "end", "bend\n", "a\nfolder"):
        path = home / name
        if "folder" in name:
            path.mkdir()
            path /= "letter"
        path.touch()
    patterns = exclude(pattern=[".*/new.line", ".*/end", ".*/a.folder", "nosuch|.*/bend"])
    (held,) = collected_by_both(pool, f"<dir><abs_path>{home}</abs_path>{patterns}</dir>").values()
    assert {name.rpartition("home/")[2] for name in held} == {"letter", "new\nline", "a\nfolder/letter"}


@pytest.mark.parametrize(
    ("everywhere", "own"),
    [
        (exclude(pattern=[".*/ann"]), ""),
        (exclude(abs_path=["{home}/ann"]), ""),
        ("", exclude(pattern=["nosuch|.*/ann"])),
        ("", exclude(abs_path=["{home}/ann"]) + level(1)),
        (exclude(abs_path=["{home}"], pattern=["ann", ".*/an"]), exclude(rel_path=["ann"])),
    ],
)
def test_a_directory_that_is_itself_left_out_is_collected_alike(
    tmp_path: Path, everywhere: str, own: str
) -> None:
    pool = CedarPool(tmp_path)
    home = pool.root / "home"
    (home / "ann" / "below").mkdir(parents=True)
    (home / "ann" / "below" / "letter").touch()
    found = collected_by_both(
        pool,
        f"{everywhere}<file><abs_path>{{home}}/letter</abs_path></file>"
        f"<dir><abs_path>{{home}}/ann</abs_path>{own}</dir>".replace("{home}", str(home)),
    )
    assert len(found) == (2 if "rel_path" in own else 1)


@pytest.mark.parametrize(
    "several",
    [
        [exclude(rel_path=["letter"]), exclude(rel_path=["other"])],
        [exclude(rel_path=["other"]), exclude(rel_path=["letter"])],
        ["<collect_mode>incr</collect_mode>", exclude(rel_path=["letter"])],
        ["<collect_mode>weekly</collect_mode>", exclude(rel_path=["letter"]), exclude(rel_path=["other"])],
        [exclude(rel_path=["other"]), exclude(pattern=[".*/home"])],
    ],
)
def test_of_a_directory_that_is_there_twice_the_last_archive_is_left(
    tmp_path: Path, several: list[str]
) -> None:
    pool = CedarPool(tmp_path)
    home = pool.root / "home"
    (home / "other").touch()
    dirs = "".join(f"<dir><abs_path>{home}</abs_path>{inside}</dir>" for inside in several)
    (held,) = collected_by_both(pool, dirs).values()
    assert len(held) == 1


def cedar(root: Path, keys: str, everywhere: str) -> None:
    for name in ("cedar", "work"):
        (root / name).mkdir()
    config = root / "cedar.xml"
    config.write_text(_CONFIG.format(root=escape(str(root)), keys=keys, everywhere=everywhere))
    subprocess.run(
        ["cback3", "--quiet", "--config", str(config), "--logfile", str(root / "log"), "collect"],
        check=True,
        capture_output=True,
    )


def by_its_own_file(project: Project) -> dict[str, set[str]]:
    """What we collect with Cedar Backup's own file, into another folder."""
    config = project.root / "again.xml"
    config.write_text(
        (project.root / "cedar.xml").read_text().replace("/cedar</collect_dir>", "/again</collect_dir>")
    )
    ran = project.run("-c", str(config), "collect")
    assert ran.status == 0, ran.err
    return members(project.root / "again")


def members(folder: Path) -> dict[str, set[str]]:
    """By archive the members that are no folders; an archive of folders alone counts for nothing."""
    found = {}
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as archive:
            found[path.name] = {each.name for each in archive if not each.isdir()}
    return {name: held for name, held in found.items() if held}
