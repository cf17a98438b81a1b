"""What is kept of damaged discs, below `state_dir/rescue`: files that GNU ddrescue reads as well.

Of a disc `LABEL` there are `LABEL.map`, which is what to look at, `LABEL.drive-N.map` for each drive, and
`LABEL.img` with `LABEL.img.map`: an image with the blocks that were got from bad places, and which these are.
A map is what counts, so it is written last.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from cedarchest.adapters.durable import durable_file, written_below
from cedarchest.errors import CatalogError
from cedarchest.model.mapfile import LARGEST_POSITION, BlockState, DiscMap, format_mapfile, parse_mapfile
from cedarchest.model.media import BLOCK
from cedarchest.model.names import LABEL

LARGEST_MAP = 64 << 20
"""Bytes of a map that are read."""

_DRIVE = "drive: "
_EMPTY = DiscMap(0, 0)


class StateRescues:
    """The files of damaged discs in the state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / "rescue"

    def maps(self, label: str) -> Mapping[str, DiscMap]:
        """What each drive could read of a disc."""
        return {drive: found for _, drive, found in self._of_drives(label)}

    def put_map(self, label: str, drive: str, found: DiscMap) -> Path:
        """Keep what a drive could read of a disc; gives the map of all."""
        drive = " ".join(drive.split())
        known = self._of_drives(label)
        numbers = [int(path.name.split("-")[-1].removesuffix(".map")) for path, _, _ in known]
        new = self._path(label, f".drive-{max(numbers, default=0) + 1:03}.map")
        path = next((path for path, name, _ in known if name == drive), new)
        self._write(path, found, [f"disc: {label}", f"{_DRIVE}{drive}"])
        return self._merge(label, {**{name: each for _, name, each in known}, drive: found})

    def _of_drives(self, label: str) -> list[tuple[Path, str, DiscMap]]:
        found = []
        for path in self._drive_maps(label):
            known, comments = _load(path)
            name = next((each for each in comments if each.startswith(_DRIVE)), "")
            found.append((path, name.removeprefix(_DRIVE), known))
        return found

    def _merge(self, label: str, maps: Mapping[str, DiscMap]) -> Path:
        merged = functools.reduce(DiscMap.merged, maps.values(), self.kept(label))
        path = self._path(label, ".map")
        self._write(path, merged, [f"disc: {label}", "what all drives together could read of it"])
        return path

    def merged(self, label: str) -> tuple[Path, DiscMap] | None:
        """The map of all drives, and its file."""
        path = self._path(label, ".map")
        return (path, _load(path)[0]) if path.is_file() else None

    def kept(self, label: str) -> DiscMap:
        """The blocks that are kept of a disc."""
        path = self._path(label, ".img.map")
        return _load(path)[0] if path.is_file() else _EMPTY.copy()

    def keep(self, label: str, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Write blocks into the image, then into its map."""
        known = self.kept(label)
        path = self._path(label, ".img")
        with written_below(self._root):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            try:
                for first, data in pieces:
                    os.pwrite(descriptor, data, first * BLOCK)
                    added = DiscMap(first, first + len(data) // BLOCK)
                    added.mark(first, len(data) // BLOCK, BlockState.READ)
                    known = known.merged(added)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._put_kept(label, known)

    def forget(self, label: str, first: int, count: int) -> None:
        """Take blocks out of the image's map."""
        known = self.kept(label)
        known.mark(first, count, BlockState.UNTRIED)
        self._put_kept(label, known)

    def _put_kept(self, label: str, known: DiscMap) -> None:
        image = self._path(label, ".img").name
        self._write(self._path(label, ".img.map"), known, [f"disc: {label}", f"what is kept in {image}"])

    def read(self, label: str, start: int, count: int) -> bytes:
        """Blocks of the image."""
        path = self._path(label, ".img")
        try:
            with path.open("rb") as stream:
                data = os.pread(stream.fileno(), count * BLOCK, start * BLOCK)
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise _unreadable(path, str(error.strerror)) from error
        return data + bytes(count * BLOCK - len(data))

    def drop(self, label: str) -> None:
        """Remove all files of a disc."""
        with written_below(self._root):
            for path in (
                *self._drive_maps(label),
                *(self._path(label, end) for end in (".map", ".img.map", ".img")),
            ):
                path.unlink(missing_ok=True)

    def _drive_maps(self, label: str) -> list[Path]:
        named = re.compile(rf"{re.escape(self._path(label, '').name)}\.drive-[0-9]{{3,}}\.map")
        try:
            return sorted(path for path in self._root.iterdir() if named.fullmatch(path.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self._root, str(error.strerror)) from error

    def _path(self, label: str, end: str) -> Path:
        plain = LABEL.fullmatch(label)
        return self._root / f"{label if plain else hashlib.sha256(label.encode()).hexdigest()[:16]}{end}"

    def _write(self, path: Path, found: DiscMap, comments: Iterable[str]) -> None:
        with written_below(self._root):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with durable_file(path) as stream:
                stream.write(format_mapfile(found, [*comments]).encode("utf-8", "backslashreplace"))


def _load(path: Path) -> tuple[DiscMap, tuple[str, ...]]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_MAP + 1)
        if len(raw) > LARGEST_MAP:
            raise ValueError(f"it has more than {LARGEST_MAP} bytes")
        found, comments = parse_mapfile(raw.decode("utf-8", "replace"))
        if found.end > LARGEST_POSITION // BLOCK:
            raise ValueError("no disc is so large")
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error
    return found, comments


def _unreadable(path: Path, why: str) -> CatalogError:
    return CatalogError(
        f"{path} cannot be read: {why}",
        advice="Take it away, or correct its permissions: the next audit makes it anew.",
        path=str(path),
    )
