"""Conditions that do not say what they seem to: of types that have no order, or out of a field's range."""

from __future__ import annotations

import ast

from toolcrib.bench._comparisons import Fault, faults
from toolcrib.bench._sheet import Sheet
from toolcrib.bench._truth import is_never_true
from toolcrib.decisions import Row

__all__ = ["check_conditions"]


def check_conditions(sheet: Sheet) -> set[Row]:
    """Note conditions that raise, are never true, or hold parts that change nothing; the rows never true."""
    dead = set()
    for row in sheet.of("p", "p2"):
        if row.values[4] == "True":
            continue
        condition = ast.parse(row.values[4], mode="eval").body
        found = faults(condition)
        for fault in found:
            if fault.answer == "raises":
                _note_raising(sheet, row, fault)
        if is_never_true(condition, row):
            dead.add(row)
            _note_never(sheet, row, found)
        else:
            _note_idle(sheet, row, found)
    return dead


def _note_raising(sheet: Sheet, row: Row, fault: Fault) -> None:
    text = _text(row, fault.node)
    what = f"{text} cannot be answered: {fault.why}; calls would be denied"
    sheet.add("TC309", row, what, _remedy_types(fault.node), column="when", text=text)


def _remedy_types(node: ast.Compare) -> str:
    for side in (node.left, *node.comparators):
        if isinstance(side, ast.Constant) and isinstance(side.value, str) and side.value.strip().isdecimal():
            return f"Write {int(side.value)} without quotes, if it is compared with a number"
    return "Compare values of one type"


def _note_never(sheet: Sheet, row: Row, found: list[Fault]) -> None:
    whys = dict.fromkeys(fault.why for fault in found if fault.answer != "raises")
    because = f": {'; '.join(whys)}" if whys else ""
    what = f"condition {row.values[4]!r} is never true for these calls{because}"
    remedy = "Mend the condition; to allow or deny always, write True; or remove the row"
    sheet.add("TC304", row, what, remedy, column="when")


def _note_idle(sheet: Sheet, row: Row, found: list[Fault]) -> None:
    for fault in found:
        if fault.answer == "raises":
            continue
        text = _text(row, fault.node)
        told = f"{text} is {fault.answer} true"
        if fault.part is not None:
            told = f"{ast.unparse(fault.part)} changes nothing in {text}"
        remedy = "Write a value that it can have, or remove this part"
        sheet.add("TC310", row, f"{told}: {fault.why}", remedy, column="when", text=text)


def _text(row: Row, node: ast.expr) -> str:
    """A part of a condition as it stands in the file."""
    return ast.get_source_segment(row.values[4], node) or ast.unparse(node)
