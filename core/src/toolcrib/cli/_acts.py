"""How commands that change the policy go: show what it does, ask, record, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolcrib.bench.acts import Act, Proposal
    from toolcrib.bench.acts import Desk as ActDesk
    from toolcrib.bench.diff import Change
    from toolcrib.cli._desk import Desk
    from toolcrib.policy import Texts

__all__ = ["act_options", "carry_out", "change_rows", "desk_of"]

_SHOWN = 20
"""Rows of each kind that are shown before the question."""


def act_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`, `--dry-run` and `--json`."""
    yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
    dry = click.option("--dry-run", is_flag=True, help="Only show what it would do.")
    return yes(dry(as_json(command)))


def desk_of(desk: Desk) -> ActDesk:
    """Where whoever sits here changes the policy; raises `ConfigError` if the config does not map them."""
    from toolcrib.bench.acts import Desk as ActDesk

    return ActDesk(desk.crib(), desk.approver())


def change_rows(
    desk: Desk,
    act: Act,
    arguments: Mapping[str, Any],
    edit: Callable[[Texts], str],
    *,
    why: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Propose what `edit` makes of the rows, and carry it out."""
    _check_options(yes=yes, dry_run=dry_run, as_json=as_json)
    acts = desk_of(desk)
    before = acts.texts()
    after = replace(before, rows=edit(before), numbers=None)
    proposal = acts.propose(act, arguments, before, after, why=why)
    carry_out(acts, proposal, yes=yes, dry_run=dry_run, as_json=as_json)


def carry_out(
    acts: ActDesk,
    proposal: Proposal,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Show the difference, ask, and do it; `then` is done right after."""
    _check_options(yes=yes, dry_run=dry_run, as_json=as_json)
    changes = acts.differences(proposal)
    if not as_json:
        _show(proposal, changes)
    if dry_run or proposal.changes_nothing:
        _report(proposal, changes, None, as_json=as_json)
        return
    decision = acts.permit(proposal)
    if not yes and not click.confirm(f"{proposal.why[0].upper()}{proposal.why[1:]}?"):
        click.echo("Nothing was changed.")
        raise click.exceptions.Exit(1)
    revision = acts.do(proposal, decision)
    then()
    _report(proposal, changes, revision, as_json=as_json)


def _check_options(*, yes: bool, dry_run: bool, as_json: bool) -> None:
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json does not ask: add --yes or --dry-run.")


def _show(proposal: Proposal, changes: list[Change] | None) -> None:
    from toolcrib.cli._changes import print_changes

    out = console()
    for sign, style, rows in (("-", "red", proposal.removed), ("+", "green", proposal.added)):
        for row in rows[:_SHOWN]:
            out.print(f"{sign} {plain(row)}", style=style, soft_wrap=True)
        if len(rows) > _SHOWN:
            out.print(f"{sign} … {len(rows) - _SHOWN} rows more", style=style)
    if proposal.still_frozen:
        stopped = plain(", ".join(proposal.still_frozen))
        out.print(f"Still frozen, as now: {stopped}. Only `toolcrib unfreeze` lets it go on.", soft_wrap=True)
    if proposal.changes_nothing:
        out.print("It is so already; nothing changes.")
        return
    out.print()
    if changes is None:
        out.print("The policy that stands there cannot be compared: it does not load, or is a custom model.")
    else:
        print_changes(changes)


def _report(proposal: Proposal, changes: list[Change] | None, revision: str | None, *, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "act": proposal.act,
                "done": revision is not None,
                "revision": revision or proposal.policy.revision,
                "added": list(proposal.added),
                "removed": list(proposal.removed),
                "still_frozen": list(proposal.still_frozen),
                "changes": None if changes is None else [one.as_dict() for one in changes],
            }
        )
    elif revision is not None:
        console().print(f"Done: {plain(proposal.why)}. Revision {revision}.", style="bold")
