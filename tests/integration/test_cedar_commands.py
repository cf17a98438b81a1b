"""`cback3` of ours where it is not Cedar Backup's, and what it does with our own actions."""

from __future__ import annotations

import gzip
import logging
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cedar_runs import EXTENSIONS, CedarPool, extension, extensions, hook
from tests.conftest import Project
from tests.servers import mariadb

from cedarchest_cedar.commands import CBACK3, main
from cedarchest_cedar.logs import LOGGED, SAID

TODAY, YESTERDAY = "2026/11/24", "2026/11/23"
SAY = "#!/bin/sh\necho dumped >> {root}/dumps\necho a dump\n"


@pytest.fixture
def pool(tmp_path: Path) -> CedarPool:
    return CedarPool(tmp_path)


def interrupted(pool: CedarPool, begun: Path, *words: str) -> int:
    """The exit status of a run that is interrupted once there is a file."""
    program = [str(Path(sys.executable).with_name("cback3")), "-c", str(pool.config), "-l", str(pool.log)]
    with subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            *program,
            *words,
        ],  # it is ignored in what a shell runs in the background
        env={**os.environ, "PYTHONPATH": f"{pool.root}:{EXTENSIONS}", **pool.environ},
        stdout=subprocess.PIPE,
    ) as process:
        end = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert b"interrupted" in out
    return process.returncode


def native(name: str, index: int = 99) -> str:
    return extension(name, index, "executeAction", f"CedarBackup3.extend.{name}")


def dumping(pool: CedarPool, rest: str = "", options: str = "") -> None:
    """A configuration with a repository that something else than svnadmin dumps."""
    program = pool.root / "svnadmin"
    program.write_text(SAY.format(root=pool.root))
    program.chmod(0o755)
    pool.configure(
        extensions(native("subversion"))
        + "<subversion><collect_mode>daily</collect_mode><compress_mode>none</compress_mode>"
        f"<repository><abs_path>/srv/repo</abs_path></repository></subversion>{rest}",
        options=f"<override><command>svnadmin</command><abs_path>{escape(str(program))}</abs_path></override>"
        + options,
    )


def dumps(pool: CedarPool) -> int:
    counted = pool.root / "dumps"
    return len(counted.read_text().splitlines()) if counted.exists() else 0


def collected(pool: CedarPool) -> set[str]:
    return {
        path.name for path in (pool.root / "collect").iterdir() if "home" in path.name or "svn" in path.name
    }


# Extensions of Cedar Backup's own


def test_collect_leaves_to_a_word_what_it_does(pool: CedarPool) -> None:
    dumping(pool)
    assert pool.run("collect").status == 0
    assert (dumps(pool), "svndump-srv-repo.txt" in collected(pool)) == (0, False)
    assert "subversion is not run" in pool.log.read_text()


def test_a_machine_that_collects_the_log_of_the_command_is_well(pool: CedarPool) -> None:
    """As with `/var/log`, where that log is by default."""
    pool.configure()
    ran = pool.run("-l", str(pool.root / "home" / "cback3.log"), "--debug", "collect")
    assert (ran.status, ran.out) == (0, "")
    with tarfile.open(next((pool.root / "collect").glob("*.tar"))) as archive:
        assert {Path(each.name).name for each in archive if each.isfile()} == {"cback3.log", "letter"}


def test_a_word_with_collect_is_run_once(pool: CedarPool) -> None:
    dumping(pool)
    ran = pool.run("collect", "subversion")
    assert ran.status == 0, ran.out
    assert dumps(pool) == 1
    assert {"svndump-srv-repo.txt"} < collected(pool)
    assert (pool.root / "collect" / "cback.collect").exists()


@pytest.mark.parametrize("was_marked", [False, True])
def test_a_word_by_itself_leaves_the_mark_as_it_was(pool: CedarPool, was_marked: bool) -> None:
    dumping(pool)
    if was_marked:
        assert pool.run("collect").status == 0
    before = collected(pool)
    assert pool.run("subversion").status == 0
    assert collected(pool) == before | {"svndump-srv-repo.txt"}
    assert (pool.root / "collect" / "cback.collect").exists() is was_marked


