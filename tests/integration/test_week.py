"""A pool of three machines through a week of nights: what ever existed is on the discs, by tar alone."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project
from tests.pool import peers
from tests.sshd import Sshd

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PROGRAM = Path(sys.executable).with_name("cedarchest")
MONDAY = date(2026, 11, 23)
LOST = date(2026, 11, 26)
"""The day on which the staging disk is lost between stage and store."""

Tree = Mapping[str, object]


def tree(top: Path) -> Tree:
    """All that stands in a folder."""
    return {
        str(path.relative_to(top)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else "folder"
        for path in top.rglob("*")
    }


@dataclass
class Machine:
    """A machine of the pool: its files, and how they were at each night's collect."""

    name: str
    root: Path
    keys: dict[str, object]
    dice: random.Random
    nights: dict[date, Tree] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def collect_dir(self) -> Path:
        return self.root / "collect"

    def tables(self) -> str:
        """Its `[collect]`, as TOML."""
        keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.keys.items())
        return (
            f'[collect]\ndir = "{self.collect_dir}"\nmode = "incr"\n'
            f'[[collect.source]]\npath = "{self.home}"\n{keys}'
        )

    def live(self) -> None:
        """A day's work: files come, go, change, are renamed, linked, and whole folders disappear."""
        dice = self.dice
        for user in ("ann", "bob", "eve"):
            for _ in range(4):
                path = self.home / user / f"d{dice.randrange(3)}" / f"f{dice.randrange(10**6)} \xe9"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(dice.randbytes(dice.randrange(20_000)))
        there = sorted(path for path in self.home.rglob("*") if path.is_file() and not path.is_symlink())
        for path in dice.sample(there, 3):
            path.unlink()
            there.remove(path)
        for path in dice.sample(there, 3):
            path.write_bytes(dice.randbytes(path.stat().st_size))
        for path in dice.sample(there, 2):
            path.rename(path.with_name(f"renamed{dice.randrange(10**6)}"))
        (self.home / f"link{dice.randrange(10**6)}").symlink_to("ann/nowhere")
        if dice.random() < 0.4:
            shutil.rmtree(dice.choice(sorted(self.home.glob("*/d*"))))

    def sleep(self, night: date) -> None:
        """Remember what there is."""
        self.nights[night] = tree(self.home)


@pytest.fixture
def machines(project: Project) -> list[Machine]:
    names: dict[str, dict[str, object]] = {
        "here": {},
        "archive": {"archive": "tar.gz"},
        "mail": {"recursion_level": 1},
    }
    made = [
        Machine(name, project.root / name, keys, random.Random(number))
        for number, (name, keys) in enumerate(names.items())
    ]
    for machine in made:
        machine.home.mkdir(parents=True)
    return made


@contextlib.contextmanager
def pool(project: Project, machines: list[Machine], tmp_path: Path, **store: object) -> Iterator[None]:
    """The master collects itself, has the other two collect by ssh, and stages all."""
    with Sshd(tmp_path / "sshd") as server:
        tables: list[dict[str, object]] = []
        for machine in machines:
            away = {} if machine.name == "here" else server.peer
            config = machine.root / "cedarchest.toml"
            if away:
                away |= {"managed": True, "managed_command": [str(PROGRAM), "-c", str(config)]}
            tables.append({"name": machine.name, **away, "collect_dir": str(machine.collect_dir)})
            config.write_text(
                f'[options]\nstate_dir = "state"\n{machine.tables()}'
                f'[[purge.dir]]\npath = "{machine.collect_dir}"\nretain_days = 2\n'
            )
        peers(project, *tables)
        text = project.config.read_text() + machines[0].tables()
        keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in store.items())
        text = text.replace('device = "shelf:shelf"\n', keys)
        text += f'[[purge.dir]]\npath = "{project.staging}"\nretain_days = 2\n'
        project.config.write_text(text)
        yield


