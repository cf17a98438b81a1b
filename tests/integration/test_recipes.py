"""The recipes of the documentation as they stand: collected from real servers, restored by what it says."""

from __future__ import annotations

import json
import mailbox
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conftest import REPOSITORY, Project
from tests.servers import PATH, mariadb, postgresql

from cedarchest.actions.collect import check_collected
from cedarchest.config.load import load_config

HOW_TO = REPOSITORY / "docs/how-to"
MONDAY, TUESDAY = "2026-11-23T03:00", "2026-11-24T03:00"


def blocks(page: str, heading: str) -> list[str]:
    """The indented blocks below a heading."""
    text = (HOW_TO / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^(?: {4}.*\n|\n(?= {4}))+", text, re.MULTILINE)
    return ["".join(line[4:] or "\n" for line in block.splitlines(keepends=True)).strip() for block in found]


def recipe(heading: str) -> tuple[str, list[str]]:
    """The fragment of a recipe, and its other blocks in order."""
    found = blocks("recipes.md", heading)
    (fragment,) = (block for block in found if block.startswith("[["))
    return fragment, [block for block in found if block is not fragment]


def elsewhere(text: str, path: str, real: Path) -> str:
    """The text with a path of the page, and what is named after it, put to where the test has it."""
    put = {path: str(real), path[1:]: str(real)[1:]}
    put[path[1:].replace("/", "-")] = str(real)[1:].replace("/", "-")
    return re.sub("|".join(map(re.escape, put)), lambda found: put[found[0]], text)


def as_ourselves(text: str) -> str:
    """The text for who runs the tests: only root can switch to another user."""
    if os.geteuid() == 0:
        return text
    return text.replace('"runuser", "-u", "postgres", "--", ', "").replace("runuser -u postgres -- ", "")


def configure(project: Project, fragment: str, **collect: str) -> Path:
    """Configure a collect of the fragment, staged as machine `mail`; gives the collect dir."""
    folder = project.root / "collect"
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {"dir": str(folder), **collect}.items())
    peer = f'[[peer]]\nname = "mail"\ncollect_dir = "{folder}"\n'
    project.config.write_text(f"{project.config.read_text()}[collect]\n{keys}{fragment}\n{peer}")
    return folder


def collect(project: Project, fragment: str, environ: Mapping[str, str] | None = None) -> Path:
    """Collect by the fragment; gives the collect dir."""
    folder = configure(project, fragment)
    ran = project.run("collect", environ={"PATH": PATH, **(environ or {})})
    assert ran.status == 0, ran.out + ran.err
    return folder


def perform(commands: str, cwd: Path, environ: Mapping[str, str] | None = None) -> str:
    """Do what the page says, in a folder; gives what was said."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=cwd,
        env=environ or {**os.environ, "PATH": PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def all_fragments() -> list[str]:
    text = (HOW_TO / "recipes.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    return [block for each in headings for block in blocks("recipes.md", each) if block.startswith("[[")]


@pytest.mark.parametrize("fragment", all_fragments())
def test_every_fragment_is_a_configuration(project: Project, fragment: str) -> None:
    configure(project, fragment)
    loaded = load_config(project.config).require_collect()
    check_collected(loaded)
    assert len(loaded.source) + len(loaded.command) == fragment.count("[[")


def test_the_script_for_lvm_is_one_that_sh_can_read() -> None:
    _, (script,) = recipe("LVM")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


# -- databases --------------------------------------------------------------------------------------

_ACCOUNTS = """
CREATE ROLE clerk LOGIN PASSWORD 'of the clerk';
CREATE DATABASE accounts;
\\c accounts
CREATE TABLE account (id serial PRIMARY KEY, owner text, photo bytea, opened timestamptz);
INSERT INTO account (owner, photo, opened) SELECT 'Zoë ' || n, decode(md5(n::text), 'hex'),
    '2026-11-23 03:00:00.123456+01' FROM generate_series(1, 1000) AS n;
