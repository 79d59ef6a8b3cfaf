"""Conditions of which the row itself already knows that they are never true."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from toolcrib.decisions import Row

__all__ = ["is_never_true", "path_of"]

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


def path_of(node: ast.AST) -> str | None:
    """`args.amount` for `r.ctx.args.amount`; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id == "r" and parts and parts[-1] == "ctx":
        return ".".join(reversed(parts[:-1]))
    return None


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
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
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
    left, right = _value(node.left, given), _value(node.comparators[0], given)
    if left is _UNKNOWN or right is _UNKNOWN:
        return _UNKNOWN
    try:
        return bool(_COMPARE[type(node.ops[0])](left, right))
    except TypeError:
        return _UNKNOWN
