"""The encrypt extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import EncryptConfig, local_config

__all__ = ["ENCRYPT_INDICATOR", "EncryptConfig", "LocalConfig", "executeAction"]

ENCRYPT_INDICATOR = "cback.encrypt"
executeAction = partial(executeExtension, "encrypt")
LocalConfig = local_config("encrypt", EncryptConfig)
