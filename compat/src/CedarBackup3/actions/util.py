"""What actions share."""

from cedarchest_cedar.indicators import *
