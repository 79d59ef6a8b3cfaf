"""Policy tests as tables in words: the Python side of `toolcrib policy test`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolcrib.decisions import Row
from toolcrib.policy import Governed, Policy, Problem

__all__ = ["Report", "Result", "run"]


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what became of it; `line` is where it begins, the texts are empty where it passed."""

    name: str
    file: str
    line: int
    passed: bool
    expected: str = ""
    got: str = ""
    why: str = ""
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What the tables say of a policy revision.

    `problems` are tables that cannot be read or hold a mistake: their cases were not run. `exercised` are
    the p, p2 and p3 rows that decided some case, `missed` the others.
    """

    revision: str
    results: Sequence[Result]
    problems: Sequence[Problem]
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
    raise NotImplementedError
