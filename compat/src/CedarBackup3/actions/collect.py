"""The standard collect action, done by cedarchest."""

from cedarchest_cedar.executing import executeCollect

__all__ = ["executeCollect"]
