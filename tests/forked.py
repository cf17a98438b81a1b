"""Runs the program in a process of its own that has nothing to import: forked from one that has it all.

Most of a short run is the import of libraries, and tests run the program hundreds of times. A server that
has them imported forks a child for each run: with arguments, environment, folder and standard streams of
its own, as `python -m cedarchest` would have them.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["tests.forked", "cedarchest.wiring", "cedarchest.actions.rebuild", "cedarchest.report.text"]
)
OWN_START = ("LC_", "LANG", "PYTHON", "LD_")
"""What an interpreter heeds only when it starts: a run that sets such a variable needs a real one."""


def run_program(
    arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path, timeout_s: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run the program with this environment and no other; nobody answers on standard input.

    Raises:
        subprocess.TimeoutExpired: it did not end in time; it was killed.
    """
    kept = {name: value for name, value in environ.items() if name.startswith(OWN_START)}
    if any(os.environ.get(name) != value for name, value in kept.items()):
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


def _be_program(arguments: list[str], environ: dict[str, str], cwd: Path, streams: Sequence[Path]) -> None:
    from cedarchest.__main__ import main

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
