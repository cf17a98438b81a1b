"""Ways to choose what goes on a disc."""

from cedarchest_cedar.knapsack import *
