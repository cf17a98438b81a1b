from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cedarchest.config.choices import DeviceType, NewDisc, Weekday
from cedarchest.config.load import LARGEST, load_config
from cedarchest.config.model import Config
from cedarchest.config.reference import reference
from cedarchest.config.store import Store, shelf_dir
from cedarchest.config.template import quoted, template
from cedarchest.config.units import MONTH
from cedarchest.errors import ConfigError
from cedarchest.model.media import TRAITS, Medium

BASE = Path("/base")
REPOSITORY = Path(__file__).parents[2]
DEFAULTS = Config.from_mapping({}, BASE)


def config(text: str) -> Config:
    return Config.from_mapping(tomllib.loads(text), BASE)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config(text)
    return caught.value.problems


def problem(text: str) -> str:
    (only,) = problems(text)
    return only


def store(text: str = "", *, device: str = '"shelf:discs"') -> Store:
    return config(f"[store]\ndevice = {device}\n{text}").require_store()


def store_problem(text: str = "", *, device: str = '"shelf:discs"') -> str:
    return problem(f"[store]\ndevice = {device}\n{text}")


def peer_problem(text: str) -> str:
    return problem(f"[[peer]]\n{text}")


def test_an_empty_configuration_has_every_default() -> None:
    assert DEFAULTS.options.starting_day is Weekday.MONDAY
    assert DEFAULTS.options.state_dir == BASE / "state"
    assert DEFAULTS.options.working_dir == BASE / "state/work"
    assert DEFAULTS.catalog.url == "sqlite:////base/state/catalog.sqlite"
    assert DEFAULTS.catalog.path == BASE / "state/catalog.sqlite"
    assert (DEFAULTS.collect, DEFAULTS.stage, DEFAULTS.store) == (None, None, None)
    assert (DEFAULTS.peer, DEFAULTS.hook, DEFAULTS.notify, DEFAULTS.purge.dir) == ((), (), (), ())
    assert DEFAULTS.audit.every == 12 * MONTH
    assert DEFAULTS.audit.sample == Decimal(100)


def test_a_store_table_needs_a_device_and_nothing_else() -> None:
    table = store()
    assert table.device == ("shelf:/base/discs",)
    assert (table.device_type, table.media, table.capacity) == ("auto", "auto", None)
    assert (table.new_disc, table.blank_factor, table.retention) == ("when-full", None, timedelta(days=14))
    assert (table.copies, table.check, table.check_media, table.warn_midnight) == (1, "now", True, False)
    assert (table.speed, table.load_delay, table.eject, table.close) == (
        None,
        timedelta(seconds=10),
        False,
        "never",
    )
    assert (table.defect_management, table.portable, table.margin) == (False, False, None)
    assert problem("[store]").startswith("store.device: is missing; ")


@pytest.mark.parametrize("folder", ["/etc", "/etc/cedarchest"])
def test_the_state_of_a_system_configuration_is_in_var_lib(folder: str) -> None:
    options = Config.from_mapping({}, Path(folder)).options
    assert options.state_dir == Path("/var/lib/cedarchest")
    assert options.working_dir == Path("/var/lib/cedarchest/work")


def test_a_state_dir_that_is_set_moves_what_lies_in_it() -> None:
    made = Config.from_mapping({"options": {"state_dir": "s"}}, Path("/etc"))
    assert made.options.working_dir == Path("/etc/s/work")
    assert made.catalog.path == Path("/etc/s/catalog.sqlite")


def test_the_default_state_dir_may_lie_below_any_bytes() -> None:
    base = Path(os.fsdecode(b"/a?b\xff"))
    made = Config.from_mapping({"store": {"device": "shelf:s"}}, base)
    assert made.catalog.path == base / "state/catalog.sqlite"
    assert shelf_dir(made.require_store().device[0]) == base / "s"


