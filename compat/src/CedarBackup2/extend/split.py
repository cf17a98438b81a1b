"""The split extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension

__all__ = ["SPLIT_INDICATOR", "executeAction"]

SPLIT_INDICATOR = "cback.split"
executeAction = partial(executeExtension, "split")
