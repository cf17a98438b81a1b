"""What archives are called: as by Cedar Backup, and told apart where two paths would share a name."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping

INDEX_SUFFIX = b".index.jsonl.gz"
DELETED_SUFFIX = b".deleted"

LONGEST = 180
"""Bytes of a name that are kept; what is added to it must still fit in the 255 of a file system."""

_REVERSIBLE = re.compile(rb"[^-\\\s:\x00-\x1f\x7f]+")
"""Paths of which no two have the same name."""

_ALTERED = (b".", b"_", b"cback.")
"""Beginnings of a path that its name does not have, or that another has from this."""


def archive_names(sources: Iterable[bytes], *, by_path: bool = False) -> Mapping[bytes, bytes]:
    """A file name, without suffixes, for the path of each configured source.

    `/etc/apt` is `etc-apt`. Of paths that would share a name each gets a digest of the path as well;
    with `by_path` each does that could share it with any path at all: then a name depends on its path alone.
    Source of the plain names: the collect action of Cedar Backup 3.
    """
    plain = {path: _normalized(path) for path in sources}
    shared = Counter(plain.values())
    return {
        path: name
        if shared[name] == 1 and _is_plain(name) and not (by_path and _might_be_shared(path))
        else _told_apart(name, path)
        for path, name in plain.items()
    }


def _might_be_shared(path: bytes) -> bool:
    """Whether there is another path with the same plain name."""
    below = path.strip(b"/")
    return bool(below) and not (_REVERSIBLE.fullmatch(below) and not below.startswith(_ALTERED))


def name_below(path: bytes, source: bytes, names: Mapping[bytes, bytes]) -> bytes:
    """A file name for a folder below a source that has an archive of its own; the same on every day.

    `names` are those of all sources. It gets a digest where another source, or a folder below one, might
    have the plain name.
    """
    own = names[source]
    rest = path[len(source.rstrip(b"/")) + 1 :]
    name = _normalized(path) if own == _normalized(source) else own + b"-" + _normalized(rest)
    others = [other for other in names if other != source]
    if (
        _REVERSIBLE.fullmatch(rest)
        and _is_plain(name)
        and not (source == b"/" and rest.startswith(_ALTERED))
        and b"/" not in others
        and not any((name + b"-").startswith(names[other] + b"-") for other in others)
    ):
        return name
    return _told_apart(name, source + b"\0" + path)


def _is_plain(name: bytes) -> bool:
    """Whether a name is short enough, and none that has a digest."""
    return len(name) <= LONGEST and not _TOLD_APART.search(name)


_TOLD_APART = re.compile(rb"-[0-9a-f]{16}\Z")


def _normalized(path: bytes) -> bytes:
    name = path.strip(b"/")
    if not name:
        return b"_"
    name = re.sub(rb"\A\.", b"_", name)
    name = re.sub(rb"\Acback\.", b"_cback.", name)  # such names are marks and lists, and never staged
    name = re.sub(rb"[/\\]", b"-", name)
    return re.sub(rb"[\s:\x00-\x1f\x7f]", b"_", name)


def _told_apart(name: bytes, path: bytes) -> bytes:
    return name[:LONGEST] + b"-" + hashlib.sha256(path).hexdigest()[:16].encode()
