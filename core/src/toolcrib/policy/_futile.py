"""Comparisons that can never be true, whatever the call: a deny row with one would silently never fire.

`r.ctx.labels` is a set, so it equals no text; an id holds no colon, so `r.ctx.user` is never `user:alice`;
and a call without a user has the user `none`, so it is never None. Each reads well and means nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolcrib.effects import EFFECTS
from toolcrib.errors import ConfigError
from toolcrib.policy._problems import Unfit
from toolcrib.principal import check_id

__all__ = ["check_futile"]

_LABELS = ("r.ctx.labels", "r.ctx.tool.labels")
_IDS = ("r.ctx.user", "r.ctx.agent", "r.ctx.tenant", "r.ctx.session")
_EFFECT = "r.ctx.tool.effect"


def check_futile(condition: ast.AST) -> None:
    """Raise `Unfit` for a condition with a comparison whose answer is known before any call is made."""
    for node in ast.walk(condition):
        if isinstance(node, ast.Compare):
            _check(node)


def _check(node: ast.Compare) -> None:
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        if isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
            _check_equal(left, right)
            _check_equal(right, left)
        elif isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            _check_equal(left, right)


def _check_equal(field: ast.expr, other: ast.expr) -> None:
    """`field` against a constant, or against each of a list of them."""
    path = ast.unparse(field) if isinstance(field, ast.Attribute) else ""
    if path in _LABELS and isinstance(other, ast.Constant | ast.List | ast.Tuple):
        raise Unfit(f"{path} compared with a value", "labels are a set", f'Write "untrusted" in {path}')
    if path not in _IDS and path != _EFFECT:
        return
    for value in _constants(other):
        if path == _EFFECT and value not in EFFECTS:
            rule = f"effects are {', '.join(EFFECTS)}"
            raise Unfit(f"{path} is never {value!r}", rule, "Write one of them")
        if path in _IDS and not _is_id(value):
            what = 'Write the id alone, as "alice"; a call without a user has the user "none"'
            raise Unfit(f"{path} is never {value!r}", "ids match [A-Za-z0-9@._-]+", what)


def _constants(node: ast.expr) -> Iterator[object]:
    for each in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
        if isinstance(each, ast.Constant):
            yield each.value


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(check_id("id", value))
    except ConfigError:
        return False
