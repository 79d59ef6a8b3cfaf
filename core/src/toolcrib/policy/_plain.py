"""Deciding by plain Casbin, for a custom model.

Slower by orders of magnitude and kept simple: one call at a time under a lock (pycasbin's enforcer is not
made for threads), p by Casbin's own effect, p2 row by row (Casbin reports only the last match), p3
matched here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from toolcrib.decisions import Decision, Row, Verdict
from toolcrib.policy._evaluate import explain
from toolcrib.policy._facts import Facts, Governed
from toolcrib.policy._index import QUOTA, Index
from toolcrib.policy._loading import Loaded
from toolcrib.policy._namespace import Namespace, Opened, context, inputs_of
from toolcrib.policy._plan import Call, rows_of
from toolcrib.principal import Principal

__all__ = ["PlainCandidates", "PlainCasbin"]

MAX_TENANTS = 256
"""Role managers that Casbin may keep; it makes one for every tenant it is ever asked about."""


class PlainCasbin:
    """An enforcer and the rows it loaded."""

    def __init__(self, loaded: Loaded, revision: str) -> None:
        self._enforcer, self.revision = loaded.enforcer, revision
        self._lock = threading.Lock()
        self._rows = {kind: [row for row in loaded.rows if row.kind == kind] for kind in ("p", "p2")}
        self.quotas = Index((rule for rule in loaded.rules() if rule.does == QUOTA), loaded.roles)
        known = [loaded.conditions.get(value) for row in loaded.rows for value in _conditions(loaded, row)]
        self.reads = loaded.model.reads.union(*(condition.roots for condition in known if condition))

    @property
    def offers(self) -> bool:
        """Whether anything could be allowed."""
        return bool(self._rows["p"])

    def decide(
        self, principal: Principal, tool: Governed, ctx: Namespace, call: Call
    ) -> Decision | tuple[Row, ...]:
        """A deny, or the p rows that allow both subjects."""
        rows: dict[Row, None] = {}
        for subject in principal.subjects:
            allowed, values = self._enforce(subject, principal, tool, ctx)
            row = next((row for row in self._rows["p"] if list(row.values) == values), None)
            if not allowed:
                reason = (
                    f"{row.place if row else 'no row'} of the custom model {'denies' if row else 'allows'}"
                )
                return Decision(
                    "deny", f"{reason} {call.words} for {subject}", self.revision, (row,) if row else ()
                )
            if row:
                rows[row] = None
        return tuple(rows)

    def reviews(self, principal: Principal, tool: Governed, ctx: Namespace) -> tuple[Row, ...]:
        """The p2 rows that match for either subject."""
        return tuple(
            row
            for row in self._rows["p2"]
            if any(self._matches(row, subject, principal, tool, ctx) for subject in principal.subjects)
        )

    def _enforce(
        self, subject: str, principal: Principal, tool: Governed, ctx: Namespace
    ) -> tuple[bool, list[str]]:
        if not self._rows["p"]:
            return False, []
        with self._lock:
            self._forget()
            allowed, values = self._enforcer.enforce_ex(
                subject, principal.tenant, tool.name, tool.effect, ctx
            )
        return allowed is True, values

    def _matches(self, row: Row, subject: str, principal: Principal, tool: Governed, ctx: Namespace) -> bool:
        from casbin.core_enforcer import EnforceContext

        which = EnforceContext("r", "p2", "e2", "m2")
        with self._lock:
            assertion = self._enforcer.get_model()["p"]["p2"]
            every, assertion.policy = assertion.policy, [list(row.values)]
            try:
                _, values = self._enforcer.enforce_ex(
                    which, subject, principal.tenant, tool.name, tool.effect, ctx
                )
            finally:
                assertion.policy = every
        return bool(values)

    def _forget(self) -> None:
        manager = self._enforcer.rm_map.get("g")
        kept = getattr(manager, "rm_map", None)
        if kept is not None and len(kept) > MAX_TENANTS:
            kept.clear()


def _conditions(loaded: Loaded, row: Row) -> list[str]:
    columns = loaded.model.columns[row.kind]
    return [value for name, value in zip(columns, row.values, strict=True) if name in loaded.model.conditions]


class PlainCandidates:
    """A call that plain Casbin decides."""

    __slots__ = ("_casbin", "_principal", "_tool", "offered", "reads")

    def __init__(self, casbin: PlainCasbin, principal: Principal, tool: Governed) -> None:
        self._casbin, self._principal, self._tool = casbin, principal, tool
        self.offered = casbin.offers
        self.reads: frozenset[str] = casbin.reads

    def decide(self, facts: Facts) -> Decision:
        """As Casbin decides for both subjects; whatever raises denies."""
        log: dict[str, Any] = {}
        ctx = context(self._principal, self._tool, facts, log, self.reads)
        principal, tool, casbin = self._principal, self._tool, self._casbin
        call = Call(tool.name, tool.effect, principal.tenant, casbin.revision)
        try:
            rows = casbin.decide(principal, tool, ctx, call)
            if isinstance(rows, Decision):
                return _with_inputs(rows, log)
            return self._granted(rows, casbin.reviews(principal, tool, ctx), log, call)
        except Opened:
            reason = "a row of the custom model waits to see the record before the change"
            return Decision("deny", reason, casbin.revision, is_open=True, inputs=inputs_of(log))
        except Exception as error:
            reason = f"a condition of the custom model cannot be evaluated: {explain(error)}"
            return Decision("deny", reason, casbin.revision, inputs=inputs_of(log))

    def _granted(
        self, rows: tuple[Row, ...], reviews: tuple[Row, ...], log: Mapping[str, Any], call: Call
    ) -> Decision:
        principal, tool, index = self._principal, self._tool, self._casbin.quotas
        about = (principal.tenant, index.names(tool.name), tool.effect)
        found = [rule for subject in principal.subjects for rule in index.gather(subject, *about)]
        wanted = " and ".join(f"{row.values[-1]} ({row.place})" for row in reviews)
        user, agent = principal.subjects
        reason = f"{user} and {agent} may call {call.words}"
        reason += f" with the approval of {wanted}" if wanted else ""
        verdict: Verdict = "review" if reviews else "allow"
        inputs = inputs_of(log)
        return Decision(verdict, reason, call.revision, rows, reviews, rows_of(found), inputs=inputs)


def _with_inputs(decision: Decision, log: Mapping[str, Any]) -> Decision:
    return Decision(
        decision.verdict, decision.reason, decision.revision, decision.rows, inputs=inputs_of(log)
    )
