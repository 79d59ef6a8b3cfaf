"""Models that are not the shipped one: decided by plain Casbin, with a notice, or refused."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from toolcrib.errors import PolicyError, ToolcribWarning
from toolcrib.policy import OPEN, Facts, Policy, explain
from toolcrib.policy._model import MODEL, read_model
from toolcrib.principal import Principal

ALICE = Principal("writer", "alice", "acme")
ALL = "p, *, *, *, *, True, allow"
REORDERED = MODEL.replace('m  = (p.act == "*" || r.act == p.act) && ', "m = ").replace(
    "eval(p.when)", '(p.act == "*" || r.act == p.act) && eval(p.when)'
)
PRIORITY = MODEL.replace(
    "e  = some(where (p.eft == allow)) && !some(where (p.eft == deny))", "e = priority(p.eft) || deny"
)
READS_BEFORE = MODEL.replace("eval(p.when)", 'eval(p.when) && r.ctx.before.stage != "won"')


def custom(model: str, *rows: str) -> Policy:
    with pytest.warns(ToolcribWarning, match="plain Casbin decides"):
        return Policy.of(model, "\n".join(rows))


def verdict(policy: Policy, tool: Any, who: Principal = ALICE, **facts: Any) -> Any:
    facts.setdefault("before", None)
    return policy.decide(policy.candidates(who, tool()), Facts(facts.pop("arguments", {}), **facts))


# --- which model it is ---


@pytest.mark.parametrize(
    "text",
    [
        MODEL,
        MODEL.replace("\n", "\r\n"),
        "# a remark\n" + MODEL + "\n; another\n",
        MODEL.replace(" && ", "&&").replace(" == ", "=="),
        MODEL.replace("r = sub, dom", "r=sub,dom"),
        MODEL.replace(" && keyMatch(r.obj, p.obj)", " \\\n  && keyMatch(r.obj, p.obj)"),
    ],
    ids=["as shipped", "crlf", "remarks", "tight", "no spaces", "continued"],
)
def test_the_shipped_model_is_known_by_its_content(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Policy.of(text, ALL).is_indexed


@pytest.mark.parametrize("text", [REORDERED, PRIORITY, READS_BEFORE, MODEL.replace('"*"', '" *"', 1)])
def test_another_model_is_decided_by_casbin_with_a_notice(text: str) -> None:
    policy = custom(text, ALL)
    assert not policy.is_indexed
    assert "plain Casbin decides" in policy.warnings[0]


@pytest.mark.parametrize(
    ("say", "text", "what"),
    [
        ("not a model", "hello", "does not parse"),
        ("empty", "", "[request_definition] r is missing"),
        ("no matcher", MODEL.split("[matchers]")[0], "[matchers] m is missing"),
        ("unknown section", MODEL + "\n[matcher]\nm = True\n", "unknown section [matcher]"),
        ("unknown definition", MODEL + "\nm3 = True\n", "unknown definition 'm3'"),
        ("another request", MODEL.replace("act, ctx", "act"), "another request definition"),
        ("allow unless denied", MODEL.replace("some(where (p.eft == allow)) && !", "!"), "policy effect"),
        ("no eft", MODEL.replace("when, eft", "when"), "p has no column eft"),
        ("p2 without m2", MODEL.split("m2 =")[0], "p2 without m2"),
        ("another p3", MODEL.replace("p3 = sub, dom, obj, quota", "p3 = sub, quota"), "another p3"),
        ("another g", MODEL.replace("g = _, _, _", "g = _, _, _, _"), "role definition"),
        (
            "a matcher that does not parse",
            MODEL.replace("eval(p.when)", "eval(p.when) &&"),
            "matcher m does not parse",
        ),
    ],
)
def test_a_model_that_could_not_be_decided_safely_is_refused(say: str, text: str, what: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.of(text, ALL)
    assert "model.conf" in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.rule


# --- what plain Casbin decides ---


@pytest.mark.parametrize(
    ("say", "rows", "expect"),
    [
        ("both may", [ALL], "allow"),
        ("no rows", [], "deny"),
        ("only the user may", [ALL.replace("p, *", "p, user:alice")], "deny"),
        ("only the agent may", [ALL.replace("p, *", "p, agent:writer")], "deny"),
        ("a deny row", [ALL, "p, *, *, crm.*, *, True, deny"], "deny"),
        ("a deny row for the agent", [ALL, "p, agent:writer, *, crm.*, *, True, deny"], "deny"),
        (
            "a role in every tenant",
            [ALL.replace("p, *", "p, x"), "g, user:alice, x, *", "g, agent:writer, x, *"],
            "allow",
        ),
        ("a condition that holds", [ALL.replace("True", "r.ctx.args.a == 1")], "allow"),
        ("a condition that does not", [ALL.replace("True", "r.ctx.args.a == 2")], "deny"),
        ("a condition that raises", [ALL, ALL.replace("True", "r.ctx.args.b == 2")], "deny"),
        (
            "a method of a value",
            [ALL, "p, *, *, *, *, r.ctx.user.upper == 1, deny".replace("user", "args.s")],
            "deny",
        ),
        ("a review", [ALL, "p2, agent:writer, *, *, *, True, lead"], "review"),
        ("a review of another effect", [ALL, "p2, *, *, *, read, True, lead"], "allow"),
        ("a review that raises", [ALL, "p2, *, *, *, *, r.ctx.args.b == 2, lead"], "deny"),
    ],
)
def test_a_custom_model_decides_as_the_shipped_one_where_they_say_the_same(
    tool: Any, say: str, rows: list[str], expect: str
) -> None:
    facts = {"arguments": {"a": 1, "s": "x"}}
    assert verdict(custom(REORDERED, *rows), tool, **facts).verdict == expect
    assert verdict(Policy.of(MODEL, "\n".join(rows)), tool, **facts).verdict == expect


def test_every_matching_p2_and_p3_row_is_found(tool: Any) -> None:
    rows = [
        "p2, user:alice, *, *, *, True, a",
        "p2, agent:writer, *, *, *, True, b",
        "p2, user:bob, *, *, *, True, c",
    ]
    decision = verdict(custom(REORDERED, ALL, *rows, "p3, agent:writer, *, crm.*, 1/day per user"), tool)
    assert [row.line for row in decision.reviews] == [2, 3]
    assert [row.line for row in decision.quotas] == [5]
    assert "a (policy.csv:2) and b (policy.csv:3)" in decision.reason


def test_the_first_matching_row_decides_by_priority(tool: Any) -> None:
    rows = ["p, *, *, crm.*, *, True, deny", ALL]
    assert verdict(custom(PRIORITY, *rows), tool).verdict == "deny"
    decision = verdict(custom(PRIORITY, *reversed(rows)), tool)
    assert (decision.verdict, [row.line for row in decision.rows]) == ("allow", [1])


def test_a_deny_names_its_row(tool: Any) -> None:
    decision = verdict(custom(REORDERED, ALL, "p, *, *, crm.*, *, True, deny"), tool)
    assert [row.line for row in decision.rows] == [2]
    assert "policy.csv:2 of the custom model denies" in decision.reason


def test_a_matcher_that_reads_before_waits_for_it(tool: Any) -> None:
    policy = custom(READS_BEFORE, ALL)
    assert "before" in policy.candidates(ALICE, tool()).reads
    assert verdict(policy, tool, before=OPEN).is_open
    assert verdict(policy, tool, before=OPEN).verdict == "deny"
    assert verdict(policy, tool, before={"stage": "open"}).verdict == "allow"
    assert verdict(policy, tool, before={"stage": "won"}).verdict == "deny"
    assert verdict(policy, tool, before=None).verdict == "deny"


def test_inputs_are_recorded_by_plain_casbin_too(tool: Any) -> None:
    decision = verdict(custom(REORDERED, ALL.replace("True", "r.ctx.args.a == 1")), tool, arguments={"a": 1})
    assert decision.inputs == {"args.a": 1}


def test_traps_are_refused_in_a_custom_model_too() -> None:
    with pytest.raises(PolicyError, match="object 'crm"):
        Policy.of(REORDERED, "p, *, *, crm.*.read, *, True, allow")
    with pytest.raises(PolicyError, match="pycasbin would rewrite"):
        Policy.of(REORDERED, 'p, *, *, *, *, r.ctx.user == "a!", deny')


def test_a_condition_column_of_another_name_is_checked_too() -> None:
    model = MODEL.replace("act, when, eft", "act, rule, eft").replace("eval(p.when)", "eval(p.rule)")
    with pytest.raises(PolicyError, match="unknown name 'true'"):
        Policy.of(model, "p, *, *, *, *, true, allow")
    assert read_model(model).conditions == {"when", "rule"}


def test_a_row_type_that_the_custom_model_lacks_is_refused() -> None:
    model = MODEL.replace("p3 = sub, dom, obj, quota\n", "")
    with pytest.raises(PolicyError, match="unknown row type 'p3'"):
        Policy.of(model, "p3, *, *, *, 1/day per user")


def test_explain_tells_less_of_a_custom_model(tool: Any) -> None:
    found = explain(custom(REORDERED, ALL), ALICE, tool(), Facts({}, before=None))
    assert (found.decision.verdict, found.considered) == ("allow", ())


def test_strangers_tenants_do_not_fill_the_memory(tool: Any) -> None:
    policy = custom(REORDERED, "p, x, *, *, *, True, allow", "g, user:alice, x, *")
    for number in range(600):
        verdict(policy, tool, Principal("writer", "alice", f"tenant{number}"))
    manager = policy._engine._casbin._enforcer.rm_map["g"]
    assert len(manager.rm_map) < 300
