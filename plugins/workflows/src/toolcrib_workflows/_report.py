"""The end of a job's story: what the audit log says of the run, and where to go on from here."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from toolcrib_workflows._story import Story, program, shown
from toolcrib_workflows._summary import Asked, Summary

__all__ = ["go_on_from_here", "report"]

REFUSED = ("unknown", "rejected", "expired", "limited", "failed", "ambiguous", "cancelled", "unavailable")
ROWS = (
    ("allowed", "green", ("done",)),
    ("denied", "red", ("denied",)),
    ("invalid", "yellow", ("invalid",)),
    ("stopped", "red", ("stopped",)),
    ("waiting", "cyan", ("pending", "running")),
    *((status, "red", (status,)) for status in REFUSED),
)
"""Label, style and statuses of each line; lines without calls are left out."""


def report(story: Story, summary: Summary) -> None:
    """Print what was asked, what came of it, who approved, and whether the log is whole."""
    console = story.console
    console.print()
    console.print(Rule(Text("What the audit log says of this run", style="bold"), align="left"))
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(min_width=8)
    table.add_column(justify="right", min_width=2)
    table.add_column(ratio=1, overflow="fold")
    agents = len({call.agent for call in summary.calls})
    table.add_row(Text("asked", style="bold"), str(len(summary.calls)), f"calls by {agents} agents")
    for label, style, statuses in ROWS:
        calls = summary.of(*statuses)
        if calls:
            table.add_row(Text(label, style=f"bold {style}"), str(len(calls)), _each(summary, label, calls))
    _approvals(table, summary)
    console.print(table)
    if summary.problem:
        story.line(f"The log does not verify: {shown(summary.problem)}", "bold red")
    else:
        story.line(f"The log verifies: {summary.records} records, each as it was written.", "bold green")


def _approvals(table: Table, summary: Summary) -> None:
    for call in summary.calls:
        if call.approver and call.status == "done":
            edit = f", with an edit of {' and '.join(map(shown, call.edited))}" if call.edited else ""
            who = " and ".join(map(shown, call.approver))
            table.add_row(Text("approved", style="bold cyan"), "1", f"{shown(call.tool)} by {who}{edit}")


def _each(summary: Summary, label: str, calls: list[Asked]) -> Text:
    """The calls of a line: tools only where they went well, with agent and reason where not."""
    if label == "allowed":
        tools = dict.fromkeys(shown(call.tool) for call in calls)
        return Text(", ".join(tools), style="dim")
    lines = [f"{shown(call.tool)}, asked by {shown(call.agent)}{_why(summary, call)}" for call in calls]
    return Text("\n".join(lines))


def _why(summary: Summary, call: Asked) -> str:
    if call.status == "denied":
        return f": {shown('; '.join(call.rows))}" if call.rows else ": no row allows it"
    if call.status == "rejected":
        said = [answer for answer in summary.answers if answer["approval"] == call.approval]
        return "".join(f", by {shown(answer['approver'])}" for answer in said[-1:])
    return ""


def go_on_from_here(
    story: Story, file: str, run: str, again: str, *, explain: str = "mail.send --agent writer"
) -> None:
    """Print commands that work as they stand, from the present folder."""
    toolcrib = program()
    config, rows = shlex.quote(file), shlex.quote(str(Path(file).parent / "policies" / "policy.csv"))
    commands = (
        (f"{toolcrib} -c {config} audit show -n 50 --run {run}", "the story again, from the log"),
        (f"{toolcrib} -c {config} audit query --status denied --full", "why something was denied"),
        (f"{toolcrib} -c {config} policy explain {explain} --user alice", "who may do what"),
        (f"${{EDITOR:-vi}} {rows}", "change a row"),
        (again, "and run it again"),
    )
    story.line("")
    story.console.print(Rule(Text("Go on from here", style="bold"), align="left"))
    for command, why in commands:
        story.line(f"# {why}", "dim")
        story.command(command)
