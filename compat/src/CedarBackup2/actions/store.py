"""The standard store action, done by cedarchest."""

import logging

from cedarchest_cedar.store import StoreAction

logger = logging.getLogger("CedarBackup2.log.actions.store")

_action = StoreAction(logger)
executeStore = _action.executeStore
createWriter = _action.createWriter
writeImage = _action.writeImage
writeImageBlankSafe = _action.writeImageBlankSafe
writeStoreIndicator = _action.writeStoreIndicator
consistencyCheck = _action.consistencyCheck

__all__ = [
    "consistencyCheck",
    "createWriter",
    "executeStore",
    "logger",
    "writeImage",
    "writeImageBlankSafe",
    "writeStoreIndicator",
]
