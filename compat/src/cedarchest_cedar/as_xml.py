"""A configuration object as XML again: what an extension set is read by what reads every file.

Only attributes are asked for, so any object of this shape will do; what is None or absent is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import escape

Fields = Mapping[str, str]

REFERENCE = {name: name for name in ("author", "revision", "description", "generator")}
OPTIONS = {
    "starting_day": "startingDay",
    "working_dir": "workingDir",
    "backup_user": "backupUser",
    "backup_group": "backupGroup",
    "rcp_command": "rcpCommand",
    "rsh_command": "rshCommand",
    "cback_command": "cbackCommand",
    "managed_actions": "managedActions",
}
LOCAL = {"name": "name", "collect_dir": "collectDir", "ignore_failures": "ignoreFailureMode"}
REMOTE = {
    **LOCAL,
    "backup_user": "remoteUser",
    "rcp_command": "rcpCommand",
    "rsh_command": "rshCommand",
    "cback_command": "cbackCommand",
    "managed": "managed",
    "managed_actions": "managedActions",
}
ITEM = {"abs_path": "absolutePath", "collect_mode": "collectMode", "archive_mode": "archiveMode"}
DIRECTORY = {
    **ITEM,
    "ignore_file": "ignoreFile",
    "link_depth": "linkDepth",
    "dereference": "dereference",
    "recursion_level": "recursionLevel",
}
COLLECT = {
    "collect_dir": "targetDir",
    "collect_mode": "collectMode",
    "archive_mode": "archiveMode",
    "ignore_file": "ignoreFile",
}
STORE = {
    "source_dir": "sourceDir",
    "media_type": "mediaType",
    "device_type": "deviceType",
    "target_device": "devicePath",
    "target_scsi_id": "deviceScsiId",
    "drive_speed": "driveSpeed",
    "check_data": "checkData",
    "check_media": "checkMedia",
    "warn_midnite": "warnMidnite",
    "no_eject": "noEject",
    "refresh_media_delay": "refreshMediaDelay",
    "eject_delay": "ejectDelay",
}
HOOK = {"action": "action", "command": "command"}
ACTION = {"name": "name", "module": "module", "function": "function", "index": "index"}
EXCLUDES = {
    "abs_path": "absoluteExcludePaths",
    "rel_path": "relativeExcludePaths",
    "pattern": "excludePatterns",
}


def as_xml(config: object) -> str:
    """The document that means the same."""
    sections: Mapping[str, Callable[[object], Iterator[str]]] = {
        "reference": lambda section: _fields(section, REFERENCE),
        "extensions": _extensions,
        "options": _options,
        "peers": _peers,
        "collect": _collect,
        "stage": _stage,
        "store": _store,
        "purge": _purge,
    }
    written = (
        _element(name, write(section))
        for name, write in sections.items()
        if (section := getattr(config, name, None)) is not None
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_element("cb_config", written)}\n'


def _element(name: str, inside: Iterator[str]) -> str:
    return f"<{name}>{''.join(inside)}</{name}>"


def _text(name: str, value: object) -> Iterator[str]:
    if isinstance(value, bool):
        value = "Y" if value else "N"
    elif isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    if value is not None:
        yield f"<{name}>{escape(str(value))}</{name}>"


def _fields(holder: object, fields: Fields) -> Iterator[str]:
    for name, attribute in fields.items():
        yield from _text(name, getattr(holder, attribute, None))


def _several(name: str, holder: object, attribute: str, fields: Fields) -> Iterator[str]:
    for each in getattr(holder, attribute, None) or ():
        yield _element(name, _fields(each, fields))


def _options(options: object) -> Iterator[str]:
    yield from _fields(options, OPTIONS)
    yield from _several("override", options, "overrides", {"command": "command", "abs_path": "absolutePath"})
    for hook in getattr(options, "hooks", None) or ():
        kind = "pre" if getattr(hook, "before", False) else "post"
        yield _element(f"{kind}_action_hook", _fields(hook, HOOK))


def _extensions(section: object) -> Iterator[str]:
    yield from _text("order_mode", getattr(section, "orderMode", None))
    for action in getattr(section, "actions", None) or ():
        depends = getattr(action, "dependencies", None)
        places = {"run_before": "beforeList", "run_after": "afterList"}
        inside = [] if depends is None else [_element("depends", _fields(depends, places))]
        yield _element("action", iter([*_fields(action, ACTION), *inside]))


def _peers(section: object) -> Iterator[str]:
    for kind, attribute, fields in (("local", "localPeers", LOCAL), ("remote", "remotePeers", REMOTE)):
        for peer in getattr(section, attribute, None) or ():
            yield _element("peer", iter([*_text("type", kind), *_fields(peer, fields)]))


def _collect(section: object) -> Iterator[str]:
    yield from _fields(section, COLLECT)
    yield from _excludes(section)
    yield from _several("file", section, "collectFiles", ITEM)
    for item in getattr(section, "collectDirs", None) or ():
        yield _element("dir", iter([*_fields(item, DIRECTORY), *_excludes(item)]))


def _excludes(holder: object) -> Iterator[str]:
    inside = [
        line
        for name, attribute in EXCLUDES.items()
        for each in getattr(holder, attribute, None) or ()
        for line in _text(name, each)
    ]
    if inside:
        yield _element("exclude", iter(inside))


def _stage(section: object) -> Iterator[str]:
    yield from _text("staging_dir", getattr(section, "targetDir", None))
    yield from _peers(section)


def _store(section: object) -> Iterator[str]:
    yield from _fields(section, STORE)
    if (blank := getattr(section, "blankBehavior", None)) is not None:
        yield _element("blank_behavior", _fields(blank, {"mode": "blankMode", "factor": "blankFactor"}))


def _purge(section: object) -> Iterator[str]:
    fields = {"abs_path": "absolutePath", "retain_days": "retainDays"}
    yield from _several("dir", section, "purgeDirs", fields)
