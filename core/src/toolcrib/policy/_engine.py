"""The two ways to find the rows of a call: our index, and plain Casbin for a model that is not ours."""

from __future__ import annotations

from typing import TypeAlias

from toolcrib.effects import Act
from toolcrib.policy._candidates import PlanCandidates
from toolcrib.policy._facts import Governed
from toolcrib.policy._index import Index
from toolcrib.policy._loading import Loaded
from toolcrib.policy._memo import Memo
from toolcrib.policy._plain import PlainCandidates, PlainCasbin
from toolcrib.policy._plan import Call, Plan, Side
from toolcrib.principal import Principal

__all__ = ["IndexEngine", "PlainEngine"]

_Key: TypeAlias = tuple[tuple[str, str], str, str, Act]

MEMORY = 8192
"""Calls (subjects, tenant, tool, effect) that are remembered, about 1 kB each."""


class IndexEngine:
    """Decides the shipped model."""

    def __init__(self, loaded: Loaded, revision: str) -> None:
        self.index = Index(loaded.rules(), loaded.roles)
        self._revision = revision
        self._memo: Memo[_Key, PlanCandidates] = Memo(MEMORY)

    def candidates(self, principal: Principal, tool: Governed) -> PlanCandidates:
        """The rows that can match, remembered."""
        key = (principal.subjects, principal.tenant, tool.name, tool.effect)
        found = self._memo.get(key)
        if found is not None:
            return found.bound(principal, tool)
        return self._memo.put(key, PlanCandidates(self.plan(principal, tool), principal, tool))

    def plan(self, principal: Principal, tool: Governed) -> Plan:
        """The rows that can match, looked up."""
        tenant, name, effect, index = principal.tenant, tool.name, tool.effect, self.index
        names = index.names(name)
        user, agent = principal.subjects
        return Plan(
            Call(name, effect, tenant, self._revision),
            Side(user, index.gather(user, tenant, names, effect)),
            Side(agent, index.gather(agent, tenant, names, effect)),
        )


class PlainEngine:
    """Decides any other model, one call at a time."""

    def __init__(self, loaded: Loaded, revision: str) -> None:
        self._casbin = PlainCasbin(loaded, revision)

    def candidates(self, principal: Principal, tool: Governed) -> PlainCandidates:
        """All rows: which of them can match is the matcher's secret."""
        return PlainCandidates(self._casbin, principal, tool)
