"""Days, indicators and drives under the names of Cedar Backup's `actions.util` and `actions.constants`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cedarchest.adapters.clock import SystemClock
from cedarchest_cedar.constants import (
    COLLECT_INDICATOR,
    DIGEST_EXTENSION,
    DIR_TIME_FORMAT,
    INDICATOR_PATTERN,
    STAGE_INDICATOR,
    STORE_INDICATOR,
)
from cedarchest_cedar.filesystem import BackupFileList, FilesystemList
from cedarchest_cedar.util import changeOwnership
from cedarchest_cedar.writers import createWriter

__all__ = [
    "COLLECT_INDICATOR",
    "DIGEST_EXTENSION",
    "DIR_TIME_FORMAT",
    "INDICATOR_PATTERN",
    "MEDIA_LABEL_PREFIX",
    "STAGE_INDICATOR",
    "STORE_INDICATOR",
    "buildMediaLabel",
    "createWriter",
    "findDailyDirs",
    "getBackupFiles",
    "writeIndicatorFile",
]

MEDIA_LABEL_PREFIX = "CEDAR BACKUP"

DAY = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}")


def findDailyDirs(stagingDir: str, indicatorFile: str) -> list[str]:
    """The days of a staging dir that have no such indicator, oldest first.

    Raises:
        ValueError: there is no such directory.
    """
    top = FilesystemList()
    top.addDir(stagingDir)
    days = sorted(each for each in Path(stagingDir).glob("*/*/*") if each.is_dir())
    return [
        str(each)
        for each in days
        if DAY.fullmatch("/".join(each.parts[-3:])) and not (each / indicatorFile).exists()
    ]


def writeIndicatorFile(
    targetDir: str, indicatorFile: str, backupUser: str | None, backupGroup: str | None
) -> None:
    """Make an indicator, for the backup user. What a link of its name leads to is left alone.

    Raises:
        OSError: it cannot be made.
    """
    path = Path(targetDir, indicatorFile)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o644))
    changeOwnership(str(path), backupUser, backupGroup)


def getBackupFiles(targetDir: str) -> BackupFileList:
    """The files of a staged day, at any depth, without indicators.

    Raises:
        ValueError: there is no such directory.
    """
    files = BackupFileList()
    files.excludeLinks = True
    files.excludeBasenamePatterns = list(INDICATOR_PATTERN)
    files.addDirContents(targetDir)
    return files


def buildMediaLabel() -> str:
    """The label of a disc that Cedar Backup begins today; ours have labels of their own."""
    return f"{MEDIA_LABEL_PREFIX} {SystemClock().now():%d-%b-%Y}".upper()
