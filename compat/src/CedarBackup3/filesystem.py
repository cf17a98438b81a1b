"""Lists of paths."""

from cedarchest_cedar.filesystem import *
