"""`toolcrib policy what-can`: what a user, agent or role may do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolcrib.cli._cells import (
    MARKS,
    STYLES,
    Desk,
    installed_tools,
    named_secrets,
    print_notes,
    shortened,
    table,
    terms,
    view_options,
)
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.bench.cells import Cell, State
    from toolcrib.bench.view import View
    from toolcrib.policy import Governed

__all__ = ["what_can"]


@click.command("what-can")
@click.argument("principal", required=False)
@click.option("--user", help="A user; with --agent, what the two may do together.")
@click.option("--agent", help="An agent.")
@click.option("--all", "every", is_flag=True, help="List denied tools one by one, too.")
@view_options
@as_json
@click.pass_obj
def what_can(
    desk: Desk,
    principal: str | None,
    user: str | None,
    agent: str | None,
    every: bool,
    tenant: str | None,
    tools_file: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """List what PRINCIPAL may do with every tool, and which secrets its calls may use: allow, review, deny,
    or depends with the condition.

    PRINCIPAL is a role, user:ID, agent:NAME, or * (everybody). A call needs a user and an agent: name both
    with --user and --agent to see what they may do together.
    """
    from toolcrib.bench._unnamed import asked_notes
    from toolcrib.bench.view import View
    from toolcrib.policy import Policy

    subjects = _subjects(principal, user, agent)
    policy = Policy.load(folder or desk.policy_folder)
    tools = [*installed_tools(desk, tools_file), *named_secrets(desk, policy, tools_file)]
    view = View(policy, tenant or desk.tenant)
    cells = view.what_can(tools, *subjects)
    notes = asked_notes(policy, view.tenant, subjects)
    print_notes(notes)
    if as_json:
        emit_json({**_as_dict(view, subjects, tools, cells), "notes": notes})
    else:
        _print(view, subjects, list(zip(tools, cells, strict=True)), every=every)


def _subjects(principal: str | None, user: str | None, agent: str | None) -> tuple[str, ...]:
    given = [f"user:{user}"] if user else []
    given += [f"agent:{agent}"] if agent else []
    if (principal is None) == (not given):
        raise click.UsageError("Name either PRINCIPAL or --user and --agent.")
    return (principal,) if principal else tuple(given)


def _as_dict(
    view: View, subjects: Sequence[str], tools: Sequence[Governed], cells: Sequence[Cell]
) -> dict[str, object]:
    return {
        "subjects": list(subjects),
        "tenant": view.tenant,
        "revision": view.policy.revision,
        "roles": {subject: list(view.roles(subject)) for subject in subjects},
        "tools": [
            {"name": tool.name, "effect": tool.effect, **cell.as_dict()}
            for tool, cell in zip(tools, cells, strict=True)
        ],
    }


def _print(
    view: View, subjects: Sequence[str], found: Sequence[tuple[Governed, Cell]], *, every: bool
) -> None:
    out = console()
    together = " and ".join(subjects)
    out.print(plain(f"{together} in tenant {view.tenant}"), style="bold")
    for subject in subjects:
        if subject != "*" and (every or len(subjects) > 1 or view.roles(subject)):
            out.print(plain(f"{subject} holds {', '.join(view.roles(subject)) or 'no role'}"))
    if not {*subjects, *(role for one in subjects for role in view.roles(one))} & {*view.subjects, "*"}:
        out.print("No row names them: only rows for everybody count.", style="yellow")
    shown = [(tool, cell) for tool, cell in found if every or cell.state != "deny"]
    if shown:
        out.print()
        _print_tools(shown)
    denied = [tool.name for tool, cell in found if cell.state == "deny"]
    out.print()
    out.print(_counts(cell for _, cell in found))
    if denied and not every:
        out.print(plain(f"Denied: {shortened(denied, 8)}."), style="dim")
    if len(subjects) == 1:
        out.print("A call needs a user and an agent that both may.", style="dim")


def _print_tools(found: Iterable[tuple[Governed, Cell]]) -> None:
    shown = table("", "TOOLS", "EFFECT", "MAY", "ON THESE TERMS", keep=("", "EFFECT", "MAY"))
    for (effect, state, on), names in _alike(found).items():
        shown.add_row(MARKS[state], plain(", ".join(names)), effect, state, plain(on), style=STYLES[state])
    console().print(shown)


def _alike(found: Iterable[tuple[Governed, Cell]]) -> dict[tuple[str, State, str], list[str]]:
    """Tools with equal effect and terms share a line."""
    lines: dict[tuple[str, State, str], list[str]] = {}
    for tool, cell in found:
        lines.setdefault((tool.effect, cell.state, terms(cell)), []).append(tool.name)
    return lines


def _counts(cells: Iterable[Cell]) -> str:
    from toolcrib.bench.cells import STATES

    states = [cell.state for cell in cells]
    return ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
