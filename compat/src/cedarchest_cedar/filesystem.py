"""Lists of paths under the names of Cedar Backup's `filesystem`: what is to be backed up, and what purged."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from cedarchest.config.wording import shown
from cedarchest.model.names import readable
from cedarchest_cedar import knapsack
from cedarchest_cedar.restricted import AbsolutePathList, RegexList
from cedarchest_cedar.util import calculateFileAge

__all__ = [
    "BackupFileList",
    "FilesystemList",
    "PurgeItemList",
    "SpanItem",
    "compareContents",
    "compareDigestMaps",
    "normalizeDir",
]

ALGORITHMS = {
    "first_fit": knapsack.firstFit,
    "best_fit": knapsack.bestFit,
    "worst_fit": knapsack.worstFit,
    "alternate_fit": knapsack.alternateFit,
}
TAR_MODES: Mapping[str, Literal["w:", "w:gz", "w:bz2"]] = {"tar": "w:", "targz": "w:gz", "tarbz2": "w:bz2"}
PIECE = 1 << 20

log = logging.getLogger(__name__)


class _Flag:
    """An attribute that is True or False, whatever it is set to; False at first."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, instance: object, _owner: type | None = None) -> bool:
        return bool(getattr(instance, self._name, False))

    def __set__(self, instance: object, value: object) -> None:
        setattr(instance, self._name, bool(value))


