"""The reference page of the configuration, made from the models.

`python -m cedarchest.config.reference > docs/reference/configuration.md` writes it anew; a test tells
when that was forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cedarchest.config.model import Config
from cedarchest.config.problems import is_list, table_in, words_of
from cedarchest.config.units import format_duration, format_percent

_HEAD = """\
# Configuration

A TOML file. It is the one named with `-c`, else in `$CEDARCHEST_CONFIG`, else the first of

1. `./cedarchest.toml`: never for root, and only when file and folder belong to the user (or to root)
   and nobody else may write them,
2. `cedarchest/cedarchest.toml` in `$XDG_CONFIG_HOME`, or in `~/.config`; for root under the same condition,
3. `/etc/cedarchest/cedarchest.toml`,
4. `cedarchest/cedarchest.toml` in `$XDG_STATE_HOME`, or in `~/.local/state`, for root in `/var/lib`: what a
   `cedarchest backup` left that had none; under the same condition.

`cedarchest init DIR` writes one to begin with, `cedarchest validate` names everything that is wrong with one.

- **Paths** that are relative start from the folder of the file; `~` is the home folder.
- **Sizes** are a number of bytes, or a text: `"64 MiB"` (powers of 1024), `"4.7 GB"` (powers of 1000).
- **Times** are a text with a unit: `"10 s"`, `"5 min"`, `"2 h"`, `"14 days"`, `"2 weeks"`; where it says
  so also `"24 months"` and `"2 years"`. A year has 365.2425 days here, and a month a twelfth of that.
- **Unknown keys** are errors. Tables that are absent have the defaults below; `[collect]`, `[stage]` and
  `[store]` have none, and an action that needs one says so.
"""


def reference() -> str:
    """The page as Markdown: for each table its keys, their types, defaults and meanings."""
    return "\n".join([_HEAD, *_tables(Config, ""), ""]).rstrip("\n") + "\n"


def _tables(parent: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in parent.model_fields.items():
        table = table_in(field)
        place = f"{path}{name}"
        if table is None and not path:
            yield f"## `[{place}.NAME]`\n\n{field.description}\n"
        if table is None:
            continue
        yield f"## `{f'[[{place}]]' if is_list(field) else f'[{place}]'}`\n\n{_described(table)}\n"
        rows = [_row(key, each) for key, each in table.model_fields.items() if table_in(each) is None]
        if rows:
            yield "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows, ""])
        yield from _tables(table, f"{place}.")


def _described(table: type[BaseModel]) -> str:
    return " ".join((table.__doc__ or "").split())


def _row(key: str, field: FieldInfo) -> str:
    cells = (f"`{key}`", words_of(field), _default(field), field.description or "")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return str(extra["default"])
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None or field.default == ():
        return "none"
    return f"`{_written(field.default)}`"


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case StrEnum() | str():
            return f'"{value}"'
        case timedelta():
            return f'"{format_duration(value, calendar=True)}"'
        case Decimal():
            return f'"{format_percent(value)}"'
        case tuple():
            return f"[{', '.join(_written(item) for item in value)}]"
        case _:
            return str(value)


if __name__ == "__main__":
    sys.stdout.write(reference())
