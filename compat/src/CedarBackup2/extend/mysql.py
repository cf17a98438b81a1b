"""The mysql extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import MysqlConfig, local_config

__all__ = ["LocalConfig", "MysqlConfig", "executeAction"]

executeAction = partial(executeExtension, "mysql")
LocalConfig = local_config("mysql", MysqlConfig)