class FilesystemList(list[str]):
    """Paths that are there, less what is left out.

    Left out is what an `exclude…` says: kinds, exact paths, and expressions for whole paths or for names; and
    a directory that holds a file called `ignoreFile`, with all in it.
    """

    excludeFiles = _Flag()
    excludeDirs = _Flag()
    excludeLinks = _Flag()

    def __init__(self) -> None:
        super().__init__()
        self.ignoreFile: str | None = None
        self._paths: list[str] = AbsolutePathList()
        self._patterns: list[str] = RegexList()
        self._names: list[str] = RegexList()

    @property
    def excludePaths(self) -> list[str]:
        """Exact paths that are left out."""
        return self._paths

    @excludePaths.setter
    def excludePaths(self, paths: Iterable[str] | None) -> None:
        several = AbsolutePathList()
        several.extend(paths or ())
        self._paths = several

    @property
    def excludePatterns(self) -> list[str]:
        """Expressions for whole paths that are left out."""
        return self._patterns

    @excludePatterns.setter
    def excludePatterns(self, patterns: Iterable[str] | None) -> None:
        self._patterns = _expressions(patterns)

    @property
    def excludeBasenamePatterns(self) -> list[str]:
        """Expressions for names that are left out."""
        return self._names

    @excludeBasenamePatterns.setter
    def excludeBasenamePatterns(self, patterns: Iterable[str] | None) -> None:
        self._names = _expressions(patterns)

    # -- adding -----------------------------------------------------------------------------------

    def addFile(self, path: str) -> int:
        """Add a file, or a link to one; how many were added.

        Raises:
            ValueError: there is no such file.
        """
        if not Path(path).is_file():
            raise ValueError(f"{readable(path)} is no file, or is not there")
        return self._add(path, self.excludeFiles)

    def addDir(self, path: str) -> int:
        """Add a directory, or a link to one, without what is in it; how many were added.

        Raises:
            ValueError: there is no such directory.
        """
        return self._add(_directory(path), self.excludeDirs)

    def addDirContents(
        self,
        path: str,
        recursive: bool = True,
        addSelf: bool = True,
        linkDepth: int = 0,
        dereference: bool = False,
    ) -> int:
        """Add a directory and what is in it; how many were added.

        Links to directories are followed on the first `linkDepth` levels; with `dereference` what links on
        these lead to is added under its own path.

        Raises:
            ValueError: there is no such directory.
        """
        return self._walk(_directory(path), recursive, addSelf, linkDepth, dereference)

    def _add(self, path: str, excluded: bool) -> int:
        if excluded or (self.excludeLinks and Path(path).is_symlink()) or self._is_left_out(path):
            return 0
        self.append(path)
        return 1

    def _is_left_out(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return (
            path in self._paths
            or any(re.match(f"^{each}$", path) for each in self._patterns)
            or any(re.match(f"^{each}$", name) for each in self._names)
        )

    def _walk(self, path: str, recursive: bool, itself: bool, depth: int, dereference: bool) -> int:
        if self._is_left_out(path) or (self.ignoreFile and Path(path, self.ignoreFile).exists()):
            return 0
        added = self.addDir(path) if itself else 0
        for name in os.listdir(path):  # noqa: PTH208 - names, and paths as texts
            below = f"{path.rstrip('/')}/{name}"
            is_link = Path(below).is_symlink()
            follows = is_link and depth > 0
            if Path(below).is_file():
                added += self.addFile(below)
                if follows and dereference:
                    added += self.addFile(os.path.realpath(below))
            elif Path(below).is_dir():
                if not is_link and recursive:
                    added += self._walk(below, recursive, True, depth - 1, dereference)
                elif not (follows and recursive):
                    added += self.addDir(below)
                elif dereference:
                    added += self.addDir(below)
                    added += self._walk(os.path.realpath(below), recursive, True, depth - 1, dereference)
                else:
                    added += self._walk(below, recursive, False, depth - 1, dereference)
        return added

    # -- removing ---------------------------------------------------------------------------------

    def removeFiles(self, pattern: str | None = None) -> int:
        """Take out files, or those whose paths begin with a match; how many were taken out."""
        return self._remove(lambda path: Path(path).is_file(), pattern)

    def removeDirs(self, pattern: str | None = None) -> int:
        """Take out directories, or those whose paths begin with a match; how many were taken out."""
        return self._remove(lambda path: Path(path).is_dir(), pattern)

    def removeLinks(self, pattern: str | None = None) -> int:
        """Take out links, or those whose paths begin with a match; how many were taken out."""
        return self._remove(lambda path: Path(path).is_symlink(), pattern)

    def removeMatch(self, pattern: str | None) -> int:
        """Take out paths that begin with a match; how many were taken out.

        Raises:
            TypeError: there is no pattern.
        """
        if pattern is None:
            raise TypeError("there is no pattern to match paths with")
        return self._remove(lambda _path: True, pattern)

    def removeInvalid(self) -> int:
        """Take out what is not there any more; how much that was."""
        return self._remove(lambda path: not Path(path).exists(), None)

    def _remove(self, fits: Callable[[str], bool], pattern: str | None) -> int:
        matches = None if pattern is None else re.compile(_expressions([pattern])[0])
        kept = [path for path in self if (matches and not matches.match(path)) or not fits(path)]
        removed = len(self) - len(kept)
        self[:] = kept
        return removed

    def normalize(self) -> None:
        """Sort, with each path once."""
        self[:] = sorted(set(self))

    def verify(self) -> bool:
        """Whether all of it is still there."""
        return all(Path(path).exists() for path in self)


@dataclass
class SpanItem:
    """What goes on one disc."""

    fileList: list[str]
    size: float
    capacity: float
    utilization: float


class BackupFileList(FilesystemList):
    """Files and links that are to be backed up; of directories only links to them."""

    def addDir(self, path: str) -> int:
        """Add a link to a directory; how many were added.

        Raises:
            ValueError: there is no such directory.
        """
        return super().addDir(path) if Path(_directory(path)).is_symlink() else 0

    def totalSize(self) -> float:
        """The bytes of all files, of one that is there twice twice."""
        sizes = self.generateSizeMap()
        return sum(sizes.get(path, 0.0) for path in self)

    def generateSizeMap(self) -> dict[str, float]:
        """The bytes of each; a link has none."""
        found = {}
        for path in self:
            with contextlib.suppress(FileNotFoundError):
                status = Path(path).lstat()
                if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    found[path] = float(status.st_size) if stat.S_ISREG(status.st_mode) else 0.0
        return found

    def generateDigestMap(self, stripPrefix: str | None = None) -> dict[str, str]:
        """The SHA-1 of each file, as Cedar Backup keeps it.

        Raises:
            OSError: one cannot be read.
        """
        prefix = stripPrefix or ""
        return {
            path.removeprefix(prefix): _sha1(path)
            for path in self
            if Path(path).is_file() and not Path(path).is_symlink()
        }

    def generateFitted(self, capacity: float, algorithm: str = "worst_fit") -> list[str]:
        """Those that go on a disc.

        Raises:
            ValueError: there is no such way to choose.
        """
        return _fitted(self.generateSizeMap(), capacity, algorithm)[0]

    def generateSpan(self, capacity: float, algorithm: str = "worst_fit") -> list[SpanItem]:
        """All of them, disc by disc.

        Raises:
            ValueError: there is no such way to choose, or one is too large for a disc.
        """
        left = self.generateSizeMap()
        for path, size in left.items():
            if size > capacity:
                raise ValueError(f"{readable(path)} is larger than a disc of {capacity} bytes")
        discs = []
        while left:
            chosen, used = _fitted(left, capacity, algorithm)
            if not chosen:
                break
            discs.append(SpanItem(chosen, used, capacity, used / capacity * 100))
            left = {path: size for path, size in left.items() if path not in set(chosen)}
        return discs

    def generateTarfile(self, path: str, mode: str = "tar", ignore: bool = False, flat: bool = False) -> None:
        """Archive all; with `ignore` what cannot be read is left out, with `flat` names have no folder.

        The archive has its name when it is whole.

        Raises:
            ValueError: the list is empty, or the mode is none.
            tarfile.TarError: something in the list cannot be read.
            OSError: the archive cannot be written.
        """
        if not self:
            raise ValueError("there is nothing to archive: the list is empty")
        if mode not in TAR_MODES:
            raise ValueError(f"the mode {shown(mode)} is none of {', '.join(TAR_MODES)}")
        unfinished = Path(f"{path}.unfinished")
        try:
            with tarfile.open(unfinished, TAR_MODES[mode], format=tarfile.GNU_FORMAT) as archive:
                for each in self:
                    _archive(archive, each, os.path.basename(each) if flat else None, ignore)  # noqa: PTH119
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def removeUnchanged(
        self, digestMap: Mapping[str, str], captureDigest: bool = False
    ) -> int | tuple[int, dict[str, str]]:
        """Take out files with the digest that they had; how many, and on demand the digests of all.

        Raises:
            OSError: one cannot be read.
        """
        now = self.generateDigestMap()
        before = len(self)
        self[:] = [path for path in self if path not in now or digestMap.get(path) != now[path]]
        removed = before - len(self)
        return (removed, now) if captureDigest else removed


class PurgeItemList(FilesystemList):
    """Files and directories that are to be deleted."""

    def addDirContents(
        self,
        path: str,
        recursive: bool = True,
        addSelf: bool = True,
        linkDepth: int = 0,
        dereference: bool = False,
    ) -> int:
        """Add what is in a directory, and never the directory itself.

        Raises:
            ValueError: there is no such directory.
        """
        del addSelf
        return super().addDirContents(path, recursive, False, linkDepth, dereference)

    def removeYoungFiles(self, daysOld: int) -> int:
        """Take out files that were read or changed in so many days; how many were taken out.

        Raises:
            ValueError: there is no such number of days.
        """
        if int(daysOld) < 0:
            raise ValueError(f"{daysOld} days are less than none")

        def is_young(path: str) -> bool:
            plain = Path(path).is_file() and not Path(path).is_symlink()
            return plain and math.floor(calculateFileAge(path)) < int(daysOld)

        return self._remove(is_young, None)

    def purgeItems(self) -> tuple[int, int]:
        """Delete files and links, and then directories that are empty; how many of each there were."""
        files = dirs = 0
        for path in map(Path, self):
            if path.is_symlink() or path.is_file():
                with contextlib.suppress(OSError):
                    path.unlink()
                    files += 1
        for path in sorted(map(Path, self), key=lambda each: len(each.parts), reverse=True):
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.rmdir()
                    dirs += 1
        return files, dirs


def normalizeDir(path: str) -> str:
    """A directory without a slash at its end."""
    return path.rstrip("/") or "/"


def compareContents(path1: str, path2: str, verbose: bool = False) -> None:
    """See that two directories have the same files.

    Raises:
        ValueError: they differ.
        OSError: a file cannot be read.
    """
    digests = []
    for path in (path1, path2):
        files = BackupFileList()
        files.addDirContents(path)
        digests.append(files.generateDigestMap(stripPrefix=normalizeDir(path)))
    compareDigestMaps(digests[0], digests[1], verbose=verbose)


def compareDigestMaps(digest1: Mapping[str, str], digest2: Mapping[str, str], verbose: bool = False) -> None:
    """See that two maps of digests are the same.

    Raises:
        ValueError: they differ; `verbose` says by which paths.
    """
    differing = sorted(path for path in {*digest1, *digest2} if digest1.get(path) != digest2.get(path))
    if differing:
        paths = f": {', '.join(map(readable, differing))}" if verbose else ""
        raise ValueError(f"{len(differing)} files differ, or are in one place only{paths}")


def _directory(path: str) -> str:
    if not Path(path).is_dir():
        raise ValueError(f"{readable(path)} is no directory, or is not there")
    return normalizeDir(path)


def _expressions(patterns: Iterable[str] | None) -> RegexList:
    several = RegexList()
    several.extend(patterns or ())
    return several


def _fitted(sizes: Mapping[str, float], capacity: float, algorithm: str) -> tuple[list[str], float]:
    if algorithm not in ALGORITHMS:
        raise ValueError(f"{shown(algorithm)} is none of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[algorithm]({path: (path, size) for path, size in sizes.items()}, capacity)


def _sha1(path: str) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    with Path(path).open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


class _Whole:
    """A file of which as much is read as was promised: what is missing is filled with zeros."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self.missing = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._file.read(wanted)
        short = wanted - len(piece)
        self.missing += short
        self._left -= len(piece) + short
        return piece + bytes(short)


def _archive(archive: tarfile.TarFile, path: str, name: str | None, ignore: bool) -> None:
    """Archive a file or link. One that gets shorter meanwhile damages none that comes later."""
    try:
        member = archive.gettarinfo(path, name)
        if not member.isreg():
            archive.addfile(member)
            return
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        if not ignore:
            raise tarfile.TarError(f"{readable(path)} cannot be archived: {error.strerror}") from error
        log.warning("%s was left out: %s", readable(path), error.strerror)
        return
    with file:
        whole = _Whole(file, member.size)
        archive.addfile(member, whole)
    if whole.missing:
        log.warning("%s got shorter while it was read; zeros are in the place of its end", readable(path))
