"""Peers, on this machine and on others."""

from cedarchest_cedar.peer import *
