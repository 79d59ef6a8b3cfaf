"""Cells and views: what the rows say of one subject, or of user and agent together."""

from __future__ import annotations

import random
from itertools import product

import pytest

from toolcrib.bench.cells import NOTHING
from toolcrib.bench.tools import NamedTool
from toolcrib.bench.view import View, kind_of
from toolcrib.policy import MODEL, Facts, Policy
from toolcrib.principal import Principal

SET = NamedTool("crm.set", "write")
ALLOW = "p, sales, acme, crm.*, write, True, allow"


def view(*rows: str, tenant: str = "acme") -> View:
    return View(Policy.of(MODEL, "\n".join(rows)), tenant)


@pytest.mark.parametrize(
    ("rows", "state", "words"),
    [
        ([], "deny", "deny"),
        (["p, other, acme, *, *, True, allow"], "deny", "deny"),
        (["p, sales, globex, *, *, True, allow"], "deny", "deny"),
        (["p, sales, acme, *, read, True, allow"], "deny", "deny"),
        ([ALLOW], "allow", "allow"),
        ([ALLOW, "p, sales, acme, *, *, r.ctx.args.n > 1, allow"], "allow", "allow"),
        ([ALLOW, "p, *, *, *, *, True, deny"], "deny", "deny by policy.csv:2"),
        (["p, *, *, *, *, True, deny"], "deny", "deny by policy.csv:1"),
        (["p, *, *, *, *, r.ctx.args.n > 1, deny"], "deny", "deny"),
        ([ALLOW, "p, *, *, *, *, r.ctx.args.n > 1, deny"], "depends", "allow; deny when r.ctx.args.n > 1"),
        (
            ["p, sales, acme, *, *, r.ctx.args.n > 1, allow"],
            "depends",
            "allow only when r.ctx.args.n > 1",
        ),
        (
            ["p, sales, *, *, *, r.ctx.args.n > 1, allow", "p, *, *, *, *, r.ctx.args.n < 0, allow"],
            "depends",
            "allow only when (r.ctx.args.n > 1) or (r.ctx.args.n < 0)",
        ),
        ([ALLOW, "p2, *, *, *, *, True, requester|lead"], "review", "review by requester|lead"),
        (
            [ALLOW, "p2, *, *, *, *, True, lead", "p2, *, *, crm.*, *, True, user:bob"],
            "review",
            "review by lead and by user:bob",
        ),
        (
            [ALLOW, "p2, *, *, *, *, r.ctx.args.n > 1, lead"],
            "depends",
            "allow; review by lead when r.ctx.args.n > 1",
        ),
        (
            [ALLOW, "p2, *, *, *, *, True, lead", "p2, *, *, *, *, r.ctx.args.n > 1, boss"],
            "review",
            "review by lead; review by boss when r.ctx.args.n > 1",
        ),
    ],
)
def test_states_and_their_words(rows: list[str], state: str, words: str) -> None:
    cell = view(*rows).cell(SET, "sales")
    assert (cell.state, cell.words) == (state, words)


def test_forbidden_is_by_a_row_and_not_for_want_of_one() -> None:
    assert view("p, *, *, *, *, True, deny").cell(SET, "sales").forbidden
    assert not view().cell(SET, "sales").forbidden
    assert not view(ALLOW, "p, *, *, *, *, r.ctx.args.n > 1, deny").cell(SET, "sales").forbidden


def test_quotas_say_what_shares_their_count() -> None:
    rows = ["p3, *, *, crm.set, 5/day per user", "p3, sales, *, crm.*, 9/hour per tenant"]
    assert view(ALLOW, *rows).cell(SET, "sales").limits == (
        "5/day per user",
        "9/hour per tenant over crm.* (sales)",
    )
    assert view(*rows).cell(SET, "sales").limits == (), "what is denied is not counted"


def test_user_and_agent_together_need_both() -> None:
    one = view(ALLOW, "g, user:alice, sales, acme", "p, agent:w, acme, *, *, r.ctx.args.n > 1, allow")
    assert one.cell(SET, "user:alice").state == "allow"
    assert one.cell(SET, "user:alice", "agent:w").words == "allow only when r.ctx.args.n > 1"
    assert one.cell(SET, "user:alice", "agent:x").state == "deny"
    assert one.cell(SET, "user:bob", "agent:w").state == "deny"


