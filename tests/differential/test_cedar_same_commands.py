"""The same command lines with the same XML, to Cedar Backup's `cback3` and to ours."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.cedar_runs import CedarPool, extension, extensions, hook
from tests.cedar_xml import CEDAR_3

from cedarchest_cedar.config import Config

INDEXED = extensions(
    extension("zzz", 100),
    extension("aaa", 100, "other"),
    extension("early", 0),
    extension("bad", 250, "broken"),
)
BEFORE, AFTER = "<run_before>{}</run_before>", "<run_after>{}</run_after>"


@pytest.fixture
def pool(tmp_path: Path) -> CedarPool:
    return CedarPool(tmp_path)


def both(pool: CedarPool, *arguments: str) -> tuple[int, list[str]]:
    """The exit status and the trace of Cedar Backup's command, which are those of ours, too."""
    theirs = pool.run_theirs(*arguments)
    trace = pool.traced()
    ours = pool.run(*arguments)
    assert (ours.status, pool.traced()) == (theirs.status, trace), ours.out + ours.err
    assert bool(ours.out + ours.err) == bool(theirs.out + theirs.err)
    return theirs.status, trace


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("", 2),
        ("-x", 2),
        ("-M -N collect", 2),
        ("-m 999 collect", 2),
        ("-o root collect", 2),
        ("--nosuch collect", 2),
        ("-q -x collect", 2),
        ("collect --full", 4),
        ("nosuch", 4),
        ("all collect", 4),
        ("collect validate", 4),
        ("rebuild zzz", 4),
        ("initialize purge", 4),
        ("all all", 4),
        ("-c nosuch.conf collect", 4),
        ("-l /nonexistent/log collect", 3),
        ("stage", 6),
        ("store", 6),
        ("purge", 6),
        ("rebuild", 6),
        ("initialize", 6),
        ("collect bad", 6),
        ("-q bad", 6),
        ("bad collect", 6),
        ("-s bad", 1),
        ("collect", 0),
        ("-q collect", 0),
        ("--ful zzz collect", 0),
        ("-d -O collect", 0),
        ("-M collect", 0),
        ("-N collect", 0),
        ("collect zzz aaa early", 0),
        ("zzz zzz", 0),
        ("--help nosuch", 0),
        ("--version nosuch", 0),
        ("--diagnostics", 0),
    ],
)
def test_a_command_line_ends_alike(pool: CedarPool, arguments: str, status: int) -> None:
    pool.configure(INDEXED)
    assert both(pool, *arguments.split())[0] == status


@pytest.mark.parametrize(
    "places",
    [
        {},
        {"a": "", "b": BEFORE.format("collect"), "c": AFTER.format("store")},
        {"a": BEFORE.format("b"), "b": BEFORE.format("collect"), "c": AFTER.format("a")},
        {"a": AFTER.format("collect") + BEFORE.format("stage"), "b": AFTER.format("collect"), "c": ""},
        {"a": BEFORE.format("rebuild"), "b": BEFORE.format("a,c"), "c": AFTER.format("collect, purge")},
        {"a": BEFORE.format("nosuch"), "b": "", "c": ""},
        {"a": BEFORE.format("b"), "b": BEFORE.format("a"), "c": ""},
        {"a": BEFORE.format("collect") + AFTER.format("stage"), "b": "", "c": ""},
        {"a": 1, "b": "", "c": ""},
    ],
)
def test_extensions_that_depend_on_others_are_run_in_the_same_order(
    pool: CedarPool, places: dict[str, Any]
) -> None:
    actions = [extension(name, place) for name, place in places.items()]
    hooks = "".join(hook(pool, "pre", name, name) for name in (*places, "collect"))
    pool.configure(extensions(*actions, mode="dependency"), options=hooks)
    both(pool, "collect", *places)


@pytest.mark.parametrize("indexes", [(1, 2, 3), (300, 200, 50), (100, 100, 100), (100, 99, 101)])
def test_extensions_with_an_index_are_run_in_the_same_order(
    pool: CedarPool, indexes: tuple[int, ...]
) -> None:
    names = ("beta", "dd", "alpha")
    actions = [extension(name, index) for name, index in zip(names, indexes, strict=True)]
    hooks = "".join(hook(pool, "post", name, name) for name in (*names, "collect"))
    pool.configure(extensions(*actions), options=hooks)
    status, trace = both(pool, *names, "collect")
    assert (status, len(trace)) == (0, 7)


