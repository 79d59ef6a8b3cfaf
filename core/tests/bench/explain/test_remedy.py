"""For a denied call: the smallest rows that allow it, tried, and the rows that nearly did."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from toolcrib.bench.remedy import near_misses, remedy
from toolcrib.bench.tools import NamedTool
from toolcrib.policy import MODEL, OPEN, Facts, Policy
from toolcrib.principal import Principal

ALICE = Principal("writer", "alice", "acme")
SET = NamedTool("crm.set", "write")
USER = "p, sales, acme, crm.*, write, True, allow"
AGENT = "p, agent:writer, acme, crm.*, write, True, allow"
ROLE = "g, user:alice, sales, acme"


def policy(*rows: str) -> Policy:
    return Policy.of(MODEL, "\n".join(rows) + "\n")


def found(*rows: str, **facts: Any) -> Any:
    facts.setdefault("before", None)
    return remedy(policy(*rows), ALICE, SET, Facts(facts.pop("arguments", {}), **facts))


def verdict(*rows: str, **facts: Any) -> str:
    facts.setdefault("before", None)
    made = policy(*rows)
    return made.decide(made.candidates(ALICE, SET), Facts(facts.pop("arguments", {}), **facts)).verdict


@pytest.mark.parametrize(
    ("rows", "add"),
    [
        ([AGENT, ROLE], ["p, user:alice, acme, crm.set, write, True, allow"]),
        ([USER, ROLE], ["p, agent:writer, acme, crm.set, write, True, allow"]),
        (
            [],
            [
                "p, user:alice, acme, crm.set, write, True, allow",
                "p, agent:writer, acme, crm.set, write, True, allow",
            ],
        ),
        ([AGENT, ROLE, USER.replace("True", "False")], ["p, user:alice, acme, crm.set, write, True, allow"]),
    ],
)
def test_the_smallest_rows_can_be_pasted_and_allow_the_call(rows: list[str], add: list[str]) -> None:
    one = found(*rows)
    assert list(one.add) == add
    assert one.replace == ()
    assert one.decision.verdict == verdict(*rows, *one.add) == "allow"


def test_a_review_is_as_good_as_an_allow() -> None:
    one = found(AGENT, ROLE, "p2, *, acme, crm.*, write, True, lead")
    assert one.decision.verdict == "review"


@pytest.mark.parametrize("when", ["True", "r.ctx.args.n > 1 or r.ctx.args.n < 0"])
@pytest.mark.parametrize("head", ["*, *, crm.*, *", "user:alice, acme, crm.set, write"])
def test_a_deny_row_is_narrowed_for_this_call_alone(head: str, when: str) -> None:
    deny = f"p, {head}, {when}, deny"
    one = found(USER, AGENT, ROLE, deny, arguments={"n": 2})
    ((row, line),) = one.replace
    assert row.line == 4
    assert verdict(USER, AGENT, ROLE, line, arguments={"n": 2}) == "allow"
    rows = ["p, *, *, *, *, True, allow", line]
    for who, tool in product(("alice", "bob", None), ("crm.set", "crm.other")):
        made = policy(*rows)
        principal, asked = Principal("writer", who, "acme"), NamedTool(tool, "write")
        old = policy("p, *, *, *, *, True, allow", deny)
        facts = Facts({"n": 2}, before=None)
        now = made.decide(made.candidates(principal, asked), facts).verdict
        was = old.decide(old.candidates(principal, asked), facts).verdict
        assert now == ("allow" if (who, tool) == ("alice", "crm.set") else was)


def test_both_at_once() -> None:
    one = found(AGENT, "p, *, *, crm.*, *, True, deny")
    assert len(one.add) == len(one.replace) == 1
    assert one.decision.verdict == "allow"


def test_what_is_allowed_open_or_raising_has_no_remedy() -> None:
    assert found(USER, AGENT, ROLE) is None
    assert found(USER, AGENT, ROLE, "p, *, *, *, *, r.ctx.before.a == 1, deny", before=OPEN) is None
    assert found(USER, AGENT, ROLE, "p, *, *, *, *, r.ctx.args.gone == 1, deny") is None


def test_a_condition_too_long_to_narrow_is_left_to_a_human() -> None:
    when = f"r.ctx.args.n in ({', '.join(map(str, range(180)))})"
    assert found(USER, AGENT, ROLE, f"p, *, *, *, *, {when}, deny", arguments={"n": 2}) is None


def test_a_remedy_may_wait_for_the_record() -> None:
    one = found(AGENT, "p, *, *, *, *, r.ctx.before.a == 1, deny", before=OPEN)
    assert one.decision.is_open


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_custom_model_has_none() -> None:
    model = MODEL.replace('(p.act == "*" || r.act == p.act) && ', "")
    custom = Policy.of(model, AGENT)
    assert remedy(custom, ALICE, SET, Facts({}, before=None)) is None
    assert near_misses(custom, ALICE, SET, Facts({}, before=None)) == []


# --- no narrower row --------------------------------------------------------------------------------------

WIDER = {
    "user:alice": 0,
    "agent:writer": 0,
    "sales": 1,
    "*": 2,
    "acme": 0,
    "crm.set": 0,
    "crm.*": 1,
    "write": 0,
}


def forms() -> list[tuple[str, int]]:
    """Every form of an allow row that selects this call for somebody, with how much wider it is."""
    columns = (
        ("user:alice", "agent:writer", "sales", "*"),
        ("acme", "*"),
        ("crm.set", "crm.*", "*"),
        ("write", "*"),
    )
    return [
        (f"p, {', '.join(values)}, True, allow", sum(WIDER[value] for value in values))
        for values in product(*columns)
    ]


def test_no_narrower_form_allows_the_call_and_no_fewer_narrowest_rows() -> None:
    chance, tried = random.Random(1), 0
    pool = [USER, AGENT, ROLE, "p2, *, *, *, *, True, lead", "p, sales, globex, *, *, True, allow"]
    pool += ["p, *, acme, mail.*, *, True, allow", "p, agent:writer, *, crm.*, read, True, allow"]
    for _ in range(60):
        rows = chance.sample(pool, chance.randint(0, len(pool)))
        one = found(*rows)
        if one is None:
            continue
        tried += 1
        assert verdict(*rows, *one.add) != "deny"
        for size in range(len(one.add)):
            assert verdict(*rows, *one.add[:size], *one.add[size + 1 :]) == "deny", (
                "each of the rows is needed"
            )
        if len(one.add) == 1:
            enough = [(form, width) for form, width in forms() if verdict(*rows, form) != "deny"]
            assert min(width for _, width in enough) == 0
            assert [form for form, width in enough if width == 0] == list(one.add)
    assert tried > 20


# --- rows that nearly did ---------------------------------------------------------------------------------


def test_rows_that_fail_for_one_thing_say_which() -> None:
    rows = [
        AGENT,
        "p, sales, acme, crm.set, write, True, allow",
        "p, user:bob, acme, crm.*, *, True, allow",
        "p, user:alice, globex, crm.*, write, True, allow",
        "p, user:alice, acme, crm.*, read, True, allow",
        "p, user:alice, acme, *, write, r.ctx.args.n > 5, allow",
        "p, user:bob, globex, crm.*, write, True, allow",
        "p, agent:reader, acme, crm.*, write, True, allow",
        "p, user:alice, acme, mail.*, write, True, allow",
    ]
    near = near_misses(policy(*rows), ALICE, SET, Facts({"n": 1}, before=None))
    assert [(one.row.line, one.subject, one.but) for one in near] == [
        (2, "user:alice", "user:alice does not hold sales"),
        (3, "user:alice", "it is for user:bob"),
        (4, "user:alice", "it is for tenant globex"),
        (5, "user:alice", "it is for read, and the tool's effect is write"),
        (6, "user:alice", "its condition is false: r.ctx.args.n > 5"),
    ]


def test_they_are_at_most_a_dozen() -> None:
    rows = [f"p, role{number}, acme, crm.*, write, True, allow" for number in range(40)]
    assert len(near_misses(policy(*rows), ALICE, SET, Facts({}, before=None))) == 12


def test_an_allowed_call_has_none() -> None:
    assert near_misses(policy(USER, AGENT, ROLE), ALICE, SET, Facts({}, before=None)) == []
