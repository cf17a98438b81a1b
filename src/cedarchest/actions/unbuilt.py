"""What a configuration may ask of a store that none can do yet: refused or said, never passed over."""

from __future__ import annotations

from cedarchest.config.model import Config
from cedarchest.errors import ConfigError
from cedarchest.ports import Ports


def refuse_unbuilt(config: Config, ports: Ports) -> None:
    """Refuse what the configuration asks of a store and none can do yet, rather than pass it over.

    Raises:
        ConfigError: names each such key.
    """
    store = config.require_store()
    if "load_delay" in store.model_fields_set:
        ports.reporter.warn("set, but without effect yet: store.load_delay")
