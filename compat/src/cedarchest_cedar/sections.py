"""Sections of a configuration and what stands in them, under the names of Cedar Backup's `config` module.

Attributes may be set to anything: what makes no sense is refused where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from cedarchest_cedar.compared import Compared

VALID_COLLECT_MODES = ["daily", "weekly", "incr"]
VALID_ARCHIVE_MODES = ["tar", "targz", "tarbz2"]
VALID_COMPRESS_MODES = ["none", "gzip", "bzip2"]
VALID_FAILURE_MODES = ["none", "all", "daily", "weekly"]


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
