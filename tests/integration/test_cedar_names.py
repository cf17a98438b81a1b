"""What extensions find under the names of Cedar Backup, and what is done with our actions behind them."""

from __future__ import annotations

import contextlib
import importlib
import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cedar_runs import EXTENSIONS, CedarPool, extension, extensions, hook
from tests.cedar_xml import CEDAR_2, CEDAR_3

from cedarchest.config.cedar.translate import OWN_EXTENSIONS
from cedarchest_cedar import util
from cedarchest_cedar.config import (
    ActionDependencies,
    Config,
    LocalPeer,
    OptionsConfig,
    PostActionHook,
    PreActionHook,
    PurgeConfig,
    PurgeDir,
    ReferenceConfig,
)
from cedarchest_cedar.filesystem import BackupFileList, FilesystemList
from cedarchest_cedar.options import Options
from cedarchest_cedar.writers import DvdWriter, MediaCapacity

TODAY = "2026/11/24"
ACTIONS = ("collect", "stage", "purge", "rebuild", "validate", "initialize")


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CedarPool:
    monkeypatch.setenv("CEDARCHEST_NOW", "2026-11-24T01:00")
    monkeypatch.syspath_prepend(EXTENSIONS)
    made = CedarPool(tmp_path)
    made.configure(
        f"<stage><staging_dir>{tmp_path}/staging</staging_dir><peer><name>here</name><type>local</type>"
        f"<collect_dir>{tmp_path}/collect</collect_dir></peer></stage><store>"
        f"<source_dir>{tmp_path}/staging</source_dir><media_type>dvd+rw</media_type>"
        "<device_type>dvdwriter</device_type><target_device>/dev/sr0</target_device></store>"
        f"<purge><dir><abs_path>{tmp_path}/collect</abs_path><retain_days>0</retain_days></dir></purge>"
        + extensions(extension("zzz", 1)),
        options=hook(made, "pre", "collect", "never"),
    )
    return made


