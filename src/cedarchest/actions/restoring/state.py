"""How far a restore is: what is wanted, written, in the way, and what is known of attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from cedarchest.errors import RestoreError
from cedarchest.model.index import Entry, Kind
from cedarchest.model.restoring import Packed, Restoration, Wanted
from cedarchest.ports import Ports
from cedarchest.ports.restoring import RestoreFolder, There

DAMAGED = b".damaged"

_UNKNOWN_MODE = 0o600


@dataclass(slots=True)
class Written:
    """What has been restored so far, and what has not, by path.

    `bare` are those whose attributes were not known when they were written. `left` are those in whose place
    something else stands, `failed` those that cannot be had or written.
    """

    done: set[bytes] = field(default_factory=set)
    before: set[bytes] = field(default_factory=set)  # it was there already
    bare: set[bytes] = field(default_factory=set)
    left: dict[bytes, str] = field(default_factory=dict)
    failed: dict[bytes, str] = field(default_factory=dict)
    damaged: set[bytes] = field(default_factory=set)
    size: int = 0


class _Alone:
    """A path whose failure is written down, and goes no further."""

    __slots__ = ("_target", "_written")

    def __init__(self, written: Written, target: bytes) -> None:
        self._written, self._target = written, target

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if not isinstance(error, RestoreError):
            return False
        self._written.failed[self._target] = error.message
        self._written.done.discard(self._target)
        return True


class Restoring:
    """A restoration on its way to a folder; `why_kept` tells why something that is there is not replaced.

    `wanted` grows by what shows to be in what was packed, `attributes` by what indexes and archives tell.
    """

    def __init__(
        self,
        restoration: Restoration,
        folder: RestoreFolder,
        ports: Ports,
        why_kept: Callable[[Wanted, There], str],
        spools: RestoreFolder | None = None,
    ) -> None:
        self.restoration = restoration
        self.folder = folder
        self.spools = spools or folder  # where files are put together
        self.ports = ports
        self.wanted: dict[bytes, Wanted] = dict(restoration.wanted)
        self.attributes: dict[bytes, Entry] = dict(restoration.attributes)
        self.replaced: set[bytes] = set()
        self._origins: dict[bytes, Packed] = {}  # in what each of those was that were packed
        self._days = dict(restoration.days)
        self.written = Written()
        self.why_kept = why_kept

    def is_older(self, target: bytes, day: str, packed: Packed) -> bool:
        """Whether nothing, or only something earlier, is wanted at a path; from now on it is what was packed.

        Of what comes twice in one archive the later one counts.
        """
        is_same = self.is_from(target, packed)
        if target in self.wanted and self._days.get(target, "9999") >= day and not is_same:
            return False
        self._days[target] = day
        self._origins[target] = packed
        if target in self.written.done:
            self.replaced.add(target)
        for known in (self.written.done, self.written.before, self.written.bare):
            known.discard(target)
        self.written.left.pop(target, None)
        self.written.failed.pop(target, None)
        return True

    def is_from(self, target: bytes, packed: Packed) -> bool:
        """Whether what is wanted at a path is in something that was packed."""
        return self._origins.get(target) is packed

    def is_one_file(self, target: bytes, other: bytes) -> bool:
        """Whether two paths may be names of one file."""
        if not self.wanted[target].sha256:
            return self._origins.get(target) is self._origins.get(other)
        return self.wanted[target].sha256 == self.wanted[other].sha256

    def needs(self, targets: Iterable[bytes]) -> list[bytes]:
        """Of some paths those that are still to be restored."""
        written = self.written
        return [
            target
            for target in targets
            if target not in written.done and target not in written.left and target not in written.failed
        ]

    def unread(self, targets: Iterable[bytes]) -> Iterator[bytes]:
        """Of some paths those of which content, or what they are, has still to be read."""
        for target in self.needs(targets):
            if self.wanted[target].kind == Kind.FILE or target not in self.attributes:
                yield target

    def at(self, target: bytes) -> _Alone:
        """What fails at a path does not hold up the others."""
        return _Alone(self.written, target)

    def look_around(self) -> None:
        """See what of it is there already, and what stands in its way."""
        total = sum(each.size for each in self.wanted.values())
        self.ports.reporter.phase("looking at what is there", total)
        seen = 0
        absent: set[bytes] = set()  # folders that are not there, nor anything in them
        for target, wanted in self.wanted.items():
            self.ports.interrupts.check()
            if target.rpartition(b"/")[0] in absent:
                if wanted.kind == Kind.DIR:
                    absent.add(target)
                continue
            with self.at(target):
                if not self.look(target, wanted) and wanted.kind == Kind.DIR:
                    absent.add(target)
            seen += wanted.size
            self.ports.reporter.advance(seen)

    def look(self, target: bytes, wanted: Wanted) -> bool:
        """See what is at a path; whether anything is."""
        there = self.folder.look(target)
        if there is not None and not (there.kind is Kind.DIR and wanted.kind == Kind.DIR):
            self._judge(target, wanted, there)
        return there is not None

    def _judge(self, target: bytes, wanted: Wanted, there: There) -> None:
        """Whether what is there is it already, stays, or is replaced."""
        if self._is_it(target, wanted, there):
            self.written.before.add(target)
            self.written.done.add(target)
            self.written.bare.add(target)
            return
        if there.kind == wanted.kind != Kind.FILE:
            return  # whether it is the same is seen when it is made
        if there.kind is Kind.DIR:
            self.written.left[target] = "a folder is there"
        elif reason := self.why_kept(wanted, there):
            self.written.left[target] = reason
        else:
            self.replaced.add(target)

    def _is_it(self, target: bytes, wanted: Wanted, there: There) -> bool:
        if wanted.kind != Kind.FILE or there.kind is not Kind.FILE:
            return False
        if not wanted.sha256:  # of what is packed nothing else is known
            return there.mtime_ns == wanted.mtime_ns and wanted.size in (there.size, -1)
        if there.size != wanted.size:
            return False
        return bool(wanted.sha256) and self.folder.digest(target, lambda _done: None) == wanted.sha256

    def unknown(self, target: bytes) -> Entry:
        """An entry of which nothing is known but what the catalog says."""
        wanted = self.wanted[target]
        kind = Kind(wanted.kind)
        mode = 0o700 if kind is Kind.DIR else _UNKNOWN_MODE
        return Entry(target, kind, wanted.size, mode, -1, -1, wanted.mtime_ns)

    def is_done(self, target: bytes, size: int, *, bare: bool) -> None:
        """A file is there as it should be, but for attributes that are not known yet."""
        written = self.written
        if target in written.damaged:
            self.folder.remove(target + DAMAGED)
            written.damaged.discard(target)
        written.done.add(target)
        written.size += size
        if bare:
            written.bare.add(target)
