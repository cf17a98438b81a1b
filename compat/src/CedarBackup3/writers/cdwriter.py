"""A drive, to look at the disc in it."""

from cedarchest_cedar.writers import CdWriter, MediaCapacity

__all__ = ["CdWriter", "MediaCapacity"]