@pytest.mark.parametrize(
    ("hooks", "status"),
    [
        ([("pre", "zzz", "one"), ("pre", "zzz", "two"), ("post", "zzz", "three")], 0),
        ([("pre", "collect", "fail"), ("post", "collect", "never")], 6),
        ([("post", "collect", "fail"), ("pre", "zzz", "never")], 6),
        ([("pre", "zzz", "first"), ("post", "bad", "never")], 0),
        ([("pre", "all", "never"), ("pre", "nosuch", "never")], 0),
        ([("pre", "zzz", '"two  words" "" x')], 0),
    ],
)
def test_hooks_are_run_alike(pool: CedarPool, hooks: list[tuple[str, str, str]], status: int) -> None:
    made = "".join(hook(pool, when, action, words) for when, action, words in hooks)
    pool.configure(extensions(extension("zzz", 300), extension("bad", 400, "broken")), options=made)
    assert both(pool, "collect", "zzz")[0] == status


def test_an_action_that_fails_stops_what_comes_later(pool: CedarPool) -> None:
    pool.configure(INDEXED, options=hook(pool, "post", "bad", "never"))
    status, trace = both(pool, "early", "bad", "zzz", "purge")
    assert status == 6
    assert [line.split()[0] for line in trace] == ["note", "note"]


def test_a_folder_to_purge_that_is_not_there_is_shown(pool: CedarPool) -> None:
    pool.configure(
        f"<purge><dir><abs_path>{pool.root}/gone</abs_path><retain_days>7</retain_days></dir></purge>"
    )
    assert both(pool, "purge") == (6, [])
    assert f"purge: {pool.root}/gone is not there" in pool.run("purge").out


def test_a_purge_without_folders_has_nothing_to_do(pool: CedarPool) -> None:
    pool.configure("<purge></purge>")
    assert both(pool, "collect", "purge") == (0, [])


def test_no_program_takes_the_place_of_a_hook(pool: CedarPool) -> None:
    replaced = f"<override><command>nosuch</command><abs_path>{pool.root}/hook</abs_path></override>"
    pool.configure(
        options=f"{replaced}<pre_action_hook><action>collect</action><command>nosuch run</command>"
        "</pre_action_hook>"
    )
    assert both(pool, "collect") == (6, [])


