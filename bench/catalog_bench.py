"""How long the catalog takes to record a proof, and how much memory: `catalog_bench.py --help`."""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Index, create_engine

from cedarchest.adapters.catalog import SqlCatalog, open_catalog, schema
from cedarchest.model.disc import (
    CheckKind,
    CheckRecord,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    StoredEntry,
)
from cedarchest.model.media import Medium

DAY = "2026/07/01"
NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)


def entry(number: int) -> StoredEntry:
    path = f"{DAY}/peer-{number // 100_000:02}/home/user/folder-{number // 1000:05}/file-{number:07}.dat"
    digest = hashlib.sha256(path.encode()).digest()
    return StoredEntry(path.encode(), "file", number, 1_780_000_000_000_000_000 + number, digest, number)


def entries(count: int, *, shuffled: bool) -> Iterator[StoredEntry]:
    numbers = list(range(count)) if shuffled else range(count)
    if isinstance(numbers, list):
        random.Random(1).shuffle(numbers)
    return map(entry, numbers)


def record(catalog: SqlCatalog, count: int, *, shuffled: bool) -> float:
    session = SessionRecord("disc-1", 1, 0, 0, 1, "set-1", SessionStatus.VERIFIED, NOW)
    check = CheckRecord(
        "disc-1", 1, CheckKind.STORE, NOW, passed=True, drive="d", tool="t", blocks=1, seconds=1
    )
    catalog.put_session(session, DiscRecord("disc-1", "BENCH_1", Medium.BD_R, 12_219_392, NOW))
    began = time.monotonic()
    catalog.record_proof(session, entries(count, shuffled=shuffled), check)
    return time.monotonic() - began


def add_indexes(path: Path, columns: list[str]) -> None:
    engine = create_engine(f"sqlite:///{path}")
    for column in columns:
        Index(f"bench_{column}", schema.entries.c[column]).create(engine)
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--shuffled", action="store_true", help="entries not in order of path")
    parser.add_argument("--index", action="append", default=[], metavar="COLUMN", help="with an index more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        open_catalog(f"sqlite:///{path}").close()
        add_indexes(path, options.index)
        before = peak_mib()
        began = time.monotonic()
        generated = sum(1 for _ in entries(options.count, shuffled=options.shuffled))
        alone = time.monotonic() - began
        with open_catalog(f"sqlite:///{path}") as catalog:
            seconds = record(catalog, options.count, shuffled=options.shuffled)
            print(f"entries           {generated:>12,}")
            print(f"record_proof      {seconds:>12.2f} s (of which the generator {alone:.2f} s)")
            print(f"peak memory       {peak_mib():>12.0f} MiB ({before:.0f} MiB before)")
            again = record(catalog, options.count, shuffled=options.shuffled)
            print(f"replaced          {again:>12.2f} s")
            began = time.monotonic()
            read = sum(1 for _ in catalog.entries("disc-1", 1))
            print(f"entries() {read:>7,} {time.monotonic() - began:>12.2f} s")
            print(f"peak memory       {peak_mib():>12.0f} MiB")
            began = time.monotonic()
            counted = len(catalog.copies(DAY))
            print(f"copies()  {counted:>7,} {time.monotonic() - began:>12.2f} s")
            print(f"peak memory       {peak_mib():>12.0f} MiB")
        print(f"file              {path.stat().st_size / (1 << 20):>12.0f} MiB")


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
