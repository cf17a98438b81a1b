"""The fixed choices of a configuration, by the texts that stand in the file."""

from __future__ import annotations

from enum import StrEnum

from cedarchest.model.closing import CloseDisc
from cedarchest.model.plan import NewDisc


class Weekday(StrEnum):
    """Days of the week, Monday first as in `datetime`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class CollectMode(StrEnum):
    """When a source is collected whole."""

    DAILY = "daily"
    WEEKLY = "weekly"
    INCR = "incr"


class ArchiveFormat(StrEnum):
    """How an archive is packed."""

    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_BZ2 = "tar.bz2"
    TAR_XZ = "tar.xz"
    TAR_ZST = "tar.zst"


class AdvanceOn(StrEnum):
    """What makes an incremental collect forget the changes it has handed over."""

    STORED = "stored"
    STAGED = "staged"


class IgnoreFailures(StrEnum):
    """Runs in which a peer may fail without failing the run."""

    NONE = "none"
    ALL = "all"
    DAILY = "daily"
    WEEKLY = "weekly"


class DeviceType(StrEnum):
    """What a device is."""

    AUTO = "auto"
    CDWRITER = "cdwriter"
    DVDWRITER = "dvdwriter"
    BDWRITER = "bdwriter"
    SHELF = "shelf"


class CheckTime(StrEnum):
    """When a session is read back."""

    NOW = "now"
    DEFERRED = "deferred"


class HookTime(StrEnum):
    """On which side of an action a hook runs."""

    BEFORE = "before"
    AFTER = "after"


class ActionName(StrEnum):
    """Actions that hooks may be tied to."""

    ALL = "all"
    BACKUP = "backup"
    COLLECT = "collect"
    STAGE = "stage"
    STORE = "store"
    REBUILD = "rebuild"
    PURGE = "purge"
    VALIDATE = "validate"
    INITIALIZE = "initialize"
    VERIFY = "verify"
    FIND = "find"
    RESTORE = "restore"
    AUDIT = "audit"


class ManagedAction(StrEnum):
    """Actions that a master may run on a peer."""

    COLLECT = "collect"
    PURGE = "purge"


class RecordedAction(StrEnum):
    """Actions whose runs are recorded, and may be told of."""

    ALL = "all"
    COLLECT = "collect"
    STAGE = "stage"
    STORE = "store"
    REBUILD = "rebuild"
    PURGE = "purge"
    INITIALIZE = "initialize"
    VERIFY = "verify"
    DISCS = "discs"
    SCHEDULE = "schedule"
    BACKUP = "backup"
    SEAL = "seal"
    COPY = "copy"
    CATALOG = "catalog"
    RESTORE = "restore"
    AUDIT = "audit"


OWN_ACTIONS = frozenset(
    {
        *map(str, ActionName),
        *("catalog", "copy", "discs", "drives", "history", "init", "migrate", "schedule", "seal", "status"),
    }
)
"""Names that no extension may have."""


class Outcome(StrEnum):
    """How a run ended, as in the JSON output."""

    OK = "ok"
    NOTHING_TO_DO = "nothing-to-do"
    PARTIAL = "partial"
    FAILED = "failed"


__all__ = [
    "OWN_ACTIONS",
    "ActionName",
    "AdvanceOn",
    "ArchiveFormat",
    "CheckTime",
    "CloseDisc",
    "CollectMode",
    "DeviceType",
    "HookTime",
    "IgnoreFailures",
    "NewDisc",
    "Outcome",
    "RecordedAction",
    "Weekday",
]
