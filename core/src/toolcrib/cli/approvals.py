"""`toolcrib approvals`: answer what waits for a human, from any terminal on this machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from toolcrib.approvals import (
    Answer,
    AnswerVerdict,
    Approval,
    ApprovalStatus,
    approval_to,
    approvers_of,
    require_status,
    take_answer,
    unmet,
)
from toolcrib.approvals._edits import edit_from
from toolcrib.cli._print import as_json, emit_json
from toolcrib.decisions import Row
from toolcrib.errors import InvalidArguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolcrib.cli._desk import Desk

__all__ = ["approvals"]

note_option = click.option("--note", default="", help="A word to the agent and to the audit log.")


@click.group()
def approvals() -> None:
    """List, show and answer the calls that wait for a human.

    An ID may be shortened as long as it stays unique.
    """


@approvals.command("list")
@click.option(
    "--status", type=click.Choice([*get_args(ApprovalStatus), "all"]), default="pending", show_default=True
)
@click.option("--tenant", help="Only this tenant's.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json
@click.pass_obj
def list_approvals(desk: Desk, status: str, tenant: str | None, limit: int, as_json: bool) -> None:
    """List approvals, oldest first."""
    wanted: Any = None if status == "all" else status
    found = desk.state().list_approvals(status=wanted, tenant=tenant, limit=limit)
    if as_json:
        emit_json([approval_to(approval) for approval in found])
    elif found:
        _print_table(found)
    else:
        click.echo("Nothing waits for an approval." if status == "pending" else "There is none.")


@approvals.command()
@click.argument("approval_id", metavar="ID")
@as_json
@click.pass_obj
def show(desk: Desk, approval_id: str, as_json: bool) -> None:
    """Show who asks for what, and what would change: before -> after."""
    approval = desk.state().approval_by_prefix(approval_id)
    if as_json:
        emit_json(approval_to(approval))
        return
    from toolcrib.approvals._render import approval_view, console_for

    console_for(sys.stdout).print(approval_view(approval))


@approvals.command()
@click.argument("approval_id", metavar="ID")
@note_option
@as_json
@click.pass_obj
def approve(desk: Desk, approval_id: str, note: str, as_json: bool) -> None:
    """Say yes, for this one call with these arguments."""
    _answer(desk, _open(desk, approval_id), "approve", note, None, as_json)


@approvals.command()
@click.argument("approval_id", metavar="ID")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change one argument; repeat.")
@click.option(
    "--json-arguments",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A file with all new arguments as one JSON object; - reads standard input.",
)
@note_option
@as_json
@click.pass_obj
def edit(
    desk: Desk, approval_id: str, settings: tuple[str, ...], file: Path | None, note: str, as_json: bool
) -> None:
    """Change the arguments, and say yes to the changed call."""
    if bool(settings) == bool(file):
        raise click.UsageError("Give either --set NAME=VALUE or --json-arguments FILE.")
    approval = _open(desk, approval_id)
    edited = edit_from(approval, settings) if file is None else _arguments_from(file)
    _answer(desk, approval, "edit", note, edited, as_json)


@approvals.command()
@click.argument("approval_id", metavar="ID")
@note_option
@as_json
@click.pass_obj
def reject(desk: Desk, approval_id: str, note: str, as_json: bool) -> None:
    """Say no; also to a yes that has not been used yet."""
    _answer(desk, _open(desk, approval_id, "approved"), "reject", note, None, as_json)


def _open(desk: Desk, typed: str, *also: str) -> Approval:
    approval = desk.state().approval_by_prefix(typed)
    require_status(approval, "pending", *also)
    return approval


def _answer(
    desk: Desk,
    approval: Approval,
    verdict: AnswerVerdict,
    note: str,
    edited: Mapping[str, Any] | None,
    as_json: bool,
) -> None:
    answer = Answer(verdict, desk.approver(), time.time(), note, edited)
    policy = desk.policy()

    def approves(person: str, row: Row) -> bool:
        return policy.approves(person, row, approval.principal)

    now = take_answer(desk.state(), desk.record, approval, answer, approves)
    left = unmet(now.requirements, now.standing, approves) if now.status == "pending" else ()
    if as_json:
        emit_json({**approval_to(now), "unmet": [str(row) for row in left]})
    else:
        _print_outcome(now, answer, left)


def _arguments_from(file: Path) -> dict[str, Any]:
    import orjson

    try:
        text = sys.stdin.read().encode() if str(file) == "-" else file.read_bytes()
        value = orjson.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidArguments(f"{file} holds no JSON: {error}", remedy="Give one JSON object") from error
    if not isinstance(value, dict):
        raise InvalidArguments(f"{file} holds no JSON object", remedy="Give all arguments as one object")
    return value


def _print_outcome(approval: Approval, answer: Answer, left: tuple[Row, ...]) -> None:
    done = {"approve": "approved", "edit": "edited and approved", "reject": "rejected"}[answer.verdict]
    click.echo(f"{approval.id}: {approval.tool} {done} by {answer.by}")
    for row in left:
        click.echo(f"It still needs {approvers_of(row)} ({row.place})")


def _print_table(found: list[Approval]) -> None:
    from rich.table import Table

    from toolcrib.approvals._render import console_for, span

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("ID", "Tool", "Asked by", "Needs", "Expires"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("ID", "Tool", "Expires"))
    now = time.time()
    for approval in found:
        who = approval.principal
        table.add_row(
            approval.id,
            approval.tool,
            f"{who.agent} for {who.user or 'nobody'}",
            "\n".join(dict.fromkeys(approvers_of(row).replace("|", " | ") for row in approval.requirements)),
            "in " + span(approval.expires - now, coarse=True)
            if approval.status == "pending"
            else approval.status,
        )
    console_for(sys.stdout).print(table)
