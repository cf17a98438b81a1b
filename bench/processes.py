"""Measures whole processes: wall clock from start to end, and the most memory each one held.

Memory is looked up in `/proc` every 20 ms: `VmHWM` is the peak of one program since it was executed, so
the process itself and its children are told apart. `wait4` gives one figure for both, and a child's
share of it begins with what its parent held when it forked; it stands beside as a bound. Everything
begins after `sync`, so that nobody pays for what another one left to be written.

Source: man proc_pid_status, man getrusage.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_S = 0.02
LIMIT_S = 3600.0
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_NOT_MEASURED = {"PYTHONDONTWRITEBYTECODE", "CEDARCHEST_CONFIG", "CEDARCHEST_NOW"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds on the wall and of processors, children's included; peaks in MB (10^6 bytes)."""

    seconds: float
    cpu_s: float
    own_mb: float
    children_mb: float
    wait4_mb: float


def measure(commands: Iterable[Sequence[str]]) -> Sample:
    """Run commands one after the other; times are added, of the peaks the highest counts."""
    os.sync()
    samples = [_measure_one(argv) for argv in commands]
    return Sample(
        sum(each.seconds for each in samples),
        sum(each.cpu_s for each in samples),
        max(each.own_mb for each in samples),
        max(each.children_mb for each in samples),
        max(each.wait4_mb for each in samples),
    )


def environment() -> dict[str, str]:
    """What the measured processes get: byte code is used and written as it is for everybody."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_MEASURED}


def _measure_one(argv: Sequence[str]) -> Sample:
    began = time.perf_counter()
    process = subprocess.Popen(
        argv,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    said: list[bytes] = []
    peaks: dict[int, int] = {}
    over = threading.Event()
    assert process.stderr is not None
    beside = [
        threading.Thread(target=lambda stream: said.append(stream.read()), args=(process.stderr,)),
        threading.Thread(target=_look, args=(process.pid, peaks, over)),
    ]
    for thread in beside:
        thread.start()
    limit = threading.Timer(LIMIT_S, process.kill)
    limit.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for; Popen must not do it again
    limit.cancel()
    over.set()
    for thread in beside:
        thread.join()
    process.stderr.close()
    if process.returncode:
        tail = b"".join(said).decode("utf-8", "replace")[-2000:]
        raise SystemExit(f"{' '.join(argv)}\nended with status {process.returncode}; it said:\n{tail}")
    whole = usage.ru_maxrss * 1024 / 1e6
    own = peaks.pop(process.pid, 0) * 1024 / 1e6
    children = max(peaks.values(), default=0) * 1024 / 1e6
    return Sample(seconds, usage.ru_utime + usage.ru_stime, own or whole, children, whole)


def _look(pid: int, peaks: dict[int, int], over: threading.Event) -> None:
    """Keep the last peak seen of a process and each of its descendants."""
    while not over.wait(LOOK_EVERY_S):
        called = _text(Path(f"/proc/{pid}/cmdline"))
        for each in _family(pid):
            found = _PEAK.search(_text(Path(f"/proc/{each}/status")))
            if each != pid and _text(Path(f"/proc/{each}/cmdline")) == called:
                continue  # between fork and exec a child shows its parent's
            if found:
                peaks[each] = int(found[1])


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for thread in threads:
        for child in _text(thread / "children").split():
            yield from _family(int(child))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def median(samples: Sequence[Sample]) -> Sample:
    """The median of each figure."""
    return Sample(
        statistics.median(each.seconds for each in samples),
        statistics.median(each.cpu_s for each in samples),
        statistics.median(each.own_mb for each in samples),
        statistics.median(each.children_mb for each in samples),
        statistics.median(each.wait4_mb for each in samples),
    )
