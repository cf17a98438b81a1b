"""The standard store action, done by cedarchest."""

from cedarchest_cedar.store import (
    consistencyCheck,
    createWriter,
    executeStore,
    logger,
    writeImage,
    writeStoreIndicator,
)

__all__ = ["consistencyCheck", "createWriter", "executeStore", "logger", "writeImage", "writeStoreIndicator"]
