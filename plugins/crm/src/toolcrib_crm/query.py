"""Queries as data, and the small parser that makes them from what a model writes.

A query is never passed through as text. What comes in is parsed into these types against the allow-list of
`schema.py`; what goes out is rendered from them (`soql.py`, `_sql.py`). So an injection can at most be a
syntax error.

    SELECT name, stage, amount FROM Opportunity WHERE stage = 'Closed Won' AND (amount > 10000 OR NOT
    account_name LIKE 'A%') ORDER BY amount DESC LIMIT 20

Strings escape as in SOQL (`\\'`, `\\\\`, `\\n`, ...). There are no joins, aggregates, sub-queries, date words
or comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Literal, TypeAlias

from toolcrib.errors import VendorRefused
from toolcrib_crm.schema import Field, ObjectSpec, Value, any_id, object_of

__all__ = [
    "Compare",
    "Condition",
    "Group",
    "In",
    "Like",
    "Not",
    "Order",
    "Query",
    "Wild",
    "contains",
    "parse",
]

MAX_TEXT = 4_000
"""Characters of a query; Salesforce takes queries in a URL of at most 16 KB, and percent-encoding triples
them.
"""
MAX_DEPTH = 20
"""Nested parentheses, so that no query can exhaust the stack."""
MAX_VALUES = 200
"""Values of one IN list."""

Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]


class Wild(Enum):
    """A wildcard of a LIKE pattern: any run of characters, or exactly one."""

    ANY = "%"
    ONE = "_"


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`; strings compare without regard to case, as in Salesforce."""

    field: Field
    op: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Like:
    """`field LIKE pattern`; literal text and wildcards are kept apart, so none can turn into the other."""

    field: Field
    pattern: tuple[str | Wild, ...]


