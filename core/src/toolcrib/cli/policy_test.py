"""`toolcrib policy test`: tables in words against the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._bench import busy, print_facts, relative, tools_option, tools_or_none, write_file
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from rich.console import Console

    from toolcrib.bench.tables import Report, Result
    from toolcrib.cli._desk import Desk

__all__ = ["test"]

_MARKS = {"matches": "✓", "condition is false": "·", "condition raises": "!", "waits for the preview": "?"}
_IN_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--policy", "folder", type=_IN_FOLDER, metavar="FOLDER", help="Default: the crib's policy.")
@tools_option
@click.option("--junit", metavar="FILE", help="Write JUnit XML to FILE (-: print it).")
@click.option("--coverage", is_flag=True, help="List the rows that no case exercises.")
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT",
              help="Exit with 1 if fewer rows are exercised.")  # fmt: skip
@as_json
@click.pass_obj
def test(
    desk: Desk, files: Sequence[Path], folder: Path | None, tools_file: Path | None, junit: str | None,
    coverage: bool, fail_under: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Run policy tests: tables in words that say what the policy must decide.

    FILES are tables or folders of tables; without any, `tests` in the policy's folder.
    """
    report = _report(desk, files, folder, tools_file)
    if junit:
        from toolcrib.bench._junit import junit as as_xml

        write_file(junit, as_xml(report, fail_under))
    if as_json:
        emit_json(_as_dict(report))
    elif junit != "-":
        where = _folder(desk, folder) if coverage else None
        _print(report, missed_in=where, fail_under=fail_under)
    # The shown percentage is rounded down, so that what is shown is what is compared.
    if not report.passed or (fail_under is not None and report.coverage < fail_under):
        raise click.exceptions.Exit(1)


def _folder(desk: Desk, folder: Path | None) -> Path:
    return folder or relative(desk.policy_folder)


def _report(desk: Desk, files: Sequence[Path], folder: Path | None, tools_file: Path | None) -> Report:
    from toolcrib.bench.tables import run
    from toolcrib.errors import PolicyError
    from toolcrib.policy import Policy

    where = _folder(desk, folder)
    source = list(files) or [where / "tests"]
    tools = tools_or_none(desk, tools_file) or ()
    with busy("Running the tables"):
        report = run(source, Policy.load(where), tools)
    if not report.files:
        # Green because nothing ran would be the worst of all answers.
        raise PolicyError(
            f"there is no table in {' or '.join(map(str, source))}",
            rule="tables are *.yaml files",
            remedy="Write one (docs/reference/policy-test.md), or name the right folder",
        )
    return report


def _as_dict(report: Report) -> dict[str, Any]:
    return {
        "revision": report.revision,
        "passed": report.passed,
        "results": [_result(one) for one in report.results],
        "problems": [asdict(one) for one in report.problems],
        "coverage": {"percent": _percent(report), "missed": [_row(row) for row in report.missed]},
    }


def _result(one: Result) -> dict[str, Any]:
    found = {"name": one.name, "file": one.file, "line": one.line, "passed": one.passed}
    rows = {"rows": [_row(row) for row in one.rows]}
    return found | rows | ({} if one.passed else {"expected": one.expected, "got": one.got, "why": one.why})


def _row(row: Any) -> dict[str, Any]:
    return {"place": row.place, "kind": row.kind, "values": list(row.values)}


def _percent(report: Report) -> float:
    return int(report.coverage * 10) / 10


def _print(report: Report, *, missed_in: Path | None, fail_under: float | None) -> None:
    out = console()
    for result in report.failures:
        _print_failure(out, result)
    for problem in report.problems:
        out.print(f"{problem.place}: {plain(problem.what)}", style="bold red", soft_wrap=True)
        print_facts(out, (("rule:", problem.rule), ("remedy:", problem.remedy)))
    for row in report.missed if missed_in else ():
        text = plain(", ".join((row.kind, *row.values)))
        out.print(f"{missed_in}/{row.place}: no case exercises {text}", style="yellow", soft_wrap=True)
    _print_summary(out, report, fail_under)


def _print_failure(out: Console, result: Result) -> None:
    out.print(f"{result.place}: {plain(result.name)}", style="bold red", soft_wrap=True)
    print_facts(out, (("expected:", result.expected), ("got:", result.got), ("why:", result.why)))
    rows = [(_MARKS[one.outcome], f"{one.row}: {one.outcome}", one.why) for one in result.considered]
    print_facts(out, [(mark, f"{text} ({why})" if why else text) for mark, text, why in rows])


def _print_summary(out: Console, report: Report, fail_under: float | None) -> None:
    failed, broken, tables = len(report.failures), len(report.problems), len(report.files)
    parts = [f"{len(report.results) - failed} passed"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{broken} could not be run"] if broken else []
    rows = len(report.exercised) + len(report.missed)
    where = f"{tables} table{'s' * (tables > 1)}"
    style = "bold green" if report.passed else "bold red"
    out.print(f"{', '.join(parts)} ({where}, revision {report.revision})", style=style)
    text = f"{_percent(report):g} % of the rows exercised ({len(report.exercised)} of {rows})"
    too_few = fail_under is not None and report.coverage < fail_under
    out.print(f"{text}, wanted {fail_under:g} %" if too_few else text, style="bold red" if too_few else None)
