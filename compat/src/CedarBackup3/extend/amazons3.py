"""The amazons3 extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension

__all__ = ["STORE_INDICATOR", "executeAction"]

STORE_INDICATOR = "cback.amazons3"
executeAction = partial(executeExtension, "amazons3")
