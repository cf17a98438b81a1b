"""What actions call their marks."""

from cedarchest_cedar.constants import *
