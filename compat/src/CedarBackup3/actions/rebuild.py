"""The standard rebuild action, done by cedarchest."""

from cedarchest_cedar.executing import executeRebuild

__all__ = ["executeRebuild"]