@pytest.fixture(params=["CedarBackup2", "CedarBackup3"])
def package(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def execute(
    action: str, pool: CedarPool, config: Config, *switches: str, package: str = "CedarBackup3"
) -> None:
    module = importlib.import_module(f"{package}.actions.{action}")
    getattr(module, f"execute{action.capitalize()}")(str(pool.config), Options([*switches, action]), config)


def test_each_module_is_there_in_both_packages(package: str) -> None:
    names = (
        "action",
        "cli",
        "config",
        "filesystem",
        "knapsack",
        "peer",
        "util",
        "xmlutil",
        "actions.util",
        "actions.constants",
    )
    extends = tuple(
        each.removeprefix("CedarBackup3.") for each in OWN_EXTENSIONS if "3" in each.split(".")[0]
    )
    for name in (*names, *extends, *(f"actions.{each}" for each in (*ACTIONS, "store"))):
        module: ModuleType = importlib.import_module(f"{package}.{name}")
        assert module.__doc__
        assert [each for each in vars(module) if not each.startswith("_")]


def test_a_collect_and_a_stage_are_done_without_hooks(pool: CedarPool, package: str) -> None:
    config = Config(xmlPath=pool.config)
    for action in ("collect", "stage"):
        execute(action, pool, config, package=package)
    (staged,) = (pool.root / "staging" / TODAY / "here").glob("*home.tar")
    assert staged.stat().st_size
    assert pool.traced() == []


MBOX = (
    "<mbox><collect_mode>daily</collect_mode><compress_mode>none</compress_mode>"
    "<file><abs_path>{}</abs_path></file></mbox>"
)


def test_what_an_extension_of_its_own_made_is_made(pool: CedarPool, package: str) -> None:
    mailbox = pool.root / "a & <b>"
    mailbox.write_text("From somebody\n")
    text = pool.config.read_text().replace("</cb_config>", MBOX.format(escape(str(mailbox))) + "</cb_config>")
    pool.config.write_text(text)
    config = Config(xmlPath=pool.config)
    assert config.collect is not None
    (pool.root / "elsewhere").mkdir()
    config.collect.targetDir = str(pool.root / "elsewhere")
    module = importlib.import_module(f"{package}.extend.mbox")
    module.executeAction(str(pool.config), Options(["zzz"]), config)
    (made,) = (pool.root / "elsewhere").glob("*.tar")
    with tarfile.open(made) as archive:
        assert [Path(member.name).name for member in archive] == ["a & <b>"]
    assert config.extensions is not None
    assert [each.name for each in config.extensions.actions or ()] == ["zzz"]  # the object stays as it was


@pytest.mark.parametrize(
    ("name", "refused"),
    [("mysql", "no <mysql>"), ("encrypt", "encrypt"), ("amazons3", "s3"), ("capacity", ""), ("split", "")],
)
def test_an_extension_of_its_own_without_a_section(
    pool: CedarPool, package: str, name: str, refused: str
) -> None:
    action = importlib.import_module(f"{package}.extend.{name}").executeAction
    with pytest.raises(ValueError, match=refused) if refused else contextlib.nullcontext():
        action(str(pool.config), Options(["zzz"]), Config(xmlPath=pool.config))


def test_what_an_extension_sets_counts_and_not_what_the_file_says(pool: CedarPool) -> None:
    config = Config(xmlPath=pool.config)
    (pool.root / "elsewhere").mkdir()
    assert config.collect is not None
    assert config.collect.collectDirs is not None
    config.collect.targetDir = str(pool.root / "elsewhere")
    config.collect.archiveMode = "targz"
    config.collect.collectDirs[0].excludePatterns = [".*/letter"]
    (pool.root / "home" / "kept & <seen>").touch()
    execute("collect", pool, config, "--full")
    assert [path.name for path in (pool.root / "elsewhere").glob("*.tar.gz")]
    assert not list((pool.root / "collect").iterdir())


def test_what_is_left_out_is_an_error(pool: CedarPool) -> None:
    config = Config(xmlPath=pool.config)
    assert config.stage is not None
    assert config.stage.localPeers is not None
    config.stage.localPeers.append(LocalPeer("late", str(pool.root / "nowhere")))
    execute("collect", pool, config)
    with pytest.raises(OSError, match=r"late|left out"):
        execute("stage", pool, config)
    assert (pool.root / "staging" / TODAY / "here").is_dir()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_its_section_is_refused(pool: CedarPool, action: str) -> None:
    config = Config(xmlPath=pool.config)
    assert config.purge is not None
    config.collect = config.stage = config.store = config.purge = None
    with pytest.raises(ValueError, match="one is needed"):
        execute(action, pool, config)


@pytest.mark.parametrize("path", [None, "", 3])
def test_a_path_is_needed_for_catalog_and_journal(pool: CedarPool, path: Any) -> None:
    module = importlib.import_module("CedarBackup3.actions.collect")
    with pytest.raises(ValueError, match="configPath"):
        module.executeCollect(path, Options(), Config(xmlPath=pool.config))


def test_days_are_rebuilt_and_purged_by_what_is_proven(pool: CedarPool) -> None:
    require()
    config = Config(xmlPath=pool.config)
    assert config.purge is not None
    config.purge.purgeDirs = [PurgeDir(str(pool.root / "staging"), 0)]
    pool.stage(TODAY, {"a": b"1"})
    with Burner(profile="dvd+rw") as drive, drive.attached():
        for action in ("validate", "initialize", "purge"):
            execute(action, pool, config)
        assert (pool.root / "staging" / TODAY / "here" / "a").exists()
        execute("rebuild", pool, config)
        assert (pool.root / "staging" / TODAY / "cback.store").exists()


def test_what_is_not_valid_is_an_error(pool: CedarPool) -> None:
    config = Config(xmlPath=pool.config)
    assert config.store is not None
    config.store.devicePath = "/dev/nosuch"
    with pytest.raises(OSError, match="nosuch"):
        execute("validate", pool, config)


# The configuration as XML again


def sections(config: Config) -> dict[str, object]:
    return {name: value for name, value in vars(config).items() if name != "stateDir"}


@pytest.mark.parametrize("path", [CEDAR_2, CEDAR_3])
def test_a_configuration_that_is_written_is_read_again(path: Path, tmp_path: Path) -> None:
    first = Config(xmlPath=path, validate=False)
    written = first.extractXml(validate=False)
    assert written is not None
    again = Config(xmlData=written, validate=False)
    assert sections(again) == sections(first)
    assert first.extractXml(tmp_path / "made", validate=False) is None
    assert sections(Config(xmlPath=tmp_path / "made", validate=False)) == sections(first)


def test_dependencies_of_extensions_are_written_as_well() -> None:
    xml = extensions(
        extension("a", "<run_before>b,c</run_before><run_after>d</run_after>"), mode="dependency"
    )
    first = Config(xmlData=f"<cb_config>{xml}</cb_config>", validate=False)
    again = Config(xmlData=first.extractXml(validate=False), validate=False)
    assert again.extensions is not None
    assert again.extensions.actions is not None
    assert again.extensions == first.extensions
    assert again.extensions.actions[0].dependencies is not None
    assert again.extensions.actions[0].dependencies.beforeList == ["b", "c"]


def test_an_extension_that_depends_on_nothing_has_no_lists() -> None:
    xml = extensions(extension("a", "<run_before></run_before>"), mode="dependency")
    found = Config(xmlData=f"<cb_config>{xml}</cb_config>", validate=False).extensions
    assert found is not None
    assert found.actions is not None
    assert found.actions[0].dependencies == ActionDependencies(None, None)


def test_what_is_not_whole_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="options"):
        Config().extractXml(tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("<options/>", "one is needed"),
        ("<collect/>", "options"),
        ("<options><starting_day>someday</starting_day></options><collect/>", "someday"),
        ("<options><working_dir>here</working_dir></options><collect/>", "absolute"),
    ],
)
def test_a_configuration_against_the_rules_is_refused(sections: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Config(xmlData=f"<cb_config>{sections}</cb_config>")


def test_one_source_of_a_configuration_is_meant() -> None:
    with pytest.raises(ValueError, match="both"):
        Config(xmlData="<cb_config/>", xmlPath="/etc/cback3.conf")


# Indicators and days


def test_days_without_an_indicator_are_found(pool: CedarPool, package: str) -> None:
    helpers = importlib.import_module(f"{package}.actions.util")
    for day in ("2026/11/22", "2026/11/23", "2026/11/24", "lost+found/a/b"):
        pool.stage(day, {"a": b"1", "deep/cback.own": b""})
    staging = str(pool.root / "staging")
    helpers.writeIndicatorFile(f"{staging}/2026/11/23", helpers.STORE_INDICATOR, "root", "root")
    assert helpers.findDailyDirs(staging, "cback.store") == [f"{staging}/2026/11/{day}" for day in (22, 24)]
    assert helpers.getBackupFiles(f"{staging}/{TODAY}") == [f"{staging}/{TODAY}/here/a"]
    with pytest.raises(ValueError, match="nowhere"):
        helpers.findDailyDirs(f"{staging}/nowhere", "cback.store")


def test_an_indicator_writes_through_no_link(pool: CedarPool) -> None:
    helpers = importlib.import_module("CedarBackup3.actions.util")
    secret = pool.root / "secret"
    secret.write_text("secret")
    (pool.root / "collect" / "cback.own").symlink_to(secret)
    with pytest.raises(OSError, match=r"cback\.own"):
        helpers.writeIndicatorFile(str(pool.root / "collect"), "cback.own", "root", "root")
    assert secret.read_text() == "secret"


# Command lines and lists


def test_a_command_line_is_read_and_written_again() -> None:
    options = Options(argumentString='-f -c "/a b/c" --mode 600 --owner root:adm -d collect stage')
    assert (options.full, options.config, options.mode, options.owner) == (
        True,
        "/a b/c",
        0o600,
        ("root", "adm"),
    )
    assert (options.debug, options.output, options.actions) == (True, False, ["collect", "stage"])
    again = Options(argumentList=options.buildArgumentList())
    assert vars(again) == vars(options)
    assert options.buildArgumentString().endswith('--debug "collect" "stage" ')


def test_a_command_line_that_cannot_be_run_may_still_be_looked_at() -> None:
    options = Options(["--managed", "--managed-only"], validate=False)
    assert options.managed
    assert options.managedOnly
    with pytest.raises(ValueError, match="no action"):
        options.validate()
    assert Options().actions == []


def test_a_mode_that_is_a_text_is_octal() -> None:
    options = Options()
    options.mode = "640"
    assert options.mode == 0o640
    with pytest.raises(ValueError, match="not octal"):
        options.mode = "990"
    options.help = options.managed = options.managedOnly = True
    with pytest.raises(ValueError, match="cannot both"):
        options.validate()


def test_command_lines_are_compared_switch_by_switch() -> None:
    plain, full = Options(["stage"]), Options(["--full", "stage"])
    assert plain == Options(["stage"])
    assert plain < full
    assert Options(["stage", "collect"]) != Options(["collect", "stage"])
    assert plain != "stage"
    with pytest.raises(TypeError):
        plain < "stage"  # noqa: B015 - it is what is tried


def test_sections_are_compared_value_by_value_whatever_the_order_of_a_list() -> None:
    one, other = Config(), Config()
    assert one == other
    one.purge = PurgeConfig([PurgeDir("/a", 1), PurgeDir("/b")])
    assert other < one
    other.purge = PurgeConfig([PurgeDir("/b"), PurgeDir("/a", 1)])
    assert one == other
    other.purge = PurgeConfig([PurgeDir("/b", 0), PurgeDir("/a", 1)])
    assert one < other
    assert one >= Config()
    before, after = PreActionHook("stage", "ls"), PostActionHook("stage", "ls")
    assert before != after
    assert OptionsConfig(hooks=[after, before]) == OptionsConfig(hooks=[before, after])


def test_a_section_of_remarks_is_there_or_not() -> None:
    empty = "<?xml version='1.0'?><cb_config>{}</cb_config>"
    assert Config(xmlData=empty.format(""), validate=False).reference is None
    found = Config(xmlData=empty.format("<reference></reference>"), validate=False).reference
    assert found == ReferenceConfig()


def test_lists_of_what_is_left_out_take_only_what_can_be_meant() -> None:
    files = FilesystemList()
    with pytest.raises(ValueError, match="no absolute path"):
        files.excludePaths.append("a/b")
    with pytest.raises(ValueError, match="no regular expression"):
        files.excludePatterns.insert(0, "*.jpg")
    files.excludeBasenamePatterns = ["a.*"]
    with pytest.raises(ValueError, match="no regular expression"):
        files.excludeBasenamePatterns.extend(["b", "("])
    assert files.excludeBasenamePatterns == ["a.*"]
    files.excludeLinks = "yes"
    assert (files.excludeLinks, files.excludeDirs) == (True, False)


def test_what_begins_with_a_match_is_taken_out_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("logs/a", "logs/b", "c"):
        (tmp_path / name).touch()
    files = FilesystemList()
    files.addDirContents(str(tmp_path), addSelf=False)
    assert files.removeFiles(".*/logs") == 2
    assert files.removeMatch(".*/log") == 1
    assert files == [str(tmp_path / "c")]
    with pytest.raises(TypeError):
        files.removeMatch(None)


def test_only_files_and_links_that_are_there_have_a_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1234")
    (tmp_path / "link").symlink_to("nowhere")
    files = BackupFileList()
    files += [str(tmp_path / name) for name in ("file", "link", "gone")] + [str(tmp_path)]
    assert files.generateSizeMap() == {str(tmp_path / "file"): 4.0, str(tmp_path / "link"): 0.0}


def test_what_a_program_says_goes_to_whatever_can_be_written_to() -> None:
    class Kept(list[bytes]):
        write = list.append

    kept: Any = Kept()
    assert util.executeCommand(["echo"], ["said"], outputFile=kept) == (0, None)
    assert kept == [b"said\n"]


def test_the_last_table_of_programs_that_was_made_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util.PathResolverSingleton, "_instance", None)
    util.PathResolverSingleton().fill({"one": "/path/to/one"})
    assert util.resolveCommand(["one", "-a"]) == ["/path/to/one", "-a"]
    assert util.PathResolverSingleton.getInstance() is util.PathResolverSingleton.getInstance()