def test_what_a_word_adds_after_collect_is_staged_by_its_digest(pool: CedarPool) -> None:
    peer = (
        f"<stage><staging_dir>{pool.root}/staging</staging_dir><peer><name>here</name><type>local</type>"
        f"<collect_dir>{pool.root}/collect</collect_dir></peer></stage>"
    )
    dumping(pool, peer)
    for words in (["collect"], ["subversion"], ["subversion"], ["stage"]):
        ran = pool.run(*words)
        assert ran.status == 0, ran.out
    assert (pool.root / "staging" / TODAY / "here" / "svndump-srv-repo.txt").read_text() == "a dump\n"
    assert "svndump-srv-repo.txt" in (pool.root / "collect" / "cback.collect.jsonl").read_text()


SECTIONS = {
    "mysql": "<mysql><user>u</user><password>secret</password><compress_mode>gzip</compress_mode>"
    "<all>N</all><database>one</database><database>two</database></mysql>",
    "postgresql": "<postgresql><user>u</user><compress_mode>none</compress_mode><all>Y</all></postgresql>",
    "mbox": "<mbox><collect_mode>daily</collect_mode><compress_mode>none</compress_mode>"
    "<file><abs_path>{root}/mail//inbox/</abs_path></file><file><abs_path>{root}/mail-inbox</abs_path></file>"
    "</mbox>",
    "sysinfo": "",
}
MADE = {
    "mysql": {"mysqldump-one.txt.gz", "mysqldump-two.txt.gz"},
    "postgresql": {"postgresqldump.txt"},
    "mbox": 2,
    "sysinfo": {"dpkg-selections.txt.bz2", "fdisk-l.txt.bz2"},
}


@pytest.mark.parametrize("name", SECTIONS)
def test_each_word_makes_what_its_section_says_and_collect_does_not(pool: CedarPool, name: str) -> None:
    program = pool.root / "says"
    program.write_text(SAY.format(root=pool.root))
    program.chmod(0o755)
    for mailbox in ("mail/inbox", "mail-inbox"):
        (pool.root / mailbox).parent.mkdir(exist_ok=True)
        (pool.root / mailbox).write_text("From somebody\n")
    overrides = "".join(
        f"<override><command>{each}</command><abs_path>{program}</abs_path></override>"
        for each in ("mysqldump", "pg_dumpall", "dpkg", "fdisk")
    )
    pool.configure(SECTIONS[name].format(root=pool.root) + extensions(native(name)), options=overrides)
    assert pool.run("collect").status == 0
    before = {path.name for path in (pool.root / "collect").iterdir()}
    assert len([each for each in before if not each.startswith("cback.")]) == 2  # the home, and its index
    ran = pool.run(name)
    assert ran.status == 0, ran.out
    made = {path.name for path in (pool.root / "collect").iterdir()} - before
    expected = MADE[name]
    if isinstance(expected, set):
        assert made == expected
    else:
        assert len([each for each in made if each.endswith(".tar")]) == expected
    assert "secret" not in pool.log.read_text()


@pytest.mark.slow
def test_what_the_word_mysql_dumps_with_a_password_is_loaded_by_another_server(of_user: Project) -> None:
    pool = CedarPool(of_user.root)
    secret = 'it\'s "secret" & \\ more'
    section = (
        f"<mysql><user>backup</user><password>{escape(secret)}</password><compress_mode>gzip</compress_mode>"
        "<all>N</all><database>shop</database></mysql>"
    )
    pool.configure(section + extensions(native("mysql")))
    with mariadb(pool.root / "first") as server:
        server.ask(
            "CREATE DATABASE shop; CREATE TABLE shop.item (name TEXT); INSERT INTO shop.item VALUES ('Käse');"
        )
        quoted = secret.replace("\\", "\\\\").replace("'", "''")
        server.ask(
            f"CREATE USER backup@localhost IDENTIFIED BY '{quoted}'; GRANT ALL ON *.* TO backup@localhost"
        )
        pool.environ |= {name: server.environ[name] for name in ("HOME", "PATH")}
        ran = pool.run("mysql")
        assert (ran.status, ran.out) == (0, "")
    dump = gzip.decompress((pool.root / "collect/mysqldump-shop.txt.gz").read_bytes()).decode()
    with mariadb(pool.root / "second") as server:
        server.ask(dump)
        assert server.ask("SELECT name FROM shop.item") == "Käse\n"


