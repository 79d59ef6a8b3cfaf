"""`toolcrib policy`: check the policy's files, and explain one decision."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import click

from toolcrib.cli._lazy import LazyGroup
from toolcrib.cli._pairs import pair
from toolcrib.cli._print import as_json, console, emit_json, plain
from toolcrib.effects import EFFECTS

if TYPE_CHECKING:
    from pathlib import Path

    from toolcrib.decisions import Decision, Row
    from toolcrib.effects import Effect
    from toolcrib.policy import Explanation, RowResult

__all__ = ["policy"]

_STYLES = {"allow": "bold green", "review": "bold yellow", "deny": "bold red"}
_MARKS = {"matches": "✓", "condition is false": "·", "condition raises": "!", "waits for the preview": "?"}


class Desk(Protocol):
    """What these commands need of the crib's desk."""

    @property
    def policy_folder(self) -> Path:
        """Where model.conf and policy.csv are."""

    @property
    def tenant(self) -> str:
        """The crib's tenant."""

    def crib(self) -> Any:
        """The crib, assembled now."""


COMMANDS: dict[str, tuple[str, str]] = {
    "diff": ("toolcrib.cli.policy_diff:diff", "Show what a change of policy does, the worst first."),
    "import": ("toolcrib.cli.policy_rollback:import_rows", "Replace all rows by those of a file."),
    "lint": (
        "toolcrib.cli.policy_lint:lint",
        "Find what is wrong with a policy, and where.",
    ),
    "log": ("toolcrib.cli.policy_log:log", "List the revisions that were in force."),
    "matrix": ("toolcrib.cli.policy_matrix:matrix", "Show what every role may do, here or as a page."),
    "test": ("toolcrib.cli.policy_test:test", "Run policy tests: tables in words."),
    "check": ("toolcrib.cli.policy_check:check", "Check properties over everybody and every tool."),
    "replay": ("toolcrib.cli.policy_replay:replay", "Try past calls on a changed policy."),
    "rollback": ("toolcrib.cli.policy_rollback:rollback", "Bring an earlier revision back."),
    "shadow": ("toolcrib.cli.policy_shadow:shadow", "Show where the shadow policy differed."),
    "what-can": ("toolcrib.cli.policy_what_can:what_can", "List what a user, agent or role may do."),
    "who-can": ("toolcrib.cli.policy_who_can:who_can", "List who may call a tool."),
}
"""The commands that live in files of their own: where, and their line in `--help`."""


@click.group(cls=LazyGroup, lazy=COMMANDS)
def policy() -> None:
    """Check the policy's files, and explain one decision."""


# --- explain ----------------------------------------------------------------------------------------


def _pairs(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Any]:
    """`a.b=1` as `{"a": {"b": 1}}`; a value that is not JSON is text."""
    found: dict[str, Any] = {}
    for text in values:
        name, value = pair(text, context, parameter)
        *path, last = name.split(".")
        level = found
        for step in path:
            level = level.setdefault(step, {})
            if not isinstance(level, dict):
                raise click.BadParameter(f"{step!r} in {text!r} is a value already", context, parameter)
        level[last] = value
    return found


