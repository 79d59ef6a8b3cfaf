"""What a change of policy does: semantic, folded into roles, worst first."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from toolcrib.bench.diff import Change, diff, diff_everywhere
from toolcrib.bench.tools import NamedTool, tools_of_rows
from toolcrib.policy import MODEL, Facts, Policy
from toolcrib.principal import Principal

TOOLS = [
    NamedTool("crm.get", "read"),
    NamedTool("crm.set", "write"),
    NamedTool("crm.drop", "destructive"),
    NamedTool("mail.send", "send"),
]
BASE = """\
g, user:alice, sales, acme
g, user:dana, sales, acme
g, user:dana, lead, acme
g, agent:writer, writing, acme
p, sales, acme, crm.*, read, True, allow
p, writing, acme, crm.*, *, True, allow
p, sales, acme, mail.send, send, True, allow
p2, *, acme, mail.send, send, True, lead
p3, *, acme, mail.send, 20/day per user
"""


def policy(rows: str) -> Policy:
    return Policy.of(MODEL, rows)


def changes(new: str, old: str = BASE) -> list[Change]:
    return diff(policy(old), policy(new), TOOLS, "acme")


def said(found: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(one.subject, one.tool, one.kind, one.words) for one in found]


@pytest.mark.parametrize(
    "new",
    [
        BASE,
        BASE + "\n# a remark\n\n",
        "\n".join(reversed(BASE.splitlines())),
        BASE.replace(", ", ","),
        BASE + "p, sales, acme, crm.get, read, True, allow\n",
        BASE + "p, sales, globex, *, *, True, allow\n",
        BASE + "p2, sales, acme, mail.send, send, True, lead\n",
        BASE + "p, writing, acme, *, *, True, allow\n".replace("*, *", "erp.*, *"),
    ],
)
def test_no_difference(new: str) -> None:
    assert changes(new) == []


def test_a_grant_is_told_once_for_the_role_with_whom_it_reaches() -> None:
    (one,) = changes(BASE + "p, sales, acme, crm.set, write, True, allow\n")
    assert (one.subject, one.tool, one.kind, one.wider) == ("sales", "crm.set", "allowed", True)
    assert one.words == "deny → allow"
    assert one.principals == ("user:alice", "user:dana")


def test_a_new_member_is_the_members_own_change() -> None:
    found = changes(BASE + "g, user:bob, sales, acme\n")
    assert said(found) == [
        ("user:bob", "mail.send", "reviewed", "deny → review by lead; 20/day per user"),
        ("user:bob", "crm.get", "allowed", "deny → allow"),
    ]


def test_who_has_rows_of_their_own_is_told_apart() -> None:
    old = BASE + "p, user:dana, acme, crm.set, write, r.ctx.args.a == 1, allow\n"
    found = changes(old + "p, sales, acme, crm.set, write, True, allow\n", old)
    assert [(one.subject, one.principals) for one in found] == [
        ("sales", ("user:alice",)),
        ("user:dana", ("user:dana",)),
    ]


def test_a_deny_row_for_everybody_is_told_for_those_who_lose_something() -> None:
    found = changes(BASE + "p, *, acme, mail.*, *, True, deny\n")
    assert said(found) == [
        ("sales", "mail.send", "denied", "review by lead; 20/day per user → deny by policy.csv:10")
    ]
    assert found[0].wider is False


def test_a_review_more() -> None:
    (one,) = changes(BASE + "p2, sales, acme, crm.get, read, True, requester|lead\n")
    assert (one.kind, one.words) == ("reviewed", "allow → review by requester|lead")
    assert one.approvers == ((), ("requester", "dana"))
    assert one.wider is False


def test_a_review_less() -> None:
    (one,) = changes(BASE.replace("p2, *, acme, mail.send, send, True, lead\n", ""))
    assert (one.kind, one.wider, one.words) == ("allowed", True, "review by lead → allow")


def test_another_approver() -> None:
    (one,) = changes(BASE.replace("True, lead", "True, requester|lead"))
    assert (one.kind, one.wider) == ("approvers", None)
    assert one.words == "review by lead (dana) → review by requester|lead (requester, dana)"


def test_an_approver_role_with_other_members() -> None:
    (one,) = changes(BASE.replace("g, user:dana, lead, acme\n", ""))
    assert (one.subject, one.tool, one.kind) == ("sales", "mail.send", "approvers")
    assert one.words == "review by lead (dana) → review by lead (nobody)"


def test_approvers_in_another_order_are_the_same() -> None:
    old = BASE.replace("True, lead", "True, requester|lead")
    assert changes(BASE.replace("True, lead", "True, lead|requester"), old) == []


def test_a_condition_shows_both_texts() -> None:
    row = "p, *, acme, crm.*, read, r.ctx.args.n > {}, deny\n"
    (sales, writing) = changes(BASE + row.format(20), BASE + row.format(10))
    assert {sales.subject, writing.subject} == {"sales", "writing"}
    assert sales.kind == "condition"
    assert sales.words == "allow; deny when r.ctx.args.n > 10 → allow; deny when r.ctx.args.n > 20"


def test_becoming_conditional() -> None:
    (one,) = changes(BASE + "p, sales, acme, crm.set, write, r.ctx.args.n < 5, allow\n")
    assert (one.kind, one.wider) == ("conditional", True)
    assert one.words == "deny → allow only when r.ctx.args.n < 5"


def test_quotas() -> None:
    (more,) = changes(BASE.replace("20/day", "50/day"))
    assert (more.kind, more.wider) == ("quota", None)
    assert more.words == "review by lead; 20/day per user → review by lead; 50/day per user"
    (gone,) = changes(BASE.replace("p3, *, acme, mail.send, 20/day per user\n", ""))
    assert (gone.kind, gone.wider) == ("quota", True)
    assert gone.words.endswith("review by lead; no quota")
    (back,) = changes(BASE, BASE.replace("p3, *, acme, mail.send, 20/day per user\n", ""))
    assert back.wider is False


def test_the_widest_blast_radius_comes_first() -> None:
    found = changes(BASE + "p, sales, acme, *, *, True, allow\np, user:bob, acme, *, *, True, allow\n")
    assert [(one.tool, one.subject) for one in found] == [
        ("crm.drop", "sales"),
        ("crm.drop", "user:bob"),
        ("mail.send", "user:bob"),
        ("crm.set", "sales"),
        ("crm.set", "user:bob"),
        ("crm.get", "user:bob"),
    ]


def test_a_role_that_nobody_holds_yet() -> None:
    (one,) = changes(BASE + "p, admins, acme, crm.drop, destructive, True, allow\n")
    assert (one.subject, one.principals) == ("admins", ())


def test_an_included_role_is_told_and_not_those_that_include_it() -> None:
    old = BASE + "g, sales, staff, acme\n"
    (one,) = changes(old + "p, staff, acme, crm.drop, *, True, allow\n", old)
    assert (one.subject, one.tool, one.kind) == ("staff", "crm.drop", "allowed")
    assert one.principals == ("user:alice", "user:dana")


def test_tenants() -> None:
    new = BASE + "p, sales, globex, crm.*, *, True, allow\n"
    assert {one.tenant for one in diff_everywhere(policy(BASE), policy(new), TOOLS)} == {"globex"}
    new = BASE + "p, guests, *, crm.get, *, True, allow\ng, user:eve, guests, acme\n"
    found = diff_everywhere(policy(BASE), policy(new), TOOLS)
    assert [(one.tenant, one.subject, one.tool) for one in found] == [
        ("acme", "user:eve", "crm.get"),
        ("*", "guests", "crm.get"),
    ]


def test_what_happens_in_every_tenant_is_told_once() -> None:
    old = BASE + "p, user:zoe, globex, mail.*, *, True, allow\ng, user:kim, staff, globex\n"
    new = old + "p, staff, *, crm.get, *, True, allow\n"
    (one,) = diff_everywhere(policy(old), policy(new), TOOLS)
    assert (one.tenant, one.subject, one.principals) == ("*", "staff", ("user:kim",))


def test_rows_name_tools_where_none_are_known() -> None:
    new = policy(
        BASE + "p, sales, acme, erp.pay, destructive, True, allow\np, sales, acme, it.*, read, True, allow\n"
    )
    found = diff(policy(BASE), new, tools_of_rows([policy(BASE), new]), "acme")
    assert [(one.tool, one.effect) for one in found] == [("erp.pay", "destructive"), ("it.*", "read")]


def test_a_tool_of_the_list_is_not_named_again() -> None:
    names = {tool.name for tool in tools_of_rows([policy(BASE)], TOOLS)}
    assert names == {"*", "crm.*", "mail.*"}


def test_as_dict_is_plain() -> None:
    import json

    (one,) = changes(BASE + "p, sales, acme, crm.set, write, True, allow\n")
    assert json.loads(json.dumps(one.as_dict()))["after"]["rows"][0]["place"] == "policy.csv:10"


# --- properties -----------------------------------------------------------------------------------------

PEOPLE = ("user:alice", "user:bob", "agent:writer", "agent:reader")
ROLES = ("sales", "staff", "lead")


def random_rows(chance: random.Random) -> list[str]:
    pick = chance.choice
    rows = []
    for _ in range(chance.randint(2, 7)):
        tools = ("*", "crm.*", "crm.set", "mail.send")
        head = f"{pick(('*', *ROLES, *PEOPLE))}, {pick(('*', 'acme'))}, {pick(tools)}"
        act = pick(("*", "*", "read", "write", "send", "destructive"))
        rows.append(
            pick(
                (
                    f"p, {head}, {act}, True, allow",
                    f"p, {head}, {act}, True, allow",
                    f"p, {head}, {act}, True, deny",
                    f"p2, {head}, {act}, True, {pick(('requester', 'lead', 'user:bob'))}",
                    f"p3, {head}, {pick((5, 9))}/day per user",
                )
            )
        )
    rows += [f"g, {pick(PEOPLE)}, {pick(ROLES)}, {pick(('*', 'acme'))}" for _ in range(chance.randint(0, 3))]
    if chance.random() < 0.3:
        rows.append("g, sales, staff, acme")
    return rows


def mutated(rows: list[str], chance: random.Random) -> list[str]:
    """The same with a row or two taken out, doubled, moved or added."""
    new = list(rows)
    for _ in range(chance.randint(1, 2)):
        act = chance.choice(("drop", "double", "move", "add"))
        if act == "drop" and new:
            new.pop(chance.randrange(len(new)))
        elif act == "double":
            new.append(chance.choice(rows))
        elif act == "move":
            chance.shuffle(new)
        else:
            new.append(chance.choice(random_rows(chance)))
    return new


# Everybody's counterpart in a call is allowed all, so that what only one side of a call may do shows too.
# Roles that nobody holds get a member.
PROBES = ["p, agent:any, acme, *, *, True, allow", "p, user:any, acme, *, *, True, allow"]
PROBES += [f"g, user:has-{role}, {role}, acme" for role in ROLES]
ASKED = [*PEOPLE, *(f"user:has-{role}" for role in ROLES), "user:any", "user:stranger", "agent:stranger"]


def decisions(rows: list[str]) -> list[Any]:
    """Every decision, with who may approve and what is counted."""
    found: list[Any] = []
    made = policy("\n".join((*rows, *PROBES)))
    for subject, tool in product(ASKED, TOOLS):
        kind, _, name = subject.partition(":")
        who = Principal(name, "any", "acme") if kind == "agent" else Principal("any", name, "acme")
        decision = made.decide(made.candidates(who, tool), Facts({}, before=None))
        reviews = {
            (
                frozenset(row.values[-1].split("|")),
                tuple(
                    made.approves(user, row, Principal("a", "other", "acme"))
                    for user in ("alice", "bob", "has-lead")
                ),
            )
            for row in decision.reviews
        }
        quotas = {(row.values[0], row.values[2], row.values[3]) for row in decision.quotas}
        found.append((decision.verdict, reviews, quotas))
    return found


def test_it_is_empty_exactly_when_every_decision_agrees() -> None:
    chance, empty, full = random.Random(3), 0, 0
    for _ in range(300):
        old = random_rows(chance)
        new = mutated(old, chance)
        found = diff(policy("\n".join((*old, *PROBES))), policy("\n".join((*new, *PROBES))), TOOLS, "acme")
        agree = decisions(old) == decisions(new)
        assert bool(found) != agree, ("\n".join(old), "\n".join(new), said(found))
        empty, full = empty + agree, full + (not agree)
    assert empty > 50
    assert full > 50


def test_back_again_is_the_same_list_turned_round() -> None:
    chance = random.Random(4)
    for _ in range(100):
        old = random_rows(chance)
        one, other = policy("\n".join(old)), policy("\n".join(mutated(old, chance)))
        there = {(c.tool, c.effect, c.before.state, c.after.state) for c in diff(one, other, TOOLS, "acme")}
        back = {(c.tool, c.effect, c.after.state, c.before.state) for c in diff(other, one, TOOLS, "acme")}
        assert there == back
        assert not diff(one, one, TOOLS, "acme")


def test_what_is_not_looked_at_is_the_same() -> None:
    """Against a comparison of every subject with every tool."""
    from toolcrib.bench.view import View

    chance = random.Random(5)
    for _ in range(200):
        old = random_rows(chance)
        one, other = policy("\n".join(old)), policy("\n".join(mutated(old, chance)))
        views = View(one, "acme"), View(other, "acme")
        differs = {
            (subject, tool.name)
            for subject, tool in product({"*", *views[0].subjects, *views[1].subjects}, TOOLS)
            if views[0].cell(tool, subject).meaning != views[1].cell(tool, subject).meaning
        }
        found = diff(one, other, TOOLS, "acme")
        assert {name for _, name in differs} <= {change.tool for change in found}
        told = {(who, one.tool) for one in found for who in (one.subject, *one.principals)}
        people = {(who, name) for who, name in differs if ":" in who}
        assert people <= told


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_custom_model_is_refused() -> None:
    from toolcrib.errors import PolicyError

    custom = Policy.of(MODEL.replace('(p.act == "*" || r.act == p.act) && ', ""), BASE)
    with pytest.raises(PolicyError, match="not the shipped model"):
        diff(custom, custom, TOOLS, "acme")
