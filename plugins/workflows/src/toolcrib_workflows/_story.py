"""What a job prints while it runs: a short story, one line per call.

All that agents, tools and strangers wrote goes through `shown` into a rich `Text`: it can neither move the
cursor nor colour the screen, nor begin a line where our own words stand.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from toolcrib.approvals import Answer, Approval, changes
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.errors import ToolcribError

__all__ = ["Story", "brief", "console_for", "path_words", "program", "shown"]

AGENT, TOOL, WORD = 10, 25, 9
"""Columns of an agent's name, of a tool's and of what came of a call; arguments have the rest."""
NARROWEST, WIDEST = 60, 100

WORDS = {
    "done": ("done", "green"),
    "denied": ("denied", "bold red"),
    "unknown": ("unknown", "bold red"),
    "invalid": ("invalid", "yellow"),
    "stopped": ("stopped", "bold red"),
    "limited": ("limited", "bold red"),
    "pending": ("waiting", "bold cyan"),
    "rejected": ("rejected", "bold red"),
    "expired": ("expired", "bold red"),
    "failed": ("failed", "bold red"),
    "ambiguous": ("ambiguous", "bold red"),
    "cancelled": ("cancelled", "yellow"),
    "unavailable": ("refused", "bold red"),
}
"""Word and style of each status."""


def console_for(output: TextIO) -> Console:
    """A console of 60 to 100 columns that takes text as text; colours only at a terminal, never with
    NO_COLOR.
    """
    console = Console(file=output, markup=False, emoji=False, highlight=False)
    console.width = max(NARROWEST, min(console.width, WIDEST))
    return console


def shown(text: str) -> str:
    """`text` on one line, with control and invisible characters as visible codes."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else repr(c)[1:-1] for c in text)


def brief(arguments: Mapping[str, Any], room: int) -> str:
    """Arguments in a few words: `name=value, ...`, or the values alone where there is no room for names."""
    values = {shown(str(name)): _value(value) for name, value in arguments.items()}
    named = ", ".join(f"{name}={value}" for name, value in values.items())
    return named if len(named) <= room else ", ".join(values.values())


class Story:
    """Tells a run as it goes on; it is a `Listener`, too."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._speaker = ""

    def line(self, text: str, style: str = "") -> None:
        """A line of our own words."""
        self.console.print(Text(text, style=style))

    def command(self, words: str) -> None:
        """A command to copy: whole, never wrapped."""
        self.console.print(Text(words), soft_wrap=True)

    def opening(self, facts: Mapping[str, str]) -> None:
        """The first lines: label and text."""
        grid = _grid(AGENT)
        for label, text in facts.items():
            grid.add_row(Text(label, style="bold"), Text(shown(text), overflow="fold"))
        self.console.print(grid)

    # --- calls

    def called(self, call: ToolCall, result: ToolResult) -> None:
        """One call: who asked for what, and what came of it; why, if it was refused."""
        word, style = WORDS[result.status]
        row = Text()
        row.append_text(self._who(call.principal.agent))
        row.append(_cell(result.tool, TOOL), "bold")
        room = self.console.width - AGENT - TOOL - WORD - 6
        row.append(_cell(_arguments(call, room), room), "dim")
        row.append(word, style)
        self.console.print(row, no_wrap=True, crop=True)
        if result.is_error and result.status != "pending":
            self._aside(_reason(result.text), style.removeprefix("bold "))
        elif ended := _ended(result):
            self._aside(ended, "yellow")

    def said(self, agent: str, text: str) -> None:
        """What an agent answered when its part was done."""
        words = shown(next((line for line in text.splitlines() if line.strip()), ""))
        row = Text()
        row.append_text(self._who(agent))
        row.append(_cell(f"“{words}", self.console.width - AGENT - 3).rstrip() + "”", "italic dim")
        self.console.print(row, no_wrap=True, crop=True)

    def _who(self, agent: str) -> Text:
        """The agent's name where another one begins, else room for it."""
        name, self._speaker = ("" if agent == self._speaker else agent), agent
        return Text(_cell(name, AGENT), style="bold blue")

    def _aside(self, text: str, style: str) -> None:
        grid = _grid(2)
        grid.add_row(Text("└ ", style=style), Text(text, style=style))
        self.console.print(Padding(grid, (0, 0, 0, AGENT + 2)))

    def left(self, path: Path, media_type: str, size: int) -> None:
        """A file that code left, and where it is."""
        self._aside(f"{shown(path_words(path))} ({media_type}, {size:,} bytes)", "green")

    # --- the human

    def asks(self, approval: Approval) -> None:
        """A human is asked."""
        self._speaker = ""
        self.console.print()

    def question(self, approval: Approval, how: str) -> None:
        """What is asked, for answers that come from a file: nobody sees a prompt there."""
        self.console.print(Rule(Text(f"{approval.tool} waits for a human", style="bold"), align="left"))
        grid = _grid(AGENT)
        for name, value in approval.shown.items():
            if value not in (None, "", []):
                style = "bold" if name in approval.targets else ""
                grid.add_row(Text(shown(name)), Text(_lines(value), style=style, overflow="fold"))
        if approval.before is not None and not approval.before.keys().isdisjoint(approval.shown):
            found = changes(approval.before, approval.shown)
            grid.add_row(Text("changes"), _changes(found) if found else Text("nothing: it is as drafted"))
        self.console.print(grid)
        self.line(how, "dim")

    def answered(self, approval: Approval, answer: Answer | None) -> None:
        """Who answered what; what an edit changed."""
        given = answer or (approval.answers[-1] if approval.answers else None)
        if given is None:
            self.line(f"Approval {approval.id}: {approval.status}.", "bold")
        else:
            where = "" if answer else ", elsewhere"
            words = {"approve": "approves", "edit": "approves with an edit", "reject": "rejects"}
            note = f": {shown(given.note)}" if given.note else "."
            self.line(f"{shown(given.by)} {words[given.verdict]} ({approval.id}{where}){note}", "bold")
            if given.edit is not None:
                self._edit(approval.arguments, given.edit)
        if approval.status == "pending":
            self.line("It needs another person as well.", "yellow")
        self.console.print(Rule(style="dim"))

    def refused(self, error: ToolcribError) -> None:
        """The answer does not count."""
        self.line(shown(str(error)), "red")

    def _edit(self, asked: Mapping[str, Any], edited: Mapping[str, Any]) -> None:
        grid = _grid(AGENT)
        for name, value in edited.items():
            if value != asked.get(name):
                change = Text(_lines(asked.get(name)), style="red", overflow="fold")
                change.append(" → ", "dim").append(_lines(value), "bold green")
                grid.add_row(Text(shown(name)), change)
        self.console.print(grid)


