"""How long a search takes in a catalog of 10,000,000 rows, and how large that is: `find.py --help`.

Half of the rows are entries of days, half are members of archives: of peers whose archives are whole again
and again, so that a path has many versions. The floor is one look at every distinct path, in memory, by
`bytes.find`.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.report import Goal

from cedarchest.actions.find import FindOptions, execute_find
from cedarchest.adapters.catalog import SqlCatalog, open_catalog
from cedarchest.config.model import Config
from cedarchest.model.disc import (
    CheckKind,
    CheckRecord,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    StoredEntry,
)
from cedarchest.model.media import Medium
from cedarchest.model.members import ArchiveRecord, Listing, Member
from cedarchest.model.patterns import PathPattern, PatternKind, path_pattern
from cedarchest.model.size import shown_bytes
from cedarchest.report.progress import ProgressReporter
from cedarchest.wiring import wired

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
A_FOLDER = 25
KINDS = ("letter", "invoice", "picture", "note", "report", "song")
ENDINGS = ("txt", "pdf", "jpg", "md", "odt", "flac")


class Shape(NamedTuple):
    """How many rows, in how many days and archives; each session and archive has so many paths."""

    rows: int
    sessions: int
    archives: int

    @property
    def a_session(self) -> int:
        return self.rows // 2 // self.sessions

    @property
    def an_archive(self) -> int:
        return self.rows // 2 // self.archives


def path(number: int) -> bytes:
    """A path of a home folder, with words that come often and a number that does not."""
    kind = number % len(KINDS)
    folder = number // A_FOLDER
    return b"home/user%02d/%ss/%04d/%s-%07d.%s" % (
        *(folder % 40, KINDS[folder % len(KINDS)].encode(), folder // 40),
        *(KINDS[kind].encode(), number, ENDINGS[kind].encode()),
    )


def in_order(count: int, first: int) -> list[bytes]:
    return sorted(path(number) for number in range(first, first + count))


def generate(catalog: SqlCatalog, shape: Shape) -> None:
    """Fill a catalog: each session has paths of its own, archives have those of the first ones again."""
    digest = hashlib.sha256(b"content").digest()
    for number, day in enumerate(days(shape.sessions)):
        disc = f"disc-{number // 10}"
        session = SessionRecord(disc, number + 1, 0, 0, 1, f"set-{number}", SessionStatus.VERIFIED, NOW)
        record = DiscRecord(disc, f"BENCH_{number // 10}", Medium.BD_R, 12_219_392, NOW)
        catalog.put_session(session, record)
        check = CheckRecord(
            disc, number + 1, CheckKind.STORE, NOW, passed=True, drive="d", tool="t", blocks=1, seconds=1
        )
        names = in_order(shape.a_session, number * shape.a_session)
        held = [*entries(f"{day}/peer{number % 5}/", names, digest)]
        if number < shape.archives:
            name = f"{day}/peer{number % 5}/home.tar".encode()
            held.append(StoredEntry(name, "file", 5, 0, archive_digest(number), 400))
        catalog.record_proof(session, held, check)
    for number in range(shape.archives):
        names = in_order(shape.an_archive, number % 5 * shape.an_archive)
        archive = ArchiveRecord(archive_digest(number), Listing.TAR)
        catalog.put_members(archive, (Member(name, "file", 5, number, digest) for name in names))


def archive_digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def days(count: int) -> list[str]:
    return [f"2026/{number // 28 % 12 + 1:02}/{number % 28 + 1:02}" for number in range(count)]


def entries(above: str, names: list[bytes], digest: bytes) -> Iterator[StoredEntry]:
    prefix = above.encode()
    for name in names:
        yield StoredEntry(prefix + name, "file", 5, 1_780_000_000_123_456_789, digest, 400)


def searches(shape: Shape) -> dict[str, tuple[PathPattern, float]]:
    """What is looked for, with the seconds that it may take."""
    some = path(shape.rows // 7)
    name = some.rpartition(b"/")[2].decode()
    return {
        "exact name": (path_pattern(name), 1),
        "exact path": (path_pattern(f"/{some.decode()}"), 1),
        "name prefix": (path_pattern(f"{name[:-8]}*"), 1),
        "path prefix": (path_pattern(f"/{some.decode()[:22]}**"), 1),
        "substring of a name": (path_pattern("-0123", PatternKind.SUBSTRING), 5),
        "substring of few": (path_pattern(name[-11:-4], PatternKind.SUBSTRING), 5),
        "substring of none": (path_pattern("nowhere", PatternKind.SUBSTRING), 5),
        "substring of a path": (path_pattern("s/0007/le", PatternKind.SUBSTRING), 5),
        "regular expression": (path_pattern(r"^song-\d*777\.", PatternKind.REGEX), 60),
    }


def searched(config: Config, pattern: PathPattern) -> tuple[int, float]:
    """How many paths `find` tells, and the seconds it takes from opening the catalog."""
    began = time.monotonic()
    with wired(config, ProgressReporter(quiet=True), read_only=True) as ports:
        report = execute_find(FindOptions(pattern), ports=ports)
    return len(report.found), time.monotonic() - began


def floor(shape: Shape) -> float:
    """One look at every distinct path, in memory."""
    paths = [path(number) for number in range(min(shape.rows // 2, 1_000_000))]
    began = time.monotonic()
    sum(1 for each in paths if each.find(b"nowhere") >= 0)
    return (time.monotonic() - began) * (shape.rows // 2) / len(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=10_000_000)
    parser.add_argument("--dir", type=Path, default=None, help="where the catalog is made")
    options = parser.parse_args()
    shape = Shape(options.rows, 50, 50)
    goals = []
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        place = Path(folder) / "catalog.db"
        url = f"sqlite:///{place}"
        config = Config.from_mapping(
            {"options": {"state_dir": folder}, "catalog": {"url": url}}, Path(folder)
        )
        began = time.monotonic()
        with open_catalog(url) as catalog:
            generate(catalog, shape)
        print(f"{shape.rows:,} rows in {time.monotonic() - began:.0f} s, {shown_bytes(place.stat().st_size)}")
        print(f"floor of a substring     {floor(shape):8.2f} s")
        for what, (pattern, bound) in searches(shape).items():
            count, seconds = searched(config, pattern)
            print(f"{what:24} {seconds:8.2f} s   {count:>5,} paths")
            goals.append(Goal(f"find, {what}, s", seconds, bound))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory              {peak:8.0f} MiB")
    for goal in goals:
        print(goal.line())


if __name__ == "__main__":
    main()
