"""Runs other programs: the only module that does.

Argument lists only, never a shell; no inherited standard input; `LC_ALL=C` and no variable that
would change a tool's results; bytes decoded so that nothing is lost; every wait has a limit. A
child stays in our process group. What has begun to write is never killed at once: it gets a
SIGTERM and time, then SIGKILL. The argument list is logged at INFO, the transcript at DEBUG.
Only what a program reads and writes as data (`piped`) may take as long as disks and peers do.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import re
import select
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from typing import BinaryIO, cast

from cedarchest.adapters.growing import GrowingFile
from cedarchest.errors import ToolFailed, ToolMissing, ToolTimeout

log = logging.getLogger(__name__)

GRACE_S = 20.0
PACKAGES = {"xz": "xz-utils", "ssh": "openssh-client", "crontab": "cron", "systemctl": "systemd"}
"""Where a program's package has another name."""

TAIL_LINES = 12
_KEPT_VARIABLES = ("PATH", "LD_PRELOAD", "TMPDIR", "SSH_AUTH_SOCK")
_KEPT_PREFIXES = ("FAKEBURN_",)


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended: what it was, its status, its lines."""

    argv: tuple[str, ...]
    returncode: int
    lines: tuple[str, ...]

    @property
    def tail(self) -> str:
        """The last lines it said, for a message."""
        return tail_of(self.lines)


def tail_of(lines: Sequence[str]) -> str:
    """The last lines of a transcript as one text."""
    return "\n".join(line for line in lines[-TAIL_LINES:] if line.strip())


def tool_environment() -> dict[str, str]:
    """The environment of every program we run: nothing in it changes what a tool does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)
    }
    return {**kept, "LC_ALL": "C", "HOME": "/nonexistent"}


@dataclass(eq=False)
class Running:
    """A program at work: read its lines, write to its command pipe, wait for its end."""

    argv: tuple[str, ...]
    process: subprocess.Popen[bytes]
    commands: int  # descriptor of the pipe it takes commands from
    stall_s: float
    transcript: list[str] = field(default_factory=list)
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for raw in said:
                self._lines.put(raw.decode("utf-8", "surrogateescape").rstrip("\n"))
        self._lines.put(None)

    def lines(self) -> Iterator[str]:
        """Lines as they come, until the program closes its output.

        Raises:
            ToolTimeout: it was silent for longer than `stall_s`; it has been ended.
        """
        while True:
            try:
                line = self._lines.get(timeout=self.stall_s)
            except queue.Empty:
                self.end()
                raise ToolTimeout(
                    f"{self.argv[0]} said nothing for {self.stall_s:.0f} seconds and was ended",
                    advice="See whether the drive hangs (power it off and on), then run the command again.",
                    transcript=tail_of(self.transcript),
                ) from None
            if line is None:
                self._lines.put(None)  # whoever asks again sees the end again
                return
            self.transcript.append(line)
            yield line

    def send(self, script: bytes) -> None:
        """Write commands to the program.

        Raises:
            ToolFailed: it takes no more of them.
            ToolTimeout: it took none for longer than `stall_s`; it has been ended.
        """
        view = memoryview(script)
        try:
            while view:
                if not select.select([], [self.commands], [], self.stall_s)[1]:
                    self.end()
                    raise ToolTimeout(
                        f"{self.argv[0]} took no commands for {self.stall_s:.0f} seconds and was ended",
                        advice="See whether the drive hangs, then run the command again.",
                        transcript=tail_of(self.transcript),
                    )
                with contextlib.suppress(BlockingIOError):
                    view = view[os.write(self.commands, view) :]
        except BrokenPipeError as error:
            raise ToolFailed(
                f"{self.argv[0]} ended before it had all its commands",
                transcript=tail_of(self.transcript),
            ) from error

    def finish(self) -> Completed:
        """No more commands; read to the end and wait.

        Raises:
            ToolTimeout: it was silent, or did not end after its output, for longer than `stall_s`.
        """
        self.end_of_commands()
        for _ in self.lines():
            pass
        try:
            status = self.process.wait(timeout=self.stall_s)
        except subprocess.TimeoutExpired:
            self.end()
            raise ToolTimeout(
                f"{self.argv[0]} closed its output, did not end within {self.stall_s:.0f} seconds"
                " and was ended",
                transcript=tail_of(self.transcript),
            ) from None
        return Completed(self.argv, status, tuple(self.transcript))

    def drop(self) -> None:
        """Kill it at once: for what has nothing open that it could leave half written."""
        self.process.kill()

    def ask_to_end(self) -> None:
        """Send it a SIGTERM; whoever reads its lines sees their end. Any thread may."""
        self.process.terminate()

    def end(self) -> None:
        """End the program by grades: commands closed, SIGTERM, SIGKILL. Nothing if it has ended."""
        self.end_of_commands()
        for hasten in (self.process.poll, self.process.terminate, self.process.kill):
            hasten()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=min(GRACE_S, self.stall_s))
                break

    def end_of_commands(self) -> None:
        """No more commands will come."""
        if self.commands >= 0:
            os.close(self.commands)
            self.commands = -1


COMMANDS_FD_MARK = "{commands}"
"""Stands in an argument list for the number of the descriptor that commands come from."""


