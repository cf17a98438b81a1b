"""The tables `[[notify]]` and `[[ping]]`: who is told of runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from cedarchest.config import kinds
from cedarchest.config.choices import Outcome, RecordedAction
from cedarchest.config.table import AbsolutePath, Table


class _Addressed(Table):
    url: str | None = None
    url_file: AbsolutePath | None = Field(
        default=None,
        validate_default=True,
        description="A file that holds nothing but the address, instead of `url`; read when it is needed.",
    )

    @property
    def address(self) -> str | Path:
        """The address, or the file that it stands in."""
        return self.url or self.url_file or ""

    @field_validator("url_file")
    @classmethod
    def _one_of_both(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if "url" in info.data and (info.data["url"] is None) == (file is None):
            raise kinds.Rule("url and url_file: one of them has to be set, not both")
        return file


class Notify(_Addressed):
    """Where news of a run is sent, through apprise. What fails to be sent is a warning of the run."""

    url: Annotated[str, kinds.NOTIFY_URL] | None = Field(
        default=None,
        repr=False,
        description="The address, as apprise takes it; it may hold a token, so keep the file to yourself.",
        json_schema_extra={"default": "or else `url_file`"},
    )
    on: Annotated[tuple[Outcome, ...], kinds.some_of(Outcome)] = Field(
        default=(Outcome.PARTIAL, Outcome.FAILED), description="The outcomes that are told."
    )
    action: Annotated[tuple[RecordedAction, ...], kinds.some_of(RecordedAction)] | None = Field(
        default=None,
        description="The actions whose runs are told; those that `all` runs are told as one.",
        json_schema_extra={"default": "all of them"},
    )
    timeout: Annotated[timedelta, kinds.TIMEOUT] = Field(
        default=timedelta(seconds=30), description="How long the sending may take."
    )

    def hears_of(self, action: str) -> bool:
        """Whether runs of an action, or of an extension, are told here."""
        return self.action is None or action in self.action


class Ping(_Addressed):
    """A service that watches whether runs come: asked for when one begins, and when it has ended.

    It is such as healthchecks.io, which complains when it was not asked for in time. A ping that fails is
    tried three times in all, and is a warning of the run.
    """

    url: Annotated[str, kinds.PING_URL] | None = Field(
        default=None,
        repr=False,
        description="What is asked for when a run ended with status 0; it may be secret.",
        json_schema_extra={"default": "or else `url_file`"},
    )
    start: Annotated[str, kinds.PING_PART] = Field(
        default="/start",
        repr=False,
        description="What is asked for when a run begins: added to the path of `url`, or another query "
        "for it, or another address.",
    )
    failure: Annotated[str, kinds.PING_PART] = Field(
        default="/fail",
        repr=False,
        description="The same for when a run ended with another status, 11 too; by POST, with what is wrong.",
    )
    action: Annotated[tuple[RecordedAction, ...], kinds.some_of(RecordedAction)] = Field(
        default=(RecordedAction.ALL,), description="The actions whose runs are watched."
    )
    timeout: Annotated[timedelta, kinds.TIMEOUT] = Field(
        default=timedelta(seconds=10), description="How long one try may take."
    )