def test_a_word_heals_a_list_that_is_damaged(pool: CedarPool) -> None:
    peer = (
        f"<stage><staging_dir>{pool.root}/staging</staging_dir><peer><name>here</name><type>local</type>"
        f"<collect_dir>{pool.root}/collect</collect_dir></peer></stage>"
    )
    dumping(pool, peer)
    assert pool.run("collect").status == 0
    (pool.root / "collect" / "cback.collect.jsonl").write_text("damaged\n")
    assert pool.run("stage").status == 6
    assert pool.run("subversion", "stage").status == 0


def test_a_word_whose_work_is_cut_short_leaves_no_mark_and_no_half_dump(pool: CedarPool) -> None:
    dumping(pool)
    assert pool.run("collect").status == 0
    (pool.root / "svnadmin").write_text(f"#!/bin/sh\necho half\ntouch {pool.root}/begun\nexec sleep 60\n")
    before = collected(pool)
    assert interrupted(pool, pool.root / "begun", "subversion", "collect") == 5
    assert collected(pool) == before
    assert not (pool.root / "collect" / "cback.collect").exists()


def test_hooks_of_a_word_are_round_what_it_does(pool: CedarPool) -> None:
    dumping(pool, options="".join(hook(pool, when, "subversion", when) for when in ("pre", "post")))
    assert pool.run("subversion").status == 0
    assert (pool.traced(), dumps(pool)) == (["pre", "post"], 1)


def test_a_dump_that_fails_ends_with_6_and_stops_what_comes_later(pool: CedarPool) -> None:
    dumping(pool)
    (pool.root / "svnadmin").write_text("#!/bin/sh\nexit 3\n")
    ran = pool.run("subversion", "collect")
    assert ran.status == 6
    assert "svnadmin" in ran.out
    assert collected(pool) == set()


@pytest.mark.parametrize(("name", "status"), [("split", 0), ("mysql", 6), ("mbox", 6)])
def test_a_word_with_nothing_to_do_says_so(pool: CedarPool, name: str, status: int) -> None:
    pool.configure(extensions(native(name)))
    ran = pool.run(name)
    assert ran.status == status
    assert ("nothing to do" in ran.out) is bool(status)
    assert "nothing" in pool.log.read_text()


@pytest.mark.parametrize("name", ["encrypt", "amazons3"])
def test_nothing_is_collected_where_something_secret_could_not_be_kept(pool: CedarPool, name: str) -> None:
    pool.configure(extensions(native(name, 299)))
    assert pool.run("collect").status == 4
    assert collected(pool) == set()


# Extensions of others


def test_an_extension_that_is_not_named_need_not_be_there(pool: CedarPool) -> None:
    pool.configure(extensions(extension("gone", 1, "f", "nosuch_module")))
    assert pool.run("collect").status == 0
    ran = pool.run("gone", "collect")
    assert ran.status == 4
    assert "nosuch_module" in ran.out


def test_an_extension_that_is_not_there_is_not_valid(pool: CedarPool) -> None:
    pool.configure(extensions(extension("gone", 1, "f", "nosuch_module"), extension("zzz", 2)))
    ran = pool.run("validate")
    assert ran.status == 6
    assert "nosuch_module" in ran.out
    pool.configure(extensions(extension("zzz", 2)))
    assert pool.run("validate").status == 0


def test_an_extension_that_is_run_on_peers_only_need_not_be_here(pool: CedarPool) -> None:
    pool.configure(peers(pool, "gone") + extensions(extension("gone", 1, "f", "nosuch_module")))
    assert pool.run("-N", "gone").status == 0
    assert pool.traced() == ["/usr/bin/cback3 -q gone"]


def test_an_extension_may_not_take_the_name_of_an_action(pool: CedarPool) -> None:
    pool.configure(extensions(extension("collect", 1)))
    assert pool.run("collect").status == 4


def test_an_interrupt_ends_with_5(pool: CedarPool) -> None:
    # Python sees a signal that comes just before a call which waits once that returns: hence many short ones.
    (pool.root / "sleeping.py").write_text(
        "import pathlib, time\ndef act(path, options, config):\n"
        "    pathlib.Path(config.options.workingDir, 'begun').touch()\n"
        "    for _ in range(600):\n        time.sleep(0.1)\n"
    )
    pool.configure(extensions(extension("sleeping", 1, "act", "sleeping")))
    assert interrupted(pool, pool.root / "work" / "begun", "sleeping", "collect") == 5
    assert collected(pool) == set()


# Peers


