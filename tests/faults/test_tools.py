"""xorriso missing, old, lying, garbled, hanging and dying: no mark, no guess, and the next run puts it right.

The fakes are small shell scripts that stand first on PATH; most of them run the real one in the end.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.conftest import Project

from cedarchest.adapters.xorriso import Limits, Xorriso
from cedarchest.adapters.xorriso_words import BurnOptions
from cedarchest.errors import ToolError, ToolTimeout
from cedarchest.ports import Graft, SessionSource

DAY = "2026/11/22"
REAL = shutil.which("xorriso") or "xorriso"
IS_BURN = 'case "$*" in *-options_from_file*) ;; *) exec ' + REAL + ' "$@";; esac\n'
DRAIN = 'for each; do case "$each" in /dev/fd/*) cat "$each" >/dev/null;; esac; done\n'
SIZE = "echo 'R:1: Image size   : 100s'\n"

Fake = Callable[[str], dict[str, str]]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Puts a script in xorriso's place; gives the environment in which it is found."""

    def install(script: str) -> dict[str, str]:
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        tool = folder / "xorriso"
        tool.write_bytes(b"#!/bin/sh\n" + script.encode("latin-1"))
        tool.chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return install


def sessions(project: Project) -> list[dict[str, object]]:
    """All sessions the catalog knows, of all discs."""
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [session for disc in details for session in disc["sessions"]]


def assert_next_run_stores(project: Project) -> None:
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert project.is_marked(DAY)
    assert [each["status"] for each in sessions(project)].count("verified") == 1


def test_without_xorriso_a_store_says_how_to_install_it(project: Project, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    project.stage(DAY)
    ran = project.run("--json", "store", environ={"PATH": str(tmp_path / "none")})
    assert ran.status == 9
    error = ran.json["error"]
    assert isinstance(error, dict)
    assert (error["kind"], error["tool"]) == ("ToolMissing", "xorriso")
    assert "apt-get install xorriso" in error["advice"]
    assert not project.is_marked(DAY)
    assert project.images() == []
    assert_next_run_stores(project)


def test_validate_names_a_missing_xorriso(project: Project, tmp_path: Path) -> None:
    ran = project.run("validate", environ={"PATH": str(tmp_path)})
    assert ran.status == 9
    assert "xorriso is not installed" in ran.err


def test_an_old_xorriso_is_refused_before_it_writes(project: Project, fake: Fake) -> None:
    environ = fake("echo 'xorriso version   :  1.5.2'\n")
    project.stage(DAY)
    ran = project.run("store", environ=environ)
    assert ran.status == 9
    assert "1.5.2" in ran.err
    assert "1.5.4" in ran.err
    assert project.images() == []
    assert not project.is_marked(DAY)


def test_a_xorriso_without_a_version_is_not_believed(project: Project, fake: Fake) -> None:
    environ = fake("exit 0\n")
    project.stage(DAY)
    ran = project.run("store", environ=environ)
    assert ran.status == 9
    assert not project.is_marked(DAY)


def test_a_xorriso_that_cannot_be_run_is_a_tool_error(project: Project, fake: Fake) -> None:
    environ = fake("")
    (Path(environ["PATH"].partition(":")[0]) / "xorriso").write_bytes(b"\x7fELF no program")
    project.stage(DAY)
    ran = project.run("store", environ=environ)
    assert ran.status == 9
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "said",
    ["", "echo 'I:1: Writing to stdio:x completed successfully.'\n"],
    ids=["silent", "claiming success"],
)
def test_a_burn_that_wrote_nothing_is_found_out(project: Project, fake: Fake, said: str) -> None:
    environ = fake(IS_BURN + SIZE + DRAIN + said + "exit 0\n")
    project.stage(DAY)
    ran = project.run("store", environ=environ)
    assert ran.status == 9, ran.err
    assert not project.is_marked(DAY)
    assert_next_run_stores(project)


def test_a_question_answered_with_status_0_and_nothing_else_is_no_blank_disc(
    project: Project, fake: Fake
) -> None:
    project.stage(DAY)
    assert project.run("store").status == 0
    before = project.images()[0].read_bytes()
    project.stage("2026/11/23")
    ran = project.run("store", environ=fake('case "$*" in *-toc*) exit 0;; esac\nexec ' + REAL + ' "$@"\n'))
    assert ran.status == 9
    assert [image.read_bytes() for image in project.images()] == [before]
    assert not project.is_marked("2026/11/23")


def test_noise_in_the_transcript_does_not_disturb_a_store(project: Project, fake: Fake) -> None:
    """After each line another one of bytes that are no UTF-8."""
    noise = r"p;s/.*/I:1: \xff\xfe\x80 noise \xc3/"
    environ = fake(
        f'{{ {REAL} "$@"; echo $? >"$0.$$"; }} | sed -u "{noise}"\n'
        'status=$(cat "$0.$$"); rm "$0.$$"; exit "$status"\n'
    )
    project.stage(DAY)
    ran = project.run("-vv", "store", environ=environ)
    assert ran.status == 0, ran.err
    assert project.is_marked(DAY)


def test_bytes_that_are_no_utf8_in_a_failure_come_out_as_json(project: Project, fake: Fake) -> None:
    environ = fake(IS_BURN + "printf 'I:1: xorriso : FATAL : broken \\377\\376\\n'\nexit 5\n")
    project.stage(DAY)
    ran = project.run("--json", "store", environ=environ)
    assert ran.status == 9
    assert "broken" in str(ran.json["error"])
    assert not project.is_marked(DAY)


