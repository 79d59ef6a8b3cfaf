"""The group that finds commands by name and imports only the one that is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from toolcrib.cli._desk import Desk
from toolcrib.cli._lazy import LazyGroup

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "approvals": ("toolcrib.cli.approvals:approvals", "Answer what waits for a human."),
    "artifacts": ("toolcrib.cli.artifacts:artifacts", "List and prune files that runs have left."),
    "audit": ("toolcrib.cli.audit:audit", "Show, query, verify and checkpoint the audit log."),
    "demo": ("toolcrib.cli.run:demo", "See agents work under control, in a fresh folder."),
    "doctor": ("toolcrib.cli.doctor:doctor", "Explain the state of this crib, and what to mend."),
    "freeze": ("toolcrib.cli.freeze:freeze", "Deny every call to a tool, at once."),
    "init": ("toolcrib.cli.init:init", "Make a new crib in a folder."),
    "keys": ("toolcrib.cli.keys:keys", "Make, list and revoke API keys."),
    "ledger": ("toolcrib.cli.ledger:ledger", "List and settle calls whose outcome is unknown."),
    "packs": ("toolcrib.cli.packs:packs", "Make, check, lock and verify tool packs."),
    "policy": ("toolcrib.cli.policy:policy", "Check policy, and explain its decisions."),
    "rollout": ("toolcrib.cli.rollout:rollout", "Show how far tools are rolled out, and move one a stage."),
    "run": ("toolcrib.cli.run:run", "Run a ready-made job."),
    "sandbox": ("toolcrib.cli.sandbox:sandbox", "Run code that a model wrote, and check how safely."),
    "secrets": ("toolcrib.cli.secrets:secrets", "Keep and check secrets; values are never shown."),
    "tools": ("toolcrib.cli.tools:tools", "List, show and call tools."),
    "unfreeze": ("toolcrib.cli.freeze:unfreeze", "Let a frozen tool go on."),
}
"""Command name: where it lives, and its line in `--help` (so that help imports nothing)."""


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=Path("toolcrib.toml"),
    show_default=True,
    help="The crib's config file.",
)
@click.version_option(package_name="toolcrib")
@click.pass_context
def cli(ctx: click.Context, config: Path) -> None:
    """Toolcrib: the governed layer between AI agents and their tools.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 waiting for an approval.
    """
    ctx.obj = ctx.with_resource(Desk(config))


def _teller(other: Callable[..., None]) -> Callable[..., None]:
    """Tells our own warnings in their own words, without file, line and source; the rest goes to `other`."""
    from toolcrib.cli._print import plain
    from toolcrib.errors import ToolcribWarning

    def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, ToolcribWarning):
            click.echo(f"{click.style('Warning:', bold=True)} {plain(message)}", err=True)
        else:
            other(message, category, *place, **more)

    return tell


def main() -> None:
    """Run the command line; our own errors and warnings are told in their own words, without a traceback."""
    import warnings

    from toolcrib.cli._print import plain
    from toolcrib.errors import ToolcribError

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _teller(warnings.showwarning)
            cli(prog_name="toolcrib")
    except ToolcribError as error:
        for label, text in (("Error", error.what), ("Rule", error.rule), ("Remedy", error.remedy)):
            if text:
                click.echo(f"{click.style(label + ':', bold=True)} {plain(text)}", err=True)
        sys.exit(1)
