"""Cedar Backup's own files on master and client: the client is run and staged by ssh, as they say."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import pytest
from tests.cli.program import program, told
from tests.sshd import Sshd

PROGRAM = Path(sys.executable).with_name("cedarchest")
NOW = {"CEDARCHEST_NOW": "2026-11-25T03:00:00"}

CLIENT = """<cb_config>
<options><starting_day>monday</starting_day><working_dir>{top}/work</working_dir></options>
<collect><collect_dir>{top}/collect</collect_dir><collect_mode>daily</collect_mode>
<archive_mode>targz</archive_mode><ignore_file>.no</ignore_file>
<dir><abs_path>{top}/home</abs_path></dir></collect>
</cb_config>
"""
MASTER = """<cb_config>
<options><starting_day>monday</starting_day><working_dir>{top}/work</working_dir>
<backup_user>{user}</backup_user>
<rcp_command>scp -B -P {port} -i {key} -F none -o "UserKnownHostsFile={known}"</rcp_command>
<rsh_command>ssh -p {port}</rsh_command>
<cback_command>{command}</cback_command><managed_actions>collect</managed_actions></options>
<peers><peer><name>127.0.0.1</name><type>remote</type><managed>Y</managed>
<collect_dir>{top}/client/collect</collect_dir></peer></peers>
<stage><staging_dir>{top}/stage</staging_dir></stage>
</cb_config>
"""


@pytest.mark.slow
def test_a_client_is_run_and_staged_by_ssh(tmp_path: Path) -> None:
    client = tmp_path / "client"
    (client / "home").mkdir(parents=True)
    (client / "home/a.txt").write_text("a")
    (client / "cback.conf").write_text(CLIENT.format(top=client))
    with Sshd(tmp_path / "sshd") as server:
        (tmp_path / "cback3.conf").write_text(
            MASTER.format(
                top=tmp_path,
                user=getpass.getuser(),
                port=server.port,
                key=server.identity,
                known=server.known_hosts,
                command=f"{PROGRAM} -c {client}/cback.conf",
            )
        )
        for arguments in (("collect", "--managed-only"), ("stage",)):
            ran = program("--json", "-c", "cback3.conf", *arguments, cwd=tmp_path, environ=NOW)
            assert ran.status == 0, ran.err
            assert not [line for line in told(ran)["warnings"] if "not taken over" in line]
    day = tmp_path / "stage/2026/11/25"
    assert [path.name for path in (day / "127.0.0.1").glob("*.tar.gz")] == [
        f"{str(client / 'home').strip('/').replace('/', '-')}.tar.gz"
    ]
    assert (day / "cback.stage").exists()
