"""What a peer says of its collect dir by files in it: that a collect has ended, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cedarchest.model.index import SHA256_SIZE, is_plain_path
from cedarchest.model.names import from_text, to_text

COLLECTED_MARK = "cback.collect"
COLLECTED_LIST = "cback.collect.jsonl"
FORMAT = "cedarchest-collected"
VERSION = 1

_OWN = b"cback."


def is_own(path: bytes) -> bool:
    """Whether a path in a collect dir is a mark or list of ours, or of Cedar Backup, and no data."""
    return path.startswith(_OWN) and b"/" not in path


@dataclass(frozen=True, slots=True)
class Collected:
    """A file that a collect left, as the peer digested it: bytes, and 32 bytes of SHA-256."""

    size: int
    sha256: bytes


def write_collected(files: Mapping[bytes, Collected]) -> bytes:
    """The list of a collect's files, by path from the collect dir: JSON lines, the first says what it is."""
    lines: Iterable[dict[str, object]] = (
        {"path": to_text(path), "size": files[path].size, "sha256": files[path].sha256.hex()}
        for path in sorted(files)
    )
    head = {"format": FORMAT, "version": VERSION}
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in (head, *lines))


def read_collected(content: bytes) -> dict[bytes, Collected]:
    """The files of such a list; none when it is empty.

    Raises:
        ValueError: this is no such list, or one of a later version.
    """
    found: dict[bytes, Collected] = {}
    for number, line in enumerate(content.splitlines()):
        record = json.loads(line)
        if number == 0:
            if not isinstance(record, dict) or record.get("format") != FORMAT:
                raise ValueError("it is no list of collected files")
            if record.get("version") != VERSION:
                raise ValueError(f"it has version {record.get('version')}; this program reads {VERSION}")
            continue
        try:
            path, size = from_text(record["path"]), record["size"]
            sha256 = bytes.fromhex(record["sha256"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"line {number + 1} is no record of a file") from error
        if type(size) is not int or size < 0 or len(sha256) != SHA256_SIZE or not is_plain_path(path):
            raise ValueError(f"line {number + 1} is no record of a file")
        found[path] = Collected(size, sha256)
    return found