def test_what_makes_no_sense_is_a_value_error() -> None:
    for nonsense in (None, "a lot"):
        with pytest.raises(ValueError, match=r"number|could not convert"):
            util.displayBytes(nonsense)
    with pytest.raises(ValueError, match="no size"):
        util.convertSize(None, util.UNIT_BYTES, util.UNIT_KBYTES)
    with pytest.raises(ValueError, match="no function"):
        util.getFunctionReference("CedarBackup3.util", "SECONDS_PER_DAY")
    with pytest.raises(ValueError, match="no path"):
        util.buildNormalizedPath(None)
    assert (util.buildNormalizedPath(""), util.buildNormalizedPath("c:\\a b")) == ("", "c-a_b")


def test_a_file_that_gets_shorter_while_it_is_archived_damages_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    files = BackupFileList()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 5000)
        files.addFile(str(tmp_path / name))
    looks = tarfile.TarFile.gettarinfo

    def shortened(self: tarfile.TarFile, name: str, arcname: str | None = None) -> tarfile.TarInfo:
        found = looks(self, name, arcname)
        if name.endswith("a"):
            (tmp_path / "a").write_bytes(b"a" * 10)
        return found

    monkeypatch.setattr(tarfile.TarFile, "gettarinfo", shortened)
    with caplog.at_level(logging.WARNING):
        files.generateTarfile(str(tmp_path / "made.tar"), ignore=True, flat=True)
    with tarfile.open(tmp_path / "made.tar") as archive:
        found = {each.name: archive.extractfile(each) for each in archive}
        content = {name: file.read() for name, file in found.items() if file is not None}
    assert content == {"a": b"a" * 10 + bytes(4990), "b": b"b" * 5000}
    assert "got shorter" in caplog.text


