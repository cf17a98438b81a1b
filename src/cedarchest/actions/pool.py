"""What concerns all peers alike: they are worked with side by side, and some may fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from cedarchest.config.choices import IgnoreFailures
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, PeerError
from cedarchest.ports import Ports

log = logging.getLogger(__name__)

POLL_S = 0.2
PARALLEL = 4
"""Peers at once where no `[stage]` says how many."""

Came = TypeVar("Came")


def side_by_side(
    config: Config,
    jobs: Mapping[str, Callable[[], Came]],
    ports: Ports,
    tell: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, Came | CedarchestError]]:
    """What came of each job, in order; an interrupt ends them all."""
    with ThreadPoolExecutor(config.stage.parallel if config.stage else PARALLEL) as pool:
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        pending = set(futures.values())
        try:
            while pending:
                pending = wait(pending, POLL_S).not_done
                ports.interrupts.check()
                tell()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            ports.peers.stop()
            raise
    for name, future in futures.items():
        error = future.exception()
        if isinstance(error, CedarchestError):
            yield name, error
        elif isinstance(error, Exception):  # whatever it is, it holds up no other peer
            log.debug("unexpected, of %s", name, exc_info=error)
            yield name, PeerError(f"{name} failed: {type(error).__name__}: {error}", peer=name)
        else:
            yield name, future.result()


def may_fail(config: Config, *, full: bool, ports: Ports) -> set[str]:
    """Peers whose failure does not fail this run; a `full` one is judged as on the starting day."""
    starting = full or ports.clock.now().weekday() == config.options.weekday
    now = IgnoreFailures.WEEKLY if starting else IgnoreFailures.DAILY
    return {peer.name for peer in config.peer if peer.ignore_failures in (IgnoreFailures.ALL, now)}
