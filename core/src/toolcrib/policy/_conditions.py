"""Conditions: the `when` column.

A condition is a Python expression that pycasbin pastes into the matcher, rewrites as text, and gives to
simpleeval. Three things go wrong on that way. The rewriting changes text constants (`"a!b"` becomes
`"anot b"`), so that a deny never fires. simpleeval knows far more than policy needs: calls, powers,
methods of whatever it is handed. And attributes of plain values are bound methods, so
`r.ctx.args.name.upper == "X"` is silently false.

So a condition is checked three times: it must parse on its own (else it could close the bracket that it
is pasted into and add `or True`); it may hold only what `_Checker` lists; and what pycasbin will make of
it must be, node by node, what was written.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite

from toolcrib._nearest import did_you_mean
from toolcrib.policy._futile import check_futile
from toolcrib.policy._problems import Unfit
from toolcrib.sandboxed import FIELDS as SANDBOX_FIELDS

__all__ = ["ROOTS", "Condition", "Conditions", "parse_condition"]

MAX_LENGTH = 1000
MAX_NODES = 200
MAX_NUMBER = 10**18
ROOTS = ("args", "before", "labels", "user", "agent", "tenant", "session", "tool", "sandbox", "now")
"""What stands below `r.ctx`."""
FIELDS = {
    "tool": ("name", "effect", "labels", "idempotent", "pack"),
    "sandbox": SANDBOX_FIELDS,
    "now": ("year", "month", "day", "hour", "minute", "second", "weekday", "date", "iso", "timestamp"),
}
_PLAIN = ("labels", "user", "agent", "tenant", "session")
_UNREADABLE = ("format", "format_map", "mro", "tb_frame", "gi_frame", "ag_frame", "cr_frame", "exec")
"""Attribute names that simpleeval never reads (`simpleeval.DISALLOW_METHODS`)."""
_OPERATORS = (
    ast.And,
    ast.Or,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot)
_SHAPES = (ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.List, ast.Tuple, ast.Load)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A checked condition: `tree` is what pycasbin evaluates (`r.ctx` is the name `r_ctx`).

    `reads` are dotted paths below `r.ctx`, `guards` those that `has` asks for.
    """

    text: str
    tree: ast.expr
    reads: frozenset[str]
    guards: frozenset[str]

    @property
    def roots(self) -> frozenset[str]:
        """`args`, `before`, ...: what must be known to evaluate it."""
        return frozenset(path.partition(".")[0] for path in self.reads | self.guards)


class Conditions:
    """The conditions of one policy by their text; `columns` names the columns that hold conditions."""

    def __init__(self, columns: Collection[str] = ("when",)) -> None:
        self.columns = frozenset(columns)
        self._known: dict[str, Condition | None] = {}

    def add(self, text: str) -> None:
        """Check a condition; raises `Unfit`."""
        if text not in self._known:
            self._known[text] = None if text == "True" else parse_condition(text)

    def get(self, text: str) -> Condition | None:
        """The condition, or None where it is always true."""
        return self._known[text]


def parse_condition(text: str) -> Condition:
    """Check one condition; raises `Unfit`."""
    written = _parse(text)
    checker = _Checker()
    checker.expression(written)
    _check_truth(written, text)
    tree = _AsCasbin().visit(written)
    if ast.dump(tree) != _as_casbin_reads(text):
        raise Unfit(
            f"pycasbin would rewrite condition {text!r}",
            "p. r. || && ! are replaced even in text and in names, and the row would silently never fire",
            "Compare with another constant or name, one without these characters",
        )
    check_futile(ast.parse(text, mode="eval"))
    return Condition(text, tree, frozenset(checker.reads), frozenset(checker.guards))


def _check_truth(node: ast.expr, text: str) -> None:
    """pycasbin raises on every decision when a condition comes to something else than true or false."""
    wrong = isinstance(node, ast.List | ast.Tuple | ast.BinOp)
    wrong |= isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not)
    if wrong or (isinstance(node, ast.Constant) and not isinstance(node.value, bool)):
        quoted = isinstance(node, ast.Constant) and isinstance(node.value, str)
        remedy = "Remove the quotes around it" if quoted else "Compare it; always true is True"
        raise Unfit(f"condition {text[:200]!r} is a value", "a condition is true or false", remedy)


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise Unfit(
            f"a condition of {len(text)} characters", f"a condition has at most {MAX_LENGTH}", "Split the row"
        )
    try:
        tree = ast.parse(text, mode="eval").body
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            raise Unfit(
                "a condition with too many parts", f"it has at most {MAX_NODES}", "Split it into several rows"
            )
        return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unfit(
            f"condition {text[:200]!r} does not parse: {getattr(error, 'msg', None) or 'too deep'}",
            "a condition is a Python expression",
            _remedy_syntax(text),
        ) from None


def _remedy_syntax(text: str) -> str:
    if not text:
        return "Always true is True"
    if "&&" in text or "||" in text or "!" in text.replace("!=", ""):
        return "Write and, or, not"
    return "Write for example r.ctx.args.amount > 1000"


def _as_casbin_reads(text: str) -> str:
    from toolcrib.policy._casbin import rewrite

    try:
        return ast.dump(ast.parse(rewrite(f"({text})"), mode="eval").body)
    except SyntaxError:  # a comment, say, swallows the bracket
        return ""


