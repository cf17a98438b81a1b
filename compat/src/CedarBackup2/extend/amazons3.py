"""The amazons3 extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import AmazonS3Config, local_config
from cedarchest_cedar.quantities import ByteQuantity

__all__ = ["STORE_INDICATOR", "AmazonS3Config", "ByteQuantity", "LocalConfig", "executeAction"]

STORE_INDICATOR = "cback.amazons3"
executeAction = partial(executeExtension, "amazons3")
LocalConfig = local_config("amazons3", AmazonS3Config)
