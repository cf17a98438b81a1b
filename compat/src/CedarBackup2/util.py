"""What extensions share."""

from cedarchest_cedar.restricted import *  # noqa: F403 - the names are those of the module
from cedarchest_cedar.util import *  # noqa: F403
