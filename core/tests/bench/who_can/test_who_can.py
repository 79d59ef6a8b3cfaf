"""Who can call a tool: by subject, and which user by which agent."""

from __future__ import annotations

import json
import random
from itertools import product

from toolcrib.bench.tools import NamedTool
from toolcrib.bench.who_can import OTHERS, who_can
from toolcrib.policy import MODEL, Facts, Policy
from toolcrib.principal import Principal

SEND = NamedTool("mail.send", "send")
ROWS = """\
g, user:alice, sales, acme
g, user:dana, sales, acme
g, user:dana, lead, acme
g, agent:writer, writing, acme
p, sales, acme, mail.*, *, True, allow
p, agent:sender, acme, mail.send, send, r.ctx.args.n < 5, allow
p, writing, acme, mail.draft, write, True, allow
p2, *, acme, mail.send, send, True, requester|lead
p3, *, acme, mail.send, 20/day per user
"""


def ask(rows: str = ROWS, tenant: str = "acme"):
    return who_can(Policy.of(MODEL, rows), SEND, tenant)


def test_each_subject_that_could_be_allowed() -> None:
    found = ask()
    assert list(found.users) == ["user:alice", "user:dana"]
    assert list(found.agents) == ["agent:sender"]
    assert list(found.roles) == ["sales"]
    assert found.everybody.state == "deny"
    assert found.agents["agent:sender"].words.startswith("review by requester|lead; allow only when")


def test_pairs_with_the_terms_of_both() -> None:
    (pair,) = ask().pairs
    assert (pair.users, pair.agents) == (("alice", "dana"), ("sender",))
    assert pair.cell.state == "depends"
    assert pair.cell.limits == ("20/day per user",)
    assert pair.approvers == ("requester", "dana")


def test_in_another_tenant_nobody() -> None:
    found = ask(tenant="globex")
    assert (found.users, found.agents, found.roles, found.pairs) == ({}, {}, {}, ())


def test_a_user_without_an_agent_cannot_call() -> None:
    found = ask("p, user:alice, acme, *, *, True, allow\n")
    assert list(found.users) == ["user:alice"]
    assert found.pairs == ()


def test_rows_for_everybody_let_strangers_in() -> None:
    found = ask("p, *, acme, mail.*, *, True, allow\np, user:eve, acme, *, *, True, deny\n")
    assert found.everybody.state == "allow"
    assert {pair.users for pair in found.pairs} == {(OTHERS,)}
    assert found.users == {}


def test_users_who_fare_alike_are_one_pair() -> None:
    rows = "".join(f"g, user:u{number}, sales, acme\n" for number in range(500))
    found = ask(rows + ROWS)
    assert len(found.pairs) == 1
    assert len(found.pairs[0].users) == 502


def test_as_dict_is_plain() -> None:
    found = json.loads(json.dumps(ask().as_dict()))
    assert found["pairs"][0]["users"] == ["alice", "dana"]
    assert found["roles"]["sales"]["state"] == "review"


def test_pairs_are_exactly_those_whom_some_call_is_permitted() -> None:
    chance, allowed = random.Random(7), 0
    people = ("user:alice", "user:bob", "agent:w", "agent:x")
    facts = [Facts({"n": n}, before=None) for n in (1, 9)]
    for _ in range(200):
        rows = [f"g, {chance.choice(people)}, sales, acme" for _ in range(2)]
        for _ in range(chance.randint(2, 6)):
            who = chance.choice(("*", "sales", *people))
            when = chance.choice(("True", "True", "r.ctx.args.n > 5"))
            rows.append(f"p, {who}, acme, mail.*, *, {when}, {chance.choice(('allow', 'allow', 'deny'))}")
        policy = Policy.of(MODEL, "\n".join(rows))
        found = who_can(policy, SEND, "acme")
        told = {pair for one in found.pairs for pair in product(one.users, one.agents)}
        named = {who for row in policy.rows for who in row.values[:1]}
        for user, agent in product(("alice", "bob", "stranger"), ("w", "x", "stranger")):
            who = Principal(agent, user, "acme")
            verdicts = {policy.decide(policy.candidates(who, SEND), one).verdict for one in facts}
            key = (
                user if f"user:{user}" in named else OTHERS,
                agent if f"agent:{agent}" in named else OTHERS,
            )
            if "allow" in verdicts:
                allowed += 1
                assert key in told, (rows, key)
            elif key in told:
                # Two conditions that never hold at once are beyond what rows alone can tell.
                assert any("n >" in row for row in rows)
    assert allowed > 100
