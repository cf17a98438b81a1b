"""The postgresql extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import PostgresqlConfig, local_config

__all__ = ["LocalConfig", "PostgresqlConfig", "executeAction"]

executeAction = partial(executeExtension, "postgresql")
LocalConfig = local_config("postgresql", PostgresqlConfig)