ALTER TABLE account OWNER TO clerk;
CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * $1';
CREATE VIEW owners AS SELECT owner FROM account WHERE id < 3;
"""

_ACCOUNTS_QUESTIONS = """
\\c accounts
SELECT * FROM account ORDER BY id; SELECT twice(21); SELECT * FROM owners; SELECT nextval('account_id_seq');
SELECT tableowner FROM pg_tables WHERE tablename = 'account';
SELECT rolpassword FROM pg_authid WHERE rolname = 'clerk';
"""


@pytest.mark.slow
def test_postgresql_comes_back_from_its_dump(of_user: Project) -> None:
    fragment, (commands,) = recipe("PostgreSQL")
    with postgresql(of_user.root / "first") as server:
        server.ask(_ACCOUNTS)
        folder = collect(of_user, as_ourselves(fragment), server.environ)
        was = server.ask(_ACCOUNTS_QUESTIONS)
    assert was.count("Zoë") == 1002
    with postgresql(of_user.root / "second") as server:
        perform(as_ourselves(commands), folder, server.environ)
        assert server.ask(_ACCOUNTS_QUESTIONS) == was


@pytest.mark.slow
def test_postgresql_is_dumped_with_a_password_from_a_file(of_user: Project) -> None:
    fragment, (role, line) = recipe("PostgreSQL with a password")
    file = of_user.root / "pgpass"
    with postgresql(of_user.root / "server") as server:
        port = server.environ["PGPORT"]
        file.write_text(line.replace("5432", port).replace("PASSWORD", "of the backup") + "\n")
        file.chmod(0o600)
        server.ask(f"{_ACCOUNTS} {role} ALTER ROLE backup PASSWORD 'of the backup';")
        fragment = fragment.replace("/etc/cedarchest/pgpass", str(file)).replace("5432", port)
        folder = collect(of_user, fragment, server.environ)
        was = server.ask(_ACCOUNTS_QUESTIONS)
        server.ask("DROP DATABASE accounts")
        _, again = recipe("PostgreSQL")[1][0].splitlines()
        perform(as_ourselves(again), folder, server.environ)
        assert server.ask(_ACCOUNTS_QUESTIONS) == was

        server.ask("\\c accounts\nALTER TABLE account ENABLE ROW LEVEL SECURITY;")
        ran = of_user.run("collect", environ=server.environ)
        assert ran.status != 0
        assert "row-level security" in ran.out + ran.err
        assert not (folder / "cback.collect").exists()

        file.write_text(line.replace("5432", port) + "\n")
        ran = of_user.run("collect", environ=server.environ)
        assert ran.status != 0
        assert "password authentication failed" in ran.out + ran.err


_SHOP = """
CREATE USER clerk@localhost IDENTIFIED BY 'of the clerk';
CREATE DATABASE shop CHARACTER SET utf8mb4;
GRANT SELECT, EXECUTE ON shop.* TO clerk@localhost;
USE shop;
CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, name text, photo blob, sold int DEFAULT 0)
    ENGINE=InnoDB;
