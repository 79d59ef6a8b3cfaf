"""Whether a condition holds for certain, knowing only that some labels are among the session's.

Three-valued: what reads anything else may be true, false or raise. It is used for rows that protect (deny
and review): these protect by being true and by raising alike, since a condition that raises denies; so
`or` may overlook a side that is not known when the other one is true.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from toolcrib.policy._conditions import Condition

__all__ = ["surely_holds"]


def surely_holds(condition: Condition | None, labels: Collection[str] = ()) -> bool:
    """Whether a call meets this condition, or is denied because it raises, whatever else is asked.

    None is the condition that is always true.
    """
    return condition is None or _truth(condition.tree, labels) is True


def _truth(node: ast.expr, labels: Collection[str]) -> bool | None:
    """True or false for certain (or raised), None for what is not known."""
    match node:
        case ast.Constant(value=bool(value)):
            return value
        case ast.BoolOp(op=ast.Or(), values=values):
            return _any([_truth(value, labels) for value in values])
        case ast.BoolOp(op=ast.And(), values=values):
            truths = [_truth(value, labels) for value in values]
            return True if all(truth is True for truth in truths) else None
        case ast.Compare(
            left=ast.Constant(value=str(label)),
            ops=[ast.In()],
            comparators=[ast.Attribute(value=ast.Name(id="r_ctx"), attr="labels")],
        ):
            return True if label in labels else None
    return None


def _any(truths: list[bool | None]) -> bool | None:
    return True if True in truths else None
