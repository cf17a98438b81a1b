"""Turns an object with Cedar's attribute names into our configuration; absent and None mean the same."""

from __future__ import annotations

import logging
from pathlib import Path

from cedarchest.config.model import Config
from cedarchest.errors import ConfigError

logger = logging.getLogger("CedarBackup.actions.store")

MEDIA = {
    "cdr-74": "cd-r",
    "cdr-80": "cd-r",
    "cdrw-74": "cd-rw",
    "cdrw-80": "cd-rw",
    "dvd+r": "dvd+r",
    "dvd+rw": "dvd+rw",
}
DEVICE_TYPES = ("cdwriter", "dvdwriter")
SHELF = "shelf:"


def translate(config: object) -> Config:
    """Our configuration for a config object of Cedar's shape.

    Raises:
        ConfigError: something needed is absent or not known (a ValueError).
    """
    options, stage, store = (_section(config, name) for name in ("options", "stage", "store"))
    working = Path(str(_needed(options, "options", "workingDir")))
    table: dict[str, object] = {
        "options": {
            "state_dir": str(working / "cedarchest"),
            "starting_day": str(getattr(options, "startingDay", None) or "monday"),
        },
        "stage": {"dir": str(_needed(stage, "stage", "targetDir"))},
        "store": _store(store),
    }
    return Config.from_mapping(table, working)


def _section(config: object, name: str) -> object:
    section = getattr(config, name, None)
    if section is None:
        raise ConfigError(f"the configuration has no {name} section")
    return section


def _needed(section: object, name: str, attribute: str) -> object:
    value = getattr(section, attribute, None)
    if not value:
        raise ConfigError(f"the configuration has no {name}.{attribute}")
    return value


def _store(store: object) -> dict[str, object]:
    device = str(_needed(store, "store", "devicePath"))
    device_type = getattr(store, "deviceType", None) or "cdwriter"
    if device_type not in DEVICE_TYPES:
        raise ConfigError(f"the device type {device_type!r} is not known; allowed: {', '.join(DEVICE_TYPES)}")
    if not getattr(store, "checkData", None):
        logger.warning("checkData is off; the disc is checked all the same, or its day would not be proven")
    table: dict[str, object] = {
        "device": device,
        "device_type": "auto" if device.startswith(SHELF) else device_type,
        "check_media": bool(getattr(store, "checkMedia", None)),
        "warn_midnight": bool(getattr(store, "warnMidnite", None)),
        **_policy(getattr(store, "blankBehavior", None)),
    }
    media = getattr(store, "mediaType", None)
    if media:
        table["media"] = MEDIA.get(str(media), str(media))
    speed = getattr(store, "driveSpeed", None)
    if speed:
        table["speed"] = int(speed)
    return table


def _policy(behavior: object) -> dict[str, object]:
    """Cedar begins a new disc each week, unless a blanking behaviour says how full it must be."""
    if behavior is None:
        return {"new_disc": "weekly"}
    policy: dict[str, object] = {"new_disc": str(getattr(behavior, "blankMode", None) or "weekly")}
    factor = getattr(behavior, "blankFactor", None)
    if factor is not None:
        policy["blank_factor"] = float(factor)
    return policy