CREATE TABLE sale (item int NOT NULL, FOREIGN KEY (item) REFERENCES item (id)) ENGINE=InnoDB;
CREATE TRIGGER sold AFTER INSERT ON sale FOR EACH ROW UPDATE item SET sold = sold + 1 WHERE id = NEW.item;
INSERT INTO item (name, photo) SELECT concat('Käse 🧀 ', seq), unhex(md5(seq)) FROM seq_1_to_1000;
INSERT INTO sale VALUES (1), (1), (2);
CREATE DEFINER=clerk@localhost VIEW best AS SELECT name, sold FROM item WHERE sold > 0;
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n;
CREATE EVENT spring ON SCHEDULE AT '2037-03-01 00:00:00' DO DELETE FROM sale;
"""

_SHOP_QUESTIONS = """
USE shop;
INSERT INTO sale VALUES (2);
SELECT id, name, hex(photo), sold FROM item ORDER BY id; SELECT * FROM best; SELECT twice(21);
SELECT * FROM sale; SHOW EVENTS; SHOW GRANTS FOR clerk@localhost; SHOW CREATE VIEW best;
"""


@pytest.mark.slow
@pytest.mark.parametrize("by_password", [False, True], ids=["by the socket", "by a password"])
def test_mariadb_comes_back_from_its_dump(of_user: Project, by_password: bool) -> None:
    fragment, (keys, grant, commands) = recipe("MariaDB and MySQL")
    file = of_user.root / "mariadb.cnf"
    file.write_text(keys.replace("PASSWORD", "of the backup") if by_password else "[client]\n")
    with mariadb(of_user.root / "first") as server:
        server.ask(_SHOP)
        if by_password:
            server.ask(f"CREATE USER backup@localhost IDENTIFIED BY 'of the backup'; {grant}")
        fragment = fragment.replace("/etc/cedarchest/mariadb.cnf", str(file))
        folder = collect(of_user, fragment, server.environ)
        was = server.ask(_SHOP_QUESTIONS)
    assert was.count("Käse 🧀") == 1002
    with mariadb(of_user.root / "second") as server:
        perform(commands, folder, server.environ)
        assert server.ask(_SHOP_QUESTIONS) == was


# -- Subversion -------------------------------------------------------------------------------------


@pytest.fixture
def repository(project: Project) -> Path:
    """A repository with a hook, settings and two revisions."""
    made = project.root / "srv"
    subprocess.run(["svnadmin", "create", str(made)], check=True)
    (made / "hooks/pre-lock").write_text("#!/bin/sh\nexit 1\n")
    (made / "conf/passwd").write_text("[users]\nzoe = secret\n")
    for number in (1, 2):
        commit(made, f"r{number}")
    return made


def commit(repository: Path, name: str) -> None:
    """One more revision, with a file of some size."""
    file = repository.parent / "committed"
    file.write_bytes(name.encode() * 10_000)
    command = ["svn", "import", "--quiet", "-m", f"Zoë's {name}", str(file), f"file://{repository}/{name}"]
    subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})


def revisions(repository: Path) -> bytes:
    """All revisions with what they have, as a dump."""
    subprocess.run(["svnadmin", "verify", "--quiet", str(repository)], check=True)
    dumped = ["svnadmin", "dump", "--quiet", str(repository)]
    return subprocess.run(dumped, check=True, capture_output=True).stdout


@pytest.mark.slow
def test_a_subversion_repository_comes_back_from_its_dump(project: Project, repository: Path) -> None:
    fragment, (commands,) = recipe("Subversion")
    folder = collect(project, elsewhere(fragment, "/srv/svn/project", repository))
    was = repository.rename(project.root / "was")
    perform(elsewhere(commands, "/srv/svn/project", repository), folder)
    assert revisions(repository) == revisions(was)
    assert revisions(was).count(b"Zo\xc3\xab's r") == 2
    for name in ("hooks/pre-lock", "conf/passwd"):
        assert (repository / name).read_bytes() == (was / name).read_bytes()


@pytest.mark.slow
def test_of_a_large_subversion_repository_only_new_revisions_are_archived(
    project: Project, repository: Path
) -> None:
    fragment, _ = recipe("A large Subversion repository")
    copy = project.root / "copy"
    fragment = elsewhere(fragment, "/var/backups/svn/project", copy)
    night(project, elsewhere(fragment, "/srv/svn/project", repository), MONDAY)
    commit(repository, "r3")
    archive = night(project, "", TUESDAY)
    new = archived(archive, copy)
    assert "db/revs/0/3" in new
    assert not {"db/revs/0/1", "db/revs/0/2", "hooks/pre-lock", "conf/passwd"} & new
    assert revisions(restored(project) / str(copy)[1:]) == revisions(repository)


# -- mail -------------------------------------------------------------------------------------------


def night(project: Project, fragment: str, when: str) -> Path:
    """Collect and stage; with a fragment for the first time. Gives the one archive in the collect dir."""
    if fragment:
        configure(project, fragment, advance_on="staged")
    project.environ["CEDARCHEST_NOW"] = when
    for action in ("collect", "stage"):
        ran = project.run(action)
        assert ran.status == 0, ran.out + ran.err
    (archive,) = (project.root / "collect").glob("*.tar.zst")
    return archive


def archived(archive: Path, top: Path) -> set[str]:
    """The members of an archive from `top`."""
    names = perform(f"tar -tf '{archive}'", archive.parent).splitlines()
    return {os.path.relpath(f"/{name}", top) for name in names}


def restored(project: Project) -> Path:
    """What was staged on both days, brought back by the commands for it."""
    into = project.root / "restore"
    (commands,) = blocks("collect-a-machine.md", "Back by hand")
    perform(commands.replace("/restore", str(into)).replace("/mnt/", f"{project.staging}/"), project.root)
    return into


def test_a_maildir_comes_back_without_what_was_read_or_deleted_since(project: Project) -> None:
    top = project.root / "Maildir"
    fragment = elsewhere(recipe("Maildir")[0], "/home/alice/Maildir", top)
    box = mailbox.Maildir(top)
    read, deleted, kept = (box.add(f"Subject: {name}\n\n{name}\n") for name in ("read", "deleted", "kept"))
    (top / "tmp/half").write_text("Subject: ha")
    (top / "dovecot.index.cache").write_text("index")
    (top / "dovecot-uidlist").write_text("uids")
    night(project, fragment, MONDAY)

    message = box[read]
    message.set_subdir("cur")
    message.set_flags("S")
    (top / "new" / read).rename(top / "cur" / f"{read}:2,S")
    box.remove(deleted)
    new = box.add("Subject: new\n\nnew\n")
    archive = night(project, "", TUESDAY)
    messages = {name for name in archived(archive, top) if kept in name or read in name or new in name}
    assert messages == {f"cur/{read}:2,S", f"new/{new}"}

    back = restored(project) / str(top)[1:]
    found = {str(path.relative_to(back)) for path in back.rglob("*") if path.is_file()}
    assert found == {f"cur/{read}:2,S", f"new/{kept}", f"new/{new}", "dovecot-uidlist"}
    assert (back / "tmp").is_dir()


def test_an_mbox_is_collected_and_restored_under_its_lock(project: Project) -> None:
    path, lock = project.root / "alice", project.root / "alice.lock"
    fragment, (commands,) = recipe("mbox")
    box = mailbox.mbox(path)
    for number in range(3):
        box.add(f"Subject: {number}\n\nFrom here\n")
    box.close()
    was = path.read_bytes()
    folder = collect(project, elsewhere(fragment, "/var/mail/alice", path))
    assert not lock.exists()
    path.write_bytes(b"")
    perform(elsewhere(commands, "/var/mail/alice", path), folder)
    assert path.read_bytes() == was
    assert not lock.exists()


def test_an_mbox_that_somebody_else_has_locked_is_not_collected_and_stays_locked(project: Project) -> None:
    path, lock = project.root / "alice", project.root / "alice.lock"
    path.write_bytes(b"From me\n\n")
    subprocess.run(["dotlockfile", "-l", "-r", "0", str(lock)], check=True)
    fragment = elsewhere(recipe("mbox")[0], "/var/mail/alice", path)
    folder = configure(project, fragment.replace('"-r", "3"', '"-r", "0"'))
    ran = project.run("collect")
    assert ran.status != 0
    assert f"the hook `dotlockfile -l -r 0 {lock}` ended with" in ran.out + ran.err
    assert lock.exists()
    assert not list(folder.glob("*.zst"))


# -- system information -----------------------------------------------------------------------------


@pytest.mark.slow
def test_partitions_and_packages_come_back_from_what_the_system_says(project: Project) -> None:
    disk = project.root / "disk"
    fragment, (commands,) = recipe("System information")
    with disk.open("wb") as stream:
        stream.truncate(64 << 20)
    layout = "label: gpt\nstart=2048, size=20480, type=uefi, name=boot\nsize=40960, name=root\n"
    subprocess.run(["sfdisk", "--quiet", str(disk)], input=layout, text=True, check=True, env={"PATH": PATH})
    folder = collect(project, elsewhere(fragment, "/dev/sda", disk).replace(f"{disk.name}-part", "sda-part"))
    was = disk.read_bytes()
    disk.write_bytes(bytes(len(was)))
    only_tell = project.root / "apt.conf"
    only_tell.write_text('APT::Get::Simulate "true";\n')
    said = perform(
        elsewhere(commands, "/dev/sda", disk), folder,
        {**os.environ, "PATH": PATH, "APT_CONFIG": str(only_tell), "LC_ALL": "C"},
    )  # fmt: skip
    assert disk.read_bytes() == was
    manual = subprocess.run(["apt-mark", "showmanual"], capture_output=True, text=True, check=True).stdout
    assert perform("zstdcat apt-manual.zst", folder) == manual
    assert {name.split(":")[0] for name in manual.split()} <= set(said.split())
    assert "install" in perform("zstdcat dpkg-selections.zst", folder)
    assert "MOUNTPOINTS" in perform("zstdcat disks.zst", folder)


# -- snapshots --------------------------------------------------------------------------------------


@pytest.fixture
def subvolume(project: Project) -> Iterator[Path]:
    """A subvolume of a btrfs in a file."""
    if os.geteuid() != 0:
        pytest.skip("a file system can only be mounted by root")
    image, mounted = project.root / "image", project.root / "btrfs"
    mounted.mkdir()
    with image.open("wb") as stream:
        stream.truncate(128 << 20)
    subprocess.run(["mkfs.btrfs", "--quiet", str(image)], check=True, capture_output=True, env={"PATH": PATH})
    if subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=False).returncode:
        pytest.skip("this machine lets nobody mount a btrfs")
    try:
        subprocess.run(["btrfs", "-q", "subvolume", "create", str(mounted / "srv")], check=True)
        yield mounted / "srv"
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.slow
def test_a_btrfs_is_collected_as_a_snapshot_that_is_gone_afterwards(
    project: Project, subvolume: Path
) -> None:
    fragment, (commands,) = recipe("btrfs")
    (subvolume / "letters").mkdir()
    (subvolume / "letters/a").write_bytes(b"a" * 10_000)
    archive = night(project, elsewhere(fragment, "/srv", subvolume), MONDAY)
    assert archived(archive, subvolume) == {".snapshot", ".snapshot/letters", ".snapshot/letters/a"}
    assert [path.name for path in subvolume.iterdir()] == ["letters"]
    into = project.root / "restore"
    depth = len((subvolume / ".snapshot").parts) - 1
    commands = elsewhere(commands, "/srv", subvolume).replace("components=2", f"components={depth}")
    perform(elsewhere(commands, "/restore", into), archive.parent)
    assert (into / "letters/a").read_bytes() == b"a" * 10_000

    (subvolume / "letters/b").write_bytes(b"b" * 10_000)
    archive = night(project, "", TUESDAY)
    assert ".snapshot/letters/b" in archived(archive, subvolume)
    assert ".snapshot/letters/a" not in archived(archive, subvolume)
