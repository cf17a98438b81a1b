"""The sections of the extensions that come with Cedar Backup, as objects: read, checked and written.

Each attribute says which element holds it; values are checked when they are read, by the rules of `migrate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar
from xml.dom.minidom import Document, Element

from cedarchest.config.cedar import parts, tree
from cedarchest.config.cedar.reading import Notes
from cedarchest.config.wording import shown
from cedarchest.errors import ConfigError
from cedarchest_cedar.compared import Compared
from cedarchest_cedar.quantities import ByteQuantity, addByteQuantityNode, readByteQuantity
from cedarchest_cedar.xmlutil import (
    addBooleanNode,
    addContainerNode,
    addStringNode,
    createInputDom,
    given,
    readBoolean,
    readChildren,
    readFirstChild,
    readString,
    readStringList,
)


class _Kind(Enum):
    TEXT = auto()
    TEXTS = auto()
    FLAG = auto()
    BYTES = auto()
    PERCENTAGE = auto()
    EXCLUDED = auto()  # texts within `exclude`


def _in(element: str, kind: _Kind | type[Compared] = _Kind.TEXT) -> Mapping[str, Any]:
    """Which element holds an attribute, and what is in it."""
    return {"element": element, "kind": kind}


_BYTES = _Kind.BYTES


@dataclass(eq=False)
class MysqlConfig(Compared):
    """Section `mysql`."""

    user: str | None = field(default=None, metadata=_in("user"))
    password: str | None = field(default=None, metadata=_in("password"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))
    all: bool = field(default=False, metadata=_in("all", _Kind.FLAG))
    databases: list[str] | None = field(default=None, metadata=_in("database", _Kind.TEXTS))


@dataclass(eq=False)
class PostgresqlConfig(Compared):
    """Section `postgresql`."""

    user: str | None = field(default=None, metadata=_in("user"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))
    all: bool = field(default=False, metadata=_in("all", _Kind.FLAG))
    databases: list[str] | None = field(default=None, metadata=_in("database", _Kind.TEXTS))


@dataclass(eq=False)
class Repository(Compared):
    """A repository."""

    repositoryType: str | None = field(default=None, metadata=_in("type"))
    repositoryPath: str | None = field(default=None, metadata=_in("abs_path"))
    collectMode: str | None = field(default=None, metadata=_in("collect_mode"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))


@dataclass(eq=False)
class BDBRepository(Repository):
    """One of the kind `BDB`."""

    repositoryType: str | None = field(default="BDB", init=False, metadata=_in("type"))


@dataclass(eq=False)
class FSFSRepository(Repository):
    """One of the kind `FSFS`."""

    repositoryType: str | None = field(default="FSFS", init=False, metadata=_in("type"))


@dataclass(eq=False)
class RepositoryDir(Compared):
    """A folder of repositories."""

    repositoryType: str | None = field(default=None, metadata=_in("type"))
    directoryPath: str | None = field(default=None, metadata=_in("abs_path"))
    collectMode: str | None = field(default=None, metadata=_in("collect_mode"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))
    relativeExcludePaths: list[str] | None = field(default=None, metadata=_in("rel_path", _Kind.EXCLUDED))
    excludePatterns: list[str] | None = field(default=None, metadata=_in("pattern", _Kind.EXCLUDED))


@dataclass(eq=False)
class SubversionConfig(Compared):
    """Section `subversion`."""

    collectMode: str | None = field(default=None, metadata=_in("collect_mode"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))
    repositories: list[Repository] | None = field(default=None, metadata=_in("repository", Repository))
    repositoryDirs: list[RepositoryDir] | None = field(
        default=None, metadata=_in("repository_dir", RepositoryDir)
    )


@dataclass(eq=False)
class MboxFile(Compared):
    """A mailbox."""

    absolutePath: str | None = field(default=None, metadata=_in("abs_path"))
    collectMode: str | None = field(default=None, metadata=_in("collect_mode"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))


@dataclass(eq=False)
class MboxDir(Compared):
    """A folder of mailboxes."""

    absolutePath: str | None = field(default=None, metadata=_in("abs_path"))
    collectMode: str | None = field(default=None, metadata=_in("collect_mode"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))
    relativeExcludePaths: list[str] | None = field(default=None, metadata=_in("rel_path", _Kind.EXCLUDED))
    excludePatterns: list[str] | None = field(default=None, metadata=_in("pattern", _Kind.EXCLUDED))


@dataclass(eq=False)
class MboxConfig(Compared):
    """Section `mbox`."""

    collectMode: str | None = field(default=None, metadata=_in("collect_mode"))
    compressMode: str | None = field(default=None, metadata=_in("compress_mode"))
    mboxFiles: list[MboxFile] | None = field(default=None, metadata=_in("file", MboxFile))
    mboxDirs: list[MboxDir] | None = field(default=None, metadata=_in("dir", MboxDir))


@dataclass(eq=False)
class PercentageQuantity(Compared):
    """A percentage, as it is written."""

    quantity: str | None = None

    def __post_init__(self) -> None:
        if self.quantity is not None:
            self.quantity = str(self.quantity)
            if not 0 <= float(self.quantity) <= 100:
                raise ValueError(f"{shown(self.quantity)} is no percentage")

    @property
    def percentage(self) -> float:
        """The number."""
        return float(self.quantity or 0)


@dataclass(eq=False)
class CapacityConfig(Compared):
    """Section `capacity`."""

    maxPercentage: PercentageQuantity | None = field(
        default=None, metadata=_in("max_percentage", _Kind.PERCENTAGE)
    )
    minBytes: ByteQuantity | None = field(default=None, metadata=_in("min_bytes", _BYTES))


@dataclass(eq=False)
class SplitConfig(Compared):
    """Section `split`."""

    sizeLimit: ByteQuantity | None = field(default=None, metadata=_in("size_limit", _BYTES))
    splitSize: ByteQuantity | None = field(default=None, metadata=_in("split_size", _BYTES))


@dataclass(eq=False)
class EncryptConfig(Compared):
    """Section `encrypt`."""

    encryptMode: str | None = field(default=None, metadata=_in("encrypt_mode"))
    encryptTarget: str | None = field(default=None, metadata=_in("encrypt_target"))


@dataclass(eq=False)
class AmazonS3Config(Compared):
    """Section `amazons3`."""

    warnMidnite: bool = field(default=False, metadata=_in("warn_midnite", _Kind.FLAG))
    s3Bucket: str | None = field(default=None, metadata=_in("s3_bucket"))
    encryptCommand: str | None = field(default=None, metadata=_in("encrypt"))
    fullBackupSizeLimit: ByteQuantity | None = field(default=None, metadata=_in("full_size_limit", _BYTES))
    incrementalBackupSizeLimit: ByteQuantity | None = field(
        default=None, metadata=_in("incr_size_limit", _BYTES)
    )


class OneSection(Compared):
    """The section of one extension in a file; the attribute with its name is None where it is absent."""

    NAME: ClassVar[str]
    SECTION: ClassVar[type[Compared]]

    def __init__(
        self, xmlData: str | bytes | None = None, xmlPath: str | Path | None = None, validate: bool = True
    ) -> None:
        """Read XML, from a text or a file; without either nothing is set.

        Raises:
            ValueError: it is no XML of Cedar Backup's, or against its rules.
            OSError: the file cannot be read.
        """
        setattr(self, self.NAME, None)
        raw = given(xmlData, xmlPath)
        if raw is None:
            return
        notes = Notes()
        parts.read_config(tree.parse(raw), notes)
        if notes.problems:
            raise _wrong(notes.problems)
        section = readFirstChild(createInputDom(raw)[1], self.NAME)
        if section is not None:
            setattr(self, self.NAME, _read(self.SECTION, section))
        if validate:
            self.validate()

    def _values(self) -> list[Any]:
        return [getattr(self, self.NAME)]

    def validate(self) -> None:
        """See that there is what the extension cannot do without.

        Raises:
            ValueError: something is absent, or too much.
        """
        section = getattr(self, self.NAME)
        problems = ["it is absent"] if section is None else list(_problems(section))
        if problems:
            raise _wrong([f"section <{self.NAME}>: {problem}" for problem in problems])

    def addConfig(self, xmlDom: Document, parentNode: Element) -> None:
        """Put the section, if it is there, into a document."""
        section = getattr(self, self.NAME)
        if section is not None:
            _write(xmlDom, addContainerNode(xmlDom, parentNode, self.NAME), section)


def local_config(name: str, section: type[Compared]) -> type[OneSection]:
    """The `LocalConfig` of an extension."""
    return type(
        "LocalConfig", (OneSection,), {"NAME": name, "SECTION": section, "__doc__": OneSection.__doc__}
    )


def _wrong(problems: list[str]) -> ConfigError:
    return ConfigError("; ".join(problems), problems=problems, advice="Correct the XML.")


def _problems(section: Compared) -> Iterator[str]:
    """What is wrong with a section as a whole."""
    if isinstance(section, MysqlConfig | PostgresqlConfig):
        if section.compressMode is None:
            yield "compress_mode is absent"
        if section.all and section.databases:
            yield "all databases are meant, and some are named"
        if not section.all and not section.databases:
            yield "no database is named"
    elif isinstance(section, SubversionConfig):
        yield from _lacking(section, [*(section.repositories or ()), *(section.repositoryDirs or ())])
    elif isinstance(section, MboxConfig):
        yield from _lacking(section, [*(section.mboxFiles or ()), *(section.mboxDirs or ())])
    elif isinstance(section, CapacityConfig):
        if (section.maxPercentage is None) is (section.minBytes is None):
            yield "one of max_percentage and min_bytes is needed"
    elif isinstance(section, AmazonS3Config):
        if section.s3Bucket is None:
            yield "s3_bucket is absent"
    else:
        yield from (
            f"{each.metadata['element']} is absent"
            for each in fields(section)  # type: ignore[arg-type]  # of dataclasses
            if getattr(section, each.name) is None
        )


def _lacking(section: SubversionConfig | MboxConfig, items: list[Any]) -> Iterator[str]:
    if not items:
        yield "nothing is named"
    for each in items:
        path, *_ = (
            getattr(each, name, None)
            for name in ("repositoryPath", "directoryPath", "absolutePath")
            if hasattr(each, name)
        )
        if path is None:
            yield "abs_path is absent"
        for name in ("collectMode", "compressMode"):
            if getattr(each, name) is None and getattr(section, name) is None:
                yield f"{name} is absent"


def _read(section: type[Compared], node: Element) -> Compared:
    values: dict[str, Any] = {}
    for each in fields(section):  # type: ignore[arg-type]  # of dataclasses
        element, kind = each.metadata["element"], each.metadata["kind"]
        if kind is _Kind.TEXT:
            values[each.name] = readString(node, element)
        elif kind is _Kind.TEXTS:
            values[each.name] = readStringList(node, element)
        elif kind is _Kind.EXCLUDED:
            values[each.name] = readStringList(readFirstChild(node, "exclude"), element)
        elif kind is _Kind.FLAG:
            values[each.name] = bool(readBoolean(node, element))
        elif kind is _Kind.BYTES:
            values[each.name] = readByteQuantity(node, element)
        elif kind is _Kind.PERCENTAGE:
            text = readString(node, element)
            values[each.name] = None if text is None else PercentageQuantity(text)
        else:
            values[each.name] = [_read(kind, child) for child in readChildren(node, element)] or None
    return section(**values)


def _write(dom: Document, node: Element, section: Compared) -> None:
    excluded: Element | None = None
    for each in fields(section):  # type: ignore[arg-type]  # of dataclasses
        element, kind, value = each.metadata["element"], each.metadata["kind"], getattr(section, each.name)
        if value is None and kind is not _Kind.TEXT:
            continue
        if kind is _Kind.TEXT:
            addStringNode(dom, node, element, value)
        elif kind is _Kind.FLAG:
            addBooleanNode(dom, node, element, value)
        elif kind is _Kind.BYTES:
            addByteQuantityNode(dom, node, element, value)
        elif kind is _Kind.PERCENTAGE:
            addStringNode(dom, node, element, value.quantity)
        elif kind is _Kind.TEXTS:
            for text in value:
                addStringNode(dom, node, element, text)
        elif kind is _Kind.EXCLUDED:
            excluded = excluded or addContainerNode(dom, node, "exclude")
            for text in value:
                addStringNode(dom, excluded, element, text)
        else:
            for item in value:
                _write(dom, addContainerNode(dom, node, element), item)
