"""Queries as SQLite parameters: the text holds only names from the allow-list, every value is bound.

Text compares by Python's own case folding and matches by a compiled pattern (functions that the embedded
backend registers): SQLite's LIKE and NOCASE know ASCII only, and stop at a NUL.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from toolcrib_crm.query import Compare, Condition, Group, In, Like, Not, Order, Query, Wild
from toolcrib_crm.schema import Field, Value

__all__ = ["render"]


def render(query: Query) -> tuple[str, list[Any]]:
    """The query as SQL text and its parameters."""
    parameters: list[Any] = []
    text = f"SELECT {', '.join(_name(field) for field in query.fields)} FROM {query.target.name}"  # noqa: S608
    if query.where is not None:
        text += f" WHERE {_condition(query.where, parameters)}"
    by = [*(_order(order) for order in query.order), "id ASC"]
    text += f" ORDER BY {', '.join(by)}"
    if query.limit is not None:
        text += " LIMIT ?"
        parameters.append(query.limit)
    return text, parameters


def bound(value: Value) -> Any:
    """`value` as SQLite stores it: dates and times as ISO text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value


def _name(field: Field) -> str:
    assert field.name.isidentifier(), field.name
    return f'"{field.name}"'


def _text(field: Field, what: str) -> str:
    return f"fold({what})" if field.type == "string" else what


def _condition(condition: Condition, parameters: list[Any]) -> str:
    match condition:
        case Compare(field, op, value):
            parameters.append(bound(value))
            # IS and IS NOT treat NULL as a value, as SOQL's = and != do.
            word = {"=": "IS", "!=": "IS NOT"}.get(op, op)
            return f"{_text(field, _name(field))} {word} {_text(field, '?')}"
        case Like(field, pattern):
            parameters.append(_regex(pattern))
            return f"matches(?, {_name(field)})"
        case In(field, values, negated):
            terms = tuple(Compare(field, "!=" if negated else "=", value) for value in values)
            return _condition(Group("AND" if negated else "OR", terms), parameters)
        case Not(term):
            return f"NOT coalesce({_condition(term, parameters)}, 0)"
        case Group(op, terms):
            return f"({f' {op} '.join(_condition(term, parameters) for term in terms)})"


def _regex(pattern: tuple[str | Wild, ...]) -> str:
    """Each `%` but the last is an atomic group that ends at the next fixed text: one that could be entered
    again would let a pattern like `%a%a%a%a%b` run for ever."""
    fixed = [""]
    for part in pattern:
        if part is Wild.ANY:
            fixed.append("")
        else:
            fixed[-1] += "." if isinstance(part, Wild) else re.escape(part)
    first, *middle = fixed
    if not middle:
        return first
    return first + "".join(f"(?>.*?{text})" for text in middle[:-1]) + f".*{middle[-1]}"


def _order(order: Order) -> str:
    name = _name(order.field)
    direction = "DESC" if order.descending else "ASC"
    return f"{_text(order.field, name)} {direction} NULLS {'LAST' if order.nulls_last else 'FIRST'}"
