"""Sections of Cedar Backup's own extensions as objects: read, written, refused where they are wrong."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from cedarchest_cedar.xmlutil import createOutputDom, serializeDom

SECTIONS = {
    "mysql": "<user>u</user><password>p &amp; q</password><compress_mode>gzip</compress_mode><all>N</all>"
    "<database>a</database><database>b</database>",
    "postgresql": "<compress_mode>none</compress_mode><all>Y</all>",
    "subversion": "<collect_mode>incr</collect_mode><compress_mode>bzip2</compress_mode><repository>"
    "<type>FSFS</type><abs_path>/srv/a</abs_path><collect_mode>daily</collect_mode></repository>"
    "<repository_dir><abs_path>/srv/all</abs_path><exclude><rel_path>x</rel_path><rel_path>y</rel_path>"
    "<pattern>z.*</pattern></exclude></repository_dir>",
    "mbox": "<collect_mode>daily</collect_mode><compress_mode>none</compress_mode>"
    "<file><abs_path>/m/a</abs_path></file><dir><abs_path>/m</abs_path><exclude><pattern>.*spam</pattern></exclude></dir>",
    "capacity": "<min_bytes>1.5 GB</min_bytes>",
    "split": "<size_limit>650 MB</size_limit><split_size>100 KB</split_size>",
    "encrypt": "<encrypt_mode>gpg</encrypt_mode><encrypt_target>Ann</encrypt_target>",
    "amazons3": "<warn_midnite>Y</warn_midnite><s3_bucket>b</s3_bucket><encrypt>c</encrypt>"
    "<full_size_limit>2 GB</full_size_limit>",
}


def document(name: str, inside: str) -> str:
    return f"<cb_config><{name}>{inside}</{name}></cb_config>"


def local_config(package: str, name: str) -> Any:
    return importlib.import_module(f"{package}.extend.{name}").LocalConfig


@pytest.mark.parametrize("package", ["CedarBackup2", "CedarBackup3"])
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_that_is_written_reads_the_same(package: str, name: str) -> None:
    made = local_config(package, name)
    read = made(xmlData=document(name, SECTIONS[name]))
    dom, root = createOutputDom()
    read.addConfig(dom, root)
    again = made(xmlData=serializeDom(dom))
    assert again == read != made()
    assert getattr(again, name) == getattr(read, name) is not None
    assert getattr(made(), name) is None


def test_attributes_are_what_the_elements_say() -> None:
    mysql = local_config("CedarBackup3", "mysql")(xmlData=document("mysql", SECTIONS["mysql"])).mysql
    assert (mysql.user, mysql.password, mysql.compressMode) == ("u", "p & q", "gzip")
    assert (mysql.all, mysql.databases) == (False, ["a", "b"])
    text = document("subversion", SECTIONS["subversion"])
    subversion = local_config("CedarBackup3", "subversion")(xmlData=text).subversion
    (repository,), (folder,) = subversion.repositories, subversion.repositoryDirs
    assert (repository.repositoryType, repository.repositoryPath) == ("FSFS", "/srv/a")
    assert (folder.relativeExcludePaths, folder.excludePatterns) == (["x", "y"], ["z.*"])
    capacity = local_config("CedarBackup3", "capacity")(xmlData=document("capacity", SECTIONS["capacity"]))
    assert capacity.capacity.minBytes.bytes == 1.5 * 1024**3


@pytest.mark.parametrize(
    ("name", "inside", "said"),
    [
        ("mysql", "<all>Y</all>", "compress_mode is absent"),
        ("mysql", "<compress_mode>zip</compress_mode><all>Y</all>", "compress_mode"),
        ("mysql", "<compress_mode>none</compress_mode>", "no database"),
        (
            "postgresql",
            "<compress_mode>none</compress_mode><all>Y</all><database>a</database>",
            "all databases",
        ),
        ("subversion", "<collect_mode>daily</collect_mode>", "nothing is named"),
        ("subversion", "<repository><abs_path>/a</abs_path></repository>", "collectMode is absent"),
        ("mbox", "<collect_mode>daily</collect_mode><compress_mode>none</compress_mode><file/>", "abs_path"),
        ("mbox", "<file><abs_path>relative</abs_path></file>", "abs_path"),
        ("capacity", "", "one of"),
        ("capacity", "<max_percentage>5</max_percentage><min_bytes>1 GB</min_bytes>", "one of"),
        ("capacity", "<max_percentage>101</max_percentage>", "max_percentage"),
        ("split", "<size_limit>1 MB</size_limit>", "split_size is absent"),
        ("split", "<size_limit>much</size_limit><split_size>1</split_size>", "size_limit"),
        ("encrypt", "<encrypt_mode>gpg</encrypt_mode>", "encrypt_target is absent"),
        ("encrypt", "<encrypt_mode>rot13</encrypt_mode>", "encrypt_mode"),
        ("amazons3", "", "s3_bucket is absent"),
    ],
)
def test_what_is_wrong_is_refused_and_named(name: str, inside: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        local_config("CedarBackup3", name)(xmlData=document(name, inside))


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_that_is_absent_is_refused_where_it_is_wanted(name: str) -> None:
    made = local_config("CedarBackup3", name)
    assert getattr(made(xmlData="<cb_config/>", validate=False), name) is None
    for arguments in ({"xmlData": "<cb_config/>"}, {"xmlData": "<a", "validate": False}):
        with pytest.raises(ValueError, match=r".+"):
            made(**arguments)
    with pytest.raises(ValueError, match="both"):
        made(xmlData="<cb_config/>", xmlPath="/nonexistent")
    with pytest.raises(OSError, match="nonexistent"):
        made(xmlPath="/nonexistent")