class _AsCasbin(ast.NodeTransformer):
    """`r.ctx` as pycasbin names it: `r_ctx`."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name):
            return ast.Name(f"{node.value.id}_{node.attr}", ast.Load())
        return ast.Attribute(self.visit(node.value), node.attr, ast.Load())


class _Checker:
    """Walks an expression, refuses what is not listed and notes what it reads."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.guards: set[str] = set()

    def expression(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute | ast.Name):
            self.reads.add(_checked_path(node))
        elif isinstance(node, ast.Call):
            self.guards.add(_checked_guard(node))
        elif isinstance(node, ast.Constant):
            _check_constant(node)
        elif isinstance(node, _SHAPES + _OPERATORS + _COMPARISONS):
            _check_operands(node)
            for child in ast.iter_child_nodes(node):
                self.expression(child)
        else:
            raise Unfit(
                f"{type(node).__name__} in a condition",
                "a condition compares values of r.ctx: == != < <= > >= in, and or not, + - * / %, has()",
                "Say it with these, or split it into several rows",
            )


def _check_constant(node: ast.Constant) -> None:
    value = node.value
    if value is None or isinstance(value, bool | str) or (isinstance(value, float) and isfinite(value)):
        return
    if not isinstance(value, int) or value > MAX_NUMBER:
        raise Unfit(
            f"constant {value!r:.60}",
            "constants are text, numbers up to 10**18, True, False, None",
            "Shrink it",
        )


def _check_operands(node: ast.AST) -> None:
    """Bounded time: no repetition or formatting of text, and `is` only for None."""
    if isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if not isinstance(side, ast.Attribute | ast.BinOp | ast.UnaryOp) and not _is_number(side):
                raise Unfit(
                    "arithmetic with something else than numbers", "+ - * / // % take numbers", "Use in or =="
                )
    if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
        last = node.comparators[-1]
        if len(node.ops) > 1 or not (isinstance(last, ast.Constant) and last.value is None):
            raise Unfit("'is' in a condition", "is compares only with None", "Write == or !=")


def _is_number(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    )


def _checked_guard(node: ast.Call) -> str:
    """The path of `has(r.ctx, "args.amount")`."""
    if not (isinstance(node.func, ast.Name) and node.func.id == "has") or node.keywords:
        called = ast.unparse(node.func)
        raise Unfit(
            f"a call of {called[:60]!r}", "a condition calls nothing but has", "Compare the value itself"
        )
    match node.args:
        case [ast.Attribute(value=ast.Name(id="r"), attr="ctx"), ast.Constant(value=str(path))]:
            _check_path(path.split("."), path)
            return path
    raise Unfit(
        "has with other arguments", "has takes r.ctx and a dotted name", 'Write has(r.ctx, "args.amount")'
    )


def _checked_path(node: ast.Attribute | ast.Name) -> str:
    """The dotted path below `r.ctx` that an attribute chain reads."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    parts.reverse()
    if not isinstance(inner, ast.Name):
        raise Unfit(
            "an attribute of an expression", "attributes are read from r.ctx only", "Write r.ctx.args.NAME"
        )
    if inner.id != "r":
        raise Unfit(f"unknown name {inner.id!r}", "a condition reads r.ctx only", _remedy_name(inner.id))
    if not parts or parts[0] != "ctx":
        wrong = ".".join(["r", *parts])
        raise Unfit(f"{wrong!r} in a condition", "a condition reads r.ctx only", _remedy_request(parts))
    _check_path(parts[1:], ".".join(["r", *parts]))
    return ".".join(parts[1:])


def _remedy_name(name: str) -> str:
    constants = {"true": "True", "false": "False", "null": "None", "none": "None"}
    if name.lower() in constants:
        return f"Write {constants[name.lower()]}"
    return (
        f"Write r.ctx.{name}"
        if name in ROOTS
        else "Put text into double quotes; arguments are r.ctx.args.NAME"
    )


def _remedy_request(parts: list[str]) -> str:
    instead = {
        "obj": "r.ctx.tool.name",
        "act": "r.ctx.tool.effect",
        "dom": "r.ctx.tenant",
        "sub": "r.ctx.user",
    }
    return f"Write {instead.get(parts[0] if parts else '', 'r.ctx.args.NAME')}"


def _check_path(parts: list[str], shown: str) -> None:
    root, rest = (parts[0], parts[1:]) if parts else ("", [])
    if root not in ROOTS:
        raise Unfit(f"unknown field {shown!r}", f"r.ctx has {', '.join(ROOTS)}", did_you_mean(root, ROOTS))
    if root in _PLAIN and rest:
        raise Unfit(f"{shown!r} reads into {root}", f"{root} is a plain value", f"Write r.ctx.{root}")
    if root not in _PLAIN and not rest and shown.startswith("r."):
        raise Unfit(
            f"{shown!r} without a field", f"{root} is a record", f'Name a field, or has(r.ctx, "{root}.NAME")'
        )
    fields = FIELDS.get(root)
    if fields and rest and (rest[0] not in fields or len(rest) > 1):
        raise Unfit(
            f"unknown field {shown!r}", f"{root} has {', '.join(fields)}", did_you_mean(rest[0], fields)
        )
    for name in rest:
        if not name.isidentifier() or name.startswith(("_", "func_")) or name in _UNREADABLE:
            raise Unfit(
                f"{shown!r} cannot be read",
                "Casbin's evaluator reads no name that begins with _ or func_, nor format and the like",
                "Decide on another field, or rename the parameter in the pack",
            )
