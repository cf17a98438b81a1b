"""How an extension reads its own section."""

from cedarchest_cedar.xmlutil import *
