"""Roles × tools: what every role may do, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolcrib.bench.cells import STATES, Cell, State, always
from toolcrib.bench.view import EVERYBODY, View, kind_of
from toolcrib.policy import Governed, Policy

__all__ = ["Matrix", "Subject", "matrix"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A column: a role, everybody (`*`), or a user or agent that rows name directly.

    `members` are the users and agents that hold the role.
    """

    name: str
    kind: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """`cells` has one cell for each subject's name and tool's name; `tools` are sorted by pack and name."""

    tenant: str
    revision: str
    subjects: tuple[Subject, ...]
    tools: tuple[Governed, ...]
    cells: Mapping[tuple[str, str], Cell]

    def cell(self, subject: str, tool: str) -> Cell:
        """The cell of a subject and a tool; raises `KeyError`."""
        return self.cells[subject, tool]

    def row(self, tool: Governed) -> tuple[Cell, ...]:
        """A tool's cells, in the order of the subjects."""
        return tuple(self.cells[subject.name, tool.name] for subject in self.subjects)

    def packs(self) -> Iterator[tuple[str, tuple[Governed, ...]]]:
        """The tools of each pack."""
        packs: dict[str, list[Governed]] = {}
        for tool in self.tools:
            packs.setdefault(tool.name.partition(".")[0], []).append(tool)
        yield from ((pack, tuple(tools)) for pack, tools in packs.items())

    def counts(self) -> dict[State, int]:
        """How many cells have each state."""
        states = [cell.state for cell in self.cells.values()]
        return {state: states.count(state) for state in STATES}

    def unreviewed(self) -> list[tuple[Subject, Governed, Cell]]:
        """What leaves the organisation or cannot be undone, and needs nobody's approval in every case."""
        return [
            (subject, tool, cell)
            for tool in self.tools
            if tool.effect in ("send", "destructive")
            for subject, cell in zip(self.subjects, self.row(tool), strict=True)
            if cell.state in ("allow", "depends") and not any(map(always, cell.reviews))
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; cells that nothing selects are left out: they deny."""
        return {
            "tenant": self.tenant,
            "revision": self.revision,
            "subjects": [
                {"name": one.name, "kind": one.kind, "members": list(one.members)} for one in self.subjects
            ],
            "tools": [{"name": tool.name, "effect": tool.effect} for tool in self.tools],
            "counts": self.counts(),
            "cells": [
                {"subject": subject, "tool": tool, **cell.as_dict()}
                for (subject, tool), cell in self.cells.items()
                if cell.rows
            ],
        }


def matrix(policy: Policy, tools: Iterable[Governed], tenant: str, *, people: bool = False) -> Matrix:
    """What each role may do with each tool in `tenant`, whoever else takes part in the call.

    Columns are everybody, the roles, and the users and agents that have rows of their own; with `people`
    all users and agents. Raises `PolicyError` for a custom model.
    """
    view = View(policy, tenant)
    subjects = tuple(_subjects(view, people=people))
    # Two tools of one name cannot be installed; of a list the last counts.
    ordered = tuple(sorted({tool.name: tool for tool in tools}.values(), key=_order))
    cells = {
        (subject.name, tool.name): cell
        for subject in subjects
        for tool, cell in zip(ordered, view.what_can(ordered, subject.name), strict=True)
    }
    return Matrix(tenant, policy.revision, subjects, ordered, cells)


def _order(tool: Governed) -> tuple[str, str]:
    return tool.name.partition(".")[0], tool.name


def _subjects(view: View, *, people: bool) -> Iterator[Subject]:
    here = (view.tenant, EVERYBODY)
    bearing = {row.values[0] for row in view.policy.rows if row.kind != "g" and row.values[1] in here}
    if EVERYBODY in bearing:
        yield Subject(EVERYBODY, "everybody", view.members[EVERYBODY])
    for role in _roles(view, bearing):
        yield Subject(role, "role", view.members.get(role, ()))
    for one in (*view.named("agent"), *view.named("user")):
        if people or one in bearing:
            yield Subject(one, kind_of(one))


def _roles(view: View, bearing: set[str]) -> Sequence[str]:
    """Roles with rows of their own or through roles they include; those that only approve have none."""
    return [role for role in view.named("role") if not bearing.isdisjoint((role, *view.roles(role)))]
