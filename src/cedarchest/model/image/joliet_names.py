"""What the Joliet tree shows of a tree: what it cannot hold, and by which names the rest is found.

Joliet has no links, no specials and no paths that cost more than 240, and it writes some names
differently. All of it follows from the true names (`model.image.identifiers`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from cedarchest.model.image.identifiers import (
    JOLIET,
    JOLIET_PATH,
    PLAIN_JOLIET,
    Family,
    joliet_name,
    joliet_path_cost,
    number_families,
)
from cedarchest.model.index import Entry, Kind

_ALWAYS_FITS = 119
"""A path of so many characters fits, whatever its components."""

AS_IT_IS = ""
"""What `JolietPlaces.place` says of a path that Joliet spells as it is."""


class JolietPlaces:
    """Where each path is found in the Joliet tree; give it directories before what they hold."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        self._changed: dict[bytes, str | None] = {}

    def place(self, path: bytes, kind: Kind) -> str | None:
        """The path in the Joliet tree before any numbering; None when it is left out."""
        if kind is not Kind.FILE and kind is not Kind.DIR:
            return None
        parent, _, name = path.rpartition(b"/")
        if parent not in self._changed:
            if len(path) <= _ALWAYS_FITS and PLAIN_JOLIET.fullmatch(name):
                return AS_IT_IS
            base: str | None = parent.decode("utf-8")
        else:
            base = self._changed[parent]
        place = None
        if base is not None:
            place = f"{base}/" if base else ""
            place += joliet_name(name, directory=kind is Kind.DIR)
            if joliet_path_cost(place) > JOLIET_PATH:
                place = None
        if place is not None and place.encode() == path:
            return AS_IT_IS
        if kind is Kind.DIR:
            self._changed[path] = place
        return place


def joliet_paths(held: Iterable[tuple[bytes, bool]], changed: Iterable[bytes]) -> dict[bytes, str]:
    """The paths in the Joliet tree of those entries that have another one there than their own.

    `held` are all paths that Joliet holds, each with whether it is a directory; `changed` are those
    for which `JolietPlaces.place` gave another. Equal names take others with them: the plain one
    among them, and all below it.
    """
    children: dict[bytes, list[tuple[bytes, bool]]] = defaultdict(list)
    for path, is_directory in held:
        children[path.rpartition(b"/")[0]].append((path, is_directory))
    levels: dict[int, set[bytes]] = defaultdict(set)
    for path in changed:
        levels[path.count(b"/")].add(path.rpartition(b"/")[0])
    found: dict[bytes, str] = {}
    while levels:
        level = min(levels)
        for parent in levels.pop(level):
            folder = found.get(parent) or parent.decode()
            for path, name, is_directory in _final_names(children[parent]):
                place = f"{folder}/{name}" if folder else name
                if place.encode() != path:
                    found[path] = place
                    if is_directory:
                        levels[level + 1].add(path)
    return found


def _final_names(siblings: Iterable[tuple[bytes, bool]]) -> Iterator[tuple[bytes, str, bool]]:
    """Path, Joliet name and whether it is a directory, of all that a directory holds."""
    families: dict[str, list[tuple[bytes, bool]]] = defaultdict(list)
    for path, is_directory in sorted(siblings):
        base = joliet_name(path.rpartition(b"/")[2], directory=is_directory)
        families[base].append((path, is_directory))
    crowds = {
        base: Family(len(members), is_directory=members[0][1])
        for base, members in families.items()
        if len(members) > 1
    }
    numbered = number_families(crowds, families.keys() - crowds.keys(), JOLIET)
    for base, members in families.items():
        for (path, is_directory), name in zip(members, numbered.get(base, (base,)), strict=True):
            yield path, name, is_directory


@dataclass(frozen=True, slots=True)
class JolietLoss:
    """A path that Joliet leaves out (`name` is empty) or knows by another name.

    A number is appended to the name, in its place where it is long, when others became the same
    name (`numbered`).
    """

    path: bytes
    name: str
    numbered: bool = False


def joliet_losses(entries: Collection[Entry]) -> tuple[JolietLoss, ...]:
    """What of a tree Joliet will leave out or rename, in the order given.

    `entries` are all of the tree, each directory before what it holds. Below what is left out
    nothing is listed again; what is below a renamed directory counts as renamed by its own name only.
    """
    places = JolietPlaces()
    changed: dict[bytes, str | None] = {}
    families: dict[bytes, int] = {}
    for entry in entries:
        place = places.place(entry.path, entry.kind)
        if place is None:
            changed[entry.path] = None
        elif place != AS_IT_IS:
            changed[entry.path] = place
            families[place.encode()] = families.get(place.encode(), 0) + 1
    if not changed:
        return ()
    for entry in entries:  # names that are right, but not alone in being what they are
        if entry.path in families and entry.path not in changed:
            families[entry.path] += 1
            changed[entry.path] = entry.path.decode()
    return tuple(_losses(entries, changed, families))


def _losses(
    entries: Collection[Entry], changed: dict[bytes, str | None], families: dict[bytes, int]
) -> Iterator[JolietLoss]:
    for entry in entries:
        if entry.path not in changed:
            continue
        place = changed[entry.path]
        parent, _, name = entry.path.rpartition(b"/")
        if place is None:
            if changed.get(parent, "") is not None:
                yield JolietLoss(entry.path, "")
            continue
        spelt = place.rpartition("/")[2]
        crowded = families[place.encode()] > 1
        if crowded or spelt.encode() != name:
            yield JolietLoss(entry.path, spelt, crowded)
