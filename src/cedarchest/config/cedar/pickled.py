"""What Cedar Backup keeps from run to run, read without unpickling.

A pickle is a program: whoever may write the file decides what is done by who loads it. Cedar Backup's are
owned by its backup user and hold a map of texts, a number or a time. The opcodes that Python 2 and 3 write
for these are acted on here, one by one; any other ends the reading, and nothing is imported or called by its
name. An opcode is looked up in the table of `pickletools` before its argument is read. Its `genops` reads the
argument first, and cannot read what Python 2 quoted that is not ASCII, such as the bytes of a time.

Source: PEP 307, PEP 3154, and the descriptions of opcodes in `pickletools`.
"""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum, auto

LARGEST = 64 << 20
"""Bytes of a file."""
MOST = 500_000
"""Entries of a map."""
LONGEST = 16_384
"""Characters or bytes of a text."""
DEEPEST = 4_096
"""Values that wait to be put together: a map is written in batches of 1000 pairs."""
NEWEST_PROTOCOL = 5
LARGEST_NUMBER = 1 << 63

Text = str | bytes
"""Texts of Python 2 are bytes."""
Value = dict[Text, Text] | Text | int | datetime


class Refused(ValueError):
    """Nothing of it is used; the message goes on after "it is not used, for"."""


def digests(raw: bytes) -> Mapping[bytes, bytes]:
    """SHA-1 of each file by its path, from a `.sha`.

    Raises:
        Refused: it is anything else.
    """
    value = read(raw)
    if not isinstance(value, dict):
        raise Refused("it holds no map of digests")
    found = {_bytes(path): _bytes(digest) for path, digest in value.items()}
    for path, digest in found.items():
        if not path.startswith(b"/") or not _SHA1.fullmatch(digest):
            raise Refused("it holds something else than paths with a SHA-1 each")
    return {path: bytes.fromhex(digest.decode()) for path, digest in found.items()}


def last_run(raw: bytes) -> datetime:
    """When mail was collected last, by the clock of the machine, from a `.mboxlast`.

    Raises:
        Refused: it is anything else.
    """
    value = read(raw)
    if not isinstance(value, datetime):
        raise Refused("it holds no time")
    return value


def youngest(raw: bytes) -> int:
    """The last revision that was dumped, from a `.svnlast`.

    Raises:
        Refused: it is anything else.
    """
    value = read(raw)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refused("it holds no revision")
    return value


_SHA1 = re.compile(rb"[0-9a-f]{40}")


def _bytes(text: Text) -> bytes:
    try:
        return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Refused("it holds a text that is no name of a file") from None


def read(raw: bytes) -> Value:
    """The one value in a pickle.

    Raises:
        Refused: it is no pickle, damaged, too large, or holds what Cedar Backup does not write.
    """
    if len(raw) > LARGEST:
        raise Refused(f"it is larger than {LARGEST >> 20} MiB")
    stream, reading = io.BytesIO(raw), _Reading()
    try:
        while (name := _opcode(stream)) != "STOP":
            reading.act(name, _argument(name, stream))
    except Refused:
        raise
    except (ValueError, LookupError):  # an argument that is cut short, a value that is not there
        raise Refused("it is damaged") from None
    if stream.read(1):
        raise Refused("something follows where it ends")
    return reading.result()


_OPCODES = {each.code.encode("latin-1"): each for each in pickletools.opcodes}
_READERS = {each.name: each.arg.reader if each.arg else None for each in pickletools.opcodes}


def _opcode(stream: io.BytesIO) -> str:
    code = stream.read(1)
    if not code:
        raise Refused("its end is missing")
    described = _OPCODES.get(code)
    if described is None:
        raise Refused("it is no pickle")
    if described.name not in _KNOWN:
        raise Refused(f"it holds what Cedar Backup does not write ({described.name})")
    return described.name


def _argument(name: str, stream: io.BytesIO) -> object:
    if name == "STRING":
        return _quoted(stream.readline())
    reader = _READERS[name]
    argument: object = reader(stream) if reader else None
    if name in {"BINSTRING", "SHORT_BINSTRING"} and isinstance(argument, str):
        argument = argument.encode("latin-1")
    if isinstance(argument, str | bytes) and len(argument) > LONGEST:
        raise Refused("a text in it is too long")
    return argument


_QUOTED = re.compile(rb"(['\"])((?:[ -\[\]-~]|\\[\\'\"ntr]|\\x[0-9a-f]{2})*)\1\n")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def _quoted(line: bytes) -> bytes:
    """A text as Python 2 quotes it."""
    if len(line) > 4 * LONGEST:
        raise Refused("a text in it is too long")
    quoted = _QUOTED.fullmatch(line)
    if quoted is None:
        raise Refused("a text in it is not quoted")
    return _ESCAPE.sub(
        lambda each: bytes.fromhex(each[1].decode()) if each[1] else _ESCAPED.get(each[2], each[2]), quoted[2]
    )


class _Named(Enum):
    """What may be named: none of it is called."""

    DATETIME = auto()
    ENCODE = auto()


_MARK = object()
_NAMES = {"datetime datetime": _Named.DATETIME, "_codecs encode": _Named.ENCODE}


