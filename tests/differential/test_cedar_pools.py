"""The same peers and old files to Cedar Backup's `cback3` and to ours: what is staged, and what is purged."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from tests.cedar_runs import CedarPool
from tests.cli.program import program

DAY = 86_400
LATER = 400  # days; so late is it for ours, that no file was made or changed since it got its time
TABLE = Path(__file__).parents[2] / "docs/how-to/from-cedar.md"
COLLECTED = {"cback.collect": b"", "a.tar": b"archive"}
OF_OURS = ("INDEX.jsonl.gz", "SHA256SUMS")  # beside what is staged of peers
INDICATORS = ("/cback.collect", "/cback.stage")  # of peers; ours do not stand on discs
Tree = Mapping[str, bytes]


@dataclass(frozen=True)
class Staging:
    """What peers have collected, by their names, and what is run; the first word of a mode is before it."""

    peers: Mapping[str, Tree | None]
    runs: tuple[str, ...] = ("stage",)
    modes: Mapping[str, str] | None = None
    section: str = "peers"
    before: Tree | None = None  # what is staged already
    between: Tree | None = None  # what peers have besides after the first run

    def done(self, pool: CedarPool, *, theirs: bool) -> tuple[list[int], dict[str, bytes]]:
        """The exit statuses, and what is staged, by peer and path."""
        today = date.today()  # noqa: DTZ011 - Cedar Backup has no other clock
        day = pool.root / "staging" / f"{today:%Y/%m/%d}"
        pool.environ = {"CEDARCHEST_NOW": f"{today}T12:00:00"}
        self._configure(pool)
        for name, files in self.peers.items():
            if files is not None:
                made(pool.root / "peers" / name, files)
        if self.before is not None:
            made(day, self.before)
        statuses = []
        for number, words in enumerate(self.runs):
            if number == 1:
                made(pool.root / "peers", self.between or {})
            ran = (pool.run_theirs if theirs else pool.run)(*words.split())
            print(ran.out, ran.err)  # noqa: T201 - seen when a test fails
            statuses.append(ran.status)
        if today != date.today():  # noqa: DTZ011
            return self.done(CedarPool(pool.root.with_name(pool.root.name + "-again")), theirs=theirs)
        found = tree(day)
        for name in list(found):
            if name in OF_OURS or (name.endswith(INDICATORS) and "/" in name):
                del found[name]
        staged = [name for name in found if not name.endswith("/")]
        return statuses, {  # an empty folder of a peer that failed is nothing
            name: content for name, content in found.items() if any(each.startswith(name) for each in staged)
        }

    def _configure(self, pool: CedarPool) -> None:
        modes = self.modes or {}
        peers = "".join(
            f"<peer><name>{name}</name><type>local</type><collect_dir>{pool.root}/peers/{name}</collect_dir>"
            f"<ignore_failures>{modes.get(name, 'none')}</ignore_failures></peer>"
            for name in self.peers
        )
        staging = f"<staging_dir>{pool.root}/staging</staging_dir>"
        if self.section == "peers":
            pool.configure(f"<peers>{peers}</peers><stage>{staging}</stage>")
        else:
            pool.configure(f"<stage>{staging}{peers}</stage>")


def made(folder: Path, files: Tree) -> None:
    """Make a folder with files; a name with a slash at its end is a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def tree(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by path; folders end with a slash."""
    return {
        str(path.relative_to(folder)) + ("/" if path.is_dir() else ""): path.read_bytes()
        if path.is_file()
        else b""
        for path in folder.rglob("*")
    }


STAGED_ALIKE = {
    "one peer": Staging({"one": COLLECTED}),
    "two peers": Staging({"one": COLLECTED, "two": COLLECTED | {"b.tar.gz": b"zip"}}),
    "peers in the section of the action": Staging({"one": COLLECTED, "two": COLLECTED}, section="stage"),
    "an empty file": Staging({"one": COLLECTED | {"empty": b""}}),
    "names with blanks and letters of any kind": Staging({"one": COLLECTED | {"a b;c": b"1", "ü€": b"2"}}),
    "a name with a dot in front": Staging({"one": COLLECTED | {".hidden": b"1"}}),
    "a large file": Staging({"one": COLLECTED | {"large": os.urandom(3_000_000)}}),
    "a second run": Staging({"one": COLLECTED}, ("stage", "stage")),
    "a full run": Staging({"one": COLLECTED}, ("--full stage",)),
    "a name of a peer with a dash": Staging({"one-and-only": COLLECTED}),
    "a peer that may fail is not ready": Staging(
        {"one": COLLECTED, "two": {"a": b"1"}}, modes={"two": "all"}
    ),
}
"""What is staged as Cedar Backup does it."""

STAGED_OTHERWISE = {
    "`cback3` where a peer, a file or a managed peer fails": (
        Staging({"one": COLLECTED, "two": {"a.tar": b"not collected to the end"}}),
        ([0], ["cback.stage", "one/", "one/a.tar"]),
        ([6], ["cback.stage", "one/", "one/a.tar"]),
    ),
    "a peer that collected nothing": (
        Staging({"one": {"cback.collect": b""}}),
        ([0], ["cback.stage"]),
        ([0], []),
    ),
}
"""What is not: by its row in the table of differences, how it ends and what is staged then."""


def both(
    scenario: Staging | Purging, tmp_path: Path
) -> tuple[tuple[list[int], dict[str, bytes]], tuple[list[int], dict[str, bytes]]]:
    """What comes of a scenario by Cedar Backup, and by ours."""
    theirs = scenario.done(CedarPool(tmp_path / "theirs"), theirs=True)
    return theirs, scenario.done(CedarPool(tmp_path / "ours"), theirs=False)


@pytest.mark.parametrize("name", STAGED_ALIKE)
def test_peers_are_staged_alike(tmp_path: Path, name: str) -> None:
    theirs, ours = both(STAGED_ALIKE[name], tmp_path)
    assert ours == theirs


@pytest.mark.parametrize("name", STAGED_OTHERWISE)
def test_peers_are_staged_otherwise(tmp_path: Path, name: str) -> None:
    assert f"| {name} |" in TABLE.read_text(encoding="utf-8")
    scenario, *expected = STAGED_OTHERWISE[name]
    assert [(statuses, sorted(found)) for statuses, found in both(scenario, tmp_path)] == expected


def test_folders_in_what_a_peer_collected_are_staged(tmp_path: Path) -> None:
    assert "| folders in what a peer collected |" in TABLE.read_text(encoding="utf-8")
    theirs, ours = both(Staging({"one": COLLECTED | {"sub/file": b"1"}}), tmp_path)
    assert "one/sub/file" not in theirs[1]
    assert ours[0] == theirs[0] == [0]
    assert "cback.stage" in theirs[1]
    assert sorted(ours[1]) == ["cback.stage", "one/", "one/a.tar", "one/sub/", "one/sub/file"]


@dataclass(frozen=True)
class Purging:
    """Files with their ages in days, in folders that are purged; a folder ends with a slash."""

    files: Mapping[str, float]
    retain: Mapping[str, int]
    runs: int = 1
    stored_only: bool = False  # as it is without a word in the configuration

    def done(self, pool: CedarPool, *, theirs: bool) -> tuple[list[int], dict[str, bytes]]:
        """The exit statuses, and what is left."""
        now = time.time()
        if not theirs:
            now += LATER * DAY
            pool.environ = {"CEDARCHEST_NOW": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))}
        top = pool.root / "old"
        made(top, dict.fromkeys(self.files, b"x"))
        for name, age in self.files.items():
            os.utime(top / name, (now - age * DAY, now - age * DAY))
        dirs = "".join(
            f"<dir><abs_path>{top}/{name}</abs_path><retain_days>{days}</retain_days></dir>"
            for name, days in self.retain.items()
        )
        pool.configure(f"<purge>{dirs}</purge>")
        config = pool.root / "cedarchest.toml"
        if not theirs and not self.stored_only:
            assert program("migrate", str(pool.config), "-o", str(config), cwd=pool.root).status == 0
            text = config.read_text().replace("[[purge.dir]]", "[[purge.dir]]\nrequire_stored = false")
            config.write_text(text)
            argv = ("-c", str(config), "purge")
            ran = [program(*argv, cwd=pool.root, environ=pool.environ) for _ in range(self.runs)]
        else:
            run = pool.run_theirs if theirs else pool.run
            ran = [run("purge") for _ in range(self.runs)]
        print([(each.out, each.err) for each in ran])  # noqa: T201 - seen when a test fails
        return [each.status for each in ran], tree(top)


PURGED_ALIKE = {
    "old and new": Purging({"d/old": 8, "d/new": 1}, {"d": 7}),
    "the day itself": Purging({"d/a": 7.01, "d/b": 6.99}, {"d": 7}),
    "no days": Purging({"d/a": 0.01, "d/b": 100}, {"d": 0}),
    "one day": Purging({"d/a": 0.99, "d/b": 1.01, "d/c": 2.5}, {"d": 1}),
    "deep ones": Purging({"d/x/y/old": 30, "d/x/new": 3}, {"d": 7}),
    "folders that are left empty": Purging({"d/x/old": 30, "d/z/old": 30, "d/z/new": 1}, {"d": 7}),
    "the folder itself stays": Purging({"d/old": 30}, {"d": 7}),
    "an empty folder": Purging({"d/": 30}, {"d": 7}),
    "folders of their own": Purging({"d/a": 5, "e/a": 5}, {"d": 3, "e": 7}),
    "a folder in another one": Purging({"d/a": 5, "d/e/a": 5}, {"d": 7, "d/e": 3}),
    "odd names": Purging({"d/a b": 30, "d/ü€": 30, "d/.hidden": 30}, {"d": 7}),
    "twice": Purging({"d/old": 8, "d/new": 1}, {"d": 7}, 2),
}
"""What is purged as Cedar Backup does it."""


@pytest.mark.parametrize("name", PURGED_ALIKE)
def test_old_files_are_purged_alike(tmp_path: Path, name: str) -> None:
    theirs, ours = both(PURGED_ALIKE[name], tmp_path)
    assert ours == theirs


def test_without_the_receipts_cedar_backup_stages_what_ours_staged_before(tmp_path: Path) -> None:
    pool = CedarPool(tmp_path)
    pool.configure(
        f"<peers><peer><name>here</name><type>local</type><collect_dir>{tmp_path}/collect</collect_dir></peer>"
        f"</peers><stage><staging_dir>{tmp_path}/staging</staging_dir></stage>"
    )
    assert pool.run("collect", "stage").status == 0
    assert "not a regular file" in pool.run_theirs("collect", "stage").out
    shutil.rmtree(tmp_path / "collect" / "cback.receipts")
    ran = pool.run_theirs("collect", "stage")
    assert (ran.status, ran.out) == (0, "")
    assert "`cback.receipts` has to go" in TABLE.read_text(encoding="utf-8")


PURGED_OTHERWISE = {
    "purge": (Purging({"d/old": 30}, {"d": 7}, stored_only=True), ["d/"], ["d/", "d/old"]),
    "purge of folders in folders": (Purging({"d/x/y/old": 30}, {"d": 7}), ["d/", "d/x/"], ["d/"]),
    "purge of indicators": (Purging({"d/cback.collect": 30}, {"d": 7}), ["d/"], ["d/", "d/cback.collect"]),
}
"""What is not: by its row in the table of differences, and what is left."""


@pytest.mark.parametrize("name", PURGED_OTHERWISE)
def test_old_files_are_purged_otherwise(tmp_path: Path, name: str) -> None:
    assert f"| {name} |" in TABLE.read_text(encoding="utf-8")
    scenario, *left = PURGED_OTHERWISE[name]
    assert [(statuses, sorted(found)) for statuses, found in both(scenario, tmp_path)] == [
        ([0], each) for each in left
    ]
