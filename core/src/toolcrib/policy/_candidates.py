"""The rows that can match a call, before its arguments are known."""

from __future__ import annotations

from typing import Any, Protocol

from toolcrib.decisions import Decision
from toolcrib.policy._facts import OPEN, Facts, Governed
from toolcrib.policy._judge import judge
from toolcrib.policy._namespace import context
from toolcrib.policy._plan import Plan
from toolcrib.principal import Principal

__all__ = ["Candidates", "PlanCandidates"]


class Candidates(Protocol):
    """`offered`: the call could be allowed at all; `reads`: the roots of `r.ctx` that its rows read."""

    @property
    def offered(self) -> bool:
        """Both subjects have an allow row and no unconditional row denies."""

    @property
    def reads(self) -> frozenset[str]:
        """`args`, `before`, `labels`, ...: what must be looked up before deciding."""

    def decide(self, facts: Facts) -> Decision:
        """The decision for these facts."""


class PlanCandidates:
    """Candidates found by the index."""

    __slots__ = ("_constant", "_plan", "_principal", "_tool", "offered", "reads")

    def __init__(self, plan: Plan, principal: Principal, tool: Governed) -> None:
        self._plan, self._principal, self._tool = plan, principal, tool
        self._constant = plan.constant
        self.offered = plan.offered
        self.reads = plan.reads

    def bound(self, principal: Principal, tool: Governed) -> PlanCandidates:
        """The same rows for an equal principal and tool, whose session and labels may differ."""
        if self._constant is not None or (principal is self._principal and tool is self._tool):
            return self
        return PlanCandidates(self._plan, principal, tool)

    @property
    def plan(self) -> Plan:
        """The rows themselves."""
        return self._plan

    def decide(self, facts: Facts) -> Decision:
        """The shared constant decision, or one by the conditions."""
        if self._constant is not None:
            return self._constant
        log: dict[str, Any] = {}
        ctx = context(self._principal, self._tool, facts, log, self.reads)
        return judge(self._plan, ctx, log, is_open=facts.before is OPEN)
