"""A configuration and its sections."""

from cedarchest_cedar.config import *