def test_a_burn_killed_in_its_middle_leaves_no_mark(project: Project, fake: Fake) -> None:
    project.stage(DAY, {"large": os.urandom(1 << 20) * 48, "small": b"small"})
    environ = fake(
        IS_BURN
        + f'{REAL} "$@" &\npid=$!\n'
        + "while kill -0 $pid 2>/dev/null; do\n"
        + f"  for image in {project.shelf}/*.iso; do\n"
        + '    [ -f "$image" ] && [ "$(stat -c %s "$image")" -gt 4000000 ] && kill -9 $pid 2>/dev/null\n'
        + "  done\n"
        + "done\nexit 137\n"
    )
    ran = project.run("store", environ=environ)
    assert ran.status == 9, ran.err
    assert not project.is_marked(DAY)
    assert_next_run_stores(project)


def test_an_append_killed_in_its_middle_leaves_the_first_session_good(project: Project, fake: Fake) -> None:
    project.stage(DAY)
    assert project.run("store").status == 0
    size = project.images()[0].stat().st_size
    project.stage("2026/11/23", {"large": os.urandom(1 << 20) * 48})
    environ = fake(
        IS_BURN
        + f'{REAL} "$@" &\npid=$!\nwhile kill -0 $pid 2>/dev/null; do\n'
        + f'  [ "$(stat -c %s {project.images()[0]})" -gt {size + 4_000_000} ] && kill -9 $pid 2>/dev/null\n'
        + "done\nexit 137\n"
    )
    assert project.run("store", environ=environ).status == 9
    assert project.is_marked(DAY)
    assert not project.is_marked("2026/11/23")
    assert project.run("verify", str(project.images()[0])).status == 0
    assert project.run("store").status == 0
    assert project.is_marked("2026/11/23")
    assert project.run("verify").status == 0


def test_start_up_files_of_xorriso_change_nothing(project: Project) -> None:
    home = project.root / "home"
    for name in (".xorrisorc", ".config/xorriso/xorriso.conf", "xorrisorc"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("-volid EVIL\n-joliet off\n-compliance no_emul_toc\n")
    (project.root / ".xorrisorc").write_text("-volid EVIL\n")
    project.stage(DAY)
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "LC_ALL": "de_DE.UTF-8"}
    ran = project.run("store", environ=environ)
    assert ran.status == 0, ran.err
    image = project.images()[0]
    assert image.read_bytes()[48 * 2048 + 40 :][:32].rstrip() == image.stem.encode()


# -- hanging: called directly, with limits that a test can wait for ---------------------------------

SHORT = Limits(question_s=0.5, burn_s=0.5)
SAYS_PID = 'echo $$ >"$0.pid"\n'


NULL = (Graft(b"/dev/null", b"/x"),)


def burn(tool: Xorriso, image: Path, grafts: Sequence[Graft] = NULL) -> None:
    tool.burn(
        SessionSource("TEST", 0, (), grafts, (), 0),
        BurnOptions(f"stdio:{image}"),
        confirm=lambda _: None,
        progress=lambda _: None,
    )


def assert_ended(environ: dict[str, str]) -> None:
    pid = (Path(environ["PATH"].partition(":")[0]) / "xorriso.pid").read_text().strip()
    assert not Path(f"/proc/{pid}").exists()


def test_a_question_that_is_never_answered_ends_in_time(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = fake(SAYS_PID + "exec sleep 600\n")
    monkeypatch.setenv("PATH", environ["PATH"])
    with pytest.raises(ToolTimeout, match="said nothing"):
        Xorriso(SHORT).version()
    assert_ended(environ)


@pytest.mark.parametrize("first", ["", SIZE], ids=["before its size", "after its size"])
def test_a_burn_that_hangs_is_ended(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: str
) -> None:
    environ = fake(SAYS_PID + first + "exec sleep 600\n")
    monkeypatch.setenv("PATH", environ["PATH"])
    with pytest.raises(ToolTimeout, match="said nothing"):
        burn(Xorriso(SHORT), tmp_path / "x.iso")
    assert_ended(environ)
    assert not (tmp_path / "x.iso").exists()


def test_a_file_that_is_named_like_a_lost_drive_is_none(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "echo \"I:1: libisofs : WARNING : Cannot read '/libburn : FATAL : Lost connection to drive'\"\n"
    environ = fake(SAYS_PID + SIZE + said + "exec sleep 600\n")
    monkeypatch.setenv("PATH", environ["PATH"])
    with pytest.raises(ToolTimeout, match="said nothing"):
        burn(Xorriso(SHORT), tmp_path / "x.iso")
    assert_ended(environ)


def test_a_burn_that_takes_no_commands_is_ended(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """More of them than a pipe holds."""
    environ = fake(SAYS_PID + "exec sleep 600\n")
    monkeypatch.setenv("PATH", environ["PATH"])
    grafts = [Graft(b"/bin/true", b"/a%d" % number, single=True) for number in range(3000)]
    with pytest.raises(ToolTimeout, match="took no commands"):
        burn(Xorriso(SHORT), tmp_path / "x.iso", grafts)
    assert_ended(environ)


def test_a_burn_that_hangs_and_ignores_sigterm_is_killed(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ = fake(SAYS_PID + "trap '' TERM\nwhile :; do sleep 0.1; done\n")
    monkeypatch.setenv("PATH", environ["PATH"])
    with pytest.raises(ToolTimeout, match="said nothing"):
        burn(Xorriso(SHORT), tmp_path / "x.iso")
    assert_ended(environ)
    time.sleep(0.2)  # the last of its sleeps


def test_a_burn_that_closed_its_output_and_goes_on_is_a_tool_error(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ = fake(SAYS_PID + SIZE + "exec sleep 600 >/dev/null 2>&1\n")
    monkeypatch.setenv("PATH", environ["PATH"])
    with pytest.raises(ToolError):
        burn(Xorriso(SHORT), tmp_path / "x.iso")
    assert_ended(environ)
