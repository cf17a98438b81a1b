"""Files in parts that discs have, and of which the catalog does not know whose parts they are.

So it is after the catalog was made anew: no disc proves what parts on several discs are parts of. A staged
file does, once it is read and its parts have the digests of those on the discs.
"""

from __future__ import annotations

import logging

from cedarchest.errors import StagingError
from cedarchest.model.index import Entry, Kind
from cedarchest.model.parts import PartSeries, Split
from cedarchest.ports import DayIndex, Ports

log = logging.getLogger(__name__)


def learn_parts(day: DayIndex, ports: Ports) -> bool:
    """Read those staged files of a day that stand on verified discs in parts which the catalog does not know.

    What they are cut in is known afterwards, if it is anything at all; whether the discs have it, the digests
    decide.
    """
    stored = {entry.path: entry for entry in ports.catalog.copies(day.day)}
    if not stored:
        return False
    learnt = False
    series = PartSeries(stored)
    absent = [entry for entry in day.entries if entry.kind is Kind.FILE and entry.path not in stored]
    found = [(entry, paths) for entry in absent if (paths := series.of(entry.path))]
    known = ports.catalog.splits({entry.sha256 for entry, _ in found}) if found else {}
    for entry, paths in found:
        sizes = [stored[path].size for path in paths]
        if entry.sha256 not in known and _is_cut(entry, sizes):
            try:
                digests = ports.staging.part_digests(day, entry, sizes[0])
            except StagingError as error:
                log.info("%s", error.message)  # the store says what is wrong with it
                continue
            ports.catalog.put_split(entry.sha256, Split(sizes[0], digests))
            learnt = True
    return learnt


def _is_cut(entry: Entry, sizes: list[int]) -> bool:
    """Whether parts of these sizes are those of a file: all the same, but for the last."""
    return sum(sizes) == entry.size and len(set(sizes[:-1])) <= 1 and 0 < sizes[-1] <= sizes[0]
