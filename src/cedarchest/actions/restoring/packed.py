"""Stored files whose content only shows when they are decrypted or joined, as Cedar Backup leaves them.

An archive among them is unpacked into what it holds; anything else becomes the file that it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from cedarchest.model.members import line_of
from cedarchest.model.packed_names import Layer, layers_of, pieces_in
from cedarchest.model.parts import whole_path
from cedarchest.model.restoring import Held, Packed, Piece, Role, Source, pieces_of

GPG = b".gpg"


class PackedFiles:
    """Such files among all that is held of a peer; what is below it begins at byte `skip` of a path."""

    def __init__(self, held: Iterable[Held], skip: int) -> None:
        self._skip = skip
        days: dict[str, dict[bytes, list[Held]]] = defaultdict(lambda: defaultdict(list))
        for each in held:
            if each.entry.kind == "file":
                days[each.entry.path[:10].decode("ascii", "replace")][_whole(each)].append(each)
        self._pieces: dict[tuple[str, bytes], list[list[Held]]] = {}
        self._paths: set[bytes] = set()
        for day, files in days.items():
            joined = {
                whole: paths
                for whole, paths in pieces_in(files).items()
                if _are_pieces([files[path][0].entry.size for path in paths])
            }
            of_joined = {path for paths in joined.values() for path in paths}
            for whole, paths in joined.items():
                self._add(day, whole, [files[path] for path in paths])
            for path, several in files.items():
                if path not in of_joined and Layer.GPG in layers_of(path):
                    self._add(day, path, [several])

    def _add(self, day: str, whole: bytes, pieces: list[list[Held]]) -> None:
        self._pieces[day, whole] = pieces
        self._paths.update(_whole(each) for several in pieces for each in several)

    def has(self, held: Held) -> bool:
        """Whether a file is one of these, or a piece of one."""
        return _whole(held) in self._paths

    def days(self, line: bytes) -> list[str]:
        """The days of the archives of a source among them."""
        return [day for day, whole in self._pieces if _line(whole) == line and _is_tar(whole)]

    def wanted(
        self, selects: Callable[[bytes], bool], since: Callable[[bytes], str], *, in_place: bool
    ) -> Iterator[Packed]:
        """Those that may hold anything that is selected, the newest first.

        Of archives of one source those from a day on, of anything else the last one, and that not `in_place`.
        """
        newest: dict[bytes, str] = {}
        for day, whole in self._pieces:
            newest[_line(whole)] = max(day, newest.get(_line(whole), ""))
        found: list[Packed] = []
        for (day, whole), pieces in self._pieces.items():
            packed = self._packed(day, whole, pieces)
            if packed is None:
                continue
            line = _line(whole)
            if packed.is_tar and day >= since(line):
                found.append(packed)
            elif not packed.is_tar and not in_place and day == newest[line]:
                found += [packed] if selects(plain_name(packed.name)) else []
        yield from sorted(found, key=lambda each: each.day, reverse=True)

    def _packed(self, day: str, whole: bytes, pieces: Sequence[Sequence[Held]]) -> Packed | None:
        laid: list[Piece] = []
        offset = 0
        for several in pieces:
            own = pieces_of(several)
            if not own:
                return None
            laid += [piece._replace(offset=offset + piece.offset) for piece in own]
            offset += sum(piece.size for piece in own)
        digest = laid[0].sha256 if len(laid) == 1 else b""
        source = Source(Role.PACKED, digest, whole, offset, tuple(laid))
        mtime_ns = max(each.entry.mtime_ns for several in pieces for each in several)
        return Packed(source, day, whole[self._skip :], _is_tar(whole), mtime_ns, _line(whole))


def _are_pieces(sizes: Sequence[int]) -> bool:
    """Whether files of these sizes are what `split` makes of one: the same but for the last."""
    return len(sizes) > 1 and len(set(sizes[:-1])) == 1 and 0 < sizes[-1] <= sizes[0]


def plain_name(name: bytes) -> bytes:
    """What a file is called when it is decrypted."""
    while name.endswith(GPG):
        name = name[: -len(GPG)]
    return name


def _whole(held: Held) -> bytes:
    return whole_path(held.entry.path) or held.entry.path


def _line(whole: bytes) -> bytes:
    return line_of(plain_name(whole))


def _is_tar(whole: bytes) -> bool:
    return Layer.ANY in layers_of(whole)
