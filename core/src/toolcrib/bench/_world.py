"""Everybody and every tool of a policy, few enough to look at all of them.

Two users to whom the same rows apply are one *class*; one class holds all the users that no row names. So
what is found for one of a class is true of each, and everybody is in some class: nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import merge

from toolcrib.bench._implied import surely_holds
from toolcrib.bench.tools import NamedTool
from toolcrib.decisions import Row
from toolcrib.effects import EFFECTS, Effect
from toolcrib.policy import Governed, Policy
from toolcrib.policy._index import ALLOW, ANY, DENY, REVIEW, Rule
from toolcrib.principal import NOBODY

__all__ = ["SOMEBODY", "SOME_AGENT", "SOME_TENANT", "Class", "Reach", "Tenant", "World", "matches"]

SOMEBODY = "user:somebody-else"
SOME_AGENT = "agent:some-other-agent"
SOME_TENANT = "some-other-tenant"
"""Whoever no row names."""


@dataclass(frozen=True, slots=True)
class Class:
    """Subjects to whom the same rows apply. `holds` are the names that rows know them by, `*` apart."""

    names: tuple[str, ...]
    holds: frozenset[str]

    @property
    def one(self) -> str:
        """One of them: a named one if there is any."""
        return self.names[0]

    @property
    def is_named(self) -> bool:
        """Whether a row names at least one of them."""
        return self.one not in (SOMEBODY, SOME_AGENT, f"user:{NOBODY}")


@dataclass(frozen=True, slots=True)
class Reach:
    """The rules of one subject for one tool."""

    allows: tuple[Rule, ...]
    denies: tuple[Rule, ...]
    reviews: tuple[Rule, ...]

    def is_possible(self, labels: Collection[str] = ()) -> bool:
        """Whether a call may pass: an allow row whose condition may hold, and no deny row that surely does.

        `labels` are known to be among the session's.
        """
        return bool(self.allows) and not any(surely_holds(rule.condition, labels) for rule in self.denies)

    def sure_reviews(self, labels: Collection[str] = ()) -> list[Row]:
        """The p2 rows that ask whatever the arguments are."""
        return [rule.row for rule in self.reviews if surely_holds(rule.condition, labels)]


class Tenant:
    """The classes of one tenant."""

    def __init__(self, policy: Policy, name: str, mentioned: Collection[str], rows: Sequence[Row]) -> None:
        self.name, self._policy, self._index = name, policy, policy.index
        self._mentioned, self.rows = mentioned, rows
        self._memo: dict[tuple[str, str, str], Reach] = {}

    @cached_property
    def _subjects(self) -> frozenset[str]:
        """Whoever a p or p2 row is for."""
        return frozenset(row.values[0] for row in self.rows if row.kind != "g") | frozenset(self._mentioned)

    @cached_property
    def named(self) -> tuple[str, ...]:
        """Whoever a row names, in the order of the file, and who the properties mention."""
        found: dict[str, None] = {}
        for row in self.rows:
            found.setdefault(row.values[0])
            if row.kind == "g":
                found.setdefault(row.values[1])
        return tuple(name for name in (*found, *self._mentioned) if name != ANY)

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """Roles that a row of this tenant names."""
        return tuple(dict.fromkeys(name for name in self.named if ":" not in name))

    @cached_property
    def users(self) -> tuple[Class, ...]:
        """The users, in classes."""
        return self._classes("user:", f"user:{NOBODY}", SOMEBODY)

    @cached_property
    def agents(self) -> tuple[Class, ...]:
        """The agents, in classes."""
        return self._classes("agent:", SOME_AGENT)

    def _classes(self, prefix: str, *others: str) -> tuple[Class, ...]:
        found: dict[frozenset[str], dict[str, None]] = {}
        named = [name for name in self.named if name.startswith(prefix)]
        for name in (*named, *others):
            held = {name, *self._policy.roles(name, self.name)}
            if name not in self._subjects:
                held.discard(name)
            found.setdefault(frozenset(held), {}).setdefault(name)
        return tuple(Class(tuple(names), holds) for holds, names in found.items())

    def reach(self, subject: str, tool: Governed) -> Reach:
        """The rules of a user, an agent or a role for a tool; remembered."""
        key = (subject, tool.name, tool.effect)
        found = self._memo.get(key)
        if found is None:
            rules = self._index.gather(subject, self.name, self._index.names(tool.name), tool.effect)
            sorted_rules: dict[int, list[Rule]] = {ALLOW: [], DENY: [], REVIEW: []}
            for rule in rules:
                sorted_rules.setdefault(rule.does, []).append(rule)
            parts = (tuple(sorted_rules[does]) for does in (ALLOW, DENY, REVIEW))
            found = self._memo[key] = Reach(*parts)
        return found

    def pairs(self, tool: Governed, labels: Collection[str] = ()) -> Iterator[tuple[Class, Class]]:
        """The users and agents that may be allowed to call the tool together."""
        agents = [one for one in self.agents if self.reach(one.one, tool).is_possible(labels)]
        for user in self.users if agents else ():
            if self.reach(user.one, tool).is_possible(labels):
                yield from ((user, agent) for agent in agents)


class World:
    """The tenants of a policy, and the tools that there are.

    `tools` are known with effect and labels. `mentioned` are subjects that properties name, whether or not
    a row does; `tenant` is the crib's.
    """

    def __init__(
        self, policy: Policy, tools: Iterable[Governed], mentioned: Collection[str] = (), tenant: str = ""
    ) -> None:
        self.policy = policy
        self.tools = {tool.name: tool for tool in tools}
        self._mentioned, self.tenant = tuple(sorted(mentioned)), tenant
        self._known: dict[str, Tenant] = {}

    def tenants(self, only: Sequence[str] | None = None) -> list[Tenant]:
        """These, or all that rows name and, if rows for `*` reach it, one that no row names."""
        return [self._tenant_of(name) for name in (self._names if only is None else only)]

    def _tenant_of(self, name: str) -> Tenant:
        if name not in self._known:
            self._known[name] = Tenant(self.policy, name, self._mentioned, self._rows_of(name))
        return self._known[name]

    def _rows_of(self, tenant: str) -> list[Row]:
        """The rows for this tenant and for all, in the order of the file."""
        own = self._placed.get(tenant, ()) if tenant != ANY else ()
        return [row for _, row in merge(own, self._placed.get(ANY, ()))]

    @cached_property
    def _placed(self) -> dict[str, list[tuple[int, Row]]]:
        """Rows by tenant: looking through all of them for each tenant would take tenants times rows."""
        found: dict[str, list[tuple[int, Row]]] = {}
        for place, row in enumerate(self.policy.rows):
            found.setdefault(row.values[2 if row.kind == "g" else 1], []).append((place, row))
        return found

    @cached_property
    def _names(self) -> list[str]:
        rows = self.policy.rows
        named = [row.values[2 if row.kind == "g" else 1] for row in rows]
        found = dict.fromkeys([self.tenant, *named] if self.tenant else named)
        found.pop(ANY, None)
        if any(row.kind == "p" and row.values[1] == ANY for row in rows):
            found.setdefault(SOME_TENANT)
        return list(found)

    def select(self, patterns: Sequence[str], effects: Sequence[Effect] = EFFECTS) -> list[Governed]:
        """The tools of these names (`pack.tool`, `pack.*`, `*`) and effects.

        A name that is not known may have any effect, so each is looked at.
        """
        found: dict[tuple[str, str], Governed] = {}
        for pattern in patterns:
            known = [tool for tool in self.tools.values() if matches(pattern, tool.name)]
            if not known and "*" not in pattern:
                known = [NamedTool(pattern, effect) for effect in EFFECTS]
            found |= {(tool.name, tool.effect): tool for tool in known if tool.effect in effects}
        return list(found.values())

    def labelled(self, labels: Collection[str]) -> list[Governed]:
        """The tools whose results carry one of these labels."""
        return [tool for tool in self.tools.values() if not tool.labels.isdisjoint(labels)]


def matches(pattern: str, name: str) -> bool:
    """Whether `pack.tool`, `pack.*` or `*` names the tool."""
    return pattern in ("*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
