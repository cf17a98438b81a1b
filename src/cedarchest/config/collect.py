"""The table `[collect]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cedarchest.config import kinds
from cedarchest.config.choices import AdvanceOn, ArchiveFormat, CollectMode
from cedarchest.config.table import AbsolutePath, Argv, Flag, Table, Texts


class CollectSource(Table):
    """A directory or file to collect. What is not set here is as in `[collect]`."""

    path: AbsolutePath = Field(
        description="What is collected, but for collect dir, staging folder and images in shelves that lie "
        "below it."
    )
    mode: Annotated[CollectMode, kinds.one_of(CollectMode)] | None = Field(
        default=None, description="As in `[collect]`.", json_schema_extra={"default": "as in `[collect]`"}
    )
    archive: Annotated[ArchiveFormat, kinds.one_of(ArchiveFormat)] | None = Field(
        default=None, description="As in `[collect]`.", json_schema_extra={"default": "as in `[collect]`"}
    )
    ignore_file: Annotated[str, kinds.FILE_NAME] | None = Field(
        default=None, description="As in `[collect]`.", json_schema_extra={"default": "as in `[collect]`"}
    )
    exclude: Texts = Field(
        default=(),
        description="Patterns left out, besides those of `[collect]`; they begin at the source, "
        "and those that begin with its path at `/`.",
    )
    exclude_regex: tuple[Annotated[str, kinds.REGEX], ...] = Field(
        default=(), description="Regular expressions for whole paths left out, besides those of `[collect]`."
    )
    link_depth: Annotated[int, kinds.whole(0, 100)] = Field(
        default=0,
        description="On how many levels from the top links to directories are followed: "
        "what they lead to is kept under the name of the link.",
    )
    dereference: Flag = Field(
        default=False,
        description="Whether a link on these levels stays a link, and what it leads to, folder or file, is "
        "kept under its own name.",
    )
    recursion_level: Annotated[int, kinds.whole(0, 100)] = Field(
        default=0,
        description="How many levels below the path get an archive of their own for each directory.",
    )
    one_file_system: Flag = Field(
        default=False, description="Whether directories on other file systems are left out."
    )
    before: Argv | None = Field(
        default=None, description="A program and its arguments, run before; it makes a snapshot, say."
    )
    after: Argv | None = Field(default=None, description="A program and its arguments, run afterwards.")


class CollectCommand(Table):
    """A program whose output is collected, such as a database dump. No shell is involved."""

    name: Annotated[str, kinds.OWN_NAME] = Field(
        description="The name of the file, to which the packing is added, as in `db.zst`."
    )
    argv: Argv = Field(
        description="The program and its arguments. It has the environment of the run; nothing that is secret"
        " belongs here, since every user of the machine sees it."
    )
    mode: Annotated[CollectMode, kinds.one_of(CollectMode)] | None = Field(
        default=None,
        description="As in `[collect]`; `incr` is `daily` here.",
        json_schema_extra={"default": "as in `[collect]`"},
    )
    archive: Annotated[ArchiveFormat, kinds.one_of(ArchiveFormat)] | None = Field(
        default=None,
        description="How the output is packed: as in `[collect]`, without the tar.",
        json_schema_extra={"default": "as in `[collect]`"},
    )


class Collect(Table):
    """What this machine collects into archives."""

    dir: AbsolutePath = Field(
        description="The collect dir: where the archives are left for staging. All that it holds is staged: "
        "the staging folder, shelves and `state_dir` must not lie in it."
    )
    mode: Annotated[CollectMode, kinds.one_of(CollectMode)] = Field(
        default=CollectMode.DAILY,
        description="`daily`: whole, every day; `weekly`: whole, on the starting day; "
        "`incr`: whole on the starting day, changes on the others.",
    )
    archive: Annotated[ArchiveFormat, kinds.one_of(ArchiveFormat)] = Field(
        default=ArchiveFormat.TAR_ZST, description="How archives are packed."
    )
    advance_on: Annotated[AdvanceOn, kinds.one_of(AdvanceOn)] = Field(
        default=AdvanceOn.STORED,
        description="An incremental collect hands a change over again until the master says that it is this. "
        "What is only `staged` is lost with the staging folder.",
    )
    ignore_file: Annotated[str, kinds.FILE_NAME] | None = Field(
        default=None, description="The name of a file that marks its directory as left out."
    )
    exclude: Texts = Field(
        default=(), description="Patterns left out, as in `.gitignore`; they begin at `/`."
    )
    exclude_regex: tuple[Annotated[str, kinds.REGEX], ...] = Field(
        default=(), description="Regular expressions for whole paths left out."
    )
    source: tuple[CollectSource, ...] = Field(default=(), description="What is collected.")
    command: tuple[CollectCommand, ...] = Field(default=(), description="Programs whose output is collected.")
