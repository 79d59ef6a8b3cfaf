"""Edits of `policy.csv` as text: rows come and go, all else (remarks, order, spacing, line ends) stays as
it is.

A frozen tool is a row `p, *, *, TOOL, *, True, deny` in a marked block at the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from toolcrib.policy._problems import Unfit
from toolcrib.policy._rows import split_fields

__all__ = [
    "FREEZE_BEGINS",
    "FREEZE_ENDS",
    "add_rows",
    "freeze",
    "frozen",
    "remove_rows",
    "row_text",
    "unfreeze",
    "without_frozen",
]

FREEZE_BEGINS = "# --- frozen: `toolcrib freeze` and `toolcrib unfreeze` keep these rows ---"
FREEZE_ENDS = "# --- end of frozen ---"


def row_text(kind: str, values: Sequence[str]) -> str:
    """A row as it is written."""
    return ", ".join((kind, *values))


def frozen(text: str) -> list[str]:
    """The tools (`crm.update_record`, `crm.*`, `*`) that rows of the frozen form stop, anywhere in it."""
    return list(dict.fromkeys(tool for line in text.split("\n") if (tool := _frozen_tool(line))))


def without_frozen(text: str) -> str:
    """The text without any row of that form: what it says in ordinary times. Lines keep their numbers."""
    return "\n".join("" if _frozen_tool(line) else line for line in text.split("\n"))


def freeze(text: str, tools: Iterable[str]) -> str:
    """The text with a row for each tool that is not frozen yet."""
    stopped = set(frozen(text))
    rows = [_frozen_row(tool) for tool in dict.fromkeys(tools) if tool not in stopped]
    if not rows:
        return text
    lines, end = _split(text)
    marks = [at for at, line in enumerate(lines) if line.strip() == FREEZE_ENDS]
    if marks:
        lines[marks[-1] : marks[-1]] = rows
    else:
        gap = [""] if lines and lines[-1].strip() else []
        lines += [*gap, FREEZE_BEGINS, *rows, FREEZE_ENDS]
    return _joined(lines, end)


def unfreeze(text: str, tools: Iterable[str]) -> str:
    """The text without the frozen rows of these tools; a block that is empty then goes too."""
    gone = set(tools)
    lines, end = _split(text)
    kept = [line for line in lines if _frozen_tool(line) not in gone]
    return _joined(list(_without_empty_block(kept)), end)


def remove_rows(text: str, rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The text without these rows (kind and values), each as often as it stands there."""
    gone = {(kind, tuple(values)) for kind, values in rows}
    lines, end = _split(text)
    return _joined([line for line in lines if _row_of(line) not in gone], end)


def add_rows(text: str, rows: Sequence[tuple[str, Sequence[str]]], *, near: str = "") -> str:
    """The text with these rows behind the last row of the same kind that names the object `near` or else
    its pack, or behind the last row of that kind, or at the end.
    """
    lines, end = _split(text)
    for kind, values in rows:
        lines.insert(_place(lines, kind, near), row_text(kind, values))
    return _joined(lines, end)


# --- lines ------------------------------------------------------------------------------------------


def _split(text: str) -> tuple[list[str], str]:
    """The lines without their ends, and how they end."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return (lines[:-1] if lines and not lines[-1] else lines), end


def _joined(lines: Sequence[str], end: str) -> str:
    return "".join(line + end for line in lines)


def _row_of(line: str) -> tuple[str, tuple[str, ...]] | None:
    text = line.strip()
    if not text or text[0] == "#":
        return None
    try:
        kind, *values = split_fields(text)
    except Unfit:
        return None
    return kind, tuple(values)


def _frozen_row(tool: str) -> str:
    return row_text("p", ("*", "*", tool, "*", "True", "deny"))


def _frozen_tool(line: str) -> str:
    """The tool that this line freezes, or ''."""
    if "deny" not in line:  # nearly all lines
        return ""
    match _row_of(line):
        case ("p", ("*", "*", tool, "*", "True", "deny")):
            return tool
    return ""


def _without_empty_block(lines: Sequence[str]) -> Iterator[str]:
    skip = 0
    for at, line in enumerate(lines):
        if skip:
            skip -= 1
            continue
        if [one.strip() for one in lines[at : at + 2]] == [FREEZE_BEGINS, FREEZE_ENDS]:
            skip = 1
            continue
        if not line.strip() and [one.strip() for one in lines[at + 1 : at + 3]] == [
            FREEZE_BEGINS,
            FREEZE_ENDS,
        ]:
            continue  # the empty line that `freeze` put in front
        yield line


def _place(lines: Sequence[str], kind: str, near: str) -> int:
    """The index at which a row of this kind is inserted."""
    best = (-1, len(lines))
    pack = near.partition(".")[0]
    frozen_from = next((at for at, line in enumerate(lines) if line.strip() == FREEZE_BEGINS), len(lines))
    for at, line in enumerate(lines[:frozen_from]):
        row = _row_of(line)
        if row is None or row[0] != kind:
            continue
        name = row[1][2] if len(row[1]) > 2 else ""
        closeness = 2 if name == near else int(name.partition(".")[0] == pack)
        if closeness >= best[0]:
            best = (closeness, at + 1)
    return best[1] if best[0] >= 0 else frozen_from
