"""Policy tests as tables in words: the Python side of `toolcrib policy test`.

A table names calls and what policy must say of them; `docs/reference/policy-test.md` has the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolcrib.bench._cases import Case, read_cases
from toolcrib.bench._known_tools import KnownTool, known_tools
from toolcrib.bench._table_files import Broken, find_files, read_table
from toolcrib.bench._verdicts import check, decide
from toolcrib.decisions import Row
from toolcrib.policy import Governed, Policy, Problem, RowResult

__all__ = ["CaseProblem", "Report", "Result", "find_files", "run"]


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what became of it; `line` is where it begins.

    `rows` made the decision. Where it did not pass, `expected` and `got` say what differs, `why` is the
    decision's own reason, and `considered` are the rows that could have mattered, with what became of them.
    """

    name: str
    file: str
    line: int
    passed: bool
    expected: str = ""
    got: str = ""
    why: str = ""
    rows: tuple[Row, ...] = ()
    considered: tuple[RowResult, ...] = ()

    @property
    def place(self) -> str:
        """`policies/tests/sales.yaml:12`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class CaseProblem(Problem):
    """Why a table or a case could not be run; `case` is the case's name, if it has one."""

    case: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What the tables say of a policy revision.

    `files` are the tables that were run. `problems` are tables that cannot be read and cases with a mistake:
    these were not run. `exercised` are the p, p2 and p3 rows that decided some case, `missed` the others.
    """

    revision: str
    files: Sequence[str]
    results: Sequence[Result]
    problems: Sequence[CaseProblem]
    exercised: Sequence[Row]
    missed: Sequence[Row]

    @property
    def passed(self) -> bool:
        """Every table could be read and every case says what the policy does; also true without any case."""
        return not self.problems and all(result.passed for result in self.results)

    @property
    def failures(self) -> list[Result]:
        """The cases that did not pass."""
        return [result for result in self.results if not result.passed]

    @property
    def coverage(self) -> float:
        """Per cent of the rows that some case exercises; 100 where there is no row."""
        total = len(self.exercised) + len(self.missed)
        return 100.0 * len(self.exercised) / total if total else 100.0


def run(source: Path | Iterable[Path], policy: Policy, tools: Iterable[Governed] = ()) -> Report:
    """Run the tables of a folder (`*.yaml`, `*.yml`) or of these files and folders against a policy.

    `tools` are the installed ones, from which cases take a tool's effect. A folder that does not exist holds
    no tables; a table that cannot be read is a problem of the report, never an exception.
    """
    installed = {tool.name: tool for tool in known_tools(tools)}
    results: list[Result] = []
    problems: list[CaseProblem] = []
    used: set[Row] = set()
    labels = _labels_named(policy) if installed else frozenset()
    files = find_files(source)
    for file in files:
        for case in _cases(file, installed, labels):
            if isinstance(case, Case):
                results.append(_run(case, str(file), policy, used))
            else:
                problem = (str(file), case.line, 0, case.what, case.rule, case.remedy, case.case)
                problems.append(CaseProblem(*problem))
    rows = [row for row in policy.rows if row.kind != "g"]
    exercised = [row for row in rows if row in used]
    missed = [row for row in rows if row not in used]
    return Report(policy.revision, [str(file) for file in files], results, problems, exercised, missed)


def _cases(file: Path, installed: dict[str, KnownTool], labels: frozenset[str]) -> Iterator[Case | Broken]:
    try:
        yield from read_cases(read_table(file), installed, labels)
    except Broken as broken:
        yield broken


_LABEL = re.compile(r"""(["'])(.+?)\1 +(?:not +)?in +r\.ctx\.(?:tool\.)?labels""")


def _labels_named(policy: Policy) -> frozenset[str]:
    """The labels that conditions ask for, in whatever column a model has them."""
    conditions = {value for row in policy.rows for value in row.values if ".labels" in value}
    return frozenset(label for text in conditions for _, label in _LABEL.findall(text))


def _run(case: Case, file: str, policy: Policy, used: set[Row]) -> Result:
    decision = decide(case, policy)
    used.update(decision.rows, decision.reviews, decision.quotas)
    rows = (*decision.rows, *decision.reviews)
    failure = check(case, policy, decision)
    if failure is None:
        return Result(case.name, file, case.line, True, rows=rows)
    return Result(
        case.name, file, case.line, False, failure.expected, failure.got, decision.reason, rows,
        failure.considered,
    )  # fmt: skip
