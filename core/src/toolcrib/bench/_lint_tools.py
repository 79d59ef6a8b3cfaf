"""Rows against the tools that are installed: objects, effects, arguments, labels."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from toolcrib._nearest import did_you_mean
from toolcrib.bench._argument_paths import known_names, may_have, may_lack
from toolcrib.bench._context import path_of
from toolcrib.bench._findings import Severity
from toolcrib.bench._guards import Read, asked_for, unguarded
from toolcrib.bench._known_tools import KnownTool
from toolcrib.bench._sheet import Sheet
from toolcrib.decisions import Row
from toolcrib.policy._facts import SECRET

__all__ = ["check_tools"]

_ADDED = "local"
"""The pack of tools that programs add at run time; which ones, nobody can know beforehand."""


def check_tools(sheet: Sheet) -> None:
    """Note rows that fit no installed tool, and conditions that some covered tool cannot satisfy."""
    if not sheet.tools:
        remedy = "Lint where the packs are installed, or give --tools FILE (`toolcrib tools list --json`)"
        sheet.add("TC600", None, "no tools are known, so rows were not checked against them", remedy)
        return
    stock = _Stock(sheet.tools)
    for row in sheet.of("p", "p2", "p3"):
        _check_object(sheet, row, stock)
    for row in sheet.of("p", "p2"):
        if row.values[4] != "True":
            _check_reads(sheet, row, stock)
            _check_labels(sheet, row, stock)


class _Stock:
    """The installed tools by what rows may say of them."""

    def __init__(self, tools: Iterable[KnownTool]) -> None:
        self.tools = list(tools)
        self.names = {tool.name: tool for tool in self.tools}
        self.aliases = {alias: tool.name for tool in self.tools for alias in tool.aliases}
        self.labels = {label for tool in self.tools for label in tool.labels}
        self._named: dict[str, list[KnownTool]] = {"*": self.tools}
        for tool in self.tools:
            for name in (tool.name, f"{tool.pack}.*"):
                self._named.setdefault(name, []).append(tool)
        self._of: dict[tuple[str, str], list[KnownTool]] = {}

    def of(self, name: str, act: str = "*") -> list[KnownTool]:
        """The tools that an object and an effect select."""
        key = (name, act)
        if key not in self._of:
            found = self._named.get(name, ())
            self._of[key] = [tool for tool in found if act in (tool.effect, "*")]
        return self._of[key]


def _acts() -> set[str]:
    """The objects of commands that change policy, which are no tools."""
    from toolcrib.bench.acts import ACTS

    return {"policy.*", *(f"policy.{act}" for act in ACTS)}


def _check_object(sheet: Sheet, row: Row, stock: _Stock) -> None:
    name, act = row.values[2], row.values[3] if row.kind != "p3" else "*"
    if name.startswith(SECRET):
        return  # see _lint_secrets
    if name == "*" or (name.startswith(f"{_ADDED}.") and name not in stock.names):
        return
    covered = stock.of(name)
    if not covered and name in _acts():
        return
    if not covered:
        sheet.add("TC601", row, f"no installed tool is {name}", _remedy_object(name, stock), column="obj")
    elif not stock.of(name, act):
        effects = sorted({tool.effect for tool in covered})
        what = f"{name} has the effect {' or '.join(effects)}, never {act}, so this row never applies"
        sheet.add("TC602", row, what, f"Write {effects[0]}" if len(effects) == 1 else "Name another effect",
                  column="act")  # fmt: skip


def _remedy_object(name: str, stock: _Stock) -> str:
    if name in stock.aliases:
        return f"It is an old name, which rows do not know: write {stock.aliases[name]}"
    if name.endswith(".*"):
        return did_you_mean(name, {f"{tool.pack}.*" for tool in stock.tools})
    return did_you_mean(name, stock.names)


# --- conditions ---------------------------------------------------------------------------------------


def _check_reads(sheet: Sheet, row: Row, stock: _Stock) -> None:
    covered = stock.of(row.values[2], row.values[3])
    reads = unguarded(row.values[4])
    nowhere = _check_arguments(sheet, row, covered, [read.path for read in reads])
    for read in reads:
        root, _, rest = read.path.partition(".")
        if root == "args" and not _is_below(read.path, nowhere):
            _check_argument(sheet, row, read, rest.split("."), covered)
        elif root == "before":
            lacking = [tool for tool in covered if tool.has_preview is False]
            _note_read(sheet, "TC604", row, read, lacking, "has no preview")
        elif root == "sandbox":
            known = [tool for tool in covered if tool.schema is not None and not tool.listed]
            lacking = [tool for tool in known if tool.sandbox is None]
            _note_read(sheet, "TC606", row, read, lacking, "has no sandbox")


def _check_argument(sheet: Sheet, row: Row, read: Read, names: list[str], covered: list[KnownTool]) -> None:
    lacking = [tool for tool in covered if may_lack(tool, names, bears_null=read.bears_null)]
    without = [tool for tool in lacking if not may_have(tool, names)]
    if not without:
        _note_read(sheet, "TC603", row, read, lacking, "does not require it", "nor do")
        return
    ordered = without + [tool for tool in lacking if tool not in without]
    also = "and" if len(without) == len(lacking) else "nor surely have"
    _note_read(sheet, "TC603", row, read, ordered, "has no such argument", also)


def _note_read(
    sheet: Sheet, id: str, row: Row, read: Read, lacking: list[KnownTool], why: str, also: str = "and"
) -> None:
    if not lacking:
        return
    others = f" ({also} {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    what = f"r.ctx.{read.path} is read unguarded, and {lacking[0].name} {why}{others}: calls would be denied"
    remedy = f'Ask first: has(r.ctx, "{read.path}") and …; or name only tools that have it'
    sheet.add(id, row, what, remedy, column="when", text=f"r.ctx.{read.path}")


def _check_arguments(sheet: Sheet, row: Row, covered: list[KnownTool], unguarded: list[str]) -> set[str]:
    """Note arguments that none of the covered tools can ever have; their paths, as short as it shows."""
    found: set[str] = set()
    if not covered or row.values[2] == f"{_ADDED}.*":
        return found
    for path in asked_for(row.values[4]):
        root, *names = path.split(".")
        path = _nowhere(names, covered) if root == "args" and not _is_below(path, found) else ""
        if path:
            found.add(path)
            _note_nowhere(sheet, row, path, covered, is_read=any(_is_below(one, {path}) for one in unguarded))
    return found


def _nowhere(names: list[str], covered: list[KnownTool]) -> str:
    """As much of a path as it takes to see that no tool has it; empty where one may."""
    for end in range(1, len(names) + 1):
        if not any(may_have(tool, names[:end], is_closed=True) for tool in covered):
            return ".".join(["args", *names[:end]])
    return ""


def _is_below(path: str, others: Iterable[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in others)


def _note_nowhere(sheet: Sheet, row: Row, path: str, covered: list[KnownTool], *, is_read: bool) -> None:
    _, *names = path.split(".")
    others = f" (nor have {len(covered) - 1} more)" if len(covered) > 1 else ""
    then = "calls are denied" if is_read else "asking for it always answers no"
    what = f"{covered[0].name} has no argument {'.'.join(names)}{others}: {then}"
    remedy = "Name an argument that it has (`toolcrib tools show`)"
    known = {name for tool in covered for name in known_names(tool, names[:-1])}
    # Tools that programs add may have it; and of a nested record one cannot be quite sure.
    is_open = row.values[2] == "*" or any(may_have(tool, names) for tool in covered)
    severity: Severity | None = "warning" if is_open and not is_read else None
    sheet.add("TC609", row, what, did_you_mean(names[-1], known) if known else remedy, column="when",
              text=path, severity=severity)  # fmt: skip


def _check_labels(sheet: Sheet, row: Row, stock: _Stock) -> None:
    for node in ast.walk(ast.parse(row.values[4], mode="eval")):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.In | ast.NotIn):
            continue
        label = node.left.value if isinstance(node.left, ast.Constant) else None
        reads_labels = path_of(node.comparators[0]) in ("labels", "tool.labels")
        if isinstance(label, str) and reads_labels and label not in stock.labels:
            what = f"no installed tool labels what it returns {label!r}"
            sheet.add("TC605", row, what, did_you_mean(label, stock.labels), column="when", text=label)
