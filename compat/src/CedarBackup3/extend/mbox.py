"""The mbox extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import MboxConfig, MboxDir, MboxFile, local_config

__all__ = ["LocalConfig", "MboxConfig", "MboxDir", "MboxFile", "executeAction"]

executeAction = partial(executeExtension, "mbox")
LocalConfig = local_config("mbox", MboxConfig)