class _Reading:
    """A pickle at work: values that wait, and those that are kept to be used again."""

    def __init__(self) -> None:
        self._waiting: list[object] = []
        self._kept: dict[object, object] = {}

    def act(self, name: str, argument: object) -> None:
        """Do what an opcode says."""
        _KNOWN[name](self, argument)
        if len(self._waiting) > DEEPEST:
            raise Refused("too much in it waits to be put together")

    def result(self) -> Value:
        """The one value that is left."""
        if len(self._waiting) == 1 and isinstance(self._waiting[0], dict | str | bytes | int | datetime):
            return self._waiting[0]
        raise Refused("it holds no value, or several")

    # -- opcodes ----------------------------------------------------------------------------------

    def nothing(self, _argument: object) -> None:
        """Frames are for who reads from a pipe."""

    def protocol(self, number: object) -> None:
        if not isinstance(number, int) or number > NEWEST_PROTOCOL:
            raise Refused("it is of a Python that is not known")

    def push(self, value: object) -> None:
        if isinstance(value, int) and not -LARGEST_NUMBER <= value < LARGEST_NUMBER:
            raise Refused("a number in it is too large")
        self._waiting.append(value)

    def mark(self, _argument: object) -> None:
        self._waiting.append(_MARK)

    def keep(self, number: object) -> None:
        """Keep the last value; without a number under the next."""
        self._kept[len(self._kept) if number is None else number] = self._waiting[-1]

    def get(self, number: object) -> None:
        self._waiting.append(self._kept[number])

    def empty_map(self, _argument: object) -> None:
        self._waiting.append({})

    def marked_map(self, _argument: object) -> None:
        pairs = self._marked()
        self._waiting.append({})
        self._add(pairs)

    def pair(self, _argument: object) -> None:
        value, key = self._waiting.pop(), self._waiting.pop()
        self._add([key, value])

    def pairs(self, _argument: object) -> None:
        self._add(self._marked())

    def arguments(self, _argument: object) -> None:
        self._waiting.append(tuple(self._marked()))

    def argument(self, _argument: object) -> None:
        self._waiting.append((self._waiting.pop(),))

    def two_arguments(self, _argument: object) -> None:
        second, first = self._waiting.pop(), self._waiting.pop()
        self._waiting.append((first, second))

    def name(self, dotted: object) -> None:
        """A name that stands in the opcode, or in the two last texts."""
        if dotted is None:
            function, module = self._waiting.pop(), self._waiting.pop()
            dotted = f"{module} {function}" if isinstance(module, str) and isinstance(function, str) else ""
        if not isinstance(dotted, str) or dotted not in _NAMES:
            raise Refused("it wants a program to be run, which Cedar Backup's never do")
        self._waiting.append(_NAMES[dotted])

    def made(self, _argument: object) -> None:
        """The time, or the bytes, that a name and its arguments stand for."""
        arguments, name = self._waiting.pop(), self._waiting.pop()
        match name, arguments:
            case _Named.DATETIME, (bytes(state),):
                self._waiting.append(_time(state))
            case _Named.ENCODE, (str(text), "latin1"):
                self._waiting.append(text.encode("latin-1"))
            case _:
                raise Refused("it wants something to be made that Cedar Backup does not write")

    # -- their parts ------------------------------------------------------------------------------

    def _marked(self) -> list[object]:
        """The values since the last mark, which are taken away."""
        for place in range(len(self._waiting) - 1, -1, -1):
            if self._waiting[place] is _MARK:
                found = self._waiting[place + 1 :]
                del self._waiting[place:]
                return found
        raise Refused("it is damaged")

    def _add(self, flat: list[object]) -> None:
        """Add keys and values, in turn, to the map that waits."""
        held = self._waiting[-1]
        if not isinstance(held, dict) or len(flat) % 2:
            raise Refused("it is damaged")
        if not all(isinstance(each, str | bytes) for each in flat):
            raise Refused("a map in it holds something else than texts")
        held.update(zip(flat[::2], flat[1::2], strict=True))
        if len(held) > MOST:
            raise Refused(f"it holds more than {MOST} entries")


def _time(state: bytes) -> datetime:
    """A time from the ten bytes that stand for it: year, month, day, hour, minute, second, microsecond."""
    if len(state) != 10:
        raise Refused("a time in it is damaged")
    month, fold = (state[2] - 128, 1) if state[2] > 127 else (state[2], 0)
    day, hour, minute, second = state[3:7]
    year, microsecond = int.from_bytes(state[:2]), int.from_bytes(state[7:])
    return datetime(year, month, day, hour, minute, second, microsecond, fold=fold)  # noqa: DTZ001 - as written


_KNOWN: Mapping[str, Callable[[_Reading, object], None]] = {
    "PROTO": _Reading.protocol,
    "FRAME": _Reading.nothing,
    "STOP": _Reading.nothing,
    "MARK": _Reading.mark,
    "EMPTY_DICT": _Reading.empty_map,
    "DICT": _Reading.marked_map,
    "SETITEM": _Reading.pair,
    "SETITEMS": _Reading.pairs,
    "TUPLE": _Reading.arguments,
    "TUPLE1": _Reading.argument,
    "TUPLE2": _Reading.two_arguments,
    "GLOBAL": _Reading.name,
    "STACK_GLOBAL": _Reading.name,
    "REDUCE": _Reading.made,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Reading.keep),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Reading.get),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _Reading.push),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _Reading.push),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _Reading.push),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), _Reading.push),
}
