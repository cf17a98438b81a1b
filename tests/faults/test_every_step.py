"""A store that fails at its first step, its second, and so on until one passes.

After each failure there is no false mark, and one further run brings everything right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fakes.image import BLOCK
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
from tests.fakes.writer import MemoryDisc, Tray

from cedarchest.actions.facts import is_covered
from cedarchest.actions.store import StoreOptions, execute_store
from cedarchest.actions.verify import execute_verify
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError
from cedarchest.model.disc import SessionStatus
from cedarchest.model.media import Medium
from cedarchest.ports import Ports

pytestmark = pytest.mark.long

EARLIER, DAY = "2026/11/21", "2026/11/22"
MOST_STEPS = 400


@dataclass
class Shop:
    """A project in memory: staged days, a drive, a catalog."""

    root: Path
    tray: Tray
    ports: Ports
    config: Config

    def stage(self, day: str) -> None:
        folder = self.root / "staging" / day
        (folder / "alpha" / "sub").mkdir(parents=True)
        (folder / "alpha" / "letter").write_bytes(day.encode() * 300)
        (folder / "alpha" / "sub" / "empty").touch()
        (folder / "alpha" / "again").hardlink_to(folder / "alpha" / "letter")
        (folder / "alpha" / "link").symlink_to("letter")
        (folder / "cback.stage").touch()

    def store(self, fault: Fault | None = None) -> BaseException | None:
        """Run a store; what it raised, which is of the error tree or the end of the process."""
        ports = failing(self.ports, fault) if fault else self.ports
        try:
            execute_store(None, StoreOptions(), self.config, ports=ports)
        except (CedarchestError, Killed) as error:
            return error
        return None

    def marked(self, day: str) -> bool:
        return (self.root / "staging" / day / "cback.store").is_file()

    def proven(self, day: str) -> bool:
        """Whether a reading that passed stands behind the day as it is staged now."""
        seen = self.ports.staging.look(self.root / "staging" / day, day)
        sessions = [
            session
            for session, _ in self.ports.catalog.contents(day)
            if session.status is SessionStatus.VERIFIED
        ]
        checks = [check for session in sessions for check in self.ports.catalog.checks(session.disc_id)]
        read_back = {check.session for check in checks if check.passed}
        return is_covered(self.ports.catalog, seen, 1) and {each.number for each in sessions} <= read_back

    def is_on_disc(self, day: str) -> bool:
        """Whether the day's letter stands on the disc where its newest tree says."""
        assert self.tray.disc is not None
        newest = self.tray.disc.sessions[-1]
        address, size = newest.addresses[f"{day}/alpha/letter".encode()]
        found = bytes(self.tray.disc.blocks[address * BLOCK : address * BLOCK + size])
        return found == (self.root / "staging" / day / "alpha" / "letter").read_bytes()


@pytest.fixture(params=[Medium.DVD_PLUS_R, Medium.DVD_PLUS_RW], ids=str)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Shop]:
    """Opens a shop for each step."""

    def open_shop(step: int) -> Shop:
        root = tmp_path / f"step{step}"
        tray = Tray(disc=MemoryDisc(request.param))
        return Shop(root, tray, memory_ports(root, tray), memory_config(root))

    return open_shop


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [as_documented, interrupted, killed], ids=["errors", "ctrl-c", "kill"])
@pytest.mark.parametrize("append", [False, True], ids=["first session", "append"])
def test_a_store_that_failed_at_any_step_is_put_right_by_one_further_run(
    opened: Callable[[int], Shop], error: Callable[[str], BaseException], after: bool, append: bool
) -> None:
    struck: set[str] = set()
    for step in range(1, MOST_STEPS):
        shop = opened(step)
        if append:
            shop.stage(EARLIER)
            assert shop.store() is None
        shop.stage(DAY)
        fault = Fault(step, error, after)
        raised = shop.store(fault)
        if not fault.struck:
            assert raised is None
            break
        struck.add(fault.struck)
        assert_nothing_false(shop, fault)
        assert_put_right(shop, fault, EARLIER if append else DAY)
    else:
        pytest.fail("no run passed")
    ports = {name.partition(".")[0] for name in struck}
    assert ports >= {"catalog", "drives", "writer", "staging", "workspace", "locks", "interrupts", "tools"}
    assert {"writer.write", "writer.read", "catalog.record_proof", "staging.mark_stored"} <= struck


def assert_nothing_false(shop: Shop, fault: Fault) -> None:
    if shop.marked(DAY):
        assert shop.proven(DAY), f"marked without proof, after step {fault.at}: {fault.struck}"


def assert_put_right(shop: Shop, fault: Fault, first: str) -> None:
    """One run more; a disc that was found bad is replaced first, as the message asks."""
    said = f"step {fault.at}: {fault.struck}"
    disc, burns = shop.tray.disc, shop.tray.burns
    assert disc is not None
    whole = [session for session in shop.ports.catalog.discs() if session.accepts_sessions]
    was_found_bad = len(shop.ports.catalog.discs()) > len(whole)
    days_on_disc = {path for one in disc.sessions for path in one.tree}
    if was_found_bad:
        shop.tray.disc = MemoryDisc(disc.medium)
    again = shop.store()
    assert again is None, f"{said}: {again!r}"
    assert shop.marked(DAY), said
    assert shop.proven(DAY), said
    assert shop.is_on_disc(DAY), said
    if not was_found_bad:
        assert shop.marked(first), said
        assert shop.tray.burns == burns + (DAY.encode() not in days_on_disc), f"{said}: burnt twice"
        verdicts = execute_verify(shop.config, (), ports=shop.ports)
        assert not verdicts.problems, said


@pytest.mark.parametrize("cut", [0, 10, 17, 19, 40, 60], ids="{} blocks".format)
@pytest.mark.parametrize("append", [False, True], ids=["first session", "append"])
def test_a_burn_that_was_cut_off_leaves_its_disc_in_use(
    opened: Callable[[int], Shop], cut: int, append: bool
) -> None:
    shop = opened(0)
    if append:
        shop.stage(EARLIER)
        assert shop.store() is None
    shop.stage(DAY)
    shop.tray.cut_off_after = cut
    assert shop.store() is not None
    assert shop.tray.burns == append + 1
    assert not shop.marked(DAY)
    assert shop.store() is None
    assert shop.marked(DAY)
    assert shop.is_on_disc(DAY)
    assert shop.ports.catalog.discs()[-1].accepts_sessions
    assert sum(disc.accepts_sessions for disc in shop.ports.catalog.discs()) == 1
    assert not execute_verify(shop.config, (), ports=shop.ports).problems
