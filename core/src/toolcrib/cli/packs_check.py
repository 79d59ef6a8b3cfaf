"""`toolcrib packs check`: hold packs to what every pack must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._pairs import pair
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.packs._project import Project
    from toolcrib.testing._pack_outcome import Outcome

__all__ = ["check"]

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def _settings(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Any]:
    return dict(pair(text, context, parameter) for text in values)


@click.command("check")
@click.argument("names", nargs=-1, metavar="[PACK]...")
@click.option(
    "--backend", default="", metavar="NAME", help="The backend to check, where the pack has several."
)
@click.option("--set", "settings", multiple=True, callback=_settings, metavar="KEY=VALUE",
              help="A setting of the pack, on top of its suite's; JSON, else text.")  # fmt: skip
@click.option("--only", "checks", multiple=True, metavar="CHECK", help="Make this check only (repeatable).")
@click.option("--timeout", "seconds", type=click.FloatRange(1), default=120.0, show_default=True,
              help="Seconds that one check may take.")  # fmt: skip
@click.option("--junit", metavar="FILE", help="Write JUnit XML to FILE (-: print it).")
@as_json
@click.pass_context
def check(
    ctx: click.Context, names: tuple[str, ...], backend: str, settings: dict[str, Any],
    checks: tuple[str, ...], seconds: float, junit: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Hold installed packs to what every pack must do: the kit's conformance suite, with its good calls.

    Without a PACK: that of the project in this folder, as it stands and whether it is installed or not; where
    there is none, every installed pack. A pack runs in a process of its own, without your environment and
    your secrets, but with your user's rights. Needs no crib.
    """
    _refuse_unknown(checks)
    quiet = as_json or junit == "-"
    reports = {}
    project = None if names else _project()
    for name in names or _all(project):
        asked = {"backend": backend, "settings": settings, "checks": checks, "seconds": seconds}
        reports[name] = _check(name, {**asked, "project": project}, quiet)
    if junit:
        from toolcrib.cli._bench import write_file
        from toolcrib.cli._check_xml import junit as as_xml

        write_file(junit, as_xml(reports))
    if as_json:
        emit_json([_as_dict(name, outcomes) for name, outcomes in reports.items()])
    failed = any(one.status == "failed" for outcomes in reports.values() for one in outcomes)
    ctx.exit(1 if failed else 0)


def _refuse_unknown(checks: tuple[str, ...]) -> None:
    from toolcrib._nearest import did_you_mean
    from toolcrib.testing._pack_outcome import REMEDIES

    for name in checks:
        if name not in REMEDIES:
            raise click.BadParameter(
                f"no check is called {name!r}. {did_you_mean(name, REMEDIES)}", param_hint="--only"
            )


def _project() -> Project | None:
    from toolcrib.packs._project import project_here

    return project_here(Path())


def _all(project: Project | None) -> list[str]:
    """The packs of the project, else all that are installed."""
    from toolcrib.packs._discover import discover

    if found := list(project.points if project else discover()):
        return found
    raise click.UsageError("No pack is installed: name one, or run this in a pack's project.")


def _check(name: str, asked: dict[str, Any], quiet: bool) -> list[Outcome]:
    from toolcrib.errors import PackError
    from toolcrib.packs._check import check_apart
    from toolcrib.testing._pack_outcome import Outcome

    out = console()
    if not quiet:
        notes = [note for note in (asked["backend"], "the project here" if asked["project"] else "") if note]
        out.print(plain(f"{name} ({', '.join(notes)})" if notes else name), style="bold")
    try:
        outcomes = check_apart(name, **asked, told=(lambda outcome: None) if quiet else _print)
    except PackError as error:  # told like a check, so that the packs behind it are still checked
        outcomes = [Outcome("start", "failed", (str(error),))]
        if not quiet:
            _print(outcomes[0])
    if not quiet:
        counts = {status: sum(one.status == status for one in outcomes) for status in _STYLES}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        out.print(told, style=_STYLES["failed" if counts["failed"] else "passed"])
    return outcomes


def _print(outcome: Outcome) -> None:
    """One line for the check, or one for each tool that fails it, and then how to mend it."""
    out = console()
    details = outcome.problems or ((outcome.reason,) if outcome.reason else ("",))
    for text in (*details, *outcome.excused):
        line = f"{outcome.status:8} {outcome.check:13} {plain(' '.join(text.split()))}".rstrip()
        out.print(line, style=_STYLES[outcome.status], soft_wrap=True)
    if outcome.remedy:
        out.print(f"{'':22} Mend: {outcome.remedy}", soft_wrap=True)


def _as_dict(name: str, outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "pack": name,
        "passed": all(one.status != "failed" for one in outcomes),
        "checks": [{**asdict(one), "remedy": one.remedy} for one in outcomes],
    }
