"""Configurations of Cedar Backup as ours: each section, what is told of it, and what is refused."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.cedar_xml import BASE, CEDAR_2, CEDAR_3, collect, document, migrated, ours, problems, report, store
from tests.conftest import REPOSITORY

from cedarchest.actions.collect import check_collected
from cedarchest.config.cedar.commands import LogIn, log_in, words_of
from cedarchest.config.cedar.translate import migrate
from cedarchest.config.choices import CollectMode, HookTime, IgnoreFailures, NewDisc
from cedarchest.config.model import Config
from cedarchest.config.units import Margin
from cedarchest.errors import ConfigError
from cedarchest.model.media import Medium


def told(lines: tuple[str, ...], *pieces: str) -> bool:
    """Whether one of the lines has all the pieces."""
    return any(all(piece in line for piece in pieces) for line in lines)


def test_a_whole_configuration_of_version_3_is_ours() -> None:
    made = ours(CEDAR_3)
    assert (made.options.starting_day, made.options.user, made.options.group) == (
        "tuesday",
        "backup",
        "operators",
    )
    assert made.options.working_dir == Path("/var/backups/work")
    assert made.require_stage().dir == Path("/var/backups/stage")
    sources = {str(each.path): each for each in made.require_collect().source}
    assert list(sources) == [
        *("/home/keeper/.profile", "/var/log/installer.log", "/etc", "/home"),
        *("/var/mail/keeper", "/srv/lists"),
    ]
    home = sources["/home"]
    assert (home.mode, home.archive, home.ignore_file) == ("incr", "tar.bz2", ".nobackup")
    assert (home.link_depth, home.dereference, home.recursion_level) == (1, True, 1)
    assert home.exclude == ("/home/guest",)
    assert home.exclude_regex == (re.escape("/home/keeper/[old] films"), r"(?-s:.*/\.cache)\n?")
    names = [(each.name, each.mode, each.archive) for each in made.require_collect().command]
    assert names == [
        ("mysqldump-shop.txt", "daily", "tar.bz2"),
        ("mysqldump-wiki.txt", "daily", "tar.bz2"),
        ("postgresqldump.txt", "daily", "tar.gz"),
        ("svndump-srv-svn-tools.txt", "daily", "tar.gz"),
        ("svndump-srv-svn-site.txt", "weekly", "tar"),
        ("dpkg-selections.txt", "daily", "tar.bz2"),
        ("fdisk-l.txt", "daily", "tar.bz2"),
    ]
    keeper, mail, laptop = made.peer
    assert (keeper.name, keeper.host, keeper.user) == ("keeper", None, None)
    assert (mail.host, mail.user, mail.port, mail.identity) == ("mail.example.org", "mailbackup", 2222, None)
    assert mail.managed_actions == ("collect", "purge")
    assert mail.ignore_failures is IgnoreFailures.WEEKLY
    assert laptop.identity == Path("/home/backup/.ssh/pool")
    assert laptop.ssh_options == ("-o", "ConnectTimeout 20")
    assert (laptop.user, laptop.managed_actions) == ("backup", ("collect",))
    assert laptop.managed_command == ("/usr/bin/cback3",)
    disc = made.require_store()
    assert (disc.device, disc.media, disc.speed) == (("/dev/sr0",), Medium.DVD_PLUS_RW, 4)
    assert (disc.new_disc, disc.blank_factor, disc.retention) == (NewDisc.WEEKLY, 1.3, timedelta())
    assert (disc.check, disc.check_media, disc.warn_midnight) == ("now", True, True)
    assert disc.warn_free == Margin(percent=Decimal("4.5"))
    assert disc.load_delay == timedelta(seconds=15)
    assert [(str(each.path), each.retain_days, each.require_stored) for each in made.purge.dir] == [
        ("/var/backups/stage", 7, True),
        ("/var/backups/collect", 0, True),
    ]
    assert [(each.action, each.when, each.argv) for each in made.hook] == [
        ("collect", HookTime.BEFORE, ("/usr/local/bin/quiet", "the database", "now")),
        ("store", HookTime.AFTER, ("/usr/local/bin/label", "--again")),
    ]


def test_a_whole_configuration_of_version_2_is_ours() -> None:
    made = ours(CEDAR_2)
    fstab, home = made.require_collect().source
    assert (str(home.path), home.mode, home.recursion_level) == ("/home/käthe", CollectMode.INCR, 100)
    assert fstab.mode == "daily"
    assert [each.name for each in made.peer] == ["alone"]
    assert (made.require_store().media, made.require_store().new_disc) == (Medium.CD_RW, NewDisc.WEEKLY)


@pytest.mark.parametrize("example", [CEDAR_2, CEDAR_3], ids=["2", "3"])
def test_nothing_of_a_configuration_without_slips_was_ignored_or_is_missing(example: Path) -> None:
    assert report(example).ignored == report(example).missing == ()


def test_what_is_meant_to_be_encrypted_is_refused_by_every_action() -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_mapping(migrated(CEDAR_2).mapping, BASE)
    assert [line.partition(":")[0] for line in refused.value.problems] == ["store.encrypt"]


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ("<encrypt/>", "encrypt"),
        ("<amazons3><s3_bucket>b</s3_bucket></amazons3>", "s3"),
        ("<extensions><action><module>CedarBackup3.extend.encrypt</module></action></extensions>", "encrypt"),
        ("<extensions><action><module>CedarBackup2.extend.amazons3</module></action></extensions>", "s3"),
    ],
)
@pytest.mark.parametrize("stored", ["", store()], ids=["no store", "store"])
def test_no_trace_of_encryption_or_s3_is_lost(sections: str, key: str, stored: str) -> None:
    made = migrated(sections + stored)
    table = made.mapping["store"]
    assert isinstance(table, dict)
    assert key in table
    assert told(made.report.untaken, "not built yet", "written in plain")


def test_a_password_is_in_a_file_of_its_own_and_nowhere_else() -> None:
    made = migrated(CEDAR_3)
    secret = 'a "secret" \\ # one'
    assert secret not in made.toml
    assert "secret" not in str(made.report) + repr(made.secrets)
    assert [each.path for each in made.secrets] == [BASE / "mysql.cnf"]
    assert made.secrets[0].content == '[client]\nuser = "dumper"\npassword = "a "secret" \\\\ # one"\n'
    assert (
        "--defaults-extra-file=/etc/cedarchest/mysql.cnf"
        in ours(CEDAR_3).require_collect().command[0].argv[1]
    )


@pytest.mark.parametrize(
    "section", ["options", "peers", "collect", "stage", "store", "purge", "reference", "extensions", "mysql"]
)
def test_a_fragment_of_one_empty_section_is_taken(section: str) -> None:
    assert isinstance(ours(f"<{section}/>"), Config)


def test_nothing_at_all_is_taken_and_each_missing_section_is_a_line() -> None:
    lines = report("").missing
    assert ours("") == Config.from_mapping({}, BASE)
    for section in ("reference", "options", "collect", "stage", "store", "purge"):
        assert told(lines, f"<{section}>", "is missing")


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ("<stagee/>", "line 1: <stagee> is not known; did you mean <stage>?"),
        (store("<warn_midnight>Y</warn_midnight>"), "it is written <warn_midnite>"),
        (collect("<recursion_level>2</recursion_level>"), "counts in <dir> only"),
        (store("<blank_behavior><blank_mode>daily</blank_mode></blank_behavior>"), "it is <mode>"),
        (store("<blank_factor>2</blank_factor>"), "it is <factor> in <blank_behavior>"),
        ("<options><working_dir>/a</working_dir><working_dir>/b</working_dir></options>", "first"),
        ("<options/><options/>", "is there already"),
        ('<purge when="never"/>', "has attributes"),
        ('<options><working_dir as="is">/a</working_dir></options>', "has attributes"),
        ("<options><working_dir><b/></working_dir></options>", "<b>"),
        ("<purge>some text<dir/></purge>", "has text between"),
        ("<options><working_dir>/a<b/></working_dir></options>", "<b>"),
        ("<options><working_dir>/a<!-- -->/b</working_dir></options>", "what follows it"),
        ("<stage><peer><type>local</type><managed>Y</managed></peer></stage>", "for remote peers only"),
        (collect("<file><ignore_file>x</ignore_file></file>"), "<ignore_file> in collect/file"),
    ],
)  # fmt: skip
def test_what_cedar_backup_ignored_without_a_word_is_told(sections: str, line: str) -> None:
    made = report(sections)
    assert told(made.ignored, line), made.ignored


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ("<options><starting_day>Friday</starting_day></options>", "starting_day"),
        ("<options><starting_day> friday</starting_day></options>", "starting_day"),
        ("<options><working_dir>tmp</working_dir></options>", "no absolute path"),
        (collect("<file><abs_path>/a</abs_path><mode>hourly</mode></file>"), "<mode> in collect/file[1]"),
        (collect("<dir><abs_path>/a</abs_path><archive_mode>zip</archive_mode></dir>"), '"targz"'),
        (collect("<dir><abs_path>/a</abs_path><dereference>Y</dereference></dir>"), "link_depth"),
        (collect("<dir><abs_path>/a</abs_path><link_depth>-1</link_depth></dir>"), "too small"),
        (collect("<exclude><pattern>[</pattern></exclude>"), "not a regular expression"),
        (store("<check_data>yes</check_data>"), "neither Y nor N"),
        (store("<check_data>Y </check_data>"), "neither Y nor N"),
        (store("<drive_speed>0</drive_speed>"), "at least 1"),
        (store(media="cdr-74"), "does not write"),
        (store(media="bd-r"), '"bd-r" is not known'),
        (store(kind="bdwriter"), "device_type"),
        (store("<blank_behavior><factor>-1</factor></blank_behavior>"), "from 0 up"),
        (store("<target_scsi_id>scsi</target_scsi_id>"), "target_scsi_id"),
        ("<purge><dir><abs_path>/a</abs_path><retain_days>-1</retain_days></dir></purge>", "retain_days"),
        ("<peers><peer><type>far</type></peer></peers>", "type"),
        ("<peers><peer><name>a</name></peer><peer><name>a</name></peer></peers>", "two peers"),
        ("<peers><peer><ignore_failures>some</ignore_failures></peer></peers>", "ignore_failures"),
        ("<extensions><order_mode>any</order_mode></extensions>", "order_mode"),
        ("<extensions><action><name>My</name></action></extensions>", "small letters"),
        ("<mysql><compress_mode>zip</compress_mode></mysql>", "compress_mode"),
        ("<capacity><max_percentage>101</max_percentage></capacity>", "more than all"),
        ("<split><size_limit>2 TB</size_limit></split>", "size_limit"),
        ("<encrypt><encrypt_mode>pgp</encrypt_mode></encrypt>", "encrypt_mode"),
    ],
)
def test_a_value_against_the_rules_is_refused_with_its_place(sections: str, line: str) -> None:
    assert told(problems(sections), "line 1" if "two peers" not in line else "", line)


def test_all_values_against_the_rules_are_told_at_once() -> None:
    found = problems("<options>\n<starting_day>x</starting_day>\n<working_dir>y</working_dir></options>")
    assert [line.partition(":")[0] for line in found] == ["line 2", "line 3"]


def test_a_name_that_is_none_of_ours_is_refused_and_named() -> None:
    peer = "<peer><name>{}</name><type>{}</type><collect_dir>/c</collect_dir></peer>"
    assert told(problems(f"<peers>{peer.format('a/b', 'local')}</peers>"), "as ours, peer[0].name")
    assert told(problems(f"<peers>{peer.format('-oProxyCommand=x', 'remote')}</peers>"), "peer[0].host")


def test_an_exclude_that_never_matched_is_left_out_and_told() -> None:
    sections = collect("<exclude><abs_path>/a/</abs_path><abs_path>/a//b</abs_path></exclude>")
    assert ours(sections).require_collect().exclude == ()
    assert told(report(sections).untaken, '"/a/"', "never matched")
    assert told(report(sections).untaken, '"/a//b"', "never matched")


@pytest.mark.parametrize(
    ("source", "is_pattern"),
    [
        ("<abs_path>/</abs_path>", True),
        ("<abs_path>/home</abs_path>", True),
        ("<abs_path>/homes/ann</abs_path>", True),
        ("<abs_path>/home/ann</abs_path>", False),
        ("<abs_path>//home/./ann/</abs_path>", False),
        ("<abs_path>/srv</abs_path><link_depth>1</link_depth><dereference>Y</dereference>", False),
    ],
)
def test_an_excluded_path_leaves_out_no_source_that_is_below_it(source: str, is_pattern: bool) -> None:
    sections = collect(f"<exclude><abs_path>/home</abs_path></exclude><dir>{source}</dir>")
    made = ours(sections).require_collect()
    assert (made.exclude, made.exclude_regex) == ((("/home",), ()) if is_pattern else ((), ("/home",)))


def test_a_bar_outside_of_parentheses_means_what_it_meant() -> None:
    sections = collect("<exclude><pattern>/a|.*b</pattern><pattern>/(c|d)[|]</pattern></exclude>")
    either, both = ours(sections).require_collect().exclude_regex
    assert [bool(re.fullmatch(either, path, re.DOTALL)) for path in ("/a", "/ax", "/xb", "/xbx")] == [
        *(True, True, True, False)
    ]
    assert both == r"(?-s:/(c|d)[|])\n?"
    assert told(report(sections).changed, '"/a|.*b"')


@pytest.mark.parametrize(
    "pattern", ["/a.b", "/a[^x]b", "/a\\.b", "/a.b|/c", "/ab", "/(?s:a.b)", "/a.b$", "(/)a.*"]
)
def test_a_pattern_means_what_it_meant_where_names_have_newlines(pattern: str) -> None:
    sections = collect(f"<exclude><pattern>{pattern}</pattern></exclude>")
    (ours_of_it,) = ours(sections).require_collect().exclude_regex
    for path in ("/ab", "/ab\n", "/a.b", "/a\nb", "/a\nb\n", "/a.b\n", "/a.b\n\n", "/c\n", "/a.bx"):
        theirs = re.compile(f"^{pattern}$").match(path)
        assert bool(re.fullmatch(ours_of_it, path, re.DOTALL)) == bool(theirs), path


@pytest.mark.parametrize(
    ("everywhere", "own", "is_left_out"),
    [
        ("<pattern>.*/ann</pattern>", "", True),
        ("<pattern>/nosuch|.*n</pattern>", "", True),
        ("<abs_path>/home/ann</abs_path>", "", True),
        ("", "<abs_path>/home/ann</abs_path>", True),
        ("", "<pattern>[[/]home/ann</pattern>", True),
        ("<pattern>/home</pattern><pattern>ann</pattern><pattern>.*/ann/.*</pattern>", "", False),
        ("<abs_path>/home</abs_path>", "<rel_path>ann</rel_path>", False),
    ],
)
def test_a_directory_that_is_itself_left_out_is_no_source_and_told(
    everywhere: str, own: str, is_left_out: bool
) -> None:
    sections = collect(
        f"<exclude>{everywhere}</exclude><dir><abs_path>/home/ann/</abs_path><exclude>{own}</exclude></dir>"
        "<file><abs_path>/home/bob/ann</abs_path></file>"
    )
    sources = [str(each.path) for each in ours(sections).require_collect().source]
    assert sources == ["/home/bob/ann", *([] if is_left_out else ["/home/ann"])]
    assert told(report(sections).untaken, '"/home/ann"', "itself left out") is is_left_out


MODE, ARCHIVE = "<collect_mode>{}</collect_mode>", "<archive_mode>{}</archive_mode>"
EXCLUDE = "<exclude><rel_path>{}</rel_path></exclude>"


@pytest.mark.parametrize(
    ("several", "which", "why"),
    [
        ([EXCLUDE.format("x"), EXCLUDE.format("y")], 1, "is there twice; the last one counts"),
        ([MODE.format("weekly"), "", EXCLUDE.format("y")], 2, "is there 3 times; the last one counts"),
        ([MODE.format("incr"), MODE.format("incr")], 1, "the last one counts"),
        ([EXCLUDE.format("x"), MODE.format("weekly")], 0, 'only the last one that is collected "daily"'),
        ([MODE.format("incr"), MODE.format("incr") + EXCLUDE.format("y")], 1, "archives of each"),
        ([ARCHIVE.format("tar"), EXCLUDE.format("y")], 1, "archives of each"),
        (["<recursion_level>1</recursion_level>", ""], 1, "archives of each"),
    ],
)
def test_of_several_sources_with_one_path_the_last_counts_that_is_collected_most_often(
    several: list[str], which: int, why: str
) -> None:
    made = [f"<dir><abs_path>/a</abs_path>{inside}</dir>" for inside in several]
    sections = collect("".join(made))
    assert ours(sections).require_collect().source == ours(collect(made[which])).require_collect().source
    assert told(report(sections).untaken, '"/a"', why)


def test_a_slash_at_the_end_makes_no_other_source() -> None:
    sections = collect("<dir><abs_path>/a</abs_path></dir><dir><abs_path>/a/</abs_path></dir>")
    assert [str(each.path) for each in ours(sections).require_collect().source] == ["/a"]
    assert told(report(sections).untaken, '"/a"', "twice", "archives of each")


def test_peers_of_stage_are_those_that_are_staged() -> None:
    peer = "<peer><name>{}</name><type>local</type><collect_dir>/c</collect_dir></peer>"
    sections = (
        f"<peers>{peer.format('a')}{peer.format('b')}</peers>"
        f"<stage><staging_dir>/s</staging_dir>{peer.format('b')}</stage>"
    )
    assert [each.name for each in ours(sections).peer] == ["b"]
    assert told(report(sections).untaken, '"a"', "left out")


@pytest.mark.parametrize(
    ("media", "retention"),
    [("cdr-74", 14), ("cdr-80", 14), ("cdrw-74", 0), ("cdrw-80", 0), ("dvd+r", 14), ("dvd+rw", 0)],
)
def test_only_what_can_be_written_over_is_given_up_as_cedar_backup_did(media: str, retention: int) -> None:
    sections = store(media=media, kind="dvdwriter" if media.startswith("dvd") else "cdwriter")
    assert ours(sections).require_store().retention == timedelta(days=retention)
    assert (
        ("# MIND THIS" in migrated(sections).toml)
        is told(report(sections).changed, "retention")
        is (retention == 0)
    )


@pytest.mark.parametrize(
    ("blank", "new_disc", "factor"),
    [
        ("", NewDisc.WEEKLY, None),
        ("<blank_behavior><mode>daily</mode><factor>0</factor></blank_behavior>", NewDisc.DAILY, 0.0),
        ("<blank_behavior><mode>weekly</mode><factor>1.5</factor></blank_behavior>", NewDisc.WEEKLY, 1.5),
        ("<blank_behavior><factor>2</factor></blank_behavior>", NewDisc.WEEKLY, 2.0),
    ],
)
def test_blank_behavior_decides_on_new_discs(blank: str, new_disc: NewDisc, factor: float | None) -> None:
    made = ours(store(blank)).require_store()
    assert (made.new_disc, made.blank_factor) == (new_disc, factor)


@pytest.mark.parametrize(
    "row",
    [
        ("purge", "proven"),
        ("collect", "whole"),
        ("exit status", "11"),
        ("store", "read back"),
        ("store", "not ours is refused"),
        ("store", "staged day decides"),
        ("store", "drive says how much"),
        ("archives", "never clash"),
    ],
    ids=str,
)
def test_each_deliberate_difference_is_told(row: tuple[str, ...]) -> None:
    assert told(report(CEDAR_3).changed, *row)


@pytest.mark.parametrize(
    ("most", "least"), [("63.29128310980123", "36.708717"), ("99.9999999", "0"), ("0.5", "99.5")]
)
def test_a_percentage_of_any_length_is_taken(most: str, least: str) -> None:
    margin = ours(store() + f"<capacity><max_percentage>{most}</max_percentage></capacity>").require_store()
    assert margin.warn_free == Margin(percent=Decimal(least))


def test_each_difference_in_the_table_has_a_test_that_shows_it() -> None:
    text = (REPOSITORY / "docs/how-to/from-cedar.md").read_text(encoding="utf-8")
    rows = text.partition("| shown by |\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(rows) > 40
    sources = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    unshown = [
        row
        for row in rows
        if not (test := re.fullmatch(r"\|.*\| `(test_\w+)` \|", row)) or f"def {test[1]}(" not in sources
    ]
    assert unshown == []


def test_days_are_staged_where_the_store_looks_when_there_is_no_stage() -> None:
    assert ours(store()).require_stage().dir == Path("/s")
    both = "<stage><staging_dir>/t</staging_dir></stage>" + store()
    assert ours(both).require_stage().dir == Path("/t")
    assert told(report(both).changed, '"/s"', "is not used")


def test_each_repository_in_a_folder_is_dumped_but_for_what_is_left_out() -> None:
    there = {"/srv/svn/teams": ["a", "gone", "old1", "with space", "odd\nname"]}
    made = migrate(CEDAR_3.read_bytes(), base=BASE, secrets_dir=BASE, folders=there.get)
    commands = Config.from_mapping(made.mapping, BASE).require_collect().command
    paths = [each.argv[-1] for each in commands if "svnadmin" in each.argv[0]]
    assert paths == ["/srv/svn/tools", "/srv/svn/site", "/srv/svn/teams/a", "/srv/svn/teams/with space"]
    assert told(made.report.changed, '"/srv/svn/teams"', "one by one")
    assert told(made.report.untaken, "odd\\x0aname")


def test_mailboxes_in_a_folder_are_those_in_the_folder_itself() -> None:
    lists = next(each for each in ours(CEDAR_3).require_collect().source if str(each.path) == "/srv/lists")
    left_out = [path for path in ("/srv/lists/a", "/srv/lists/spam", "/srv/lists/sub/a", "/srv/lists/junk1")
                if any(re.fullmatch(each, path) for each in lists.exclude_regex)]  # fmt: skip
    assert left_out == ["/srv/lists/spam", "/srv/lists/sub/a", "/srv/lists/junk1"]


def test_names_of_archives_never_clash_and_are_never_too_long() -> None:
    names = ["a/b", "a-b", "c.tar", "x" * 300, "x" * 301]
    section = "".join(f"<database>{name}</database>" for name in names)
    made = ours(collect("") + f"<postgresql>{section}</postgresql>").require_collect()
    assert [each.argv[-1] for each in made.command] == names
    assert [each.name for each in made.command][:3] == [
        *("postgresqldump-a-b.txt", "postgresqldump-a-b-2.txt", "postgresqldump-c-tar.txt"),
    ]
    assert len({each.name for each in made.command}) == 5
    assert check_collected(made) == {}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo one two", ["echo", "one", "two"]),
        ('echo "one two"', ["echo", "one two"]),
        ('echo a="x y"', ["echo", "a=", "x y"]),
        ("echo 'one two'", ["echo", "'one", "two'"]),
        ('echo "" x', ["echo", "x"]),
        ("", []),
    ],
)
def test_commands_are_cut_into_words_as_cedar_backup_does(command: str, words: list[str]) -> None:
    assert words_of(command) == words


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("scp -B", LogIn()),
        ("/usr/bin/scp -O -B -p -q -r -v", LogIn()),
        ("scp -P 22 -i /k", LogIn(identity="/k", port=22)),
        ("scp -P2222 -i/k -l 800", LogIn(identity="/k", port=2222, bwlimit="100000 B")),
        ("ssh -p 22 -4 -C", LogIn(port=22, options=["-4", "-C"])),
        ('scp -o "Port 3" -F /f -J jump', LogIn(options=["-o", "Port 3", "-F", "/f", "-J", "jump"])),
        ("scp -i key", LogIn(unused=["-i key"])),
        ("scp -P x", LogIn(unused=["-P x"])),
        ("scp -P", LogIn(unused=["-P"])),
        ("scp -3 there", LogIn(unused=["-3", "there"])),
        ("ssh -l other", LogIn(unused=["-l other"])),
        ("rsh", LogIn(unused=["rsh"])),
        ("", LogIn()),
    ],
)
def test_how_to_log_in_is_taken_from_the_copy_command(command: str, expected: LogIn) -> None:
    assert log_in(command) == expected


@pytest.mark.parametrize("name", ["--all-databases", "a/b"])
def test_a_hostile_name_of_a_database_is_no_option_and_no_path(name: str) -> None:
    made = ours(collect("<dir><abs_path>/a</abs_path></dir>") + f"<mysql><database>{name}</database></mysql>")
    for command in made.require_collect().command:
        assert command.argv[-1] == "a/b"
        assert command.name == "mysqldump-a-b.txt"


def test_hooks_that_never_fired_are_left_out() -> None:
    hook = "<options><pre_action_hook><action>{}</action><command>true</command></pre_action_hook></options>"
    for action in ("all", "nothing"):
        assert ours(hook.format(action)).hook == ()
        assert told(report(hook.format(action)).untaken, action, "left out")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<",
        b"\x00",
        b"<cb_config>",
        b"<cb_config></cb_confi>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><cb_config>&b;</cb_config>",
        b"<!DOCTYPE a [<!ENTITY % p 'x'>]><cb_config/>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><cb_config/>",
        b"<!DOCTYPE a PUBLIC 'b' 'http://127.0.0.1/'><cb_config/>",
        b"<!DOCTYPE a [<!ATTLIST cb_config b CDATA 'c'>]><cb_config/>",
        b"<!DOCTYPE a [<!ENTITY b SYSTEM '/dev/zero'>]><cb_config>&b;</cb_config>",
        b"<cb_config>&b;</cb_config>",
        b"<cb_config>\xff\xfe</cb_config>",
        b"<?xml version='1.0' encoding='utf-16'?><cb_config/>",
        b"<?xml version='1.0' encoding='rot13'?><cb_config/>",
        b"<?xml version='1.0' encoding='no-such'?><cb_config/>",
        b"<?xml version='1.0' encoding='shift_jis'?><cb_config>\x83\x5c</cb_config>",
        b"<cb_config/>" + b" " * (1 << 20),
        b"<cb_config>" + b"<a>" * 100_000,
        b"<a>" * 10 + b"</a>" * 10,
        b"<cb_config>" + b"<a><b><c>" * 6 + b"</c></b></a>" * 6 + b"</cb_config>",
        b"<cb_config>" + b"<a/>" * 60_000 + b"</cb_config>",
        b"<html><body/></html>",
        b"<cb_config/><cb_config/>",
        b"<cb_config>\x0b</cb_config>",
        "<cb_config>ä</cb_config>".encode("latin-1"),
        b"[options]\nstarting_day = 'monday'\n",
    ],
    ids=range(27),
)
def test_hostile_xml_is_refused(raw: bytes) -> None:
    assert problems(raw)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_every_encoding_that_cedar_backup_takes_is_taken(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    section = collect("<file><abs_path>/ä</abs_path></file>")
    text = f"<?xml version='1.0' encoding='{name}'?><cb_config>{section}</cb_config>"
    assert str(ours(text.encode(encoding)).require_collect().source[0].path) == "/ä"


def test_a_thousand_unknown_elements_are_told_within_reason() -> None:
    assert 100 < len(report("<purge>" + "<x/>" * 1000 + "</purge>").ignored) <= 201


def test_what_stands_in_comments_is_on_lines_of_its_own() -> None:
    raw = document("<reference><author>a\n[store]\ndevice = 1</author></reference>")
    assert "store" not in migrated(raw).mapping


@pytest.mark.parametrize(
    "sections",
    [
        "<purge>" + "<abs_pathx/>" * 40_000 + "</purge>",
        "<peers>" + "<peer><name>a</name></peer>" * 20_000 + "</peers>",
        collect("") + "<mysql>" + "<database>a</database>" * 40_000 + "</mysql>",
        "<options><rcp_command>scp " + "-i " * 300_000 + "</rcp_command></options>"
        "<peers><peer><name>a</name><type>remote</type><collect_dir>/c</collect_dir></peer></peers>",
        collect("<exclude><pattern>" + "[[" * 100_000 + "]|b</pattern></exclude>"),
    ],
    ids=["unknown", "peers", "databases", "words", "brackets"],
)
def test_a_file_that_is_full_of_one_thing_is_read_in_a_moment(sections: str) -> None:
    began = time.process_time()
    with contextlib.suppress(ConfigError):
        migrated(sections)
    assert time.process_time() - began < 20
