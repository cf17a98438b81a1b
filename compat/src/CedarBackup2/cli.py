"""The command line, as an extension sees it."""

from cedarchest_cedar.options import Options

__all__ = ["Options"]
