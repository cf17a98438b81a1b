"""What Cedar Backup takes we take, and what it refuses we refuse, value by value."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from tests.cedar_xml import document, migrated

from cedarchest.config.cedar.commands import words_of
from cedarchest.errors import ConfigError

WHOLE = """<reference/>
<options><starting_day>{starting_day}</starting_day><working_dir>{working_dir}</working_dir>
<backup_user>root</backup_user><backup_group>root</backup_group><rcp_command>scp</rcp_command>
<managed_actions>{managed_actions}</managed_actions>
<pre_action_hook><action>{hooked}</action><command>true</command></pre_action_hook></options>
<extensions><order_mode>index</order_mode><action><name>{extension}</name><module>{module}</module>
<function>executeAction</function><index>{index}</index></action></extensions>
<peers><peer><name>here</name><type>{type}</type><collect_dir>{collect_dir}</collect_dir>
<ignore_failures>{ignore_failures}</ignore_failures></peer></peers>
<collect><collect_dir>/c</collect_dir><collect_mode>{collect_mode}</collect_mode>
<archive_mode>{archive_mode}</archive_mode><ignore_file>.no</ignore_file>
<exclude><pattern>{pattern}</pattern></exclude>
<dir><abs_path>/d</abs_path><link_depth>{link_depth}</link_depth><dereference>{dereference}</dereference>
<recursion_level>{recursion_level}</recursion_level></dir></collect>
<stage><staging_dir>{staging_dir}</staging_dir></stage>
<store><source_dir>/s</source_dir><media_type>{media_type}</media_type><device_type>{device_type}</device_type>
<target_device>{target_device}</target_device><drive_speed>{drive_speed}</drive_speed>
<target_scsi_id>{target_scsi_id}</target_scsi_id><check_data>{check_data}</check_data>
<refresh_media_delay>{refresh_media_delay}</refresh_media_delay>
<blank_behavior><mode>{blank_mode}</mode><factor>{blank_factor}</factor></blank_behavior></store>
<purge><dir><abs_path>/p</abs_path><retain_days>{retain_days}</retain_days></dir></purge>"""

RIGHT = {
    "starting_day": "monday",
    "working_dir": "/w",
    "managed_actions": "collect,purge",
    "hooked": "collect",
    "extension": "sysinfo",
    "module": "CedarBackup3.extend.sysinfo",
    "index": "95",
    "type": "local",
    "collect_dir": "/c",
    "ignore_failures": "none",
    "collect_mode": "daily",
    "archive_mode": "tar",
    "pattern": ".*",
    "link_depth": "1",
    "dereference": "N",
    "recursion_level": "0",
    "staging_dir": "/s",
    "media_type": "dvd+r",
    "device_type": "dvdwriter",
    "target_device": "/dev/sr0",
    "drive_speed": "4",
    "target_scsi_id": "0,0,0",
    "check_data": "Y",
    "refresh_media_delay": "0",
    "blank_mode": "weekly",
    "blank_factor": "1.3",
    "retain_days": "7",
}
VALUES = {
    "starting_day": ["sunday", "Monday", " monday", "monday ", "funday"],
    "working_dir": ["/w/", "w", " /w", "~/w"],
    "managed_actions": ["collect", "collect, purge", "Collect", "mysql"],
    "hooked": ["nothing", "Collect", "all", "a-b"],
    "extension": ["my1", "My", "a_b"],
    "module": ["CedarBackup3.extend.mysql", "1a", "a-b", "a..b"],
    "index": ["0", "-1", "x", " 5 "],
    "type": ["far"],
    "collect_dir": ["c"],
    "ignore_failures": ["all", "weekly", "some"],
    "collect_mode": ["incr", "weekly", "hourly", "DAILY"],
    "archive_mode": ["targz", "tarbz2", "tar.gz"],
    "pattern": ["a|b", "[", "(", "(?i)x"],
    "link_depth": ["2", "-1", "x", "1.5"],
    "dereference": ["Y", "y", "n", "yes", "1", " Y"],
    "recursion_level": ["3", "-1", "x"],
    "staging_dir": ["s", "/s//t"],
    "media_type": ["dvd+rw", "cdr-74", "dvd-r"],
    "device_type": ["cdwriter", "bdwriter"],
    "target_device": ["sr0", "/dev/dvd"],
    "drive_speed": ["0", "-1", "x", "16"],
    "target_scsi_id": ["ATA:1,0,0", "a", "0,0"],
    "check_data": ["N", "true"],
    "refresh_media_delay": ["15", "-1", "1.5"],
    "blank_mode": ["daily", "monthly"],
    "blank_factor": ["0", "2", "-1", "x", ".5"],
    "retain_days": ["0", "-1", "x"],
}


def cedar_takes(path: Path) -> bool:
    """Whether Cedar Backup can use a file; what it says of folders that are not there is not asked."""
    ran = subprocess.run(
        ["cback3", "--quiet", "--config", str(path), "--logfile", f"{path}.log", "validate"],
        check=False,
        capture_output=True,
    )
    assert ran.returncode in {0, 4}, ran.stderr
    return ran.returncode == 0


def we_take(raw: bytes) -> bool:
    try:
        migrated(raw)
    except ConfigError:
        return False
    return True


def test_the_values_that_others_are_put_in_the_place_of_are_taken(tmp_path: Path) -> None:
    raw = document(WHOLE.format(**RIGHT))
    (tmp_path / "c.conf").write_bytes(raw)
    assert cedar_takes(tmp_path / "c.conf")
    assert we_take(raw)


COMMANDS = """
import json, sys
from CedarBackup3.util import splitCommandLine
json.dump([splitCommandLine(each) for each in json.load(sys.stdin)], sys.stdout)
"""


@pytest.mark.slow
def test_commands_are_cut_into_the_same_words() -> None:
    dice = random.Random(6)
    commands = ["".join(dice.choices("ab \t\n\"'=\\", k=dice.randrange(12))) for _ in range(5000)]
    ran = subprocess.run(
        ["/usr/bin/python3", "-c", COMMANDS],
        input=json.dumps(commands),
        check=True,
        capture_output=True,
        text=True,
    )
    assert [words_of(each) for each in commands] == json.loads(ran.stdout)


@pytest.mark.parametrize("element", VALUES)
@pytest.mark.slow
def test_the_same_values_are_taken(tmp_path: Path, element: str) -> None:
    ours, theirs = {}, {}
    for number, value in enumerate(VALUES[element]):
        raw = document(WHOLE.format(**{**RIGHT, element: value}))
        path = tmp_path / f"{number}.conf"
        path.write_bytes(raw)
        ours[value], theirs[value] = we_take(raw), cedar_takes(path)
    assert ours == theirs
