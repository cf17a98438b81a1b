"""What extensions share."""

from cedarchest_cedar.util import *  # noqa: F403 - the names are those of the module
