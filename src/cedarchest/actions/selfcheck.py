"""A disc compared with what it holds itself: each session with its own index, without any catalog.

The index is believed because it agrees with the sums file beside it, line for line, and both are covered
by the comparison. Whoever forges all of them is not found out here; the catalog's digests would.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cedarchest.actions.own_files import LARGEST_NOTE, NO_FILE_OF_OURS, read_own_files
from cedarchest.errors import DamagedDisc, ForeignDisc, NoMedium
from cedarchest.model.check import check_session
from cedarchest.model.disc import DiscState, Observation, StoredEntry, TocEntry, still_shown
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.image.identity import find_nodes, read_node
from cedarchest.model.image.shown import count_shown
from cedarchest.model.image.volume import check_anchor
from cedarchest.model.index import Entry
from cedarchest.model.media import BLOCK
from cedarchest.model.names import label_word
from cedarchest.model.session import (
    DIGEST_SIZE,
    INDEX_NAME,
    OUTCOME_FORMAT,
    SUMS_NAME,
    session_folder,
)
from cedarchest.model.survey import shown_tree
from cedarchest.ports import Ports, Writer


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What a disc's comparison with itself gave."""

    label: str
    sessions: int
    blocks: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A session as the disc describes it."""

    entry: TocEntry
    base: int
    expected: tuple[Entry, ...]


def check_by_itself(writer: Writer, target: str, ports: Ports) -> SelfCheck:
    """Compare every session of the disc in a drive, or of an image, with the index it brought.

    Raises:
        NoMedium: there is no disc, or a blank one.
        ForeignDisc: it is not ours.
    """
    writer.reload()
    seen = writer.observe()
    if seen.state in (DiscState.NONE, DiscState.BLANK):
        raise NoMedium(f"{target} holds no disc with data")
    if seen.identity is None and not _has_index(writer, seen):
        raise ForeignDisc(
            f"{target} holds no disc of ours ({seen.label or 'no label'})",
            advice="Only discs written by cedarchest know what they should hold.",
        )
    if seen.identity is not None and seen.is_cedars and not _has_index(writer, seen):
        label = seen.identity.label
        raise ForeignDisc(
            f"{target} holds a disc of Cedar Backup ({seen.label}), which does not say what it should hold",
            advice="It is compared with the catalog, once that has it (cedarchest catalog rebuild"
            f" {shlex.quote(target)}): with the disc in the drive, or its image on the shelf as"
            f" {shlex.quote(f'{label}.iso')}, cedarchest verify {label_word(label)}",
        )
    return _check_sessions(writer, seen, ports)


def _has_index(writer: Writer, seen: Observation) -> bool:
    paths = [f"{session_folder(entry.number)}/{INDEX_NAME}".encode() for entry in seen.sessions]
    return any(_has_any(writer, entry, paths) for entry in seen.sessions)


def _is_ours(writer: Writer, entry: TocEntry) -> bool:
    """Whether a session brought a folder of its own."""
    return _has_any(writer, entry, [session_folder(entry.number).encode()])


def _has_any(writer: Writer, entry: TocEntry, paths: Sequence[bytes]) -> bool:
    try:
        return bool(find_nodes(writer.read, entry.start, paths))
    except DamagedDisc:
        return False


def _check_sessions(writer: Writer, seen: Observation, ports: Ports) -> SelfCheck:
    maps = _block_maps(writer, seen)
    findings: list[Finding] = []
    if seen.sessions[0].start > 0:  # overwritable: a copy of the newest descriptors comes first
        check_anchor(writer.read, seen.sessions[-1].start, findings.append)
    shown: dict[int, Mapping[bytes, StoredEntry]] = {0: {}}
    blocks = 0
    of_cedar = seen.is_cedars
    for entry in seen.sessions:
        ports.interrupts.check()
        if of_cedar and not _is_ours(writer, entry):
            shown[entry.number] = shown_tree(writer.read, entry)
            ports.reporter.warn(
                f"{seen.label} session {entry.number} is of Cedar Backup, which does not say what it should"
                " hold: it is not judged"
            )
            continue
        claimed = _claimed(writer, entry, findings)
        if claimed is None:
            continue
        earlier = shown.get(claimed.base, {})
        ports.reporter.phase(f"checking {seen.label} session {entry.number}", entry.blocks * BLOCK)
        check = check_session(
            writer.read,
            entry.start,
            entry.blocks,
            claimed.expected,
            earlier,
            volume_id=entry.volume_id,
            known_map=maps.get(entry.number, b""),
            one_time=not of_cedar,
            progress=lambda done: ports.reporter.advance(done * BLOCK),
        )
        findings += check.findings
        blocks += entry.blocks
        left = still_shown(earlier, ((stored.path, stored.kind) for stored in check.entries))
        shown[entry.number] = {**left, **{stored.path: stored for stored in check.entries}}
    return SelfCheck(seen.label, len(seen.sessions), blocks, tuple(findings))


def _claimed(writer: Writer, entry: TocEntry, findings: list[Finding]) -> _Claimed | None:
    """What a session says it wrote; None, with a finding, when that cannot be known."""
    try:
        own = read_own_files(writer.read, entry, at_most=count_shown(writer.read, entry))
        base = int(json.loads(own.about)["on_top_of"])
    except (DamagedDisc, *NO_FILE_OF_OURS) as error:
        detail = f"the index of session {entry.number} cannot be read ({error}); its files cannot be judged"
        path = f"/{session_folder(entry.number)}/{INDEX_NAME}"
        findings.append(Finding(FindingKind.STRUCTURE, path, detail, entry.start, entry.end - 1))
        return None
    if not own.sums_agree:
        detail = f"the sums of session {entry.number} do not agree with its index"
        path = f"/{session_folder(entry.number)}/{SUMS_NAME}"
        findings.append(Finding(FindingKind.DIFFERENT, path, detail))
    return _Claimed(entry, base, own.expected)


def expected_by_disc(
    writer: Writer, entry: TocEntry, index_sha256: bytes, sums_sha256: bytes
) -> tuple[Entry, ...] | None:
    """What a session put on the disc by the index it brought; None unless both files have these digests."""
    findings: list[Finding] = []
    claimed = _claimed(writer, entry, findings)
    if claimed is None or findings:
        return None
    found = tuple(own.sha256 for own in claimed.expected[-2:])
    return claimed.expected if found == (index_sha256, sums_sha256) else None


def is_another(writer: Writer, entry: TocEntry, index_sha256: bytes, sums_sha256: bytes) -> bool:
    """Whether a session brought an index of its own, good in itself, and not the one of these digests."""
    findings: list[Finding] = []
    claimed = _claimed(writer, entry, findings)
    if claimed is None or findings:
        return False
    return tuple(own.sha256 for own in claimed.expected[-2:]) != (index_sha256, sums_sha256)


def _block_maps(writer: Writer, seen: Observation) -> Mapping[int, bytes]:
    """Block maps of earlier sessions, as far as later ones brought them."""
    maps: dict[int, bytes] = {}
    for entry in seen.sessions:
        folder = f"{session_folder(entry.number)}/earlier"
        names = [f"{folder}/{number:03d}.json".encode() for number in range(1, entry.number)]
        try:
            nodes = find_nodes(writer.read, entry.start, names)
            for node in nodes.values():
                maps |= _parse_map(read_node(writer.read, node, LARGEST_NOTE))
        except DamagedDisc:
            continue  # said when the session itself is read
    return maps


def _parse_map(content: bytes | None) -> dict[int, bytes]:
    try:
        value = json.loads(content or b"")
        if value["format"] != OUTCOME_FORMAT or value["status"] != "verified":
            return {}
        digests = [bytes.fromhex(each) for each in value["sha256"]]
        if any(len(digest) != DIGEST_SIZE for digest in digests):
            return {}
        return {int(value["session"]): b"".join(digests)}
    except NO_FILE_OF_OURS:
        return {}  # the file's own digest says that it is damaged
