"""All problems of a configuration, a line each: where, what is wrong, what is allowed.

The models find the problems; here they become sentences. The words for what is allowed come from the
kind of the field, so that messages and reference never differ.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from cedarchest.config.kinds import Kind, Rule
from cedarchest.config.wording import dotted, shown

Table = type[BaseModel]


def problem_lines(error: ValidationError, root: Table) -> tuple[str, ...]:
    """Each problem as `dotted.path: what is wrong; what is allowed`."""
    return tuple(
        f"{dotted(problem['loc'])}: {_sentence(problem['type'], problem, root)}"
        for problem in error.errors(include_url=False)
    )


def _sentence(kind: str, problem: Mapping[str, Any], root: Table) -> str:
    place: tuple[int | str, ...] = problem["loc"]
    table, field = locate(root, place)
    allowed = words_of(field, place) if field else ""
    if kind == "value_error":
        cause = problem["ctx"]["error"]
        return str(cause) if isinstance(cause, Rule) else f"{cause}; {allowed}"
    if kind == "missing":
        return f"is missing; {allowed}"
    if kind == "extra_forbidden" and table is not None:
        return f"there is no such key; {_meant(str(place[-1]), table, root)}"
    if kind == "too_short":
        return f"is empty; {allowed}"
    return f"{shown(problem['input'])} is not allowed here; {allowed or 'a table of keys'}"


def _meant(key: str, table: Table, root: Table) -> str:
    known = list(table.model_fields)
    close = difflib.get_close_matches(key[:60].lower().replace("-", "_"), known, 1)
    if close:
        return f"did you mean {close[0]}?"
    homes = [
        name
        for name, field in root.model_fields.items()
        if key in getattr(table_in(field), "model_fields", ())
    ]
    if homes:
        return f"it belongs in {' or '.join(header(root, name) for name in homes)}"
    return f"known here: {', '.join(known)}"


def header(root: Table, name: str) -> str:
    """How a table of the root is written: `[store]`, `[[peer]]`."""
    return f"[[{name}]]" if is_list(root.model_fields[name]) else f"[{name}]"


def locate(root: Table, place: tuple[int | str, ...]) -> tuple[Table | None, FieldInfo | None]:
    """The table in which a place lies, and the field that it names; None where there is none."""
    table: Table | None = root
    field: FieldInfo | None = None
    names = [part for part in place if isinstance(part, str)]
    for depth, name in enumerate(names):
        field = table.model_fields.get(name) if table else None
        if depth < len(names) - 1:
            table = table_in(field) if field else None
    return table, field


def words_of(field: FieldInfo, place: tuple[int | str, ...] = ()) -> str:
    """The words for what a field may hold; for one item of it, when the place ends with a number."""
    one = bool(place) and isinstance(place[-1], int)
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    if table_in(field) is not None:
        if is_list(field):
            return "a table of keys" if one else f"tables, each written as [[{dotted(place) or name}]]"
        return f"a table, written as [{dotted(place)}]"
    kind = next(_kinds(field), None)
    words = kind.words if kind else ""
    return f"a list, each item {words}" if is_list(field) and not one else words


def table_in(field: FieldInfo | None) -> Table | None:
    """The table that a field holds, once or in a list."""
    for part in _parts(field.annotation) if field else ():
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def is_list(field: FieldInfo) -> bool:
    """Whether a field is a list of tables, or of items that each have their kind."""
    if any(isinstance(part, Kind) for part in field.metadata):
        return False
    return any(get_origin(part) is tuple for part in _parts(field.annotation))


def _kinds(field: FieldInfo) -> Iterator[Kind]:
    for part in (*field.metadata, *_parts(field.annotation)):
        if isinstance(part, Kind):
            yield part


def _parts(annotation: object) -> Iterator[object]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
