"""`toolcrib policy lint`: what is wrong with a policy, for people, scripts and code hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolcrib.cli._bench import busy, print_facts, relative, tools_option, tools_or_none, write_file
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.bench.lint import Finding, Linted
    from toolcrib.cli._desk import Desk

__all__ = ["lint"]

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_LEVELS = tuple(_STYLES)


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@tools_option
@click.option("--fail-on", type=click.Choice(_LEVELS), default="error", show_default=True,
              help="Exit with 1 if there is a finding as grave as this.")  # fmt: skip
@click.option("--sarif", "sarif_file", metavar="FILE", help="Write SARIF 2.1.0 to FILE (-: print it).")
@as_json
@click.pass_obj
def lint(
    desk: Desk, paths: Sequence[Path], tools_file: Path | None, fail_on: str, sarif_file: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Find what keeps a policy from loading, and what loads but is wrong.

    PATHS are policy folders, or files in them; without any, the crib's own policy.
    """
    from toolcrib.bench.lint import examine

    tools, secrets = tools_or_none(desk, tools_file), _secrets(desk)
    with busy("Looking at the policy"):
        seen = [examine(folder, tools, secrets) for folder in _folders(desk, paths)]
    findings = [finding for one in seen for finding in one.findings]
    if sarif_file:
        _write_sarif(findings, sarif_file)
    if as_json:
        _emit(seen, findings)
    elif sarif_file != "-":
        _print(seen, findings)
    grave = _LEVELS[: _LEVELS.index(fail_on) + 1]
    if any(finding.severity in grave for finding in findings):
        raise click.exceptions.Exit(1)


def _secrets(desk: Desk) -> set[str] | None:
    """The secrets that the packs' config names; None where there is no config."""
    if not desk.file.exists():
        return None
    return {f"{pack}.{name}" for pack, table in desk.config.packs.items() for name in table.secrets}


def _folders(desk: Desk, paths: Iterable[Path]) -> list[Path]:
    """Each folder once; hooks name the changed files in it."""
    found = [path if path.is_dir() or not path.suffix else path.parent for path in paths]
    return list(dict.fromkeys(found)) or [relative(desk.policy_folder)]


def _write_sarif(findings: Sequence[Finding], file: str) -> None:
    import orjson

    from toolcrib.bench._sarif import sarif

    write_file(file, orjson.dumps(sarif(findings), option=orjson.OPT_INDENT_2) + b"\n")


def _emit(seen: Sequence[Linted], findings: Sequence[Finding]) -> None:
    counts: Counter[str] = Counter(finding.severity for finding in findings)
    emit_json(
        {
            "revisions": [one.revision for one in seen],
            "rows": sum(one.rows or 0 for one in seen),
            "counts": {level: counts[level] for level in _LEVELS},
            "findings": [asdict(finding) for finding in findings],
        }
    )


def _print(seen: Sequence[Linted], findings: Sequence[Finding]) -> None:
    from rich.text import Text

    out = console()
    for one in findings:
        head = Text.assemble((one.place, "bold"), ": ", (one.severity, _STYLES[one.severity]), f" {one.id} ")
        # One line, whatever the width: editors and people search for FILE:LINE:COLUMN.
        out.print(head.append(plain(one.what)), soft_wrap=True)
        print_facts(out, (("rule:", one.rule), ("remedy:", one.remedy)))
    out.print(_summary(seen, findings), soft_wrap=True)


def _summary(seen: Sequence[Linted], findings: Sequence[Finding]) -> str:
    counts: Counter[str] = Counter(finding.severity for finding in findings)
    said = ", ".join(f"{counts[one]} {one}{'s' * (counts[one] > 1)}" for one in _LEVELS if counts[one])
    broken = sum(one.revision is None for one in seen)
    if broken:
        return f"{said}; {'the policy does' if len(seen) == 1 else f'{broken} policies do'} not load."
    revisions = ", ".join(str(one.revision) for one in seen)
    rows = sum(one.rows or 0 for one in seen)
    return f"{rows} rows, {said or 'no problems'}. Revision {revisions}."
