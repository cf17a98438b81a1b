"""What actions share."""

from cedarchest_cedar.indicators import *  # noqa: F403 - the names are those of the module