def test_relative_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        'stage.dir = "./days"\ncatalog.url = "sqlite:///c.db"\npurge.dir = [{path = "../p", retain_days = 1}]'
    )
    made = load_config(file)
    assert made.require_stage().dir == tmp_path / "days"
    assert made.catalog.path == tmp_path / "c.db"
    assert made.purge.dir[0].path == tmp_path.parent / "p"


def test_a_relative_name_of_the_file_gives_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.toml").write_text('[stage]\ndir = "days"')
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("c.toml")).require_stage().dir == tmp_path / "days"


def test_the_parent_of_a_link_is_where_the_link_leads(tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    made = Config.from_mapping({"stage": {"dir": "link/../days"}}, tmp_path)
    assert made.require_stage().dir == tmp_path / "real/days"


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert config('[stage]\ndir = "~/days"').require_stage().dir == Path("/home/me/days")
    assert "home folder that is not known" in problem('[stage]\ndir = "~nobody-here/days"')


@pytest.mark.parametrize(("day", "number"), [("monday", 0), ("sunday", 6)])
def test_the_starting_day_has_the_number_of_datetime(day: str, number: int) -> None:
    assert config(f'[options]\nstarting_day = "{day}"').options.weekday == number


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        DEFAULTS.options.user = "x"


def test_tables_that_an_action_needs_are_asked_for_with_advice() -> None:
    for require, table in (
        (DEFAULTS.require_collect, "collect"),
        (DEFAULTS.require_stage, "stage"),
        (DEFAULTS.require_store, "store"),
    ):
        with pytest.raises(ConfigError, match=rf"no \[{table}\] table") as caught:
            require()
        assert caught.value.advice.startswith(f"Add a [{table}] table with ")


def test_every_key_of_every_table_is_taken() -> None:
    made = config(
        """
        [options]
        starting_day = "friday"
        state_dir = "s"
        working_dir = "w"
        log_file = "l"
        log_size = "1 MiB"
        log_keep = 3
        user = "u"
        group = "g"
        [catalog]
        url = "sqlite:////x/c.db"
        [collect]
        dir = "c"
        mode = "incr"
        archive = "tar"
        advance_on = "staged"
        ignore_file = ".cbignore"
        exclude = ["*.o"]
        exclude_regex = [".*~"]
        [[collect.source]]
        path = "/home"
        mode = "weekly"
        archive = "tar.gz"
        ignore_file = "x"
        exclude = []
        exclude_regex = ["a|b"]
        link_depth = 1
        dereference = true
        recursion_level = 2
        one_file_system = true
        before = ["snap", "--make"]
        after = ["snap", "--drop"]
        [[collect.command]]
        name = "db"
        argv = ["pg_dumpall"]
        mode = "daily"
        archive = "tar.zst"
        [stage]
        dir = "days"
        parallel = 1
        reserve = "1 GiB"
        [[peer]]
        name = "a"
        collect_dir = "c"
        ignore_failures = "daily"
        max_size = "20 GB"
        [[peer]]
        name = "b"
        collect_dir = "/c"
        host = "b.example"
        user = "u"
        port = 2222
        identity = "key"
        ssh_options = ["-4"]
        bwlimit = "2 MB"
        timeout = "1 min"
        receipts = false
        managed = true
        managed_actions = ["collect"]
        managed_command = ["sudo", "cedarchest"]
        [store]
        device = ["/dev/sr0", "shelf:x"]
        device_type = "auto"
        media = "bd-r"
        capacity = "25 GB"
        new_disc = "weekly"
        blank_factor = 1.3
        retention = "2 months"
        copies = 2
        check = "deferred"
        check_media = false
        warn_midnight = true
        speed = 4
        load_delay = "0 s"
        eject = true
        close = "when-full"
        defect_management = true
        portable = true
        margin = "1 %"
        warn_free = "5 %"
        [[purge.dir]]
        path = "days"
        retain_days = 7
        require_stored = false
        [[hook]]
        action = "store"
        when = "before"
        argv = ["true"]
        [extension.label]
        dir = "labels"
        [extension.packages]
        [[hook]]
        action = "label"
        when = "after"
        argv = ["true"]
        [[notify]]
        url = "mailto://me@example.org"
        on = "failed"
        action = ["all", "verify"]
        timeout = "5 s"
        [[notify]]
        url_file = "notify.url"
        [[ping]]
        url = "https://hc.example/x?y=1"
        start = ""
        failure = "?status=down"
        action = "collect"
        timeout = "2 s"
        [audit]
        every = "24 months"
        sample = "5 %"
        time_limit = "2 h"
        [audit.medium]
        "dvd-rw" = "6 months"
        [schedule]
        at = ["14:00", "02:30"]
        """
    )
    assert made.peer[1].bwlimit == 2_000_000
    assert made.require_collect().source[0].before == ("snap", "--make")
    assert made.require_store().retention == 2 * MONTH
    assert made.require_store().new_disc is NewDisc.WEEKLY
    assert made.notify[0].on == ("failed",)
    assert made.notify[1].address == BASE / "notify.url"
    assert made.ping[0].action == ("collect",)
    assert made.audit.time_limit == timedelta(hours=2)
    assert made.audit.interval(Medium.DVD_RW) == 6 * MONTH
    assert made.audit.interval(Medium.BD_R) == 24 * MONTH
    assert (made.options.log_size, made.options.log_keep) == (1 << 20, 3)
    assert made.require_schedule().at == (time(2, 30), time(14))
    assert (made.extension, made.hook[1].action) == ({"label": {"dir": "labels"}, "packages": {}}, "label")
    for table in (
        made.options,
        made.collect,
        made.stage,
        made.peer[1],
        made.store,
        made.audit,
        made.schedule,
        made.notify[0],
        made.ping[0],
    ):
        assert table is not None
        left = set(type(table).model_fields) - table.model_fields_set
        assert left <= {"encrypt", "s3", "ignore_failures", "max_size", "url_file"}


@pytest.mark.parametrize("table", ["notify", "ping"])
def test_news_and_pings_have_one_address(table: str) -> None:
    line = f"{table}[0].url_file: url and url_file: one of them has to be set, not both"
    assert problem(f"[[{table}]]") == line
    assert problem(f'[[{table}]]\nurl = "https://h/x"\nurl_file = "f"') == line
    made = config(f'[[{table}]]\nurl = "https://h/secret"')
    assert "secret" not in repr(made)


def test_only_the_whole_night_is_watched_and_every_run_is_news() -> None:
    made = config('[[notify]]\nurl = "ntfy://h/x"\n[[ping]]\nurl = "https://h/x"')
    assert (made.ping[0].action, made.ping[0].start, made.ping[0].failure) == (("all",), "/start", "/fail")
    assert all(map(made.notify[0].hears_of, ("all", "verify", "an-extension")))
    assert made.notify[0].on == ("partial", "failed")


@pytest.mark.parametrize(
    "url",
    ["ftp://h/secret", "secret", "https://", "http://u:secret@h/", "http://h:99999/secret", "http://[secret",
     "https://h/secret secret", "https://h/secreté", "https://h/\\u0000secret"],
)  # fmt: skip
def test_what_cannot_be_pinged_is_refused_and_not_shown(url: str) -> None:
    for text in (f'url = "{url}"', f'url = "https://h/"\nstart = "{url}"'):
        line = problem(f"[[ping]]\n{text}")
        assert "is not an address" in line
        assert "secret" not in line


@pytest.mark.parametrize(
    "at", ['"2:30"', '"24:00"', '"02:60"', '"02:30:00"', "02:30:00", "230", "[]", '""', '["02:30", 3]']
)
def test_what_is_no_time_of_day_is_refused(at: str) -> None:
    line = problem(f"[schedule]\nat = {at}")
    assert line.startswith("schedule.at: ")
    assert line.endswith('; a time of day such as "02:30", or a list of them')


def test_a_schedule_names_each_time_once_and_has_no_default() -> None:
    assert "02:30 is named twice" in problem('[schedule]\nat = ["02:30", "02:30"]')
    assert problem("[schedule]").startswith("schedule.at: is missing; ")
    assert DEFAULTS.schedule is None
    with pytest.raises(ConfigError, match=r"no \[schedule\] table"):
        DEFAULTS.require_schedule()


def test_one_device_or_a_list_becomes_a_tuple() -> None:
    assert store(device='"/dev/sr0"').device == ("/dev/sr0",)
    assert store(device='["/dev/sr0", "shelf:/x"]').device == ("/dev/sr0", "shelf:/x")


@pytest.mark.parametrize(
    "device",
    ['"sr0"', '"dev/sr0"', '"shelf:"', '""', "[]", "5", '["/dev/sr0", "/dev/sr0"]', '"/dev/\\u0000"'],
)
def test_what_is_no_device_is_refused(device: str) -> None:
    assert store_problem(device=device).startswith("store.device: ")


def test_a_shelf_has_dvds_of_their_nominal_size_and_no_margin() -> None:
    table = store()
    assert table.has_shelf
    assert table.shelf_medium is Medium.DVD_PLUS_R
    assert table.shelf_blocks == TRAITS[Medium.DVD_PLUS_R].nominal_blocks
    assert table.margin_blocks(table.device[0], 100_000) == 0


def test_a_shelf_takes_any_medium_and_capacity() -> None:
    table = store('media = "cd-r"\ncapacity = "1 MiB"')
    assert table.shelf_medium is Medium.CD_R
    assert table.shelf_blocks == 512


def test_a_burner_keeps_half_a_hundredth_free() -> None:
    table = store(device='"/dev/sr0"')
    assert not table.has_shelf
    assert table.margin_blocks("/dev/sr0", 100_000) == 500


def test_a_margin_that_is_set_counts_for_shelves_too() -> None:
    assert store('margin = "1 %"').margin_blocks("shelf:/x", 100_000) == 1000


def test_a_capacity_is_only_for_a_shelf() -> None:
    line = store_problem('capacity = "4 GB"', device='"/dev/sr0"')
    assert line == (
        "store.capacity: is only for a shelf: a burner knows its medium; remove it, or use a shelf"
    )


def test_a_blank_factor_needs_a_weekly_or_daily_disc() -> None:
    assert store('new_disc = "daily"\nblank_factor = 2').blank_factor == 2.0
    line = store_problem("blank_factor = 2")
    assert line.startswith("store.blank_factor: ")
    assert '"weekly" or "daily"' in line


@pytest.mark.parametrize("value", ["-1", "nan", "inf", '"2"', "true"])
def test_a_blank_factor_is_a_number(value: str) -> None:
    assert store_problem(f'new_disc = "daily"\nblank_factor = {value}').startswith("store.blank_factor: ")


@pytest.mark.parametrize("key", ["encrypt", "s3"])
@pytest.mark.parametrize("value", ['"hunter2"', "false", "{}", '""'])
def test_what_is_reserved_is_refused_and_never_echoed(key: str, value: str) -> None:
    line = store_problem(f"{key} = {value}")
    assert line == (
        f"store.{key}: reserved: not built yet; nothing is written in plain that is meant to be secret"
    )


@pytest.mark.parametrize(
    ("device_type", "device", "right"),
    [
        ("shelf", "shelf:x", True),
        ("shelf", "/dev/sr0", False),
        ("bdwriter", "/dev/sr0", True),
        ("dvdwriter", "shelf:x", False),
    ],
)
def test_the_type_of_a_device_fits_its_name(device_type: str, device: str, right: bool) -> None:
    text = f'device_type = "{device_type}"'
    if right:
        assert store(text, device=f'"{device}"').device_type is DeviceType(device_type)
    else:
        assert store_problem(text, device=f'"{device}"').startswith("store.device_type: ")


@pytest.mark.parametrize(
    ("device_type", "media", "right"),
    [
        ("cdwriter", "cd-rw", True),
        ("cdwriter", "dvd+r", False),
        ("dvdwriter", "cd-r", True),
        ("dvdwriter", "bd-r", False),
        ("bdwriter", "bd-r", True),
        ("auto", "bd-re", True),
    ],
)
def test_a_medium_fits_the_type_of_the_device(device_type: str, media: str, right: bool) -> None:
    text = f'device_type = "{device_type}"\nmedia = "{media}"'
    if right:
        assert store(text, device='"/dev/sr0"').media is Medium(media)
    else:
        assert store_problem(text, device='"/dev/sr0"').startswith("store.media: ")


@pytest.mark.parametrize(
    "name",
    ["a/b", ".", "..", "", "a\\u0000b", "cback.collect", "SHA256SUMS", "INDEX.jsonl.gz", "ä" * 128],
)
def test_a_peer_is_called_like_a_folder_that_is_not_ours(name: str) -> None:
    assert peer_problem(f'name = "{name}"\ncollect_dir = "c"').startswith("peer[0].name: ")


@pytest.mark.parametrize("name", ["-rf", "a b", "new\\nline", "...", "Ünïcode", "cback"])
def test_an_odd_name_of_a_peer_is_data(name: str) -> None:
    config(f'[[peer]]\nname = "{name}"\ncollect_dir = "c"')


def test_two_peers_of_one_name_are_told_along_with_all_else() -> None:
    text = '[[peer]]\nname = "a"\ncollect_dir = "c"\n' * 3 + 'port = "x"\nhost = "h"'
    assert problems(text) == (
        'peer[2].collect_dir: "c" is relative, but the peer is remote; an absolute path',
        'peer[2].port: "x" is not a whole number; a whole number from 1 to 65535',
        'peer[1].name: "a" is the name of peer[0] too; a name of its own',
        'peer[2].name: "a" is the name of peer[0] too; a name of its own',
    )


@pytest.mark.parametrize(
    "line",
    [
        'user = "u"',
        "port = 22",
        'identity = "k"',
        'ssh_options = ["-4"]',
        'bwlimit = "1 MB"',
        'timeout = "1 s"',
        "managed = true",
        'managed_actions = ["collect"]',
        'managed_command = ["cback3"]',
    ],
)
def test_what_is_for_remote_peers_needs_a_host(line: str) -> None:
    text = f'name = "a"\ncollect_dir = "/c"\n{line}'
    assert "is for remote peers" in peer_problem(text)
    config(f'[[peer]]\nhost = "h"\n{text}')


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "u@h", "a/b", ""])
def test_a_host_that_ssh_could_mistake_is_refused(host: str) -> None:
    assert peer_problem(f'name = "a"\ncollect_dir = "/c"\nhost = "{host}"').startswith("peer[0].host: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("store = 1", "store: 1 is not allowed here; a table, written as [store]"),
        ("[[stage]]", "stage: a list is not allowed here; a table, written as [stage]"),
        ("[peer]", "peer: a table is not allowed here; tables, each written as [[peer]]"),
        ("peer = [1]", "peer[0]: 1 is not allowed here; a table of keys"),
        ("[[purge]]", "purge: a list is not allowed here; a table, written as [purge]"),
        ("[stage]", "stage.dir: is missing; a path"),
        ('[stage]\ndir = ""', "stage.dir: is empty; a path"),
        ('[stage]\ndir = "d"\nparalel = 2', "stage.paralel: there is no such key; did you mean parallel?"),
        ("[options]\nretention = 1", "options.retention: there is no such key; it belongs in [store]"),
        ("[options]\nstate-dir = 1", "options.state-dir: there is no such key; did you mean state_dir?"),
        ("[stor]", "stor: there is no such key; did you mean store?"),
        ("[catalog]\nzzz = 1", "catalog.zzz: there is no such key; known here: url"),
        ('[catalog]\n"a\\nb" = 1', 'catalog."a\\x0ab": there is no such key; known here: url'),
        (
            '[[hook]]\naction = "store"\nwhen = "befor"\nargv = ["x"]',
            'hook[0].when: "befor" is not known, did you mean "before"?; one of "before", "after"',
        ),
        (
            '[[hook]]\naction = "store"\nwhen = "before"\nargv = []',
            "hook[0].argv: is empty; a list, each item a text",
        ),
        (
            '[[hook]]\naction = "store"\nwhen = "before"\nargv = "x y"',
            'hook[0].argv: "x y" is not allowed here; a list, each item a text',
        ),
        (
            '[[hook]]\naction = "store"\nwhen = "before"\nargv = ["x", 1]',
            "hook[0].argv[1]: 1 is not a text; a text",
        ),
        (
            '[extension.label]\n[[hook]]\naction = "lable"\nwhen = "before"\nargv = ["x"]',
            (
                'hook[0].action: "lable" is not known, did you mean "label"?; one of "all", "backup", '
                '"collect", "stage", "store", "rebuild", "purge", "validate", "initialize", "verify", '
                '"find", "restore", "audit", or an extension that has its table'
            ),
        ),
        (
            "[extension.find]",
            'extension: "find" is an action of cedarchest itself; tables, each written as [extension.NAME]',
        ),
        (
            "[extension.Label]",
            'extension: "Label" is not the name of an action; tables, each written as [extension.NAME]',
        ),
        (
            "[extension]\nlabel = 1",
            'extension: "label" is not a table; tables, each written as [extension.NAME]',
        ),
        (
            "[[extension]]",
            "extension: a list is not allowed here; tables, each written as [extension.NAME]",
        ),
        (
            "[audit]\nevery = 2024-01-01",
            (
                "audit.every: a date or time is not a length of time; "
                "a time with its unit (s, min, h, days, weeks, months, years)"
            ),
        ),
        (
            "[audit.medium]\ndvd-r = '0 s'",
            (
                'audit.medium: "0 s" is too short for dvd-r; '
                "a table of media, each with a time and its unit (s, min, h, days, weeks, months, years)"
            ),
        ),
        (
            "[audit.medium]\ndvdrw = '6 months'",
            (
                'audit.medium: "dvdrw" is not known, did you mean "dvd-rw"?; '
                "a table of media, each with a time and its unit (s, min, h, days, weeks, months, years)"
            ),
        ),
        (
            "[audit]\nmedium = '6 months'",
            (
                'audit.medium: "6 months" is not a table; '
                "a table of media, each with a time and its unit (s, min, h, days, weeks, months, years)"
            ),
        ),
        (
            "[[notify]]\nurl = 'tokentoken'",
            "notify[0].url: is not an address; an address as apprise takes it, such as `mailto://…`",
        ),
        (
            "[catalog]\nurl = 'postgresql://u:pw@h/d'",
            "catalog.url: is not the address of an SQLite file; `sqlite:///PATH`",
        ),
    ],
)
def test_a_problem_says_where_what_and_what_is_allowed(text: str, line: str) -> None:
    assert problem(text) == line


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///c?mode=ro", "c.db"]
)
def test_what_is_no_sqlite_file_is_refused(url: str) -> None:
    assert problem(f'[catalog]\nurl = "{url}"').startswith("catalog.url: ")


