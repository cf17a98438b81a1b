"""A configuration under the names of Cedar Backup's `config` module, as extensions read it.

Read by what reads it for `cedarchest -c`; here it only gets other names. Attributes may be set to anything:
what makes no sense is refused where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cedarchest.config.cedar import parts, tree
from cedarchest.config.cedar import sections as read
from cedarchest.config.cedar.reading import Notes
from cedarchest.config.model import Config as OurConfig
from cedarchest.config.model import told
from cedarchest.errors import ConfigError
from cedarchest_cedar.as_xml import as_xml
from cedarchest_cedar.compared import Compared
from cedarchest_cedar.quantities import (
    UNIT_BYTES,
    UNIT_GBYTES,
    UNIT_KBYTES,
    UNIT_MBYTES,
    ByteQuantity,
    addByteQuantityNode,
    readByteQuantity,
)

__all__ = [
    "UNIT_BYTES",
    "UNIT_GBYTES",
    "UNIT_KBYTES",
    "UNIT_MBYTES",
    "VALID_ARCHIVE_MODES",
    "VALID_COLLECT_MODES",
    "VALID_COMPRESS_MODES",
    "VALID_FAILURE_MODES",
    "ActionDependencies",
    "ActionHook",
    "BlankBehavior",
    "ByteQuantity",
    "CollectConfig",
    "CollectDir",
    "CollectFile",
    "CommandOverride",
    "Config",
    "ExtendedAction",
    "ExtensionsConfig",
    "LocalPeer",
    "OptionsConfig",
    "PeersConfig",
    "PostActionHook",
    "PreActionHook",
    "PurgeConfig",
    "PurgeDir",
    "ReferenceConfig",
    "RemotePeer",
    "StageConfig",
    "StoreConfig",
    "addByteQuantityNode",
    "readByteQuantity",
]

VALID_COLLECT_MODES = ["daily", "weekly", "incr"]
VALID_ARCHIVE_MODES = ["tar", "targz", "tarbz2"]
VALID_COMPRESS_MODES = ["none", "gzip", "bzip2"]
VALID_FAILURE_MODES = ["none", "all", "daily", "weekly"]

SECTIONS = ("reference", "extensions", "options", "peers", "collect", "stage", "store", "purge")

Each = TypeVar("Each")


@dataclass(eq=False)
class ActionDependencies(Compared):
    """What an extension comes before and after, by name."""

    beforeList: list[str] | None = None
    afterList: list[str] | None = None


@dataclass(eq=False)
class ActionHook(Compared):
    """A command that goes with an action."""

    action: str | None = None
    command: str | None = None

    def __post_init__(self) -> None:
        self.before, self.after = False, False

    def _values(self) -> list[object]:
        return [self.action, self.command, self.before, self.after]


@dataclass(eq=False)
class PreActionHook(ActionHook):
    """A command before an action."""

    def __post_init__(self) -> None:
        self.before, self.after = True, False


@dataclass(eq=False)
class PostActionHook(ActionHook):
    """A command after an action."""

    def __post_init__(self) -> None:
        self.before, self.after = False, True


@dataclass(eq=False)
class BlankBehavior(Compared):
    """When a disc is begun anew."""

    blankMode: str | None = None
    blankFactor: str | None = None


@dataclass(eq=False)
class ExtendedAction(Compared):
    """An extension: its name, what it leads to, and its place."""

    name: str | None = None
    module: str | None = None
    function: str | None = None
    index: int | None = None
    dependencies: ActionDependencies | None = None


@dataclass(eq=False)
class CommandOverride(Compared):
    """A program that takes the place of another."""

    command: str | None = None
    absolutePath: str | None = None


@dataclass(eq=False)
class CollectFile(Compared):
    """A file that is collected."""

    absolutePath: str | None = None
    collectMode: str | None = None
    archiveMode: str | None = None


@dataclass(eq=False)
class CollectDir(Compared):
    """A directory that is collected."""

    absolutePath: str | None = None
    collectMode: str | None = None
    archiveMode: str | None = None
    ignoreFile: str | None = None
    absoluteExcludePaths: list[str] | None = None
    relativeExcludePaths: list[str] | None = None
    excludePatterns: list[str] | None = None
    linkDepth: int | None = None
    dereference: bool = False
    recursionLevel: int | None = None


@dataclass(eq=False)
class PurgeDir(Compared):
    """A directory that is purged."""

    absolutePath: str | None = None
    retainDays: int | None = None


@dataclass(eq=False)
class LocalPeer(Compared):
    """A peer whose collect dir is on this machine."""

    name: str | None = None
    collectDir: str | None = None
    ignoreFailureMode: str | None = None


@dataclass(eq=False)
class RemotePeer(Compared):
    """A peer that is another machine."""

    name: str | None = None
    collectDir: str | None = None
    remoteUser: str | None = None
    rcpCommand: str | None = None
    rshCommand: str | None = None
    cbackCommand: str | None = None
    managed: bool = False
    managedActions: list[str] | None = None
    ignoreFailureMode: str | None = None


@dataclass(eq=False)
class ReferenceConfig(Compared):
    """Section `reference`."""

    author: str | None = None
    revision: str | None = None
    description: str | None = None
    generator: str | None = None


@dataclass(eq=False)
class ExtensionsConfig(Compared):
    """Section `extensions`."""

    actions: list[ExtendedAction] | None = None
    orderMode: str | None = None


@dataclass(eq=False)
class OptionsConfig(Compared):
    """Section `options`."""

    startingDay: str | None = None
    workingDir: str | None = None
    backupUser: str | None = None
    backupGroup: str | None = None
    rcpCommand: str | None = None
    overrides: list[CommandOverride] | None = None
    hooks: list[ActionHook] | None = None
    rshCommand: str | None = None
    cbackCommand: str | None = None
    managedActions: list[str] | None = None

    def addOverride(self, command: str, absolutePath: str) -> None:
        """Have a program take the place of another, unless there is one that does."""
        if not any(each.command == command for each in self.overrides or []):
            self.overrides = [*(self.overrides or []), CommandOverride(command, absolutePath)]

    def replaceOverride(self, command: str, absolutePath: str) -> None:
        """Have a program take the place of another, whatever did before."""
        others = [each for each in self.overrides or [] if each.command != command]
        self.overrides = [*others, CommandOverride(command, absolutePath)]


@dataclass(eq=False)
class PeersConfig(Compared):
    """Section `peers`."""

    localPeers: list[LocalPeer] | None = None
    remotePeers: list[RemotePeer] | None = None

    def hasPeers(self) -> bool:
        """Whether there is any."""
        return bool(self.localPeers or self.remotePeers)


@dataclass(eq=False)
class CollectConfig(Compared):
    """Section `collect`."""

    targetDir: str | None = None
    collectMode: str | None = None
    archiveMode: str | None = None
    ignoreFile: str | None = None
    absoluteExcludePaths: list[str] | None = None
    excludePatterns: list[str] | None = None
    collectFiles: list[CollectFile] | None = None
    collectDirs: list[CollectDir] | None = None


@dataclass(eq=False)
class StageConfig(Compared):
    """Section `stage`."""

    targetDir: str | None = None
    localPeers: list[LocalPeer] | None = None
    remotePeers: list[RemotePeer] | None = None

    def hasPeers(self) -> bool:
        """Whether it has peers of its own."""
        return bool(self.localPeers or self.remotePeers)


@dataclass(eq=False)
class StoreConfig(Compared):
    """Section `store`."""

    sourceDir: str | None = None
    mediaType: str | None = None
    deviceType: str | None = None
    devicePath: str | None = None
    deviceScsiId: str | None = None
    driveSpeed: int | None = None
    checkData: bool = False
    warnMidnite: bool = False
    noEject: bool = False
    checkMedia: bool = False
    blankBehavior: BlankBehavior | None = None
    refreshMediaDelay: int | None = None
    ejectDelay: int | None = None


@dataclass(eq=False)
class PurgeConfig(Compared):
    """Section `purge`."""

    purgeDirs: list[PurgeDir] | None = None


class Config(Compared):
    """All sections of a file, each None where it is absent.

    `stateDir` is where catalog, journal and locks of `cback3` with that file are; so what an extension
    stores is known there.
    """

    def __init__(
        self, xmlData: str | bytes | None = None, xmlPath: str | Path | None = None, validate: bool = True
    ) -> None:
        """Read XML, from a text or a file; without either nothing is set.

        Raises:
            ValueError: it is no XML of Cedar Backup's, or against its rules.
            OSError: the file cannot be read.
        """
        self.reference: ReferenceConfig | None = None
        self.extensions: ExtensionsConfig | None = None
        self.options: OptionsConfig | None = None
        self.peers: PeersConfig | None = None
        self.collect: CollectConfig | None = None
        self.stage: StageConfig | None = None
        self.store: StoreConfig | None = None
        self.purge: PurgeConfig | None = None
        self.stateDir: str | None = None
        if xmlData is not None and xmlPath is not None:
            raise ValueError("xmlData and xmlPath are both given, and one of them is meant")
        if xmlPath is not None:
            xmlData = Path(xmlPath).read_bytes()
            self.stateDir = str(state_dir_of(Path(xmlPath)))
        if xmlData is None:
            return
        raw = xmlData.encode() if isinstance(xmlData, str) else xmlData
        notes = Notes()
        root = tree.parse(raw)
        found = parts.read_config(root, notes)
        if notes.problems:
            raise ConfigError(told(notes.problems), problems=notes.problems)
        self.take(found)
        if not found.reference and any(each.name == "reference" for each in root.children):
            self.reference = ReferenceConfig()
        if validate:
            self.validate()

    def _values(self) -> list[object]:
        return [getattr(self, name) for name in SECTIONS]

    def take(self, found: read.CedarConfig) -> None:
        """Take over what was read."""
        self.reference = ReferenceConfig(**found.reference) if found.reference else None
        self.extensions = _extensions(found)
        self.options = _options(found.options)
        self.peers = None if found.peers is None else PeersConfig(*_peers(found.peers))
        self.collect = _collect(found.collect)
        self.stage = _stage(found.stage)
        self.store = _store(found.store)
        self.purge = (
            None
            if found.purge is None
            else PurgeConfig(_some(PurgeDir(each.abs_path, each.retain_days) for each in found.purge))
        )

    def extractXml(self, xmlPath: str | Path | None = None, validate: bool = True) -> str | None:
        """The configuration as XML: in a file, or else as a text.

        Raises:
            ValueError: a section that is needed is absent.
            OSError: the file cannot be written.
        """
        if validate:
            self.validate()
        written = as_xml(self)
        if xmlPath is None:
            return written
        Path(xmlPath).write_text(written, encoding="utf-8")
        return None

    def validate(
        self,
        requireOneAction: bool = True,
        requireReference: bool = False,
        requireExtensions: bool = False,
        requireOptions: bool = True,
        requireCollect: bool = False,
        requireStage: bool = False,
        requireStore: bool = False,
        requirePurge: bool = False,
        requirePeers: bool = False,
    ) -> None:
        """See that the sections that are asked for are there.

        Raises:
            ValueError: one is absent.
        """
        asked = {
            "reference": requireReference,
            "extensions": requireExtensions,
            "options": requireOptions,
            "collect": requireCollect,
            "stage": requireStage,
            "store": requireStore,
            "purge": requirePurge,
            "peers": requirePeers,
        }
        problems = [
            f"section <{name}> is missing" for name in asked if asked[name] and not getattr(self, name)
        ]
        if requireOneAction and not (self.collect or self.stage or self.store or self.purge):
            problems.append("none of <collect>, <stage>, <store> and <purge> is there; one is needed")
        if problems:
            raise ConfigError("; ".join(problems), problems=problems, advice="Add it to the XML.")


def state_dir_of(path: Path) -> Path:
    """Where catalog, journal and locks are of runs with a file."""
    return OurConfig.from_mapping({}, path.absolute().parent).options.state_dir


def _some(several: Iterable[Each]) -> list[Each] | None:
    """A list, or None where it would be empty."""
    return list(several) or None


def _extensions(found: read.CedarConfig) -> ExtensionsConfig | None:
    if found.actions is None:
        return None
    actions = [
        ExtendedAction(
            each.name,
            each.module,
            each.function,
            each.index,
            None
            if each.before is None and each.after is None
            else ActionDependencies(_some(each.before or ()), _some(each.after or ())),
        )
        for each in found.actions
    ]
    return ExtensionsConfig(_some(actions), found.order_mode)


def _options(options: read.Options | None) -> OptionsConfig | None:
    if options is None:
        return None
    hooks = [
        (PreActionHook if hook.is_before else PostActionHook)(hook.action, hook.command)
        for hook in options.hooks
    ]
    return OptionsConfig(
        startingDay=options.starting_day,
        workingDir=options.working_dir,
        backupUser=options.backup_user,
        backupGroup=options.backup_group,
        rcpCommand=options.rcp_command,
        overrides=_some(CommandOverride(*each) for each in options.overrides.items()),
        hooks=_some(hooks),
        rshCommand=options.rsh_command,
        cbackCommand=options.cback_command,
        managedActions=None if options.managed_actions is None else list(options.managed_actions),
    )


def _peers(peers: Iterable[read.Peer]) -> tuple[list[LocalPeer] | None, list[RemotePeer] | None]:
    local, remote = [], []
    for peer in peers:
        if peer.type == "local":
            local.append(LocalPeer(peer.name, peer.collect_dir, peer.ignore_failures))
        elif peer.type == "remote":
            remote.append(
                RemotePeer(
                    name=peer.name,
                    collectDir=peer.collect_dir,
                    remoteUser=peer.backup_user,
                    rcpCommand=peer.rcp_command,
                    rshCommand=peer.rsh_command,
                    cbackCommand=peer.cback_command,
                    managed=peer.managed,
                    managedActions=None if peer.managed_actions is None else list(peer.managed_actions),
                    ignoreFailureMode=peer.ignore_failures,
                )
            )
    return _some(local), _some(remote)


def _stage(stage: read.Stage | None) -> StageConfig | None:
    return None if stage is None else StageConfig(stage.staging_dir, *_peers(stage.peers))


def _collect(collect: read.Collect | None) -> CollectConfig | None:
    if collect is None:
        return None
    files = [each for each in collect.items if not each.is_dir]
    return CollectConfig(
        targetDir=collect.collect_dir,
        collectMode=collect.mode,
        archiveMode=collect.archive,
        ignoreFile=collect.ignore_file,
        absoluteExcludePaths=_some(collect.excludes.abs_paths),
        excludePatterns=_some(collect.excludes.patterns),
        collectFiles=_some(CollectFile(each.abs_path, each.mode, each.archive) for each in files),
        collectDirs=_some(_collect_dir(each) for each in collect.items if each.is_dir),
    )


def _collect_dir(item: read.Item) -> CollectDir:
    return CollectDir(
        absolutePath=item.abs_path,
        collectMode=item.mode,
        archiveMode=item.archive,
        ignoreFile=item.ignore_file,
        absoluteExcludePaths=_some(item.excludes.abs_paths),
        relativeExcludePaths=_some(item.excludes.rel_paths),
        excludePatterns=_some(item.excludes.patterns),
        linkDepth=item.link_depth or None,
        dereference=item.dereference,
        recursionLevel=item.recursion_level or None,
    )


def _blank(blank: read.Blank | None) -> BlankBehavior | None:
    if blank is None:
        return None
    return BlankBehavior(blank.mode, None if blank.factor is None else f"{blank.factor:g}")


def _store(store: read.Store | None) -> StoreConfig | None:
    if store is None:
        return None
    return StoreConfig(
        sourceDir=store.source_dir,
        mediaType=store.media_type,
        deviceType=store.device_type,
        devicePath=store.target_device,
        deviceScsiId=store.target_scsi_id,
        driveSpeed=store.drive_speed,
        checkData=bool(store.check_data),
        warnMidnite=bool(store.warn_midnite),
        noEject=bool(store.no_eject),
        checkMedia=bool(store.check_media),
        blankBehavior=_blank(store.blank),
        refreshMediaDelay=store.refresh_media_delay or None,
        ejectDelay=store.eject_delay or None,
    )
