"""A configuration under the names of Cedar Backup's `config` module, as extensions read it.

Read by what reads it for `cedarchest -c`; here it only gets other names. Attributes may be set to anything:
what makes no sense is refused where it is used.
"""

from __future__ import annotations

from pathlib import Path

from cedarchest.config.cedar import parts, tree
from cedarchest.config.cedar import sections as read
from cedarchest.config.cedar.reading import Notes
from cedarchest.config.model import Config as OurConfig
from cedarchest.config.model import told
from cedarchest.errors import ConfigError
from cedarchest_cedar.as_xml import as_xml
from cedarchest_cedar.compared import Compared
from cedarchest_cedar.from_xml import (
    collect_of,
    extensions_of,
    options_of,
    peers_of,
    some,
    stage_of,
    store_of,
)
from cedarchest_cedar.quantities import (
    UNIT_BYTES,
    UNIT_GBYTES,
    UNIT_KBYTES,
    UNIT_MBYTES,
    ByteQuantity,
    addByteQuantityNode,
    readByteQuantity,
)
from cedarchest_cedar.sections import (
    VALID_ARCHIVE_MODES,
    VALID_COLLECT_MODES,
    VALID_COMPRESS_MODES,
    VALID_FAILURE_MODES,
    ActionDependencies,
    ActionHook,
    BlankBehavior,
    CollectConfig,
    CollectDir,
    CollectFile,
    CommandOverride,
    ExtendedAction,
    ExtensionsConfig,
    LocalPeer,
    OptionsConfig,
    PeersConfig,
    PostActionHook,
    PreActionHook,
    PurgeConfig,
    PurgeDir,
    ReferenceConfig,
    RemotePeer,
    StageConfig,
    StoreConfig,
)
from cedarchest_cedar.xmlutil import given

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

SECTIONS = ("reference", "extensions", "options", "peers", "collect", "stage", "store", "purge")


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
        raw = given(xmlData, xmlPath)
        if xmlPath is not None:
            self.stateDir = str(state_dir_of(Path(xmlPath)))
        if raw is None:
            return
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
        self.extensions = extensions_of(found)
        self.options = options_of(found.options)
        self.peers = None if found.peers is None else PeersConfig(*peers_of(found.peers))
        self.collect = collect_of(found.collect)
        self.stage = stage_of(found.stage)
        self.store = store_of(found.store)
        self.purge = (
            None
            if found.purge is None
            else PurgeConfig(some(PurgeDir(each.abs_path, each.retain_days) for each in found.purge))
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
