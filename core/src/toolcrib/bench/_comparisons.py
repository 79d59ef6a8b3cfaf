"""Comparisons of which the types and ranges of `r.ctx` already tell what they come to.

A number and a text have no order: comparing them raises, which denies the call. A field outside of its range
is never there: a deny row that waits for it never fires.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolcrib.bench._context import CONTEXT, ContextField, Kind, path_of

__all__ = ["Fault", "answer", "faults"]

Answer: TypeAlias = Literal["raises", "never", "always"]
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE
}  # fmt: skip
_TOO_FAR: dict[type[ast.cmpop], Callable[[ContextField, float], bool]] = {
    ast.Lt: lambda field, bound: field.low >= bound,
    ast.LtE: lambda field, bound: field.low > bound,
    ast.Gt: lambda field, bound: field.high <= bound,
    ast.GtE: lambda field, bound: field.high < bound,
}
_WORDS: dict[Kind, str] = {
    "number": "a number", "text": "text", "set": "a set of labels", "targets": "a set of targets",
    "list": "a list", "null": "no value",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """A comparison (`node`) that has one answer only, or (`part`) a value in its list that changes nothing.

    `why` says what the sides are.
    """

    node: ast.Compare
    answer: Answer
    why: str
    part: ast.expr | None = None


def faults(condition: ast.expr) -> list[Fault]:
    """The comparisons of a condition that raise, or that never or always hold, in their order."""
    return [fault for node in ast.walk(condition) if isinstance(node, ast.Compare) for fault in _in(node)]


def _in(node: ast.Compare) -> Iterator[Fault]:
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        found = answer(left, op, right)
        if found is not None:
            yield Fault(node, found, _why(left, right, by_kind=found == "raises"))
        elif isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            for one in right.elts:
                if _never_equal(left, one):
                    yield Fault(node, "never", _why(left, one), one)


def answer(left: ast.expr, op: ast.cmpop, right: ast.expr) -> Answer | None:
    """What `left op right` comes to for every call; None where that depends on the call.

    `always` is told only of what asks for a difference (`!=`, `not in`): `r.ctx.now.hour >= 0` reads well.
    """
    if isinstance(op, _ORDER):
        return _ordered(left, op, right)
    if isinstance(op, ast.In | ast.NotIn):
        found = _contained(left, right)
    else:
        found = "never" if _never_equal(left, right) else None
    return "always" if found == "never" and isinstance(op, ast.NotEq | ast.NotIn | ast.IsNot) else found


def _ordered(left: ast.expr, op: ast.cmpop, right: ast.expr) -> Answer | None:
    one, other = _kind(left), _kind(right)
    if "null" in (one, other):
        return "raises"  # nothing is more or less than None
    if one is None or other is None:
        return None
    if one != other and not ("targets" in (one, other) and {one, other} <= {"targets", "set", "list"}):
        return "raises"
    for field, bound, way in ((left, right, type(op)), (right, left, _MIRRORED[type(op)])):
        known, number = CONTEXT.get(path_of(field) or ""), _number(bound)
        if known is not None and number is not None and _TOO_FAR[way](known, number):
            return "never"
    return None


def _contained(left: ast.expr, right: ast.expr) -> Answer | None:
    one, where = _kind(left), _kind(right)
    if where in ("number", "null"):
        return "raises"
    if isinstance(right, ast.List | ast.Tuple):
        return "never" if right.elts and all(_never_equal(left, each) for each in right.elts) else None
    if one in (None, "text") or where is None:
        return None
    return "raises" if where == "text" or one in ("list", "set", "targets") else "never"


def _never_equal(left: ast.expr, right: ast.expr) -> bool:
    one, other = _kind(left), _kind(right)
    if one is None or other is None:
        return False
    if one != other:
        return not ("targets" in (one, other) and {one, other} <= {"targets", "set", "list"})
    return _not_among(left, right) or _not_among(right, left)


def _not_among(field: ast.expr, value: ast.expr) -> bool:
    known = CONTEXT.get(path_of(field) or "")
    if known is None:
        return False
    number = _number(value)
    if number is not None:
        return not known.low <= number <= known.high or (known.is_whole and number != int(number))
    text = value.value if isinstance(value, ast.Constant) else None
    return isinstance(text, str) and known.form is not None and not known.form.fullmatch(text)


def _kind(node: ast.expr) -> Kind | None:
    """What a part of a condition is, whatever the call; None where that depends on the call."""
    if isinstance(node, ast.Constant):
        if node.value is None:
            return "null"
        return "text" if isinstance(node.value, str) else "number"
    if isinstance(node, ast.List | ast.Tuple):
        return "list"
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Compare | ast.Call):
        return "number"
    known = CONTEXT.get(path_of(node) or "")
    return known.kind if known else None


def _number(node: ast.expr) -> float | None:
    """A number that is written out, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _number(node.operand)
        return None if number is None else -number
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int | float) else None


def _why(left: ast.expr, right: ast.expr, *, by_kind: bool = False) -> str:
    """What the sides are, as far as it is known; `by_kind` where their ranges do not matter."""
    told = [_says(side, by_kind=by_kind or _kind(left) != _kind(right)) for side in (left, right)]
    return " and ".join(dict.fromkeys(one for one in told if one))


def _says(side: ast.expr, *, by_kind: bool) -> str:
    known, kind = CONTEXT.get(path_of(side) or ""), _kind(side)
    if known is not None and known.says and not by_kind:
        return f"{ast.unparse(side)} is {known.says}"
    if kind is None or not by_kind:
        return ""
    return f"{ast.unparse(side)} is {_WORDS[kind]}"
