"""Rows whose condition is false for every call of a tool, since it asks for what no call of it has.

`has(r.ctx, "before.stage") and …` is false for a tool without a preview, and so is
`has(r.ctx, "args.amount") and …` for one that takes no such argument. Only what surely comes to false, and
not to an error, counts: an error denies the call.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from toolcrib.bench._arguments import unknown
from toolcrib.bench._known_tools import KnownTool, known_tools
from toolcrib.policy import Governed
from toolcrib.policy._index import Rule

__all__ = ["applying"]


def applying(rules: Sequence[Rule], tool: Governed) -> Sequence[Rule]:
    """The rules without those that cannot apply to any call of the tool."""
    if not any(rule.condition and rule.condition.guards for rule in rules):
        return rules
    (known,) = known_tools([tool])
    return [rule for rule in rules if not _never(rule, known)]


def _never(rule: Rule, tool: KnownTool) -> bool:
    condition = rule.condition
    if condition is None or not any(_is_absent(path, tool) for path in condition.guards):
        return False
    return _truth(condition.tree, tool) is False


def _is_absent(path: str, tool: KnownTool) -> bool:
    root, _, rest = path.partition(".")
    if root == "before":
        return tool.has_preview is False
    if root != "args" or not rest or (tool.schema or {}).get("additionalProperties") is not False:
        return False
    return unknown(tool, [rest.partition(".")[0]]) is not None


def _truth(node: ast.expr, tool: KnownTool) -> bool | None:
    """True or false for certain, None for what is not known."""
    if _is_has(node):
        return False if _is_absent(_path(node), tool) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        value = _truth(node.operand, tool)
        return None if value is None else not value
    return _joined(node, tool) if isinstance(node, ast.BoolOp) else None


def _joined(node: ast.BoolOp, tool: KnownTool) -> bool | None:
    """`and` ends with its first false operand, `or` with its first true one; one before it may raise."""
    decides = isinstance(node.op, ast.Or)
    is_known = True
    for operand in node.values:
        value = _truth(operand, tool)
        if value is decides:
            return decides
        if value is None:
            is_known = False
            if not _never_raises(operand):
                return None
    return (not decides) if is_known else None


def _never_raises(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_never_raises, node.values))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _never_raises(node.operand)
    return _is_has(node)


def _is_has(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and len(node.args) == 2 and isinstance(node.args[1], ast.Constant)


def _path(node: ast.expr) -> str:
    """The path of a `has`."""
    assert isinstance(node, ast.Call) and isinstance(node.args[1], ast.Constant)
    return str(node.args[1].value)
