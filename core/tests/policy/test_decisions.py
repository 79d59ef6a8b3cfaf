"""What a policy says, in words: rows, one call, the verdict. Alice and the agent writer, in tenant acme,
about crm.set_stage.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from toolcrib.policy import NO_PREVIEW, OPEN, Facts
from toolcrib.principal import Principal

ALL = "p, *, *, *, *, True, allow"
USER = "p, user:alice, acme, crm.*, write, True, allow"
AGENT = "p, agent:writer, acme, crm.*, write, True, allow"


# --- who, where, what, how: every allow has its twin ---


@pytest.mark.parametrize(
    ("say", "rows", "verdict"),
    [
        ("both subjects have a row", [USER, AGENT], "allow"),
        ("only the user has one", [USER], "deny"),
        ("only the agent has one", [AGENT], "deny"),
        ("nothing loaded", [], "deny"),
        ("everybody may", [ALL], "allow"),
        (
            "the user by a role",
            [AGENT, USER.replace("user:alice", "sales"), "g, user:alice, sales, acme"],
            "allow",
        ),
        (
            "the role in another tenant",
            [AGENT, USER.replace("user:alice", "sales"), "g, user:alice, sales, b"],
            "deny",
        ),
        (
            "the role in every tenant",
            [AGENT, USER.replace("user:alice", "sales"), "g, user:alice, sales, *"],
            "allow",
        ),
        (
            "a role of somebody else",
            [AGENT, USER.replace("user:alice", "sales"), "g, user:bob, sales, acme"],
            "deny",
        ),
        ("a role that bears the user's id", [AGENT, USER.replace("user:alice", "alice")], "deny"),
        ("the agent's name as a user", [USER, AGENT.replace("agent:", "user:")], "deny"),
        ("the exact tool", [USER.replace("crm.*", "crm.set_stage"), AGENT], "allow"),
        ("another tool", [USER.replace("crm.*", "crm.set_stages"), AGENT], "deny"),
        ("a tool of which the name is the beginning", [USER.replace("crm.*", "crm.set"), AGENT], "deny"),
        ("another pack", [USER.replace("crm.*", "crmx.*"), AGENT], "deny"),
        ("every tool", [USER.replace("crm.*", "*"), AGENT], "allow"),
        ("another tenant", [USER.replace("acme", "acme2"), AGENT], "deny"),
        ("every tenant", [USER.replace("acme", "*"), AGENT], "allow"),
        ("another effect", [USER.replace("write", "read"), AGENT], "deny"),
        ("every effect", [USER.replace("write", "*"), AGENT], "allow"),
        ("a deny row beats the allow rows", [ALL, USER.replace("allow", "deny")], "deny"),
        ("a deny row of the agent", [ALL, AGENT.replace("allow", "deny")], "deny"),
        ("a deny row that comes first", [USER.replace("allow", "deny"), ALL], "deny"),
        (
            "a deny row for another tool",
            [ALL, USER.replace("allow", "deny").replace("crm.*", "mail.*")],
            "allow",
        ),
        (
            "a deny row for another effect",
            [ALL, USER.replace("allow", "deny").replace("write", "read")],
            "allow",
        ),
        ("a deny row for another tenant", [ALL, USER.replace("allow", "deny").replace("acme", "b")], "allow"),
        ("a deny row by a role", [ALL, "p, x, *, *, *, True, deny", "g, agent:writer, x, acme"], "deny"),
        (
            "a deny row by an inherited role",
            [ALL, "p, y, *, *, *, True, deny", "g, agent:writer, x, *", "g, x, y, acme"],
            "deny",
        ),
        ("a deny row whose condition is false", [ALL, "p, *, *, *, *, False, deny"], "allow"),
        ("an allow row whose condition is false", [USER, AGENT.replace("True", "False")], "deny"),
    ],
)
def test_who_may_what(decide: Any, say: str, rows: list[str], verdict: str) -> None:
    decision = decide(*rows)
    assert (decision.verdict, decision.is_open) == (verdict, False), decision.reason


def test_a_missing_user_is_user_none_and_is_checked_like_any_other(decide: Any) -> None:
    nobody = Principal("writer", None, "acme")
    assert decide(AGENT, who=nobody).verdict == "deny"
    assert decide(AGENT, "p, user:none, acme, crm.*, write, True, allow", who=nobody).verdict == "allow"
    assert decide(AGENT, USER, who=nobody).verdict == "deny"


# --- what a decision tells ---


def test_an_allow_names_the_rows_of_both_subjects(decide: Any) -> None:
    decision = decide(USER, AGENT, "p, *, *, mail.*, *, True, allow")
    assert [row.place for row in decision.rows] == ["policy.csv:1", "policy.csv:2"]
    assert decision.reason == "user:alice and agent:writer may call crm.set_stage (write) in tenant acme"
    assert len(decision.revision) == 12


def test_a_row_that_allows_both_is_named_once(decide: Any) -> None:
    assert [row.line for row in decide(ALL).rows] == [1]


def test_many_rows_are_named_in_the_order_of_the_file(decide: Any) -> None:
    rows = (AGENT, USER, ALL, USER.replace("crm.*", "*"))
    assert [row.line for row in decide(*rows).rows] == [1, 2, 3, 4]


def test_a_deny_names_its_deny_rows_only(decide: Any) -> None:
    decision = decide(ALL, USER.replace("allow", "deny"), "p, *, *, mail.*, *, True, deny")
    assert [row.line for row in decision.rows] == [2]
    assert "is denied by policy.csv:2" in decision.reason


@pytest.mark.parametrize(("rows", "who"), [([AGENT], "user:alice"), ([USER], "agent:writer")])
def test_a_deny_without_rows_says_which_subject_lacks_one(decide: Any, rows: list[str], who: str) -> None:
    decision = decide(*rows)
    assert decision.rows == ()
    assert decision.reason == f"{who} has no allow row for crm.set_stage (write) in tenant acme"


def test_a_deny_says_that_a_condition_did_not_hold(decide: Any) -> None:
    assert "whose condition holds" in decide(USER, AGENT.replace("True", "False")).reason


def test_a_deny_asks_for_no_review_and_no_quota(decide: Any) -> None:
    decision = decide("p2, *, *, *, *, True, requester", "p3, *, *, *, 1/day per user")
    assert (decision.verdict, decision.reviews, decision.quotas) == ("deny", (), ())


# --- reviews ---

REVIEW = "p2, {}, acme, crm.*, write, {}, {}"


@pytest.mark.parametrize(
    ("say", "rows", "lines"),
    [
        ("no p2 row, no review", [], []),
        ("one for the user", [REVIEW.format("user:alice", "True", "lead")], [2]),
        ("one for the agent", [REVIEW.format("agent:writer", "True", "lead")], [2]),
        ("one for somebody else", [REVIEW.format("user:bob", "True", "lead")], []),
        ("one for everybody is one", [REVIEW.format("*", "True", "lead")], [2]),
        (
            "every matching row counts",
            [REVIEW.format(s, "True", "lead") for s in ("user:alice", "*")],
            [2, 3],
        ),
        ("a false condition asks for nothing", [REVIEW.format("*", "False", "lead")], []),
        ("another tool", [REVIEW.format("*", "True", "lead").replace("crm", "mail")], []),
        ("another effect", [REVIEW.format("*", "True", "lead").replace("write", "send")], []),
        ("another tenant", [REVIEW.format("*", "True", "lead").replace("acme", "globex")], []),
        ("by role", [REVIEW.format("sales", "True", "lead"), "g, user:alice, sales, acme"], [2]),
        ("a condition that holds", [REVIEW.format("*", "r.ctx.args.amount > 5", "lead")], [2]),
        ("a condition that does not", [REVIEW.format("*", "r.ctx.args.amount > 50", "lead")], []),
    ],
)
def test_what_a_human_must_see(decide: Any, say: str, rows: list[str], lines: list[int]) -> None:
    decision = decide(ALL, *rows, arguments={"amount": 10})
    assert [row.line for row in decision.reviews] == lines
    assert decision.verdict == ("review" if lines else "allow")


def test_a_review_says_whose_approval_it_needs(decide: Any) -> None:
    reason = decide(ALL, REVIEW.format("*", "True", "requester|lead")).reason
    assert reason.endswith("with the approval of requester|lead (policy.csv:2)")


def test_a_deny_is_stricter_than_a_review(decide: Any) -> None:
    assert decide(ALL, REVIEW.format("*", "True", "lead"), "p, *, *, *, *, True, deny").verdict == "deny"


def test_a_review_row_whose_condition_raises_denies_and_is_named(decide: Any) -> None:
    decision = decide(ALL, REVIEW.format("*", "r.ctx.args.amount > 5", "lead"))
    assert (decision.verdict, [row.line for row in decision.rows]) == ("deny", [2])
    assert "policy.csv:2 cannot be evaluated: r.ctx.args.amount is absent" in decision.reason


# --- who may approve ---


@pytest.mark.parametrize(
    ("say", "approvers", "person", "may"),
    [
        ("the requester, where named", "requester", "alice", True),
        ("the requester, among others", "lead|requester", "alice", True),
        ("somebody else is not the requester", "requester", "dana", False),
        ("a holder of the role", "lead", "dana", True),
        ("a holder by inheritance", "lead", "erin", True),
        ("a holder in every tenant", "lead", "gina", True),
        ("a holder in another tenant", "lead", "hugo", False),
        ("nobody of the kind", "lead", "bob", False),
        ("the requester holds the role, which does not count", "staff", "alice", False),
        ("another holder of the same role", "staff", "dana", True),
        ("a named person", "user:bob", "bob", True),
        ("the requester by name does not count", "user:alice", "alice", False),
        ("the requester by name and as requester", "user:alice|requester", "alice", True),
        ("a role that bears a person's id", "bob", "bob", False),
        ("an unknown person", "lead", "zoe", False),
        ("nobody", "requester|lead", "none", False),
        ("an empty name", "requester|lead", "", False),
        ("a person called requester is not the requester", "requester", "requester", False),
        ("a subject instead of an id", "lead", "user:dana", False),
        ("white space around the bar", "lead | requester", "alice", True),
    ],
)
def test_who_may_approve(load: Any, say: str, approvers: str, person: str, may: bool) -> None:
    policy = load(
        ALL,
        REVIEW.format("*", "True", approvers),
        "g, user:dana, lead, acme",
        "g, user:dana, staff, acme",
        "g, user:alice, staff, acme",
        "g, user:erin, deputy, acme",
        "g, deputy, lead, acme",
        "g, user:gina, lead, *",
        "g, user:hugo, lead, globex",
    )
    row = next(row for row in policy.rows if row.kind == "p2")
    assert policy.approves(person, row, Principal("writer", "alice", "acme")) is may


def test_a_call_without_a_user_has_no_requester(load: Any) -> None:
    policy = load(ALL, REVIEW.format("*", "True", "requester"), "g, user:none, lead, acme")
    row = policy.rows[1]
    assert not policy.approves("none", row, Principal("writer", None, "acme"))
    assert not policy.approves("alice", row, Principal("writer", None, "acme"))


# --- quotas ---


@pytest.mark.parametrize(
    ("say", "row", "applies"),
    [
        ("the user's", "p3, user:alice, acme, crm.*, 5/day per user", True),
        ("the agent's", "p3, agent:writer, acme, crm.*, 5/day per user", True),
        ("by role", "p3, sales, acme, *, 5/day per user", True),
        ("everybody's", "p3, *, *, *, 5/day per user", True),
        ("somebody else's", "p3, user:bob, acme, crm.*, 5/day per user", False),
        ("another tool's", "p3, *, acme, mail.*, 5/day per user", False),
        ("another tenant's", "p3, *, globex, crm.*, 5/day per user", False),
    ],
)
def test_which_quotas_apply(decide: Any, say: str, row: str, applies: bool) -> None:
    decision = decide(ALL, row, "g, user:alice, sales, acme")
    assert [one.line for one in decision.quotas] == ([2] if applies else [])
    assert decision.verdict == "allow"


def test_a_quota_applies_to_a_reviewed_call_too(decide: Any) -> None:
    decision = decide(ALL, REVIEW.format("*", "True", "lead"), "p3, *, *, *, 5/day per user")
    assert (decision.verdict, len(decision.quotas)) == ("review", 1)


def test_a_quota_that_applies_to_both_subjects_is_taken_once(decide: Any) -> None:
    assert len(decide(ALL, "p3, *, *, *, 5/day per user").quotas) == 1


# --- conditions over one call ---

FULL: dict[str, Any] = {
    "arguments": {
        "amount": 100,
        "to": "a@b.example",
        "keys": "k",
        "nested": {"deep": {"er": 1}},
        "list": [1, 2],
    },
    "labels": frozenset({"untrusted"}),
    "before": {"stage": "Closed Won", "items": 3},
    "sandbox": {"memory": 256},
    "now": datetime(2025, 3, 3, 14, 5, 6, tzinfo=UTC),
}


@pytest.mark.parametrize(
    "condition",
    [
        "r.ctx.args.amount == 100",
        "r.ctx.args.amount > 99 and r.ctx.args.amount <= 100",
        "99 < r.ctx.args.amount < 101",
        "not r.ctx.args.amount < 100",
        "r.ctx.args.amount * 2 - 50 == 150 and r.ctx.args.amount / 8 == 12.5 and r.ctx.args.amount % 7 == 2",
        "-r.ctx.args.amount < 0",
        'r.ctx.args.to in ("a@b.example", "c@d.example")',
        'r.ctx.args.to not in ["x"]',
        '"@b." in r.ctx.args.to',
        "2 in r.ctx.args.list",
        'r.ctx.args.keys == "k"',
        "r.ctx.args.nested.deep.er == 1",
        'has(r.ctx, "args.nested.deep.er") and not has(r.ctx, "args.nested.deep.est")',
        'has(r.ctx, "before") and not has(r.ctx, "args.amount.deeper")',
        '"untrusted" in r.ctx.labels and "confidential" not in r.ctx.labels',
        'r.ctx.before.stage == "Closed Won"',
        "r.ctx.before.items == 3",
        'r.ctx.user == "alice" and r.ctx.agent == "writer" and r.ctx.tenant == "acme"',
        'r.ctx.session == "s1"',
        'r.ctx.tool.name == "crm.set_stage" and r.ctx.tool.effect == "write" and r.ctx.tool.pack == "crm"',
        '"confidential" in r.ctx.tool.labels and not r.ctx.tool.idempotent',
        "r.ctx.sandbox.memory == 256",
        "r.ctx.now.hour == 14 and r.ctx.now.weekday == 0 and r.ctx.now.minute == 5 and r.ctx.now.second == 6",
        "r.ctx.now.year == 2025 and r.ctx.now.month == 3 and r.ctx.now.day == 3",
        'r.ctx.now.date == "2025-03-03" and r.ctx.now.iso < "2025-03-04"',
        'r.ctx.args.to != "x" or r.ctx.args.absent == 1',
        "r.ctx.now.timestamp > 1741000000",
        "r.ctx.before.stage is not None",
    ],
)
def test_a_condition_that_holds_and_its_twin(decide: Any, condition: str) -> None:
    who = Principal("writer", "alice", "acme", session="s1")
    given = {**FULL, "who": who, "tool_labels": frozenset({"confidential"})}
    assert decide(ALL, f"p, *, *, *, *, ({condition}), deny", **given).verdict == "deny"
    assert decide(ALL, f"p, *, *, *, *, not ({condition}), deny", **given).verdict == "allow"


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("r.ctx.args.absent == 1", "r.ctx.args.absent is absent"),
        ("r.ctx.args.nested.absent.x == 1", "r.ctx.args.nested.absent is absent"),
        ("r.ctx.args.to > 5", "values of unlike types"),
        ("r.ctx.args.amount / 0 == 1", "divides by zero"),
        ("r.ctx.args.to", "came to a str"),
        ("r.ctx.args.amount", "came to a int"),
        ("r.ctx.args.to.upper == 1", "attribute of a plain value"),
        ("r.ctx.args.amount.real == 1", "attribute of a plain value"),
        ("r.ctx.args.list.pop == 1", "attribute of a plain value"),
        ("r.ctx.args.to * 100000000 == 1", "unlike types"),
        ("r.ctx.args.to % 5 == 1", "unlike types"),
        ("r.ctx.args.nested > 1", "unlike types"),
        ('"deep" in r.ctx.args.nested', "unlike types"),
    ],
)
@pytest.mark.parametrize("eft", ["allow", "deny"])
def test_a_condition_that_raises_denies_and_names_its_row(
    decide: Any, condition: str, why: str, eft: str
) -> None:
    decision = decide(ALL, f"p, *, *, *, *, {condition}, {eft}", **FULL)
    assert (decision.verdict, decision.is_open) == ("deny", False)
    assert [row.line for row in decision.rows] == [2]
    assert why in decision.reason
    assert "a@b.example" not in decision.reason, "no value is told"


def test_null_is_absent_to_has_but_can_be_compared(decide: Any) -> None:
    guarded = 'p, *, *, *, *, has(r.ctx, "args.note") and r.ctx.args.note > 5, deny'
    assert decide(ALL, guarded, arguments={"note": None}).verdict == "allow"
    assert (
        decide(ALL, "p, *, *, *, *, r.ctx.args.note is None, deny", arguments={"note": None}).verdict
        == "deny"
    )


def test_a_sandbox_that_is_not_there_is_absent(decide: Any) -> None:
    assert decide(ALL, 'p, *, *, *, *, has(r.ctx, "sandbox.memory"), deny').verdict == "allow"
    assert "r.ctx.sandbox is absent" in decide(ALL, "p, *, *, *, *, r.ctx.sandbox.memory == 1, deny").reason


def test_records_are_compared_by_their_contents(decide: Any) -> None:
    row = "p, *, *, *, *, r.ctx.args.new == r.ctx.before.old, deny"
    same = {"arguments": {"new": {"a": 1}}, "before": {"old": {"a": 1}}}
    assert decide(ALL, row, **same).verdict == "deny"
    assert decide(ALL, row, arguments={"new": {"a": 1}}, before={"old": {"a": 2}}).verdict == "allow"


def test_now_is_utc_whatever_zone_it_is_given_in(decide: Any) -> None:
    evening = datetime(2025, 3, 3, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert (
        decide(ALL, "p, *, *, *, *, r.ctx.now.day == 4 and r.ctx.now.hour == 4, deny", now=evening).verdict
        == "deny"
    )


def test_now_is_the_current_time_unless_given(decide: Any) -> None:
    assert decide(ALL, "p, *, *, *, *, r.ctx.now.year < 2025, deny").verdict == "allow"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Facts({}, now=datetime(2025, 1, 1))


# --- what the conditions read ---


def test_the_inputs_are_what_the_conditions_read_and_no_more(decide: Any) -> None:
    row = 'p, *, *, *, *, has(r.ctx, "args.amount") and r.ctx.args.amount > 5 and "x" in r.ctx.labels, deny'
    decision = decide(ALL, row, **FULL)
    assert decision.inputs == {"has(args.amount)": True, "args.amount": 100, "labels": ["untrusted"]}


def test_large_inputs_are_capped(decide: Any) -> None:
    arguments = {"text": "x" * 100_000, "list": list(range(1000)), "number": 10**40, "deep": [[[[[1]]]]]}
    names = ["text", "list", "number", "deep"]
    row = "p, *, *, *, *, (" + " or ".join(f"r.ctx.args.{name} == 0" for name in names) + "), deny"
    inputs = decide(ALL, row, arguments=arguments).inputs
    assert inputs["args.text"] == "x" * 200 + "… (100000 characters)"
    assert inputs["args.list"] == [*range(20), "… (1000 items)"]
    assert inputs["args.number"] == "integer of 133 bits"
    assert inputs["args.deep"] == [[["<list>"]]]


def test_a_decision_without_a_condition_has_no_inputs(decide: Any) -> None:
    assert decide(ALL).inputs == {}


# --- before: open, absent, known ---

WON = 'p, *, *, *, *, r.ctx.before.stage == "Closed Won", deny'
GUARDED = 'p, *, *, *, *, has(r.ctx, "before.stage") and r.ctx.before.stage == "Closed Won", deny'


@pytest.mark.parametrize(
    ("say", "rows", "before", "verdict", "is_open"),
    [
        ("a deny row that waits", [ALL, WON], OPEN, "deny", True),
        ("it fires", [ALL, WON], {"stage": "Closed Won"}, "deny", False),
        ("it does not", [ALL, WON], {"stage": "Open"}, "allow", False),
        ("no preview: it raises", [ALL, WON], NO_PREVIEW, "deny", False),
        ("no stage: it raises", [ALL, WON], {}, "deny", False),
        ("guarded, no preview", [ALL, GUARDED], NO_PREVIEW, "allow", False),
        ("guarded, no stage", [ALL, GUARDED], {}, "allow", False),
        ("guarded, null stage", [ALL, GUARDED], {"stage": None}, "allow", False),
        ("guarded, open: has reads it too", [ALL, GUARDED], OPEN, "deny", True),
        ("guarded, fires", [ALL, GUARDED], {"stage": "Closed Won"}, "deny", False),
        ("an allow row that waits", [USER, AGENT.replace("True", "r.ctx.before.a == 1")], OPEN, "deny", True),
        ("it allows", [USER, AGENT.replace("True", "r.ctx.before.a == 1")], {"a": 1}, "allow", False),
        ("it does not allow", [USER, AGENT.replace("True", "r.ctx.before.a == 1")], {"a": 2}, "deny", False),
        (
            "a review row that waits",
            [ALL, REVIEW.format("*", "r.ctx.before.a == 1", "lead")],
            OPEN,
            "deny",
            True,
        ),
        ("it asks", [ALL, REVIEW.format("*", "r.ctx.before.a == 1", "lead")], {"a": 1}, "review", False),
        ("certain: an unconditional deny", [ALL, WON, "p, *, *, *, *, True, deny"], OPEN, "deny", False),
        (
            "certain: an evaluated deny",
            [ALL, WON, "p, *, *, *, *, r.ctx.args.a == 1, deny"],
            OPEN,
            "deny",
            False,
        ),
        (
            "certain: a condition that raises",
            [ALL, WON, "p, *, *, *, *, r.ctx.args.b == 1, deny"],
            OPEN,
            "deny",
            False,
        ),
        ("certain: the user has no allow row", [AGENT, WON], OPEN, "deny", False),
        (
            "certain: no allow row holds",
            [AGENT, USER.replace("True", "r.ctx.args.a == 2"), WON],
            OPEN,
            "deny",
            False,
        ),
        (
            "open: another allow row may hold",
            [AGENT, USER.replace("True", "r.ctx.before.a == 2")],
            OPEN,
            "deny",
            True,
        ),
        ("nothing reads it", [ALL], OPEN, "allow", False),
        ("rows of others read it", [ALL, WON.replace("p, *", "p, user:bob")], OPEN, "allow", False),
    ],
)
def test_rows_that_read_before(
    decide: Any, say: str, rows: list[str], before: Any, verdict: str, is_open: bool
) -> None:
    decision = decide(*rows, before=before, arguments={"a": 1})
    assert (decision.verdict, decision.is_open) == (verdict, is_open), decision.reason


def test_an_open_decision_is_no_permission_and_names_the_rows_that_wait(decide: Any) -> None:
    decision = decide(
        ALL, WON, REVIEW.format("*", "True", "lead"), "p3, *, *, *, 1/day per user", before=OPEN
    )
    assert decision.verdict == "deny"
    assert "policy.csv:2 waits to see the record" in decision.reason
    assert [row.line for row in decision.reviews] == [3]
    assert [row.line for row in decision.quotas] == [4]


def test_a_denial_does_not_tell_what_the_preview_showed(decide: Any) -> None:
    for before in ({"stage": "Closed Won", "secret": "s3cret"}, {"stage": ["s3cret"]}):
        decision = decide(ALL, WON, "p, *, *, *, *, r.ctx.before.stage > 5, deny", before=before)
        assert decision.verdict == "deny"
        assert "Closed Won" not in decision.reason
        assert "s3cret" not in decision.reason


# --- candidates ---


@pytest.mark.parametrize(
    ("rows", "offered", "reads"),
    [
        ([ALL], True, set()),
        ([USER], False, set()),
        ([], False, set()),
        ([ALL, "p, *, *, *, *, True, deny"], False, set()),
        ([ALL, WON], True, {"before"}),
        ([ALL, 'p, *, *, *, *, "x" in r.ctx.labels or r.ctx.now.hour > 3, deny'], True, {"labels", "now"}),
        ([ALL, REVIEW.format("*", "r.ctx.args.a == 1", "lead")], True, {"args"}),
        ([USER, AGENT.replace("True", "r.ctx.args.a == 1")], True, {"args"}),
        ([ALL, WON.replace("p, *", "p, user:bob")], True, set()),
        ([USER, WON], False, set()),
    ],
)
def test_what_may_be_offered_and_what_must_be_looked_up(
    load: Any, tool: Any, rows: list[str], offered: bool, reads: set[str]
) -> None:
    candidates = load(*rows).candidates(Principal("writer", "alice", "acme"), tool())
    assert (candidates.offered, candidates.reads) == (offered, reads)


def test_a_call_without_conditions_has_one_shared_decision(load: Any, tool: Any) -> None:
    policy = load(ALL)
    first = policy.candidates(Principal("writer", "alice", "acme", run="1"), tool())
    second = policy.candidates(Principal("writer", "alice", "acme", run="2"), tool())
    assert policy.decide(first, Facts({"a": 1})) is policy.decide(second, Facts({"b": 2}))


def test_remembered_candidates_see_their_own_session_and_tool(load: Any, tool: Any) -> None:
    policy = load(ALL, 'p, *, *, *, *, r.ctx.session == "bad" or "secret" in r.ctx.tool.labels, deny')
    verdicts = []
    for session, labels in (("good", ()), ("bad", ()), ("good", ("secret",)), ("good", ())):
        who = Principal("writer", "alice", "acme", session=session)
        candidates = policy.candidates(who, tool(labels=frozenset(labels)))
        verdicts.append(policy.decide(candidates, Facts({}, before=None)).verdict)
    assert verdicts == ["allow", "deny", "deny", "allow"]


def test_the_session_of_the_facts_goes_before_the_principals(load: Any, tool: Any) -> None:
    policy = load(ALL, 'p, *, *, *, *, r.ctx.session == "bad", deny')
    candidates = policy.candidates(Principal("writer", "alice", "acme", session="good"), tool())
    assert policy.decide(candidates, Facts({}, session="bad")).verdict == "deny"
    assert policy.decide(candidates, Facts({})).verdict == "allow"


def test_one_name_with_two_effects_is_two_calls(load: Any, tool: Any) -> None:
    policy, who = load("p, *, *, *, read, True, allow"), Principal("writer", "alice", "acme")
    assert policy.candidates(who, tool(effect="read")).offered
    assert not policy.candidates(who, tool(effect="write")).offered


def test_a_decision_names_the_revision_that_its_candidates_come_from(load: Any, tool: Any) -> None:
    old, new = load(ALL), load("p, *, *, *, *, True, deny")
    candidates = old.candidates(Principal("writer", "alice", "acme"), tool())
    assert new.decide(candidates, Facts({})).revision == old.revision != new.revision
