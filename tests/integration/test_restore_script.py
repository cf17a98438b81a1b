"""A machine comes back as of any day from its discs alone, by the script on them and a few common tools.

Two weeks of one machine are collected, staged and stored once for the module, over several discs; the script
runs in a root directory in which there is nothing but a shell, those tools and the discs.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.bare_root import BareRoot, add_program, bare_root
from tests.conftest import NOBODY, Project, Ran
from tests.life import FRI, LIFE, MON, ROOT, TUE, WED, Picture, lived, picture, without_attributes

SHELLS = {"dash": ("/bin/sh",), "bash": ("/bin/bash", "--posix"), "busybox": ("/bin/busybox", "sh")}


@dataclass(frozen=True)
class Years:
    """The discs as folders, how the machine was on each day, and where its files stand from `/` on."""

    discs: Path
    days: Mapping[str, Picture]
    home: str
    stored: Project

    def labels(self) -> list[str]:
        return sorted(path.name for path in self.discs.iterdir())


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Years]:
    project = Project(tmp_path_factory.mktemp("years") / "project")
    days = {day: without_attributes(seen) for day, seen in lived(project).items()}
    discs = project.root / "discs"
    for image in project.images():
        argv = ["xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", "/"]
        subprocess.run([*argv, str(discs / image.stem)], check=True, capture_output=True)
        subprocess.run(["chmod", "-R", "u+w", str(discs / image.stem)], check=True)
    yield Years(discs, days, str(project.root / "home"), project)
    subprocess.run(["chmod", "-R", "u+rwX", str(project.root)], check=True)
    shutil.rmtree(project.root)


@pytest.fixture(scope="module")
def bare(years: Years) -> BareRoot:
    made = bare_root(years.discs.parent / "root", {"sh": "dash", "bash": "bash", "busybox": "busybox"})
    years.discs.rename(made.root / "discs")
    return made


@pytest.fixture
def target(bare: BareRoot) -> Iterator[str]:
    """A folder in the bare root that is taken away again."""
    yield "/back"
    subprocess.run(["chmod", "-R", "u+rwX", str(bare.root / "back")], check=False, capture_output=True)
    shutil.rmtree(bare.root / "back", ignore_errors=True)


def script(
    bare: BareRoot,
    *arguments: str,
    shell: Sequence[str] = ("/bin/sh",),
    discs: Sequence[str] = (),
    user: str = "",
) -> Ran:
    """Run the script of the first disc with all others mounted, or of some."""
    first, *others = discs or [f"/discs/{disc.name}" for disc in sorted((bare.root / "discs").iterdir())]
    also = [word for disc in others for word in ("--also", disc)]
    return bare.run(f"{first}/CEDARCHEST/restore.sh", *also, *arguments, shell=shell, user=user)


def came_back(years: Years, bare: BareRoot) -> Picture:
    """How the files of the machine are that were restored."""
    return without_attributes(picture(bare.root / "back/here" / years.home[1:]))


def disc_of(day: str) -> str:
    return f"/discs/CC_{day.replace('/', '')}_001"


def archive_on(bare: BareRoot, day: str, end: str) -> Path:
    """The archive of a day whose name ends so."""
    (found,) = (bare.root / disc_of(day)[1:] / day / "here").glob(f"*{end}")
    return found


@contextlib.contextmanager
def damaged(path: Path, to: bytes | None = None) -> Iterator[None]:
    """A file with a bit flipped in its middle, or with other content, for a while."""
    content = path.read_bytes()
    half = len(content) // 2
    flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
    path.write_bytes(flipped if to is None else to)
    yield
    path.write_bytes(content)


@pytest.mark.long
@pytest.mark.parametrize("day", LIFE)
def test_a_machine_comes_back_as_it_was_on_every_day(
    years: Years, bare: BareRoot, target: str, day: str
) -> None:
    ran = script(bare, "host", "here", day, target)
    assert (ran.status, ran.err) == (0, ""), ran.out + ran.err
    assert came_back(years, bare) == years.days[day]
    etc = Path(years.home).parent / "etc/today"
    assert (bare.root / "back/here" / str(etc)[1:]).read_text() == day
    assert f"not an archive with an index: dump.zst of {day}" in ran.out
    assert not list((bare.root / "back").glob("*.unfinished"))


@pytest.mark.parametrize("shell", SHELLS)
def test_it_does_so_in_any_shell(years: Years, bare: BareRoot, target: str, shell: str) -> None:
    ran = script(bare, "host", "here", WED, target, shell=SHELLS[shell])
    assert (ran.status, ran.err) == (0, ""), ran.out + ran.err
    assert came_back(years, bare) == years.days[WED]


@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox"])
def test_it_does_so_with_any_awk(years: Years, bare: BareRoot, target: str, awk: str) -> None:
    add_program(bare.root, awk, awk)
    (bare.root / "bin/awk").rename(bare.root / "bin/awk.before")
    (bare.root / "bin/awk").symlink_to(awk)
    ran = script(bare, "host", "here", TUE, target)
    (bare.root / "bin/awk.before").rename(bare.root / "bin/awk")
    assert (ran.status, ran.err) == (0, ""), ran.out + ran.err
    assert came_back(years, bare) == years.days[TUE]


def test_an_ordinary_user_gets_all_but_the_owners(years: Years, bare: BareRoot, target: str) -> None:
    (bare.root / "back").mkdir(mode=0o777)
    (bare.root / "back").chmod(0o777)
    if ROOT:
        shutil.copytree(bare.root / "discs", bare.root / "their", symlinks=True)
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(bare.root / "their")], check=True)
    discs = [disc_of(day).replace("discs", "their" if ROOT else "discs") for day in LIFE]
    ran = script(bare, "host", "here", WED, target, discs=discs, user=f"{NOBODY}:{NOBODY}" if ROOT else "")
    shutil.rmtree(bare.root / "their", ignore_errors=True)
    assert (ran.status, ran.err) == (0, ""), ran.out + ran.err

    def without_owners(seen: Picture) -> Picture:
        return {name: (mode, *others) for name, (mode, _, _, *others) in seen.items()}

    assert without_owners(came_back(years, bare)) == without_owners(years.days[WED])


def test_without_a_disc_it_is_said_which_archives_are_missing(
    years: Years, bare: BareRoot, target: str
) -> None:
    ran = script(bare, "host", "here", TUE, target, discs=[disc_of(TUE)])
    assert ran.status == 1
    home = Path(years.home).parts
    name = "-".join(home[1:])
    assert f"{name}-odd.tar.zst of 2026-11-23 is missing" in ran.err
    assert f"no whole archive of {years.home} up to {TUE} is here" in ran.err
    assert f"{years.home[1:]}/odd/star*[a]?: FAILED open or read" in ran.out
    found = came_back(years, bare)
    assert found
    assert found.items() <= years.days[TUE].items()
    assert b"/ann/docs/f0" in found
    assert b"/ann/docs/f2" not in found


def test_days_that_were_copied_disc_by_disc_are_as_good_as_the_discs(
    years: Years, bare: BareRoot, target: str
) -> None:
    for day in (MON, TUE, WED):
        assert script(bare, "day", day, "/back/copies", discs=[disc_of(day)]).status == 0
    ran = script(bare, "host", "here", WED, target, discs=[disc_of(FRI), "/back/copies"])
    assert (ran.status, ran.err) == (0, ""), ran.out + ran.err
    assert came_back(years, bare) == years.days[WED]


def test_a_damaged_archive_is_named_and_all_else_comes_back(
    years: Years, bare: BareRoot, target: str
) -> None:
    archive = archive_on(bare, MON, "-home-odd.tar.zst")
    with damaged(archive):
        ran = script(bare, "host", "here", MON, target)
    assert ran.status == 1
    assert f"{archive.name} of 2026-11-23 is damaged" in ran.err
    found, whole = came_back(years, bare), years.days[MON]
    assert set(whole) - set(found) == {name for name in whole if name.startswith(b"/odd/")}
    assert found.items() <= whole.items()
    assert ran.out.count("FAILED") == len(whole) - len(found)


def test_a_damaged_archive_is_taken_from_another_disc_that_has_it(
    years: Years, bare: BareRoot, target: str
) -> None:
    archive = archive_on(bare, MON, "-home-odd.tar.zst")
    shutil.copytree(bare.root / disc_of(MON)[1:], bare.root / "copy", symlinks=True)
    with damaged(archive):
        ran = script(bare, "host", "here", MON, target, discs=[disc_of(MON), "/copy"])
    shutil.rmtree(bare.root / "copy")
    assert (ran.status, ran.err) == (0, ""), ran.out + ran.err
    assert came_back(years, bare) == years.days[MON]


def test_what_can_be_unpacked_of_a_damaged_archive_is_taken_when_asked(
    years: Years, bare: BareRoot, target: str
) -> None:
    archive = archive_on(bare, MON, "-etc.tar.gz")
    with damaged(archive, to=archive.read_bytes() + b"more than there was"):
        refused = script(bare, "host", "here", MON, f"{target}/1")
        ran = script(bare, "--damaged", "host", "here", MON, f"{target}/2")
    assert (refused.status, ran.status) == (1, 1)
    today = f"here/{str(Path(years.home).parent)[1:]}/etc/today"
    assert not (bare.root / "back/1" / today).exists()
    assert (bare.root / "back/2" / today).read_text() == MON


@pytest.mark.parametrize("end", ["-home.tar.zst.index.jsonl.gz", "-home.tar.zst.deleted"])
def test_a_damaged_list_is_named(years: Years, bare: BareRoot, target: str, end: str) -> None:
    spoilt = archive_on(bare, TUE, end)
    with damaged(spoilt, to=b"rubbish"):
        ran = script(bare, "host", "here", TUE, target)
    assert ran.status == 1
    assert f"{spoilt.name} of {TUE} is " in ran.err
    assert b"/ann/docs/f0" in came_back(years, bare)


def test_nothing_that_is_there_is_overwritten(bare: BareRoot, target: str) -> None:
    (bare.root / "back").mkdir()
    (bare.root / "back/here").symlink_to("/nowhere")
    ran = script(bare, "host", "here", MON, target)
    assert (ran.status, ran.err) == (1, "restore.sh: /back/here is there already\n")


@pytest.mark.parametrize(
    ("peer", "day", "said"),
    [
        ("nobody", MON, "no archive of nobody with an index up to 2026/11/23 is here"),
        ("here", "2026/11/22", "no archive of here with an index up to 2026/11/22 is here"),
        ("../here", MON, "usage"),
        ("here", "Monday", "usage"),
    ],
)
def test_what_is_not_there_is_said(bare: BareRoot, target: str, peer: str, day: str, said: str) -> None:
    ran = script(bare, "host", peer, day, target)
    assert ran.status in (1, 2)
    assert said in ran.err + ran.out
    assert not list(bare.root.glob("back/*"))


def test_all_discs_list_their_days(bare: BareRoot) -> None:
    assert script(bare, "days").out.split() == list(LIFE)
    ran = script(bare, "check")
    assert (ran.status, ran.out) == (0, "no problems found\n" * len(LIFE))
    with damaged(archive_on(bare, TUE, "-home.tar.zst")):
        ran = script(bare, "check", TUE)
    assert ran.status == 1
    assert "-home.tar.zst: FAILED" in ran.out
