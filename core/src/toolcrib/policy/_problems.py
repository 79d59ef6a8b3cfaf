"""What is wrong with a policy, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolcrib.errors import PolicyError

__all__ = ["Problem", "Unfit", "raise_first"]


class Unfit(Exception):
    """A value that may not stand in a policy; the reader adds file, line and column."""

    def __init__(self, what: str, rule: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.rule, self.remedy = what, rule, remedy


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a policy file must not contain. `line` and `column` count from 1; 0 means the whole
    file.
    """

    file: str
    line: int
    column: int
    what: str
    rule: str
    remedy: str

    @property
    def place(self) -> str:
        """`policy.csv:12:5`, or as much of it as is known."""
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])

    def error(self, more: int = 0) -> PolicyError:
        """The error to raise; `more` counts the problems that are not told."""
        what = f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"
        also = f" ({more} more like it: `toolcrib policy lint`)" if more else ""
        return PolicyError(what + also, rule=self.rule, remedy=self.remedy)


def raise_first(problems: Sequence[Problem]) -> None:
    """Raise `PolicyError` for the first problem, if there is one."""
    if problems:
        raise problems[0].error(len(problems) - 1)
