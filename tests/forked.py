"""Runs the program in a process of its own that has nothing to import: forked from one that has it all.

Most of a short run is the import of libraries, and tests run the program hundreds of times. A server that
has them imported forks a child for each run: with arguments, environment, folder and standard streams of
its own, as `python -m cedarchest` would have them.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.forked", "tests.loaded"])
OWN_START = ("LC_", "LANG", "PYTHON", "LD_")
"""What an interpreter heeds only when it starts: a run that sets such a variable needs a real one."""


def run_program(
    arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path, timeout_s: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run the program with this environment and no other; nobody answers on standard input.

    Raises:
        subprocess.TimeoutExpired: it did not end in time; it was killed.
    """
    if not is_forked(environ):
        return subprocess.run(
            [sys.executable, "-m", "cedarchest", *arguments],
            env=environ, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s,
            check=False,
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("out", "err")]
        child = _CONTEXT.Process(target=_be_program, args=(list(arguments), dict(environ), cwd, streams))
        child.start()
        child.join(timeout_s)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout_s)
        out, err = (path.read_bytes() for path in streams)
        return subprocess.CompletedProcess(list(arguments), child.exitcode, out, err)


def is_forked(environ: Mapping[str, str]) -> bool:
    """Whether a run with this environment needs no interpreter that starts anew."""
    kept = {name: value for name, value in environ.items() if name.startswith(OWN_START)}
    return all(os.environ.get(name) == value for name, value in kept.items())


class AtWork:
    """A run of the program at work, in a process group of its own; what it says is kept in `scratch`."""

    def __init__(
        self, arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path, scratch: Path
    ) -> None:
        assert is_forked(environ), "it needs an interpreter of its own"
        folder = Path(tempfile.mkdtemp(dir=scratch))
        streams = [folder / name for name in ("out", "err")]
        self._err = streams[1]
        begun, beginning = _CONTEXT.Pipe(duplex=False)
        self._child = _CONTEXT.Process(
            target=_be_program, args=(list(arguments), dict(environ), cwd, streams, beginning)
        )
        self._child.start()
        beginning.close()
        begun.recv_bytes()
        assert self._child.pid
        self.pid = self._child.pid

    def poll(self) -> int | None:
        """The exit status, minus the number of a signal that ended it; None while it is at work."""
        return self._child.exitcode

    def wait(self, timeout_s: float = 60) -> int:
        """The exit status, waited for."""
        self._child.join(timeout_s)
        if self._child.exitcode is None:
            raise subprocess.TimeoutExpired("cedarchest", timeout_s)
        return self._child.exitcode

    def said(self) -> str:
        """What it said on standard error so far."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill its process group, if anything of it is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _be_program(
    arguments: list[str],
    environ: dict[str, str],
    cwd: Path,
    streams: Sequence[Path],
    beginning: Connection | None = None,
) -> None:
    from cedarchest.__main__ import main

    if beginning is not None:
        os.setsid()
        beginning.send_bytes(b"at work")
        beginning.close()
    for number, path in enumerate((Path(os.devnull), *streams)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w"), "utf-8", errors, write_through=number == 2)
        for number, errors in ((1, "strict"), (2, "backslashreplace"))
    )
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(cwd)
    sys.argv = ["cedarchest", *arguments]
    main()
