"""Undoes packing and encryption by the programs that made them; nothing is written to a file.

Each layer is a program, with a thread that feeds it. Nothing is asked: gpg uses the key ring and the agent of
the user that runs this, and no passphrase is ever an argument. What comes out has a limit, by what went in.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from cedarchest.adapters.process import Completed, Piped, piped, tool_environment
from cedarchest.errors import StagingError
from cedarchest.model.names import to_text
from cedarchest.model.packed_names import Layer, layers_of

LEAST_LIMIT, LARGEST_RATIO = 64 << 30, 1000
"""Bytes that anything may unpack to, and how many times its size a larger file may."""

UNPACKERS: Mapping[Layer, tuple[bytes, Sequence[str]]] = {
    Layer.GZIP: (b"\x1f\x8b", ("gzip", "--decompress", "--stdout")),
    Layer.BZIP2: (b"BZh", ("bzip2", "--decompress", "--stdout")),
    Layer.XZ: (b"\xfd7zXZ\0", ("xz", "--decompress", "--stdout", "--memlimit-decompress=1GiB")),
    Layer.ZSTD: (b"\x28\xb5\x2f\xfd", ("zstd", "--decompress", "--stdout", "--quiet")),
}
"""How what a program packed begins, and the command that unpacks it."""

DECRYPT = ("gpg", "--batch", "--no-tty", "--quiet", "--no-auto-key-retrieve", "--decrypt")
_OF_THE_USER = ("HOME", "GNUPGHOME", "XDG_RUNTIME_DIR")
_HEAD = 8
_PIECE = 1 << 20


class Unpackers:
    """The programs of this machine."""

    @contextlib.contextmanager
    def opened(self, name: bytes, chunks: Iterable[bytes]) -> Iterator[BinaryIO]:
        """The plain bytes of a file of this name."""
        with contextlib.ExitStack() as layers:
            taken = _Counted(chunks)
            data: Iterator[bytes] = iter(taken)
            for layer in layers_of(name):
                data = layers.enter_context(_undone(layer, data, name))
            yield cast("BinaryIO", io.BufferedReader(_Plain(data, taken, name), _PIECE))


class _Counted:
    """Chunks, and how many bytes they were up to now."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes += len(chunk)
            yield chunk


@contextlib.contextmanager
def _undone(layer: Layer, data: Iterator[bytes], name: bytes) -> Iterator[Iterator[bytes]]:
    """What comes out of one layer."""
    if layer is Layer.GPG:
        with _through(DECRYPT, data, name, _as_the_user()) as out:
            yield out
        return
    head, data = _begun(data)
    found = next((each for each, (magic, _) in UNPACKERS.items() if head.startswith(magic)), None)
    if layer is Layer.ANY and found is None:
        yield data
        return
    if found is None or layer not in (found, Layer.ANY):
        raise StagingError(
            f"{to_text(name)} is not packed by {layer}, as its name says",
            advice="It may be damaged, or have a name that it should not have; look at it with `file`.",
        )
    with _through(UNPACKERS[found][1], data, name) as out:
        yield out


def _begun(data: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """How it begins, and all of it."""
    head = b""
    for chunk in data:
        head += chunk
        if len(head) >= _HEAD:
            break
    return head[:_HEAD], _chained(head, data)


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _as_the_user() -> dict[str, str]:
    """The environment of a program that has to find the keys of whoever runs this."""
    own = {name: value for name in _OF_THE_USER if (value := os.environ.get(name))}
    return {**tool_environment(), **own}


@contextlib.contextmanager
def _through(
    argv: Sequence[str], data: Iterator[bytes], name: bytes, environment: Mapping[str, str] | None = None
) -> Iterator[Iterator[bytes]]:
    """What a program makes of data; it has ended, and takes no more of them, when the context is left."""
    feeder: _Feeder | None = None
    try:
        with piped(argv, takes_data=True, environment=environment) as program:
            feeder = _Feeder(program.data_in, data)
            feeder.start()
            yield _output(program, feeder, name)
    finally:
        if feeder is not None:
            feeder.join()


class _Feeder(threading.Thread):
    """Gives a program its data; `problem` is what taking them raised."""

    def __init__(self, into: BinaryIO, data: Iterator[bytes]) -> None:
        super().__init__(name="unpacking", daemon=True)
        self._into = into
        self._data = data
        self.problem: BaseException | None = None

    def run(self) -> None:
        """Write until there is no more, or nobody takes it."""
        try:
            for chunk in self._data:
                try:
                    self._into.write(chunk)
                except (OSError, ValueError):  # it ended: what it said, or who ended it, knows why
                    return
        except BaseException as problem:  # noqa: BLE001 (raised again by whoever reads)
            self.problem = problem
        finally:
            with contextlib.suppress(OSError, ValueError):
                self._into.close()


def _output(program: Piped, feeder: _Feeder, name: bytes) -> Iterator[bytes]:
    """What a program writes, to its end; a bad end is one of the file."""
    while piece := program.data_out.read1(_PIECE):
        yield piece
    feeder.join()
    if feeder.problem is not None:
        raise feeder.problem
    done = program.finish()
    if done.returncode:
        raise _bad_end(name, done)


def _bad_end(name: bytes, done: Completed) -> StagingError:
    said = done.tail.strip() or f"{done.argv[0]} ended with {done.returncode}"
    if done.argv == DECRYPT:
        return StagingError(
            f"{to_text(name)} cannot be decrypted: {said}",
            advice="See that your key ring has the key (gpg --list-secret-keys), your agent its passphrase.",
        )
    return StagingError(
        f"{to_text(name)} cannot be unpacked: {said}",
        advice="It is damaged, or was cut off; another copy may be whole.",
    )


class _Plain(io.RawIOBase):
    """Pieces as a stream that ends with a word when it is more than can be believed."""

    def __init__(self, data: Iterator[bytes], taken: _Counted, name: bytes) -> None:
        self._data = data
        self._taken = taken
        self._name = name
        self._left = b""
        self._given = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """The next bytes."""
        if not self._left:
            self._left = next((piece for piece in self._data if piece), b"")
        view = memoryview(cast("bytearray", buffer)).cast("B")
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        self._given += count
        if self._given > max(LEAST_LIMIT, LARGEST_RATIO * self._taken.bytes):
            raise StagingError(
                f"{to_text(self._name)} unpacks to more than {self._given} bytes, and is not believed",
                advice="If it is what it should be, unpack it by hand.",
            )
        return count
