"""Extensions of Cedar Backup by somebody else that pack what is staged, and that store."""

from __future__ import annotations

import gzip
from pathlib import Path

from CedarBackup3.actions.store import executeStore
from CedarBackup3.actions.util import findDailyDirs, getBackupFiles, writeIndicatorFile
from CedarBackup3.cli import Options
from CedarBackup3.config import Config
from CedarBackup3.util import changeOwnership

INDICATOR = "cback.packed"


def pack(configPath: str, options: Options, config: Config) -> None:  # noqa: N803 - theirs
    """Replace each staged file by its packed form, as `encrypt` and `split` of Cedar Backup do."""
    if config.options is None or config.stage is None or config.stage.targetDir is None:
        raise ValueError("Cedar Backup configuration is not properly filled in.")
    user, group = config.options.backupUser, config.options.backupGroup
    for day in findDailyDirs(config.stage.targetDir, INDICATOR):
        for path in list(getBackupFiles(day)):
            packed = Path(f"{path}.gz")
            packed.write_bytes(gzip.compress(Path(path).read_bytes(), mtime=0))
            Path(path).unlink()
            changeOwnership(str(packed), user, group)
        writeIndicatorFile(day, INDICATOR, user, group)


def store(configPath: str, options: Options, config: Config) -> None:  # noqa: N803 - theirs
    """Store as the standard action does."""
    executeStore(configPath, options, config)
