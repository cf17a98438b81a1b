"""What packs an archive on its way into the file: a program, or for zstd its library.

The library takes a third less of the processors: nothing goes through pipes to a program and back.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

import zstandard

from cedarchest.adapters.process import PIPED, Piped, piped
from cedarchest.config.choices import ArchiveFormat
from cedarchest.errors import ToolFailed

Bytes = bytes | memoryview

_PROGRAMS: Mapping[ArchiveFormat, Sequence[str]] = {
    ArchiveFormat.TAR_GZ: ("gzip", "--stdout"),
    ArchiveFormat.TAR_BZ2: ("bzip2", "--stdout"),
    ArchiveFormat.TAR_XZ: ("xz", "--stdout", "--threads=0"),
}
_ALL_CORES = -1


class Packer(Protocol):
    """Packs what it is given into a file."""

    def write(self, data: Bytes) -> object:
        """Take more in.

        Raises:
            OSError: the file cannot be written.
            ToolFailed: it takes no more.
        """
        ...

    def end(self) -> None:
        """No more comes; the file is whole.

        Raises:
            OSError, ToolFailed: as `write`.
        """
        ...


@dataclass(frozen=True)
class Plain:
    """Packs nothing: what it is given stands in the file, and `keep` gets each piece of that."""

    into: BinaryIO
    keep: Callable[[Bytes], None]

    def write(self, data: Bytes) -> int:
        """Take more in; how many bytes that was, as a stream says."""
        self.into.write(data)
        self.keep(data)
        return len(data)

    def end(self) -> None:
        """There is nothing left to do."""


@contextlib.contextmanager
def packer(form: ArchiveFormat, plain: Plain) -> Iterator[Packer]:
    """What packs into the file of the plain one; each piece that stands there is kept as by that.

    Raises:
        ToolMissing, ToolFailed: each what it says.
    """
    if form is ArchiveFormat.TAR:
        yield plain
    elif form is ArchiveFormat.TAR_ZST:
        yield _Zstd(plain)
    else:
        with contextlib.ExitStack() as stack:
            program = stack.enter_context(piped(_PROGRAMS[form], takes_data=True))
            packing = _Program(program, plain)
            try:
                yield packing
            finally:
                stack.close()  # a program that takes no more would hold the thread
                packing.close()


class _Zstd:
    """As the program does it: its level, a checksum, all cores."""

    def __init__(self, plain: Plain) -> None:
        compressor = zstandard.ZstdCompressor(threads=_ALL_CORES, write_checksum=True)
        self._packed = compressor.stream_writer(cast("BinaryIO", plain), closefd=False)

    def write(self, data: Bytes) -> None:
        """Take more in."""
        with _told():
            self._packed.write(data)

    def end(self) -> None:
        """Complete the frame."""
        with _told():
            self._packed.flush(zstandard.FLUSH_FRAME)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the library says, in our words."""
    try:
        yield
    except zstandard.ZstdError as error:
        raise packing_failed(f"zstd cannot go on: {error}", "zstd") from error


class _Program:
    """A program that packs; a thread takes what it writes, also when that can be kept no more."""

    def __init__(self, program: Piped, plain: Plain) -> None:
        self._program = program
        self._plain = plain
        self._failure: OSError | None = None
        self._drainer = threading.Thread(target=self._drain, daemon=True)
        self._drainer.start()

    def write(self, data: Bytes) -> None:
        """Give it more."""
        if self._failure:
            raise self._failure
        try:
            self._program.data_in.write(data)
        except BrokenPipeError as error:
            raise self._broken() from error

    def end(self) -> None:
        """Wait for its end."""
        done = self._program.finish()
        self._drainer.join()
        if self._failure:
            raise self._failure
        if done.returncode:
            raise self._broken()

    def close(self) -> None:
        """Wait for the thread; the program has ended."""
        self._drainer.join()

    def _broken(self) -> ToolFailed:
        name, done = self._program.argv[0], self._program.finish()
        return packing_failed(f"{name} ended with {done.returncode}: {done.tail}", name)

    def _drain(self) -> None:
        buffer = memoryview(bytearray(PIPED))
        while count := self._program.read(buffer):
            try:
                if not self._failure:
                    self._plain.write(buffer[:count])
            except OSError as error:
                self._failure = error


def packing_failed(message: str, tool: str) -> ToolFailed:
    """A tool did not make its archive, or its part of one."""
    return ToolFailed(
        message,
        advice="The archive of before is still there. Put right what it says, then run the command again.",
        tool=tool,
    )
