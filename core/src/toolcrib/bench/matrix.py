"""Roles × tools: what every role may do, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolcrib.bench.cells import STATES, Cell, State, always
from toolcrib.bench.view import EVERYBODY, View, kind_of
from toolcrib.bench.who_can import Pair, who_can_in
from toolcrib.policy import Governed, Policy

__all__ = ["MOST_PEOPLE", "Matrix", "Subject", "matrix"]


MOST_PEOPLE = 40
"""Users and agents with rows of their own that have columns without being asked for."""


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
    """`cells` has one cell for each subject's name and tool's name; `tools` are sorted by pack and name.

    `unreviewed` are the tools that leave the organisation or cannot be undone, with the pairs of users and
    agents who can call them without anybody's approval, at least in some cases. `left_out` counts users and
    agents with rows of their own that have no column, because they are too many.
    """

    tenant: str
    revision: str
    subjects: tuple[Subject, ...]
    tools: tuple[Governed, ...]
    cells: Mapping[tuple[str, str], Cell]
    unreviewed: tuple[tuple[Governed, tuple[Pair, ...]], ...] = ()
    left_out: int = 0

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

    @property
    def forbidden(self) -> int:
        """How many of the denied cells a row denies; for the others there is no allow row."""
        return sum(cell.forbidden for cell in self.cells.values())

    def as_dict(self) -> dict[str, Any]:
        """For JSON; cells that are left out deny, because no row allows them."""
        return {
            "tenant": self.tenant,
            "revision": self.revision,
            "subjects": [
                {"name": one.name, "kind": one.kind, "members": list(one.members)} for one in self.subjects
            ],
            "tools": [{"name": tool.name, "effect": tool.effect} for tool in self.tools],
            "counts": self.counts(),
            "left_out": self.left_out,
            "unreviewed": [
                {"tool": tool.name, "users": list(pair.users), "agents": list(pair.agents)}
                for tool, pairs in self.unreviewed
                for pair in pairs
            ],
            "cells": [
                {"subject": subject, "tool": tool, **cell.as_dict()}
                for (subject, tool), cell in self.cells.items()
                if cell.state != "deny" or cell.forbidden
            ],
        }


def matrix(policy: Policy, tools: Iterable[Governed], tenant: str, *, people: bool = False) -> Matrix:
    """What each role may do with each tool in `tenant`, whoever else takes part in the call.

    Columns are everybody, the roles, and the users and agents that have rows of their own, if these are at
    most `MOST_PEOPLE`; with `people` all users and agents, however many. Raises `PolicyError` for a custom
    model.
    """
    view = View(policy, tenant)
    subjects, left_out = _subjects(view, people=people)
    # Two tools of one name cannot be installed; of a list the last counts.
    ordered = tuple(sorted({tool.name: tool for tool in tools}.values(), key=_order))
    found = {subject: view.what_can(ordered, subject.name) for subject in subjects}
    shown = {one: cells for one, cells in found.items() if one.kind != "everybody" or any(map(_says, cells))}
    cells = {
        (subject.name, tool.name): cell
        for subject, row in shown.items()
        for tool, cell in zip(ordered, row, strict=True)
    }
    unreviewed = tuple(_unreviewed(view, ordered))
    return Matrix(tenant, policy.revision, tuple(shown), ordered, cells, unreviewed, left_out)


def _unreviewed(view: View, tools: Iterable[Governed]) -> Iterator[tuple[Governed, tuple[Pair, ...]]]:
    for tool in tools:
        if tool.effect in ("send", "destructive"):
            pairs = who_can_in(view, tool).pairs
            found = tuple(pair for pair in pairs if not any(map(always, pair.cell.reviews)))
            if found:
                yield tool, found


def _says(cell: Cell) -> bool:
    """Whether the rows for everybody decide something alone."""
    return cell.state != "deny" or cell.forbidden


def _order(tool: Governed) -> tuple[str, str]:
    return tool.name.partition(".")[0], tool.name


def _subjects(view: View, *, people: bool) -> tuple[list[Subject], int]:
    bearing = {row.values[0] for row in view.rows if row.kind != "g"}
    found = [Subject(EVERYBODY, "everybody", view.members[EVERYBODY])] if EVERYBODY in bearing else []
    found += [Subject(role, "role", view.members.get(role, ())) for role in _roles(view, bearing)]
    named = [one for one in (*view.named("agent"), *view.named("user")) if people or one in bearing]
    if len(named) > MOST_PEOPLE and not people:
        return found, len(named)
    return [*found, *(Subject(one, kind_of(one)) for one in named)], 0


def _roles(view: View, bearing: set[str]) -> Sequence[str]:
    """Roles with rows of their own or through roles they include; those that only approve have none."""
    return [role for role in view.named("role") if not bearing.isdisjoint((role, *view.roles(role)))]
