"""Conditions against what the fields of `r.ctx` are: their types and ranges."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from toolcrib.bench._comparisons import answer, faults
from toolcrib.bench._context import CONTEXT
from toolcrib.bench.lint import Finding
from toolcrib.bench.tools import NamedTool
from toolcrib.policy import Facts
from toolcrib.policy._conditions import FIELDS, ROOTS, parse_condition
from toolcrib.policy._evaluate import Raised, evaluate
from toolcrib.policy._namespace import context
from toolcrib.policy._problems import Unfit
from toolcrib.principal import Principal
from toolcrib.sandboxed import sandbox_facts

ROWS = ("g, user:dana, lead, acme", "p, *, acme, *, *, True, allow")


@pytest.fixture
def found(lint: Callable[..., list[Finding]]) -> Callable[[str], list[Finding]]:
    def look(condition: str) -> list[Finding]:
        return [one for one in lint(*ROWS, f"p, *, acme, crm.*, *, {condition}, deny") if one.line == 3]

    return look


# --- types ---


def test_a_number_and_a_text_have_no_order(found: Any) -> None:
    (one,) = found('r.ctx.user == "dana" and r.ctx.now.hour > "9"')
    assert (one.id, one.severity) == ("TC309", "error")
    assert one.what == (
        "r.ctx.now.hour > \"9\" cannot be answered: r.ctx.now.hour is a number and '9' is text; "
        "calls would be denied"
    )
    assert one.remedy == "Write 9 without quotes, if it is compared with a number"
    assert one.column == len('p, *, acme, crm.*, *, r.ctx.user == "dana" and ') + 1


@pytest.mark.parametrize(
    "condition",
    [
        '"9" < r.ctx.now.hour',
        "8 < r.ctx.now.hour < '18'",
        "r.ctx.now.date > 20260101",
        "r.ctx.now.hour > r.ctx.user",
        "r.ctx.now.hour + 1 > 'x'",
        "r.ctx.labels > 1",
        "r.ctx.args.amount > None",
        "'x' in r.ctx.now.hour",
        "r.ctx.now.hour in '123'",
        "not (r.ctx.now.hour > '9')",
        "has(r.ctx, 'args.x') and r.ctx.now.hour >= '9'",
        "r.ctx.sandbox.memory > '1g'",
        "r.ctx.sandbox.egress <= 'api.example:443'",
        "r.ctx.now.hour > '²'",
    ],
)
def test_what_raises_is_an_error_wherever_it_stands(found: Any, condition: str) -> None:
    assert [one.id for one in found(condition)] == ["TC309"]


@pytest.mark.parametrize(
    "condition",
    [
        "r.ctx.now.hour > 9",
        "r.ctx.now.hour > r.ctx.args.hour",
        "r.ctx.args.amount > '9'",
        "has(r.ctx, 'before.x') and r.ctx.before.x in (1, 'a')",
        "r.ctx.now.date >= '2026-03-01'",
        "r.ctx.now.weekday in (5, 6) or r.ctx.now.hour < 8",
        "r.ctx.now.hour >= 0 and r.ctx.now.hour <= 23",
        "r.ctx.now.weekday == 0",
        "r.ctx.now.hour < 24 and r.ctx.now.minute != 59",
        "r.ctx.now.hour * 60 + r.ctx.now.minute > 1000",
        "'untrusted' in r.ctx.labels",
        "'x' in r.ctx.user",
        "r.ctx.tool.idempotent == True",
        "r.ctx.now.date == '2026-12-24'",
        "r.ctx.sandbox.egress <= ['api.example:443']",
    ],
)
def test_what_says_something_is_left_alone(found: Any, condition: str) -> None:
    assert found(condition) == []


# --- ranges ---


def test_a_condition_out_of_range_is_never_true(found: Any) -> None:
    (one,) = found("r.ctx.now.weekday == 7")
    assert (one.id, one.severity) == ("TC304", "warning")
    assert one.what.endswith("never true for these calls: r.ctx.now.weekday is 0 (Monday) to 6 (Sunday)")


@pytest.mark.parametrize(
    "condition",
    [
        "r.ctx.now.hour > 24",
        "r.ctx.now.hour > 23",
        "24 <= r.ctx.now.hour",
        "r.ctx.now.hour == 24",
        "r.ctx.now.hour < 0",
        "r.ctx.now.hour <= -1",
        "r.ctx.now.hour == 9.5",
        "r.ctx.now.hour == '9'",
        "20 < r.ctx.now.hour < 0",
        "r.ctx.now.weekday in (7, 8)",
        "r.ctx.now.month == 0 and r.ctx.args.x == 1",
        "r.ctx.tool.idempotent == 'true'",
        "r.ctx.now.date == '2026-1-1'",
        "7 in r.ctx.labels",
        "not r.ctx.now.weekday != 7",
    ],
)
def test_what_is_out_of_range_or_of_another_type_never_holds(found: Any, condition: str) -> None:
    assert [one.id for one in found(condition)] == ["TC304"]


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("r.ctx.now.weekday in (6, 7)", "7 changes nothing in r.ctx.now.weekday in (6, 7): "),
        ("r.ctx.now.weekday not in (6, 7)", "7 changes nothing in r.ctx.now.weekday not in (6, 7): "),
        ("r.ctx.now.hour > 24 or r.ctx.args.x == 1", "r.ctx.now.hour > 24 is never true: "),
        ("r.ctx.now.weekday != 7 and r.ctx.args.x == 1", "r.ctx.now.weekday != 7 is always true: "),
        ("r.ctx.now.weekday != 7", "r.ctx.now.weekday != 7 is always true: "),
        ("r.ctx.now.hour is not None", "r.ctx.now.hour is not None is always true: "),
    ],
)
def test_a_part_that_changes_nothing(found: Any, condition: str, what: str) -> None:
    (one,) = found(condition)
    assert (one.id, one.severity) == ("TC310", "warning")
    assert one.what.startswith(what)
    assert one.what.removeprefix(what).startswith("r.ctx.now.")


def test_reviews_are_looked_at_too(lint: Callable[..., list[Finding]]) -> None:
    found = lint(*ROWS, "p2, *, acme, crm.*, *, r.ctx.now.hour > '9', lead")
    assert "TC309" in [one.id for one in found if one.line == 3]


# --- the findings are true ---

TIMES = [datetime(2026, 3, 2, 10, 5, 7, tzinfo=UTC), datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)]
TIMES += [datetime(2027, 1, 3, tzinfo=UTC)]
ASKS = sandbox_facts(
    {"memory": 512, "disk": 64, "wall": 9.5, "cpus": 1, "processes": 8, "egress": ["api.example:443"]}
)
VALUES = [
    "9",
    "-1",
    "9.5",
    "'9'",
    "'untrusted'",
    "True",
    "None",
    "[9]",
    "['api.example:443']",
    "24",
    "7",
    "0",
]
OPERATORS = ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"]


def comes_to(text: str) -> set[str]:
    """What a condition comes to for calls of many kinds; nothing where it is refused."""
    try:
        condition = parse_condition(text)
    except Unfit:
        return set()
    found = set()
    labels: frozenset[str]
    for now, labels in zip(TIMES, (frozenset(), frozenset({"untrusted"}), frozenset()), strict=True):
        facts = Facts({}, labels, None, ASKS, now)
        principal, tool = Principal("writer", "dana", "acme"), NamedTool("crm.get", "read", labels)
        try:
            found.add(str(evaluate(condition, context(principal, tool, facts, {}, frozenset(ROOTS)))))
        except Raised:
            found.add("raised")
    return found


def compared() -> Iterator[str]:
    """Each kind of field with every operator and values of every kind, on both sides."""
    like_others = {"agent", "session", "tool.labels", "tool.pack", "now.month", "now.minute", "now.second"}
    like_others |= {"sandbox.disk", "sandbox.cpus", "sandbox.processes", "now.year", "now.iso"}
    fields = sorted(CONTEXT.keys() - like_others)
    for path, operator, value in itertools.product(fields, OPERATORS, VALUES):
        yield f"r.ctx.{path} {operator} {value}"
        yield f"{value} {operator} r.ctx.{path}"


def test_what_it_says_is_what_deciding_does() -> None:
    says = {"raises": {"raised"}, "never": {"False"}, "always": {"True"}}
    told = set()
    for text in compared():
        node = ast.parse(text, mode="eval").body
        assert isinstance(node, ast.Compare)
        found = answer(node.left, node.ops[0], node.comparators[0])
        really = comes_to(text)
        if really and found is not None:
            assert really == says[found], text
            told.add(found)
        elif really == {"raised"}:
            assert [one.answer for one in faults(node)] == ["raises"], f"{text} raises, and is not told"
    assert told == set(says)


def test_every_field_that_has_one_meaning_is_known() -> None:
    """A field that is added to `r.ctx` is to be added to what comparisons know of it."""
    alone = {"labels", "user", "agent", "tenant", "session"}
    assert set(CONTEXT) == alone | {f"{root}.{name}" for root, names in FIELDS.items() for name in names}
    assert set(ROOTS) == alone | set(FIELDS) | {"args", "before"}
