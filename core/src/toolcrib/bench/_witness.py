"""What shows that a property does not hold: who, what, by which rows, and how to try it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from toolcrib.bench._world import SOME_AGENT, Class, Reach, Tenant
from toolcrib.decisions import Row
from toolcrib.policy import Governed
from toolcrib.principal import NOBODY

__all__ = ["Witness", "allowing", "command", "hangs_on", "reaches_of", "witness"]


@dataclass(frozen=True, slots=True)
class Witness:
    """Who may do what the property forbids. `rows` make it possible, `conditions` are taken to go that way;
    `like` counts the users and agents to whom the same rows apply, these included. `command` tries the call.
    """

    tenant: str
    user: str | None
    agent: str | None
    tools: tuple[str, ...]
    says: str
    rows: tuple[Row, ...]
    conditions: tuple[str, ...]
    like: int
    command: str
    is_named: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tenant": self.tenant,
            "user": self.user,
            "agent": self.agent,
            "tools": list(self.tools),
            "says": self.says,
            "rows": [str(row) for row in self.rows],
            "conditions": list(self.conditions),
            "like": self.like,
            "command": self.command,
        }


def reaches_of(tenant: Tenant, user: Class, agent: Class, tool: Governed) -> list[Reach]:
    """What rows give the user and the agent."""
    return [tenant.reach(user.one, tool), tenant.reach(agent.one, tool)]


def witness(
    tenant: Tenant, user: Class, agent: Class, tool: Governed, why: str, more: Sequence[Row] = ()
) -> Witness:
    """Why a user and an agent may make a call; `more` are rows to show besides."""
    reaches = reaches_of(tenant, user, agent, tool)
    return Witness(
        tenant.name,
        user.one,
        agent.one,
        (tool.name,),
        f"{user.one} and {agent.one} may call {tool.name} ({tool.effect}): {why}",
        (*allowing(reaches), *more),
        hangs_on(reaches),
        len(user.names) * len(agent.names),
        command(tenant, user.one, agent.one, tool),
        user.is_named and agent.is_named,
    )


def allowing(reaches: Sequence[Reach]) -> tuple[Row, ...]:
    """One allow row of each, one without a condition if there is any."""
    rows = [min(reach.allows, key=lambda rule: rule.condition is not None).row for reach in reaches]
    return tuple(dict.fromkeys(rows))


def hangs_on(reaches: Sequence[Reach]) -> tuple[str, ...]:
    """What is taken to be the case: conditions of the allow rows, and of deny rows that might stop it."""
    found: dict[str, None] = {}
    for reach in reaches:
        rule = min(reach.allows, key=lambda one: one.condition is not None)
        if rule.condition is not None:
            found.setdefault(f"if {rule.condition.text} ({rule.row.place})")
        for deny in reach.denies:
            if deny.condition is not None:
                found.setdefault(f"unless {deny.condition.text} ({deny.row.place})")
    return tuple(found)


def command(
    tenant: Tenant, user: str | None, agent: str | None, tool: Governed, labels: Sequence[str] = ()
) -> str:
    """The call, to be tried with `toolcrib policy explain`."""
    words = ["toolcrib policy explain", tool.name, f"--effect {tool.effect}"]
    if user and user != f"user:{NOBODY}":
        words.append(f"--user {user.removeprefix('user:')}")
    words.append(f"--agent {(agent or SOME_AGENT).partition(':')[2]}")
    words.append(f"--tenant {tenant.name}")
    return " ".join((*words, *(f"--label {label}" for label in labels)))
