"""Ways to choose what goes on a disc."""

from cedarchest_cedar.knapsack import *  # noqa: F403 - the names are those of the module
