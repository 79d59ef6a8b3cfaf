"""Deciding with gaps: the verdict if it is certain with what is known, else what is missing.

The same rules as the policy's own judge, in the same words: a deny row that holds, or a condition that
raises, or a subject without an allow row, denies. A condition that reads what is not known may hold, not
hold, or raise; where that could change the verdict, there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolcrib.bench._known import Unrecorded
from toolcrib.decisions import Decision, Row, Verdict
from toolcrib.policy import Candidates, Facts, Governed
from toolcrib.policy._candidates import PlanCandidates
from toolcrib.policy._evaluate import Raised, evaluate
from toolcrib.policy._grants import bounded, shortfall, ungranted
from toolcrib.policy._index import Rule
from toolcrib.policy._namespace import Namespace, Opened, context
from toolcrib.policy._plan import NOTHING, Plan, denied_by, granted, lacking
from toolcrib.principal import Principal

__all__ = ["Weighed", "approvers_of", "weigh"]

_Outcome: TypeAlias = Literal["holds", "fails", "raises", "unknown"]
_UNKNOWABLE = frozenset({"labels", "before", "tool", "sandbox", "now"})


@dataclass(frozen=True, slots=True)
class Weighed:
    """`verdict` is None where it depends on something unknown; `missing` names that, by dotted path."""

    verdict: Verdict | None
    reason: str
    rows: tuple[Row, ...] = ()
    reviews: tuple[Row, ...] = ()
    quotas: tuple[Row, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, decision: Decision) -> Weighed:
        """A decision that is certain."""
        return cls(decision.verdict, decision.reason, decision.rows, decision.reviews, decision.quotas)


def weigh(candidates: Candidates, principal: Principal, tool: Governed, facts: Facts) -> Weighed:
    """Decide as `Policy.decide` would, as far as `facts` go."""
    if isinstance(candidates, PlanCandidates):
        plan = candidates.plan
        if plan.constant is not None:
            return Weighed.of(bounded(plan.constant, facts))
        return _bounded(_Scale(plan, context(principal, tool, facts, {}, plan.reads)).verdict(), facts)
    try:
        decision = candidates.decide(facts)
    except Opened:
        return _unknown(candidates.reads & _UNKNOWABLE)
    if decision.is_open:
        return _unknown(candidates.reads & _UNKNOWABLE)
    return Weighed.of(bounded(decision, facts))


def _bounded(weighed: Weighed, facts: Facts) -> Weighed:
    """As `toolcrib.policy._grants.bounded`."""
    fields = ungranted(weighed.rows, facts.beyond) if weighed.verdict in ("allow", "review") else []
    return Weighed("deny", shortfall(fields, facts)) if fields else weighed


class _Scale:
    """One plan over one call."""

    def __init__(self, plan: Plan, ctx: Namespace) -> None:
        self._plan, self._ctx = plan, ctx
        self._known: dict[Rule, _Outcome] = {}
        self._missing: set[str] = set()
        self._raised: Rule | None = None
        self._why = ""

    def verdict(self) -> Weighed:
        plan = self._plan
        denies = self._holding([rule for side in plan.sides for rule in side.denies])
        if denies:
            return Weighed.of(denied_by(plan, denies, NOTHING))
        allows = [self._holding(side.allows) for side in plan.sides]
        reviews = self._holding(plan.reviews)
        if self._raised is not None:
            return self._broken(self._raised)
        for side, held in zip(plan.sides, allows, strict=True):
            if not held and not any(self._known.get(rule) == "unknown" for rule in side.allows):
                return Weighed.of(lacking(plan, side.subject, NOTHING, tried=bool(side.allows)))
        if self._missing:
            return _unknown(self._missing)
        return Weighed.of(granted(plan, [*allows[0], *allows[1]], reviews, NOTHING))

    def _broken(self, rule: Rule) -> Weighed:
        reason = f"the condition of {rule.row.place} cannot be evaluated: {self._why}"
        return Weighed("deny", reason, (rule.row,))

    def _holding(self, rules: Sequence[Rule]) -> list[Rule]:
        return [rule for rule in rules if self._outcome(rule) == "holds"]

    def _outcome(self, rule: Rule) -> _Outcome:
        if rule.condition is None:
            return "holds"
        found = self._known.get(rule)
        if found is None:
            found = self._known[rule] = self._evaluate(rule)
        return found

    def _evaluate(self, rule: Rule) -> _Outcome:
        assert rule.condition is not None
        try:
            return "holds" if evaluate(rule.condition, self._ctx) else "fails"
        except Unrecorded as gap:
            self._missing.add(gap.path)
        except Opened:
            self._missing |= rule.condition.roots & _UNKNOWABLE
        except Raised as raised:
            self._raised, self._why = self._raised or rule, self._why or str(raised)
            return "raises"
        return "unknown"


def _unknown(missing: Iterable[str]) -> Weighed:
    names = tuple(sorted(missing))
    return Weighed(None, f"it depends on {', '.join(names)}", missing=names)


def approvers_of(rows: Iterable[Row]) -> frozenset[frozenset[str]]:
    """Who must approve: for each p2 row its alternatives, whichever file and line it stands in."""
    return frozenset(frozenset(map(str.strip, row.values[-1].split("|"))) for row in rows if row.kind == "p2")
