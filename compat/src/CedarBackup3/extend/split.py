"""The split extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import SplitConfig, local_config
from cedarchest_cedar.quantities import ByteQuantity

__all__ = ["SPLIT_INDICATOR", "ByteQuantity", "LocalConfig", "SplitConfig", "executeAction"]

SPLIT_INDICATOR = "cback.split"
executeAction = partial(executeExtension, "split")
LocalConfig = local_config("split", SplitConfig)
