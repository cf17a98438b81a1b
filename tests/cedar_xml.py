"""Configurations of Cedar Backup for tests: two whole ones, fragments, and what comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cedarchest.config.cedar.draft import Report
from cedarchest.config.cedar.translate import Migrated, migrate, without_reserved
from cedarchest.config.model import Config
from cedarchest.errors import ConfigError

EXAMPLES = Path(__file__).parent / "cedar_configs"
CEDAR_2 = EXAMPLES / "cback2.conf"
CEDAR_3 = EXAMPLES / "cback3.conf"
BASE = Path("/etc/cedarchest")


def document(sections: str) -> bytes:
    """A document with sections."""
    return f"<cb_config>{sections}</cb_config>".encode()


def migrated(xml: str | bytes | Path) -> Migrated:
    """What comes of a file, a document, or sections."""
    raw = xml.read_bytes() if isinstance(xml, Path) else document(xml) if isinstance(xml, str) else xml
    return migrate(raw, base=BASE, secrets_dir=BASE)


def ours(xml: str | bytes | Path) -> Config:
    """The configuration that comes of it, but for what is reserved."""
    return Config.from_mapping(without_reserved(migrated(xml).mapping), BASE)


def report(xml: str | bytes | Path) -> Report:
    """The report that comes of it."""
    return migrated(xml).report


def problems(xml: str | bytes) -> tuple[str, ...]:
    """Why it is refused; fails when it is not."""
    with pytest.raises(ConfigError) as refused:
        migrated(xml)
    assert refused.value.exit_code == 4
    return refused.value.problems


def collect(inside: str) -> str:
    """A `collect` section with all that is required."""
    return (
        "<collect><collect_dir>/c</collect_dir><collect_mode>daily</collect_mode><archive_mode>targz"
        f"</archive_mode><ignore_file>.no</ignore_file>{inside}</collect>"
    )


def store(inside: str = "", *, media: str = "dvd+r", kind: str = "dvdwriter") -> str:
    """A `store` section with all that is required."""
    return (
        f"<store><source_dir>/s</source_dir><media_type>{media}</media_type><device_type>{kind}</device_type>"
        f"<target_device>/dev/sr0</target_device>{inside}</store>"
    )
