"""Has all that runs of the program import, for processes that are forked from the one which imports this."""

from __future__ import annotations

import gc
import importlib
import pkgutil
from pathlib import Path

import cedarchest
from cedarchest.cli import program
from cedarchest.config.model import Config

for module in pkgutil.walk_packages(cedarchest.__path__, "cedarchest."):
    if "migrations" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
program()
Config.from_mapping({"options": {"state_dir": "/nowhere"}}, Path("/nowhere"))  # makes its validators
gc.collect()
gc.freeze()  # so that looking for garbage in a child copies none of this
