"""The journal of runs in `state_dir`: a line when a run begins and one when it has ended.

Lines are added under a lock and made durable. What a power cut left of a line is no line; a run whose second
line is missing was killed, or is still at work. When the file has grown, the oldest runs are dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cedarchest.adapters.durable import durable_file, is_at
from cedarchest.errors import DiskFull, StagingError
from cedarchest.model.schedule import RunRecord

NAME = "runs.jsonl"
KEPT = 1000
"""Runs that are kept when the file is cut."""

_LARGEST = 1 << 20
_LOCK_S = 10.0
_POLL_S = 0.05


class StateRunJournal:
    """The journal of one state folder, which is made when the first run is recorded."""

    def __init__(self, state_dir: Path, *, kept: int = KEPT, largest: int = _LARGEST) -> None:
        self._path = state_dir / NAME
        self._kept = kept
        self._largest = largest

    def began(self, action: str, at: datetime, schedule: Sequence[str]) -> str:
        """Record that a run begins; gives its name for `ended`."""
        run = secrets.token_hex(8)
        with self._sentences():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._add(
                {"run": run, "action": action, "began": at.isoformat(), "pid": os.getpid()}
                | ({"schedule": list(schedule)} if schedule else {})
            )
        return run

    def ended(self, run: str, at: datetime, outcome: str, exit_code: int, summary: str) -> None:
        """Record what came of a run."""
        with self._sentences():
            self._add(
                {
                    "run": run,
                    "ended": at.isoformat(),
                    "outcome": outcome,
                    "exit_code": exit_code,
                    "summary": summary,
                }
            )

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs that are kept, in the order in which they began."""
        with self._sentences():
            try:
                raw = self._path.read_bytes()
            except FileNotFoundError:
                return ()
        return tuple(_records(raw).values())

    def _add(self, line: Mapping[str, object]) -> None:
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            text = ("\n" if torn else "") + json.dumps(line) + "\n"
            left = memoryview(text.encode())
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
            if size + len(text) > self._largest:
                self._cut(os.pread(descriptor, size + len(text), 0))

    def _cut(self, raw: bytes) -> None:
        """Drop the oldest runs; readers and writers that come meanwhile see the one file or the other."""
        kept = dict.fromkeys(list(_records(raw))[-self._kept :])
        lines = [line for line in raw.splitlines(keepends=True) if _parsed(line).get("run") in kept]
        with durable_file(self._path) as stream:
            stream.writelines(lines)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, open to be added to, while nobody else adds to it or takes its place."""
        until = time.monotonic() + _LOCK_S
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                _lock(descriptor, until)
                if is_at(descriptor, self._path):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except DiskFull:
            raise
        except OSError as error:
            raise StagingError(
                f"the journal of runs {self._path} cannot be used: {error.strerror}",
                advice="Correct [options] state_dir or the file's permissions.",
                path=str(self._path),
            ) from error


def _lock(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _records(raw: bytes) -> dict[str, RunRecord]:
    """The runs of a journal by name, as far as it can be read."""
    found: dict[str, RunRecord] = {}
    for line in raw.splitlines():
        said = _parsed(line)
        run = said.get("run")
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if isinstance(run, str) and "began" in said:
                schedule = said.get("schedule", [])
                found[run] = RunRecord(
                    action=str(said["action"]),
                    began=_instant(said["began"]),
                    schedule=tuple(map(str, schedule)) if isinstance(schedule, list) else (),
                )
            elif isinstance(run, str) and run in found:
                found[run] = replace(
                    found[run],
                    ended=_instant(said["ended"]),
                    outcome=str(said["outcome"]),
                    exit_code=int(str(said["exit_code"])),
                    summary=str(said["summary"]),
                )
    return found


def _parsed(line: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _instant(text: object) -> datetime:
    instant = datetime.fromisoformat(str(text))
    return instant if instant.tzinfo else instant.astimezone()
