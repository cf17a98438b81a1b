"""The standard validate action, done by cedarchest."""

from cedarchest_cedar.executing import executeValidate

__all__ = ["executeValidate"]
