"""The same program with the names of Cedar Backup's package and with ours: what it finds is the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

THEIRS, OURS = "/usr/bin/python3", sys.executable


def said(python: str, program: str, folder: Path, *given: Any) -> Any:
    """What a program says that is run in a folder, which is told what was given."""
    ran = subprocess.run(
        [python, "-c", f"import json, os, sys, time\ngiven = json.load(sys.stdin)\n{program}"],
        input=json.dumps(given),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def same(program: str, folder: Path, *given: Any) -> Any:
    """What both say."""
    ours = said(OURS, program, folder, *given)
    assert ours == said(THEIRS, program, folder, *given)
    return ours


def test_the_same_is_chosen_for_a_disc(tmp_path: Path) -> None:
    dice = random.Random(3)
    cases = [
        (
            {f"k{n}": dice.choice([0, dice.randrange(50)]) for n in range(dice.randrange(9))},
            dice.randrange(120),
        )
        for _ in range(400)
    ]
    program = """
from CedarBackup3.knapsack import firstFit, bestFit, worstFit, alternateFit
ways = (firstFit, bestFit, worstFit, alternateFit)
print(json.dumps([
    [way({key: (key, size) for key, size in items.items()}, room) for way in ways] for items, room in given
]))
"""
    assert len(same(program, tmp_path, *cases)) == 400


LIST = """
from CedarBackup3.filesystem import FilesystemList, BackupFileList, PurgeItemList
found = []
for kind, settings, call in given:
    paths = {"all": FilesystemList, "backup": BackupFileList, "purge": PurgeItemList}[kind]()
    for name, value in settings.items():
        setattr(paths, name, value)
    count = paths.addDirContents(os.getcwd() + "/top", **call)
    told = [count, sorted(os.path.relpath(path) for path in paths)]
    if kind == "backup":
        told += [paths.totalSize(), sorted(paths.generateSizeMap().values())]
        told += [{os.path.relpath(path): digest for path, digest in paths.generateDigestMap().items()}]
        told += [sorted(paths.generateDigestMap(stripPrefix=os.getcwd()))]
        discs = paths.generateSpan(3000, "best_fit")
        told += [[disc.size, disc.capacity, len(disc.fileList)] for disc in discs]
    found.append(told)
print(json.dumps(found))
"""


def tree(root: Path, dice: random.Random, depth: int = 3) -> None:
    root.mkdir()
    for name in ("a", "b c", ".d", "e\u00e4"):
        (root / name).write_bytes(dice.randbytes(dice.randrange(1, 900)))
    (root / "to-file").symlink_to("a")
    (root / "to-nothing").symlink_to("nothing")
    (root / "empty").mkdir()
    (root / "to-folder").symlink_to("../../far" if depth else "empty")
    if depth == 1:
        (root / ".ignore").touch()
    for name in ("x", "y") if depth else ():
        tree(root / name, dice, depth - 1)


def test_the_same_is_listed(tmp_path: Path) -> None:
    dice = random.Random(5)
    tree(tmp_path / "far", dice, 0)
    tree(tmp_path / "top", dice)
    top = str(tmp_path / "top")
    settings: list[dict[str, Any]] = [
        {},
        {"excludeFiles": True},
        {"excludeDirs": True},
        {"excludeLinks": True},
        {"ignoreFile": ".ignore"},
        {"excludePaths": [f"{top}/x", f"{top}/y/a"]},
        {"excludePatterns": [".*/y", ".*c"]},
        {"excludePatterns": ["a|.*b c"]},
        {"excludeBasenamePatterns": ["x", r"\\..*"]},
        {"ignoreFile": ".ignore", "excludeLinks": True, "excludeBasenamePatterns": ["a"]},
    ]
    calls: list[dict[str, Any]] = [
        {},
        {"recursive": False},
        {"addSelf": False},
        *({"linkDepth": depth, "dereference": real} for depth in (1, 2, 3) for real in (False, True)),
        {"recursive": False, "linkDepth": 1},
    ]
    cases = [[kind, each, call] for kind in ("all", "backup", "purge") for each in settings for call in calls]
    found = same(LIST, tmp_path, *cases)
    assert len(found) == 300
    assert max(count for count, *_ in found) > 80


REMOVE = """
from CedarBackup3.filesystem import FilesystemList
paths = FilesystemList()
paths.addDirContents(os.getcwd() + "/top")
told = []
for name, pattern in given:
    count = getattr(paths, name)(*pattern)
    told.append([count, sorted(os.path.relpath(path) for path in paths), paths.verify()])