def test_an_archive_that_breaks_off_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    made = tmp_path / "made.tar"
    made.write_text("the one before")
    files = BackupFileList()
    files.addFile(str(tmp_path / "a"))
    (tmp_path / "a").unlink()
    with pytest.raises(tarfile.TarError, match="a cannot be archived: No such file"):
        files.generateTarfile(str(made))
    assert made.read_text() == "the one before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.tar"]


def test_names_that_look_like_ways_out_of_a_folder_are_names(tmp_path: Path) -> None:
    from cedarchest_cedar.filesystem import PurgeItemList

    (tmp_path / "purged").mkdir()
    (tmp_path / "victim").touch()
    (tmp_path / "purged" / "..\\victim").touch()
    (tmp_path / "purged" / "a" / "b").mkdir(parents=True)
    (tmp_path / "purged" / "gone").symlink_to("nothing")
    items = PurgeItemList()
    items.addDirContents(str(tmp_path / "purged"))
    assert items.purgeItems() == (1, 2)
    assert (tmp_path / "victim").exists()


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Path]:
    """Programs that take the place of `mount` and `umount`, and say in a file what they were told."""
    for name, status in (("mount", "test ! -e refused"), ("umount", "true")):
        program = tmp_path / name
        program.write_text(
            f'#!/bin/sh\ncd {tmp_path}\necho "{name} $*" >> said\necho no such thing\n{status}\n'
        )
        program.chmod(0o755)
    resolver = util.PathResolverSingleton.getInstance()
    resolver.fill({name: str(tmp_path / name) for name in ("mount", "umount")})
    yield tmp_path
    resolver.fill({})


