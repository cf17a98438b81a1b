"""How long storing and checking a day takes, beside what cannot be avoided and beside Cedar Backup.

Whole processes on the same days in one run, medians of several; each ends with its output on stable
storage. A floor is xorriso and one reading of its image with SHA-256: the floor with the options of our own
store, the bare one with none but `-stdio_sync end`. A proof reads from the disc: beside what finds in memory
what it wrote stands the same that reads it from disk. `bench/store.py --help`; it asserts nothing, the exit
status says only that it ran.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.processes import Sample, environment, measure, median
from bench.report import goals, table
from bench.subjects import (
    MILLION,
    UNINDEXED,
    Shape,
    Subjects,
    cedar_version,
    make,
    program,
    room_needed,
    shapes,
)

from cedarchest.adapters.xorriso_words import version_argv

VERSION_RUNS = 7


def measure_set(shape: Shape, place: Path, runs: int) -> tuple[dict[str, list[Sample]], tuple[int, int]]:
    """All samples of one day; what is compared is run in turns, so that all see the same weather."""
    subjects = Subjects(place)
    made = make(shape, subjects.day)
    samples: dict[str, list[Sample]] = {name: [] for name in subjects.all}
    for run in range(runs):
        for name, (prepare, commands) in subjects.all.items():
            prepare()
            samples[name].append(measure(commands))
            seconds = samples[name][-1].seconds
            sys.stderr.write(f"{place.name} {run + 1}/{runs} {name}: {seconds:.2f} s\n")
    return samples, made


def warm_up(place: Path) -> None:
    """Run everything once on a small day: byte code is written, programs are in the cache."""
    measure_set(Shape(large=1, large_bytes=10_000, small=3, folders=1), place, runs=1)
    shutil.rmtree(place)


def machine(place: Path) -> dict[str, object]:
    """Where this was measured, and with which versions."""
    processors = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in processors if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6),
        "kernel": platform.release(),
        "file_system": kind_of(place),
        "python": platform.python_version(),
        "cedarchest": _first_line([*program(), "--version"], "").removeprefix("cedarchest "),
        "xorriso": _first_line(version_argv(), "xorriso version").rpartition(" ")[2],
        "cedar-backup3": cedar_version() or "not installed",
        "genisoimage": _first_line(["genisoimage", "--version"], "").removeprefix("genisoimage ")
        or "not installed",
    }


def _first_line(argv: Sequence[str], beginning: str) -> str:
    if not shutil.which(argv[0]):
        return ""
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment())
    lines = (answer.stdout + answer.stderr).splitlines()
    return next((line.strip() for line in lines if line.startswith(beginning)), "")


def kind_of(place: Path) -> str:
    return _first_line(["stat", "-f", "-c", "%T", str(place)], "")


def default_place() -> str:
    """A temporary folder that is on a disk: memory would know no floor."""
    place = tempfile.gettempdir()
    return "/var/tmp" if kind_of(Path(place)) in ("tmpfs", "ramfs") else place


def refuse_too_little_room(place: Path, chosen: Sequence[Shape]) -> None:
    needed, inodes = room_needed(chosen)
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    if free < needed or (status.f_files > 0 and status.f_favail < inodes):
        raise SystemExit(
            f"{place} has {free / 1e9:.1f} GB and {status.f_favail} inodes free;"
            f" {needed / 1e9:.1f} GB and {inodes} inodes are needed. Name another folder with --dir."
        )


def store_a_million(place: Path) -> Sample:
    """One store of an unindexed day of a million tiny files."""
    subjects = Subjects(place)
    make(MILLION, subjects.day)
    prepare, commands = subjects.all[UNINDEXED]
    prepare()
    return measure(commands)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples and the machine, as JSON")
    parser.add_argument("--scale", type=float, default=1.0, help="how large the sets are (1.0)")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken (3)")
    parser.add_argument("--only", choices=shapes(1), action="append", help="this set; may be repeated")
    parser.add_argument("--million", action="store_true", help="only one store of 1,000,000 tiny files")
    parser.add_argument("--dir", type=Path, default=default_place(), help="where the sets are made")
    return parser.parse_args()


def main() -> None:
    options = parse()
    chosen = {
        name: shape for name, shape in shapes(options.scale).items() if name in (options.only or [name])
    }
    if options.million:
        chosen = {}
    refuse_too_little_room(options.dir, list(chosen.values()) or [MILLION])
    samples: dict[str, dict[str, list[Sample]]] = {}
    made: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory(prefix="cedarchest-bench-", dir=options.dir) as folder:
        place = Path(folder)
        described = machine(place)
        warm_up(place / "warm-up")
        versions = [measure([[*program(), "--version"]]) for _ in range(VERSION_RUNS)]
        for name, shape in chosen.items():
            samples[name], made[name] = measure_set(shape, place / name, options.runs)
            shutil.rmtree(place / name)
        million = store_a_million(place / "million") if options.million else None
    found = {name: {what: median(runs) for what, runs in rows.items()} for name, rows in samples.items()}
    version_s = statistics.median(each.seconds for each in versions)
    aims = list(goals(found, version_s, million))
    print(", ".join(f"{key} {value}" for key, value in described.items()))
    for name, (count, size) in made.items():
        print(f"{name}: {count:,} files, {size / 1e6:,.0f} MB")
    print("Peak memory is that of the process itself (VmHWM), and of the largest of its children.")
    print("Seconds are wall clock; cpu s those of all processors, children included.\n")
    print("\n".join(table(found)))
    if million:
        memory = f"{million.own_mb:.0f} MB, its children {million.children_mb:.0f} MB"
        print(f"a million files: {million.seconds:.0f} s, {memory}")
    print(f"--version {version_s:.2f} s\n\nGoals\n" + "\n".join(aim.line() for aim in aims))
    if options.json:
        content = {
            "machine": described,
            "scale": options.scale,
            "runs": options.runs,
            "sets": {name: {"files": count, "bytes": size} for name, (count, size) in made.items()},
            "samples": {
                name: {what: [asdict(each) for each in runs] for what, runs in rows.items()}
                for name, rows in samples.items()
            },
            "medians": {
                name: {what: asdict(each) for what, each in rows.items()} for name, rows in found.items()
            },
            "version": [asdict(each) for each in versions],
            "million": asdict(million) if million else None,
            "goals": [{**asdict(aim), "reached": aim.reached} for aim in aims],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
