"""A drive, to look at the disc in it."""

from cedarchest_cedar.writers import DvdWriter, MediaCapacity

__all__ = ["DvdWriter", "MediaCapacity"]
