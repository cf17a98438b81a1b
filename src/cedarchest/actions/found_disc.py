"""A disc as records for the catalog, from nothing but the disc: what it says of itself, held against itself.

Each session's index has to agree with its sums, and its other files of ours with its index. Nothing that a
disc says of checks is believed: what it calls proven is *claimed*, until we have read it. What it calls bad
or never completed is taken so, which proves nothing either way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cedarchest.actions.cedar_disc import as_record, hidden_sessions, survey, what_is_wrong, who_is_cedars
from cedarchest.actions.own_files import LARGEST_NOTE, NO_FILE_OF_OURS, read_own_files
from cedarchest.errors import CedarchestError, DamagedDisc, ForeignDisc
from cedarchest.model.claims import (
    LARGEST,
    DiscClaim,
    OtherVolume,
    OutcomeClaim,
    SessionClaim,
    parse_disc_claim,
    parse_outcome_claim,
    parse_session_claim,
)
from cedarchest.model.disc import (
    CLOSED,
    SAID,
    DiscRecord,
    DiscState,
    Observation,
    SessionRecord,
    SessionStatus,
    StoredEntry,
    TocEntry,
    stored_as,
)
from cedarchest.model.image.identity import SMALL_FILE, find_nodes, read_node, volume_id
from cedarchest.model.image.shown import Shown, ShownTree, read_shown
from cedarchest.model.image.volume import structure
from cedarchest.model.index import Entry, Kind
from cedarchest.model.names import is_cedar_label, readable, to_text
from cedarchest.model.session import DISC_FILE, session_folder
from cedarchest.model.survey import shown_tree
from cedarchest.ports import Ports, Writer

UNKNOWN = "what it wrote cannot be known: "
"""How the reason of a session begins whose own files cannot be read; why follows."""

_LAST_SECOND = 1 << 62


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session as the disc has it, with what it holds; `others` are the other volumes of its set."""

    record: SessionRecord
    entries: Sequence[StoredEntry] = ()
    others: tuple[OtherVolume, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundDisc:
    """A disc with its sessions by number; `wrong` says what of it could not be read or does not agree."""

    disc: DiscRecord
    sessions: tuple[FoundSession, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """A session that was read: what it says, what it holds and where, and what it tells of earlier ones."""

    claim: SessionClaim
    index_sha256: bytes
    sums_sha256: bytes
    entries: Sequence[StoredEntry]
    outcomes: tuple[OutcomeClaim, ...]


def who_is(writer: Writer, seen: Observation) -> DiscClaim:
    """Who the disc in a drive says that it is, by its newest session that says so.

    Raises:
        ForeignDisc: it is none of ours.
    """
    path = DISC_FILE.encode()
    for entry in reversed(seen.sessions):
        try:
            node = find_nodes(writer.read, entry.start, [path]).get(path)
            raw = read_node(writer.read, node, SMALL_FILE) if node else None
            if raw is not None:
                return parse_disc_claim(raw)
        except (DamagedDisc, ValueError):
            continue
    if seen.is_cedars:
        return who_is_cedars(writer, seen)
    raise ForeignDisc(
        f"{writer.image or seen.device} holds no disc of ours ({readable(seen.label) or 'no label'})",
        advice="Only discs of cedarchest or Cedar Backup are entered; other programs may read this one.",
        label=readable(seen.label),
    )


def look_at_disc(writer: Writer, seen: Observation, claim: DiscClaim, ports: Ports) -> FoundDisc:
    """All that the disc in a drive says of itself.

    Raises:
        ToolError: the drive went away.
    """
    looking = _Looking(writer, seen, claim, ports)
    for entry in seen.sessions:
        ports.interrupts.check()
        ports.reporter.note(f"reading what {claim.label} session {entry.number} says of itself")
        looking.look_at(entry)
    sessions = tuple(looking.found(entry) for entry in seen.sessions)
    if writer.image is not None:
        end = max(each.record.start + each.record.blocks for each in sessions)
        looking.wrong += hidden_sessions(writer.read, claim.label, max(end, seen.sessions[-1].end))
    return FoundDisc(_disc(claim, seen), sessions, tuple(looking.wrong))


class _Looking:
    """A disc that is read session by session; of each tree only what its session holds is kept."""

    def __init__(self, writer: Writer, seen: Observation, disc: DiscClaim, ports: Ports) -> None:
        self._writer = writer
        self._ports = ports
        self._seen = seen
        self._disc = disc
        self._told: dict[int, _Told] = {}
        self._shown: dict[int, Mapping[bytes, Shown]] = {}  # by sessions of which nothing else is known
        self._why: dict[int, str] = {}
        self._outcomes: dict[int, OutcomeClaim] = {}
        self._cedars: dict[int, FoundSession] = {}
        self._visible: Mapping[bytes, StoredEntry] = {}  # what a disc of Cedar Backup shows up to now
        self.wrong: list[str] = []

    def look_at(self, entry: TocEntry) -> None:
        """Read a session, the earlier ones before it."""
        name = f"{self._disc.label} session {entry.number}"
        tree = ShownTree()
        try:
            tree = read_shown(self._writer.read, entry)
            told = _tell(self._writer, entry, self._disc, tree)
        except DamagedDisc as error:
            self._is_not_told(entry, tree, error)
            return
        except CedarchestError:
            raise
        except NO_FILE_OF_OURS as error:
            self._is_not_told(entry, tree, error)
            return
        if is_cedar_label(self._disc.label):
            self._visible = _as_stored(tree.entries)
        self._told[entry.number] = told
        self._outcomes |= {each.number: each for each in told.outcomes}
        own = {each.path for each in told.entries}
        if absent := len(own - tree.entries.keys()):
            tree.add(structure("", f"{absent} of its entries are not in it"))
        if tree.findings:
            self.wrong.append(f"{name}: its tree is damaged: {tree.findings[0]}")
        if self._shown.get(told.claim.base) == {}:
            earlier = {path: shown for path, shown in tree.entries.items() if path not in own}
            self._shown[told.claim.base] = earlier

    def _is_not_told(self, entry: TocEntry, tree: ShownTree, error: Exception) -> None:
        """Read a session whose own files cannot be: if it never had any, and Cedar Backup began the disc."""
        read, folder = self._writer.read, session_folder(entry.number).encode()
        of_cedar = is_cedar_label(self._disc.label) and volume_id(read, entry.start)
        if of_cedar and folder not in shown_tree(read, entry):
            self._take_as_it_is(entry)
        else:
            self._give_up(entry, tree, error)

    def _take_as_it_is(self, entry: TocEntry) -> None:
        """Read a session of Cedar Backup, which says nothing of itself."""
        found = survey(self._writer, self._seen, entry, self._visible, self._disc.label, self._ports)
        record = as_record(self._disc, entry, found, entry.number - 1, self._writer)
        if found.findings:
            record = replace(record, reason=UNKNOWN + record.reason)
            self.wrong.append(what_is_wrong(f"{self._disc.label} session {entry.number}", found.findings))
        self._cedars[entry.number] = FoundSession(record, found.held)
        self._visible = found.shown

    def _give_up(self, entry: TocEntry, tree: ShownTree, error: Exception) -> None:
        self._shown[entry.number] = tree.entries
        why = readable(str(error) or type(error).__name__)
        why += f"; its tree is damaged: {tree.findings[0]}" if tree.findings else ""
        self._why[entry.number] = why
        self.wrong.append(f"{self._disc.label} session {entry.number}: what it wrote cannot be known: {why}")

    def found(self, entry: TocEntry) -> FoundSession:
        """A session as a record, once all were read."""
        outcome = self._outcomes.get(entry.number)
        if outcome and (outcome.start, outcome.blocks) != (entry.start, entry.blocks):
            outcome = None
        if entry.number in self._cedars:
            return self._cedars[entry.number]
        if entry.number in self._told:
            return _claimed(self._told[entry.number], entry, outcome, self._drive())
        return self._unknown(entry, outcome)

    def _unknown(self, entry: TocEntry, outcome: OutcomeClaim | None) -> FoundSession:
        """A session of which nothing can be believed: bad, or never completed.

        What is shown of it is kept, without digests, so that later sessions can be compared.
        """
        record = SessionRecord(
            disc_id=self._disc.disc_id,
            number=entry.number,
            base=0,
            start=entry.start,
            blocks=entry.blocks,
            volume_set="",
            status=SessionStatus.BAD,
            created_at=self._disc.created_at,
            drive=self._drive(),
            reason=UNKNOWN + self._why[entry.number],
        )
        sequential = not self._writer.loads_itself and not self._seen.traits.overwritable
        if (outcome and outcome.status is SessionStatus.ABANDONED) or (sequential and not entry.volume_id):
            reason = SAID + outcome.reason if outcome else "the burn was cut off"
            return FoundSession(replace(record, status=SessionStatus.ABANDONED, reason=reason))
        return FoundSession(record, list(_as_stored(self._shown[entry.number]).values()))

    def _drive(self) -> str:
        """The drive that sessions are entered with: an image of a disc that a burner wrote is of none."""
        burnt = any(each.claim.speed_asked for each in self._told.values())
        return "" if burnt and self._writer.loads_itself else self._writer.device


def _as_stored(shown: Mapping[bytes, Shown]) -> dict[bytes, StoredEntry]:
    """What a tree shows, as far as that can be recorded, in order of path."""
    return {
        path: StoredEntry(path, each.kind.value, each.size, each.mtime * 10**9, b"", each.start)
        for path, each in sorted(shown.items())
    }


def _tell(writer: Writer, entry: TocEntry, disc: DiscClaim, tree: ShownTree) -> _Told:
    """What a session says, once its files agree with each other.

    Raises:
        DamagedDisc: the drive could not read them.
        NO_FILE_OF_OURS: they are not there, do not agree, or are not what this program writes.
    """
    # Whatever is listed stands in the tree: a small archive cannot grow beyond it (see `read_index`).
    own = read_own_files(writer.read, entry, at_most=len(tree.entries))
    if not own.sums_agree:
        raise ValueError("its sums do not agree with its index")
    listed = {each.path: each for each in own.listed}
    if own.index.path in listed or own.sums.path in listed:
        raise ValueError("its index lists itself")
    if any(each.size > LARGEST or abs(each.mtime_ns // 10**9) > _LAST_SECOND for each in own.listed):
        raise ValueError("its index has sizes or times that cannot be")
    folder = session_folder(entry.number)
    _refuse_other(own.about, listed.get(f"{folder}/session.json".encode()), "session.json")
    claim = parse_session_claim(own.about)
    if (claim.disc_id, claim.label, claim.number) != (disc.disc_id, disc.label, entry.number):
        raise ValueError("its session.json is one of another disc or session")
    entries = [stored_as(each, _start(tree.entries.get(each.path), each)) for each in own.expected]
    outcomes = tuple(_outcomes(writer, entry, folder, listed))
    return _Told(claim, own.index.sha256, own.sums.sha256, entries, outcomes)


def _outcomes(
    writer: Writer, entry: TocEntry, folder: str, listed: Mapping[bytes, Entry]
) -> Iterator[OutcomeClaim]:
    """What a session tells of those before it."""
    paths = [f"{folder}/earlier/{number:03d}.json".encode() for number in range(1, entry.number)]
    wanted = [path for path in paths if path in listed]
    nodes = find_nodes(writer.read, entry.start, wanted)
    for path in wanted:
        content = read_node(writer.read, nodes[path], LARGEST_NOTE) if path in nodes else None
        _refuse_other(content or b"", listed[path], to_text(path))
        outcome = parse_outcome_claim(content or b"")
        if path != f"{folder}/earlier/{outcome.number:03d}.json".encode():
            raise ValueError(f"{to_text(path)} is of another session")
        yield outcome


def _refuse_other(content: bytes, listed: Entry | None, name: str) -> None:
    """Raise unless a file is the one that the index of its session lists.

    Raises:
        ValueError: it is not.
    """
    if listed is None or listed.sha256 != hashlib.sha256(content).digest():
        raise ValueError(f"its {name} is not the one that its index lists")


def _claimed(told: _Told, entry: TocEntry, outcome: OutcomeClaim | None, drive: str) -> FoundSession:
    """A session that was read, as a record, with what a later one tells of it: never more than claimed."""
    claim = told.claim
    failed = outcome is not None and outcome.status in (SessionStatus.BAD, SessionStatus.ABANDONED)
    record = SessionRecord(
        disc_id=claim.disc_id,
        number=claim.number,
        base=claim.base,
        start=entry.start,
        blocks=entry.blocks,
        volume_set=claim.volume_set,
        status=outcome.status if outcome and failed else SessionStatus.CLAIMED,
        created_at=claim.created_at,
        days=claim.days,
        index_sha256=told.index_sha256,
        sums_sha256=told.sums_sha256,
        tool=claim.tool,
        drive=drive,
        reason=SAID + outcome.reason if outcome and failed else "",
        block_map=outcome.block_map if outcome else b"",
        drive_model=claim.drive_model,
        volume=claim.volume,
        volumes=claim.volumes,
        medium_id=claim.medium_id,
        speed_asked=claim.speed_asked,
        speed_used=outcome.speed_used if outcome else 0,
    )
    return FoundSession(record, told.entries, claim.others)


def _start(shown: Shown | None, entry: Entry) -> int:
    """Where the data of an entry stand by the tree, if that shows the same entry."""
    if shown is None or entry.kind is not Kind.FILE or shown.size != entry.size:
        return -1
    return shown.start


def _disc(claim: DiscClaim, seen: Observation) -> DiscRecord:
    """The disc; it takes further sessions if neither it nor the drive says anything against it."""
    reason = claim.reason
    if seen.state is not DiscState.APPENDABLE:
        reason = reason or CLOSED
    known = claim.medium is not None and claim.capacity > 0
    return DiscRecord(
        disc_id=claim.disc_id,
        label=claim.label,
        medium=claim.medium if claim.medium and known else seen.medium,
        capacity=claim.capacity if known else seen.capacity,
        created_at=claim.created_at,
        copy=claim.copy,
        accepts_sessions=not reason,
        reason=reason,
    )
