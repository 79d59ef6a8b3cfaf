"""The fields of `r.ctx` that are the same for every tool: what kind of value each one is, and its range."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

__all__ = ["CONTEXT", "ContextField", "Kind", "path_of"]

Kind: TypeAlias = Literal["number", "text", "set", "targets", "list", "null"]
"""As comparisons tell values apart; true and false are numbers to them."""


@dataclass(frozen=True, slots=True)
class ContextField:
    """One field. `low` and `high` are the least and the greatest number; `form` is what its text looks like.

    `says` is its range in words.
    """

    kind: Kind
    low: float = -inf
    high: float = inf
    is_whole: bool = False
    form: re.Pattern[str] | None = None
    says: str = ""


def _whole(low: int, high: int, says: str = "") -> ContextField:
    return ContextField(
        "number", low, high, is_whole=True, says=says or f"a whole number from {low} to {high}"
    )


_TEXT, _SET, _NUMBER = ContextField("text"), ContextField("set"), ContextField("number")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

CONTEXT: Mapping[str, ContextField] = {
    **dict.fromkeys(("user", "agent", "tenant", "session", "tool.name", "tool.effect", "tool.pack"), _TEXT),
    **dict.fromkeys(("labels", "tool.labels"), _SET),
    "tool.idempotent": _whole(0, 1, "True or False"),
    **{f"sandbox.{name}": _NUMBER for name in ("memory", "disk", "wall", "cpus", "processes")},
    "sandbox.egress": ContextField("targets"),
    "now.year": _whole(1, 9999),
    "now.month": _whole(1, 12),
    "now.day": _whole(1, 31),
    "now.hour": _whole(0, 23),
    "now.minute": _whole(0, 59),
    "now.second": _whole(0, 59),
    "now.weekday": _whole(0, 6, "0 (Monday) to 6 (Sunday)"),
    "now.date": ContextField("text", form=_DATE, says="a date like 2026-03-02"),
    "now.iso": _TEXT,
    "now.timestamp": _NUMBER,
}
"""By path below `r.ctx`. Arguments and `before` are each tool's own."""


def path_of(node: ast.AST) -> str | None:
    """`args.amount` for `r.ctx.args.amount`; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id == "r" and parts and parts[-1] == "ctx":
        return ".".join(reversed(parts[:-1]))
    return None
