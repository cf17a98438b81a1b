"""Looks at what is to be collected: a tree of files without what is left out, shared out among archives."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cedarchest.adapters.digests import digest_file
from cedarchest.adapters.scan import FORMAT, found_at, is_as_it_was
from cedarchest.config.collect import Collect, CollectSource
from cedarchest.config.store import IMAGE_SUFFIX
from cedarchest.errors import CollectError, StagingError
from cedarchest.model.excludes import Excludes
from cedarchest.model.increments import Held, Seen
from cedarchest.model.index import Kind
from cedarchest.ports import KeptOut, SourceLook

_Identity = tuple[int, int]
_NEW = tuple.__new__  # as in `model.index`


class LocalSources:
    """Files of this machine."""

    def look(
        self, collect: Collect, source: CollectSource, known: Mapping[bytes, Held], own: KeptOut
    ) -> SourceLook:
        """All of a source that is not left out, by archive."""
        top = os.path.abspath(os.fsencode(source.path))  # noqa: PTH100 - bytes, and no link is resolved
        try:
            return self._look(_Walk(collect, source, top, known, own))
        except OSError as error:
            raise CollectError(
                f"{source.path} cannot be collected: {error.strerror}",
                advice="Correct the path (of [[collect.source]]), or run as a user who may read it.",
                path=str(source.path),
            ) from error

    @staticmethod
    def _look(walk: _Walk) -> SourceLook:
        status = os.stat(walk.top)  # noqa: PTH116 - a path of bytes, which pathlib does not know
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(walk.top):  # one that cannot be looked into is not empty
                walk.folder(status)
        else:
            walk.file()
        return walk.outcome()

    def digest(self, seen: Seen) -> bytes | None:
        """The SHA-256 of a file; None when it cannot be read or does not hold still."""
        try:
            return digest_file(b"/" + seen.entry.path, *seen)
        except StagingError:
            return None


class _Folder(NamedTuple):
    """A folder to be looked into: its path, the archive it belongs to, and what holds below it."""

    path: bytes
    archive: bytes
    splits: int  # levels below this one whose folders get archives of their own
    links: int  # levels, this one included, whose links to folders are followed
    inside: tuple[_Identity, ...]  # folders it is in, and itself; none where no links are followed


@dataclass
class _Walk:
    collect: Collect
    source: CollectSource
    top: bytes
    known: Mapping[bytes, Held]
    own: KeptOut  # besides the collect dir
    _archives: dict[bytes, dict[bytes, Seen]] = field(default_factory=dict)
    _names: dict[tuple[bytes, _Identity], list[bytes]] = field(default_factory=dict)  # of files with several
    _problems: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._excludes = Excludes(
            self.top,
            self.collect.exclude,
            self.source.exclude,
            (*self.collect.exclude_regex, *self.source.exclude_regex),
        )
        self._has_excludes = not self._excludes.leave_nothing_out
        ignore_file = self.source.ignore_file or self.collect.ignore_file
        self._ignore_file = os.fsencode(ignore_file) if ignore_file else b""
        self._own = set(filter(None, map(_identity, (self.collect.dir, *self.own.folders))))
        self._shelves = set(filter(None, map(_identity, self.own.shelves)))
        self._device = -1

    def outcome(self) -> SourceLook:
        """What was found, in order of path; names of one file in the same archive know each other."""
        for (archive, _), paths in self._names.items():
            by_path = self._archives[archive]
            first, *others = sorted(paths)
            for path in others:
                entry = by_path[path].entry._replace(hardlink=by_path[first].entry.path)
                by_path[path] = by_path[path]._replace(entry=entry)
        archives = {
            archive: [by_path[path] for path in sorted(by_path)]
            for archive, by_path in self._archives.items()
        }
        return SourceLook(archives, {path[1:]: why for path, why in self._problems.items()})

    def file(self) -> None:
        """A source that is a file, or a link to one, which is taken with what it leads to."""
        self._archives[self.top] = {}
        for path in {self.top, os.path.realpath(self.top)}:
            self._add(path, self.top)

    def folder(self, status: os.stat_result) -> None:
        """A source that is a folder, or a link to one, which is entered."""
        self._device = status.st_dev
        self._archives[self.top] = {}
        if self._is_left_out_by_file(self.top):
            return
        is_link = os.path.islink(self.top)  # noqa: PTH114 - bytes
        if not is_link and self.top != b"/":
            self._add(self.top, self.top)
        self._walk(
            _Folder(
                self.top,
                self.top,
                self.source.recursion_level,
                self.source.link_depth,
                (_identity_of(status),) if self.source.link_depth else (),
            )
        )

    def _walk(self, start: _Folder) -> None:
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(folder.path) as items:
                    for item in items:
                        self._take(folder, item, pending)
            except OSError as error:
                self._problem(folder.path, error)

    def _take(self, folder: _Folder, item: os.DirEntry[bytes], pending: list[_Folder]) -> None:
        """Take an item of a folder in; folders that are to be looked into for it become pending."""
        path = item.path
        try:
            status = item.stat(follow_symlinks=False)
            kind = status.st_mode & FORMAT
            if kind == stat.S_IFLNK and folder.links:
                pending.extend(self._follow(folder, path))
                return
            is_dir = kind == stat.S_IFDIR
            if self._is_left_out(path, is_dir=is_dir):
                return
            if is_dir:
                pending.extend(self._enter(folder, path, status))
            elif not self._is_image(folder, item.name):
                self._add(path, folder.archive, status)
        except FileNotFoundError:
            return  # it went in this moment
        except OSError as error:
            self._problem(path, error)

    def _enter(self, folder: _Folder, path: bytes, status: os.stat_result) -> Iterator[_Folder]:
        """A folder that is no link; one with an archive of its own is named in that of its parent too."""
        if _identity_of(status) in self._own or self._is_left_out_by_file(path):
            return
        self._add(path, folder.archive, status)
        own = path if folder.splits else folder.archive
        if folder.splits:
            self._add(path, own, status)
            folder = folder._replace(splits=folder.splits - 1, links=self.source.link_depth + 1)
        if self.source.one_file_system and status.st_dev != self._device:
            return
        yield _below(folder, path, own, status, splits=folder.splits)

    def _follow(self, folder: _Folder, path: bytes) -> Iterator[_Folder]:
        """A link on a level where links are followed; one that leads nowhere, or round, stays a link.

        A folder stands under the name of the link; dereferenced, it stands under its own beside the link,
        and so does a file.
        """
        try:
            status = os.stat(path)  # noqa: PTH116 - bytes
        except OSError:  # it leads nowhere
            status = os.lstat(path)
        is_dir = stat.S_ISDIR(status.st_mode)
        if self._is_left_out(path, is_dir=is_dir):
            return
        nowhere = (
            stat.S_ISLNK(status.st_mode)
            or _identity_of(status) in folder.inside
            or _identity_of(status) in self._own
            or (self.source.one_file_system and status.st_dev != self._device)
        )
        if not nowhere and self.source.dereference:
            self._add(path, folder.archive)
            path = os.path.realpath(path)
            if self._is_left_out(path, is_dir=is_dir):
                return
        if nowhere or not is_dir:
            self._add(path, folder.archive)
        elif not self._is_left_out_by_file(path):
            if self.source.dereference:
                self._add(path, folder.archive)
            yield _below(folder, path, folder.archive, status, splits=0)

    def _is_image(self, folder: _Folder, name: bytes) -> bool:
        """Whether a file is a disc's image on a shelf that is not the source itself."""
        if not self._shelves or not name.endswith(IMAGE_SUFFIX.encode()) or folder.path == self.top:
            return False
        return _identity_of(os.stat(folder.path)) in self._shelves  # noqa: PTH116 - bytes

    def _is_left_out(self, path: bytes, *, is_dir: bool) -> bool:
        return self._has_excludes and self._excludes.leave_out(path, is_dir=is_dir)

    def _is_left_out_by_file(self, folder: bytes) -> bool:
        return bool(self._ignore_file) and os.path.lexists(folder.rstrip(b"/") + b"/" + self._ignore_file)

    def _add(self, path: bytes, archive: bytes, status: os.stat_result | None = None) -> None:
        if status is None:
            status = os.lstat(path)
        here = self._archives.setdefault(archive, {})
        several = status.st_nlink > 1 and stat.S_ISREG(status.st_mode)
        before = self.known.get(path[1:])
        if before is not None and not several and is_as_it_was(status, before.entry, before.fingerprint):
            here[path] = _NEW(Seen, before[:2])
            return
        seen = Seen(*found_at(path, path[1:], status))
        if seen.entry.kind is Kind.SOCKET:  # it is only there while somebody listens
            return
        if several and path not in here:
            self._names.setdefault((archive, _identity_of(status)), []).append(path)
        here[path] = seen

    def _problem(self, path: bytes, error: OSError) -> None:
        self._problems[path] = error.strerror or type(error).__name__


def _below(folder: _Folder, path: bytes, archive: bytes, status: os.stat_result, *, splits: int) -> _Folder:
    links = max(0, folder.links - 1)
    inside = (*folder.inside, _identity_of(status)) if folder.inside else ()
    return _Folder(path, archive, splits, links, inside)


def _identity_of(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _identity(path: Path) -> _Identity | None:
    try:
        return _identity_of(path.stat())
    except OSError:
        return None