def peers(pool: CedarPool, managed_actions: str) -> str:
    """A remote peer that is reached by a program that says what it was told."""
    ssh = pool.root / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$last" >> "{pool.trace}"\ntest ! -e {pool.root}/down\n'
    )
    ssh.chmod(0o755)
    pool.environ["PATH"] = f"{ssh.parent}:{os.environ['PATH']}"
    return (
        f"<peers><peer><name>far</name><type>remote</type><collect_dir>/far</collect_dir>"
        f"<rsh_command>ssh</rsh_command><cback_command>/usr/bin/cback3 -q</cback_command>"
        f"<managed>Y</managed><managed_actions>{managed_actions}</managed_actions></peer></peers>"
    )


@pytest.mark.parametrize(
    ("switches", "words", "there", "here"),
    [
        (["-N"], ["collect"], ["/usr/bin/cback3 -q collect"], False),
        (["-M"], ["collect"], ["/usr/bin/cback3 -q collect"], True),
        (["-N", "-f"], ["collect"], ["/usr/bin/cback3 -q --full collect"], False),
        (["-N"], ["zzz", "collect"], ["/usr/bin/cback3 -q collect", "/usr/bin/cback3 -q zzz"], False),
        (["-N"], ["purge"], [], False),
        ([], ["collect"], [], True),
    ],
)
def test_managed_peers_run_what_they_are_managed_for(
    pool: CedarPool, switches: list[str], words: list[str], there: list[str], here: bool
) -> None:
    pool.configure(peers(pool, "collect,zzz") + extensions(extension("zzz", 150)))
    ran = pool.run(*switches, *words)
    assert ran.status == 0, ran.out
    assert pool.traced() == there
    assert bool(collected(pool)) is here


@pytest.mark.parametrize("word", ["collect", "zzz"])
def test_a_managed_peer_that_fails_stops_nothing_and_ends_with_6(pool: CedarPool, word: str) -> None:
    pool.configure(peers(pool, "collect,zzz") + extensions(extension("zzz", 50), extension("last", 400)))
    (pool.root / "down").touch()
    ran = pool.run("-N", word)
    assert ran.status == 6
    assert "far" in ran.out
    assert pool.run("-M", word, "last").status == 6
    assert pool.traced()[-1].startswith("note")


def test_a_peer_that_is_not_ready_stops_nothing_and_ends_with_6(pool: CedarPool) -> None:
    pool.configure(
        f"<stage><staging_dir>{pool.root}/staging</staging_dir><peer><name>late</name><type>local</type>"
        f"<collect_dir>{pool.root}/nowhere</collect_dir></peer><peer><name>here</name><type>local</type>"
        f"<collect_dir>{pool.root}/collect</collect_dir></peer></stage>" + extensions(extension("last", 400))
    )
    ran = pool.run("collect", "stage", "last")
    assert ran.status == 6
    assert "late" in ran.out
    assert (pool.root / "staging" / TODAY / "here").is_dir()
    assert len(pool.traced()) == 1


# Discs


STORE = (
    "<stage><staging_dir>{root}/staging</staging_dir><peer><name>here</name><type>local</type>"
    "<collect_dir>{root}/collect</collect_dir></peer></stage><store><source_dir>{root}/staging</source_dir>"
    "<media_type>dvd+rw</media_type><device_type>dvdwriter</device_type>"
    "<target_device>/dev/sr0</target_device><check_data>Y</check_data></store>"
)


def stored(pool: CedarPool, day: str) -> bool:
    return (pool.root / "staging" / day / "cback.store").exists()


