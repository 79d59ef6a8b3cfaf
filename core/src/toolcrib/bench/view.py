"""One policy in one tenant, asked about everybody and every tool at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TypeAlias

from toolcrib.bench._absent import applying
from toolcrib.bench.cells import NOTHING, Cell, cell_of
from toolcrib.decisions import Row
from toolcrib.policy import Governed, Policy
from toolcrib.policy._fields import REQUESTER
from toolcrib.policy._index import ANY, Rule
from toolcrib.principal import NOBODY

__all__ = ["EVERYBODY", "View", "kind_of", "rows_by_tenant", "tenant_of"]

EVERYBODY = ANY
"""The subject of which nothing is known: only rows for `*` select it."""

MEMORY = 256
"""Subjects (or pairs) whose cells are remembered."""

_Cells: TypeAlias = dict[tuple[str, str], Cell]


class View:
    """What the rows of `policy` say in `tenant` (`*`: a tenant that no row names).

    `rows` are the policy's rows for this tenant and for all, if the caller has sorted them
    (`rows_by_tenant`). Raises `PolicyError` for a custom model.
    """

    def __init__(self, policy: Policy, tenant: str, rows: Sequence[Row] | None = None) -> None:
        self.policy, self.tenant = policy, tenant
        here = (tenant, ANY)
        self.rows = [row for row in policy.rows if tenant_of(row) in here] if rows is None else rows
        self._index = policy.index
        self._memo: dict[tuple[str, ...], _Cells] = {}

    def cell(self, tool: Governed, *subjects: str) -> Cell:
        """What one subject (`user:ID`, `agent:NAME`, a role, `*`), or user and agent together, may do with
        a tool.
        """
        return self._cell(self._cells(subjects), tool, subjects)

    def what_can(self, tools: Iterable[Governed], *subjects: str) -> list[Cell]:
        """The cell of each tool, in the order of `tools`; remembered."""
        cells = self._cells(subjects)
        get = cells.get
        return [get((tool.name, tool.effect)) or self._cell(cells, tool, subjects) for tool in tools]

    def _cells(self, subjects: tuple[str, ...]) -> _Cells:
        found = self._memo.get(subjects)
        if found is None:
            if len(self._memo) >= MEMORY:
                self._memo = {}
            found = self._memo[subjects] = {}
        return found

    def _cell(self, cells: _Cells, tool: Governed, subjects: Sequence[str]) -> Cell:
        key = (tool.name, tool.effect)
        found = cells.get(key)
        if found is None:
            sides = [self._rules(subject, tool) for subject in subjects]
            found = cells[key] = cell_of(sides) if any(sides) else NOTHING
        return found

    def _rules(self, subject: str, tool: Governed) -> Sequence[Rule]:
        # Of `*` and `pack.*` two of the three names are one, and a row must not be found twice.
        names = tuple(dict.fromkeys(self._index.names(tool.name)))
        found = self._index.gather(subject, self.tenant, names, tool.effect)
        once = list(dict.fromkeys(found)) if EVERYBODY in (subject, self.tenant) else found
        return applying(once, tool)

    def roles(self, subject: str) -> tuple[str, ...]:
        """The roles of a subject, nearest first."""
        return self.policy.roles(subject, self.tenant)

    # --- who there is ------------------------------------------------------------------------------------

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Everybody whom a row of this tenant names, sorted: roles, then agents, then users; without `*`."""
        found: set[str] = set()
        for row in self.rows:
            found.add(row.values[0])
            if row.kind == "g":
                found.add(row.values[1])
            elif row.kind == "p2":
                found.update(one.strip() for one in row.values[-1].split("|"))
        order = {"role": 0, "agent": 1, "user": 2}
        return tuple(sorted(found - {ANY, REQUESTER}, key=lambda one: (order[kind_of(one)], one)))

    def named(self, kind: str) -> tuple[str, ...]:
        """The subjects of one kind: role, agent or user."""
        return tuple(one for one in self.subjects if kind_of(one) == kind)

    @cached_property
    def members(self) -> dict[str, tuple[str, ...]]:
        """The users and agents that hold each role, directly or through another; `*`: all of them."""
        people = (*self.named("agent"), *self.named("user"))
        found: dict[str, list[str]] = {role: [] for role in self.named("role")}
        for one in people:
            for role in self.roles(one):
                found.setdefault(role, []).append(one)
        return {EVERYBODY: people, **{role: tuple(held) for role, held in found.items()}}

    def approvers(self, review: Row) -> tuple[str, ...]:
        """Who may satisfy a p2 row: ids of users, `requester` first where the row names it."""
        found: dict[str, None] = {}
        for one in (part.strip() for part in review.values[-1].split("|")):
            held = (one,) if kind_of(one) == "user" or one == REQUESTER else self.members.get(one, ())
            found |= dict.fromkeys(held)
        users = sorted(one for one in found if one[:5] == "user:" and one != f"user:{NOBODY}")
        return (*([REQUESTER] if REQUESTER in found else []), *(one.removeprefix("user:") for one in users))


def tenant_of(row: Row) -> str:
    """The tenant of a row, or `*`."""
    return row.values[2 if row.kind == "g" else 1]


def rows_by_tenant(policy: Policy) -> dict[str, list[Row]]:
    """The rows of each tenant, those for all tenants under `*`."""
    found: dict[str, list[Row]] = {}
    for row in policy.rows:
        found.setdefault(tenant_of(row), []).append(row)
    return found


def kind_of(subject: str) -> str:
    """`user`, `agent`, `role`, or `everybody` for `*`."""
    if subject == EVERYBODY:
        return "everybody"
    kind, colon, _ = subject.partition(":")
    return kind if colon else "role"
