"""Whether a deny row's condition can ever hold for one tool, as far as row and schema tell."""

from __future__ import annotations

import ast

from toolcrib.bench._arguments import unknown
from toolcrib.bench._guards import asked, asked_for
from toolcrib.bench._known_tools import KnownTool, known_tools
from toolcrib.bench._truth import is_never_true
from toolcrib.bench.cells import condition
from toolcrib.decisions import Row
from toolcrib.errors import PolicyError
from toolcrib.policy import Governed

__all__ = ["check_fence", "example", "may_fire"]


def may_fire(row: Row, tool: Governed) -> bool:
    """Whether this deny row can stop a call of the tool; True where nobody knows.

    A read of what is never there raises, and so denies; but one that a `has` guards is only false.
    """
    (known,) = known_tools([tool])
    tree = _WithoutAbsent(known).visit(ast.parse(condition(row), mode="eval")).body
    return not is_never_true(tree, row)


def check_fence(row: Row, tool: Governed) -> None:
    """Raise `PolicyError` if a new fence reads what calls of the tool never have, or can never hold."""
    (known,) = known_tools([tool])
    for path in asked_for(condition(row)):
        if why := _absent(known, path):
            raise _refused(row, tool, why)
    if not may_fire(row, tool):
        raise _refused(row, tool, "it is false for every call")


def example(tool: Governed) -> str:
    """A condition that reads an argument which the tool has, for messages."""
    (known,) = known_tools([tool])
    schema = known.schema or {}
    for name in schema.get("required") or ():
        place = (schema.get("properties") or {}).get(name, {})
        kind = "" if "enum" in place or "const" in place else place.get("type")
        if name.isidentifier() and kind in _EXAMPLES:
            return f"r.ctx.args.{name} {_EXAMPLES[kind]}"
    return "r.ctx.now.hour >= 20"


_EXAMPLES = {"string": '== "…"', "integer": "> 1000", "number": "> 1000"}


def _absent(tool: KnownTool, path: str) -> str:
    """Why calls of the tool never have what is read at this path; empty if they may."""
    root, _, rest = path.partition(".")
    if root == "args" and rest and (found := unknown(tool, [rest.partition(".")[0]])):
        name, names = found
        return f"{tool.name} has no argument {name!r}; it has {', '.join(names) or 'none'}"
    if root == "before" and tool.has_preview is False:
        return f"{tool.name} has no preview, so that r.ctx.before is never there"
    return ""


class _WithoutAbsent(ast.NodeTransformer):
    """`has` of what a tool never has is false."""

    def __init__(self, tool: KnownTool) -> None:
        self._tool = tool

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Constant(value=False) if _absent(self._tool, asked(node) or "") else node


def _refused(row: Row, tool: Governed, why: str) -> PolicyError:
    return PolicyError(
        f"the fence {condition(row)!r} would never stop a call of {tool.name}: {why}",
        rule="a fence is a condition that calls of this tool can meet",
        remedy=f"Read what the tool has, for example --fence {example(tool)!r}, or say --unfenced",
    )
