"""The subversion extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from functools import partial

from cedarchest_cedar.executing import executeExtension

__all__ = ["executeAction"]

executeAction = partial(executeExtension, "subversion")