paths.extend(list(paths)[:3])
paths.normalize()
print(json.dumps([told, [os.path.relpath(path) for path in paths]]))
"""


def test_the_same_is_taken_out_of_a_list(tmp_path: Path) -> None:
    tree(tmp_path / "far", random.Random(1), 0)
    tree(tmp_path / "top", random.Random(2), 1)
    steps: list[tuple[str, list[str]]] = [
        ("removeFiles", [".*/x/.*"]),
        ("removeLinks", [".*file"]),
        ("removeMatch", [".*b c"]),
    ]
    told, left = same(
        REMOVE, tmp_path, *steps, ("removeDirs", []), ("removeInvalid", []), ("removeFiles", [])
    )
    assert [count for count, _, _ in told][:3] == [5, 2, 2]
    assert left == []


PURGE = """
from CedarBackup3.filesystem import PurgeItemList
for name in given[1]:
    os.utime(os.path.join("top", name), (time.time() - 4.5 * 86400, time.time() - 6 * 86400))
items = PurgeItemList()
items.addDirContents(os.getcwd() + "/top")
removed = items.removeYoungFiles(given[0])
print(json.dumps([removed, items.purgeItems()[0], sorted(
    os.path.join(folder, name) for folder, _, names in os.walk("top") for name in names)]))
"""


@pytest.mark.parametrize("days", [0, 1, 4, 5])
def test_the_same_files_are_purged(tmp_path: Path, days: int) -> None:
    found: list[Any] = []
    for python in (THEIRS, OURS):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        tree(folder / "far", random.Random(1), 0)
        tree(folder / "top", random.Random(2), 1)
        found.append(said(python, PURGE, folder, days, ["a", "x/a", "y/b c"]))
    assert found[0] == found[1]
    assert found[0][0] == {0: 0, 5: 13}.get(days, 10)


TAR = """
from CedarBackup3.filesystem import BackupFileList
import tarfile
told = []
for mode, flat in given:
    files = BackupFileList()
    files.addDirContents(os.getcwd() + "/top")
    files.sort()
    files.generateTarfile(os.getcwd() + "/made." + mode, mode, flat=flat)
    with tarfile.open("made." + mode) as archive:
        told.append([[member.name, member.size, member.linkname, member.mode] for member in archive])
    os.unlink("made." + mode)
    before = files.generateDigestMap()
    with open("top/a", "a") as file:
        file.write("more")
    removed, after = files.removeUnchanged(before, captureDigest=True)
    told.append([removed, len(before) == len(after), sorted(os.path.relpath(path) for path in files)])
print(json.dumps(told))
"""


def test_the_same_is_archived_and_found_changed(tmp_path: Path) -> None:
    tree(tmp_path / "far", random.Random(1), 0)
    tree(tmp_path / "top", random.Random(2), 1)
    (tmp_path / "top" / "twin").hardlink_to(tmp_path / "top" / "b c")
    told = []
    for python in (THEIRS, OURS):
        (tmp_path / "top" / "a").write_text("as it was")
        told.append(said(python, TAR, tmp_path, ("tar", False), ("targz", True), ("tarbz2", False)))
    assert told[0] == told[1]
    assert len(told[0]) == 6


UTIL = """
from CedarBackup3 import util, config
told = []
for name, arguments in given:
    try:
        told.append(getattr(util, name)(*arguments))
    except ValueError:
        told.append("ValueError")
