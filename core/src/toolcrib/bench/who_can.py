"""Who can call a tool: each user, agent and role for itself, and the pairs that can together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from toolcrib.bench.cells import Cell
from toolcrib.bench.view import EVERYBODY, View
from toolcrib.policy import Governed, Policy

__all__ = ["OTHERS", "Pair", "WhoCan", "who_can", "who_can_in"]

OTHERS = "anybody else"
"""In a pair: users or agents that no row names."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Every one of `users` with every one of `agents` meets `cell`. Both are ids without prefix, or
    `OTHERS`; `approvers` are the users who may answer its reviews.
    """

    users: tuple[str, ...]
    agents: tuple[str, ...]
    cell: Cell
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhoCan:
    """Who is not denied `tool` in `tenant`, by subject; a call needs a user and an agent: `pairs`.

    Without pairs nobody can call it, whatever the single subjects may.
    """

    tool: Governed
    tenant: str
    everybody: Cell
    users: Mapping[str, Cell]
    agents: Mapping[str, Cell]
    roles: Mapping[str, Cell]
    pairs: tuple[Pair, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        subjects = (("users", self.users), ("agents", self.agents), ("roles", self.roles))
        return {
            "tool": self.tool.name,
            "effect": self.tool.effect,
            "tenant": self.tenant,
            "everybody": self.everybody.as_dict(),
            **{name: {one: cell.as_dict() for one, cell in cells.items()} for name, cells in subjects},
            "pairs": [
                {
                    "users": list(pair.users),
                    "agents": list(pair.agents),
                    "approvers": list(pair.approvers),
                    **pair.cell.as_dict(),
                }
                for pair in self.pairs
            ],
        }


def who_can(policy: Policy, tool: Governed, tenant: str) -> WhoCan:
    """Everybody whom a row of `tenant` names and who could be allowed `tool`; raises `PolicyError` for a
    custom model.
    """
    return who_can_in(View(policy, tenant), tool)


def who_can_in(view: View, tool: Governed) -> WhoCan:
    """The same, for many tools in one view."""
    users, agents, roles = (_able(view, tool, kind) for kind in ("user", "agent", "role"))
    everybody = view.cell(tool, EVERYBODY)
    pairs = _pairs(view, tool, users, agents, others=everybody.state != "deny")
    return WhoCan(tool, view.tenant, everybody, users, agents, roles, tuple(pairs))


def _able(view: View, tool: Governed, kind: str) -> dict[str, Cell]:
    cells = ((one, view.cell(tool, one)) for one in view.named(kind))
    return {one: cell for one, cell in cells if cell.state != "deny"}


def _pairs(
    view: View, tool: Governed, users: Mapping[str, Cell], agents: Mapping[str, Cell], *, others: bool
) -> Iterable[Pair]:
    """Users with equal cells are one group, agents likewise: a pair of groups is looked at once."""
    for some_users in _groups(users, others=others):
        for some_agents in _groups(agents, others=others):
            cell = view.cell(tool, some_users[0], some_agents[0])
            if cell.state != "deny":
                approvers = dict.fromkeys(who for row in cell.reviews for who in view.approvers(row))
                yield Pair(_ids(some_users), _ids(some_agents), cell, tuple(approvers))


def _groups(cells: Mapping[str, Cell], *, others: bool) -> list[list[str]]:
    groups: dict[Cell, list[str]] = {}
    for subject, cell in cells.items():
        groups.setdefault(cell, []).append(subject)
    return [*groups.values(), *([[EVERYBODY]] if others else [])]


def _ids(subjects: Iterable[str]) -> tuple[str, ...]:
    return tuple(OTHERS if one == EVERYBODY else one.partition(":")[2] for one in subjects)