INVENTORY = """<inventory><collect_mode>{mode}</collect_mode><largest>2.5 KB</largest>
<program>{program}</program><folder><abs_path>{home}</abs_path><hidden>{hidden}</hidden>{labels}</folder>
<folder><abs_path>{home}/in here</abs_path></folder></inventory>"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "program", "hidden", "labels", "full"),
    [
        ("daily", 'printf "a b\\n"', "N", "<label>a</label><label>b</label>", False),
        ("incr", "uname -s", "Y", "", False),
        ("incr", "uname -s", "Y", "", True),
        ("weekly", "true", "N", "<label/>", False),
        ("weekly", "true", "y", "<label>x<!-- -->y</label>", True),
        ("daily", "false", "N", "", False),
        ("daily", "nosuch-program", "N", "", False),
        ("hourly", "true", "N", "", False),
        ("daily", "true", "yes", "", False),
        ("daily", "cat inventory-input", "N", "", False),
    ],
)
def test_an_extension_of_somebody_else_leaves_the_same(
    pool: CedarPool, mode: str, program: str, hidden: str, labels: str, full: bool
) -> None:
    home = pool.root / "home"
    (home / "in here").mkdir()
    (home / "in here" / "small").write_bytes(bytes(10))
    (home / ".hidden").write_bytes(b"h")
    (home / "large").write_bytes(bytes(3000))
    (pool.root / "inventory-input").write_text("one\ntwo")
    # What begins a week is judged by the clock, which Cedar Backup reads itself: there is no such day.
    section = INVENTORY.format(mode=mode, program=program, home=home, hidden=hidden, labels=labels)
    pool.configure(
        section + extensions(extension("inventory", 99, "executeAction", "inventory")),
        options="<rsh_command>ssh</rsh_command>",
    )
    text = pool.config.read_text()
    weekday = subprocess.run(
        ["date", "-d", "tomorrow", "+%A"], check=True, capture_output=True, text=True, env={"LC_ALL": "C"}
    ).stdout.strip()
    pool.config.write_text(text.replace("monday", weekday.lower()))
    pool.environ.clear()
    arguments = [*(["--full"] if full else []), "inventory", "collect"]
    found = []
    for run in (pool.run_theirs, pool.run):
        statuses = []
        for name in ("letter", "later"):
            (home / name).write_text("dear reader\n")
            statuses.append(run(*arguments).status)
        found.append((statuses, _left(pool)))
        (home / "later").unlink()
    assert found[0] == found[1]


def _left(pool: CedarPool) -> dict[str, Any]:
    """What is in collect and working dir, which are empty afterwards."""
    left: dict[str, Any] = {}
    for folder in (pool.root / "collect", pool.root / "work"):
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".tar":
                with tarfile.open(path) as archive:
                    left[path.name] = sorted(each.name for each in archive if not each.isdir())
            elif path.name.startswith("inventory") or path.name == "cback.collect":
                status = path.stat()
                left[path.name] = (path.read_text(), status.st_uid, status.st_gid)
            if path.is_file():
                path.unlink()
    return left


LATE = (
    "<stage><staging_dir>{root}/staging</staging_dir><peer><name>late</name><type>local</type>"
    "<collect_dir>{root}/work</collect_dir></peer></stage>"
)
NOT_VALID = (
    LATE + "<store><source_dir>{root}/staging</source_dir><media_type>dvd+rw</media_type>"
    "<device_type>dvdwriter</device_type><target_device>/dev/nosuch</target_device></store>"
)
NO_PEERS = "<stage><staging_dir>{root}/staging</staging_dir></stage>"
FAR = (
    "<peers><peer><name>far.invalid</name><type>remote</type><collect_dir>/c</collect_dir><managed>Y</managed>"
    "<rsh_command>/bin/false</rsh_command><cback_command>cback3</cback_command>"
    "<managed_actions>collect</managed_actions></peer></peers>"
)


@pytest.mark.parametrize(
    ("sections", "arguments", "theirs", "ours"),
    [
        (LATE, ["stage"], 0, 6),
        (FAR, ["-M", "collect"], 0, 6),
        (NOT_VALID, ["validate"], 0, 6),
        (NO_PEERS, ["stage"], 4, 6),
        (NO_PEERS, ["collect"], 4, 0),
        (extensions(extension("gone", 1, "f", "nosuch_module")), ["collect"], 4, 0),
        (extensions(extension("collect", 1)), ["collect"], 0, 4),
    ],
)
def test_where_the_end_is_another_than_that_of_cedar_backup(
    pool: CedarPool, sections: str, arguments: list[str], theirs: int, ours: int
) -> None:
    pool.configure(sections.format(root=pool.root))
    assert (pool.run_theirs(*arguments).status, pool.run(*arguments).status) == (theirs, ours)


@pytest.mark.parametrize("kind", ["user", "group"])
def test_an_owner_that_is_not_there_is_told_with_its_element(pool: CedarPool, kind: str) -> None:
    pool.configure()
    element = f"<backup_{kind}>"
    text = pool.config.read_text().replace(f"{element}root<", f"{element}nobody-at-all<")
    pool.config.write_text(text)
    assert pool.run_theirs("collect").status == 0
    (pool.root / "collect" / "cback.collect").unlink()
    ran = pool.run("collect")
    assert (ran.status, list((pool.root / "collect").glob("cback.collect"))) == (6, [])
    assert f"no {kind} nobody-at-all" in ran.out
    assert element in ran.out


def test_a_directory_that_is_itself_left_out_and_stands_alone_is_an_error(pool: CedarPool) -> None:
    pool.configure()
    exclude = "<exclude><pattern>.*/home</pattern></exclude><dir>"
    pool.config.write_text(pool.config.read_text().replace("<dir>", exclude, 1))
    assert (pool.run_theirs("collect").status, pool.run("collect").status) == (0, 6)
    assert "is itself left out" in pool.log.read_text()


def test_what_is_required_and_has_a_default_of_ours_may_be_absent(pool: CedarPool) -> None:
    pool.configure(
        collect=f"<collect><collect_dir>{pool.root}/collect</collect_dir>"
        f"<dir><abs_path>{pool.root}/home</abs_path></dir></collect>"
    )
    assert (pool.run_theirs("collect").status, pool.run("collect").status) == (4, 0)


DUMP = """
import json, sys
from CedarBackup3.config import Config
def dump(value):
    if value is None or isinstance(value, (str, int, float)): return value
    if isinstance(value, list): return [dump(each) for each in value]
    kind = type(value)
    names = [name for name in dir(kind) if isinstance(getattr(kind, name), property)]
    return {"": kind.__name__, **{name: dump(getattr(value, name)) for name in names}}
print(json.dumps(dump(Config(xmlPath=sys.argv[1], validate=False))))
"""


def _dumped(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [_dumped(each) for each in value]
    theirs = {name: each for name, each in vars(value).items() if name != "stateDir"}
    return {"": type(value).__name__, **{name: _dumped(each) for name, each in theirs.items()}}


def test_an_extension_reads_the_same_from_a_configuration() -> None:
    ran = subprocess.run(
        ["/usr/bin/python3", "-c", DUMP, str(CEDAR_3)], check=True, capture_output=True, text=True
    )
    assert _dumped(Config(xmlPath=CEDAR_3, validate=False)) == json.loads(ran.stdout)
