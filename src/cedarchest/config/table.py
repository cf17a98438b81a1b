"""What all tables of the configuration are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cedarchest.config import kinds

Text = Annotated[str, kinds.TEXT]
Texts = tuple[Text, ...]
Argv = Annotated[tuple[Text, ...], Field(min_length=1)]
Flag = Annotated[bool, kinds.FLAG]
AbsolutePath = Annotated[Path, kinds.PATH]
Size = Annotated[int, kinds.size()]


class Table(BaseModel):
    """A table: frozen, with no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def need(key: str, reason: str) -> kinds.Rule:
    """The problem of a key that means nothing without another."""
    return kinds.Rule(f"{reason}; remove it, or {key}")
