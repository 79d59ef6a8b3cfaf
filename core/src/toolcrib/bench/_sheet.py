"""A policy as lint looks at it: its rows, its lines, and what was found so far."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from toolcrib.bench._findings import RULES, Finding, Severity
from toolcrib.bench._known_tools import KnownTool
from toolcrib.decisions import Row
from toolcrib.policy._loading import Loaded

__all__ = ["COLUMNS", "Sheet", "spans"]

COLUMNS: Mapping[str, Sequence[str]] = {
    "p": ("sub", "dom", "obj", "act", "when", "eft"),
    "p2": ("sub", "dom", "obj", "act", "when", "approvers"),
    "p3": ("sub", "dom", "obj", "quota"),
    "g": ("grantee", "role", "dom"),
}
"""The columns of the shipped model."""


class Sheet:
    """A loaded policy of the shipped model; `lines` are the texts of its rows by line number, `secrets` the
    names (`pack.name`) that the config has, None where it is not known.
    """

    def __init__(
        self,
        loaded: Loaded,
        lines: Mapping[int, str],
        file: str,
        tools: Sequence[KnownTool] | None,
        secrets: Collection[str] | None = None,
    ) -> None:
        self.rows, self.roles = loaded.rows, loaded.roles
        self.lines, self.file, self.tools, self.secrets = lines, file, tools, secrets
        self.found: list[Finding] = []

    def of(self, *kinds: str) -> list[Row]:
        """The rows of these kinds, in the order of the file."""
        return [row for row in self.rows if row.kind in kinds]

    def closure(self, subject: str, tenant: str) -> tuple[str, ...]:
        """The subject, its roles and `*`: whose rows apply to it. In tenant `*`: what it holds everywhere."""
        return ("*",) if subject == "*" else (*self.roles.closure(subject, tenant), "*")

    def reach(self, subject: str, tenant: str) -> Iterable[str]:
        """Whose rows may apply to a subject; for tenant `*`, in any tenant."""
        if tenant != "*":
            return self.closure(subject, tenant)
        found, todo = {subject, "*"}, [subject]
        while todo:
            fresh = [role for role in self._roles_anywhere.get(todo.pop(), ()) if role not in found]
            found.update(fresh)
            todo += fresh
        return found

    @cached_property
    def _roles_anywhere(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for row in self.of("g"):
            found.setdefault(row.values[0], []).append(row.values[1])
        return found

    def add(
        self,
        id: str,
        row: Row | None,
        what: str,
        remedy: str,
        *,
        column: str = "",
        text: str = "",
        severity: Severity | None = None,
    ) -> None:
        """Note a finding about a column of a row, or about `text` where it stands in that column."""
        rule = RULES[id]
        line, place = (row.line, self.column(row, column, text)) if row else (0, 0)
        grave = severity or rule.severity
        self.found.append(Finding(id, grave, self.file, line, place, what, rule.rule, remedy))

    def column(self, row: Row, name: str = "", text: str = "") -> int:
        """Where a column of a row begins in its line, or `text` within it; counted from 1."""
        line = self.lines.get(row.line, "")
        places = spans(line)
        names = COLUMNS[row.kind]
        index = names.index(name) + 1 if name in names else 0
        if index >= len(places):
            return 1 if line else 0
        start, end = places[index]
        within = line.find(text, start, end) if text else -1
        return (within if within >= 0 else start) + 1


def spans(line: str) -> list[tuple[int, int]]:
    """Start and end of each field of a row, split as pycasbin splits: at commas outside brackets."""
    ends, depth = [], 0
    for position, character in enumerate(line):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            ends.append(position)
    starts = [0, *(end + 1 for end in ends)]
    return [_trimmed(line, start, end) for start, end in zip(starts, [*ends, len(line)], strict=True)]


def _trimmed(line: str, start: int, end: int) -> tuple[int, int]:
    field = line[start:end]
    return start + len(field) - len(field.lstrip()), start + len(field.rstrip())


def more(rows: Iterable[Row]) -> str:
    """` (and lines 4, 7)`: the other rows of which the same is true."""
    lines = [str(row.line) for row in rows][1:]
    if not lines:
        return ""
    shown = ", ".join(lines[:5]) + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")
    return f" (also line{'s' if len(lines) > 1 else ''} {shown})"
