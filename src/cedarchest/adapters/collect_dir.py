"""The collect dir of this machine, and in `state_dir` what earlier collects found."""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import logging
import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from cedarchest.adapters.durable import clear_unfinished, durable_file, sync_directory
from cedarchest.adapters.packing import pack_members, pack_output, packing
from cedarchest.config.choices import ArchiveFormat
from cedarchest.config.load import COLLECT_STATES
from cedarchest.errors import CedarchestError, CollectError, ConfigError, DiskFull
from cedarchest.model.handover import (
    COLLECTED_LIST,
    COLLECTED_MARK,
    Collected,
    read_collected,
    write_collected,
)
from cedarchest.model.increments import Seen, State, read_state, write_state
from cedarchest.model.names import readable
from cedarchest.ports import Packed

log = logging.getLogger(__name__)

_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{8}\.unfinished", re.DOTALL)


class LocalCollectDir:
    """A folder of this machine."""

    def __init__(self, user: str | None, group: str | None) -> None:
        """Files are made for these owners, by name, when we may give them away."""
        self._user, self._group = user, group

    def begin(self, root: Path) -> bool:
        """Make the folder, take the mark away, and what killed runs left; whether the mark was there."""
        with _sentences(root):
            if not root.is_dir():
                root.mkdir(parents=True, mode=0o700)
                self._give(root)
            was_marked = (root / COLLECTED_MARK).exists()
            (root / COLLECTED_MARK).unlink(missing_ok=True)
            sync_directory(root)
            for path in root.iterdir():
                if _UNFINISHED.fullmatch(path.name):
                    path.unlink()
        return was_marked

    @contextlib.contextmanager
    def packing(
        self,
        root: Path,
        name: bytes,
        form: ArchiveFormat,
        members: Sequence[Seen],
        read: Callable[[int], None],
    ) -> Iterator[Packed]:
        """Archive members; the archive gets its name at the end of the block."""
        with self._file(root, name) as stream:
            with packing(stream, form, read) as packed:
                archived = pack_members(packed, name, members)
                collected = packed.end()
            yield Packed(collected, archived.held, archived.unread, archived.restless, archived.said)

    def pack_output(
        self, root: Path, name: bytes, form: ArchiveFormat, argv: Sequence[str], read: Callable[[int], None]
    ) -> Packed:
        """Keep what a program writes."""
        with self._file(root, name) as stream, packing(stream, form, read) as packed:
            pack_output(packed, argv)
            collected = packed.end()
        return Packed(collected)

    def write(self, root: Path, name: bytes, content: bytes) -> Collected:
        """Write a file that goes with an archive."""
        with self._file(root, name) as stream:
            stream.write(content)
        return Collected(len(content), hashlib.sha256(content).digest())

    def remove(self, root: Path, names: Sequence[bytes]) -> None:
        """Take away files that are there."""
        with _sentences(root):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.fsencode(root) + b"/" + name)  # noqa: PTH108 - bytes

    def finish(self, root: Path, files: Mapping[bytes, Collected]) -> None:
        """Say what this collect left, and that it has ended."""
        self._list(root, files)
        self._mark(root)

    def add(self, root: Path, files: Mapping[bytes, Collected], *, marked: bool) -> None:
        """Say what was added to what a collect left; the mark is there again if it was."""
        path, listed = root / COLLECTED_LIST, {}
        with _sentences(root), contextlib.suppress(ValueError):  # a damaged one says nothing
            listed = read_collected(path.read_bytes()) if path.is_file() else {}
        there = {name: each for name, each in listed.items() if (root / os.fsdecode(name)).is_file()}
        self._list(root, {**there, **files})
        if marked:
            self._mark(root)

    def _list(self, root: Path, files: Mapping[bytes, Collected]) -> None:
        with self._file(root, COLLECTED_LIST.encode()) as stream:
            stream.write(write_collected(files))

    def _mark(self, root: Path) -> None:
        with self._file(root, COLLECTED_MARK.encode()):
            pass

    @contextlib.contextmanager
    def _file(self, root: Path, name: bytes) -> Iterator[BinaryIO]:
        with _sentences(root), durable_file(root / os.fsdecode(name), suffix=".unfinished") as stream:
            self._give(stream.fileno())
            yield stream

    def _give(self, what: Path | int) -> None:
        uid, gid = self.owner()
        if os.geteuid() == 0 and (uid, gid) != (-1, -1):
            os.chown(what, uid, gid)

    def owner(self) -> tuple[int, int]:
        """The numbers of user and group; -1 for one that is to stay as it is."""
        try:
            uid = pwd.getpwnam(self._user).pw_uid if self._user else -1
        except KeyError as error:
            raise _nobody("user", self._user) from error
        try:
            gid = grp.getgrnam(self._group).gr_gid if self._group else -1
        except KeyError as error:
            raise _nobody("group", self._group) from error
        return uid, gid


def _nobody(kind: str, name: str | None) -> ConfigError:
    return ConfigError(
        f"this machine has no {kind} {readable(name or '')}, who is to own what is collected",
        advice=f"Correct {kind} of [options], which is <backup_{kind}> in XML of Cedar Backup's.",
    )


class StateFolder:
    """States below `state_dir/collect`, numbered, in a folder for each archive."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / COLLECT_STATES

    def heads(self, name: bytes) -> Mapping[int, State | None]:
        """The states by number, newest first, without what they hold; None for a damaged one."""
        numbers = sorted(self._numbers(name), reverse=True)
        return {number: self._read(name, number, head_only=True) for number in numbers}

    def load(self, name: bytes, number: int) -> State | None:
        """A state; None when it is damaged."""
        return self._read(name, number, head_only=False)

    def keep(self, name: bytes, state: State, *, number: int, forget_before: int) -> None:
        """Keep a state under a number; those with a smaller one than `forget_before` are forgotten."""
        folder = self._folder(name)
        with _sentences(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            clear_unfinished(folder, [_file_name(number)])
            with durable_file(folder / _file_name(number)) as stream:
                write_state(stream, state, fingerprints=True)
            for each in self._numbers(name):
                if each < forget_before:
                    (folder / _file_name(each)).unlink()

    def _read(self, name: bytes, number: int, *, head_only: bool) -> State | None:
        path = self._folder(name) / _file_name(number)
        with _sentences(path), path.open("rb") as stream:
            try:
                return read_state(stream, head_only=head_only)
            except ValueError as error:
                log.warning("%s is passed over: %s", path, error)
                return None

    def _numbers(self, name: bytes) -> list[int]:
        folder = self._folder(name)
        with _sentences(folder):
            names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
            return [int(match[1]) for each in names if (match := _STATE.fullmatch(each))]

    def _folder(self, name: bytes) -> Path:
        return self._root / os.fsdecode(name)


_STATE = re.compile(r"(\d{8})\.jsonl\.gz")


def _file_name(number: int) -> str:
    return f"{number:08d}.jsonl.gz"


@contextlib.contextmanager
def _sentences(place: Path) -> Iterator[None]:
    """Says what folder or file cannot be used."""
    try:
        yield
    except CedarchestError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{place} cannot be written: {error.strerror}", path=str(place)) from error
        raise CollectError(
            f"{readable(place)} cannot be used: {error.strerror}",
            advice="Check that its disk is mounted, and that you may read and write there.",
            path=str(place),
        ) from error
