"""The capacity extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension
from cedarchest_cedar.extending import CapacityConfig, PercentageQuantity, local_config
from cedarchest_cedar.quantities import ByteQuantity

__all__ = ["ByteQuantity", "CapacityConfig", "LocalConfig", "PercentageQuantity", "executeAction"]

executeAction = partial(executeExtension, "capacity")
LocalConfig = local_config("capacity", CapacityConfig)
