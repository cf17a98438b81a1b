"""The standard stage action, done by cedarchest."""

from cedarchest_cedar.executing import executeStage

__all__ = ["executeStage"]