def test_everybody_and_every_tenant_find_each_row_once() -> None:
    rows = ["p, *, *, *, *, True, allow", "p2, *, *, crm.*, *, True, lead"]
    for tenant, subject, name in product(("acme", "*"), ("*", "sales"), ("crm.set", "crm.*", "*")):
        cell = view(*rows, tenant=tenant).cell(NamedTool(name, "write"), subject)
        assert [row.line for row in cell.rows] == ([1] if name == "*" else [1, 2])


def test_a_cell_is_the_same_object_when_it_is_asked_for_again() -> None:
    one = view(ALLOW)
    assert one.cell(SET, "sales") is one.what_can([SET], "sales")[0]
    assert one.cell(NamedTool("erp.pay", "write"), "sales") is NOTHING


def test_memory_is_bounded() -> None:
    one = view(ALLOW)
    for number in range(600):
        one.cell(SET, f"user:u{number}")
    assert len(one._memo) <= 256


def test_who_there_is() -> None:
    one = view(
        "g, user:alice, sales, acme",
        "g, sales, staff, *",
        "g, user:eve, spies, globex",
        "p, agent:w, acme, *, *, True, allow",
        "p2, *, acme, *, *, True, requester|lead|user:bob",
    )
    assert one.subjects == ("lead", "sales", "staff", "agent:w", "user:alice", "user:bob")
    assert one.members["staff"] == ("user:alice",)
    assert one.members["*"] == ("agent:w", "user:alice", "user:bob")
    assert one.members["lead"] == ()
    assert [kind_of(who) for who in ("*", "sales", "user:x", "agent:x")] == [
        "everybody",
        "role",
        "user",
        "agent",
    ]


def test_who_approves() -> None:
    one = view(
        "g, user:dana, lead, acme",
        "g, agent:w, lead, acme",
        "g, user:none, lead, acme",
        "p2, *, acme, crm.*, *, True, requester|lead|user:bob",
    )
    (review,) = one.cell(SET, "*").reviews
    assert one.approvers(review) == ("requester", "bob", "dana")


# --- against decisions ------------------------------------------------------------------------------------

PEOPLE = ("user:alice", "user:bob", "agent:w", "agent:x")
ROLES = ("sales", "staff")
CONDITIONS = ("True", "True", "r.ctx.args.n > 5", 'r.ctx.args.kind == "a"')
FACTS = [Facts({"n": n, "kind": kind}, before=None) for n, kind in product((1, 9), ("a", "b"))]


def random_policy(chance: random.Random) -> Policy:
    rows = []
    for _ in range(chance.randint(2, 8)):
        who = chance.choice(("*", *ROLES, *PEOPLE))
        head = f"{who}, {chance.choice(('*', 'acme'))}, {chance.choice(('*', 'crm.*', 'crm.set'))}, *"
        when = chance.choice(CONDITIONS)
        kind = chance.choice(("allow", "allow", "allow", "deny", "p2"))
        rows.append(f"p2, {head}, {when}, lead" if kind == "p2" else f"p, {head}, {when}, {kind}")
    rows += [f"g, {chance.choice(PEOPLE)}, {chance.choice(ROLES)}, acme" for _ in range(2)]
    return Policy.of(MODEL, "\n".join(rows))


def test_a_state_is_what_the_decisions_come_to() -> None:
    """Every decision is one that the cell permits, and no condition-free cell says `depends`."""
    chance, seen = random.Random(2), dict.fromkeys(("allow", "review", "deny", "depends"), 0)
    for _ in range(300):
        policy = random_policy(chance)
        one = View(policy, "acme")
        for user, agent in product(("alice", "bob", "stranger"), ("w", "x")):
            cell = one.cell(SET, f"user:{user}", f"agent:{agent}")
            who = Principal(agent, user, "acme")
            verdicts = {policy.decide(policy.candidates(who, SET), facts).verdict for facts in FACTS}
            seen[cell.state] += 1
            if cell.state == "depends":
                assert cell.conditions
            else:
                assert verdicts == {cell.state}, (cell, [str(row) for row in policy.rows])
    assert min(seen.values()) > 20
