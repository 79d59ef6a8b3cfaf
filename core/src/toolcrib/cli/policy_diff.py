"""`toolcrib policy diff`: what a change of policy does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolcrib.cli._cells import Desk
from toolcrib.cli._print import as_json, console, emit_json

if TYPE_CHECKING:
    from toolcrib.policy import Governed, Policy

__all__ = ["diff"]

SAME, CHANGED, TROUBLE = 0, 1, 2
MANY = 10
_REVISION = re.compile("[0-9a-f]{4,12}")


@click.command("diff")
@click.argument("old")
@click.argument("new", required=False)
@click.option("--tenant", "tenants", multiple=True, help="Only this tenant. Default: every tenant.")
@click.option(
    "--tools", "tools_file", type=click.Path(path_type=Path), help="A list from `tools list --json`."
)
@as_json
@click.pass_context
def diff(
    ctx: click.Context,
    old: str,
    new: str | None,
    tenants: Sequence[str],
    tools_file: Path | None,
    as_json: bool,
) -> None:
    """Show what calls NEW decides in another way than OLD, the widest blast radius first.

    OLD and NEW are policy folders, policy.csv files or revisions (`policy log`); NEW is the crib's policy
    if it is left out. Moved rows and remarks are no difference. Exit codes: 0 nothing changes, 1 something
    does, 2 one of them cannot be read.
    """
    from toolcrib.errors import ToolcribError

    desk: Desk = ctx.obj
    try:
        policies = [_policy(desk, old), _policy(desk, new or str(desk.policy_folder))]
        changed = _show(desk, policies, tenants, tools_file, as_json=as_json)
    except ToolcribError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(TROUBLE)
    ctx.exit(CHANGED if changed else SAME)


def _show(
    desk: Desk, policies: Sequence[Policy], tenants: Sequence[str], tools_file: Path | None, *, as_json: bool
) -> bool:
    from toolcrib.bench.diff import diff_everywhere
    from toolcrib.cli._changes import print_changes

    old, new = policies
    tools = _tools(desk, policies, tools_file)
    changes = diff_everywhere(old, new, tools, tenants=tenants or None, progress=_progress)
    if as_json:
        emit_json(
            {"old": old.revision, "new": new.revision, "changes": [change.as_dict() for change in changes]}
        )
    else:
        print_changes(changes)
    return bool(changes)


def _progress(tenants: Sequence[str]) -> Iterable[str]:
    """A bar where many tenants take a while and somebody watches."""
    if len(tenants) < MANY or not sys.stderr.isatty():
        return tenants
    from rich.progress import track

    return track(tenants, "Comparing tenants", console=console(stderr=True), transient=True)


def _policy(desk: Desk, name: str) -> Policy:
    """The policy of a folder, of a file of rows (with the model beside it, else the shipped one), or of a
    revision that was in force.
    """
    from toolcrib.policy import MODEL, History, Policy
    from toolcrib.policy._files import read_text

    path = Path(name)
    if _REVISION.fullmatch(name) and not path.exists():
        return History(desk.folder / "policy-history").texts(name).policy()
    if not path.is_file():
        return Policy.load(path)
    model = path.parent / "model.conf"
    return Policy.of(read_text(model) if model.is_file() else MODEL, read_text(path))


def _tools(desk: Desk, policies: Sequence[Policy], tools_file: Path | None) -> list[Governed]:
    """Those of the list; else the installed ones, where there is a crib, and what rows name besides."""
    from toolcrib.bench.tools import read_tools, tools_of_rows
    from toolcrib.errors import ConfigError

    if tools_file is not None:
        return read_tools(tools_file)
    try:
        installed: list[Governed] = list(desk.crib().registry)
    except ConfigError:
        installed = []
    return [*installed, *tools_of_rows(policies, installed)]
