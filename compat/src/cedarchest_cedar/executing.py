"""The other standard actions under their names: `executeCollect(configPath, options, config)` and its like.

`executeExtension` does what an extension of Cedar Backup's own did.

The configuration object is what counts; from the path comes only which catalog and journal are meant, those
of `cback3` with that file.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import NoReturn

from cedarchest.config.cedar.translate import migrate
from cedarchest.config.load import Loaded
from cedarchest.config.model import Config as OurConfig
from cedarchest.errors import CedarchestError, Interrupted, UnexpectedFailure
from cedarchest_cedar.as_xml import as_xml
from cedarchest_cedar.config import ExtendedAction, ExtensionsConfig, state_dir_of
from cedarchest_cedar.options import Options
from cedarchest_cedar.running import CedarRun
from cedarchest_cedar.translate import path_text
from cedarchest_cedar.xmlutil import createInputDom, readFirstChild

__all__ = [
    "executeCollect",
    "executeExtension",
    "executeInitialize",
    "executePurge",
    "executeRebuild",
    "executeStage",
    "executeValidate",
]


def executeCollect(configPath: str | Path, options: object, config: object) -> None:
    """Archive what this machine has.

    Raises:
        ValueError, OSError: the configuration is of no use; something could not be collected.
    """
    _execute("collect", configPath, options, as_xml(config))


def executeStage(configPath: str | Path, options: object, config: object) -> None:
    """Bring what peers collected into today's day.

    Raises:
        ValueError, OSError: the configuration is of no use; a peer is not ready.
    """
    _execute("stage", configPath, options, as_xml(config))


def executePurge(configPath: str | Path, options: object, config: object) -> None:
    """Delete what is old and proven to be on disc.

    Raises:
        ValueError, OSError: the configuration is of no use; something could not be deleted.
    """
    _execute("purge", configPath, options, as_xml(config))


def executeRebuild(configPath: str | Path, options: object, config: object) -> None:
    """Store the days of this week on a new disc.

    Raises:
        ValueError, OSError: the configuration is of no use; the week could not be stored.
    """
    _execute("rebuild", configPath, options, as_xml(config))


def executeValidate(configPath: str | Path, options: object, config: object) -> None:
    """See that all is there that the configuration wants.

    Raises:
        ValueError, OSError: it is not.
    """
    _execute("validate", configPath, options, as_xml(config))


def executeInitialize(configPath: str | Path, options: object, config: object) -> None:
    """Make the disc in the drive one that can be begun, if it is ours or blank.

    Raises:
        ValueError, OSError: the configuration is of no use; the disc may not be given up.
    """
    _execute("initialize", configPath, options, as_xml(config))


def executeExtension(name: str, configPath: str | Path, options: object, config: object) -> None:
    """Do what an extension of Cedar Backup's own did, by its section in the file.

    Raises:
        ValueError, OSError: the configuration is of no use; something could not be dumped.
    """
    raw = Path(path_text(configPath, "configPath")).read_bytes()
    section = readFirstChild(createInputDom(raw)[1], name)
    alone = copy(config)
    alone.extensions = ExtensionsConfig(  # type: ignore[attr-defined]
        [ExtendedAction(name, f"CedarBackup3.extend.{name}", "executeAction", 1)]
    )
    with_section = as_xml(alone).replace(
        "</cb_config>", (section.toxml() if section else "") + "</cb_config>"
    )
    _execute(name, configPath, options, with_section)


def _execute(word: str, config_path: str | Path, options: object, xml: str) -> None:
    path = Path(path_text(config_path, "configPath")).absolute()
    made = migrate(xml.encode(), base=path.parent, secrets_dir=state_dir_of(path))
    loaded = Loaded(OurConfig.from_mapping(made.mapping, path.parent), (), made.secrets, made)
    asked = Options([*(["--full"] if getattr(options, "full", False) else []), word])
    run = CedarRun(asked, str(path), loaded, hooks=False)
    try:
        well = run.run()
    except Interrupted as error:
        raise KeyboardInterrupt(error.message) from error
    except CedarchestError as error:
        _raise(error)
    if not well:
        raise LeftOut(f"{word} is done, but something was left out; the log says what")


class LeftOut(CedarchestError, OSError):
    """An action is done but for something that was left out."""


def _raise(error: CedarchestError) -> NoReturn:
    """Raise what is documented: a ValueError or an OSError."""
    if isinstance(error, UnexpectedFailure):
        raise OSError(error.message) from error
    raise error
