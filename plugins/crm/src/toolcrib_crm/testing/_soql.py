"""The fake's own reading of SOQL: strict, independent of the pack's parser and builder, straight into a
predicate.

It knows what the pack may send and refuses the rest as Salesforce would (`MALFORMED_QUERY`, `INVALID_FIELD`,
...).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from toolcrib_crm.testing._schema import OBJECTS, VendorField

__all__ = ["Plan", "SOQLError", "plan", "string_values"]

Record: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Record], bool]


class SOQLError(Exception):
    """What Salesforce would say: an error code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Plan:
    """A query understood: what to select from what, whom it takes, in which order, how many."""

    target: str
    fields: tuple[str, ...]
    test: Test
    order: tuple[tuple[str, str, bool, bool], ...]
    limit: int | None

    def run(self, records: Sequence[Record]) -> list[Record]:
        """The records that the query takes, whole."""
        found = [record for record in records if self.test(record)]
        found.sort(key=lambda record: record["Id"])
        for name, kind, descending, nulls_last in reversed(self.order):
            there = [r for r in found if r[name] is not None]
            absent = [r for r in found if r[name] is None]
            there.sort(key=lambda r, n=name, k=kind: _comparable(r[n], k), reverse=descending)  # type: ignore[misc]
            found = there + absent if nulls_last else absent + there
        return found[: self.limit]


_LEXEME = re.compile(
    r"(?P<str>'(?:\\u[0-9a-fA-F]{4}|\\[nNrRtTbBfF\"'\\_%]|[^'\\\x00-\x1f])*')"
    r"|(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)|(?P<date>\d{4}-\d\d-\d\d)|(?P<num>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z]\w*(?:\.[A-Za-z]\w*)?)|(?P<sym><=|>=|!=|[=<>(),])|(?P<gap> +)",
    re.ASCII,
)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def plan(text: str) -> Plan:
    """Read a query; raises `SOQLError`."""
    return _Reader(text).plan()


def string_values(text: str) -> list[str]:
    """The values of all string literals of a query that can be read, in their order."""
    plan(text)
    return [_string(word) for kind, word in _lexemes(text) if kind == "str"]


