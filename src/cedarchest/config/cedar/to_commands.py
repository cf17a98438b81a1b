"""What Cedar Backup's extensions collect, as commands and sources of our own collect."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cedarchest.config.cedar.draft import Draft, Secret
from cedarchest.config.cedar.left_behind import Left, Suffix
from cedarchest.config.cedar.reading import first
from cedarchest.config.cedar.sections import CedarConfig, Databases, Dumped, Dumps, Options
from cedarchest.config.cedar.to_collect import PACKINGS
from cedarchest.config.cedar.to_excludes import expression
from cedarchest.config.wording import command_place, shown

SYSINFO = {
    "dpkg-selections.txt": ["/usr/bin/dpkg", "--get-selections"],
    "fdisk-l.txt": ["/sbin/fdisk", "-l"],
}

TEXT = ".txt"
LONGEST = 200
"""Bytes of a name, so that it takes a suffix or two."""

LINE = (
    "extensions mysql, postgresql, subversion, mbox and sysinfo: what they dump is collected by `collect`"
    " itself; take their names out of cron lines, and their hooks with them"
)


@dataclass(slots=True)
class Commands:
    """Writes `[[collect.command]]`, each under a name of its own; `used` are overrides that were taken."""

    draft: Draft
    options: Options
    names: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def add(
        self, extension: str, name: str, argv: Sequence[str], *, mode: str | None, compress: str | None
    ) -> None:
        """Write a command that does what an extension did."""
        unique = self._unique(name)
        self.draft.dumps(extension, command_place(unique))
        self.draft.table("collect.command", several=True)
        self.draft.put("name", unique)
        self.draft.put("argv", [self.program(argv[0]), *argv[1:]])
        self.draft.put("mode", mode)
        self.draft.put("archive", PACKINGS[compress or "none"])

    def program(self, name: str) -> str:
        """A program, or what replaces it."""
        base = name.rpartition("/")[2]
        if base in self.options.overrides:
            self.used.add(base)
        return self.options.overrides.get(base, name)

    def _unique(self, name: str) -> str:
        stem = re.sub(r"[/\0]", "-", name.removesuffix(TEXT)).replace(".tar", "-tar")
        stem = stem.encode()[:LONGEST].decode(errors="ignore")
        number, made = 1, f"{stem}{TEXT}"
        while made in self.names:
            number += 1
            made = f"{stem}-{number}{TEXT}"
        self.names.add(made)
        return made


def write_commands(config: CedarConfig, draft: Draft, sources: set[str], *, collects: bool) -> set[str]:
    """All that extensions dump; gives the commands whose overrides were taken."""
    commands = Commands(draft, config.options or Options())
    dumping = [name for name in ("mysql", "postgresql", "subversion", "mbox") if getattr(config, name)]
    sysinfo = config.runs("sysinfo")
    if not collects:
        for name in (*dumping, *(["sysinfo"] if sysinfo else [])):
            draft.untaken.append(f"<{name}>: needs a <collect> with a <collect_dir>; nothing of it is taken")
        return set()
    for name in dumping:
        if config.actions is not None and not config.runs(name):
            draft.differs(f"<{name}>: no extension is named for it, so it never ran; `collect` runs it now")
    if config.mysql:
        _mysql(config.mysql, commands)
    if config.postgresql:
        _postgresql(config.postgresql, commands)
    if config.subversion:
        _subversion(config.subversion, commands)
    if config.mbox:
        _mbox(config.mbox, draft, sources)
    if sysinfo:
        _sysinfo(commands)
    if dumping or sysinfo:
        draft.differs(LINE)
    return commands.used


def _mysql(section: Databases, commands: Commands) -> None:
    start = ["mysqldump"]
    if section.password is not None:
        path = commands.draft.secrets_dir / "mysql.cnf"
        start.append(f"--defaults-extra-file={path}")
        commands.draft.secrets.append(Secret(path, _option_file(section.user, section.password)))
        commands.draft.differs(
            f"<password> in mysql: is in {shown(path)}, which only its owner may read; it was in an"
            " argument, where every user of the machine saw it"
        )
    elif section.user is not None:
        start.append(f"--user={section.user}")
    # What `--opt` and `--flush-logs` do is what Cedar Backup had done; the rest makes the dump complete.
    start += ["--flush-logs", "--opt", "--hex-blob"]
    _dump("mysql", section, start, ["--all-databases"], ["--databases"], commands)
    commands.draft.say(
        "Stored routines and events are in the dump with --routines --events, for which the user needs"
        " rights;",
        "InnoDB alone is dumped without locking anybody out with --single-transaction.",
    )


def _postgresql(section: Databases, commands: Commands) -> None:
    user = [f"--username={section.user}"] if section.user else []
    rest = [*user, "--no-password"]
    if section.all:
        argv = ["pg_dumpall", *rest]
        commands.add("postgresql", "postgresqldump.txt", argv, mode="daily", compress=section.compress)
        commands.draft.taken.append("<postgresql>: all databases")
        return
    _dump("postgresql", section, ["pg_dump", *rest], [], [], commands)


def _dump(
    kind: str,
    section: Databases,
    start: Sequence[str],
    for_all: Sequence[str],
    for_one: Sequence[str],
    commands: Commands,
) -> None:
    file = f"{kind}dump"
    if section.all:
        commands.add(kind, f"{file}.txt", [*start, *for_all], mode="daily", compress=section.compress)
        commands.draft.taken.append(f"<{kind}>: all databases")
        if section.names:
            commands.draft.untaken.append(f"<database> in {kind}: <all> is Y, which has them all")
    elif not section.names:
        commands.draft.missing.append(f"<{kind}>: names no database and not all; nothing is dumped")
    else:
        for name in dict.fromkeys(section.names):
            if name.startswith("-"):
                commands.draft.untaken.append(
                    f"<database> {shown(name)} in {kind}: would be taken for an option"
                )
                continue
            argv = [*start, *for_one, name]
            commands.add(kind, f"{file}-{name}.txt", argv, mode="daily", compress=section.compress)
            commands.draft.taken.append(f"<{kind}>: the database {shown(name)}")


def _option_file(user: str | None, password: str) -> str:
    """An option file of MySQL's.

    Source: MySQL manual, "Using Option Files": quotes around a value go, a backslash is doubled.
    """

    def value(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        return f'"{escaped}"'

    lines = ["[client]", *([f"user = {value(user)}"] if user else []), f"password = {value(password)}"]
    return "\n".join(lines) + "\n"


def _subversion(section: Dumps, commands: Commands) -> None:
    for item in section.items:
        if item.abs_path is None:
            commands.draft.missing.append("<repository> in subversion: has no <abs_path>, and is left out")
        elif item.is_dir:
            _repositories(item, section, commands)
        else:
            _repository(item, section, commands)


def _repositories(item: Dumped, section: Dumps, commands: Commands) -> None:
    """The folders that are in a folder now, less what is left out."""
    top = item.abs_path or ""
    names = commands.draft.folders(top)
    if names is None:
        commands.draft.say(
            f"Not taken over: the repositories in {shown(top)}. Each needs a [[collect.command]]."
        )
        commands.draft.untaken.append(
            f"<repository_dir> {shown(top)} in subversion: cannot be looked into; add a"
            ' [[collect.command]] for each repository, such as argv = ["svnadmin", "dump", "--quiet",'
            ' "PATH"]'
        )
        return
    left_out = {posixpath.join(top, each) for each in item.excludes.rel_paths}
    for name in names:
        path = posixpath.join(top, name)
        if path in left_out or any(re.match(f"^{each}$", path) for each in item.excludes.patterns):
            continue
        if not name.isprintable():
            commands.draft.untaken.append(
                f"<repository_dir> {shown(top)}: {shown(name)} in it has no usual name"
            )
            continue
        _repository(replace(item, abs_path=path), section, commands)
    commands.draft.differs(
        f"<repository_dir> {shown(top)}: the repositories that are in it now are named one by one; a new"
        " one needs a [[collect.command]]. Where the XML itself is used it is looked into at each run."
    )


def _repository(item: Dumped, section: Dumps, commands: Commands) -> None:
    path = item.abs_path or ""
    mode = first(item.mode, section.mode)
    name = f"svndump-{re.sub('[^A-Za-z0-9._+-]', '_', path.strip('/').replace('/', '-')) or '_'}.txt"
    argv = ["svnadmin", "dump", "--quiet", path]
    compress = first(item.compress, section.compress)
    commands.add("subversion", name, argv, mode="daily" if mode == "incr" else mode, compress=compress)
    if mode == "incr":
        commands.draft.differs(
            'subversion, mode "incr": a repository is dumped whole every day; pieces are worthless without'
            " all those before. For a large one see `hotcopy` in the recipes."
        )
        commands.draft.left.append(Left(path, Suffix.REVISION))
    commands.draft.taken.append(f"<repository> {shown(path)}: dumped by svnadmin")


def _mbox(section: Dumps, draft: Draft, sources: set[str]) -> None:
    for item in section.items:
        if item.abs_path is None:
            draft.missing.append("<mbox>: a <file> or <dir> has no <abs_path>, and is left out")
            continue
        path = item.abs_path.rstrip("/") or "/"
        if path in sources:
            draft.untaken.append(f"<mbox> {shown(path)}: is collected already, as a source")
            continue
        sources.add(path)
        mode = first(item.mode, section.mode)
        draft.table("collect.source", several=True)
        draft.put("path", path)
        draft.dumps("mbox", path)
        draft.put("mode", mode)
        draft.put("archive", PACKINGS[first(item.compress, section.compress) or "none"])
        if item.is_dir:
            _mail_folder(item, path, draft)
        if mode == "incr":
            draft.differs(
                'mbox, mode "incr": a mailbox that changed is archived whole; grepmail, which took out the'
                " new messages, is not needed"
            )
            draft.left.append(Left(item.abs_path, Suffix.MAIL))
        draft.taken.append(f"<mbox> {shown(path)}: a source")


def _mail_folder(item: Dumped, path: str, draft: Draft) -> None:
    """What is directly in a folder, less what is left out."""
    top = re.escape(path.rstrip("/"))
    left_out = [f"{top}/{re.escape(each)}" for each in item.excludes.rel_paths]
    draft.put(
        "exclude_regex",
        [f"{top}/[^/]+/.*", *left_out, *(expression(each, path, draft) for each in item.excludes.patterns)],
        "Mailboxes in the folder itself, none in folders below it.",
    )


def _sysinfo(commands: Commands) -> None:
    for name, argv in SYSINFO.items():
        commands.add("sysinfo", name, argv, mode="daily", compress="bzip2")
    commands.draft.taken.append("sysinfo: packages and partitions")
    commands.draft.differs(
        "sysinfo: `ls -laR /` is not run; the index beside each archive has all paths with size, times,"
        " owner and digest. A program that is not there is named and makes the run end with 11: take it"
        " out then."
    )