def _ended(result: ToolResult) -> str:
    """How a program ended that did not end well: a run is done all the same, and tells of it."""
    value = result.value
    if not isinstance(value, Mapping) or "exit_code" not in value or value["exit_code"] == 0:
        return ""
    if value["exit_code"] is None:
        return "its time was up" if value.get("timed_out") else "it was ended"
    said = str(value.get("stderr", "")).strip().splitlines()
    return f"exit code {value['exit_code']}{f': {shown(said[-1])}' if said else ''}"


def _changes(found: Any) -> Text:
    text = Text(overflow="fold")
    for change in found:
        text.append(f"{shown(change.field)}: {_lines(change.before)} → {_lines(change.after)}\n")
    text.rstrip()
    return text


def _arguments(call: ToolCall, room: int) -> str:
    try:
        return brief(dict(call.arguments), room)
    except ValueError:  # no JSON object; the refusal says what is wrong
        return "(malformed)"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "+".join(map(_value, value))
    return shown(str(value))


def _lines(value: Any) -> str:
    """A value for a person to read, line by line."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_lines, value))
    return "\n".join(map(shown, str(value).strip().split("\n")))


def _cell(text: str, width: int) -> str:
    """`text` in `width` columns and two of space; cut with an ellipsis."""
    cut = Text(shown(text))
    cut.truncate(width, overflow="ellipsis", pad=True)
    return f"{cut.plain}  "


def _reason(text: str) -> str:
    """What was refused, and by which rule; the advice to the model is left out."""
    told = re.sub(r"^[A-Z ]+: ", "", shown(text))
    what, _, rest = told.partition(" Rule: ")
    rule = re.split(r"\.(?:\s|$)", rest, maxsplit=1)[0]
    return f"{what.removesuffix('.')} ({rule})" if rule else what


def _grid(first: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0) if first > 2 else 0, expand=True)
    grid.add_column(min_width=first, max_width=first, overflow="fold")
    grid.add_column(ratio=1, overflow="fold")
    return grid


def program() -> str:
    """How `toolcrib` is typed here: by its path where the shell would not find this very one."""
    ours = Path(sys.executable).with_name("toolcrib")
    found = shutil.which("toolcrib")
    if not ours.exists() or (found and Path(found).resolve() == ours.resolve()):
        return "toolcrib"
    return shlex.quote(path_words(ours))


def path_words(path: Path) -> str:
    """A path as a person would type it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
