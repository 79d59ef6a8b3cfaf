"""`toolcrib sandbox`: whether code that a model wrote can be run here, and how safely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from toolcrib.cli._desk import Desk
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.sandbox import Protection

__all__ = ["sandbox"]


@click.group()
def sandbox() -> None:
    """Check where code runs that a model wrote."""


@sandbox.command("check")
@as_json
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, desk: Desk, as_json: bool) -> None:
    """Try every protection of the sandbox on this engine; exit code 1 if a required one does not hold.

    Takes some seconds: each limit is run into, in a sandbox of its own.
    """
    crib = desk.crib()
    found = crib.run_sync(crib.sandbox.check())
    if as_json:
        emit_json([asdict(each) for each in found])
    else:
        _print(found)
    ctx.exit(int(any(each.required and not each.holds for each in found)))


def _print(found: Sequence[Protection]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("protection", "", "detail", box=None, pad_edge=False)
    for each in found:
        mark, style = ("holds", "green") if each.holds else ("DOES NOT HOLD", "bold red")
        if not each.holds and not each.required:
            mark, style = "does not hold, not required", "yellow"
        table.add_row(each.name, Text(mark, style), plain(each.detail))
    console().print(table)
    missing = [each.name for each in found if each.required and not each.holds]
    if missing:
        console().print(f"Runs are refused: {plain(', '.join(missing))}.", style="bold red")
