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


def archive_names(sources: Iterable[bytes]) -> Mapping[bytes, bytes]:
    """A file name, without suffixes, for the path of each configured source.

    `/etc/apt` is `etc-apt`. Of paths that would share a name each gets a digest of the path as well.
    Source of the plain names: the collect action of Cedar Backup 3.
    """
    plain = {path: _normalized(path) for path in sources}
    shared = Counter(plain.values())
    return {
        path: name if shared[name] == 1 and _is_plain(name) else _told_apart(name, path)
        for path, name in plain.items()
    }


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
        and not (source == b"/" and rest.startswith((b".", b"_", b"cback.")))
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