def on_disc(drive: Burner, folder: str) -> str:
    """The files of a folder on the disc, in quotes, as another reader finds them."""
    return subprocess.run(
        ["xorriso", "-no_rc", "-indev", "/dev/sr0", "-find", folder, "-type", "f"],
        env={**os.environ, **drive.env()},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_whole_night_comes_to_a_disc(pool: CedarPool) -> None:
    require()
    purge = f"<purge><dir><abs_path>{pool.root}/collect</abs_path><retain_days>0</retain_days></dir></purge>"
    pool.configure(STORE.format(root=pool.root) + purge)
    with Burner(profile="dvd+rw") as drive:
        pool.environ |= drive.env()
        assert pool.run("initialize").status == 0
        ran = pool.run("all")
        assert (ran.status, ran.out, ran.err) == (0, "", "")
        assert stored(pool, TODAY)
        again = pool.run("store")
        assert again.status == 6
        assert "nothing to store" in again.out
        assert pool.run("--full", "store").status == 0
        assert pool.run("rebuild").status == 0
        assert pool.run("-q", "validate").status == 0


def test_a_night_without_anything_new_is_no_failure(pool: CedarPool) -> None:
    require()
    collect = (
        f"<collect><collect_dir>{pool.root}/collect</collect_dir><collect_mode>incr</collect_mode>"
        f"<archive_mode>tar</archive_mode><ignore_file>.no</ignore_file>"
        f"<dir><abs_path>{pool.root}/home</abs_path></dir></collect>"
    )
    purge = f"<purge><dir><abs_path>{pool.root}/collect</abs_path><retain_days>0</retain_days></dir></purge>"
    pool.configure(STORE.format(root=pool.root) + purge, collect=collect)
    with Burner(profile="dvd+rw") as drive:
        pool.environ |= {**drive.env(), "CEDARCHEST_NOW": "2026-11-24T01:00"}
        assert pool.run("all").status == 0
        assert pool.run("store").status == 6
        pool.environ["CEDARCHEST_NOW"] = "2026-11-25T01:00"
        ran = pool.run("all")
        assert (ran.status, ran.out) == (0, "")
        assert pool.run("store").status == 0
        assert not (pool.root / "staging/2026/11/25").exists()
        pool.environ["CEDARCHEST_NOW"] = "2026-11-26T02:00"  # nothing was staged since
        assert pool.run("store").status == 6


def test_what_an_extension_makes_of_a_staged_day_is_what_is_stored(pool: CedarPool) -> None:
    require()
    collect = pool.root / "collect"
    purge = f"<purge><dir><abs_path>{collect}</abs_path><retain_days>0</retain_days></dir></purge>"
    packing = extensions(extension("packing", 250, "pack", "packing"))
    pool.configure(STORE.format(root=pool.root) + purge + packing)
    with Burner(profile="dvd+rw") as drive:
        pool.environ |= drive.env()
        ran = pool.run("collect", "stage", "packing", "store", "purge")
        assert (ran.status, ran.out) == (0, "")
        found = on_disc(drive, f"/{TODAY}/here")
    assert "home.tar.gz" in found
    assert "home.tar'" not in found
    assert stored(pool, TODAY)
    assert [path.suffix for path in collect.glob("*home.tar")] == [".tar"]  # that is on no disc as it is


def test_what_an_extension_stores_is_known_to_the_next_run(pool: CedarPool) -> None:
    require()
    pool.configure(STORE.format(root=pool.root) + extensions(extension("storing", 1, "store", "packing")))
    with Burner(profile="dvd+rw") as drive:
        pool.environ |= drive.env()
        for day, word, now in ((TODAY, "storing", TODAY), ("2026/11/25", "store", "2026/11/25")):
            pool.stage(day, {"a": day.encode()})
            pool.environ["CEDARCHEST_NOW"] = f"{now.replace('/', '-')}T01:00"
            ran = pool.run(word)
            assert ran.status == 0, ran.out
            assert stored(pool, day)
        found = on_disc(drive, "/2026/11")
    assert [f"'/2026/11/{day}/here/a'" in found for day in (24, 25)] == [True, True]


def test_the_word_capacity_tells_of_room_that_is_left(pool: CedarPool) -> None:
    require()
    section = "<capacity><min_bytes>4482 MB</min_bytes></capacity>"
    pool.configure(STORE.format(root=pool.root) + extensions(native("capacity", 301)) + section)
    pool.stage(TODAY, {"large": bytes(2 * 1024**2)})  # a DVD has 700 kB more than is wished
    with Burner(profile="dvd+rw") as drive:
        pool.environ |= drive.env()
        assert pool.run("store").out == ""
        ran = pool.run("capacity")
    assert ran.status == 0
    assert "have another disc ready" in ran.out


def test_a_foreign_disc_is_not_given_up(pool: CedarPool) -> None:
    require()
    pool.configure(STORE.format(root=pool.root))
    pool.stage(TODAY, {"a": b"1"})
    with Burner(profile="dvd+rw") as drive:
        pool.environ |= drive.env()
        subprocess.run(
            [
                "xorriso",
                "-no_rc",
                "-outdev",
                "/dev/sr0",
                "-volid",
                "PHOTOS",
                "-map",
                str(pool.root / "home"),
                "/h",
            ],
            env={**os.environ, **drive.env()},
            check=True,
            capture_output=True,
        )
        for word in ("initialize", "store"):
            ran = pool.run(word)
            assert ran.status == 6
            assert "PHOTOS" in ran.out
    assert not stored(pool, TODAY)


def test_a_configuration_with_nothing_behind_it_is_not_valid(pool: CedarPool) -> None:
    pool.configure(STORE.format(root=pool.root).replace("/dev/sr0", "/dev/nosuch"))
    ran = pool.run("validate")
    assert ran.status == 6
    assert "/dev/nosuch" in ran.out


# What is said


def test_a_log_that_is_made_has_mode_and_owner_of_the_command(pool: CedarPool) -> None:
    pool.configure()
    assert pool.run("-m", "604", "-o", "root:adm", "collect").status == 0
    status = pool.log.stat()
    assert stat.S_IMODE(status.st_mode) == 0o604
    pool.log.chmod(0o600)
    assert pool.run("-m", "644", "collect").status == 0
    assert stat.S_IMODE(pool.log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("switches", "on_screen", "in_log"),
    [
        ([], [], ["the order of actions"]),
        (["-b"], ["the order of actions"], ["the order of actions"]),
        (["-q"], [], ["the order of actions"]),
        (["-O"], [], ["tells a tool"]),
        (["-d"], [], ["tells a tool", "[DEBUG"]),
        (["-b", "-d"], ["the order of actions", "tells a tool"], ["tells a tool"]),
    ],
)
def test_the_switches_say_what_is_told_where(
    pool: CedarPool, switches: list[str], on_screen: list[str], in_log: list[str]
) -> None:
    (pool.root / "hook").write_text("#!/bin/sh\necho tells a tool\n")
    pool.configure(options=hook(pool, "pre", "collect", "x"))
    ran = pool.run(*switches, "collect")
    assert (ran.status, ran.err) == (0, "")
    log = pool.log.read_text()
    for text in ("the order of actions", "tells a tool", "[DEBUG"):
        assert (text in ran.out) is (text in on_screen) or text == "[DEBUG"
        assert text not in in_log or text in log
    assert bool(ran.out) is bool(on_screen)
    assert ("tells a tool" in log) is ("tells a tool" in in_log)
    assert ("[DEBUG" in log) is (switches in (["-O"], ["-d"], ["-b", "-d"]))


def test_a_command_leaves_logging_as_it_was(pool: CedarPool) -> None:
    names = (*LOGGED, *SAID)
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate, [*logger.handlers]) for logger in loggers]
    pool.configure()
    given = ["-c", str(pool.config), "-l", str(pool.log), "-d", "-q", "validate"]
    assert main(given, CBACK3) == 0
    assert "[DEBUG" in pool.log.read_text()
    assert [(logger.level, logger.propagate, logger.handlers) for logger in loggers] == before