def night(project: Project, machines: list[Machine], day: date, environ: Mapping[str, str]) -> None:
    """Everybody works, and the master has everything done."""
    project.environ["CEDARCHEST_NOW"] = f"{day}T23:00"
    for machine in machines:
        machine.live()
        machine.sleep(day)
    if day == LOST:
        for action in (["collect", "--managed"], ["stage"]):
            assert project.run(*action).status == 0
        shutil.rmtree(project.staging / f"{day:%Y/%m/%d}")
        return
    ran = project.run("--json", "all", "--managed", environ=environ)
    assert ran.status == 0, ran.out + ran.err
    assert [each["action"] for each in json.loads(ran.out)["actions"]] == [
        "collect",
        "stage",
        "store",
        "purge",
    ]


def restored(days: Path, machine: str, until: date, into: Path) -> Tree:
    """A machine's files as of a night, from the days of its week as they stand on the discs."""
    into.mkdir(parents=True)
    first = until - timedelta(days=until.weekday())
    for day in (first + timedelta(days=number) for number in range(until.weekday() + 1)):
        folder = days / f"{day:%m/%d}" / machine
        script = """
            for list in "$0"/*.deleted; do [ ! -e "$list" ] || xargs -0r rm -rf -- < "$list"; done
            for archive in "$0"/*.tar.zst "$0"/*.tar.gz; do [ ! -e "$archive" ] || tar -xpf "$archive"; done
        """
        subprocess.run(["sh", "-ec", script, str(folder)], cwd=into, check=True)
    return tree(next(into.glob("**/home")))


def by_the_program(
    project: Project, machine: Machine, day: date, tmp_path: Path, environ: Mapping[str, str]
) -> Tree:
    """A machine's files as of a night, as `restore` brings them back; they are taken away again."""
    back = tmp_path / "restored"
    named = ("--peer", machine.name, "--as-of", str(day), "--to", str(back))
    ran = project.run("restore", *named, environ=environ)
    assert ran.status == 0, ran.out + ran.err
    found = tree(back / machine.name / str(machine.home)[1:])
    shutil.rmtree(back)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("device", ["shelf", "bd-r"])
def test_whatever_existed_at_a_stored_night_comes_back_from_the_discs(
    project: Project, machines: list[Machine], tmp_path: Path, device: str
) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(8)]
    discs = tmp_path / "discs"
    with contextlib.ExitStack() as stack:
        if device == "shelf":
            keys: dict[str, object] = {"device": "shelf:shelf", "capacity": "6 MiB", "margin": "0 B"}
            environ: Mapping[str, str] = {}
        else:
            require()
            keys = {"device": "/dev/sr0"}
            environ = stack.enter_context(Burner(profile="bd-r")).env()
        stack.enter_context(pool(project, machines, tmp_path, **keys))
        for day in days:
            night(project, machines, day, environ)
        ran = project.run("verify", environ=environ)
        assert ran.status == 0, ran.err
        for machine in machines:
            for day in days:
                if day != LOST:
                    assert by_the_program(project, machine, day, tmp_path, environ) == machine.nights[day]
        sources = [f"stdio:{image}" for image in project.images()] or ["/dev/sr0"]
        assert len(sources) > 1 or device != "shelf"
        for source in sources:
            subprocess.run(
                ["xorriso", "-no_rc", "-osirrox", "on", "-indev", source, "-extract", "/2026", str(discs)],
                env={**os.environ, **environ}, check=True, capture_output=True,
            )  # fmt: skip
    stored = [day for day in days if day != LOST]
    assert sorted(path.parent.name + path.name for path in discs.glob("*/*")) == [
        f"{day:%m%d}" for day in stored
    ]
    for machine in machines:
        for day in stored:
            back = restored(discs, machine.name, day, tmp_path / "back" / machine.name / str(day))
            assert back == machine.nights[day], (machine.name, day)
    assert sorted(path.name for path in project.staging.glob("2026/11/*")) == ["29", "30"]
