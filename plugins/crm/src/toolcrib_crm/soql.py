"""The only place where SOQL is made.

Identifiers come from the allow-list, never from text; every value is a literal made here. The escapes are
those of Salesforce's own table (SOQL reference, "Quoted String Escape Sequences"); everything else that a
parser might take for more than text goes out as `\\uXXXX`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal

from toolcrib.errors import VendorRefused
from toolcrib_crm.query import Compare, Condition, Group, In, Like, Not, Order, Query, Wild
from toolcrib_crm.schema import Field, Value

__all__ = ["literal", "quote", "render"]

_ESCAPES = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
}
# Control characters (C0, DEL, C1), line and paragraph separators, byte order mark: none may reach a parser
# raw.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\"'\\]")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?")


def render(query: Query) -> str:
    """The query as SOQL."""
    parts = [f"SELECT {', '.join(_name(field) for field in query.fields)} FROM {query.target.vendor}"]  # noqa: S608
    if query.where is not None:
        parts.append(f"WHERE {_condition(query.where)}")
    if query.order:
        parts.append(f"ORDER BY {', '.join(_order(order) for order in query.order)}")
    if query.limit is not None:
        parts.append(f"LIMIT {int(query.limit)}")
    return " ".join(parts)


def quote(text: str) -> str:
    """`text` as a SOQL string literal; what is no Unicode text (a lone surrogate) raises `VendorRefused`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise VendorRefused(
            f"{text!a:.80} is not Unicode text", rule="half of a surrogate pair is no character"
        ) from None
    return f"'{_CONTROL.sub(_escape, text)}'"


def literal(value: Value) -> str:
    """`value` as a SOQL literal; numbers are written out without an exponent, which SOQL does not know."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return quote(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return value.isoformat()
        case float() if not math.isfinite(value):
            raise VendorRefused(f"{value} is not a number", rule="SOQL has no infinity and no NaN")
    return format(Decimal(repr(value)), "f")


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _ESCAPES.get(char, f"\\u{ord(char):04x}")


def _name(field: Field) -> str:
    vendor = field.column.vendor
    assert _IDENTIFIER.fullmatch(vendor), vendor
    return vendor


def _condition(condition: Condition) -> str:
    """Always in parentheses where two are joined: SOQL refuses AND beside OR without them, and NOT outside of
    them.
    """
    match condition:
        case Compare(field, op, value):
            return f"{_name(field)} {op} {literal(value)}"
        case Like(field, pattern):
            return f"{_name(field)} LIKE {_pattern(pattern)}"
        case In(field, values, negated):
            joined = ", ".join(literal(value) for value in values)
            return f"{_name(field)} {'NOT IN' if negated else 'IN'} ({joined})"
        case Not(term):
            return f"(NOT {_condition(term)})"
        case Group(op, terms):
            return f"({f' {op} '.join(_condition(term) for term in terms)})"


def _pattern(pattern: tuple[str | Wild, ...]) -> str:
    parts = (part.value if isinstance(part, Wild) else _like_text(part) for part in pattern)
    return f"'{''.join(parts)}'"


def _like_text(text: str) -> str:
    return re.sub(r"[%_]", r"\\\g<0>", quote(text)[1:-1])


def _order(order: Order) -> str:
    direction = "DESC" if order.descending else "ASC"
    return f"{_name(order.field)} {direction} NULLS {'LAST' if order.nulls_last else 'FIRST'}"
