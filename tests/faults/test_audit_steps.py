"""An audit that fails at its first step, its second, and so on until one passes: nothing false is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ports import (
    Fault,
    Killed,
    as_documented,
    failing,
    interrupted,
    killed,
    memory_config,
    memory_ports,
)
from tests.fakes.writer import Tray

from cedarchest.actions.audit import AuditOptions, AuditReport, execute_audit
from cedarchest.actions.store import StoreOptions, execute_store
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError
from cedarchest.model.disc import SessionStatus
from cedarchest.model.turns import Turns
from cedarchest.ports import Ports

pytestmark = pytest.mark.long

DAY = "2026/11/22"
MOST_STEPS = 200
READINGS = 6


@dataclass
class Sparing(Fault):
    """A fault that spares the clock, and all but the first readings: of small steps there are very many."""

    readings: int = 0

    def call(self, name: str, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self.readings += name == "writer.read"
        many = name in ("writer.read", "interrupts.pass_on", "reporter.advance")
        if name.startswith("clock.") or (many and self.readings > READINGS):
            return method(*arguments, **named)
        return super().call(name, method, *arguments, **named)


def stored(root: Path) -> tuple[Config, Ports, Tray]:
    """A disc with a day of two MiB."""
    folder = root / "staging" / DAY / "alpha"
    folder.mkdir(parents=True)
    (folder / "big").write_bytes(bytes(range(256)) * 4096)
    (folder.parent / "cback.stage").touch()
    tray = Tray()
    config, ports = memory_config(root), memory_ports(root, tray)
    execute_store(None, StoreOptions(), config, ports=ports)
    return config, ports, tray


def audit(config: Config, ports: Ports) -> AuditReport | BaseException:
    try:
        return execute_audit(config, AuditOptions(), ports=ports)
    except (CedarchestError, Killed) as error:
        return error


@pytest.mark.parametrize(
    ("error", "after", "scratch"),
    [
        pytest.param(as_documented, False, 300, id="errors, scratched"),
        pytest.param(killed, True, 300, id="kill, scratched"),
        pytest.param(interrupted, False, None, id="ctrl-c, whole"),
    ],
)
def test_an_audit_that_failed_at_any_step_is_put_right_by_one_further_run(
    tmp_path: Path, error: Callable[[str], BaseException], after: bool, scratch: int | None
) -> None:
    struck: set[str] = set()
    for step in range(1, MOST_STEPS):
        root = tmp_path / str(step)
        config, ports, tray = stored(root)
        assert tray.disc is not None
        tray.disc.scratched = set() if scratch is None else {scratch}
        fault = Sparing(step, error, after)
        audit(config, failing(ports, fault))
        if not fault.struck:
            break
        struck.add(fault.struck)
        said = f"step {step}: {fault.struck}"
        (disc,) = ports.catalog.discs()
        again = audit(config, ports)
        assert isinstance(again, AuditReport), f"{said}: {again!r}"
        (session,) = ports.catalog.sessions(disc.disc_id)
        is_marked = (root / "staging" / DAY / "cback.store").is_file()
        assert is_marked == (scratch is None), said
        assert session.status is (SessionStatus.VERIFIED if scratch is None else SessionStatus.BAD), said
        (verdict,) = again.verdicts
        assert (verdict.passed, verdict.whole) == (scratch is None, True), said
        if scratch is not None:
            found = ports.rescues.merged(disc.label)
            assert found is not None, said
            assert found[1].missing() == [(300, 300)], said
    else:
        pytest.fail("no run passed")
    assert {"catalog.put_turns", "catalog.add_check", "writer.read", "writer.observe"} <= struck
    if scratch is not None:
        assert {"rescues.put_map", "rescues.keep", "staging.unmark_stored"} <= struck


def test_an_audit_that_is_gone_on_with_reads_what_failed_since_it_was_begun(tmp_path: Path) -> None:
    config, ports, _ = stored(tmp_path)
    folder = tmp_path / "staging" / "2026/11/23" / "alpha"
    folder.mkdir(parents=True)
    (folder / "letter").write_bytes(b"Dear reader")
    (folder.parent / "cback.stage").touch()
    execute_store(None, StoreOptions(), config, ports=ports)
    (disc,) = ports.catalog.discs()
    first, second = ports.catalog.sessions(disc.disc_id)
    turns = {1: Turns.none(first.blocks), 2: replace(Turns.none(second.blocks), left=frozenset({0}))}
    ports.catalog.put_turns(disc.disc_id, turns)
    ports.catalog.put_session(replace(first, status=SessionStatus.BAD))
    report = audit(config, ports)
    assert isinstance(report, AuditReport)
    assert report.verdicts[0].blocks == first.blocks + second.blocks
    assert [each.status for each in ports.catalog.sessions(disc.disc_id)] == [SessionStatus.VERIFIED] * 2
    ports.catalog.put_turns(disc.disc_id, turns)
    report = audit(config, ports)
    assert isinstance(report, AuditReport)
    assert report.verdicts[0].blocks == second.blocks  # of the good one nothing was left
