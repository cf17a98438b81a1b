"""Lists of paths."""

from cedarchest_cedar.filesystem import *  # noqa: F403 - the names are those of the module
