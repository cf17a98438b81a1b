"""The encrypt extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension

__all__ = ["ENCRYPT_INDICATOR", "executeAction"]

ENCRYPT_INDICATOR = "cback.encrypt"
executeAction = partial(executeExtension, "encrypt")
