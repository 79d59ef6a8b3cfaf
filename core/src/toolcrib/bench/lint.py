"""What is wrong with a policy, whether it loads or not: the Python side of `toolcrib policy lint`.

Three kinds of findings. *Errors* keep a policy out of force: it does not load, it would deny calls that it
means to decide, or it speaks of arguments that no tool has. *Warnings* are rows that do not do what they seem
to. *Notes* are worth a look, and often meant.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolcrib.bench._findings import RULES, SEVERITIES, Finding, LintRule, Severity, rule_of
from toolcrib.bench._known_tools import known_tools
from toolcrib.bench._lint_people import check_people
from toolcrib.bench._lint_reach import check_reach
from toolcrib.bench._lint_secrets import check_secrets
from toolcrib.bench._lint_tools import check_tools
from toolcrib.bench._sheet import Sheet
from toolcrib.errors import PolicyError, ToolcribWarning
from toolcrib.policy import Governed, Problem
from toolcrib.policy._files import read_text
from toolcrib.policy._gentle import spare
from toolcrib.policy._loading import Loaded, load_text, without_collector
from toolcrib.policy._policy import MODEL_FILE, POLICY_FILE, revision_of
from toolcrib.policy._rows import lines_of

__all__ = ["RULES", "SEVERITIES", "Finding", "LintRule", "Linted", "Severity", "examine", "lint", "lint_text"]


@dataclass(frozen=True, slots=True)
class Linted:
    """What lint saw: `rows` counts them, `revision` is the policy's, both None where it does not load."""

    findings: list[Finding]
    rows: int | None = None
    revision: str | None = None


def lint(
    folder: Path, tools: Iterable[Governed] | None = None, secrets: Collection[str] | None = None
) -> list[Finding]:
    """Everything worth a look in a policy folder, in the order of the file; never raises for a bad policy.

    `tools` are those that rows may name (a crib's registry); None or none: not known, so objects and
    arguments are not checked. `secrets` are the names (`pack.name`) of the packs' config; None: not known. A
    finding of severity `error` is one that a policy must not go into force with.
    """
    return examine(folder, tools, secrets).findings


def examine(
    folder: Path, tools: Iterable[Governed] | None = None, secrets: Collection[str] | None = None
) -> Linted:
    """The same, with what was read."""
    folder = Path(folder)
    try:
        model, rows = (read_text(folder / name) for name in (MODEL_FILE, POLICY_FILE))
    except PolicyError as error:
        return Linted([_unreadable(error, folder)])
    return _examine(model, rows, tools, folder, POLICY_FILE, None, secrets)


def lint_text(
    model: str,
    rows: str,
    tools: Iterable[Governed] | None = None,
    *,
    folder: Path = Path(),
    file: str = POLICY_FILE,
    numbers: Sequence[int] | None = None,
) -> list[Finding]:
    """The findings for the texts of `model.conf` and `policy.csv`.

    `folder`, `file` and `numbers` are what places are called, where they are not lines of `policy.csv`.
    """
    return _examine(model, rows, tools, folder, file, numbers).findings


def _examine(
    model: str,
    rows: str,
    tools: Iterable[Governed] | None,
    folder: Path,
    file: str,
    numbers: Sequence[int] | None,
    secrets: Collection[str] | None = None,
) -> Linted:
    try:
        with without_collector(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ToolcribWarning)  # a custom model is a finding here
            loaded = spare(load_text(model, rows, MODEL_FILE, file, numbers))
    except PolicyError as error:
        return Linted([_unloadable(error, folder)])
    lines = _lines(rows, numbers)
    if loaded.problems:
        return Linted([_from_problem(one, folder, lines) for one in loaded.problems])
    known = None if tools is None else known_tools(tools)
    findings = _look(loaded, spare(Sheet(loaded, lines, str(folder / file), known, secrets)))
    return Linted(findings, len(loaded.rows), revision_of(model, rows))


def _look(loaded: Loaded, sheet: Sheet) -> list[Finding]:
    if not any(row.kind == "p" for row in loaded.rows):
        sheet.add("TC300", None, "there is no p row, so every call is denied", "Write what may be called")
    if not loaded.model.shipped:
        what = "model.conf is not the shipped model: rows are checked for their form only"
        sheet.add("TC308", None, what, "Use the model of toolcrib-policies, if it can say what you need")
        return sheet.found
    check_reach(sheet)
    check_people(sheet)
    check_tools(sheet)
    check_secrets(sheet)
    return sorted(sheet.found, key=lambda one: (one.line, one.column, one.id))


def _lines(rows: str, numbers: Sequence[int] | None) -> Mapping[int, str]:
    texts = lines_of(rows)
    return dict(enumerate(texts, 1)) if numbers is None else dict(zip(numbers, texts, strict=False))


def _from_problem(problem: Problem, folder: Path, lines: Mapping[int, str]) -> Finding:
    line = lines.get(problem.line, "")
    # A problem of the whole row begins where the row does.
    column = problem.column or (len(line) - len(line.lstrip()) + 1 if problem.line else 0)
    rule, file = rule_of(problem), str(folder / problem.file)
    return Finding(
        rule.id, rule.severity, file, problem.line, column, problem.what, problem.rule, problem.remedy
    )


def _unreadable(error: PolicyError, folder: Path) -> Finding:
    """A file that is not one; the loader's message names it."""
    name = MODEL_FILE if MODEL_FILE in error.what.partition(":")[0] else POLICY_FILE
    place, _, what = error.what.partition(": ")
    line = int(number) if (number := place.rpartition(":")[2]).isdigit() else 0
    file = str(folder / name)
    return Finding("TC100", "error", file, line, int(bool(line)), what or place, error.rule, error.remedy)


def _unloadable(error: PolicyError, folder: Path) -> Finding:
    """A model that is refused, or rows that pycasbin reads otherwise."""
    file, _, what = error.what.partition(": ")
    name = file if file in (MODEL_FILE, POLICY_FILE) else POLICY_FILE
    rule = rule_of(Problem(name, 0, 0, what, error.rule, error.remedy))
    return Finding(rule.id, "error", str(folder / name), 0, 0, what or file, error.rule, error.remedy)
