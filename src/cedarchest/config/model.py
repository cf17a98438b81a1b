"""The configuration as frozen values, one model for each table; attribute names are the TOML keys.

`Config.from_mapping` is the only way in: it fills what depends on the folder of the file, and turns
everything that is wrong into one `ConfigError`. Descriptions here become the reference page. A table
that names folders of its own (`collect`, `stage`, `store`) is None when absent; the others have
defaults throughout. All tables stand in one module, in the order of the reference page that is made of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from cedarchest.config import kinds
from cedarchest.config.choices import (
    AdvanceOn,
    ArchiveFormat,
    CheckTime,
    CloseDisc,
    CollectMode,
    DeviceType,
    HookTime,
    IgnoreFailures,
    ManagedAction,
    NewDisc,
    Outcome,
    RecordedAction,
    Weekday,
)
from cedarchest.config.problems import problem_lines
from cedarchest.config.units import Margin
from cedarchest.config.wording import shown
from cedarchest.errors import ConfigError
from cedarchest.model.media import BLOCK, TRAITS, Medium

Text = Annotated[str, kinds.TEXT]
Texts = tuple[Text, ...]
Argv = Annotated[tuple[Text, ...], Field(min_length=1)]
Flag = Annotated[bool, kinds.FLAG]
AbsolutePath = Annotated[Path, kinds.PATH]
Size = Annotated[int, kinds.size()]

AUTO: Literal["auto"] = "auto"

_LATER: Any = None
"""A default that is worked out while validating."""


_MEDIA: dict[str, Medium] = {str(medium): medium for medium in Medium}
_MEDIUM = kinds.plain(
    kinds.either((AUTO, *_MEDIA)),
    lambda value: _MEDIA.get(kinds.choose(value, (AUTO, *_MEDIA)), AUTO),
)


def shelf_dir(device: str) -> Path | None:
    """The directory of a shelf; None when the device is a burner."""
    return Path(device.removeprefix(kinds.SHELF)) if device.startswith(kinds.SHELF) else None


def _need(key: str, reason: str) -> kinds.Rule:
    return kinds.Rule(f"{reason}; remove it, or {key}")


def _empty() -> Any:
    return {}


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _state_dir(value: object, info: ValidationInfo) -> Path:
    if value is not None:
        return kinds.absolute(value, info)
    base = kinds.base_of(info)
    in_etc = Path(os.path.realpath(base)).is_relative_to("/etc")
    return Path("/var/lib/cedarchest") if in_etc else base / "state"


def _working_dir(value: object, info: ValidationInfo) -> Path:
    if value is not None:
        return kinds.absolute(value, info)
    return Path(info.data.get("state_dir", "/")) / "work"


class Options(_Table):
    """What concerns every action."""

    starting_day: Annotated[Weekday, kinds.one_of(Weekday)] = Field(
        default=Weekday.MONDAY, description="The day on which a week begins."
    )
    state_dir: Annotated[Path, kinds.Kind("a path", _state_dir)] = Field(
        default=_LATER,
        validate_default=True,
        description="Where the program keeps its own files: catalog, journal, locks.",
        json_schema_extra={"default": "`state` beside the file; `/var/lib/cedarchest` for a file in `/etc`"},
    )
    working_dir: Annotated[Path, kinds.Kind("a path", _working_dir)] = Field(
        default=_LATER,
        validate_default=True,
        description="Where short-lived files are made.",
        json_schema_extra={"default": "`work` in `state_dir`"},
    )
    log_file: AbsolutePath | None = Field(default=None, description="A file that every run adds its log to.")
    log_size: Size = Field(
        default=10 << 20,
        description="A run that finds the log this large begins a new one; the old ones get numbers.",
        json_schema_extra={"default": '`"10 MiB"`'},
    )
    log_keep: Annotated[int, kinds.whole(0, 1000)] = Field(
        default=5, description="How many old logs are kept."
    )
    user: Text | None = Field(
        default=None,
        description="Who owns what root collects: the user whom the master logs in as.",
    )
    group: Text | None = Field(default=None, description="The group of what root collects.")

    @property
    def weekday(self) -> int:
        """The starting day as `datetime.weekday()` counts: Monday is 0."""
        return list(Weekday).index(self.starting_day)


class Catalog(_Table):
    """The database of discs, sessions, days, entries and checks."""

    url: Annotated[str, kinds.CATALOG_URL] = Field(
        default="",
        description="The file of the database.",
        json_schema_extra={"default": "`catalog.sqlite` in `state_dir`"},
    )

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))


class CollectSource(_Table):
    """A directory or file to collect. What is not set here is as in `[collect]`."""

    path: AbsolutePath = Field(description="What is collected.")
    mode: Annotated[CollectMode, kinds.one_of(CollectMode)] | None = Field(
        default=None, description="As in `[collect]`.", json_schema_extra={"default": "as in `[collect]`"}
    )
    archive: Annotated[ArchiveFormat, kinds.one_of(ArchiveFormat)] | None = Field(
        default=None, description="As in `[collect]`.", json_schema_extra={"default": "as in `[collect]`"}
    )
    ignore_file: Annotated[str, kinds.FILE_NAME] | None = Field(
        default=None, description="As in `[collect]`.", json_schema_extra={"default": "as in `[collect]`"}
    )
    exclude: Texts = Field(
        default=(),
        description="Patterns left out, besides those of `[collect]`; they begin at the source, "
        "and those that begin with its path at `/`.",
    )
    exclude_regex: tuple[Annotated[str, kinds.REGEX], ...] = Field(
        default=(), description="Regular expressions for whole paths left out, besides those of `[collect]`."
    )
    link_depth: Annotated[int, kinds.whole(0, 100)] = Field(
        default=0,
        description="On how many levels from the top links to directories are followed: "
        "what they lead to is kept under the name of the link.",
    )
    dereference: Flag = Field(
        default=False,
        description="Whether a link on these levels stays a link, and what it leads to, folder or file, is "
        "kept under its own name.",
    )
    recursion_level: Annotated[int, kinds.whole(0, 100)] = Field(
        default=0,
        description="How many levels below the path get an archive of their own for each directory.",
    )
    one_file_system: Flag = Field(
        default=False, description="Whether directories on other file systems are left out."
    )
    before: Argv | None = Field(
        default=None, description="A program and its arguments, run before; it makes a snapshot, say."
    )
    after: Argv | None = Field(default=None, description="A program and its arguments, run afterwards.")


class CollectCommand(_Table):
    """A program whose output is collected, such as a database dump. No shell is involved."""

    name: Annotated[str, kinds.OWN_NAME] = Field(
        description="The name of the file, to which the packing is added, as in `db.zst`."
    )
    argv: Argv = Field(
        description="The program and its arguments. It has the environment of the run; nothing that is secret"
        " belongs here, since every user of the machine sees it."
    )
    mode: Annotated[CollectMode, kinds.one_of(CollectMode)] | None = Field(
        default=None,
        description="As in `[collect]`; `incr` is `daily` here.",
        json_schema_extra={"default": "as in `[collect]`"},
    )
    archive: Annotated[ArchiveFormat, kinds.one_of(ArchiveFormat)] | None = Field(
        default=None,
        description="How the output is packed: as in `[collect]`, without the tar.",
        json_schema_extra={"default": "as in `[collect]`"},
    )


class Collect(_Table):
    """What this machine collects into archives."""

    dir: AbsolutePath = Field(description="The collect dir: where the archives are left for staging.")
    mode: Annotated[CollectMode, kinds.one_of(CollectMode)] = Field(
        default=CollectMode.DAILY,
        description="`daily`: whole, every day; `weekly`: whole, on the starting day; "
        "`incr`: whole on the starting day, changes on the others.",
    )
    archive: Annotated[ArchiveFormat, kinds.one_of(ArchiveFormat)] = Field(
        default=ArchiveFormat.TAR_ZST, description="How archives are packed."
    )
    advance_on: Annotated[AdvanceOn, kinds.one_of(AdvanceOn)] = Field(
        default=AdvanceOn.STORED,
        description="An incremental collect hands a change over again until the master says that it is this. "
        "What is only `staged` is lost with the staging folder.",
    )
    ignore_file: Annotated[str, kinds.FILE_NAME] | None = Field(
        default=None, description="The name of a file that marks its directory as left out."
    )
    exclude: Texts = Field(
        default=(), description="Patterns left out, as in `.gitignore`; they begin at `/`."
    )
    exclude_regex: tuple[Annotated[str, kinds.REGEX], ...] = Field(
        default=(), description="Regular expressions for whole paths left out."
    )
    source: tuple[CollectSource, ...] = Field(default=(), description="What is collected.")
    command: tuple[CollectCommand, ...] = Field(default=(), description="Programs whose output is collected.")


class Stage(_Table):
    """The staging folder, in which days wait for the disc."""

    dir: AbsolutePath = Field(description="The staging folder; days are `YYYY/MM/DD` below it.")
    parallel: Annotated[int, kinds.whole(1, 64)] = Field(
        default=4, description="How many peers are staged at once."
    )
    reserve: Size = Field(
        default=0, description="Space that staging leaves free on the file system of the staging folder."
    )


class Peer(_Table):
    """A machine that is backed up: a local one, or with `host` a remote one."""

    name: Annotated[str, kinds.OWN_NAME] = Field(
        description="The peer's folder in each day; no two peers share one."
    )
    host: Annotated[str, kinds.REMOTE_NAME] | None = Field(
        default=None, description="The remote machine, as ssh knows it; without it the peer is local."
    )
    collect_dir: AbsolutePath = Field(
        description="Where the peer leaves its archives; an absolute path when the peer is remote."
    )
    user: Annotated[str, kinds.REMOTE_NAME] | None = Field(
        default=None, description="Who to log in as; needs `host`."
    )
    port: Annotated[int, kinds.whole(1, 65535)] | None = Field(
        default=None, description="The port of the remote ssh; needs `host`."
    )
    identity: AbsolutePath | None = Field(default=None, description="The key to log in with; needs `host`.")
    ssh_options: Texts = Field(default=(), description="Further arguments for ssh; needs `host`.")
    bwlimit: Annotated[int, kinds.size(1)] | None = Field(
        default=None, description="Bytes a second at most; needs `host`."
    )
    timeout: Annotated[timedelta, kinds.TIMEOUT] = Field(
        default=timedelta(minutes=5), description="How long a remote peer may be silent; needs `host`."
    )
    ignore_failures: Annotated[IgnoreFailures, kinds.one_of(IgnoreFailures)] = Field(
        default=IgnoreFailures.NONE,
        description="When a failure of this peer does not fail the run: never, always, "
        "on all days but the starting day, or on the starting day.",
    )
    max_size: Size | None = Field(default=None, description="The most that one day may take from this peer.")
    receipts: Flag = Field(
        default=True,
        description="Whether the peer is told, in its collect dir, what of it is proven to be on disc.",
    )
    managed: Flag = Field(
        default=False, description="Whether the master runs actions on this peer; needs `host`."
    )
    managed_actions: tuple[Annotated[ManagedAction, kinds.one_of(ManagedAction)], ...] = Field(
        default=(ManagedAction.COLLECT, ManagedAction.PURGE),
        description="The actions that the master runs there; needs `host`.",
    )
    managed_command: Argv = Field(
        default=("cedarchest",),
        description="The program that does them there, and its first arguments, as in "
        '`["sudo", "/opt/cedarchest/bin/cedarchest"]`; needs `host`.',
    )

    @field_validator("collect_dir", mode="before")
    @classmethod
    def _absolute_when_remote(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("host") and isinstance(value, str | Path) and not str(value).startswith("/"):
            raise kinds.Rule(f"{shown(value)} is relative, but the peer is remote; an absolute path")
        return value

    @field_validator(
        "user",
        "port",
        "identity",
        "ssh_options",
        "bwlimit",
        "timeout",
        "managed",
        "managed_actions",
        "managed_command",
    )
    @classmethod
    def _remote_only(cls, value: object, info: ValidationInfo) -> object:
        if value and "host" in info.data and info.data["host"] is None:
            raise _need("give the peer a host", "is for remote peers")
        return value


_READS: dict[DeviceType, str] = {DeviceType.CDWRITER: "cd-", DeviceType.DVDWRITER: "cd- dvd"}


class Store(_Table):
    """How days are written to discs."""

    device: Annotated[tuple[str, ...], kinds.DEVICES] = Field(
        description="The drive or drives: `/dev/sr0`, or `shelf:DIR` for disc images in a directory. All of "
        "a list are written at the same time."
    )
    device_type: Annotated[DeviceType, kinds.one_of(DeviceType)] = Field(
        default=DeviceType.AUTO, description="What the device is; `auto` asks it."
    )
    media: Annotated[Medium | Literal["auto"], _MEDIUM] = Field(
        default=AUTO, description="The medium; `auto` is whatever is in the drive, on a shelf `dvd+r`."
    )
    capacity: Annotated[int, kinds.size(BLOCK)] | None = Field(
        default=None,
        description="The size of the discs on a shelf; burners know that of theirs.",
        json_schema_extra={"default": "that of the medium"},
    )
    new_disc: Annotated[NewDisc, kinds.one_of(NewDisc)] = Field(
        default=NewDisc.WHEN_FULL, description="When a new disc is begun, even if the last has room."
    )
    blank_factor: Annotated[float, kinds.FACTOR] | None = Field(
        default=None,
        description="With `weekly` or `daily`: begin the new disc only when the last one has no more room "
        "than this many times what is to be stored.",
    )
    retention: Annotated[timedelta, kinds.CALENDAR] = Field(
        default=timedelta(days=14), description="Nothing younger is given up when a disc is reused."
    )
    copies: Annotated[int, kinds.whole(1, 26)] = Field(
        default=1, description="On how many discs a day must be proven before it counts as stored."
    )
    check: Annotated[CheckTime, kinds.one_of(CheckTime)] = Field(
        default=CheckTime.NOW,
        description="`deferred`: a day is burnt but unproven, and not stored, until `verify` ran.",
    )
    check_media: Flag = Field(
        default=True, description="Whether the label of the disc is compared with the one expected."
    )
    warn_midnight: Flag = Field(
        default=False, description="Whether a day that is stored after its midnight is warned of."
    )
    warn_free: Annotated[Margin, kinds.MARGIN] = Field(
        default=Margin(),
        description="How much of a disc must be left after a store, or else it is warned of.",
        json_schema_extra={"default": '`"0 B"`'},
    )
    speed: Annotated[int, kinds.whole(1, 100)] | None = Field(
        default=None,
        description="The factor of the writing speed.",
        json_schema_extra={"default": "the drive's best"},
    )
    load_delay: Annotated[timedelta, kinds.DURATION] = Field(
        default=timedelta(seconds=10),
        description="How long a drive may take to be ready after its tray closed, beyond a minute.",
    )
    eject: Flag = Field(default=False, description="Whether the disc is ejected at the end.")
    close: Annotated[CloseDisc, kinds.one_of(CloseDisc)] = Field(
        default=CloseDisc.NEVER,
        description="When a disc is closed, so that nothing more can be added: `always` with the session "
        "that is written, `when-full` with the one after which less is left than its smallest session took, "
        "and less than a twentieth of it. DVD+RW, DVD-RAM, BD-RE and shelves have nothing to close.",
    )
    defect_management: Flag = Field(
        default=False,
        description="Whether BD-R and BD-RE are formatted with spare blocks before their first session, so "
        "that the drive itself replaces bad blocks while it writes: at half the speed, with 3 % less room.",
    )
    portable: Flag = Field(
        default=False, description="Whether names are kept to what every system can read, or else refused."
    )
    margin: Annotated[Margin, kinds.MARGIN] | None = Field(
        default=None,
        description="Space of a disc that is left free.",
        json_schema_extra={"default": '`"0.5 %"` of the medium; 0 on a shelf'},
    )
    encrypt: Annotated[None, kinds.RESERVED] = Field(
        default=None, description="Reserved: any value is refused."
    )
    s3: Annotated[None, kinds.RESERVED] = Field(default=None, description="Reserved: any value is refused.")

    DEFAULT_MARGIN: ClassVar[Margin] = Margin(percent=Decimal("0.5"))

    @property
    def has_shelf(self) -> bool:
        """Whether any of the devices is a shelf."""
        return any(shelf_dir(device) for device in self.device)

    @property
    def shelf_medium(self) -> Medium:
        """The medium that the discs of a shelf are."""
        return Medium.DVD_PLUS_R if self.media == AUTO else self.media

    @property
    def shelf_blocks(self) -> int:
        """The capacity of a disc of a shelf, in blocks."""
        return TRAITS[self.shelf_medium].nominal_blocks if self.capacity is None else self.capacity // BLOCK

    def margin_blocks(self, device: str, medium_blocks: int) -> int:
        """Blocks left free on a medium of so many blocks in that device."""
        default = Margin() if shelf_dir(device) else self.DEFAULT_MARGIN
        return (default if self.margin is None else self.margin).blocks(medium_blocks)

    @field_validator("device_type")
    @classmethod
    def _fits_devices(cls, device_type: DeviceType, info: ValidationInfo) -> DeviceType:
        devices: tuple[str, ...] = info.data.get("device", ())
        for device in devices if device_type is not DeviceType.AUTO else ():
            if (device_type is DeviceType.SHELF) != (shelf_dir(device) is not None):
                wanted = 'a shelf is written "shelf:DIR"' if device_type is DeviceType.SHELF else 'set "auto"'
                raise kinds.Rule(f"{shown(str(device_type))} is not what {shown(device)} is; {wanted}")
        return device_type

    @field_validator("media")
    @classmethod
    def _fits_device_type(
        cls, media: Medium | Literal["auto"], info: ValidationInfo
    ) -> Medium | Literal["auto"]:
        device_type = info.data.get("device_type", DeviceType.AUTO)
        reads = tuple(_READS.get(device_type, "").split())
        if media != AUTO and reads and not media.startswith(reads):
            raise kinds.Rule(f"a {device_type} does not write {media}; another medium or device_type")
        return media

    @field_validator("capacity")
    @classmethod
    def _of_a_shelf(cls, capacity: int | None, info: ValidationInfo) -> int | None:
        devices: tuple[str, ...] = info.data.get("device", ())
        if capacity is not None and devices and not any(shelf_dir(device) for device in devices):
            raise _need("use a shelf", "is only for a shelf: a burner knows its medium")
        return capacity

    @field_validator("blank_factor")
    @classmethod
    def _of_a_period(cls, factor: float | None, info: ValidationInfo) -> float | None:
        if factor is not None and info.data.get("new_disc") is NewDisc.WHEN_FULL:
            raise _need('set new_disc to "weekly" or "daily"', "means nothing when discs are filled")
        return factor


class PurgeDir(_Table):
    """A directory that is kept small."""

    path: AbsolutePath = Field(description="The directory.")
    retain_days: Annotated[int, kinds.whole(0, 36_500)] = Field(
        description="Days that a file is kept; what is staged has the age of its day, "
        "other files that of the later of mtime and ctime."
    )
    require_stored: Flag = Field(
        default=True, description="Whether only what is proven to be on disc is deleted."
    )


class Purge(_Table):
    """What is deleted when it is old."""

    dir: tuple[PurgeDir, ...] = Field(default=(), description="The directories that are kept small.")


class Hook(_Table):
    """A program that is run before or after an action. No shell is involved.

    It has the environment of the run, and `CEDARCHEST_ACTION` and `CEDARCHEST_WHEN`.
    """

    action: Annotated[str, kinds.HOOKED] = Field(description="The action.")
    when: Annotated[HookTime, kinds.one_of(HookTime)] = Field(
        description="`before`: if it fails, the action does not begin. `after`: whatever came of the action, "
        "whose exit status is in `CEDARCHEST_STATUS`; if it fails, the run ends with 11."
    )
    argv: Argv = Field(description="The program and its arguments.")


class _Addressed(_Table):
    url: str | None = None
    url_file: AbsolutePath | None = Field(
        default=None,
        validate_default=True,
        description="A file that holds nothing but the address, instead of `url`; read when it is needed.",
    )

    @property
    def address(self) -> str | Path:
        """The address, or the file that it stands in."""
        return self.url or self.url_file or ""

    @field_validator("url_file")
    @classmethod
    def _one_of_both(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if "url" in info.data and (info.data["url"] is None) == (file is None):
            raise kinds.Rule("url and url_file: one of them has to be set, not both")
        return file


class Notify(_Addressed):
    """Where news of a run is sent, through apprise. What fails to be sent is a warning of the run."""

    url: Annotated[str, kinds.NOTIFY_URL] | None = Field(
        default=None,
        repr=False,
        description="The address, as apprise takes it; it may hold a token, so keep the file to yourself.",
        json_schema_extra={"default": "or else `url_file`"},
    )
    on: Annotated[tuple[Outcome, ...], kinds.some_of(Outcome)] = Field(
        default=(Outcome.PARTIAL, Outcome.FAILED), description="The outcomes that are told."
    )
    action: Annotated[tuple[RecordedAction, ...], kinds.some_of(RecordedAction)] | None = Field(
        default=None,
        description="The actions whose runs are told; those that `all` runs are told as one.",
        json_schema_extra={"default": "all of them"},
    )
    timeout: Annotated[timedelta, kinds.TIMEOUT] = Field(
        default=timedelta(seconds=30), description="How long the sending may take."
    )

    def hears_of(self, action: str) -> bool:
        """Whether runs of an action, or of an extension, are told here."""
        return self.action is None or action in self.action


class Ping(_Addressed):
    """A service that watches whether runs come: asked for when one begins, and when it has ended.

    It is such as healthchecks.io, which complains when it was not asked for in time. A ping that fails is
    tried three times in all, and is a warning of the run.
    """

    url: Annotated[str, kinds.PING_URL] | None = Field(
        default=None,
        repr=False,
        description="What is asked for when a run ended with status 0; it may be secret.",
        json_schema_extra={"default": "or else `url_file`"},
    )
    start: Annotated[str, kinds.PING_PART] = Field(
        default="/start",
        repr=False,
        description="What is asked for when a run begins: added to the path of `url`, or another query "
        "for it, or another address.",
    )
    failure: Annotated[str, kinds.PING_PART] = Field(
        default="/fail",
        repr=False,
        description="The same for when a run ended with another status, 11 too; by POST, with what is wrong.",
    )
    action: Annotated[tuple[RecordedAction, ...], kinds.some_of(RecordedAction)] = Field(
        default=(RecordedAction.ALL,), description="The actions whose runs are watched."
    )
    timeout: Annotated[timedelta, kinds.TIMEOUT] = Field(
        default=timedelta(seconds=10), description="How long one try may take."
    )


class Audit(_Table):
    """How discs are read again over the years. The options of `audit` count before these keys."""

    every: Annotated[timedelta, kinds.INTERVAL] = Field(
        default=timedelta(seconds=31_556_952),
        description="A disc is due for a check when a MiB of it was not read and found good for so long.",
    )
    medium: Annotated[Mapping[Medium, timedelta], kinds.MEDIA_INTERVALS] = Field(
        default_factory=_empty,
        validate_default=True,
        description="Media for which it is another time: a table `[audit.medium]` with lines such as "
        '`dvd-rw = "6 months"`.',
        json_schema_extra={"default": "none"},
    )
    sample: Annotated[Decimal, kinds.SHARE] = Field(
        default=Decimal(100),
        description="How much of a disc a run reads: of less than all, what was read longest ago.",
    )
    time_limit: Annotated[timedelta, kinds.TIMEOUT] | None = Field(
        default=None,
        description="How long one run may take; the next one goes on where it stopped.",
    )

    def interval(self, medium: Medium) -> timedelta:
        """How long a proof of such a medium is good."""
        return self.medium.get(medium, self.every)


class Schedule(_Table):
    """When `cedarchest all` is run: `cedarchest schedule install` has systemd or cron do so.

    `status` tells the next run, and those that were missed.
    """

    at: Annotated[tuple[time, ...], kinds.TIMES_OF_DAY] = Field(
        description="The time or times of day, by the clock of this machine."
    )


class Config(_Table):
    """A whole configuration. Made by `from_mapping`, or from a file by `load.load_config`."""

    options: Options = Field(default_factory=_empty, validate_default=True)
    catalog: Catalog = Field(default_factory=_empty, validate_default=True)
    collect: Collect | None = None
    stage: Stage | None = None
    peer: tuple[Peer, ...] = ()
    store: Store | None = None
    purge: Purge = Field(default_factory=_empty, validate_default=True)
    extension: Annotated[Mapping[str, Mapping[str, object]], kinds.EXTENSIONS] = Field(
        default_factory=_empty,
        validate_default=True,
        description="An extension that is to be run: an action of another package. Its keys are its own, and "
        "it checks them itself. Without its table, if only an empty one, an extension is not run.",
    )
    hook: tuple[Hook, ...] = ()
    notify: tuple[Notify, ...] = ()
    ping: tuple[Ping, ...] = ()
    audit: Audit = Field(default_factory=_empty, validate_default=True)
    schedule: Schedule | None = None

    @field_validator("catalog")
    @classmethod
    def _in_state_dir(cls, catalog: Catalog, info: ValidationInfo) -> Catalog:
        options: Options | None = info.data.get("options")
        if catalog.url or options is None:
            return catalog
        return catalog.model_copy(update={"url": f"sqlite:///{options.state_dir / 'catalog.sqlite'}"})

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], base: Path) -> Self:
        """The configuration of plain values, as TOML has them; `base` is where relative paths start.

        Raises:
            ConfigError: something is wrong; its `problems` name all of it.
        """
        problems = _repeated_names(mapping.get("peer"))
        config: Self | None = None
        try:
            context = {"base": base.absolute(), "extensions": _names(mapping.get("extension"))}
            config = cls.model_validate(dict(mapping), context=context)
        except ValidationError as error:
            problems = (*problem_lines(error, cls), *problems)
        if problems or config is None:
            raise ConfigError(told(problems), problems=problems)
        return config

    def require_collect(self) -> Collect:
        """The `[collect]` table.

        Raises:
            ConfigError: there is none.
        """
        return self.collect or _absent("collect", "`dir` and at least one [[collect.source]]")

    def require_stage(self) -> Stage:
        """The `[stage]` table.

        Raises:
            ConfigError: there is none.
        """
        return self.stage or _absent("stage", "`dir`, the staging folder")

    def require_store(self) -> Store:
        """The `[store]` table.

        Raises:
            ConfigError: there is none.
        """
        return self.store or _absent("store", '`device`, such as "/dev/sr0" or "shelf:DIR"')

    def require_schedule(self) -> Schedule:
        """The `[schedule]` table.

        Raises:
            ConfigError: there is none.
        """
        return self.schedule or _absent("schedule", '`at`, such as "02:30"')


def told(problems: Iterable[str]) -> str:
    """All problems as one message: on its line when there is one, else below each other."""
    lines = list(problems)
    return lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} problems:", *lines])


def _absent(table: str, needed: str) -> NoReturn:
    problem = f"{table}: is missing; a table, written as [{table}]"
    raise ConfigError(
        f"the configuration has no [{table}] table",
        problems=[problem],
        advice=f"Add a [{table}] table with {needed}.",
    )


def _names(tables: object) -> tuple[str, ...]:
    return tuple(map(str, tables)) if isinstance(tables, Mapping) else ()


def _repeated_names(peers: object) -> tuple[str, ...]:
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, peer in enumerate(peers if isinstance(peers, list | tuple) else ()):
        name = peer.get("name") if isinstance(peer, Mapping) else None
        if isinstance(name, str) and seen.setdefault(name, number) != number:
            problems.append(
                f"peer[{number}].name: {shown(name)} is the name of peer[{seen[name]}] too; a name of its own"
            )
    return tuple(problems)
