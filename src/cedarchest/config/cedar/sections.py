"""A configuration of Cedar Backup as frozen values, a class for each section; None is what is absent.

Names are those of the elements, but for booleans, which are what Cedar Backup takes where nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Excludes:
    """What is left out: exact paths, paths below a directory, and expressions for whole paths."""

    abs_paths: tuple[str, ...] = ()
    rel_paths: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file or directory that is collected."""

    abs_path: str | None
    mode: str | None = None
    archive: str | None = None
    is_dir: bool = True
    ignore_file: str | None = None
    link_depth: int = 0
    dereference: bool = False
    recursion_level: int = 0
    excludes: Excludes = Excludes()


@dataclass(frozen=True, slots=True)
class Collect:
    """Section `collect`."""

    collect_dir: str | None
    mode: str | None
    archive: str | None
    ignore_file: str | None
    excludes: Excludes
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Hook:
    """A command before or after an action."""

    action: str | None
    command: str | None
    is_before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Section `options`."""

    starting_day: str | None = None
    working_dir: str | None = None
    backup_user: str | None = None
    backup_group: str | None = None
    rcp_command: str | None = None
    rsh_command: str | None = None
    cback_command: str | None = None
    managed_actions: tuple[str, ...] | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    hooks: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A machine; `place` is where it stands."""

    place: str
    type: str | None
    name: str | None
    collect_dir: str | None
    ignore_failures: str | None = None
    backup_user: str | None = None
    rcp_command: str | None = None
    rsh_command: str | None = None
    cback_command: str | None = None
    managed: bool = False
    managed_actions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Section `stage`; with peers of its own those of `peers` are not staged."""

    staging_dir: str | None
    peers: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class Blank:
    """`blank_behavior`."""

    mode: str | None
    factor: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Section `store`."""

    source_dir: str | None
    device_type: str | None
    media_type: str | None
    target_device: str | None
    target_scsi_id: str | None
    drive_speed: int | None
    check_data: bool | None
    check_media: bool | None
    warn_midnite: bool | None
    no_eject: bool | None
    refresh_media_delay: int | None
    eject_delay: int | None
    blank: Blank | None


@dataclass(frozen=True, slots=True)
class PurgeDir:
    """A directory that is purged."""

    abs_path: str | None
    retain_days: int | None


@dataclass(frozen=True, slots=True)
class Action:
    """An extension that is named in `extensions`; its index, or what it comes before and after."""

    name: str | None
    module: str | None
    function: str | None
    index: int | None = None
    before: tuple[str, ...] | None = None
    after: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dumped:
    """What of an extension's section is dumped or copied: a database, a repository, a mailbox."""

    abs_path: str | None
    mode: str | None
    compress: str | None
    is_dir: bool = False
    excludes: Excludes = Excludes()


@dataclass(frozen=True, slots=True)
class Databases:
    """Sections `mysql` and `postgresql`."""

    user: str | None
    password: str | None
    compress: str | None
    all: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dumps:
    """Sections `subversion` and `mbox`."""

    mode: str | None
    compress: str | None
    items: tuple[Dumped, ...]


@dataclass(frozen=True, slots=True)
class Encrypt:
    """Section `encrypt`."""

    mode: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class AmazonS3:
    """Section `amazons3`."""

    bucket: str | None
    encrypts: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """Section `capacity`: how full a disc may be, or what has to be left."""

    max_percentage: Decimal | None
    min_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CedarConfig:
    """All sections."""

    reference: dict[str, str]
    options: Options | None
    peers: tuple[Peer, ...] | None
    collect: Collect | None
    stage: Stage | None
    store: Store | None
    purge: tuple[PurgeDir, ...] | None
    actions: tuple[Action, ...] | None
    order_mode: str | None = None
    mysql: Databases | None
    postgresql: Databases | None
    subversion: Dumps | None
    mbox: Dumps | None
    encrypt: Encrypt | None
    amazons3: AmazonS3 | None
    capacity: Capacity | None
    split: bool

    def runs(self, extension: str) -> bool:
        """Whether an extension of Cedar Backup's own is named, so that it can be run."""
        modules = {f"CedarBackup{version}.extend.{extension}" for version in (2, 3)}
        return any(action.module in modules for action in self.actions or ())
