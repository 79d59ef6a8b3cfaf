"""`toolcrib policy who-can`: who may call a tool."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from toolcrib.cli._cells import (
    MARKS,
    STYLES,
    Desk,
    one_tool,
    print_notes,
    shortened,
    table,
    terms,
    view_options,
)
from toolcrib.cli._print import as_json, console, emit_json, plain
from toolcrib.effects import EFFECTS, Effect

if TYPE_CHECKING:
    from toolcrib.bench.cells import Cell
    from toolcrib.bench.who_can import Pair, WhoCan

__all__ = ["who_can"]


@click.command("who-can")
@click.argument("tool")
@click.option("--effect", type=click.Choice(EFFECTS), help="For a tool that is not installed.")
@view_options
@as_json
@click.pass_obj
def who_can(
    desk: Desk,
    tool: str,
    effect: str | None,
    tenant: str | None,
    tools_file: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """List who may call TOOL (or use secret:PACK.NAME): users, agents and roles, and which user by which
    agent.

    A call needs both a user and an agent that may; the stricter answer of the two counts.
    """
    from toolcrib.bench._unnamed import asked_notes
    from toolcrib.bench.who_can import who_can as ask
    from toolcrib.policy import Policy

    asked = one_tool(desk, tool, cast("Effect | None", effect), tools_file)
    policy = Policy.load(folder or desk.policy_folder)
    found = ask(policy, asked, tenant or desk.tenant)
    notes = asked_notes(policy, found.tenant)
    print_notes(notes)
    if as_json:
        emit_json({**found.as_dict(), "notes": notes})
    else:
        _print(found)


def _print(found: WhoCan) -> None:
    out, tool = console(), found.tool
    out.print(f"{tool.name} ({tool.effect}) in tenant {found.tenant}", style="bold")
    subjects = list(_subjects(found))
    if subjects:
        shown = table("", "WHO", "MAY", "ON THESE TERMS", keep=("", "MAY"))
        for who, cell in subjects:
            shown.add_row(
                MARKS[cell.state], plain(who), cell.state, plain(terms(cell)), style=STYLES[cell.state]
            )
        out.print()
        out.print(shown)
    out.print()
    if found.pairs:
        out.print("Calls that are possible, each user by each agent:", style="bold")
        _print_pairs(found.pairs)
    else:
        out.print("No call is possible: it needs a user and an agent that both may.", style="bold")


def _subjects(found: WhoCan) -> Iterable[tuple[str, Cell]]:
    if found.everybody.state != "deny":
        yield "everybody", found.everybody
    yield from found.roles.items()
    yield from found.agents.items()
    yield from found.users.items()


def _print_pairs(pairs: Iterable[Pair]) -> None:
    shown = table("", "USERS", "AGENTS", "MAY", "ON THESE TERMS", "WHO APPROVES", keep=("", "MAY"))
    for pair in pairs:
        cell = pair.cell
        asks = bool(cell.reviews)
        shown.add_row(
            MARKS[cell.state],
            plain(shortened(pair.users)),
            plain(shortened(pair.agents)),
            cell.state,
            plain(terms(cell)),
            plain(shortened(pair.approvers) or "nobody") if asks else "",
            style=STYLES[cell.state],
        )
    console().print(shown)
