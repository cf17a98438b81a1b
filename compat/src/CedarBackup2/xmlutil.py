"""How an extension reads its own section."""

from cedarchest_cedar.xmlutil import *  # noqa: F403 - the names are those of the module
