"""Deciding a call whose rows have conditions.

Order matters only for what is reported: Casbin too lets any deny row win over any allow row, and a
condition that raises, in whichever row, stops the decision, which then is a deny. Rows that read `before`
while it is not known are *open*: they can still deny or allow, so only what is certain without them is
final.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from toolcrib.decisions import Decision
from toolcrib.policy._evaluate import Raised, evaluate
from toolcrib.policy._index import Rule
from toolcrib.policy._namespace import Namespace, inputs_of
from toolcrib.policy._plan import Plan, denied_by, granted, lacking, rows_of

__all__ = ["judge"]


class _Broken(Exception):
    """A condition raised."""

    def __init__(self, rule: Rule, why: str) -> None:
        super().__init__(why)
        self.rule, self.why = rule, why


@dataclass(slots=True)
class _Sieve:
    """Sorts rules by their conditions, each evaluated once; `opens` collects those that wait for `before`."""

    context: Namespace
    is_open: bool
    known: dict[Rule, bool] = field(default_factory=dict)
    opens: list[Rule] = field(default_factory=list)

    def matching(self, rules: Iterable[Rule]) -> list[Rule]:
        return [rule for rule in rules if self._holds(rule)]

    def waiting(self, rules: Iterable[Rule]) -> bool:
        return self.is_open and any(map(self._waits, rules))

    def _waits(self, rule: Rule) -> bool:
        return rule.condition is not None and "before" in rule.condition.roots

    def _holds(self, rule: Rule) -> bool:
        if rule.condition is None:
            return True
        if self.is_open and self._waits(rule):
            self.opens.append(rule)
            return False
        found = self.known.get(rule)
        if found is None:
            try:
                found = self.known[rule] = evaluate(rule.condition, self.context)
            except Raised as raised:
                raise _Broken(rule, str(raised)) from None
        return found


def judge(plan: Plan, context: Namespace, log: dict[str, Any], *, is_open: bool) -> Decision:
    """The decision of a plan without a constant one. `is_open`: `before` is not known yet."""
    sieve = _Sieve(context, is_open)
    try:
        return _judge(plan, sieve, log)
    except _Broken as broken:
        row = broken.rule.row
        reason = f"the condition of {row.place} cannot be evaluated: {broken.why}"
        return Decision("deny", reason, plan.call.revision, (row,), inputs=inputs_of(log))


def _judge(plan: Plan, sieve: _Sieve, log: dict[str, Any]) -> Decision:
    denies = sieve.matching([rule for side in plan.sides for rule in side.denies])
    if denies:
        return denied_by(plan, denies, inputs_of(log))
    allows: list[Rule] = []
    missing = ""
    for side in plan.sides:
        matched = sieve.matching(side.allows)
        allows += matched
        if not matched and not missing and not sieve.waiting(side.allows):
            missing = side.subject
    if missing:
        return lacking(plan, missing, inputs_of(log), tried=True)
    reviews = sieve.matching(plan.reviews)
    if sieve.opens:
        return _open(plan, sieve, reviews, log)
    return granted(plan, allows, reviews, inputs_of(log))


def _open(plan: Plan, sieve: _Sieve, reviews: list[Rule], log: dict[str, Any]) -> Decision:
    """Not decided yet. The verdict is deny, so that whoever overlooks `is_open` runs nothing."""
    places = " and ".join(row.place for row in rows_of(sieve.opens))
    reason = f"{places} waits to see the record before the change"
    return Decision(
        "deny",
        reason,
        plan.call.revision,
        reviews=rows_of(reviews),
        quotas=rows_of(plan.quotas),
        is_open=True,
        inputs=inputs_of(log),
    )
