"""What is on its way from peers into a day.

It arrives in a folder of its own beside the days (`.arriving/<peer>`), which no action takes for a day,
and comes into its day by rename, file by file and by handle: a kill leaves every file whole, in one place
or the other, and the next run goes on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from cedarchest.adapters.arriving import ArrivingFiles, flush
from cedarchest.adapters.durable import clear_unfinished, durable_file, sync_directory
from cedarchest.adapters.folders import below, inside
from cedarchest.errors import CedarchestError, DiskFull, StagingError
from cedarchest.model.index import Entry, Kind
from cedarchest.model.names import readable

ARRIVING = ".arriving"
MOVING = ".arriving-days"
"""Names the days that things were moved into, until they are indexed and marked."""


class StagingArrivals:
    """Arrivals below the staging folder, so that a rename brings them into a day."""

    def prepare(self, root: Path, peers: Collection[str]) -> None:
        """Make the staging folder where it is absent; what arrived of peers that there are no more goes."""
        try:
            (root / ARRIVING).mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (root / ARRIVING).iterdir():
                if folder.name not in peers:
                    shutil.rmtree(folder)
        except OSError as error:
            raise _cannot("written", root, error) from error
        clear_unfinished(root, (MOVING,))

    def free_bytes(self, root: Path) -> int:
        """Space that is left on the file system of the staging folder."""
        status = os.statvfs(next(path for path in (root, *root.parents) if path.is_dir()))
        return status.f_bavail * status.f_frsize

    def held_bytes(self, root: Path, peer: str) -> int:
        """What of a peer is there already, from a run that did not come to its end."""
        folders = os.walk(root / ARRIVING / peer)
        return sum(
            os.lstat(Path(folder, name)).st_blocks * 512 for folder, _, names in folders for name in names
        )

    def folder(self, root: Path, peer: str, mode: int) -> Path:
        """Where a peer's things arrive, with the mode that its folder in a day is to have."""
        folder = root / ARRIVING / peer
        try:
            folder.mkdir(exist_ok=True)
            folder.chmod(mode | 0o700)
        except OSError as error:
            raise _cannot("written", folder, error) from error
        return folder

    def arriving(self, root: Path, peer: str) -> ArrivingFiles:
        """What arrives of a peer from now on."""
        return ArrivingFiles(root / ARRIVING / peer)

    def drop(self, root: Path, peer: str) -> None:
        """Throw away all that arrived of a peer, so that the next run begins anew."""
        shutil.rmtree(root / ARRIVING / peer, ignore_errors=True)

    def discard(self, root: Path, peer: str, path: bytes) -> None:
        """Take away a file that arrived but is not what it should be."""
        folder, _, name = path.rpartition(b"/")
        try:
            with inside(root / ARRIVING / peer, folder) as parent:
                os.unlink(name, dir_fd=parent)
        except OSError as error:
            raise _cannot("taken away", root / ARRIVING / peer / os.fsdecode(path), error) from error

    def move(self, root: Path, peer: str, day: str, entries: Sequence[Entry]) -> None:
        """Bring these entries into the peer's folder of a day, in the place of what has their names."""
        source = root / ARRIVING / peer
        target = root / day / peer
        try:
            self._name(root, {*self._named(root), day})
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target) and _holds_just(source, entries):
                source.rename(target)
            else:
                self._merge(source, target, entries)
            flush(target)
        except CedarchestError:
            raise
        except OSError as error:
            raise _cannot("written", target, error) from error

    @staticmethod
    def _merge(source: Path, target: Path, entries: Sequence[Entry]) -> None:
        with inside(target.parent) as of_day:
            _make_folder(of_day, os.fsencode(target.name), stat.S_IMODE(source.stat().st_mode))
        with inside(source) as arrived, inside(target) as staged:
            for entry in entries:
                _bring(arrived, staged, entry)
            for entry in reversed(entries):  # what came into a folder has changed its times
                if entry.kind is Kind.DIR:
                    with below(staged, entry.path) as folder:
                        os.fchmod(folder, entry.mode)
                        os.utime(folder, ns=(entry.mtime_ns, entry.mtime_ns))
        shutil.rmtree(source)

    def unfinished(self, root: Path) -> tuple[str, ...]:
        """Days that something was moved into and that nobody finished."""
        return tuple(day for day in sorted(self._named(root)) if (root / day).is_dir())

    def finish(self, root: Path, day: str) -> None:
        """A day that things were moved into is complete."""
        self._name(root, self._named(root) - {day})

    @staticmethod
    def _named(root: Path) -> set[str]:
        try:
            return set((root / MOVING).read_text().split())
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise _cannot("read", root / MOVING, error) from error

    @staticmethod
    def _name(root: Path, days: Collection[str]) -> None:
        try:
            if days:
                with durable_file(root / MOVING) as stream:
                    stream.write("".join(f"{day}\n" for day in sorted(days)).encode())
            else:
                (root / MOVING).unlink(missing_ok=True)
                sync_directory(root)
        except DiskFull:
            raise
        except OSError as error:
            raise _cannot("written", root / MOVING, error) from error


def _holds_just(folder: Path, entries: Sequence[Entry]) -> bool:
    """Whether nothing else arrived."""
    found = sum(len(folders) + len(files) for _, folders, files in os.walk(folder))
    return found == len(entries)


def _bring(arrived: int, staged: int, entry: Entry) -> None:
    """One entry by handle; folders come before what is in them."""
    folder, _, name = entry.path.rpartition(b"/")
    with below(staged, folder) as into:
        if entry.kind is Kind.DIR:
            _make_folder(into, name, 0o700)
            return
        with below(arrived, folder) as source:
            try:
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=into)
            except OSError as error:
                if error.errno not in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
                    raise
                shutil.rmtree(os.fsdecode(name), dir_fd=into)
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=into)


def _make_folder(parent: int, name: bytes, mode: int) -> None:
    """A folder that is one: whatever else has the name is replaced, and never followed."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return
        os.unlink(name, dir_fd=parent)
    os.mkdir(name, mode, dir_fd=parent)


def _cannot(done: str, path: Path, error: OSError) -> StagingError:
    return StagingError(
        f"{readable(path)} cannot be {done}: {error.strerror}",
        advice="Check that its disk is mounted and has room, and that you may write there.",
        path=str(path),
    )