@contextlib.contextmanager
def running(
    argv: Sequence[str],
    *,
    stall_s: float,
    pass_fds: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Start a program with a command pipe; on the way out it has ended, whatever happened.

    `variables` come into its environment besides those that all programs get.

    Raises:
        ToolMissing: there is no such program.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        filled = tuple(argument.replace(COMMANDS_FD_MARK, str(reading)) for argument in argv)
        log.info("running %s", shlex.join(filled))
        process = _start(filled, (*pass_fds, reading), variables or {})
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    child = Running(filled, process, writing, stall_s)
    try:
        yield child
    finally:
        child.end()
        assert process.stdout is not None
        log.debug("%s ended with %s; it said:\n%s", argv[0], process.returncode, "\n".join(child.transcript))


def _start(
    argv: tuple[str, ...], pass_fds: Sequence[int], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    program = _found(argv[0])
    try:
        return subprocess.Popen(
            argv,
            executable=program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**tool_environment(), **variables},
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise ToolFailed(f"{program} cannot be run: {error.strerror}", tool=argv[0]) from error


def _found(name: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise ToolMissing(
            f"{name} is not installed",
            advice=f"Install it: apt-get install {PACKAGES.get(name, name)}",
            tool=name,
        )
    return program


LAST_WORDS_S = 2.0
PIPED = 1 << 18
"""Bytes that are read from, and written to, a program's data at once: what stays in a processor's cache."""

_PIPE = 1 << 20
"""Bytes that may wait in between, as many as the kernel lets anybody have (`pipe-max-size`)."""


@dataclass(eq=False)
class Piped:
    """A program whose data we read, or write, or both; what it says of itself is kept."""

    argv: tuple[str, ...]
    process: subprocess.Popen[bytes]
    said: list[str]
    _listener: threading.Thread
    _growing: GrowingFile | None

    @property
    def data_in(self) -> BinaryIO:
        """What it reads."""
        return cast("BinaryIO", self.process.stdin)

    @property
    def data_out(self) -> BufferedReader:
        """What it writes, unless that goes into a file."""
        return cast("BufferedReader", self.process.stdout)

    def read(self, buffer: memoryview) -> int | None:
        """Fill a buffer from its start with what it writes, wherever that goes; 0 at the end.

        Raises:
            OSError: the file that it goes into cannot be written, or not be read.
        """
        if self._growing:
            return self._growing.readinto(buffer, self.process.poll)
        return self.data_out.raw.readinto(buffer)

    def finish(self) -> Completed:
        """Wait for its end, once its data are read; it gets no more."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # its status says why
                self.process.stdin.close()
        status = self.process.wait()
        self._listener.join(LAST_WORDS_S)
        return Completed(self.argv, status, tuple(self.said))


@contextlib.contextmanager
def piped(
    argv: Sequence[str],
    *,
    takes_data: bool = False,
    data: int | None = None,
    into: int | None = None,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    not_heard: re.Pattern[str] | None = None,
) -> Iterator[Piped]:
    """Start a program whose standard output is data; on the way out it has ended, whatever happened.

    It reads what it is given, or a descriptor of `data`. What it writes may go `into` a file, which is open
    for reading as well: for programs that write from start to end, and that notice when we are gone, which no
    broken pipe tells them. It gets the environment of all programs, or exactly this one. Of what it says,
    lines that are `not_heard` are dropped.

    Raises:
        ToolMissing, ToolFailed: each what it says.
    """
    filled = tuple(argv)
    program = _found(filled[0])
    log.info("running %s", shlex.join(filled))
    growing = None if into is None else GrowingFile(into)
    try:
        process = subprocess.Popen(
            filled,
            executable=program,
            bufsize=PIPED,
            stdin=subprocess.PIPE if takes_data else subprocess.DEVNULL if data is None else data,
            stdout=subprocess.PIPE if into is None else into,
            stderr=subprocess.PIPE,
            env=tool_environment() if environment is None else environment,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise ToolFailed(f"{program} cannot be run: {error.strerror}", tool=filled[0]) from error
    for stream in filter(None, (process.stdin, process.stdout)):
        with contextlib.suppress(OSError):  # more than a user may have; it is only slower
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    said: list[str] = []
    listener = threading.Thread(target=_listen, args=(process, said, not_heard), daemon=True)
    listener.start()
    try:
        yield Piped(filled, process, said, listener, growing)
    finally:
        _end(process)
        log.debug("%s ended with %s; it said:\n%s", filled[0], process.returncode, "\n".join(said))


def _listen(process: subprocess.Popen[bytes], said: list[str], not_heard: re.Pattern[str] | None) -> None:
    assert process.stderr is not None
    with process.stderr as stream:
        for raw in stream:
            line = raw.decode("utf-8", "surrogateescape").rstrip("\n")
            if not_heard is None or not not_heard.fullmatch(line):
                said.append(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program by grades where it has not ended, and close what is open to it."""
    if process.poll() is None:
        process.terminate()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # ValueError: another thread just closed it
                stream.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    pass_fds: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program that takes no commands to its end.

    Raises:
        ToolMissing, ToolFailed, ToolTimeout: each what it says.
    """
    with running(argv, stall_s=timeout_s, pass_fds=pass_fds, variables=variables) as child:
        return child.finish()