quantity = config.ByteQuantity("2.5", config.UNIT_MBYTES)
print(json.dumps([told, quantity.bytes, quantity > config.ByteQuantity("2500", config.UNIT_KBYTES)]))
"""


def test_helpers_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    program = ["-c", "echo one; echo two >&2; exit 3"]
    calls = [
        *(("displayBytes", [size]) for size in (0, 1, 1023, 1024, 123456789, -5000, 2.5 * 1024**3)),
        ("displayBytes", [123456789, 0]),
        *(("convertSize", [3000, one, other]) for one in range(5) for other in range(5)),
        *(("buildNormalizedPath", [path]) for path in ("/", "/a b/.c", ".x/y", "/a:b", "a\\b", "//x", "/.h")),
        *(("parseCommaSeparatedString", [text]) for text in (None, "", "a", " a, b,,c ")),
        *(("deriveDayOfWeek", [day]) for day in ("monday", "sunday", "Monday", "x")),
        *(("splitCommandLine", [text]) for text in (None, "", 'a "b c" d', "'a b'")),
        ("executeCommand", [["/bin/sh"], program, True]),
        ("executeCommand", [["/bin/sh"], program, True, True]),
        ("executeCommand", [["/bin/sh"], program]),
        ("executeCommand", [["/nonexistent"], [], True]),
        ("executeCommand", [["/bin/sh"], ["-c", "echo $LANG $LC_ALL"], True]),
        ("getUidGid", ["root", "adm"]),
        ("getUidGid", ["nobody-at-all", "adm"]),
        ("resolveCommand", [["tool", "-x"]]),
        ("sortDict", [{"a": 3, "b": 1, "c": 2}]),
        ("checkUnique", ["twice:", ["a", "b"]]),
        ("checkUnique", ["twice:", ["a", "a"]]),
        ("pathJoin", ["/a", "b", "c"]),
        ("encodePath", ["/a"]),
        ("nullDevice", []),
        ("dereferenceLink", [str(tmp_path / "link")]),
        ("dereferenceLink", [str(tmp_path / "link"), False]),
        ("dereferenceLink", [str(tmp_path)]),
        ("deviceMounted", ["/dev/nosuch"]),
        ("isRunningAsRoot", []),
    ]
    told = same(UTIL, tmp_path, *calls)
    assert len(told[0]) == len(calls)
    assert "ValueError" in told[0]


XML = """
from CedarBackup3 import xmlutil
_document, root = xmlutil.createInputDom(given[0])
section = xmlutil.readFirstChild(root, "section")
told = [root.nodeName, xmlutil.readFirstChild(root, "none"), len(xmlutil.readChildren(section, "text"))]
for name in ("String", "StringList", "Integer", "Float", "Boolean"):
    for child in ("text", "number", "real", "yes", "empty", "broken", "none"):
        try:
            told.append(getattr(xmlutil, "read" + name)(section, child))
        except ValueError:
            told.append("ValueError")
print(json.dumps(told))
"""


def test_a_section_is_read_alike(tmp_path: Path) -> None:
    told = same(
        XML,
        tmp_path,
        "<cb_config><other/><section><text>one</text><text> two </text><text/><number>-7</number>"
        "<real>1.5</real><yes>y</yes><empty></empty><broken>a<!-- x -->b</broken></section></cb_config>",
    )
    assert [each for each in told if each is True] == [True]


KINDS = """
from CedarBackup3 import util
def made(kind, arguments):
    types = {"int": int, "str": str}
    given = [types.get(each, each) if isinstance(each, str) else each for each in arguments]
    return getattr(util, kind)(*given)
told = []
for kind, arguments, items in given:
    several = made(kind, arguments)
    for item in items:
        ways = several.append, lambda item: several.insert(0, item), lambda item: several.extend([item])
        for add in ways:
            try:
                add(item)
                told.append(len(several))
            except (ValueError, TypeError):
                told.append("ValueError")
    told.append([several == list(reversed(several)), several != [*several, *several, "z"]])
