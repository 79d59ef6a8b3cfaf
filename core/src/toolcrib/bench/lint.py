"""What is wrong with a policy, whether it loads or not: the Python side of `toolcrib policy lint`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from toolcrib.errors import PolicyError
from toolcrib.policy import Governed, Policy

__all__ = ["Finding", "Severity", "lint"]

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a security engineer should look at.

    `id` is stable (`TC101`), `line` and `column` count from 1 (0: the whole file), `what` quotes what was
    found, `rule` says what holds, `remedy` what to do.
    """

    id: str
    severity: Severity
    file: str
    line: int
    column: int
    what: str
    rule: str
    remedy: str

    @property
    def place(self) -> str:
        """`policies/policy.csv:12:5`, or as much of it as is known."""
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])


def lint(folder: Path, tools: Iterable[Governed] | None = None) -> list[Finding]:
    """Everything worth a look in a policy folder, in the order of the file; never raises for a bad policy.

    `tools` are those that rows may name (a crib's registry); None: not known, so objects and arguments are
    not checked. A finding of severity `error` is one that a policy must not go into force with.
    """
    try:
        problems = Policy.problems(folder)
    except PolicyError as error:
        return [Finding("TC100", "error", str(folder), 0, 0, error.what, error.rule, error.remedy)]
    return [
        Finding("TC100", "error", one.file, one.line, one.column, one.what, one.rule, one.remedy)
        for one in problems
    ]
