"""`toolcrib policy shadow`: what a candidate beside the policy in force has said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, console, emit_json
from toolcrib.cli._ways import call_filters, print_ways, progress_bar, samples_option, tally_as_dict

if TYPE_CHECKING:
    from toolcrib.bench.shadow_report import Shadowed
    from toolcrib.cli._desk import Desk

__all__ = ["shadow"]


@click.command("shadow")
@call_filters
@samples_option
@click.option("--revision", help="Which revision of the candidate. Default: the last one on the log.")
@click.option("--strict", is_flag=True, help="Exit with 1 if it differs, or if nothing was compared.")
@as_json
@click.pass_context
def shadow(
    ctx: click.Context, /, samples: int, revision: str | None, strict: bool, as_json: bool, **filters: Any
) -> None:
    """Show where the shadow policy ([policy] shadow in the config) differed from the one in force.

    What it lacked at the time (labels that nobody looked up, say) is unknown; replay may know it.
    """
    from toolcrib.bench.replay import Filters
    from toolcrib.bench.shadow_report import shadowed

    desk: Desk = ctx.obj
    with progress_bar(show=not as_json) as progress:
        found = shadowed(
            desk.audit_folder,
            revision=revision,
            filters=Filters(**filters),
            samples=samples,
            progress=progress,
        )
    if as_json:
        head = {"revision": found.revision, "revisions": found.revisions, "failures": found.failures}
        emit_json({**head, **tally_as_dict(found.tally)})
    else:
        _print(found, desk)
    tally = found.tally
    ctx.exit(1 if strict and (tally.changed or tally.unknown or not tally.decided) else 0)


def _print(found: Shadowed, desk: Desk) -> None:
    out, tally = console(), found.tally
    if found.revision is None:
        out.print("No call on the log was compared with a shadow policy.")
        named = desk.config.shadow
        out.print(
            f"The config names {named}." if named else 'Name a folder: [policy] shadow = "policies-next"'
        )
    else:
        differs = f"differs on {tally.changed:,}" if tally.changed else "agrees on all"
        unknown = f", {tally.unknown:,} unknown" if tally.unknown else ""
        print_ways(tally, f"Shadow revision {found.revision} {differs} of {tally.decided:,} calls{unknown}.")
        if len(found.revisions) > 1:
            others = ", ".join(f"{one} ({count:,})" for one, count in found.revisions.items())
            out.print(f"Revisions on the log, with calls: {others}", style="dim")
    for failure in found.failures:
        out.print(f"failed: {failure}", style="yellow")
