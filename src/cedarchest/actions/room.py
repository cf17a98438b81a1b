"""Room that is left on discs, where somebody wants to hear of it in time."""

from __future__ import annotations

from collections.abc import Collection

from cedarchest.actions.facts import free_blocks
from cedarchest.config.model import Config
from cedarchest.config.units import Margin, format_size
from cedarchest.model.media import BLOCK, MIB
from cedarchest.ports import Ports


def warn_of_room(config: Config, labels: Collection[str], ports: Ports) -> None:
    """Warn of each of these discs that takes sessions and has less room than is wished."""
    least = config.require_store().warn_free
    if least == Margin():
        return
    for disc in ports.catalog.discs():
        if disc.label not in labels or not disc.accepts_sessions or disc.given_up:
            continue
        free = free_blocks(disc, ports.catalog.sessions(disc.disc_id))
        if free < least.blocks(disc.capacity):
            room = format_size(free * BLOCK // MIB * MIB)
            ports.reporter.warn(f"{disc.label} has {room} left, less than {least}; have another disc ready")
