"""`toolcrib policy replay`: past calls against a changed policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import as_json, emit_json
from toolcrib.cli._ways import call_filters, print_ways, progress_bar, samples_option, tally_as_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolcrib.bench.replay import Replay, ToolFacts
    from toolcrib.cli._desk import Desk

__all__ = ["replay"]

PROCESSES = 2


@click.command("replay")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@call_filters
@samples_option
@click.option("--no-verify", is_flag=True, help="Do not verify the log first.")
@click.option("--strict", is_flag=True, help="Exit with 1 if any call goes another way, or is unknown.")
@as_json
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    folder: Path,
    samples: int,
    no_verify: bool,
    strict: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Decide the calls on the audit log again, by the policy in FOLDER, and show which go another way.

    Nothing is run and nothing is changed. What the log does not keep is counted as unknown.
    """
    from toolcrib.bench.replay import Filters, replay

    desk: Desk = ctx.obj
    with progress_bar(show=not as_json) as progress:
        found = replay(
            desk.audit_folder,
            folder,
            tools=_tools(desk),
            filters=Filters(**filters),
            samples=samples,
            verify=not no_verify,
            processes=PROCESSES,
            progress=progress,
        )
    if as_json:
        head = {"revision": found.revision, "verified": found.verified}
        emit_json({**head, **tally_as_dict(found.tally)})
    else:
        _print(found)
    ctx.exit(1 if strict and (found.tally.changed or found.tally.unknown) else 0)


def _tools(desk: Desk) -> Mapping[str, ToolFacts]:
    from toolcrib.bench.replay import facts_of_tools

    return facts_of_tools(desk.crib().registry)


def _print(found: Replay) -> None:
    tally = found.tally
    if not tally.decided:
        print_ways(tally, "No call on the log that policy decided fits.")
        return
    would = f"{tally.changed:,} would go another way" if tally.changed else "none would go another way"
    unknown = f", {tally.unknown:,} cannot be told" if tally.unknown else ""
    checked = "the log verified" if found.verified else "the log was not verified"
    print_ways(tally, f"Revision {found.revision}: {would}{unknown} ({checked}).")
