"""`toolcrib policy matrix`: roles × tools, at the terminal or as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolcrib.cli._bench import write_file
from toolcrib.cli._cells import (
    MARKS,
    STYLES,
    Desk,
    installed_tools,
    named_secrets,
    print_notes,
    shortened,
    view_options,
)
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from rich.text import Text

    from toolcrib.bench.cells import Cell
    from toolcrib.bench.matrix import Matrix, Subject
    from toolcrib.policy import Governed

__all__ = ["matrix"]

NO_ROW = "·"
LABEL = 38
"""Characters for the names of tools."""


@click.command("matrix")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page, to read in a browser (-: print it).",
)
@click.option("--people", is_flag=True, help="A column for every user and agent, too.")
@view_options
@as_json
@click.pass_obj
def matrix(
    desk: Desk,
    page: Path | None,
    people: bool,
    tenant: str | None,
    tools_file: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Show what every role may do with every tool, and which secrets its calls may use.

    With --html the page holds everything in one file: no scripts, nothing fetched; print it or mail it.
    """
    from toolcrib.bench._unnamed import asked_notes
    from toolcrib.bench.matrix import matrix as ask
    from toolcrib.policy import Policy

    policy = Policy.load(folder or desk.policy_folder)
    tools = [*installed_tools(desk, tools_file), *named_secrets(desk, policy, tools_file)]
    found = ask(policy, tools, tenant or desk.tenant, people=people)
    if page is not None:
        from toolcrib.bench.page import html

        write_file(str(page), html(found).encode())
        click.echo(f"Wrote {page}", err=as_json or str(page) == "-")
    notes = asked_notes(policy, found.tenant)
    print_notes(notes)
    if as_json:
        emit_json({**found.as_dict(), "notes": notes})
    elif page is None:
        _print(found)


def _print(found: Matrix) -> None:
    out = console()
    out.print(plain(f"Tenant {found.tenant}, policy revision {found.revision}"), style="bold")
    out.print()
    letters = _letters(len(found.subjects))
    for letter, subject in zip(letters, found.subjects, strict=True):
        out.print(f"  {letter:>2}  {plain(_described(subject))}")
    width = max(1, (out.width - LABEL - 13) // 4)
    for start in range(0, len(found.subjects), width):
        _print_block(found, letters, slice(start, start + width))
    out.print()
    counts = found.counts()
    counts["deny"] = found.forbidden
    bare = sum(cell.state == "deny" for cell in found.cells.values()) - found.forbidden
    marks = "  ".join(f"{MARKS[state]} {state} ({count})" for state, count in counts.items())
    out.print(f"{marks}  {NO_ROW} nothing allows it ({bare})")
    if found.left_out:
        out.print(f"{found.left_out} users and agents with rows of their own: --people.", style="yellow")
    out.print("◇ depends on conditions: ask what-can ROLE.", style="dim")
    out.print("A call needs a user and an agent that may.", style="dim")


def _print_block(found: Matrix, letters: Sequence[str], columns: slice) -> None:
    """Some columns, for all tools; tools of a pack with equal cells share a line."""
    from rich.text import Text

    out = console()
    for pack, tools in found.packs():
        out.print()
        head = Text(f"{plain(pack):<{LABEL + 13}}", style="bold")
        head.append("".join(f"{letter:>3} " for letter in letters[columns]), style="dim")
        out.print(head)
        for same in _alike(found, tools, columns):
            out.print(_line(found, same, columns))


def _alike(found: Matrix, tools: Sequence[Governed], columns: slice) -> list[list[Governed]]:
    groups: dict[object, list[Governed]] = {}
    for tool in tools:
        key = (tool.effect, *((cell.state, cell.forbidden) for cell in found.row(tool)[columns]))
        groups.setdefault(key, []).append(tool)
    return list(groups.values())


def _line(found: Matrix, tools: Sequence[Governed], columns: slice) -> Text:
    from rich.text import Text

    label = _fitting([plain(tool.name.partition(".")[2]) for tool in tools])
    effect = tools[0].effect
    risky = effect in ("send", "destructive")
    line = Text(f"  {label:<{LABEL - 2}}")
    line.append(f" {effect:<12}", style="bold" if risky else "dim")
    for cell in found.row(tools[0])[columns]:
        line.append(f"{_mark(cell):>3} ", style="dim" if _mark(cell) == NO_ROW else STYLES[cell.state])
    return line


def _mark(cell: Cell) -> str:
    return NO_ROW if cell.state == "deny" and not cell.forbidden else MARKS[cell.state]


def _fitting(names: Sequence[str]) -> str:
    """As many names as fit, and how many more."""
    for most in range(len(names), 0, -1):
        text = ", ".join(names[:most]) + (f" +{len(names) - most}" if most < len(names) else "")
        if len(text) <= LABEL - 3:
            return text
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return names[0][: LABEL - 4 - len(more)] + "…" + more


def _letters(count: int) -> list[str]:
    """A … Z, then AA, AB, …."""
    alphabet = [chr(ord("A") + number) for number in range(26)]
    return [
        (alphabet[number // 26 - 1] if number >= 26 else "") + alphabet[number % 26]
        for number in range(count)
    ]


def _described(subject: Subject) -> str:
    if subject.kind == "everybody":
        return "* (everybody)"
    if subject.kind != "role":
        return subject.name
    return f"{subject.name}: {shortened(subject.members) or 'nobody'}"
