"""What extensions share."""

from cedarchest_cedar.restricted import *
from cedarchest_cedar.util import *
