"""What lint claims, held against decisions: over random policies, and over random conditions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.bench._guards import unguarded
from toolcrib.bench.lint import lint_text
from toolcrib.policy import MODEL, Facts, Policy
from toolcrib.principal import Principal

IDLE = {"TC301", "TC302", "TC303", "TC304", "TC305", "TC306", "TC307", "TC401"}
"""Findings that say: this row decides nothing."""


@dataclass(frozen=True)
class Tool:
    name: str
    effect: Any
    labels: frozenset[str] = frozenset()
    idempotent: bool = False

    @property
    def pack(self) -> str:
        return self.name.partition(".")[0]


TOOLS = [Tool("crm.get", "read"), Tool("crm.put", "write"), Tool("mail.send", "send")]
PEOPLE = [Principal(agent, user, tenant) for agent, user, tenant in itertools.product("xy", "ab", ("t", "u"))]
SUBJECTS = st.sampled_from(["user:a", "user:b", "agent:x", "agent:y", "r", "s", "*"])
SCOPE = st.tuples(
    SUBJECTS,
    st.sampled_from(["t", "u", "*"]),
    st.sampled_from(["crm.get", "crm.put", "crm.*", "mail.*", "mail.send", "*"]),
)
ACT = st.sampled_from(["read", "write", "send", "*"])
WHEN = st.sampled_from(
    ["True", "True", "True", "r.ctx.user == 'a'", "r.ctx.tenant == 'u'", "r.ctx.tool.effect == 'read'",
     "r.ctx.agent in ('x', 'z') and r.ctx.tool.name == 'crm.get'", "False"]
)  # fmt: skip


def row(kind: str, scope: tuple[str, ...], *rest: str) -> str:
    return ", ".join((kind, *scope, *rest))


ROW = st.one_of(
    st.builds(row, st.just("p"), SCOPE, ACT, WHEN, st.sampled_from(["allow", "allow", "allow", "deny"])),
    st.builds(row, st.just("p2"), SCOPE, ACT, WHEN, st.sampled_from(["requester", "user:b", "r|user:a"])),
    st.builds(row, st.just("p3"), SCOPE, st.just("1/day per user")),
    st.builds(
        row,
        st.just("g"),
        st.tuples(st.sampled_from(["user:a", "user:b", "agent:x", "agent:y"])),
        st.sampled_from("rs"),
        st.sampled_from("tu*"),
    ),
    st.builds(lambda tenant: f"g, r, s, {tenant}", st.sampled_from("tu*")),
)


def decisions(rows: list[str]) -> list[Any]:
    """Verdict, reviews and quotas of everybody for every tool."""
    policy = Policy.of(MODEL, "\n".join(rows))
    found = []
    for principal, tool in itertools.product(PEOPLE, TOOLS):
        decision = policy.decide(policy.candidates(principal, tool), Facts({}, before=None))
        kept = [{one.values for one in rows} for rows in (decision.reviews, decision.quotas)]
        found.append((principal, tool.name, decision.verdict, *kept))
    return found


@settings(max_examples=120, deadline=None)
@given(st.lists(ROW, min_size=2, max_size=9))
def test_a_row_that_lint_calls_idle_can_be_removed(rows: list[str]) -> None:
    before = decisions(rows)
    for finding in lint_text(MODEL, "\n".join(rows)):
        if finding.id in IDLE:
            left = rows[: finding.line - 1] + rows[finding.line :]
            after = decisions(left)
            assert after == before, finding


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=9))
def test_every_place_is_in_the_text(rows: list[str]) -> None:
    text = ["# first", *(f"  {one}" for one in rows)]
    for finding in lint_text(MODEL, "\n".join(text)):
        if finding.line:
            assert 1 <= finding.column <= len(text[finding.line - 1])
            assert text[finding.line - 1][finding.column - 1] not in " ,"


# --- conditions ---

PATHS = ["args.a", "args.b", "args.c.d"]
CONDITION = st.recursive(
    st.one_of(
        st.sampled_from([f'has(r.ctx, "{path}")' for path in PATHS]),
        st.sampled_from([f"r.ctx.{path} > 1" for path in PATHS]),
        st.sampled_from([f"r.ctx.{path} is not None" for path in PATHS]),
        st.sampled_from([f"r.ctx.{path} == 1" for path in PATHS]),
        st.just("True"),
    ),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
    ),
    max_leaves=6,
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from([0, 2, None]),
        "b": st.sampled_from([0, 2, None]),
        "c": st.sampled_from([None, {}, {"d": 0}, {"d": 2}, {"d": None}]),
    },
)


@settings(max_examples=250, deadline=None)
@given(CONDITION, VALUES)
def test_a_condition_without_unguarded_reads_never_raises(condition: str, arguments: dict[str, Any]) -> None:
    if unguarded(condition):
        return
    policy = Policy.of(MODEL, f"p, *, *, *, *, True, allow\np, *, *, *, *, {condition}, deny")
    decision = policy.decide(policy.candidates(PEOPLE[0], TOOLS[0]), Facts(arguments, before=None))
    assert "cannot be evaluated" not in decision.reason