def _lexemes(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _LEXEME.match(text, at)
        if match is None or match.lastgroup is None:
            raise SOQLError("MALFORMED_QUERY", f"unexpected token at {at}: {text[at : at + 20]!r}")
        found.append((match.lastgroup, match.group()))
        at = match.end()
    return [item for item in found if item[0] != "gap"]


def _string(literal: str) -> str:
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", lambda m: _unescaped(m.group(1)), literal[1:-1])


def _unescaped(code: str) -> str:
    return chr(int(code[1:], 16)) if len(code) == 5 else _SHORT.get(code.lower(), code)


class _Reader:
    def __init__(self, text: str) -> None:
        self.rest = [*_lexemes(text), ("end", "")]
        self.target = ""

    def plan(self) -> Plan:
        self._word("SELECT")
        selected = [self._any_word()]
        while self._skip(","):
            selected.append(self._any_word())
        self._word("FROM")
        self.target = self._any_word()
        if self.target not in OBJECTS:
            raise SOQLError("INVALID_TYPE", f"sObject type '{self.target}' is not supported.")
        if len(set(selected)) != len(selected):
            raise SOQLError("MALFORMED_QUERY", "duplicate field selected")
        for name in selected:
            self._field(name)
        test = self._conditions() if self._skip("WHERE") else lambda record: True
        order = self._ordering() if self._skip("ORDER") else ()
        limit = int(self._literal("num")) if self._skip("LIMIT") else None
        if self.rest[0][0] != "end":
            raise self._stuck()
        return Plan(self.target, tuple(selected), test, order, limit)

    def _conditions(self) -> Test:
        """A chain of one connective; Salesforce wants parentheses where AND and OR meet."""
        tests = [self._condition()]
        joined = self.rest[0][1].upper() if self.rest[0][1].upper() in ("AND", "OR") else ""
        while joined and self._skip(joined):
            tests.append(self._condition())
        if self.rest[0][1].upper() in ("AND", "OR"):
            raise SOQLError("MALFORMED_QUERY", "AND and OR are mixed without parentheses")
        check = any if joined == "OR" else all
        return tests[0] if len(tests) == 1 else lambda record: check(test(record) for test in tests)

    def _condition(self) -> Test:
        if not self._skip("("):
            return self._comparison()
        if self._skip("NOT"):
            inner = self._condition()
            self._word(")")
            return lambda record: not inner(record)
        inner = self._conditions()
        self._word(")")
        return inner

    def _comparison(self) -> Test:
        name = self._any_word()
        field = self._field(name)
        if self._skip("LIKE"):
            return self._like(name, field)
        if self._skip("NOT"):
            self._word("IN")
            values = self._list(field)
            return lambda record: _comparable(record[name], field.type) not in values
        if self._skip("IN"):
            values = self._list(field)
            return lambda record: _comparable(record[name], field.type) in values
        op, value = self.rest.pop(0)[1], self._value(field)
        if op == "=":
            return lambda record: bool(_comparable(record[name], field.type) == value)
        if op == "!=":
            return lambda record: bool(_comparable(record[name], field.type) != value)
        if op not in _COMPARE or value is None or field.type in ("boolean", "id", "reference"):
            raise SOQLError("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator {op} on {name}")
        compare = _COMPARE[op]
        return lambda record: (
            record[name] is not None and compare(_comparable(record[name], field.type), value)
        )

    def _like(self, name: str, field: VendorField) -> Test:
        if not field.textual:
            raise SOQLError("INVALID_QUERY_FILTER_OPERATOR", f"{name} cannot be filtered by LIKE")
        wild = {"%": ".*", "_": "."}
        parts = re.findall(r"\\u[0-9a-fA-F]{4}|\\.|.", self._literal("str")[1:-1])
        pattern = "".join(
            re.escape(_unescaped(p[1:])) if p[0] == "\\" else wild.get(p) or re.escape(p) for p in parts
        )
        compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        return lambda record: record[name] is not None and compiled.fullmatch(record[name]) is not None

    def _list(self, field: VendorField) -> list[Any]:
        self._word("(")
        values = [self._value(field)]
        while self._skip(","):
            values.append(self._value(field))
        self._word(")")
        return values

    def _value(self, field: VendorField) -> Any:
        kind, word = self.rest.pop(0)
        wanted = {"int": "num", "currency": "num", "date": "date", "datetime": "datetime", "boolean": "word"}
        if (
            kind == "word"
            and word in ("NULL", "TRUE", "FALSE")
            and (word == "NULL" or field.type == "boolean")
        ):
            return {"NULL": None, "TRUE": True, "FALSE": False}[word]
        if kind != wanted.get(field.type, "str") or kind == "word":
            raise SOQLError(
                "INVALID_FIELD",
                f"value of filter criterion for field '{field.name}' must be of type {field.type}",
            )
        if kind == "str":
            return self._text(field, _string(word))
        return float(word) if kind == "num" else _moment(word)

    def _text(self, field: VendorField, value: str) -> str:
        if field.type in ("id", "reference"):
            if not re.fullmatch("[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", value):
                raise SOQLError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
            return value
        return value.casefold()

    def _ordering(self) -> tuple[tuple[str, str, bool, bool], ...]:
        self._word("BY")
        items = []
        while True:
            name = self._any_word()
            kind = self._field(name).type
            descending = self._skip("DESC") or not (self._skip("ASC") or True)
            nulls_last = False
            if self._skip("NULLS"):
                nulls_last = self._skip("LAST") or not (self._skip("FIRST") or True)
            items.append((name, kind, descending, nulls_last))
            if not self._skip(","):
                return tuple(items)

    def _field(self, name: str) -> VendorField:
        owner, _, last = name.rpartition(".")
        if not owner and last in OBJECTS[self.target]:
            return OBJECTS[self.target][last]
        if owner == "Account" and "AccountId" in OBJECTS[self.target] and last in OBJECTS["Account"]:
            return OBJECTS["Account"][last]
        raise SOQLError("INVALID_FIELD", f"No such column '{name}' on entity '{self.target}'.")

    def _literal(self, kind: str) -> str:
        found, word = self.rest.pop(0)
        if found != kind:
            raise SOQLError("MALFORMED_QUERY", f"unexpected token: '{word}'")
        return word

    def _any_word(self) -> str:
        return self._literal("word")

    def _skip(self, word: str) -> bool:
        if self.rest[0][0] not in ("word", "sym") or self.rest[0][1].upper() != word:
            return False
        self.rest.pop(0)
        return True

    def _word(self, word: str) -> None:
        if not self._skip(word):
            raise self._stuck()

    def _stuck(self) -> SOQLError:
        return SOQLError("MALFORMED_QUERY", f"unexpected token: '{self.rest[0][1] or '<EOF>'}'")


def _comparable(value: Any, kind: str) -> Any:
    """A stored value of a field type as comparisons see it: text without case, times as moments, numbers as
    such.
    """
    if value is None or kind in ("boolean", "id", "reference"):
        return value
    if kind in ("int", "currency"):
        return float(value)
    return _moment(value) if kind in ("date", "datetime") else value.casefold()


def _moment(text: str) -> datetime.datetime | datetime.date:
    try:
        return datetime.datetime.fromisoformat(text) if "T" in text else datetime.date.fromisoformat(text)
    except ValueError:
        raise SOQLError("MALFORMED_QUERY", f"invalid date: {text}") from None