print(json.dumps(told))
"""


def test_lists_take_the_same(tmp_path: Path) -> None:
    cases = [
        ("AbsolutePathList", [], ["/a", "a", "", "//", "/a/../b"]),
        ("ObjectTypeList", ["int", "number"], [1, "a", None]),
        ("RestrictedContentList", [["a", "b"], "letters"], ["a", "b", "c", None]),
        ("RestrictedContentList", [["a", "b"], "letters", "A letter"], ["c"]),
        ("RegexMatchList", ["^[a-z]+$"], ["a", "B", "", None, "ab1"]),
        ("RegexMatchList", ["^[a-z]*$", True], ["a", ""]),
        ("RegexMatchList", ["^[a-z]*$", False, "A name"], ["a", ""]),
        ("RegexList", [], ["a", "(", "[", "a|b"]),
        ("UnorderedList", [], [3, 1, 2]),
    ]
    told = same(KINDS, tmp_path, *cases)
    assert told.count("ValueError") > 20


GRAPH = """
from CedarBackup3.util import DirectedGraph
told = []
for names, edges in given:
    graph = DirectedGraph("g")
    try:
        for name in names:
            graph.createVertex(name)
        for start, finish in edges:
            graph.createEdge(start, finish)
        told.append(graph.topologicalSort())
    except ValueError:
        told.append("ValueError")
print(json.dumps(told))
"""


def test_a_graph_is_sorted_alike(tmp_path: Path) -> None:
    dice = random.Random(8)
    names = "abcdefg"
    cases = []
    for _ in range(300):
        pairs = [sorted(dice.sample(names, 2), reverse=dice.random() < 0.1) for _ in range(dice.randrange(9))]
        cases.append((dice.sample(names, 7), pairs))
    told = same(GRAPH, tmp_path, *cases, (["a"], [["a", "b"]]))
    assert 0 < told.count("ValueError") < 200


WRITE = """
from CedarBackup3 import xmlutil, config
document, root = xmlutil.createOutputDom()
section = xmlutil.addContainerNode(document, root, "section")
for name, value in given[0]:
    xmlutil.addStringNode(document, section, "string", value)
for value in (None, 0, -5, 123456789012):
    xmlutil.addIntegerNode(document, section, "integer", value)
    xmlutil.addLongNode(document, section, "long", value)
for value in (None, True, False):
    xmlutil.addBooleanNode(document, section, "boolean", value)
for number, unit in (("2.5", config.UNIT_MBYTES), ("7", config.UNIT_BYTES), ("1", config.UNIT_GBYTES)):
    config.addByteQuantityNode(document, section, "size", config.ByteQuantity(number, unit))
_document, again = xmlutil.createInputDom(xmlutil.serializeDom(document))
section = xmlutil.readFirstChild(again, "section")
quantity = config.readByteQuantity(section, "size")
print(json.dumps([
    [xmlutil.readStringList(section, name) for name in ("string", "integer", "long", "boolean", "size")],
    [quantity.bytes, quantity.quantity, quantity.units, str(quantity)],
]))
"""


def test_a_section_is_written_alike(tmp_path: Path) -> None:
    values = [["", each] for each in ("one", "<&>\"'", "\u00e4\u20ac", " blanks ", None)]
    texts, quantity = same(WRITE, tmp_path, values)
    assert quantity == [2.5 * 1024**2, "2.5", 2, "2.50 MB"]
    assert "<&>\"'" in texts[0]


ACTION = """
from CedarBackup3 import action
names = [name for name in dir(action) if name.startswith("execute")]
print(json.dumps({name: getattr(action, name).__name__ for name in names}))
"""


def test_all_actions_are_in_one_module_as_well(tmp_path: Path) -> None:
    assert len(same(ACTION, tmp_path)) == 6
