"""What peer and master tell each other by files in a collect dir.

The peer: that a collect has ended, and what came of it. The master: what of that is proven to be on disc.
Both are JSON lines; the first says what the file is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cedarchest.model.index import SHA256_SIZE, Kind, is_plain_path, quoted
from cedarchest.model.names import from_text

COLLECTED_MARK = "cback.collect"
COLLECTED_LIST = "cback.collect.jsonl"
RECEIPTS = "cback.receipts"
"""The folder of receipts, one for each day: `YYYY-MM-DD.jsonl`."""

COLLECTED_FORMAT = "cedarchest-collected"
RECEIPT_FORMAT = "cedarchest-receipt"
VERSION = 1

_FIELDS = {
    COLLECTED_FORMAT: {"path": str, "size": int, "sha256": str},
    RECEIPT_FORMAT: {"path": str, "type": str, "size": int, "mtime_ns": int, "sha256": str, "copies": int},
}

_OWN = b"cback."


def is_own(path: bytes) -> bool:
    """Whether a path in a collect dir is a mark, list or receipt of ours, or of Cedar Backup, and no data."""
    return path.startswith(_OWN)


def is_receipt(path: bytes) -> bool:
    """Whether a path in a collect dir is the folder of receipts or in it."""
    return path.split(b"/", 1)[0] == RECEIPTS.encode()


@dataclass(frozen=True, slots=True)
class Collected:
    """A file that a collect left, as the peer digested it: bytes, and 32 bytes of SHA-256."""

    size: int
    sha256: bytes


class Received(NamedTuple):
    """Something of a peer that is on disc: path in the collect dir, what it was, on how many verified discs.

    With 0 copies it is staged, and not proven to be on any disc.

    `sha256` is 32 bytes for a file, and empty for a folder or link.
    """

    path: bytes
    kind: Kind
    size: int
    mtime_ns: int
    sha256: bytes
    copies: int


def write_collected(files: Mapping[bytes, Collected]) -> bytes:
    """The list of a collect's files, by path from the collect dir: JSON lines, the first says what it is."""
    return _lines(
        {"format": COLLECTED_FORMAT, "version": VERSION},
        (
            f'{{"path": {quoted(path)}, "size": {file.size}, "sha256": "{file.sha256.hex()}"}}'
            for path, file in sorted(files.items())
        ),
    )


def write_receipt(peer: str, day: str, proof: Sequence[str], received: Iterable[Received]) -> bytes:
    """The receipt of what a day has of a peer; `proof` are the sessions that hold them."""
    head = {"format": RECEIPT_FORMAT, "version": VERSION, "peer": peer, "day": day, "proof": list(proof)}
    return _lines(
        head,
        (
            f'{{"path": {quoted(path)}, "type": "{kind}", "size": {size}, "mtime_ns": {mtime_ns},'
            f' "sha256": "{sha256.hex()}", "copies": {copies}}}'
            for path, kind, size, mtime_ns, sha256, copies in sorted(received)
        ),
    )


def _lines(head: dict[str, object], records: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in (json.dumps(head, ensure_ascii=False), *records)).encode()


def read_collected(content: bytes) -> dict[bytes, Collected]:
    """The files of such a list; none when it is empty.

    Raises:
        ValueError: this is no such list, or one of a later version.
    """
    return {
        _path(record): Collected(_whole(record["size"]), _sha256(record))
        for record in _records(content, COLLECTED_FORMAT)
    }


def read_receipt(content: bytes) -> tuple[Received, ...]:
    """What a receipt is of.

    Raises:
        ValueError: this is no receipt, or one of a later version.
    """
    return tuple(
        Received(
            _path(record),
            Kind(record["type"]),
            _whole(record["size"]),
            record["mtime_ns"],
            _sha256(record) if record["sha256"] else b"",
            _whole(record["copies"]),
        )
        for record in _records(content, RECEIPT_FORMAT)
    )


def _records(content: bytes, expected: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(content.splitlines()):
        try:
            record = json.loads(line)
        except RecursionError as error:
            raise ValueError(f"line {number + 1} is no record") from error
        if number == 0:
            if not isinstance(record, dict) or record.get("format") != expected:
                raise ValueError(f"it does not begin as a {expected} file")
            if record.get("version") != VERSION:
                raise ValueError(f"it has version {record.get('version')}; this program reads {VERSION}")
        elif not isinstance(record, dict) or any(
            type(record.get(name)) is not kind for name, kind in _FIELDS[expected].items()
        ):
            raise ValueError(f"line {number + 1} is no record of a file")
        else:
            yield record


def _path(record: dict[str, Any]) -> bytes:
    path = from_text(record["path"])
    if not is_plain_path(path):
        raise ValueError(f"{record['path']!r} is no path of a file")
    return path


def _whole(value: int) -> int:
    if value < 0:
        raise ValueError(f"{value} is no size and no count")
    return value


def _sha256(record: dict[str, Any]) -> bytes:
    sha256 = bytes.fromhex(record["sha256"])
    if len(sha256) != SHA256_SIZE:
        raise ValueError(f"{record['sha256']!r} is no SHA-256")
    return sha256
