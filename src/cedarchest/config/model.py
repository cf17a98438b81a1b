"""The configuration as frozen values, one model for each table; attribute names are the TOML keys.

`Config.from_mapping` is the only way in: it fills what depends on the folder of the file, and turns
everything that is wrong into one `ConfigError`. Descriptions here become the reference page. A table
that names folders of its own (`collect`, `stage`, `store`) is None when absent; the others have
defaults throughout. `[collect]`, `[store]`, and `[[notify]]` with `[[ping]]` stand in modules of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from cedarchest.config import kinds
from cedarchest.config.choices import HookTime, IgnoreFailures, ManagedAction, Weekday
from cedarchest.config.collect import Collect
from cedarchest.config.news import Notify, Ping
from cedarchest.config.problems import problem_lines
from cedarchest.config.store import Store
from cedarchest.config.table import AbsolutePath, Argv, Flag, Size, Table, Text, Texts, need
from cedarchest.config.wording import shown
from cedarchest.errors import ConfigError
from cedarchest.model.media import Medium

_LATER: Any = None
"""A default that is worked out while validating."""


def _empty() -> Any:
    return {}


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


class Options(Table):
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


class Catalog(Table):
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


class Stage(Table):
    """The staging folder, in which days wait for the disc."""

    dir: AbsolutePath = Field(description="The staging folder; days are `YYYY/MM/DD` below it.")
    parallel: Annotated[int, kinds.whole(1, 64)] = Field(
        default=4, description="How many peers are staged at once."
    )
    reserve: Size = Field(
        default=0, description="Space that staging leaves free on the file system of the staging folder."
    )


class Peer(Table):
    """A machine that is backed up: a local one, or with `host` a remote one."""

    name: Annotated[str, kinds.OWN_NAME] = Field(
        description="The peer's folder in each day; no two peers share one."
    )
    host: Annotated[str, kinds.REMOTE_NAME] | None = Field(
        default=None, description="The remote machine, as ssh knows it; without it the peer is local."
    )
    collect_dir: AbsolutePath = Field(
        description="Where the peer leaves its archives; an absolute path when the peer is remote. A local "
        "one must not hold the staging folder, a shelf or `state_dir`."
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
            raise need("give the peer a host", "is for remote peers")
        return value


class PurgeDir(Table):
    """A directory that is kept small."""

    path: AbsolutePath = Field(description="The directory.")
    retain_days: Annotated[int, kinds.whole(0, 36_500)] = Field(
        description="Days that a file is kept; what is staged has the age of its day, "
        "other files that of the later of mtime and ctime."
    )
    require_stored: Flag = Field(
        default=True, description="Whether only what is proven to be on disc is deleted."
    )


class Purge(Table):
    """What is deleted when it is old."""

    dir: tuple[PurgeDir, ...] = Field(default=(), description="The directories that are kept small.")


class Hook(Table):
    """A program that is run before or after an action. No shell is involved.

    It has the environment of the run, and `CEDARCHEST_ACTION` and `CEDARCHEST_WHEN`.
    """

    action: Annotated[str, kinds.HOOKED] = Field(description="The action.")
    when: Annotated[HookTime, kinds.one_of(HookTime)] = Field(
        description="`before`: if it fails, the action does not begin. `after`: whatever came of the action, "
        "whose exit status is in `CEDARCHEST_STATUS`; if it fails, the run ends with 11."
    )
    argv: Argv = Field(description="The program and its arguments.")


class Audit(Table):
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


class Schedule(Table):
    """When `cedarchest all` is run: `cedarchest schedule install` has systemd or cron do so.

    `status` tells the next run, and those that were missed.
    """

    at: Annotated[tuple[time, ...], kinds.TIMES_OF_DAY] = Field(
        description="The time or times of day, by the clock of this machine."
    )


class Config(Table):
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