def test_what_cedar_backup_ignored_is_in_the_log(pool: CedarPool) -> None:
    pool.configure("<stagee/>" + extensions(extension("zzz", 1)))
    assert pool.run("collect", "zzz").status == 0
    log = pool.log.read_text()
    assert "<stagee>" in log
    assert "what it did is not done" not in log


def test_a_configuration_of_ours_is_for_our_own_command(pool: CedarPool) -> None:
    pool.config.write_text("[options]\n")
    ran = pool.run("collect")
    assert ran.status == 4
    assert "cedarchest -c" in ran.out


@pytest.mark.parametrize(
    "sections", ["<options/>", "<options/><collect></collect>", "<collect/>", "<options/><peers/>"]
)
def test_options_and_one_action_have_to_be_there(pool: CedarPool, sections: str) -> None:
    pool.config.write_text(f"<cb_config>{sections}</cb_config>")
    assert (pool.run("collect").status == 4) is ("<options/><collect>" not in sections)


@pytest.mark.parametrize(
    ("command", "config", "log"),
    [
        ("cback", "/etc/cback.conf", "/var/log/cback.log"),
        ("cback3", "/etc/cback3.conf", "/var/log/cback3.log"),
    ],
)
def test_each_command_has_the_files_of_its_version(
    pool: CedarPool, command: str, config: str, log: str
) -> None:
    ran = pool.run("--help", command=command)
    assert ran.status == 0
    assert config in ran.out
    assert log in ran.out
    assert command in pool.run("--version", command=command).out
