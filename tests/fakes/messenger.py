"""A messenger that sends nothing and keeps what it should have sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cedarchest.errors import ConfigError, NewsFailed
from cedarchest.ports import Address, News


@dataclass
class MemoryMessenger:
    """Whatever was sent, by address; nothing gets to those in `silent`."""

    silent: set[str] = field(default_factory=set)
    told: list[tuple[str, News]] = field(default_factory=list)
    pings: list[tuple[str, str, str]] = field(default_factory=list)

    def check_notify(self, address: Address) -> str:
        return _read(address).partition(":")[0]

    def check_ping(self, address: Address) -> str:
        return self.check_notify(address)

    def notify(self, address: Address, news: News, timeout_s: float) -> None:
        self.told.append((self._reached(address), news))

    def ping(self, address: Address, part: str, body: str, timeout_s: float) -> None:
        self.pings.append((self._reached(address), part, body))

    def _reached(self, address: Address) -> str:
        url = _read(address)
        if url in self.silent:
            raise NewsFailed("there was no answer")
        return url


def _read(address: Address) -> str:
    try:
        url = address.read_text().strip() if isinstance(address, Path) else address
    except OSError:
        raise ConfigError("the file with the address cannot be read") from None
    if "://" not in url:
        raise ConfigError("this is no address")
    return url