def _facts_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--user", help="On whose behalf; left out: nobody (user:none)."),
        click.option("--agent", required=True, help="Which agent asks."),
        click.option("--tenant", help="Default: the crib's."),
        click.option("--arg", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="An argument."),
        click.option(
            "--before",
            multiple=True,
            callback=_pairs,
            metavar="NAME=VALUE",
            help="A field of the record as it stands.",
        ),
        click.option("--label", multiple=True, help="A label that the session has."),
        click.option("--effect", type=click.Choice(EFFECTS), help="For a tool that is not installed."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@policy.command()
@click.argument("tool")
@_facts_options
@as_json
@click.pass_obj
def explain(
    desk: Desk,
    tool: str,
    user: str | None,
    agent: str,
    tenant: str | None,
    arg: dict[str, Any],
    before: dict[str, Any],
    label: Sequence[str],
    effect: str | None,
    as_json: bool,
) -> None:
    """Decide one call to TOOL without making it, and say why. TOOL may be a secret: secret:PACK.NAME.

    VALUEs are JSON where they can be (`amount=5`), else text; `a.b=1` is a field of a field. An argument
    that the tool has not, or that a row reads and that is missing here, is wrong usage (exit code 2).
    """
    from toolcrib.cli._asked import asked_tool, check_told, told_arguments, told_notes
    from toolcrib.cli._remedy import print_remedy, remedy_dict
    from toolcrib.policy import NO_PREVIEW, OPEN, Facts, Policy
    from toolcrib.policy import explain as explain_call
    from toolcrib.principal import Principal

    asked = asked_tool(desk, tool, cast("Effect | None", effect))
    arguments = told_arguments(asked, arg, before)
    record = before or (OPEN if asked.has_preview else NO_PREVIEW)
    principal = Principal(agent, user, tenant or desk.tenant)
    facts = Facts(arguments, frozenset(label), record)
    if asked.sandbox is not None:
        asked.sandbox.fill(facts, asked.schema)
    policy = Policy.load(desk.policy_folder)
    found = explain_call(policy, principal, asked, facts)
    check_told(found, asked.name, arguments)
    notes = told_notes(asked, arguments)
    if as_json:
        remedies = remedy_dict(policy, principal, asked, facts)
        emit_json({**_as_dict(found), **remedies, "notes": list(notes)})
    else:
        _print(found)
        print_remedy(policy, principal, asked, facts)
        for note in notes:
            console().print(plain(f"\nnote: {note}"), style="yellow", soft_wrap=True)


def _as_dict(found: Explanation) -> dict[str, Any]:
    decision = found.decision
    return {
        "verdict": decision.verdict,
        "is_open": decision.is_open,
        "reason": decision.reason,
        "revision": decision.revision,
        "rows": [_row(row) for row in decision.rows],
        "reviews": [_row(row) for row in decision.reviews],
        "quotas": [_row(row) for row in decision.quotas],
        "inputs": dict(decision.inputs),
        "roles": {subject: list(roles) for subject, roles in found.roles.items()},
        "considered": [{**_row(one.row), "outcome": one.outcome, "why": one.why} for one in found.considered],
        "remedies": list(found.remedies),
    }


def _row(row: Row) -> dict[str, Any]:
    return {"place": row.place, "kind": row.kind, "values": list(row.values)}


def _print(found: Explanation) -> None:
    out, decision = console(), found.decision
    out.print(_headline(decision), style=_STYLES["review" if decision.is_open else decision.verdict])
    out.print(plain(decision.reason) + ".")
    out.print()
    for subject, roles in found.roles.items():
        out.print(f"{subject} holds {', '.join(roles) or 'no role'}")
    if found.considered:
        _print_rows(found.considered)
    for name, value in decision.inputs.items():
        out.print(f"read: {name} = {plain(json.dumps(value, ensure_ascii=False, default=str))}")
    if found.remedies:
        out.print()
        out.print("What would allow it:", style="bold")
        for remedy in found.remedies:
            out.print(f"  {plain(remedy)}", soft_wrap=True)  # a row is to be pasted


def _headline(decision: Decision) -> str:
    if decision.is_open:
        return "open: waits for the record before the change (--before)"
    return decision.verdict


def _print_rows(results: Sequence[RowResult]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("", "LINE", "ROW", "OUTCOME"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("", "LINE"))
    for one in results:
        row = ", ".join((one.row.kind, *one.row.values))
        outcome = f"{one.outcome}: {one.why}" if one.why else one.outcome
        table.add_row(_MARKS[one.outcome], one.row.place, plain(row), outcome)
    console().print()
    console().print(table)
