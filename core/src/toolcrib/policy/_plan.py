"""What the rows that can match a call make of it, before and after conditions are known.

A `Plan` is built once for (subjects, tenant, tool, effect) and kept. Where no condition can change the
outcome it holds the finished decision, which `decide` then only hands out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolcrib.decisions import Decision, Row
from toolcrib.policy._index import Rule

__all__ = ["Call", "Plan", "Side", "denied_by", "granted", "lacking", "rows_of"]

NOTHING: dict[str, Any] = {}
NO_ROOTS: frozenset[str] = frozenset()


class Call:
    """What a plan is for, as its sentences name it."""

    __slots__ = ("effect", "revision", "tenant", "tool")

    def __init__(self, tool: str, effect: str, tenant: str, revision: str) -> None:
        self.tool, self.effect, self.tenant, self.revision = tool, effect, tenant, revision

    @property
    def words(self) -> str:
        """`crm.get_record (read) in tenant acme`."""
        return f"{self.tool} ({self.effect}) in tenant {self.tenant}"


class Side:
    """The rules that can match for one subject."""

    __slots__ = ("allows", "denies", "quotas", "reviews", "subject", "with_conditions")

    def __init__(self, subject: str, rules: Sequence[Rule]) -> None:
        self.subject = subject
        self.with_conditions = False
        sorted_rules: tuple[list[Rule], ...] = ([], [], [], [])
        for rule in rules:
            sorted_rules[rule.does].append(rule)
            if rule.condition is not None:
                self.with_conditions = True
        self.allows, self.denies, self.reviews, self.quotas = sorted_rules


class Plan:
    """The rules that can match a call, for each subject; `reviews` and `quotas` are of both.

    `constant` is the decision if conditions cannot change it; `reads` are the roots that conditions read.
    """

    __slots__ = ("call", "constant", "offered", "quotas", "reads", "reviews", "sides")

    def __init__(self, call: Call, user: Side, agent: Side) -> None:
        self.call, self.sides = call, (user, agent)
        self.reviews, self.quotas = user.reviews + agent.reviews, user.quotas + agent.quotas
        self.reads = NO_ROOTS
        self.constant = self._certain_deny()
        self.offered = self.constant is None
        if self.constant is None:
            self._look_for_conditions()

    def _certain_deny(self) -> Decision | None:
        """The decision if an unconditional row denies, or if a subject has no allow row at all."""
        for side in self.sides:
            for rule in side.denies:
                if rule.condition is None:
                    return denied_by(self, self._unconditional_denies(), NOTHING)
        for side in self.sides:
            if not side.allows:
                return lacking(self, side.subject, NOTHING)
        return None

    def _unconditional_denies(self) -> list[Rule]:
        return [rule for side in self.sides for rule in side.denies if rule.condition is None]

    def _look_for_conditions(self) -> None:
        user, agent = self.sides
        allows = user.allows + agent.allows
        if user.with_conditions or agent.with_conditions:
            rules = (*allows, *user.denies, *agent.denies, *self.reviews)
            self.reads = frozenset().union(*[rule.condition.roots for rule in rules if rule.condition])
        else:
            self.constant = granted(self, allows, self.reviews, NOTHING)


def rows_of(rules: Sequence[Rule]) -> tuple[Row, ...]:
    """The rules' rows, each once; more than two in the order of the file."""
    if len(rules) < 2:
        return (rules[0].row,) if rules else ()
    if len(rules) == 2:  # one of each subject, the common case
        one, other = rules[0].row, rules[1].row
        return (one,) if one is other else (one, other)
    by_line = {rule.row.line: rule.row for rule in rules}
    return tuple([by_line[line] for line in sorted(by_line)])


def _places(rows: Sequence[Row]) -> str:
    return " and ".join([f"{row.file}:{row.line}" for row in rows])


def denied_by(plan: Plan, rules: Sequence[Rule], inputs: Mapping[str, Any]) -> Decision:
    """A deny by deny rows."""
    rows = rows_of(rules)
    return Decision(
        "deny",
        f"{plan.call.words} is denied by {_places(rows)}",
        plan.call.revision,
        rows,
        (),
        (),
        False,
        inputs,
    )


def lacking(plan: Plan, subject: str, inputs: Mapping[str, Any], *, tried: bool = False) -> Decision:
    """A deny because nothing allows it to one of the subjects."""
    fits = "whose condition holds " if tried else ""
    reason = f"{subject} has no allow row {fits}for {plan.call.words}"
    return Decision("deny", reason, plan.call.revision, (), (), (), False, inputs)


def granted(
    plan: Plan, allows: Sequence[Rule], reviews: Sequence[Rule], inputs: Mapping[str, Any]
) -> Decision:
    """Allow, or review where p2 rows ask for one."""
    call, rows, quotas = plan.call, rows_of(allows), rows_of(plan.quotas)
    user, agent = plan.sides
    reason = (  # `call.words`, in one go
        f"{user.subject} and {agent.subject} may call {call.tool} ({call.effect}) in tenant {call.tenant}"
    )
    asked = rows_of(reviews)
    if not asked:
        return Decision("allow", reason, call.revision, rows, (), quotas, False, inputs)
    wanted = " and ".join([f"{row.values[-1]} ({row.file}:{row.line})" for row in asked])
    reason += f" with the approval of {wanted}"
    return Decision("review", reason, call.revision, rows, asked, quotas, False, inputs)
