"""Peers, on this machine and on others."""

from cedarchest_cedar.peer import *  # noqa: F403 - the names are those of the module
