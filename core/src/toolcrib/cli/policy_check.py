"""`toolcrib policy check`: properties over everybody and every tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolcrib.bench.check import Checked, Finding, Witness
    from toolcrib.cli._desk import Desk
    from toolcrib.policy import Governed

__all__ = ["check"]

FILE = "properties.toml"


@click.command("check")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--policy",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another policy folder than the crib's.",
)
@click.option(
    "--tools", "tools_file", type=click.Path(path_type=Path), help="A list from `tools list --json`."
)
@as_json
@click.pass_context
def check(
    ctx: click.Context, file: Path | None, folder: Path | None, tools_file: Path | None, as_json: bool
) -> None:
    """Check the properties in FILE (default: properties.toml in the policy's folder).

    They are checked for every user, agent, tenant and tool, not for samples. Conditions are taken at their
    worst: a conditional allow counts, a conditional deny or review does not. Exits with 1 if one is violated.
    """
    from toolcrib.bench.check import check, read_properties
    from toolcrib.errors import ConfigError
    from toolcrib.policy import Policy

    desk: Desk = ctx.obj
    policies = folder or desk.policy_folder
    properties = read_properties(file or policies / FILE)
    try:
        tenant = desk.tenant
    except ConfigError:  # no crib here: the file and the folder say it all
        tenant = ""
    found = check(Policy.load(policies), properties, _tools(desk, tools_file), tenant)
    if as_json:
        emit_json(_as_dict(found))
    else:
        _print(found)
    ctx.exit(0 if found.holds else 1)


def _tools(desk: Desk, file: Path | None) -> Sequence[Governed]:
    from toolcrib.bench.tools import read_tools
    from toolcrib.errors import ConfigError

    if file is not None:
        return read_tools(file)
    try:
        return list(desk.crib().registry)
    except ConfigError:
        return []


def _as_dict(found: Checked) -> Mapping[str, Any]:
    return {
        "revision": found.revision,
        "holds": found.holds,
        "tools": found.tools,
        "tenants": list(found.tenants),
        "properties": [
            {
                "name": one.about.name,
                "kind": one.about.kind,
                "holds": one.holds,
                "witnesses": [witness.as_dict() for witness in one.witnesses],
                "notes": list(one.notes),
            }
            for one in found.findings
        ],
    }


def _print(found: Checked) -> None:
    out = console()
    for one in found.findings:
        _print_finding(one)
    violated = sum(not one.holds for one in found.findings)
    total = len(found.findings)
    say = f"{violated} of {total} violated" if violated else f"{total} hold" if total > 1 else "It holds"
    tenants = ", ".join(found.tenants) or "no tenant"
    out.print()
    out.print(f"{say}: revision {found.revision}, {found.tools} tools, {plain(tenants)}.", style="bold")


def _print_finding(one: Finding) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    out = console()
    mark, style = ("✓", "green") if one.holds else ("✕", "bold red")
    head = Table.grid(padding=(0, 1, 0, 0))
    head.add_row(Text(mark, style), Text(plain(one.about.name), "" if one.holds else "bold"))
    out.print(head)
    if one.witnesses:
        for line, line_style in _lines(one.witnesses[0]):
            out.print(Padding(Text(plain(line), line_style), (0, 0, 0, 2)))
        if command := one.witnesses[0].command:  # in one line however long, to be copied
            out.print(f"  try: {plain(command)}", style="cyan", soft_wrap=True)
        if more := len(one.witnesses) - 1:
            out.print(f"  and {more} more like this (--json shows all)", style="dim")
    for note in one.notes:
        out.print(Padding(Text(f"note: {plain(note)}", "yellow"), (0, 0, 0, 2)))


def _lines(witness: Witness) -> Sequence[tuple[str, str]]:
    lines = [(f"{witness.says} (tenant {witness.tenant})", "")]
    if witness.like > 1:
        lines.append((f"the same rows apply to {witness.like} users and agents together", "dim"))
    lines += [(str(row), "dim") for row in witness.rows]
    return [*lines, *((condition, "yellow") for condition in witness.conditions)]
