"""What does not load: each mistake has its id, its line and its column."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from toolcrib.bench._findings import _KNOWN
from toolcrib.bench.lint import RULES, lint_text
from toolcrib.policy import MODEL

ROWS = [
    ("P, *, *, *, *, True, allow", "TC101", 1),
    ("p4, *, *, *, *, True, allow", "TC101", 1),
    ("  p, *, *, *, True, allow", "TC102", 3),
    ("p, *, *, *, *, True, allow # why", "TC111", 22),
    ("p, *, *, *, *, True, allow, really", "TC102", 1),
    ("p, , *, *, *, True, allow", "TC103", 4),
    ('p, "*", *, *, *, True, allow', "TC104", 4),
    ("p, role:sales, *, *, *, True, allow", "TC105", 4),
    ("p, sal*, *, *, *, True, allow", "TC105", 4),
    ("g, user:a, user:b, acme", "TC106", 12),
    ("g, *, sales, acme", "TC106", 4),
    ("g, user:a, requester, acme", "TC106", 12),
    ("p, *, ac*, *, *, True, allow", "TC107", 7),
    ("p, *, *, crm, *, True, allow", "TC108", 10),
    ("p, *, *, crm.*.read, *, True, allow", "TC109", 10),
    ("p, *, *, crm*, *, True, allow", "TC109", 10),
    ("p, *, *, *, reads, True, allow", "TC110", 13),
    ("p, *, *, *, *, True, Allow", "TC111", 22),
    ("p2, *, *, *, *, True, agent:x", "TC112", 23),
    ("p3, *, *, *, 20 a day", "TC113", 14),
    ("p, *, *, *, *, (True, allow", "TC114", 1),
    ("p, *, *, *, *, Tr\u200bue, allow", "TC115", 1),
    ("p, *, *, *, *, " + "r.ctx.args.a == 1 or " * 300 + "True, allow", "TC116", 1),
    ("g, a, a, *\ng, a, b, *\ng, user:x, a, *", "TC117", 1),
    ("\n".join(f"g, r{i}, r{i + 1}, *" for i in range(10)), "TC118", 1),
    ("p, *, *, *, *, r.ctx.args.a ==, allow", "TC201", 16),
    ("p, *, *, *, *, , allow", "TC201", 16),
    ("p, *, *, *, *, 'x', allow", "TC202", 16),
    ("p, *, *, *, *, 1, allow", "TC202", 16),
    ("p, *, *, *, *, true, allow", "TC203", 16),
    ("p, *, *, *, *, amount > 1, allow", "TC203", 16),
    ("p, *, *, *, *, r.obj == 'crm.x', allow", "TC203", 16),
    ("p, *, *, *, *, 'a'.b == 1, allow", "TC203", 16),
    ("p, *, *, *, *, r.ctx.arg.x == 1, allow", "TC204", 16),
    ("p, *, *, *, *, r.ctx.now.hours == 1, allow", "TC204", 16),
    ("p, *, *, *, *, r.ctx.user.name == 'a', allow", "TC204", 16),
    ("p, *, *, *, *, r.ctx.args == 1, allow", "TC204", 16),
    ("p, *, *, *, *, r.ctx.user.startswith('a'), allow", "TC205", 16),
    ("p, *, *, *, *, __import__('os'), allow", "TC205", 16),
    ("p, *, *, *, *, has('args.a'), allow", "TC205", 16),
    ("p, *, *, *, *, r.ctx.args.a ** 9 > 1, allow", "TC206", 16),
    ("p, *, *, *, *, r.ctx.user is 'a', allow", "TC206", 16),
    ("p, *, *, *, *, 'a' * 9 == r.ctx.user, allow", "TC206", 16),
    ("p, *, *, *, *, r.ctx.args.a > 9999999999999999999, allow", "TC206", 16),
    ("p, *, *, *, *, [x for x in (1)] == 1, allow", "TC206", 16),
    ('p, *, *, *, *, r.ctx.user == "a!b", deny', "TC207", 16),
    ('p, *, *, *, *, r.ctx.user == "p.x", deny', "TC207", 16),
    ("p, *, *, *, *, r.ctx.args.format == 1, deny", "TC208", 16),
    ("p, *, *, *, *, r.ctx.args._a == 1, deny", "TC208", 16),
    ("p, *, *, *, *, " + " or ".join(["r.ctx.args.a == 1"] * 60) + ", deny", "TC209", 16),
]


@pytest.mark.parametrize(("rows", "id", "column"), ROWS, ids=[f"{id}-{row[:40]}" for row, id, _ in ROWS])
def test_a_mistake_has_an_id_and_a_place(rows: str, id: str, column: int) -> None:
    text = f"# first\n{rows}\n"
    found = lint_text(MODEL, text)[0]
    assert (found.id, found.severity, found.line, found.column) == (id, "error", 2, column)
    assert found.what
    assert found.rule
    assert found.remedy
    assert found.file == "policy.csv"


@pytest.mark.parametrize(
    "model",
    [
        MODEL.replace("[matchers]", "[matcher]"),
        MODEL.replace("r = sub, dom, obj, act, ctx", "r = sub, obj, act"),
        MODEL.replace("some(where (p.eft == allow)) && !some", "!some"),
        MODEL.replace("p2 = sub, dom, obj, act, when, approvers", "p2 = sub"),
        MODEL.replace("g = _, _, _", "g = _"),
        MODEL.replace("p3 = sub, dom, obj, quota", "p3 = sub"),
        MODEL.replace("g = _, _, _", "g = _, _, _\nq = 1"),
        MODEL.replace('(p.act == "*"', '((p.act == "*"'),
        MODEL + "[more\n",
        "",
    ],
)
def test_a_model_that_is_refused_has_an_id(model: str) -> None:
    (found,) = lint_text(model, "")
    assert (found.id, found.severity, found.file) == ("TC120", "error", "model.conf"), found


def test_all_mistakes_are_found_in_one_go() -> None:
    text = "p, *, *, crm*, *, True, allow\np, *, *, *, *, True, Allow\nx\n"
    assert [(one.id, one.line) for one in lint_text(MODEL, text)] == [
        ("TC109", 1), ("TC111", 2), ("TC101", 3)
    ]  # fmt: skip


def test_what_is_wrong_with_roles_is_told_where_nothing_else_is() -> None:
    (found,) = lint_text(MODEL, "p, *, *, *, *, True, allow\ng, a, b, *\n g, b, a, *\n")
    assert (found.id, found.line, found.column) == ("TC117", 3, 2)


def rules_in_the_code() -> list[Any]:
    """The beginning of each `rule` that a check of the policy package can give."""
    found = []
    spec = importlib.util.find_spec("toolcrib.policy")
    assert spec and spec.origin
    for file in sorted(Path(spec.origin).parent.glob("_*.py")):
        if file.stem not in (
            "_conditions",
            "_fields",
            "_rows",
            "_quota",
            "_files",
            "_model",
            "_roles",
            "_futile",
        ):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = {"Unfit": 1, "_bad": 2, "_broken": 2}.get(node.func.id)
            if place is None or len(node.args) <= place:
                continue
            text = beginning(node.args[place])
            if text and not text.startswith(("args", "a change is written")):  # no rule, or not of reading
                found.append(pytest.param(text, id=f"{file.stem}:{node.lineno}"))
    return found


def beginning(node: ast.expr) -> str:
    """The text of a string, or as much as is certain of one with values in it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [str(part.value) if isinstance(part, ast.Constant) else "args" for part in node.values]
    return "".join(parts)


@pytest.mark.parametrize("text", rules_in_the_code())
def test_every_rule_of_the_loader_has_an_id(text: str) -> None:
    """Without this, a check that is added there would be reported as an unreadable file here."""
    assert any(pattern.match(text) for _, pattern in _KNOWN), text


def test_ids_are_ordered_and_never_given_twice() -> None:
    assert list(RULES) == sorted(RULES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
    assert len({id for id, *_ in _KNOWN}) == len(_KNOWN)


def test_what_does_not_load_is_an_error_and_what_would_always_deny_is_besides() -> None:
    loads_not = {id for id, _ in _KNOWN}
    assert {id for id, rule in RULES.items() if rule.severity == "error"} == loads_not | {
        "TC309",
        "TC603",
        "TC604",
        "TC606",
        "TC608",
        "TC609",
    }
