"""The standard initialize action, done by cedarchest."""

from cedarchest_cedar.executing import executeInitialize

__all__ = ["executeInitialize"]
