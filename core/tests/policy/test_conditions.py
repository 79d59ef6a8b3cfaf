"""Which conditions are refused, with which words, and that none takes long."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.policy._casbin import rewrite
from toolcrib.policy._conditions import MAX_LENGTH, MAX_NODES, ROOTS, parse_condition
from toolcrib.policy._problems import Unfit


def refused(text: str) -> Unfit:
    with pytest.raises(Unfit) as caught:
        parse_condition(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("", "does not parse", "Always true is True"),
        ("r.ctx.args.a >", "does not parse", "for example"),
        ("r.ctx.args.a && r.ctx.args.b", "does not parse", "Write and, or, not"),
        ("r.ctx.args.a || r.ctx.args.b", "does not parse", "Write and, or, not"),
        ("!r.ctx.args.a", "does not parse", "Write and, or, not"),
        ("x = 1", "does not parse", ""),
        ("import os", "does not parse", ""),
        ("True) or (True", "does not parse", ""),
        ("true", "unknown name 'true'", "Write True"),
        ("TRUE", "unknown name 'TRUE'", "Write True"),
        ("null", "unknown name 'null'", "Write None"),
        ("args.amount > 5", "unknown name 'args'", "Write r.ctx.args"),
        ("amount > 5", "unknown name 'amount'", "r.ctx.args.NAME"),
        ("p.sub == 1", "unknown name 'p'", ""),
        ("r_ctx.args.a == 1", "unknown name 'r_ctx'", ""),
        ('r.obj == "x"', "'r.obj'", "r.ctx.tool.name"),
        ('r.act == "read"', "'r.act'", "r.ctx.tool.effect"),
        ('r.dom == "acme"', "'r.dom'", "r.ctx.tenant"),
        ("r == 1", "'r'", ""),
        ("r.ctx == 1", "unknown field 'r.ctx'", ""),
        ("r.ctx.arg.amount > 5", "unknown field 'r.ctx.arg.amount'", "Did you mean 'args'?"),
        ("r.ctx.label == 1", "unknown field", "Did you mean 'labels'?"),
        ("r.ctx.args == 1", "without a field", "has(r.ctx"),
        ("r.ctx.before is None", "without a field", "has(r.ctx"),
        ('r.ctx.user.id == "x"', "reads into user", "Write r.ctx.user"),
        ("r.ctx.labels.pop == 1", "reads into labels", ""),
        ("r.ctx.now.hours > 5", "unknown field", "Did you mean 'hour'?"),
        ("r.ctx.now.hour.real > 5", "unknown field", ""),
        ("r.ctx.tool.efect == 1", "unknown field", "Did you mean 'effect'?"),
        ("r.ctx.args.__class__ == 1", "cannot be read", ""),
        ("r.ctx.args._x == 1", "cannot be read", ""),
        ("r.ctx.args.func_x == 1", "cannot be read", ""),
        ("r.ctx.args.format == 1", "cannot be read", ""),
        ("r.ctx.args.mro == 1", "cannot be read", ""),
        ('"a".upper == 1', "attribute of an expression", ""),
        ("(1).real == 1", "attribute of an expression", ""),
        ('r.ctx.args.name.startswith("x")', "a call of", ""),
        ("open(1)", "a call of 'open'", ""),
        ("rand() > 0.5", "a call of 'rand'", ""),
        ("int(r.ctx.args.a) == 1", "a call of 'int'", ""),
        ("eval(r.ctx.args.a)", "a call of 'eval'", ""),
        ("keyMatch(r.ctx.args.a)", "a call of 'keyMatch'", ""),
        ('__import__("os")', "a call of", ""),
        ("has()", "other arguments", "Write has(r.ctx"),
        ('has("args.amount")', "other arguments", ""),
        ("has(r.ctx.args.amount)", "other arguments", ""),
        ('has(r.ctx.args, "amount")', "other arguments", ""),
        ("has(r.ctx, r.ctx.args.a)", "other arguments", ""),
        ('has(r.ctx, path="args.a")', "a call of 'has'", ""),
        ('has(r.ctx, "arg.amount")', "unknown field 'arg.amount'", "Did you mean 'args'?"),
        ('has(r.ctx, "")', "unknown field", ""),
        ('has(r.ctx, "args..a")', "cannot be read", ""),
        ('has(r.ctx, "args.a b")', "cannot be read", ""),
        ('has(r.ctx, "args.__class__")', "cannot be read", ""),
        ('has(r.ctx, "user.id")', "reads into user", ""),
        ('"yes"', "is a value", "Remove the quotes"),
        ("1", "is a value", "always true is True"),
        ("None", "is a value", ""),
        ("-r.ctx.args.a", "is a value", ""),
        ("r.ctx.args.a + 1", "is a value", ""),
        ("(True, False)", "is a value", ""),
        ("[]", "is a value", ""),
        ("r.ctx.args.a ** 9 > 1", "Pow in a condition", ""),
        ("r.ctx.args.a << 9 > 1", "LShift in a condition", ""),
        ("r.ctx.args.a | 1 > 1", "BitOr in a condition", ""),
        ("~r.ctx.args.a > 1", "Invert in a condition", ""),
        ('"x" * 99999999 == "y"', "arithmetic with something else", ""),
        ('"%9999999d" % 5 == "y"', "arithmetic with something else", ""),
        ("[1] * 9 == 1", "arithmetic with something else", ""),
        ("True + 1 == 2", "arithmetic with something else", ""),
        ("r.ctx.args.a + (r.ctx.args.b in [1]) > 1", "arithmetic with something else", ""),
        ("1000000000000000000000 > r.ctx.args.a", "constant 1000000000000000000000", ""),
        ('r.ctx.args.a is "x"', "'is' in a condition", "Write == or !="),
        ("r.ctx.args.a is r.ctx.args.b", "'is' in a condition", ""),
        ("r.ctx.args.a is None is None", "'is' in a condition", ""),
        ("r.ctx.args.a[0] == 1", "Subscript in a condition", ""),
        ("[a for a in r.ctx.labels] == 1", "ListComp in a condition", ""),
        ("(lambda: True)()", "a call of", ""),
        ("(a := True)", "NamedExpr in a condition", ""),
        ("True if r.ctx.args.a else False", "IfExp in a condition", ""),
        ('f"{r.ctx.args.a}" == 1', "JoinedStr in a condition", ""),
        ('r.ctx.args.a in {"x"}', "Set in a condition", ""),
        ('r.ctx.args.a == {"x": 1}', "Dict in a condition", ""),
        ('r.ctx.args.a in (*"abc",)', "Starred in a condition", ""),
        ('r.ctx.args.a == b"x"', "constant b'x'", ""),
        ("r.ctx.args.a == 1j", "constant 1j", ""),
        ("r.ctx.args.a == ...", "constant Ellipsis", ""),
        ('r.ctx.args.a == "x.p.y"', "pycasbin would rewrite", ""),
        ('r.ctx.args.a == "r.y"', "pycasbin would rewrite", ""),
        ('r.ctx.args.a == "a || b"', "pycasbin would rewrite", ""),
        ('r.ctx.args.a == "wow!"', "pycasbin would rewrite", ""),
        ("r.ctx.args.r.x == 1", "pycasbin would rewrite", ""),
        ('has(r.ctx, "args.p.x")', "pycasbin would rewrite", ""),
        ("True # why", "pycasbin would rewrite", ""),
    ],
)
def test_a_condition_that_is_refused(text: str, what: str, remedy: str) -> None:
    unfit = refused(text)
    assert what in unfit.what
    assert remedy in unfit.remedy
    assert unfit.rule


def test_a_condition_has_a_length() -> None:
    fits = '"' + "x" * (MAX_LENGTH - 20) + '" in r.ctx.labels'
    assert parse_condition(fits)
    assert "characters" in refused(fits + " " * 30).what


def test_a_condition_has_a_size() -> None:
    assert "too many parts" in refused("r.ctx.args.a in [" + "1, " * MAX_NODES + "]").what


@pytest.mark.parametrize(
    "text",
    [
        "(" * 400 + "True" + ")" * 400,
        "not " * 240 + "True",
        "-" * 900 + "1 > 0",
        "9" * 900 + " > r.ctx.args.a",
    ],
    ids=["brackets", "nots", "minuses", "digits"],
)
def test_a_condition_that_would_recurse_or_swell_is_refused(text: str) -> None:
    assert refused(text).rule


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_of_the_design_can_be_read(root: str) -> None:
    fields = {"tool": ".name", "now": ".hour", "args": ".a", "before": ".a", "sandbox": ".memory"}
    path = f"r.ctx.{root}{fields.get(root, '')}"
    condition = parse_condition(f"{path} == {path}")
    assert condition.roots == {root}


def test_reads_and_guards_are_dotted_names() -> None:
    condition = parse_condition('has(r.ctx, "args.a.b") and r.ctx.args.a.b > r.ctx.before.c')
    assert condition.reads == {"args.a.b", "before.c"}
    assert condition.guards == {"args.a.b"}
    assert condition.roots == {"args", "before"}


_NAMES = st.sampled_from(
    ["r.ctx.args.amount", "r.ctx.before.stage", "r.ctx.user", "r.ctx.now.hour", "r.ctx.labels"]
)
_CONSTANTS = st.one_of(
    st.integers(-1000, 1000).map(repr),
    st.booleans().map(repr),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12).map(
        lambda text: repr(text)
    ),
)
_COMPARISONS = st.builds(
    "{} {} {}".format,
    _NAMES,
    st.sampled_from(["==", "!=", "<", ">=", "in", "not in"]),
    st.one_of(_NAMES, _CONSTANTS),
)
_CONDITIONS = st.recursive(
    st.one_of(_COMPARISONS, st.sampled_from(['has(r.ctx, "args.amount")', "True", "False"])),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=6,
)


@given(_CONDITIONS)
def test_what_is_accepted_is_what_pycasbin_evaluates(text: str) -> None:
    """The tree that the index evaluates is the one that pycasbin parses from its rewritten text."""
    try:
        condition = parse_condition(text)
    except Unfit:
        return
    assert ast.dump(condition.tree) == ast.dump(ast.parse(rewrite(f"({text})"), mode="eval").body)


@given(st.text(max_size=60))
def test_no_text_whatsoever_does_more_than_be_refused(text: str) -> None:
    try:
        parse_condition(text)
    except Unfit as unfit:
        assert unfit.rule


@pytest.mark.parametrize(
    "text",
    ["r.ctx.args.text * 100000 > 1", "r.ctx.args.text + r.ctx.args.text > 1", "r.ctx.args.list * 100000 > 1"],
)
def test_arithmetic_on_arguments_cannot_swell(decide: Any, text: str) -> None:
    arguments = {"text": "x" * 1_000_000, "list": [1] * 100_000}
    assert (
        decide("p, *, *, *, *, True, allow", f"p, *, *, *, *, {text}, deny", arguments=arguments).verdict
        == "deny"
    )


def test_products_of_products_are_bounded(decide: Any) -> None:
    condition = "r.ctx.args.a" + " * 1000000000000000000" * 20 + " > 1"
    decision = decide(
        "p, *, *, *, *, True, allow", f"p, *, *, *, *, {condition}, deny", arguments={"a": 10**18}
    )
    assert "cannot be evaluated" in decision.reason
