"""What a collect could not read: paths at or below which its index says nothing.

Nothing that was there before may be taken for gone by such an index. What it does not list there is as an
earlier one has it.
"""

from __future__ import annotations

from collections.abc import Collection

from cedarchest.model.index import quoted

MOST_BYTES = 1 << 20
"""Bytes of the paths as an index names them: its first line is no longer than a record may be."""


def is_unread(path: bytes, unread: Collection[bytes]) -> bool:
    """Whether a path is at or below one of those."""
    return bool(unread_above(path, unread))


def unread_above(path: bytes, unread: Collection[bytes]) -> bytes:
    """Which of those a path is at or below; empty where it is below none."""
    while path and path not in unread:
        path = path.rpartition(b"/")[0]
    return path if unread else b""


def named(paths: Collection[bytes], most_bytes: int = MOST_BYTES) -> tuple[bytes, ...]:
    """As few paths as cover these, in order; where they would be too long, the folders of the deepest."""
    kept = _tops(paths)
    while sum(len(quoted(path)) + 1 for path in kept) > most_bytes:
        deepest = max(path.count(b"/") for path in kept)
        if not deepest:
            break
        kept = _tops({path.rpartition(b"/")[0] if path.count(b"/") == deepest else path for path in kept})
    return tuple(sorted(kept))


def _tops(paths: Collection[bytes]) -> frozenset[bytes]:
    """Those that are below no other one."""
    every = frozenset(paths)
    return frozenset(path for path in every if not is_unread(path.rpartition(b"/")[0], every))


def still_unread(left: Collection[bytes], unread: Collection[bytes]) -> frozenset[bytes]:
    """Of paths that were not read what another collect, which had some `unread`, does not tell either."""
    here, there = frozenset(left), frozenset(unread)
    return _tops(
        {path for path in here if is_unread(path, there)} | {path for path in there if is_unread(path, here)}
    )
