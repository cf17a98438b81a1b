"""All standard actions in one place, as older extensions import them."""

from CedarBackup3.actions.collect import executeCollect
from CedarBackup3.actions.purge import executePurge
from CedarBackup3.actions.rebuild import executeRebuild
from CedarBackup3.actions.stage import executeStage
from CedarBackup3.actions.store import executeStore
from CedarBackup3.actions.validate import executeValidate

__all__ = [
    "executeCollect",
    "executePurge",
    "executeRebuild",
    "executeStage",
    "executeStore",
    "executeValidate",
]