def test_a_wrong_regular_expression_is_told() -> None:
    assert "is not a regular expression" in problem('[collect]\ndir = "c"\nexclude_regex = ["("]')


def test_a_regular_expression_that_python_warns_of_is_taken() -> None:
    config('[collect]\ndir = "c"\nexclude_regex = ["[[a]"]')


@pytest.mark.parametrize("value", ['"1"', "1.0", "true", "100", "0x" + "f" * 9000])
def test_a_whole_number_is_not_guessed_from_something_else(value: str) -> None:
    assert store_problem(f"copies = {value}").startswith("store.copies: ")


@pytest.mark.parametrize("value", ['"yes"', "1", "[]"])
def test_a_boolean_is_not_guessed_from_something_else(value: str) -> None:
    assert store_problem(f"eject = {value}").endswith(" is neither true nor false; true or false")


def test_a_long_text_is_cut_in_messages() -> None:
    assert len(store_problem(f'check = "{"x" * 5000}"')) < 150


def test_all_problems_are_told_at_once_with_the_file_in_front(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[store]\ndevice = "sr0"\ncopies = 0\n[stage]\nparallel = 0\n[[peer]]\nname = "."')
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    error = caught.value
    assert [line.split(":")[0] for line in error.problems] == [
        "stage.dir",
        "stage.parallel",
        "peer[0].name",
        "peer[0].collect_dir",
        "store.device",
        "store.copies",
    ]
    assert error.message.startswith(f"{file}: 6 problems:\n")
    assert error.fields["path"] == str(file)
    assert error.exit_code == 4
    assert "cedarchest validate" in error.advice


def unreadable(file: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.message == f"{file}: {caught.value.problems[0]}"
    return caught.value


def test_a_file_that_is_not_there_is_told_with_advice(tmp_path: Path) -> None:
    error = unreadable(tmp_path / "none.toml")
    assert error.problems == ("there is no such file",)
    assert "cedarchest init" in error.advice


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    assert unreadable(tmp_path).problems == ("this is a directory",)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert unreadable(tmp_path / "pipe").problems == ("this is not a plain file",)


def test_a_path_through_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert unreadable(tmp_path / "file/c.toml").problems == ("cannot be read: not a directory",)


def test_a_file_that_may_not_be_read_is_told() -> None:
    program = (
        "import os, sys; from pathlib import Path; from cedarchest.config.load import load_config\n"
        "from cedarchest.errors import ConfigError\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: load_config(Path(sys.argv[1]))\n"
        "except ConfigError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies where only its owner may go
        Path(folder).chmod(0o755)
        file = Path(folder) / "c.toml"
        file.touch(mode=0)
        argv = [sys.executable, "-c", program, str(file)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"{file}: cannot be read: permission denied\n"


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(b'[options]\nuser = "\xe4"\n')
    assert unreadable(file).problems == ("line 2: is not UTF-8",)


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(b'\xef\xbb\xbf[options]\r\nuser = "u"\r\n')
    assert load_config(file).options.user == "u"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[store]\ndevice = "x\n', "line 2, column 12: "),
        ("a = ", "line 1, column 5: "),
        ("a = 1\na = 2", "line 2, column 6: "),
    ],
)
def test_a_slip_in_the_toml_is_told_with_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    assert re.match(place, unreadable(file).problems[0])


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = " + "9" * 5000, "a" + ".a" * 5000 + " = 1"])
def test_toml_that_is_meant_to_hurt_is_a_config_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_config(file)


def test_a_file_of_a_mebibyte_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("#" * LARGEST)
    load_config(file)
    file.write_text("#" * (LARGEST + 1))
    assert "larger than 1 MiB" in unreadable(file).problems[0]


LEAVES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.dates(),
    st.sampled_from(["shelf:x", "/dev/sr0", "10 s", "64 MiB", "1 %", "auto", "weekly", "bd-r", "~", "../x"]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def _table(model: type) -> st.SearchStrategy[dict[str, object]]:
    keys = st.sampled_from([*getattr(model, "model_fields", {}), "odd"])
    return st.dictionaries(keys, VALUES, max_size=6)


TABLES = {name: field.annotation for name, field in Config.model_fields.items()}
MAPPINGS = st.fixed_dictionaries(
    {},
    optional={
        "store": _table(Store) | VALUES,
        "options": _table(type(DEFAULTS.options)) | VALUES,
        "peer": st.lists(st.dictionaries(st.sampled_from(["name", "host", "collect_dir", "user"]), VALUES))
        | VALUES,
        **{name: VALUES for name in TABLES if name not in {"store", "options", "peer"}},
    },
)


@given(MAPPINGS)
def test_no_mapping_raises_anything_but_a_config_error(mapping: dict[str, object]) -> None:
    try:
        Config.from_mapping(mapping, BASE)
    except ConfigError as error:
        lines = error.problems
    else:
        lines = ()
    assert not [line for line in lines if "\n" in line or re.search(r"[Ii]nput should|[Pp]ydantic", line)]


@given(st.text())
def test_no_text_in_a_file_raises_anything_but_a_config_error(text: str) -> None:
    try:
        mapping = tomllib.loads(text)
    except ValueError:
        return
    try:
        made = Config.from_mapping(mapping, BASE)
    except ConfigError:
        return
    assert made == DEFAULTS


@given(st.binary(max_size=200))
def test_no_bytes_in_a_file_raise_anything_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(raw)
    try:
        load_config(file)
    except ConfigError as error:
        problems_told = error.problems
    else:
        problems_told = ("none",)
    assert problems_told


def test_the_template_loads_without_problems(tmp_path: Path) -> None:
    file = tmp_path / "cedarchest.toml"
    file.write_text(template())
    made = load_config(file)
    assert made.require_stage().dir == tmp_path / "staging"
    assert made.require_store().device == (f"shelf:{tmp_path}/shelf",)
    assert made.options.state_dir == tmp_path / "state"


def test_the_template_keeps_a_system_configuration_below_its_folder() -> None:
    made = Config.from_mapping(tomllib.loads(template()), Path("/etc/cedarchest"))
    assert made.options.state_dir == Path("/etc/cedarchest/state")


def test_the_defaults_in_the_template_are_the_defaults() -> None:
    set_only = config(template())
    text = re.sub(r"^#([a-z_]+ = )", r"\1", _without_tables(template()), flags=re.MULTILINE)
    everything = config(text)
    assert everything.audit == set_only.audit
    assert everything.require_stage() == set_only.require_stage()
    shelf = everything.require_store()
    plain = set_only.require_store()
    assert shelf.shelf_blocks == plain.shelf_blocks
    assert shelf.margin_blocks(shelf.device[0], 1000) == plain.margin_blocks(plain.device[0], 1000)
    assert shelf.model_copy(update={"capacity": None, "margin": None}) == plain
    assert everything.options.model_copy(update={"log_file": None}) == set_only.options


def _without_tables(text: str) -> str:
    """The template without its commented example tables."""
    return re.sub(r"^#\[.*\n(?:#.*\n)*", "", text, flags=re.MULTILINE)


def test_the_example_tables_in_the_template_are_right() -> None:
    made = config(re.sub(r"^#(\[|[a-z_-]+ = |$)", r"\1", template(), flags=re.MULTILINE))
    assert [peer.name for peer in made.peer] == ["here", "other"]
    assert made.purge.dir[0].path == made.require_stage().dir
    assert made.hook[0].argv[1] == "--again"
    assert made.notify[0].on == config('[[notify]]\nurl = "x://y"').notify[0].on
    assert made.ping[0].url == "https://hc-ping.com/your-uuid"
    assert made.audit.medium == {Medium.DVD_RW: 6 * MONTH}
    assert made.extension == {"label": {"dir": "labels"}}
    assert made.require_collect().source[0].path == Path("/etc")


def test_the_template_takes_any_folder() -> None:
    made = config(template(staging='a "b"\\\x7f\n', device="/dev/sr0", state="/s"))
    assert made.require_stage().dir == BASE / 'a "b"\\\x7f\n'


@given(st.text())
def test_a_quoted_text_is_that_text_in_toml(text: str) -> None:
    assert tomllib.loads(f"a = {quoted(text)}") == {"a": text}


def test_the_reference_page_is_the_one_made_from_the_models() -> None:
    page = REPOSITORY / "docs/reference/configuration.md"
    assert page.read_text() == reference(), (
        "python -m cedarchest.config.reference > docs/reference/configuration.md"
    )


def test_every_key_has_a_meaning_and_a_type_in_the_reference() -> None:
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 70
    assert all(len(row) == 4 and all(cell.strip(" |") for cell in row) for row in rows)
