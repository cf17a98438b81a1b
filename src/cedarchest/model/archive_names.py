"""What archives are called: as by Cedar Backup, and told apart where two paths would share a name."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

INDEX_SUFFIX = b".index.jsonl.gz"
DELETED_SUFFIX = b".deleted"

LONGEST = 180
"""Bytes of a name that are kept; what is added to it must still fit in the 255 of a file system."""

_REVERSIBLE = re.compile(rb"[^-\\\s:\x00-\x1f\x7f._][^-\\\s:\x00-\x1f\x7f]*")
"""Paths, without leading slash, of which no two have the same name."""


def archive_names(sources: Iterable[bytes]) -> Mapping[bytes, bytes]:
    """A file name, without suffixes, for the path of each configured source.

    `/etc/apt` is `etc-apt`. Of paths that would share a name each gets a digest of the path as well.
    Source of the plain names: the collect action of Cedar Backup 3.
    """
    plain = {path: _normalized(path) for path in sources}
    shared = Counter(plain.values())
    return {
        path: name if shared[name] == 1 and len(name) <= LONGEST else _told_apart(name, path)
        for path, name in plain.items()
    }


def name_below(path: bytes, taken: Collection[bytes]) -> bytes:
    """A file name for a folder below a source that has an archive of its own; the same on every day.

    `taken` are the names of configured sources.
    """
    name = _normalized(path)
    if _REVERSIBLE.fullmatch(path.strip(b"/")) and name not in taken and len(name) <= LONGEST:
        return name
    return _told_apart(name, path)


def _normalized(path: bytes) -> bytes:
    name = path.strip(b"/")
    if not name:
        return b"_"
    name = re.sub(rb"\A\.", b"_", name)
    name = re.sub(rb"\Acback\.", b"_cback.", name)  # such names are marks and lists, and never staged
    name = re.sub(rb"[/\\]", b"-", name)
    return re.sub(rb"[\s:\x00-\x1f\x7f]", b"_", name)


def _told_apart(name: bytes, path: bytes) -> bytes:
    return name[:LONGEST] + b"-" + hashlib.sha256(path).hexdigest()[:8].encode()
