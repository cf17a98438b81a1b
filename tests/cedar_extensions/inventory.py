"""An extension of Cedar Backup by somebody else: lists of what is in folders, and what a program says.

Section of its own:

    <inventory>
      <collect_mode>daily | weekly | incr</collect_mode>
      <largest>2.5 KB</largest>
      <program>uname -s</program>
      <folder><abs_path>/etc</abs_path><hidden>Y</hidden><label>a</label><label>b</label></folder>
    </inventory>
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from CedarBackup3.cli import Options
from CedarBackup3.config import VALID_COLLECT_MODES, ByteQuantity, Config, readByteQuantity
from CedarBackup3.util import (
    UNIT_KBYTES,
    buildNormalizedPath,
    changeOwnership,
    displayBytes,
    executeCommand,
    isStartOfWeek,
    pathJoin,
    resolveCommand,
    splitCommandLine,
)
from CedarBackup3.xmlutil import (
    createInputDom,
    readBoolean,
    readChildren,
    readFirstChild,
    readString,
    readStringList,
)

logger = logging.getLogger("CedarBackup3.log.extend.inventory")

STATE = "inventory.state"
DEFAULT_LARGEST = ByteQuantity("1", UNIT_KBYTES)


@dataclass
class Folder:
    """A folder of which a list is made."""

    path: str
    hidden: bool
    labels: list[str]


@dataclass
class InventoryConfig:
    """The section of this extension."""

    mode: str
    largest: ByteQuantity
    program: str | None
    folders: list[Folder] = field(default_factory=list)


def read_section(config_path: str) -> InventoryConfig:
    """The section, from the file that the command was given."""
    _document, root = createInputDom(Path(config_path).read_text(encoding="utf-8"))
    section = readFirstChild(root, "inventory")
    if section is None:
        raise ValueError("Section <inventory> is required for the inventory extension.")
    mode = readString(section, "collect_mode") or "daily"
    if mode not in VALID_COLLECT_MODES:
        raise ValueError(f"Collect mode {mode} of <inventory> is not valid.")
    found = InventoryConfig(
        mode, readByteQuantity(section, "largest") or DEFAULT_LARGEST, readString(section, "program")
    )
    for each in readChildren(section, "folder"):
        path = readString(each, "abs_path")
        if not path or not path.startswith("/"):
            raise ValueError("Each <folder> of <inventory> needs an absolute <abs_path>.")
        labels = readStringList(each, "label") or []
        found.folders.append(Folder(path, bool(readBoolean(each, "hidden")), labels))
    return found


def executeAction(configPath: str, options: Options, config: Config) -> None:  # noqa: N802, N803 - theirs
    """What Cedar Backup calls."""
    logger.debug("Executing inventory extended action.")
    if config.options is None or config.collect is None or config.collect.targetDir is None:
        raise ValueError("Cedar Backup configuration is not properly filled in.")
    local = read_section(configPath)
    is_full = options.full or isStartOfWeek(config.options.startingDay or "")
    if local.mode == "weekly" and not is_full:
        logger.info("Inventory is weekly, and this is not the day.")
        return
    earlier = set() if is_full else read_state(config)
    seen = set()
    for folder in local.folders:
        seen |= write_list(config, local, folder, earlier if local.mode == "incr" else set())
    if local.program is not None:
        write_output(config, splitCommandLine(local.program))
    write_state(config, seen)
    logger.info("Executed the inventory extended action successfully.")


def write_list(config: Config, local: InventoryConfig, folder: Folder, earlier: set[str]) -> set[str]:
    """A line for each file of a folder that is not too large, less those of an earlier run."""
    seen, lines = set(), [f"labels: {', '.join(folder.labels)}"]
    for each in sorted(Path(folder.path).iterdir()):
        path = pathJoin(folder.path, each.name)
        if not each.is_file() or (each.name.startswith(".") and not folder.hidden):
            continue
        size = each.stat().st_size
        seen.add(path)
        if size > local.largest.bytes:
            logger.info("%s is larger than %s", path, displayBytes(local.largest.bytes))
        elif path not in earlier:
            lines.append(f"{displayBytes(size, 1)} {path}")
    keep(config, f"inventory-{buildNormalizedPath(folder.path)}.txt", lines)
    return seen


def write_output(config: Config, command: list[str]) -> None:
    """What a program says."""
    status, lines = executeCommand(resolveCommand([command[0]]), command[1:], returnOutput=True)
    if status != 0:
        raise OSError(f"Error ({status}) executing {command[0]}.")
    keep(config, "inventory-output.txt", [line.rstrip("\n") for line in lines or []])


def keep(config: Config, name: str, lines: list[str]) -> None:
    """Write a file in the collect dir, for the backup user."""
    assert config.options is not None
    assert config.collect is not None
    path = pathJoin(config.collect.targetDir or "", name)
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    changeOwnership(path, config.options.backupUser, config.options.backupGroup)


def read_state(config: Config) -> set[str]:
    """The paths of an earlier run."""
    assert config.options is not None
    try:
        text = Path(config.options.workingDir or "", STATE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return set()
    return set(text.splitlines())


def write_state(config: Config, seen: set[str]) -> None:
    """Keep the paths for a later run."""
    assert config.options is not None
    text = "".join(f"{path}\n" for path in sorted(seen))
    Path(config.options.workingDir or "", STATE).write_text(text, encoding="utf-8")