def test_what_is_mounted_may_be_read_and_has_no_rights(tools: Path) -> None:
    util.mount("/dev/sr0", "/mnt", "iso9660")
    util.mount("/dev/sr0", "/mnt", None)
    assert (tools / "said").read_text().splitlines() == [
        "mount -o ro,nosuid,nodev -t iso9660 /dev/sr0 /mnt",
        "mount -o ro,nosuid,nodev /dev/sr0 /mnt",
    ]
    (tools / "refused").touch()
    with pytest.raises(OSError, match="no such thing"):
        util.mount("/dev/sr0", "/mnt", None)


def test_what_is_not_mounted_is_not_unmounted_and_what_stays_so_is_an_error(tools: Path) -> None:
    (tools / "place").mkdir()
    util.unmount(str(tools / "place"), removeAfter=True)
    assert not (tools / "place").exists()
    assert not (tools / "said").exists()
    with pytest.raises(OSError, match="still mounted"):
        util.unmount("/proc", attempts=2)
    assert (tools / "said").read_text().splitlines() == ["umount /proc"] * 2


# Drives


@pytest.mark.parametrize(("profile", "rewritable"), [("dvd+r", False), ("cd-rw", True)])
def test_a_drive_tells_what_is_left_on_its_disc(pool: CedarPool, profile: str, rewritable: bool) -> None:
    require()
    helpers = importlib.import_module("CedarBackup3.actions.util")
    config = Config(xmlPath=pool.config)
    pool.stage(TODAY, {"a": bytes(20_000_000)})
    with Burner(profile=profile) as drive, drive.attached():
        writer = helpers.createWriter(config)
        before = writer.retrieveCapacity()
        assert (before.bytesUsed, before.utilized) == (0, 0)
        assert writer.isRewritable() is rewritable
        importlib.import_module("CedarBackup3.actions.store").writeImage(
            config, True, {str(pool.root / "staging" / TODAY): TODAY}
        )
        after = writer.retrieveCapacity()
        assert after.bytesUsed > 20_000_000
        assert after.bytesAvailable < before.bytesAvailable - 20_000_000
        whole = writer.retrieveCapacity(entireDisc=True)
        assert (whole.bytesUsed, whole.bytesAvailable) == (0, after.totalCapacity)
        assert str(after).startswith("utilized ")


def test_a_drive_that_is_not_there_is_an_error(package: str) -> None:
    for name, kind in (("cdwriter", "CdWriter"), ("dvdwriter", "DvdWriter")):
        writer = getattr(importlib.import_module(f"{package}.writers.{name}"), kind)("/dev/nosuch")
        with pytest.raises(OSError, match="/dev/nosuch"):
            writer.retrieveCapacity()
    with pytest.raises(ValueError, match="store"):
        importlib.import_module(f"{package}.actions.util").createWriter(Config())


def test_a_writer_needs_a_device_and_a_capacity_numbers() -> None:
    with pytest.raises(ValueError, match="needs a device"):
        DvdWriter("")
    with pytest.raises(ValueError, match="could not convert"):
        MediaCapacity("a", 0.0)  # type: ignore[arg-type]  # as an extension may have it
