"""Rows against the tools that are installed: objects, effects, arguments, labels."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolcrib._nearest import did_you_mean
from toolcrib.bench._guards import Read, unguarded
from toolcrib.bench._known_tools import KnownTool
from toolcrib.bench._sheet import Sheet
from toolcrib.bench._truth import path_of
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
    for read in unguarded(row.values[4]):
        root, _, rest = read.path.partition(".")
        if root == "args":
            lacking = [
                tool for tool in covered if _may_lack(tool, rest.split("."), bears_null=read.bears_null)
            ]
            _note_read(sheet, "TC603", row, read, lacking, "does not require it")
        elif root == "before":
            lacking = [tool for tool in covered if tool.has_preview is False]
            _note_read(sheet, "TC604", row, read, lacking, "has no preview")
        elif root == "sandbox":
            known = [tool for tool in covered if tool.schema is not None and not tool.listed]
            lacking = [tool for tool in known if tool.sandbox is None]
            _note_read(sheet, "TC606", row, read, lacking, "has no sandbox")


def _note_read(sheet: Sheet, id: str, row: Row, read: Read, lacking: list[KnownTool], why: str) -> None:
    if not lacking:
        return
    others = f" (nor do {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    if why.startswith("has"):
        others = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    what = f"r.ctx.{read.path} is read unguarded, and {lacking[0].name} {why}{others}: calls would be denied"
    remedy = f'Ask first: has(r.ctx, "{read.path}") and …; or name only tools that have it'
    sheet.add(id, row, what, remedy, column="when", text=f"r.ctx.{read.path}")


def _may_lack(tool: KnownTool, names: list[str], *, bears_null: bool) -> bool:
    """Whether a call of the tool can lack an argument, or (`bears_null` is False) have null there."""
    if tool.schema is None:
        return False
    place: Any = tool.schema
    for index, name in enumerate(names):
        shapes = list(_shapes(place, tool.schema))
        found = [shape["properties"][name] for shape in shapes if name in shape.get("properties", {})]
        if not found:
            return True
        is_given = any(name in shape.get("required", ()) for shape in shapes)
        # Only the outermost arguments of Python-typed tools surely get their defaults before policy looks.
        if not is_given and not (tool.fills and (index == 0 or "default" in found[0])):
            return True
        strict = not bears_null or index < len(names) - 1
        if strict and _may_be_null(found[0], tool.schema, is_given=is_given):
            return True
        place = found[0]
    return False


def _shapes(place: Any, schema: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """What a place of a JSON Schema says, with references and alternatives followed (bounded)."""
    if not isinstance(place, Mapping) or depth > 8:
        return
    yield place
    reference = place.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = schema
        for step in reference[2:].split("/"):
            target = target.get(step) if isinstance(target, Mapping) else None
        yield from _shapes(target, schema, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        for one in place.get(key, ()):
            yield from _shapes(one, schema, depth + 1)


def _may_be_null(place: Any, schema: Mapping[str, Any], *, is_given: bool) -> bool:
    for shape in _shapes(place, schema):
        kind = shape.get("type")
        if kind == "null" or (isinstance(kind, list) and "null" in kind):
            return True
    return not is_given and isinstance(place, Mapping) and place.get("default") is None


def _check_labels(sheet: Sheet, row: Row, stock: _Stock) -> None:
    for node in ast.walk(ast.parse(row.values[4], mode="eval")):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.In | ast.NotIn):
            continue
        label = node.left.value if isinstance(node.left, ast.Constant) else None
        reads_labels = path_of(node.comparators[0]) in ("labels", "tool.labels")
        if isinstance(label, str) and reads_labels and label not in stock.labels:
            what = f"no installed tool labels what it returns {label!r}"
            sheet.add("TC605", row, what, did_you_mean(label, stock.labels), column="when", text=label)
