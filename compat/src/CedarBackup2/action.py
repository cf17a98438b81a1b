"""All standard actions in one place, as older extensions import them."""

from CedarBackup2.actions.collect import executeCollect
from CedarBackup2.actions.purge import executePurge
from CedarBackup2.actions.rebuild import executeRebuild
from CedarBackup2.actions.stage import executeStage
from CedarBackup2.actions.store import executeStore
from CedarBackup2.actions.validate import executeValidate

__all__ = [
    "executeCollect",
    "executePurge",
    "executeRebuild",
    "executeStage",
    "executeStore",
    "executeValidate",
]
