"""A configuration and its sections."""

from cedarchest_cedar.config import *  # noqa: F403 - the names are those of the module
