"""What a condition reads without having asked whether it is there.

`has(r.ctx, "args.amount") and r.ctx.args.amount > 5` is safe because `and` stops; so the walk carries along
what is known to be there, as a reader of the condition would.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from toolcrib.bench._context import path_of

__all__ = ["Read", "asked", "asked_for", "unguarded"]

_SOFT = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_Known = frozenset[str]
_NOTHING: _Known = frozenset()


@dataclass(frozen=True, slots=True)
class Read:
    """A path that is read unguarded. `bears_null`: null may be there (`==`, `in`), only absence raises."""

    path: str
    bears_null: bool


def unguarded(condition: str) -> list[Read]:
    """The reads of a condition that no `has` in front of them guards; of one path the strictest."""
    found: dict[str, bool] = {}
    for read in _reads(ast.parse(condition, mode="eval").body, _NOTHING):
        found[read.path] = found.get(read.path, True) and read.bears_null
    return [Read(path, bears_null) for path, bears_null in found.items()]


def asked_for(condition: str) -> list[str]:
    """All paths that a condition reads or asks `has` for, in the order in which they stand there."""
    return list(dict.fromkeys(_paths(ast.parse(condition, mode="eval").body)))


def _paths(node: ast.AST) -> Iterator[str]:
    path = asked(node) if isinstance(node, ast.Call) else path_of(node)
    if path is not None:
        yield path
    else:
        for child in ast.iter_child_nodes(node):
            yield from _paths(child)


def asked(node: ast.Call) -> str | None:
    """The path of a `has`."""
    path = node.args[1]
    return path.value if isinstance(path, ast.Constant) and isinstance(path.value, str) else None


def _reads(node: ast.AST, known: _Known, *, soft: bool = False) -> Iterator[Read]:
    path = path_of(node)
    if path is not None:
        if path not in known:
            yield Read(path, soft)
    elif isinstance(node, ast.BoolOp):
        # What the operands before have let through is known in those behind.
        for operand in node.values:
            yield from _reads(operand, known)
            known |= _known_if(operand, holds=isinstance(node.op, ast.And))
    elif isinstance(node, ast.Compare):
        yield from _compared(node, known)
    elif not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from _reads(child, known)


def _compared(node: ast.Compare, known: _Known) -> Iterator[Read]:
    is_soft = all(isinstance(op, _SOFT) for op in node.ops)
    yield from _reads(node.left, known, soft=is_soft)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        yield from _reads(operand, known, soft=is_soft and not isinstance(op, ast.In | ast.NotIn))


def _known_if(node: ast.AST, *, holds: bool) -> _Known:
    """What is certainly there when a condition came to true (`holds`) or to false."""
    if isinstance(node, ast.Call):
        path = asked(node)
        return _with_parents(path) if path and holds else _NOTHING
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _known_if(node.operand, holds=not holds)
    if isinstance(node, ast.BoolOp):
        parts = [_known_if(one, holds=holds) for one in node.values]
        all_of_them = isinstance(node.op, ast.And) == holds
        return frozenset().union(*parts) if all_of_them else frozenset.intersection(*parts)
    return _not_null(node, holds=holds)


def _not_null(node: ast.AST, *, holds: bool) -> _Known:
    """`r.ctx.args.x is not None` raises where x is absent; where it does not, x is there."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return _NOTHING
    (op,), (right,) = node.ops, node.comparators
    if not isinstance(right, ast.Constant) or right.value is not None:
        return _NOTHING
    read = path_of(node.left)
    says = isinstance(op, ast.IsNot | ast.NotEq) == holds
    return _with_parents(read) if read and says else _NOTHING


def _with_parents(path: str) -> _Known:
    parts = path.split(".")
    return frozenset(".".join(parts[:end]) for end in range(1, len(parts) + 1))
