"""Our own files in `state_dir`: for each session what of us goes on the disc, kept afterwards.

`state_dir/sessions/DISC/NNN/` holds the files as they stand on the disc, below `CEDARCHEST`.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cedarchest.adapters.digests import digest_file
from cedarchest.adapters.durable import durable_file, sync_directory, written_below
from cedarchest.adapters.scan import Found, scan, scan_one
from cedarchest.errors import CatalogError, DiskFull
from cedarchest.model.index import Entry, Kind, format_record, parse_record, read_index, write_index
from cedarchest.model.session import INDEX_NAME, SUMS_NAME, session_folder, session_sums
from cedarchest.ports import Graft, SavedSession


class StateWorkspace:
    """Session files below `state_dir/sessions`, discs that are copied below `working_dir/copies`."""

    def __init__(self, state_dir: Path, working_dir: Path) -> None:
        self._root = state_dir / "sessions"
        self._images = working_dir / "copies"
        self._last: tuple[str, int, Sequence[Entry]] = ("", 0, ())

    def _tree(self, disc_id: str, session: int) -> Path:
        return self._root / disc_id / f"{session:03d}"

    def _own(self, disc_id: str, session: int) -> Path:
        """What the disc shows of the session's index and sums files, which no index can list."""
        return self._root / disc_id / f"{session:03d}.jsonl"

    def save(
        self,
        disc_id: str,
        session: int,
        files: Mapping[str, bytes],
        *,
        header: dict[str, object],
        entries: Iterable[Entry],
        made_at: int,
    ) -> SavedSession:
        """Write a session's files durably; see the port."""
        with written_below(self._root):
            tree = self._tree(disc_id, session)
            shutil.rmtree(tree, ignore_errors=True)
            folder = tree / session_folder(session)
            _make_folders(tree, {**files, f"{session_folder(session)}/{INDEX_NAME}": b""})
            for name, content in files.items():
                with durable_file(tree / name, mode=0o644) as stream:
                    stream.write(content)
            ours = _files_of(tree, session, made_at)
            listed = sorted((*entries, *ours), key=lambda entry: entry.path)
            with durable_file(folder / INDEX_NAME, mode=0o644) as stream:
                write_index(stream, header, listed)
            with durable_file(folder / SUMS_NAME, mode=0o644) as stream:
                index = _digested(tree, folder / INDEX_NAME)
                stream.writelines(session_sums([*listed, index]))
            sums = _digested(tree, folder / SUMS_NAME)
            with durable_file(self._own(disc_id, session), mode=0o600) as stream:
                stream.writelines(format_record(entry) for entry in (index, sums))
            _set_folder_times(tree / session_folder(session), made_at)
            self._last = (disc_id, session, [*listed, index, sums])
            return SavedSession(tuple(_grafts(tree, files, session)), index.sha256, sums.sha256)

    def expected(self, disc_id: str, session: int) -> Sequence[Entry]:
        """All that the session put on the disc."""
        last = self._last  # another drive's thread may put its own there
        if last[:2] == (disc_id, session):
            return last[2]
        tree = self._tree(disc_id, session)
        folder = tree / session_folder(session)
        try:
            own = [parse_record(line) for line in self._own(disc_id, session).read_bytes().splitlines()]
            for name, entry in zip((INDEX_NAME, SUMS_NAME), own, strict=True):
                if _digested(tree, folder / name).sha256 != entry.sha256:
                    raise ValueError(f"{name} is not the one that was put on the disc")
            with (folder / INDEX_NAME).open("rb") as stream:
                listed = read_index(stream).entries
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise CatalogError(
                f"the files of session {session} in {tree} cannot be read: {error}",
                advice="Put the state folder back from a copy. The index on the disc cannot stand in for it:"
                " it is not the one that was written.",
                path=str(tree),
            ) from error
        return [*listed, *own]

    def keep_image(self, name: str, size: int, pieces: Iterable[tuple[int, bytes]]) -> Path:
        """Keep what was read of a disc as an image file."""
        image = self._images / f"{name}.iso"
        with written_below(self._images):
            self._images.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (free := shutil.disk_usage(self._images).free) < size:
                raise DiskFull(
                    f"{self._images} has {free} bytes left, the disc takes {size}",
                    advice="Make room there, or put [options] working_dir where there is some.",
                )
            with durable_file(image) as stream:
                for offset, piece in pieces:
                    stream.seek(offset)
                    stream.write(piece)
        return image

    def kept_image(self, name: str) -> Path | None:
        """The whole image that was kept by this name."""
        image = self._images / f"{name}.iso"
        return image if image.is_file() else None

    def drop_images(self, but: str = "") -> None:
        """Remove all images that are kept, but one."""
        with written_below(self._images):
            for image in self._images.glob("*") if self._images.is_dir() else ():
                if image.name != f"{but}.iso":
                    image.unlink(missing_ok=True)


def _make_folders(tree: Path, files: Iterable[str]) -> None:
    """All parents of the files, readable by all as they are going to be on the disc."""
    parents = {parent for name in files for parent in (tree / name).parents if parent.is_relative_to(tree)}
    for parent in sorted(parents):
        parent.mkdir(parents=True, exist_ok=True)
        parent.chmod(0o755)
    for parent in sorted(parents, reverse=True):
        sync_directory(parent)


def _session_own(path: bytes, session: int) -> bool:
    """Whether a path is one of those that a session brings as a whole folder."""
    folder = session_folder(session).encode()
    return path == folder or path.startswith(folder + b"/")


def _files_of(tree: Path, session: int, made_at: int) -> Iterator[Entry]:
    """Our files with their digests, and the folders below the session's own."""
    for found in scan(tree, prefix=b""):
        path = os.fsencode(tree) + b"/" + found.entry.path
        if found.entry.kind is Kind.FILE:
            yield _with_digest(path, found)
        elif _session_own(found.entry.path, session):
            yield found.entry._replace(mtime_ns=made_at * 10**9)


def _set_folder_times(folder: Path, made_at: int) -> None:
    """Give the session's folders the time that its index says, after the last file was put there."""
    for path, _, _ in os.walk(folder):
        os.utime(path, (made_at, made_at))


def _digested(tree: Path, path: Path) -> Entry:
    relative = os.fsencode(path.relative_to(tree))
    return _with_digest(os.fsencode(path), scan_one(os.fsencode(path), relative))


def _with_digest(path: bytes, found: Found) -> Entry:
    return found.entry._replace(sha256=digest_file(path, found.entry, found.fingerprint))


def _grafts(tree: Path, files: Mapping[str, bytes], session: int) -> Iterator[Graft]:
    folder = session_folder(session)
    yield Graft(os.fsencode(tree / folder), b"/" + folder.encode())
    for name in files:
        if not _session_own(name.encode(), session):
            yield Graft(os.fsencode(tree / name), b"/" + name.encode(), single=True)
