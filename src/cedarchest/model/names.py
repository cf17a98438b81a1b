r"""File names as text and as shell words: the one module that owns how bytes become readable.

A name on Linux is any bytes but NUL and slash. In JSON, index, catalog and messages a name is
UTF-8 text in which a backslash is `\\` and control characters and bytes that are not UTF-8 are
`\xNN`; this is reversible. `SHA256SUMS` follows coreutils' own escaping with raw bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_PLAIN = re.compile(rb"[\x20-\x5b\x5d-\x7e]*")
_CONTROL = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]")
_ESCAPE = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def to_text(name: bytes) -> str:
    """The readable, reversible form of a name or path."""
    if _PLAIN.fullmatch(name):
        return name.decode("ascii")
    return _CONTROL.sub(_escape, name.decode("utf-8", "surrogateescape"))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\\":
        return "\\\\"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def readable(text: str | Path) -> str:
    """A text or path without anything that a terminal would obey."""
    try:
        raw = str(text).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = str(text).encode("utf-8", "replace")
    return to_text(raw)


def from_text(text: str) -> bytes:
    """The bytes that `to_text` was given.

    Raises:
        ValueError: the text is no such form (a lone backslash, an upper-case escape).
    """
    raw = text.encode("utf-8")
    if b"\\" not in raw:
        return raw
    if b"\\" in _ESCAPE.sub(b"", raw):
        raise ValueError(f"not a name in text form: {text!r}")
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()) if match[1] else b"\\", raw)


def sums_line(digest: bytes, path: bytes) -> bytes:
    """A line of `SHA256SUMS` as `sha256sum` of coreutils writes it, names with newlines included.

    Source: coreutils manual, "md5sum invocation": a leading backslash announces an escaped name.
    """
    escaped = path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"\\" if escaped != path else b""
    return mark + digest.hex().encode() + b"  " + escaped + b"\n"


SHOWN = 5
"""Of many things a message names so many."""


def first_few(things: Sequence[object], joint: str = "; ") -> str:
    """The first things of many, and how many more there are."""
    more = len(things) - SHOWN
    return joint.join([*map(str, things[:SHOWN]), *([f"and {more} more"] if more > 0 else [])])


def counted(number: int, noun: str, several: str = "") -> str:
    """A number with its noun; of more or none it is `several`, else the noun with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or noun + 's'}"


def shell_word(path: bytes) -> bytes:
    """A path as one shell-quoted word, as `xorriso -options_from_file` reads it."""
    return b"'" + path.replace(b"'", b"'\"'\"'") + b"'"


ACTION = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What an action may be called."""

LABEL = re.compile(r"[A-Z0-9_]{1,16}")
"""What a disc's label may be: Joliet keeps 16 characters, ISO 9660 these letters."""

_CEDAR_LABEL = re.compile(r"CEDAR BACKUP[ A-Z0-9_-]{0,20}")
LONGEST_CEDAR_LABEL = 27
"""Characters of such a label that leave room for what tells two alike apart."""


def is_cedar_label(text: str) -> bool:
    """Whether a disc of this label was begun by Cedar Backup, which looks at the beginning only as well."""
    return _CEDAR_LABEL.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether a disc of ours, or one that Cedar Backup began, may be called so."""
    return LABEL.fullmatch(text) is not None or is_cedar_label(text)


def label_word(label: str) -> str:
    """A label as one word of a command line, for advice."""
    return f"'{label}'" if " " in label else label
