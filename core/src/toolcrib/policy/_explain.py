"""Why a call is decided as it is, and what would allow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolcrib.decisions import Decision, Row
from toolcrib.policy._alone import is_of_secret_alone
from toolcrib.policy._candidates import PlanCandidates
from toolcrib.policy._evaluate import Raised, evaluate
from toolcrib.policy._facts import OPEN, Facts, Governed
from toolcrib.policy._grants import granting
from toolcrib.policy._index import Rule
from toolcrib.policy._namespace import Absent, Namespace, context
from toolcrib.policy._plan import Plan, rows_of
from toolcrib.policy._policy import Policy
from toolcrib.principal import Principal

__all__ = ["Explanation", "Outcome", "RowResult", "explain"]

Outcome: TypeAlias = Literal["matches", "condition is false", "condition raises", "waits for the preview"]


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row that sub, dom, obj and act select, and what its condition says; `why` is filled where it
    raises; `absent` is the path below `r.ctx` that it read and that is not there.
    """

    row: Row
    outcome: Outcome
    why: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`roles` by subject; `considered` are the rows that could have mattered, in the order of the file.

    `remedies` say, for a deny, which row to add, remove or narrow. `considered` is empty for a custom model.
    """

    decision: Decision
    roles: Mapping[str, tuple[str, ...]]
    considered: Sequence[RowResult]
    remedies: Sequence[str]


def explain(policy: Policy, principal: Principal, tool: Governed, facts: Facts) -> Explanation:
    """Decide one call and say why."""
    candidates = policy.candidates(principal, tool)
    decision = policy.decide(candidates, facts)
    roles = {subject: policy.roles(subject, principal.tenant) for subject in principal.subjects}
    if not isinstance(candidates, PlanCandidates):
        return Explanation(decision, roles, (), ())
    plan = candidates.plan
    results = _considered(plan, principal, tool, facts)
    if decision.verdict != "deny" or decision.is_open:
        return Explanation(decision, roles, results, ())
    return Explanation(decision, roles, results, _remedies(plan, results, granting(facts)))


def _considered(plan: Plan, principal: Principal, tool: Governed, facts: Facts) -> list[RowResult]:
    p_rules = [rule for side in plan.sides for rule in (*side.denies, *side.allows)]
    rules = {rule.row: rule for rule in (*p_rules, *plan.reviews)}
    roots = frozenset[str]().union(*(rule.condition.roots for rule in rules.values() if rule.condition))
    ctx = context(principal, tool, facts, {}, roots)
    results = [_result(rule, ctx, is_open=facts.before is OPEN) for rule in rules.values()]
    results += [RowResult(row, "matches") for row in rows_of(plan.quotas)]
    return sorted(results, key=lambda result: result.row.line)


def _result(rule: Rule, ctx: Namespace, *, is_open: bool) -> RowResult:
    if rule.condition is None:
        return RowResult(rule.row, "matches")
    if is_open and "before" in rule.condition.roots:
        return RowResult(rule.row, "waits for the preview")
    try:
        return RowResult(rule.row, "matches" if evaluate(rule.condition, ctx) else "condition is false")
    except Raised as raised:
        met = raised.__context__
        absent = met.path if isinstance(met, Absent) else ""
        return RowResult(rule.row, "condition raises", str(raised), absent)


def _remedies(plan: Plan, results: Sequence[RowResult], when: str) -> list[str]:
    """The fewest changes that would allow the call; `when` grants what it asks of a sandbox."""
    outcome = {result.row: result for result in results}
    remedies = []
    lacking = [
        side.subject
        for side in plan.sides
        if not any(outcome[rule.row].outcome == "matches" for rule in side.allows)
    ]
    denied = any(result.row.values[-1] == "deny" and result.outcome == "matches" for result in results)
    if not lacking and when != "True" and not denied:
        lacking = [plan.sides[0].subject]  # rows allow it, but none speaks of what it asks for
    for subject in lacking:
        call = plan.call
        remedies.append(f"add: p, {subject}, {call.tenant}, {call.tool}, {call.effect}, {when}, allow")
    for result in results:
        denies = result.row.kind == "p" and result.row.values[-1] == "deny"
        if denies and result.outcome == "matches":
            remedies.append(f"remove or narrow: {result.row}")
        if result.outcome == "matches" and is_of_secret_alone(result.row):
            remedies.append(f"remove, and write it for the tools that use the secret: {result.row}")
        if result.outcome == "condition raises":
            remedies.append(f"mend the condition ({result.why}): {result.row}")
    return remedies
