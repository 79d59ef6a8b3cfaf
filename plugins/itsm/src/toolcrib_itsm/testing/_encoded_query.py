"""The fake's own reading of encoded queries, independent of how the backend writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["QueryError", "run"]

_OPERATORS = ("ISNOTEMPTY", "ISEMPTY", "STARTSWITH", "LIKE", "IN", "!=", ">=", "<=", "=")
_CONDITION = re.compile(rf"([a-z_0-9.]+?)({'|'.join(_OPERATORS)})(.*)", re.DOTALL)

Row = Mapping[str, Any]
Look = Callable[[Row, str], str]
Script = Callable[[str], str]


class QueryError(Exception):
    """A query that the fake refuses; the real one ignores what it does not understand, and finds too much."""


def run(text: str, rows: Iterable[Row], look: Look, script: Script) -> list[Row]:
    """The rows that the query finds, in its order. `look(row, field)` gives a field's value, `script` what a
    `javascript:` value comes to.
    """
    parts = text.split("^") if text else []
    orders = [part for part in parts if part.startswith("ORDERBY")]
    found = [row for row in rows if _any_group(parts, row, look, script)]
    for order in reversed(orders):
        descending = order.startswith("ORDERBYDESC")
        field = order.removeprefix("ORDERBYDESC" if descending else "ORDERBY")
        found.sort(key=lambda row, field=field: look(row, field), reverse=descending)  # type: ignore[misc]
    return found


def _any_group(parts: list[str], row: Row, look: Look, script: Script) -> bool:
    """`^NQ` begins a new query; each is a list of ANDs of ORs."""
    groups: list[list[list[str]]] = [[]]
    for part in parts:
        if part.startswith("ORDERBY"):
            continue
        if part.startswith("NQ"):
            groups.append([[part[2:]]])
        elif part.startswith("OR") and groups[-1]:
            groups[-1][-1].append(part[2:])
        else:
            groups[-1].append([part])
    return any(all(any(_holds(one, row, look, script) for one in ors) for ors in ands) for ands in groups)


def _holds(condition: str, row: Row, look: Look, script: Script) -> bool:
    parsed = _CONDITION.fullmatch(condition)
    if parsed is None:
        raise QueryError(f"Invalid query: {condition!r}")
    field, operator, wanted = parsed.groups()
    if wanted.strip().lower().startswith("javascript:"):
        wanted = script(wanted)
    value = look(row, field)
    if operator in ("ISEMPTY", "ISNOTEMPTY"):
        if wanted:
            raise QueryError(f"Invalid query: {condition!r}")
        return (value == "") == (operator == "ISEMPTY")
    if operator == "IN":
        return value in wanted.split(",")
    return {
        "=": value.casefold() == wanted.casefold(),
        "!=": value.casefold() != wanted.casefold(),
        "LIKE": wanted.casefold() in value.casefold(),
        "STARTSWITH": value.casefold().startswith(wanted.casefold()),
        ">=": value >= wanted,
        "<=": value <= wanted,
    }[operator]
