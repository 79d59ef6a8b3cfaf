"""`toolcrib ledger`: calls that wrote something, and those of which nobody knows whether they did."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import click

from toolcrib.cli._print import as_json, emit_json
from toolcrib.state import LedgerRow, LedgerStatus

if TYPE_CHECKING:
    from toolcrib.cli._desk import Desk
    from toolcrib.state import State

__all__ = ["ledger"]


@click.group()
def ledger() -> None:
    """List the calls that write, and settle those whose outcome is unknown.

    An ID may be shortened as long as it stays unique.
    """


@ledger.command("list")
@click.option(
    "--status", type=click.Choice([*get_args(LedgerStatus), "all"]), default="ambiguous", show_default=True
)
@click.option("--tenant", help="Only this tenant's.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json
@click.pass_obj
def list_rows(desk: Desk, status: str, tenant: str | None, limit: int, as_json: bool) -> None:
    """List ledger rows, newest first."""
    _mark_orphans(desk)
    wanted: Any = None if status == "all" else status
    rows = desk.state().ledger(status=wanted, tenant=tenant, limit=limit)
    if as_json:
        emit_json([_as_dict(row) for row in rows])
    elif rows:
        _print_table(rows)
    else:
        click.echo("No call is ambiguous." if status == "ambiguous" else "There is no such row.")


@ledger.command()
@click.argument("row_id", metavar="ID")
@click.option("--done", "status", flag_value="done", help="It did happen.")
@click.option("--failed", "status", flag_value="failed", help="It did not happen.")
@click.option("--note", required=True, help="How you know; it goes to the audit log.")
@as_json
@click.pass_obj
def settle(desk: Desk, row_id: str, status: str | None, note: str, as_json: bool) -> None:
    """Say what became of an ambiguous call, after you have looked in the system that it wrote to."""
    if status not in ("done", "failed"):
        raise click.UsageError("Say --done or --failed.")
    _mark_orphans(desk)
    person, state = desk.approver(), desk.state()
    row = state.ledger_row(row_id)
    if row.status == "ambiguous":  # else `settle_by_hand` refuses, and there is nothing to record
        _record(desk, row, status, person, note)
    row = state.settle_by_hand(row.id, "done" if status == "done" else "failed", by=person, note=note)
    if as_json:
        emit_json(_as_dict(row))
    else:
        click.echo(f"{row.id}: {row.scope.tool} settled as {row.status} by {person}")


def _mark_orphans(desk: Desk) -> None:
    state: State = desk.state()
    for row in state.mark_orphans():
        desk.record(kind="admin", action="ledger.orphan", row=row.id, call=row.call_id, tool=row.scope.tool)


def _record(desk: Desk, row: LedgerRow, status: str, person: str, note: str) -> None:
    desk.record(
        kind="admin",
        action="ledger.settle",
        row=row.id,
        call=row.call_id,
        tool=row.scope.tool,
        tenant=row.scope.tenant,
        status=status,
        by=person,
        note=note,
    )


def _as_dict(row: LedgerRow) -> dict[str, Any]:
    plain = asdict(row)
    plain.pop("scope")
    return {**row.scope._asdict(), **plain}


def _print_table(rows: list[LedgerRow]) -> None:
    from rich.table import Table

    from toolcrib.approvals._render import console_for

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("ID", "Status", "Tool", "For", "Call", "Since"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("ID", "Status", "Tool"))
    for row in rows:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created))
        status = f"{row.status}\nby {row.settled_by}" if row.settled_by else row.status
        who = f"{row.scope.agent} for {row.scope.user}"
        table.add_row(row.id, status, row.scope.tool, who, row.call_id, since)
    console_for(sys.stdout).print(table)
