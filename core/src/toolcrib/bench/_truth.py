"""Conditions of which the row itself already knows that they are never true."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from toolcrib.bench._comparisons import answer
from toolcrib.bench._context import path_of
from toolcrib.decisions import Row

__all__ = ["is_never_true"]

_UNKNOWN = object()
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def is_never_true(node: ast.expr, row: Row) -> bool:
    """Whether a condition is false for every call that sub, dom, obj and act of its row select."""
    return _value(node, _given(row)) is False


def _given(row: Row) -> dict[str, str]:
    """What is certain of every call that the row selects."""
    subject, tenant, name, act = row.values[:4]
    kind, _, id = subject.partition(":")
    pack, _, tool = name.partition(".")
    known = {"tenant": tenant, "tool.effect": act, "tool.pack": pack}
    if id:
        known[kind] = id
    if tool != "*":
        known["tool.name"] = name
    return {path: value for path, value in known.items() if value != "*"}


def _value(node: ast.AST, given: Mapping[str, Any]) -> Any:
    """The value, or `_UNKNOWN`."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute):
        return given.get(path_of(node) or "", _UNKNOWN)
    if isinstance(node, ast.BoolOp):
        return _joined(node, given)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        value = _value(node.operand, given)
        return _UNKNOWN if value is _UNKNOWN else not value
    if isinstance(node, ast.Compare):
        return _compared(node, given)
    if isinstance(node, ast.List | ast.Tuple):
        values = [_value(one, given) for one in node.elts]
        return _UNKNOWN if any(one is _UNKNOWN for one in values) else values
    return _UNKNOWN


def _joined(node: ast.BoolOp, given: Mapping[str, Any]) -> Any:
    values = [_value(one, given) for one in node.values]
    decides = isinstance(node.op, ast.Or)
    # One operand decides wherever it stands: one before it can only raise, and then the row does not hold.
    if any(one is decides for one in values):
        return decides
    return _UNKNOWN if any(one is _UNKNOWN for one in values) else (not decides)


def _compared(node: ast.Compare, given: Mapping[str, Any]) -> Any:
    sides = [node.left, *node.comparators]
    pairs = zip(sides, node.ops, sides[1:], strict=False)
    values = [_one_compared(left, op, right, given) for left, op, right in pairs]
    if any(one is False for one in values):
        return False
    return _UNKNOWN if any(one is _UNKNOWN for one in values) else True


def _one_compared(left: ast.expr, op: ast.cmpop, right: ast.expr, given: Mapping[str, Any]) -> Any:
    by_type = answer(left, op, right)
    if by_type is not None:
        return _UNKNOWN if by_type == "raises" else by_type == "always"
    one, other = _value(left, given), _value(right, given)
    if one is _UNKNOWN or other is _UNKNOWN:
        return _UNKNOWN
    try:
        return bool(_COMPARE[type(op)](one, other))
    except TypeError:
        return _UNKNOWN
