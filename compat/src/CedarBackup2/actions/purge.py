"""The standard purge action, done by cedarchest."""

from cedarchest_cedar.executing import executePurge

__all__ = ["executePurge"]
