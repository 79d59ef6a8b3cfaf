"""What would have allowed a call that was denied: the smallest rows to add, and the rows that nearly did.

The smallest row names one subject, one tenant, one tool and one effect exactly; every wider form of it
(a role, `*`, the whole pack) would permit calls that nobody asked for. A deny row beats whatever is added,
so where one matches, it is narrowed to leave out this user with this agent and this tool. What is
proposed is tried: a policy with it is made, and the call decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolcrib.decisions import Decision, Row
from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL, Explanation, Facts, Governed, Policy, explain
from toolcrib.policy._grants import granting
from toolcrib.policy._index import ANY
from toolcrib.principal import NOBODY, Principal

__all__ = ["NearMiss", "Remedy", "near_misses", "remedy"]

MOST = 12
"""Rows that nearly allowed a call; more would not be read."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Rows to `add` (as lines of policy.csv), and rows to `replace` by another line. With both done the call
    is `decision`, which is no deny.
    """

    add: tuple[str, ...]
    replace: tuple[tuple[Row, str], ...]
    decision: Decision

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "add": list(self.add),
            "replace": [{"place": row.place, "row": _line(row), "by": line} for row, line in self.replace],
            "verdict": self.decision.verdict,
            "is_open": self.decision.is_open,
        }


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An allow row that would have counted for `subject`, `but` for one thing."""

    row: Row
    subject: str
    but: str = field(compare=False)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"place": self.row.place, "row": _line(self.row), "subject": self.subject, "but": self.but}


def remedy(policy: Policy, principal: Principal, tool: Governed, facts: Facts) -> Remedy | None:
    """The smallest change of rows that allows a denied call, tried.

    None if the call is not denied, if a condition must be mended by hand, or for a custom model.
    """
    found = explain(policy, principal, tool, facts)
    if found.decision.verdict != "deny" or found.decision.is_open or not policy.is_indexed:
        return None
    if any(one.outcome == "condition raises" for one in found.considered):
        return None
    when, lacking = granting(facts), _lacking(found, principal)
    if when != "True" and not lacking:
        lacking = [principal.subjects[0]]  # rows allow it, but none speaks of what it asks of its sandbox
    add = tuple(_narrowest(one, principal, tool, when) for one in lacking)
    replace = tuple((row, _narrowed(row, principal, tool)) for row in _denying(found))
    try:
        decision = _tried(policy, principal, tool, facts, add, dict(replace))
    except PolicyError:  # the narrowed condition is longer than a condition may be
        return None
    if decision.verdict == "deny" and not decision.is_open:
        return None
    return Remedy(add, replace, decision)


def _lacking(found: Explanation, principal: Principal) -> list[str]:
    """The subjects without an allow row that holds."""
    allows = [
        one.row.values[0]
        for one in found.considered
        if one.row.kind == "p" and one.row.values[-1] == "allow" and one.outcome != "condition is false"
    ]
    return [
        subject for subject in principal.subjects if not {subject, ANY, *found.roles[subject]} & set(allows)
    ]


def _denying(found: Explanation) -> list[Row]:
    return [
        one.row
        for one in found.considered
        if one.row.kind == "p" and one.row.values[-1] == "deny" and one.outcome == "matches"
    ]


def _narrowest(subject: str, principal: Principal, tool: Governed, when: str) -> str:
    return f"p, {subject}, {principal.tenant}, {tool.name}, {tool.effect}, {when}, allow"


def _narrowed(row: Row, principal: Principal, tool: Governed) -> str:
    """The deny row, except for this user with this agent and this tool."""
    this = [f'r.ctx.user == "{principal.user or NOBODY}"', f'r.ctx.agent == "{principal.agent}"']
    if row.values[2] != tool.name:
        this.append(f'r.ctx.tool.name == "{tool.name}"')
    if row.values[1] == ANY:
        this.append(f'r.ctx.tenant == "{principal.tenant}"')
    subject, tenant, name, act, when, _ = row.values
    before = "" if when == "True" else f"({when}) and "
    return f"p, {subject}, {tenant}, {name}, {act}, {before}not ({' and '.join(this)}), deny"


def _tried(
    policy: Policy,
    principal: Principal,
    tool: Governed,
    facts: Facts,
    add: Sequence[str],
    replace: dict[Row, str],
) -> Decision:
    lines = [replace.get(row) or _line(row) for row in policy.rows]
    changed = Policy.of(MODEL, "\n".join((*lines, *add)) + "\n")
    return changed.decide(changed.candidates(principal, tool), facts)


def near_misses(policy: Policy, principal: Principal, tool: Governed, facts: Facts) -> list[NearMiss]:
    """Allow rows that would have counted for a subject that lacks one, but for one thing: who, the
    condition, the effect or the tenant. At most a dozen, those for this very tool first.
    """
    found = explain(policy, principal, tool, facts)
    if found.decision.verdict != "deny" or found.decision.is_open or not policy.is_indexed:
        return []
    lacking = _lacking(found, principal)
    misses = (miss for subject in lacking for miss in _misses(policy, found, subject, principal, tool))
    return sorted(dict.fromkeys(misses), key=lambda miss: (miss.row.values[2] != tool.name, miss.row.line))[
        :MOST
    ]


def _misses(
    policy: Policy, found: Explanation, subject: str, principal: Principal, tool: Governed
) -> Iterator[NearMiss]:
    held = {subject, ANY, *found.roles[subject]}
    names = set(policy.index.names(tool.name))
    kind = subject.partition(":")[0]
    for row in policy.rows:
        if row.kind != "p" or row.values[-1] != "allow" or row.values[2] not in names:
            continue
        who, tenant, _, act, when, _ = row.values
        other = who.partition(":")
        if other[1] and who != subject and other[0] != kind:
            continue  # an agent's row is of no use to a user
        wrong = [
            *(
                [f"{subject} does not hold {who}" if not other[1] else f"it is for {who}"]
                if who not in held
                else []
            ),
            *([f"it is for tenant {tenant}"] if tenant not in (ANY, principal.tenant) else []),
            *(
                [f"it is for {act}, and the tool's effect is {tool.effect}"]
                if act not in (ANY, tool.effect)
                else []
            ),
        ]
        if not wrong:
            wrong = [f"its condition is false: {when}"]
        if len(wrong) == 1:
            yield NearMiss(row, subject, wrong[0])


def _line(row: Row) -> str:
    return ", ".join((row.kind, *row.values))
