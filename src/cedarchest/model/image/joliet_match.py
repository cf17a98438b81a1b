"""Comparing the Joliet tree with the Rock Ridge tree of the same session, found by `joliet.JolietPlaces`.

Most paths are spelt the same in both and are settled at once. What Joliet spells otherwise waits
until both trees are known; then each family of names that became equal must be there, numbered,
with the same data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from cedarchest.model.image.identifiers import joliet_name, numbered
from cedarchest.model.image.joliet import JolietNode
from cedarchest.model.index import Kind

_NEVER_CUT = 50  # characters: room for any number below Joliet's limits, with a suffix


class Waiting(NamedTuple):
    """An entry of the Rock Ridge tree that Joliet spells otherwise; `start` is -1 without data."""

    path: bytes
    kind: Kind
    start: int
    size: int
    mtime: int

    @property
    def content(self) -> tuple[Kind, int, int, int]:
        """What both trees must say of it."""
        return self.kind, self.start, self.size, self.mtime


def content_of(node: JolietNode) -> tuple[Kind, int, int, int]:
    """What the Joliet tree says of an entry, as `Waiting.content`."""
    return node.kind, node.extents[0][0] if node.extents else -1, node.size, node.mtime


class _Names(Collection[str]):
    """The names of one directory of the Joliet tree, plain and strange ones."""

    def __init__(
        self, folder: str, strange: Mapping[str, JolietNode], plain: Callable[[bytes], bool]
    ) -> None:
        self._folder = folder + "/" if folder else ""
        self._strange = strange
        self._plain = plain

    def __contains__(self, name: object) -> bool:
        return name in self._strange or self._plain((self._folder + str(name)).encode("utf-8", "replace"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._strange)

    def __len__(self) -> int:
        return len(self._strange)


def match(
    waiting: list[Waiting],
    strange: list[JolietNode],
    plain: Callable[[bytes], bool],
    report: Callable[[str, bytes, JolietNode | None], None],
) -> None:
    """Find each waiting entry among the strange nodes.

    `plain` says whether a path that both trees spell the same is there. `report` is told
    "missing" with a path, "different" with path and node, "unexpected" with a node.
    """
    folders: dict[str, dict[str, JolietNode]] = defaultdict(dict)
    for node in strange:
        folder, _, name = node.path.rpartition("/")
        folders[folder][name] = node
    actual: dict[bytes, str] = {}
    levels: dict[int, list[Waiting]] = defaultdict(list)
    for entry in waiting:
        levels[entry.path.count(b"/")].append(entry)
    for level in sorted(levels):
        families: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
        for entry in levels[level]:
            parent, _, raw = entry.path.rpartition(b"/")
            folder = actual.get(parent) or parent.decode("utf-8", "replace")
            families[folder, joliet_name(raw, directory=entry.kind is Kind.DIR)].append(entry)
        pools: dict[str, dict[tuple[Kind, int, int, int], list[JolietNode]]] = {}
        found: list[JolietNode | None]
        for (folder, base), members in sorted(families.items(), key=_surest_first):
            here = folders.get(folder, {})
            if len(members) == 1:
                found = [here.get(base)]
            else:
                if folder not in pools:
                    pools[folder] = _pool(here)
                names = _Names(folder, here, plain)
                found = _find_family(base, members, pools[folder], names)
            for entry, twin in zip(members, found, strict=True):
                if twin is None:
                    report("missing", entry.path, None)
                    continue
                here.pop(twin.path.rpartition("/")[2], None)
                if content_of(twin) != entry.content:
                    report("different", entry.path, twin)
                if entry.kind is Kind.DIR:
                    actual[entry.path] = twin.path
    for here in folders.values():
        for node in here.values():
            report("unexpected", b"", node)


def _surest_first(family: tuple[tuple[str, str], list[Waiting]]) -> tuple[bool, int]:
    """Names that stand alone are known to the letter; of numbered ones a longer base leaves less choice."""
    (_, base), members = family
    return len(members) > 1, -len(base)


def _stem(base: str) -> str:
    """How a numbered name begins: with all before its suffix, unless it had to be cut for the number."""
    if len(base) > _NEVER_CUT:
        return base[: len(base) // 2]
    head, dot, _ = base.rpartition(".")
    return head if dot else base


def _pool(here: dict[str, JolietNode]) -> dict[tuple[Kind, int, int, int], list[JolietNode]]:
    """The strange nodes of a directory by content, names falling, so that `pop` gives the first."""
    pool: dict[tuple[Kind, int, int, int], list[JolietNode]] = defaultdict(list)
    for name in sorted(here, reverse=True):
        pool[content_of(here[name])].append(here[name])
    return pool


def _find_family(
    base: str,
    members: list[Waiting],
    pool: dict[tuple[Kind, int, int, int], list[JolietNode]],
    names: Collection[str],
) -> list[JolietNode | None]:
    """The nodes of a family in the order of its members; none when they are not numbered right."""
    members.sort(key=lambda entry: entry.path)
    found: list[JolietNode | None] = []
    for entry in members:
        candidates = pool.get(entry.content, [])
        stem = _stem(base)
        node = next(
            (one for one in reversed(candidates) if one.path.rpartition("/")[2].startswith(stem)), None
        )
        if node is not None:
            candidates.remove(node)
        found.append(node)
    taken = [node.path.rpartition("/")[2] for node in found if node is not None]
    right = len(taken) == len(members) and any(
        numbered(base, taken, names, directory=directory) for directory in (False, True)
    )
    return found if right else [None] * len(members)