@dataclass(frozen=True, slots=True)
class In:
    """`field [NOT] IN (values)`."""

    field: Field
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of `term`."""

    term: Condition


@dataclass(frozen=True, slots=True)
class Group:
    """All (`AND`) or any (`OR`) of `terms`, of which there is at least one."""

    op: Literal["AND", "OR"]
    terms: tuple[Condition, ...]


Condition: TypeAlias = Compare | Like | In | Not | Group


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by `field`; records without a value come first unless `nulls_last`."""

    field: Field
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One query on one object; `limit` is in rows, None for as many as the cap allows."""

    target: ObjectSpec
    fields: tuple[Field, ...]
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None


def contains(spec: ObjectSpec, text: str, names: Iterable[str]) -> Group:
    """True where any of the named fields has `text` in it."""
    pattern = (Wild.ANY, text, Wild.ANY)
    return Group("OR", tuple(Like(spec.field(name), pattern) for name in names))


def parse(text: str) -> Query:
    """The query that `text` says; `VendorRefused` names the place that cannot be read."""
    if len(text) > MAX_TEXT:
        raise _bad(f"the query has {len(text):,} characters", f"a query has at most {MAX_TEXT:,}")
    return _Parser(text).query()


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<string>'(?:[^'\\\r\n]|\\.)*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d{1,18}(?:\.\d{1,18})?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)
    | (?P<symbol><=|>=|!=|<>|[=<>(),])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)|(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_WORDS = {"TRUE": True, "FALSE": False, "NULL": None}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent, one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def query(self) -> Query:
        self._expect("SELECT")
        names = [self._name("a field name")]
        while self._take(","):
            names.append(self._name("a field name"))
        self._expect("FROM")
        self.target = object_of(self._name("an object name"))
        fields = tuple(dict.fromkeys(self.target.field(name) for name in names))
        where = self._either() if self._take("WHERE") else None
        order = self._orders() if self._take("ORDER") else ()
        limit = self._limit() if self._take("LIMIT") else None
        if self.token.kind != "end":
            raise self._stuck("the end of the query")
        return Query(self.target, fields, where, order, limit)

    def _either(self) -> Condition:
        terms = [self._both()]
        while self._take("OR"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else Group("OR", tuple(terms))

    def _both(self) -> Condition:
        terms = [self._term()]
        while self._take("AND"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Group("AND", tuple(terms))

    def _term(self) -> Condition:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _bad("the query nests too deep", f"at most {MAX_DEPTH} levels")
        if self._take("NOT"):
            found: Condition = Not(self._term())
        elif self._take("("):
            found = self._either()
            self._expect(")")
        else:
            found = self._comparison(self.target.field(self._name("a field name")))
        self.depth -= 1
        return found

    def _comparison(self, field: Field) -> Condition:
        if self._take("LIKE"):
            return self._like(field)
        if self._take("NOT"):
            self._expect("IN")
            return In(field, self._values(field), negated=True)
        if self._take("IN"):
            return In(field, self._values(field))
        op = {"<>": "!="}.get(self.token.text, self.token.text)
        if op not in ("=", "!=", "<", "<=", ">", ">="):
            raise self._stuck("an operator (=, !=, <, <=, >, >=, LIKE, IN, NOT IN)")
        self.next += 1
        value = self._value(field)
        if op not in ("=", "!=") and (value is None or field.type in ("boolean", "id")):
            raise _bad(f"{field.name} cannot be compared by {op} with {value!r}", "use = or !=")
        return Compare(field, op, value)  # type: ignore[arg-type]

    def _like(self, field: Field) -> Like:
        if field.type != "string" or self.token.kind != "string":
            raise self._stuck("a text field and a quoted pattern around LIKE")
        self.next += 1
        return Like(field, _pattern(self.tokens[self.next - 1]))

    def _values(self, field: Field) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value(field)]
        while self._take(","):
            values.append(self._value(field))
        self._expect(")")
        if len(values) > MAX_VALUES:
            raise _bad(f"the list has {len(values)} values", f"IN takes at most {MAX_VALUES}")
        return tuple(values)

    def _value(self, field: Field) -> Value:
        token = self.token
        self.next += 1
        if token.kind == "name" and token.text.upper() in _WORDS:
            value: Value = _WORDS[token.text.upper()]
            if value is None:
                return None
        elif token.kind == "string":
            value = "".join(_plain(part, token) for part in _pattern(token, wild=False))
        else:
            value = _literal(token)
        if value is None or not _fits(field, value):
            raise _bad(
                f"{token.text!r:.80} at character {token.at} cannot stand beside {field.name}", _says(field)
            )
        return any_id(value) if field.type == "id" and isinstance(value, str) else value

    def _orders(self) -> tuple[Order, ...]:
        self._expect("BY")
        orders = [self._order()]
        while self._take(","):
            orders.append(self._order())
        return tuple(orders)

    def _order(self) -> Order:
        field = self.target.field(self._name("a field name"))
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_last = descending
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Order(field, descending, nulls_last)

    def _limit(self) -> int:
        token = self.token
        if token.kind != "number" or not token.text.isdigit() or int(token.text) < 1:
            raise self._stuck("a number of rows, 1 or more")
        self.next += 1
        return int(token.text)

    def _name(self, what: str) -> str:
        if self.token.kind != "name":
            raise self._stuck(what)
        self.next += 1
        return self.tokens[self.next - 1].text

    def _take(self, word: str) -> bool:
        if self.token.kind not in ("name", "symbol") or self.token.text.upper() != word:
            return False
        self.next += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._stuck(word)

    def _stuck(self, wanted: str) -> VendorRefused:
        token = self.token
        found = f"{token.text!r:.80} at character {token.at}" if token.kind != "end" else "the end"
        return _bad(
            f"the query has {found} where {wanted} should be",
            "SELECT fields FROM object WHERE ... ORDER BY ... LIMIT n",
        )


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _bad(
                f"the query cannot be read at character {at}: {text[at : at + 20]!r}",
                "strings stand in '...'",
            )
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup, match.group(), at))
        at = match.end()
    return [*tokens, _Token("end", "", at)]


def _pattern(token: _Token, *, wild: bool = True) -> tuple[str | Wild, ...]:
    """A string literal in parts; `%` and `_` are wildcards only where `wild` and only without a backslash."""
    parts: list[str | Wild] = []
    for match in _ESCAPE.finditer(token.text[1:-1]):
        escaped, plain = match.groups()
        part: str | Wild = _unescape(escaped, token, wild) if escaped else plain
        if wild and plain in ("%", "_"):
            part = Wild(plain)
        if parts and isinstance(part, str) and isinstance(last := parts[-1], str):
            parts[-1] = last + part
        else:
            parts.append(part)
    return tuple(parts)


def _unescape(escaped: str, token: _Token, wild: bool) -> str:
    if len(escaped) == 5:
        return chr(int(escaped[1:], 16))
    if wild and escaped in ("%", "_"):
        return escaped
    if escaped.lower() not in _ESCAPED:
        raise _bad(
            f"{token.text!r:.80} has the escape \\{escaped}",
            "escapes are \\' \\\" \\\\ \\n \\r \\t \\b \\f \\uXXXX",
        )
    return _ESCAPED[escaped.lower()]


def _plain(part: str | Wild, token: _Token) -> str:
    assert isinstance(part, str), token
    return part


def _literal(token: _Token) -> Value:
    try:
        match token.kind:
            case "number":
                return float(token.text) if "." in token.text else int(token.text)
            case "date":
                return date.fromisoformat(token.text)
            case "datetime":
                return datetime.fromisoformat(token.text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad(f"{token.text!r} at character {token.at} is no date", "dates are YYYY-MM-DD") from None
    return None


def _fits(field: Field, value: Value) -> bool:
    match field.type:
        case "id" | "string":
            return isinstance(value, str)
        case "integer" | "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, date) and not isinstance(value, datetime)
        case "datetime":
            return isinstance(value, datetime)


def _says(field: Field) -> str:
    shape = {
        "string": "'text'",
        "id": "'id'",
        "boolean": "TRUE or FALSE",
        "date": "YYYY-MM-DD",
        "datetime": "YYYY-MM-DDThh:mm:ssZ",
    }
    return f"{field.name} is a {field.type}; write {shape.get(field.type, 'a number')} or NULL"


def _bad(what: str, rule: str) -> VendorRefused:
    return VendorRefused(
        what, rule=rule, remedy="Correct the query and call again; describe_object lists the fields"
    )
