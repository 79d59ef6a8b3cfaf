"""`toolcrib rollout`: who may do what on their own, and one stage up or down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._acts import act_options, change_rows
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.bench.rollout import Rollout
    from toolcrib.cli._desk import Desk
    from toolcrib.policy import Texts
    from toolcrib.tools import Tool

__all__ = ["rollout"]

_STYLES = {"read-only": "green", "supervised": "yellow", "autonomous": "red"}


@click.group()
def rollout() -> None:
    """Show how far tools are rolled out, and move one a stage up or down.

    The stages: read-only (no row allows it), supervised (a human looks first), autonomous (fenced by deny
    rows with conditions). They are a view of policy rows, not a second mechanism.
    """


def _whom(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--agent", help="For this agent."),
        click.option("--role", help="For this role."),
        click.option("--user", help="For this user. Default: for everybody (*)."),
        click.option("--tenant", help="Default: the crib's."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _subject(agent: str | None, role: str | None, user: str | None) -> str:
    given = [
        *([f"agent:{agent}"] if agent else []),
        *([role] if role else []),
        *([f"user:{user}"] if user else []),
    ]
    if len(given) > 1:
        raise click.UsageError("Say one of --agent, --role and --user.")
    return given[0] if given else "*"


@rollout.command()
@click.argument("tools", nargs=-1, metavar="[TOOL]...")
@_whom
@as_json
@click.pass_obj
def show(
    desk: Desk,
    tools: tuple[str, ...],
    agent: str | None,
    role: str | None,
    user: str | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Show the stage of each TOOL (default: all that do something) for an agent, a role, a user or
    everybody.
    """
    from toolcrib.bench.rollout import stage_of
    from toolcrib.bench.view import View

    registry = desk.crib().registry
    wanted = [registry.get(name) for name in tools] or [one for one in registry if one.effect != "read"]
    wanted.sort(key=lambda tool: tool.name)
    subject = _subject(agent, role, user)
    view = View(desk.crib().policy_origin.read().policy(), tenant or desk.tenant)
    cells = [view.cell(tool, subject) for tool in wanted]
    if as_json:
        pairs = zip(wanted, cells, strict=True)
        emit_json(
            [
                {"tool": tool.name, "effect": tool.effect, "stage": stage_of(cell), **cell.as_dict()}
                for tool, cell in pairs
            ]
        )
        return
    _print([(tool, stage_of(cell), cell.words) for tool, cell in zip(wanted, cells, strict=True)], subject)


def _print(rows: list[tuple[Tool, str, str]], subject: str) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    out.print(f"For {plain('everybody' if subject == '*' else subject)}:")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("TOOL", "EFFECT", "STAGE", "BECAUSE"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "BECAUSE")
    for tool, stage, words in rows:
        table.add_row(tool.name, tool.effect, Text(stage, _STYLES[stage]), plain(words))
    out.print(table)


@rollout.command()
@click.argument("tool")
@_whom
@click.option("--approvers", default="requester", show_default=True, help="To supervised: who looks first.")
@click.option(
    "--fence",
    default="",
    metavar="CONDITION",
    help="To autonomous: what stays denied, for example 'r.ctx.now.hour >= 20'.",
)
@click.option(
    "--unfenced", is_flag=True, help="To autonomous, though no deny row with a condition covers it."
)
@act_options
@click.pass_obj
def promote(
    desk: Desk,
    tool: str,
    agent: str | None,
    role: str | None,
    user: str | None,
    tenant: str | None,
    approvers: str,
    fence: str,
    unfenced: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """One stage up: read-only → supervised → autonomous. You need a row that allows you policy.promote."""
    subject = _subject(agent, role, user)
    _move(
        desk,
        "promote",
        tool,
        subject,
        tenant,
        lambda one: one.promote(approvers=approvers, fence=fence, unfenced=unfenced),
        {"yes": yes, "dry_run": dry_run, "as_json": as_json},
    )


@rollout.command()
@click.argument("tool")
@_whom
@click.option("--approvers", default="requester", show_default=True, help="To supervised: who looks first.")
@act_options
@click.pass_obj
def demote(
    desk: Desk,
    tool: str,
    agent: str | None,
    role: str | None,
    user: str | None,
    tenant: str | None,
    approvers: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """One stage down: autonomous → supervised → read-only. You need a row that allows you policy.demote."""
    subject = _subject(agent, role, user)
    how = {"yes": yes, "dry_run": dry_run, "as_json": as_json}
    _move(desk, "demote", tool, subject, tenant, lambda one: one.demote(approvers=approvers), how)


def _move(
    desk: Desk,
    act: Any,
    tool: str,
    subject: str,
    tenant: str | None,
    edit: Callable[[Rollout], str],
    how: dict[str, bool],
) -> None:
    from toolcrib.bench.rollout import Rollout

    where = tenant or desk.tenant
    governed = desk.crib().registry.get(tool)

    def edited(texts: Texts) -> str:
        return edit(Rollout(texts, governed, subject, where))

    who = "everybody" if subject == "*" else subject
    change_rows(
        desk,
        act,
        {"tool": governed.name, "effect": governed.effect, "subject": subject, "tenant": where},
        edited,
        why=f"{act} {governed.name} for {who} in {where}",
        yes=how["yes"],
        dry_run=how["dry_run"],
        as_json=how["as_json"],
    )
