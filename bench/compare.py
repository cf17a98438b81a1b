"""Measures subjects on the same trees in one run, and tells their figures beside those of the floor."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from bench.processes import Sample, measure, median
from bench.report import Goal
from bench.subjects import make, shapes

SETS = ("big", "small")

Prepared = tuple[Callable[[], None], list[list[str]]]
"""What is done before the clock starts, and the commands."""

Medians = Mapping[str, Mapping[str, Sample]]
"""What was measured, by set and subject."""


class Subjects(Protocol):
    """A tree and all that works on it."""

    @property
    def all(self) -> Mapping[str, Prepared]:
        """The subjects by name."""
        ...


def compare(
    doc: str | None,
    subjects: Callable[[Path], Subjects],
    floor: str,
    goals: Callable[[Medians], Iterator[Goal]],
) -> None:
    """Do what the command line says; `subjects` finds its tree in `tree` of the folder that it is given."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples, as JSON")
    parser.add_argument("--scale", type=float, default=1.0, help="how large the trees are (1.0)")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken (3)")
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="where the trees are made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cedarchest-bench-", dir=options.dir) as folder:
        samples = {
            name: _measured(name, subjects, Path(folder) / name, options.scale, options.runs) for name in SETS
        }
    found = {name: {what: median(runs) for what, runs in rows.items()} for name, rows in samples.items()}
    width = max(len(what) for rows in found.values() for what in rows)
    line = f"{{:<6}} {{:<{width}}} {{:>8}} {{:>8}} {{:>8}} {{:>8}}".format
    print(line("set", "what", "seconds", "cpu s", "x floor", "peak MB"))
    for name, rows in found.items():
        for what, own in rows.items():
            times = f"{own.seconds / rows[floor].seconds:.2f}"
            print(line(name, what, f"{own.seconds:.2f}", f"{own.cpu_s:.2f}", times, f"{own.own_mb:.0f}"))
    print("\nGoals\n" + "\n".join(aim.line() for aim in goals(found)))
    if options.json:
        content = {
            name: {what: [asdict(each) for each in runs] for what, runs in rows.items()}
            for name, rows in samples.items()
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def set_aside(folder: Path) -> None:
    """Have nothing at a folder: small files in it stay beside it until all is measured, large ones go.

    For minutes ext4 looks at each inode that was freed, one by one, for whoever makes a file then: copying
    40,000 files took 2.6 to 12 s. Source: Linux, fs/ext4/ialloc.c, `recently_deleted`.
    """
    if folder.exists():
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_size >= _LARGE:
                path.unlink()
        folder.rename(f"{folder}.{time.monotonic_ns()}")
    folder.mkdir()


_LARGE = 1 << 20


def _touch_memory(place: Path, size: int) -> None:
    """Have as much memory written as a subject will fill with its output, and free again.

    A virtual machine has to get memory from its host first, which took 2 s a GB: whoever came after one that
    had freed its output was quicker by that.
    """
    piece = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(size // len(piece)):
            file.write(piece)


def _measured(
    name: str, subjects: Callable[[Path], Subjects], place: Path, scale: float, runs: int
) -> dict[str, list[Sample]]:
    count, size = make(shapes(scale)[name], place / "tree")
    print(f"{name}: {count:,} files, {size / 1e6:,.0f} MB")
    all_of_them = subjects(place).all
    samples: dict[str, list[Sample]] = {what: [] for what in all_of_them}
    for run in range(1 + runs):
        for what, (prepare, commands) in all_of_them.items():
            prepare()
            _touch_memory(place, size)
            sample = measure(commands)
            if run:  # in the first round nothing is in any cache
                samples[what].append(sample)
    shutil.rmtree(place)
    return samples
