"""How long a plan over many discs takes, how much memory, and what it leaves unused: `plan.py --help`.

The floor is one look at each entry and a sort by path. The peer is Cedar Backup's own way of filling discs
from the same files (`CedarBackup3.knapsack`, first fit disc by disc), where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.report import Goal

from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK, TRAITS, Medium
from cedarchest.model.packing import DueDay
from cedarchest.model.plan import NewDisc, Policy, Room, StorePlan, plan_store
from cedarchest.model.size import Tally, shown, shown_bytes
from cedarchest.model.stretches import Stretches

T = TypeVar("T")
DAY = "2026/07/01"
PEERS = 5
A_FOLDER = 200
MEDIUM = Medium.BD_R
CEDAR = Path("/usr/lib/python3/dist-packages/CedarBackup3/knapsack.py")
"""Its Debian package; by its path, since this environment has our own package of that name."""


def entries(count: int, total: int) -> list[Entry]:
    """A day of so many files, of all sizes, that take so many bytes together, with their folders."""
    chance = random.Random(1)
    weights = [chance.lognormvariate(0, 1.6) for _ in range(count)]
    each = total / sum(weights)
    found: dict[bytes, Entry] = {}
    for number, weight in enumerate(weights):
        folder = f"{DAY}/peer{number * PEERS // count}/home/folder{number // A_FOLDER:05}"
        parents = folder.split("/")
        for depth in range(4, len(parents) + 1):
            path = "/".join(parents[:depth]).encode()
            found.setdefault(path, Entry(path, Kind.DIR, 0, 0o755, 0, 0, 0))
        path = f"{folder}/file{number:07}.dat".encode()
        size = int(weight * each)
        found[path] = Entry(path, Kind.FILE, size, 0o644, 1000, 1000, 0, "user", "user", bytes(32))
    return list(found.values())


def planned(day: list[Entry]) -> StorePlan:
    """The plan of a day over new discs."""
    traits = TRAITS[MEDIUM]
    empty = Room("", traits.nominal_blocks - 32, 0, Tally())
    policy = Policy(NewDisc.WHEN_FULL, 0, None, traits.nominal_blocks // 200, traits)
    return plan_store([DueDay(DAY, Stretches(DAY, day))], None, empty, policy)


def looked_at(day: list[Entry]) -> int:
    """The floor."""
    return sum(entry.size for entry in sorted(day, key=lambda entry: entry.path))


def filled_by_cedar(day: list[Entry]) -> int:
    """How many discs Cedar Backup's first fit takes, without a thought for folders or what a tree costs."""
    spec = importlib.util.spec_from_file_location("knapsack", CEDAR)
    if spec is None or spec.loader is None or not CEDAR.exists():
        raise ImportError(str(CEDAR))
    knapsack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(knapsack)
    left = {entry.path: (entry.path, float(entry.size)) for entry in day if entry.kind is Kind.FILE}
    discs = 0
    while left:
        chosen, _ = knapsack.firstFit(left, float(TRAITS[MEDIUM].nominal_blocks * BLOCK))
        left = {path: left[path] for path in left.keys() - set(chosen)}
        discs += 1
    return discs


def timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    return work(), time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000, help="files")
    parser.add_argument("--bytes", type=int, default=100 * 10**9, help="what they take together")
    options = parser.parse_args()
    day = entries(options.count, options.bytes)
    data = sum(entry.size for entry in day)
    print(f"{len(day):,} entries, {shown_bytes(data)}, on {MEDIUM}")
    plan, seconds = timed(lambda: planned(day))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _, floor = timed(lambda: looked_at(day))
    print(f"plan              {seconds:8.2f} s of processor, {seconds / floor:.1f} x the floor")
    print(f"peak memory       {peak:8.0f} MiB, entries included")
    for volume in plan.volumes:
        print(f"  {shown(volume.blocks)} of {shown(volume.free)} at most: {volume.shares[0].described}")
    least = -(-data // (plan.volumes[0].free * BLOCK))
    filled = plan.volumes[:-1] or plan.volumes
    waste = sum(each.free - each.blocks for each in filled) / sum(each.free for each in filled)
    print(f"discs             {len(plan.volumes):8} ({least} if data were all)")
    print(f"unused            {waste:8.1%} of all but the last, at most")
    try:
        discs, peer = timed(lambda: filled_by_cedar(day))
    except ImportError:
        print("Cedar Backup      not installed")
    else:
        print(
            f"Cedar Backup      {peer:8.2f} s of processor, {discs} discs; we take {seconds / peer:.1f} x it"
        )
    for goal in (
        Goal("seconds to plan", seconds, 20),
        Goal("GiB of memory", peak / 1024, 1),
        Goal("discs more than the data would fill", len(plan.volumes) - least, 1),
    ):
        print(goal.line())


if __name__ == "__main__":
    main()
