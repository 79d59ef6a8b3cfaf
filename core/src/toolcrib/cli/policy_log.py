"""`toolcrib policy log`: which policy was in force since when, by whom, and what that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.cli._desk import Desk
    from toolcrib.policy import Entry, History

__all__ = ["log"]


@click.command("log")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@as_json
@click.pass_obj
def log(desk: Desk, limit: int, as_json: bool) -> None:
    """List the revisions that were in force, newest first: since when, by whom, and what changed."""
    from toolcrib.policy import History

    history = History(desk.folder / "policy-history")
    entries = history.entries()
    pairs = list(zip(entries, [None, *entries], strict=False))[::-1][:limit]
    told = [(entry, _effect(desk, history, before, entry)) for entry, before in pairs]
    if as_json:
        emit_json([{**asdict(entry), "effect": effect} for entry, effect in told])
    elif told:
        _print(told)
    else:
        click.echo("No policy was in force yet; the first call opens it.")


def _effect(desk: Desk, history: History, before: Entry | None, entry: Entry) -> str:
    """What the change did, in words."""
    from toolcrib.bench.diff import diff
    from toolcrib.bench.tools import tools_of_rows
    from toolcrib.cli._changes import summary
    from toolcrib.errors import ToolcribError

    if before is None:
        return ""
    try:
        old, new = (history.texts(one.revision).policy() for one in (before, entry))
        tools: list[Any] = list(desk.crib().registry)
        return summary(diff(old, new, [*tools, *tools_of_rows((old, new), tools)], desk.tenant))
    except ToolcribError as error:
        return f"cannot be told: {error.what}"


def _print(told: Sequence[tuple[Entry, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("REVISION", "SINCE (UTC)", "BY", "ROWS", "WHAT"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("REVISION", "SINCE (UTC)", "ROWS"))
    for entry, effect in told:
        since = entry.when.replace("T", " ").rstrip("Z")
        rows = f"{entry.rows} (+{entry.added} -{entry.removed})"
        what = plain(f"{entry.why}: {effect}" if effect else entry.why)
        table.add_row(entry.revision, since, plain(entry.by), rows, what)
    console().print(table)
