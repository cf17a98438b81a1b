"""The subversion extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import (
    BDBRepository,
    FSFSRepository,
    Repository,
    RepositoryDir,
    SubversionConfig,
    local_config,
)

__all__ = [
    "BDBRepository",
    "FSFSRepository",
    "LocalConfig",
    "Repository",
    "RepositoryDir",
    "SubversionConfig",
    "executeAction",
]

executeAction = partial(executeExtension, "subversion")
LocalConfig = local_config("subversion", SubversionConfig)
