"""Turns an object with Cedar's attribute names into our configuration; absent and None mean the same.

Only attributes are read, so any object will do. What a burner of ours tells by itself needs no
setting: the SCSI address is answered with a warning, the delay after an eject has nothing to wait
for. The tray stays as it is, with `noEject` or without: reading past the cache needs no eject.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from cedarchest.config.model import Config, told
from cedarchest.config.store import shelf_dir
from cedarchest.errors import ConfigError
from cedarchest.model.media import BLOCK, Medium

ADVICE = "Correct the configuration object that is handed over."

DEVICE_TYPES = ("cdwriter", "dvdwriter")
MEDIA = {
    "cdr-74": Medium.CD_R,
    "cdrw-74": Medium.CD_RW,
    "cdr-80": Medium.CD_R,
    "cdrw-80": Medium.CD_RW,
    **{str(medium): medium for medium in Medium},
}
MINUTES_74 = 74 * 60 * 75
"""Blocks of a 74-minute CD, of which only a shelf has to be told. Source: 75 sectors a second."""

CEDAR_NAMES = {
    "options.starting_day": "options.startingDay",
    "options.state_dir": "options.workingDir",
    "options.user": "options.backupUser",
    "options.group": "options.backupGroup",
    "stage.dir": "stage.targetDir",
    "store.device": "store.devicePath",
    "store.device_type": "store.deviceType",
    "store.media": "store.mediaType",
    "store.speed": "store.driveSpeed",
    "store.load_delay": "store.refreshMediaDelay",
    "store.new_disc": "store.blankBehavior.blankMode",
    "store.blank_factor": "store.blankBehavior.blankFactor",
}


def translate(config: object, logger: logging.Logger) -> Config:
    """Our configuration for a configuration of Cedar's shape; its `stage` may be absent.

    Raises:
        ConfigError: something that is needed is absent, or makes no sense (a ValueError).
    """
    if config is None:
        raise _wrong("there is no configuration")
    options, store = section(config, "options"), section(config, "store")
    stage = getattr(config, "stage", None)
    table: dict[str, object] = {"options": _options(options, config), "store": _store(store, logger)}
    if stage is not None:
        table["stage"] = {"dir": _directory(stage, "stage.targetDir")}
    try:
        return Config.from_mapping(table, Path("/"))
    except ConfigError as error:
        problems = [_in_cedar_names(problem) for problem in error.problems]
        raise ConfigError(told(problems), problems=problems, advice=ADVICE) from None


def section(config: object, name: str) -> object:
    """A section of a configuration.

    Raises:
        ConfigError: there is none.
    """
    found = getattr(config, name, None)
    if found is None:
        raise _wrong(f"the configuration has no {name} section")
    return found


def path_text(value: object, place: str) -> str:
    """A path, as text or bytes or an object that is one.

    Raises:
        ConfigError: it is none, or empty.
    """
    if isinstance(value, str | bytes | os.PathLike) and (text := os.fsdecode(value)):
        return text
    raise _wrong(f"{place} is {value!r}, which is no path")


def _options(options: object, config: object) -> dict[str, object]:
    working = Path(_directory(options, "options.workingDir"))
    state = _attribute(config, "stateDir")
    return _given(
        state_dir=str(working / "cedarchest") if state is None else path_text(state, "stateDir"),
        starting_day=_attribute(options, "startingDay"),
        user=_attribute(options, "backupUser"),
        group=_attribute(options, "backupGroup"),
    )


def _store(store: object, logger: logging.Logger) -> dict[str, object]:
    device = _path(store, "store.devicePath")
    on_shelf = shelf_dir(device) is not None
    name, medium = _medium(store)
    device_type = _device_type(store, medium)
    if _attribute(store, "deviceScsiId") is not None:
        logger.warning("store.deviceScsiId is ignored: %s is used by its path", device)
    delay = _attribute(store, "refreshMediaDelay")
    return _given(
        device=device,
        device_type="shelf" if on_shelf else device_type,
        media=medium,
        capacity=MINUTES_74 * BLOCK if on_shelf and name.endswith("-74") else None,
        check_media=flag(store, "store.checkMedia"),
        warn_midnight=flag(store, "store.warnMidnite"),
        speed=_number(_attribute(store, "driveSpeed")),
        load_delay=None if delay is None else f"{delay} s",
        **_policy(_attribute(store, "blankBehavior")),
    )


def _medium(store: object) -> tuple[str, Medium | None]:
    """The media type as it is called, and the medium that it is; None asks the drive."""
    name = _attribute(store, "mediaType")
    if name is None:
        return "", None
    if not isinstance(name, str) or name not in MEDIA:
        raise _wrong(f"the media type {name!r} is not known; one of {', '.join(MEDIA)}")
    return name, MEDIA[name]


def _device_type(store: object, medium: Medium | None) -> str | None:
    """Our device type; None asks the drive. Blu-ray came later: its writers are told as DVD writers."""
    name = _attribute(store, "deviceType")
    if name is None:
        return None
    if not isinstance(name, str) or name not in DEVICE_TYPES:
        raise _wrong(f"the device type {name!r} is not known; one of {', '.join(DEVICE_TYPES)}")
    return "bdwriter" if name == "dvdwriter" and medium in (Medium.BD_R, Medium.BD_RE) else name


def _policy(behavior: object) -> dict[str, object]:
    """Cedar begins a disc each week, unless a blanking behaviour says otherwise."""
    return {
        "new_disc": _attribute(behavior, "blankMode") or "weekly",
        "blank_factor": _number(_attribute(behavior, "blankFactor")),
    }


def _attribute(holder: object, name: str) -> object:
    return getattr(holder, name, None)


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _path(holder: object, place: str) -> str:
    value = _attribute(holder, place.rpartition(".")[2])
    if value is None:
        raise _wrong(f"the configuration has no {place}")
    return path_text(value, place)


def _directory(holder: object, place: str) -> str:
    text = _path(holder, place)
    if not text.startswith("/"):
        raise _wrong(f"{place} is {text!r}, which is no absolute path")
    return text


def flag(holder: object, place: str) -> bool:
    """Whether a switch is on; absent is off.

    Raises:
        ConfigError: it is neither on nor off.
    """
    value = _attribute(holder, place.rpartition(".")[2])
    if value is None or isinstance(value, int):
        return bool(value)
    raise _wrong(f"{place} is {value!r}, which is neither true nor false")


def blank_factor(behavior: object) -> float:
    """The factor of a blanking behaviour.

    Raises:
        ConfigError: there is none, or it is no number.
    """
    factor = _number(_attribute(behavior, "blankFactor"))
    if isinstance(factor, int | float) and factor >= 0:
        return float(factor)
    raise _wrong(f"the blankFactor {factor!r} is no number from 0 up")


def _number(value: object) -> object:
    """A number that may stand as text; what is none is left as it is, to be refused where it is read."""
    if isinstance(value, str):
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                return kind(value)
    return value


def _in_cedar_names(problem: str) -> str:
    place, colon, what = problem.partition(":")
    return f"{CEDAR_NAMES.get(place, place)}{colon}{what}"


def _wrong(problem: str) -> ConfigError:
    return ConfigError(problem, problems=[problem], advice=ADVICE)
