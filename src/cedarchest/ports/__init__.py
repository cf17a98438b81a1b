"""What actions need from the world outside, as protocols; adapters provide them, tests provide fakes.

Each protocol has one contract suite in `tests/contract` that every provider passes. `Ports` is the
bundle that the composition root wires and every action gets.
"""

from __future__ import annotations

from dataclasses import dataclass

from cedarchest.ports.archives import ArchiveReader, IndexHead
from cedarchest.ports.collecting import CollectDir, CollectStates, KeptOut, Packed, SourceLook, Sources
from cedarchest.ports.drive import Burnt, Drives, FoundDrive, Graft, ImageTree, SessionSource, Writer
from cedarchest.ports.extending import Extensions
from cedarchest.ports.peers import Handover, PeerFolder, PeerItem, PeerLook, PeerRun, Peers, Receipts
from cedarchest.ports.records import Catalog, SavedSession, Workspace
from cedarchest.ports.rescuing import Rescues
from cedarchest.ports.restoring import RestoreFolders, Unpacker
from cedarchest.ports.run import (
    Address,
    Clock,
    Hooks,
    Interrupts,
    Locks,
    Messenger,
    News,
    Person,
    Reporter,
    Tools,
)
from cedarchest.ports.scheduling import RunJournal, Scheduler, Scope
from cedarchest.ports.staging import (
    Arrivals,
    Arriving,
    DayIndex,
    FolderItem,
    Folders,
    StagedDay,
    Staging,
)
from cedarchest.ports.unpacking import Unpacking


@dataclass(frozen=True, slots=True)
class Ports:
    """The bundle that the composition root wires."""

    catalog: Catalog
    drives: Drives
    staging: Staging
    workspace: Workspace
    folders: Folders
    peers: Peers
    arrivals: Arrivals
    receipts: Receipts
    locks: Locks
    interrupts: Interrupts
    clock: Clock
    reporter: Reporter
    tools: Tools
    hooks: Hooks
    extensions: Extensions
    archives: ArchiveReader
    unpacking: Unpacking
    sources: Sources
    collect_dir: CollectDir
    collect_states: CollectStates
    journal: RunJournal
    messenger: Messenger
    person: Person
    restore_folders: RestoreFolders
    unpacker: Unpacker
    rescues: Rescues


__all__ = [
    "Address",
    "ArchiveReader",
    "Arrivals",
    "Arriving",
    "Burnt",
    "Catalog",
    "Clock",
    "CollectDir",
    "CollectStates",
    "DayIndex",
    "Drives",
    "Extensions",
    "FolderItem",
    "Folders",
    "FoundDrive",
    "Graft",
    "Handover",
    "Hooks",
    "ImageTree",
    "IndexHead",
    "Interrupts",
    "KeptOut",
    "Locks",
    "Messenger",
    "News",
    "Packed",
    "PeerFolder",
    "PeerItem",
    "PeerLook",
    "PeerRun",
    "Peers",
    "Person",
    "Ports",
    "Receipts",
    "Reporter",
    "Rescues",
    "RestoreFolders",
    "RunJournal",
    "SavedSession",
    "Scheduler",
    "Scope",
    "SessionSource",
    "SourceLook",
    "Sources",
    "StagedDay",
    "Staging",
    "Tools",
    "Unpacker",
    "Unpacking",
    "Workspace",
    "Writer",
]
