"""An approval on a screen: who wants what, for whom, and what would change. Used by the terminal channel and
the command line.

Whatever an agent wrote goes through `visible` into a `Text`, never into markup, and stands in the right-hand
column: it can neither colour the screen nor begin a line where our own words stand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from toolcrib.approvals._changes import ABSENT, Change, changes, leaves, unmatched
from toolcrib.approvals._judging import approvers_of
from toolcrib.approvals._model import Answer, Approval
from toolcrib.approvals._visible import CODE, looks_foreign, name_of, readable, visible

__all__ = ["approval_view", "console_for", "edit_view", "foreign_text", "span"]

LABEL = 11  # columns of the left-hand words
ODD = "bold white on red"
TARGET = "bold black on yellow"


def console_for(output: Any, width: int | None = None) -> Console:
    """A console that takes no markup, highlights nothing by itself and links nothing."""
    return Console(file=output, width=width, markup=False, highlight=False, emoji=False)


def foreign_text(text: str, style: str = "") -> Text:
    """Text of unknown origin: neutralised, its codes highlighted."""
    shown = Text(visible(text), style=style, overflow="fold")
    shown.highlight_regex(CODE, ODD)
    return shown


def approval_view(approval: Approval, *, now: float | None = None) -> RenderableType:
    """The whole approval."""
    parts: list[RenderableType] = [*_title(approval, time.time() if now is None else now), _head(approval)]
    parts += _targets(approval)
    parts += _effects(approval)
    if approval.edit is not None:
        parts += ["", edit_view(approval.arguments, approval.edit)]
    if approval.answers:
        parts += ["", _answers(approval.answers)]
    return Group(*parts, "")


def edit_view(asked: Mapping[str, Any], edited: Mapping[str, Any]) -> RenderableType:
    """What an approver changed in the arguments."""
    old, new = dict(leaves(asked)), dict(leaves(edited))
    paths = [*new, *(path for path in old if path not in new)]
    found = [Change(".".join(path), old.get(path, ABSENT), new.get(path, ABSENT)) for path in paths]
    return _change_table(
        "Edited", "As asked", "As edited", [each for each in found if each.before != each.after]
    )


def span(seconds: float, *, coarse: bool = False) -> str:
    """A time span in words: `9 min 58 s`; `coarse` leaves the smaller unit out."""
    seconds = max(0, int(seconds))
    for size, big, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {big}" + (f" {rest} {small}" if rest and not coarse else "")
    return f"{seconds} s"


def _title(approval: Approval, now: float) -> list[RenderableType]:
    left = f"expires in {span(approval.expires - now)}" if approval.status == "pending" else approval.status
    return [Text(f"Approval {approval.id} · {left}", style="bold"), Rule(characters="─", style="dim")]


def _head(approval: Approval) -> Table:
    who = approval.principal
    grid = _grid()
    effect = Text(
        f" · {approval.effect}", style="bold red" if approval.effect in ("send", "destructive") else "bold"
    )
    grid.add_row("Tool", Text(approval.tool, style="bold") + effect)
    if approval.description:
        grid.add_row("", Text(visible(approval.description.split("\n\n")[0]), style="dim"))
    grid.add_row("Asked by", f"agent {who.agent}, " + (f"for user {who.user}" if who.user else "for no user"))
    grid.add_row("", Text(f"tenant {who.tenant}, session {who.session}, run {who.run}", style="dim"))
    reason = (
        foreign_text(f"“{approval.reason}”", "italic")
        if approval.reason
        else Text("(none given)", style="dim")
    )
    grid.add_row("Its reason", reason)
    if approval.labels:
        grid.add_row("Has seen", Text(", ".join(sorted(approval.labels)), style="yellow"))
    for n, row in enumerate(approval.requirements):
        place = Text(f"  {row.place}", style="dim")
        grid.add_row("Needs" if n == 0 else "", Text(approvers_of(row)) + place)
    return grid


def _targets(approval: Approval) -> list[RenderableType]:
    grid = _grid()
    found = [name for name in approval.targets if approval.shown.get(name) not in (None, "", [])]
    for name in found:
        value = Text(readable(approval.shown[name]), style=TARGET, overflow="fold")
        value.highlight_regex(CODE, ODD)
        grid.add_row(foreign_text(f"» {name_of(name)}", "bold"), value)
        for foreign in _foreign(approval.shown[name]):
            grid.add_row("", Text(f"not all ASCII: {foreign}", style=ODD, overflow="fold"))
    return ["", Text("Goes to", style="bold underline"), grid] if found else []


def _foreign(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [odd for each in values if isinstance(each, str) and (odd := looks_foreign(each))]


def _effects(approval: Approval) -> list[RenderableType]:
    """Changes against the record as it stands if there is one, then the arguments that are not changes."""
    rest, parts = dict(approval.shown), []
    if approval.before is not None:
        found = changes(approval.before, approval.shown)
        rest = unmatched(approval.before, approval.shown)
        parts += ["", _change_table("Changes", "Before", "After", found)]
    rest = {name: value for name, value in rest.items() if name not in approval.targets}
    if rest or approval.sensitive:
        parts += ["", Text("Arguments", style="bold underline"), _arguments(rest, approval.sensitive)]
    return parts


def _arguments(arguments: Mapping[str, Any], sensitive: Sequence[str]) -> Table:
    grid = _grid()
    for name, value in arguments.items():
        shown = Text(readable(value), overflow="fold")
        shown.highlight_regex(CODE, ODD)
        grid.add_row(foreign_text(name_of(name)), shown)
    for name in sensitive:
        grid.add_row(foreign_text(name_of(name)), Text("(sensitive, not shown)", style="dim"))
    return grid


def _change_table(title: str, old: str, new: str, found: Sequence[Change]) -> RenderableType:
    heading = Text(title, style="bold underline")
    if not found:
        return Group(heading, Text("  nothing: the record has these values already", style="dim"))
    table = Table(box=None, padding=(0, 2, 0, 0), expand=False, header_style="dim")
    table.add_column("Field", overflow="fold", min_width=LABEL, max_width=28)
    table.add_column(old, overflow="fold", style="red")
    table.add_column(new, overflow="fold", style="bold green")
    for change in found:
        table.add_row(
            foreign_text(name_of(change.field)), _value(change.before), Text("→ ") + _value(change.after)
        )
    return Group(heading, table)


def _value(value: Any) -> Text:
    shown = Text("(none)" if value is None else readable(value), overflow="fold")
    shown.highlight_regex(CODE, ODD)
    return shown


def _answers(answers: Sequence[Answer]) -> Table:
    grid = _grid()
    for n, answer in enumerate(answers):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(answer.at))
        said = Text(f"{answer.verdict} by {answer.by}, {when}") + (
            foreign_text(f": {answer.note}") if answer.note else Text("")
        )
        grid.add_row("Answers" if n == 0 else "", said)
    return grid


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(min_width=LABEL, max_width=28, overflow="fold")
    grid.add_column(ratio=1, overflow="fold")
    return grid
