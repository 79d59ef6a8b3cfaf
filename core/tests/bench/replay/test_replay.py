"""Past calls against another policy: which go another way, which do not, and which cannot be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from toolcrib import Preview, Sensitive, Toolkit, tool
from toolcrib.bench.replay import Filters, ToolFacts, facts_of_tools, replay
from toolcrib.errors import AuditError, PolicyError
from toolcrib.policy._model import MODEL

ALLOW = "p, *, acme, local.*, *, True, allow"
DENY = "p, *, acme, local.act, *, True, deny"
REVIEW = "p2, *, acme, local.act, *, True, "


def ways(found: Any) -> dict[str, int]:
    return {f"{old} > {new}": count for (old, new), count in found.tally.ways.items()}


def missing(found: Any) -> set[str]:
    return {group.detail for group in found.tally.groups.values() if group.way[1] == "unknown"}


@pytest.mark.parametrize(
    ("was", "rows", "expected"),
    [
        ({}, ALLOW, {}),
        ({}, f"{ALLOW}\n{DENY}", {"allow > deny": 1}),
        ({}, "p, nobody, acme, local.*, *, True, allow", {"allow > deny": 1}),
        ({}, f"{ALLOW}\n{REVIEW}lead", {"allow > review": 1}),
        ({"decision": "deny", "kind": "refusal", "rows": []}, ALLOW, {"deny > allow": 1}),
        ({"decision": "deny", "kind": "refusal", "rows": []}, f"{ALLOW}\n{REVIEW}lead", {"deny > review": 1}),
        ({"decision": "deny", "kind": "refusal", "rows": []}, f"{ALLOW}\n{DENY}", {}),
        ({"decision": "review", "rows": [f"policy.csv:9 ({REVIEW}lead)"]}, ALLOW, {"review > allow": 1}),
        (
            {"decision": "review", "rows": [f"policy.csv:9 ({REVIEW}lead)"]},
            f"{ALLOW}\n{DENY}",
            {"review > deny": 1},
        ),
        ({"decision": "review", "rows": [f"policy.csv:9 ({REVIEW}lead)"]}, f"{ALLOW}\n\n{REVIEW}lead", {}),
        (
            {"decision": "review", "rows": [f"policy.csv:9 ({REVIEW}lead)"]},
            f"{ALLOW}\n{REVIEW}lead|requester",
            {"review > review by others": 1},
        ),
        ({"kind": "recall"}, f"{ALLOW}\n{DENY}", {"allow > deny": 1}),
    ],
)
def test_each_way_that_a_call_can_go(
    write: Any, again: Any, was: dict[str, Any], rows: str, expected: dict[str, int]
) -> None:
    write(was)
    found = again(rows)
    assert ways(found) == expected
    assert (found.tally.decided, found.tally.same) == (1, 0 if expected else 1)


def test_dangerous_ways_come_first(write: Any, again: Any) -> None:
    write(
        {"tool": "local.a"}, {"tool": "local.b", "decision": "deny"}, {"tool": "local.b", "decision": "deny"}
    )
    found = again("p, *, acme, local.b, *, True, allow")
    assert list(found.tally.ways.items()) == [(("deny", "allow"), 2), (("allow", "deny"), 1)]
    assert (found.tally.changed, found.tally.unknown) == (3, 0)


def test_roles_and_tenants_are_those_of_the_new_policy(write: Any, again: Any) -> None:
    write({"user": "alice"}, {"user": "bob"}, {"user": None}, {"tenant": "globex"})
    allow = "p, agent:writer, *, local.*, *, True, allow\np, sales, *, local.*, *, True, allow"
    found = again(allow + "\ng, user:bob, sales, acme")
    assert ways(found) == {"allow > deny": 3}
    (group,) = found.tally.groups.values()
    assert group.users == {"alice", "none"}


def test_a_group_has_its_count_and_a_few_samples(write: Any, again: Any) -> None:
    write(*({"user": f"u{number}"} for number in range(9)))
    (group,) = again(f"{ALLOW}\n{DENY}", samples=2).tally.of(("allow", "deny"))
    assert (group.count, len(group.users), [one.seq for one in group.samples]) == (9, 9, [2, 3])
    sample = group.samples[0]
    assert (sample.user, sample.agent, sample.tool, sample.effect) == ("u0", "writer", "local.act", "write")
    assert sample.was == ("policy.csv:1 (p, *, acme, local.*, *, True, allow)",)
    assert sample.rows == ("policy.csv:2 (p, *, acme, local.act, *, True, deny)",)
    assert "is denied by policy.csv:2" in sample.reason


def test_calls_that_policy_did_not_decide_are_set_aside(write: Any, again: Any) -> None:
    write(
        {"kind": "refusal", "decision": None, "effect": None, "tool": "nothing"},
        {"kind": "refusal", "decision": "deny", "open": True},
        {"kind": "outcome", "status": "done", "decision": None},
        {"preview_of": "c1", "decision": None},
        {"kind": "admin", "decision": None},
        {"agent": "a b"},
    )
    tally = again(ALLOW).tally
    assert (tally.decided, tally.undecided) == (0, 3)


def test_a_call_under_other_quotas_is_noted(write: Any, again: Any) -> None:
    quota = "p3, *, acme, local.act, 20/day per user"
    write({"rows": [f"policy.csv:7 ({quota})"]}, {"tool": "local.other"})
    assert again(f"{ALLOW}\n{quota}").tally.requotas == 0
    found = again(f"{ALLOW}\n{quota.replace('20', '5')}")
    assert (found.tally.requotas, ways(found)) == (1, {})
    assert again(ALLOW).tally.requotas == 1


# --- arguments --------------------------------------------------------------------------------------------

AMOUNT = ALLOW + '\np, *, acme, local.act, write, has(r.ctx, "args.amount") and r.ctx.args.amount > 10, deny'


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"amount": 11}, {"allow > deny": 1}), ({"amount": 10}, {}), ({"amount": None}, {}), ({}, {})],
)
def test_recorded_arguments_are_read(write: Any, again: Any, arguments: Any, expected: Any) -> None:
    write({"arguments": arguments})
    assert ways(again(AMOUNT)) == expected


def test_an_absent_argument_raises_and_denies_as_it_would(write: Any, again: Any) -> None:
    write({"arguments": {}}, {"arguments": {"amount": "much"}})
    found = again(ALLOW + "\np, *, acme, local.act, write, r.ctx.args.amount > 10, deny")
    assert ways(found) == {"allow > deny": 2}


HMAC = {"hmac": "ab" * 32, "key": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"amount": HMAC}, "args.amount"),
        ({"sha256": "ab" * 32, "bytes": 20_000}, "args.amount"),
        ({**HMAC, "bytes": 20_000}, "args.amount"),
        ({"amount": "[secret:crm/acme/x]"}, "args.amount"),
    ],
)
def test_what_the_log_does_not_keep_is_unknown(write: Any, again: Any, arguments: Any, path: str) -> None:
    write({"arguments": arguments})
    found = again(AMOUNT)
    assert (ways(found), missing(found)) == ({"allow > unknown": 1}, {path})


def test_an_hmac_that_no_condition_reads_harms_nothing(write: Any, again: Any) -> None:
    write({"arguments": {"amount": 11, "password": HMAC}})
    assert ways(again(AMOUNT)) == {"allow > deny": 1}


def test_a_certain_deny_needs_nothing_unknown(write: Any, again: Any) -> None:
    write({"arguments": {"amount": HMAC}})
    assert ways(again(f"{AMOUNT}\n{DENY}")) == {"allow > deny": 1}
    assert ways(again(AMOUNT + '\np, *, acme, local.act, write, r.ctx.user == "alice", deny')) == {
        "allow > deny": 1
    }


def test_an_unknown_review_of_a_call_that_nothing_allows_is_no_question(write: Any, again: Any) -> None:
    write({"arguments": {"amount": HMAC}})
    review = "p2, *, acme, local.act, *, r.ctx.args.amount > 1, lead"
    assert ways(again(f"p, user:bob, acme, local.act, write, True, allow\n{review}")) == {"allow > deny": 1}


def test_what_the_old_conditions_read_of_a_large_call_is_known(write: Any, again: Any) -> None:
    cut = {"sha256": "ab" * 32, "bytes": 20_000}
    write({"arguments": cut, "inputs": {"has(args.amount)": True, "args.amount": 12}})
    assert ways(again(AMOUNT)) == {"allow > deny": 1}


@pytest.mark.parametrize("value", ["x" * 200 + "… (300 characters)", "integer of 70 bits", "<object>"])
def test_an_input_that_was_shortened_is_unknown(write: Any, again: Any, value: str) -> None:
    write({"arguments": {"sha256": "ab", "bytes": 20_000}, "inputs": {"args.note": value}})
    found = again(ALLOW + '\np, *, acme, local.act, write, r.ctx.args.note == "x", deny')
    assert missing(found) == {"args.note"}


def test_arguments_that_were_never_checked_are_unknown(write: Any, again: Any) -> None:
    write(
        {"kind": "refusal", "decision": "deny", "rows": [], "arguments": {"amount": "11"}, "unchecked": True}
    )
    assert missing(again(AMOUNT)) == {"args.amount"}
    assert ways(again(ALLOW)) == {"deny > allow": 1}


# --- the record before ------------------------------------------------------------------------------------

CLOSED = (
    ALLOW + '\np, *, acme, local.act, write, has(r.ctx, "before.stage") and r.ctx.before.stage == "Won", deny'
)
PREVIEW = {"local.act": ToolFacts(frozenset(), False, True)}
PLAIN = {"local.act": ToolFacts(frozenset({"secret"}), True, False)}


@pytest.mark.parametrize(
    ("inputs", "tools", "expected"),
    [
        ({"has(before.stage)": True, "before.stage": "Won"}, PREVIEW, {"allow > deny": 1}),
        ({"has(before.stage)": True, "before.stage": "Open"}, PREVIEW, {}),
        ({"has(before.stage)": False}, PREVIEW, {}),
        ({"before.owner": "ann"}, PREVIEW, {"allow > unknown": 1}),
        ({"has(before.stage)": True}, PREVIEW, {"allow > unknown": 1}),
        ({}, {}, {"allow > unknown": 1}),
        ({}, PREVIEW, {"allow > unknown": 1}),
        ({}, PLAIN, {}),
    ],
)
def test_of_the_record_before_only_what_was_read_is_known(
    write: Any, again: Any, inputs: Any, tools: Any, expected: Any
) -> None:
    write({"inputs": inputs} if inputs else {})
    assert ways(again(CLOSED, tools=tools)) == expected


def test_deeper_fields_of_it_too(write: Any, again: Any) -> None:
    write({"inputs": {"has(before.owner.team)": True, "before.owner.team": "emea"}})
    deny = ALLOW + "\np, *, acme, local.act, write, "
    assert ways(again(deny + 'r.ctx.before.owner.team == "emea", deny')) == {"allow > deny": 1}
    assert missing(again(deny + 'r.ctx.before.owner.name == "x", deny')) == {"before.owner.name"}
    assert missing(again(deny + 'has(r.ctx, "before.owner.name"), deny')) == {"before.owner.name"}


# --- the tool, the session, the time ----------------------------------------------------------------------


def test_the_tool_tells_what_its_records_do_not(write: Any, again: Any) -> None:
    write({})
    rows = (
        ALLOW
        + '\np, *, acme, local.act, write, "secret" in r.ctx.tool.labels and r.ctx.tool.idempotent, deny'
    )
    assert ways(again(rows, tools=PLAIN)) == {"allow > deny": 1}
    assert missing(again(rows)) == {"tool"}
    assert ways(again(ALLOW + '\np, *, acme, *, *, r.ctx.tool.pack == "local", deny')) == {"allow > deny": 1}


UNTRUSTED = ALLOW + '\np2, *, acme, local.act, write, "untrusted" in r.ctx.labels, lead'


def outcome(**more: Any) -> dict[str, Any]:
    return {
        "kind": "outcome",
        "tool": "local.web",
        "decision": None,
        "labels": ["untrusted"],
        "status": "done",
    } | more


def test_labels_are_what_the_session_had_read_before_the_call(write: Any, again: Any) -> None:
    write({}, outcome(), {}, {"session": "s2"}, {"tenant": "globex"})
    found = again(UNTRUSTED + "\np, *, globex, *, *, True, allow")
    assert ways(found) == {"allow > review": 1}
    (group,) = found.tally.groups.values()
    assert [one.seq for one in group.samples] == [4]


def test_labels_of_before_the_time_asked_for_count_too(write: Any, again: Any) -> None:
    write(outcome(), {})
    later = Filters(since=datetime.now(UTC) - timedelta(hours=1), agent="writer", tool="local.act")
    assert ways(again(UNTRUSTED, filters=later)) == {"allow > review": 1}


@pytest.mark.parametrize("more", [{"status": "cancelled"}, {"labels": ["confidential"]}])
def test_other_outcomes_bring_no_label(write: Any, again: Any, more: Any) -> None:
    write(outcome(**more), {})
    assert ways(again(UNTRUSTED)) == {}


def test_an_answer_from_the_ledger_brings_its_labels(write: Any, again: Any) -> None:
    write({"kind": "recall", "labels": ["untrusted"], "tool": "local.web"}, {})
    assert ways(again(UNTRUSTED)) == {"allow > review": 1}


def test_labels_that_were_read_then_are_taken_as_they_were(write: Any, again: Any) -> None:
    write({"inputs": {"labels": ["untrusted"]}}, {"inputs": {"labels": []}})
    assert ways(again(UNTRUSTED)) == {"allow > review": 1}


def test_now_is_when_it_was_decided(write: Any, again: Any) -> None:
    hour = datetime.now(UTC).hour
    write({}, {"kind": "refusal", "decision": "review", "rows": [], "duration_us": 2 * 3_600_000_000})
    found = again(f"{ALLOW}\np, *, acme, *, *, r.ctx.now.hour == {(hour - 2) % 24}, deny")
    assert ways(found) in ({"review > deny": 1, "allow > deny": 0}, {"review > deny": 1})


def test_session_and_user_are_read(write: Any, again: Any) -> None:
    write({"session": "s1"}, {"session": "s2"}, {"session": "s1", "user": None})
    rows = ALLOW + '\np, *, acme, *, *, r.ctx.session == "s1" and r.ctx.user != "none", deny'
    assert ways(again(rows)) == {"allow > deny": 1}


def test_sandbox_facts_are_not_kept(write: Any, again: Any) -> None:
    write({})
    assert missing(again(ALLOW + '\np, *, acme, *, *, has(r.ctx, "sandbox.memory"), deny')) == {
        "sandbox.memory"
    }


# --- which records ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(), 4),
        (Filters(tool="local.act"), 3),
        (Filters(tool="crm.*"), 1),
        (Filters(tool="local.*"), 3),
        (Filters(agent="writer"), 3),
        (Filters(user="bob"), 1),
        (Filters(tenant="globex"), 1),
        (Filters(run="r2"), 1),
        (Filters(since=datetime(2100, 1, 1)), 0),
        (Filters(until=datetime(2100, 1, 1, tzinfo=UTC)), 4),
        (Filters(until=datetime(2020, 1, 1, tzinfo=UTC)), 0),
    ],
)
def test_filters(write: Any, again: Any, filters: Filters, count: int) -> None:
    write({"tool": "crm.get"}, {"agent": "reader"}, {"user": "bob", "run": "r2"}, {"tenant": "globex"})
    assert again(ALLOW, filters=filters).tally.decided == count


def test_a_value_that_looks_like_a_filter_elsewhere_is_not_taken(write: Any, again: Any) -> None:
    write(
        {"arguments": {"kind": "intent", "agent": "other"}, "kind": "outcome"},
        {"arguments": {"agent": "other"}},
    )
    assert again(ALLOW, filters=Filters(agent="other")).tally.decided == 0


def test_a_changed_log_is_refused_unless_told_otherwise(write: Any, again: Any, tmp_path: Path) -> None:
    write({}, {})
    (file,) = (tmp_path / ".toolcrib" / "audit").glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"user":"alice"', b'"user":"mally"', 1))
    with pytest.raises(AuditError, match="the log was changed"):
        again(ALLOW)
    found = again(ALLOW, verify=False)
    assert (found.verified, found.tally.decided) == (False, 2)


def test_a_line_that_is_no_record_is_refused_even_then(write: Any, again: Any, tmp_path: Path) -> None:
    write({})
    (file,) = (tmp_path / ".toolcrib" / "audit").glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"kind":"intent"}\n')
    with pytest.raises(AuditError, match="holds no record"):
        again(ALLOW, verify=False)


def test_no_log_and_a_bad_policy_say_so(write: Any, again: Any, tmp_path: Path) -> None:
    with pytest.raises(AuditError):
        again(ALLOW)
    write({})
    with pytest.raises(PolicyError, match=r"policy\.csv:1"):
        again("p, *, acme, local.*, *, True, Allow")
    with pytest.raises(PolicyError):
        replay(tmp_path / ".toolcrib" / "audit", tmp_path / "nowhere")


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_custom_model_is_replayed_by_plain_casbin(write: Any, again: Any) -> None:
    write({"arguments": {"amount": 11}}, {"arguments": {"amount": HMAC}}, {"arguments": {"amount": 1}})
    custom = MODEL.replace('(p.act == "*" || r.act == p.act)', "r.act == p.act")
    rows = "p, *, acme, local.act, write, r.ctx.args.amount < 10, allow"
    found = again(rows, model=custom)
    assert ways(found) == {"allow > deny": 1, "allow > unknown": 1}


# --- in pieces and processes ------------------------------------------------------------------------------


def test_pieces_count_what_the_whole_counts(write: Any, again: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [{"user": f"u{number % 7}", "arguments": {"amount": number}} for number in range(60)]
    write(*given[:30], outcome(), *given[30:])
    rows = AMOUNT + '\np2, *, acme, local.act, write, "untrusted" in r.ctx.labels, lead'
    whole = again(rows).tally
    monkeypatch.setattr("toolcrib.bench._scan.PIECE", 777)
    done: list[tuple[str, int, int]] = []
    parts = again(rows, progress=lambda *told: done.append(told)).tally
    assert (parts.ways, parts.decided, parts.same) == (whole.ways, whole.decided, whole.same)
    assert (parts.first, parts.last) == (whole.first, whole.last)
    assert [one[0] for one in done][-1] == "replaying" and done[-1][1] == done[-1][2]
    assert {one[0] for one in done} == {"verifying", "reading labels", "replaying"}
    assert again(rows, processes=2).tally == parts


# --- real calls -------------------------------------------------------------------------------------------


class Vault(Toolkit):
    @tool(effect="read")
    async def get(self, id: str) -> dict[str, str]:
        """Get."""
        return {"state": "closed", "owner": "ann"}

    @tool(effect="write", preview=Preview("get", id="id"))
    async def put(self, id: str, code: Annotated[str, Sensitive] = "") -> str:
        """Put."""
        return "put"

    @tool(effect="read", labels={"untrusted"})
    async def web(self) -> str:
        """Web."""
        return "hello"

    @tool(effect="send")
    async def mail(self, to: str) -> str:
        """Mail."""
        return "sent"


async def test_real_calls_replayed_under_their_own_policy_go_the_same_way(make: Any, again: Any) -> None:
    rows = "\n".join(
        (
            ALLOW,
            'p, *, acme, local.put, write, r.ctx.before.state == "open" or r.ctx.args.code == "x", deny',
            'p2, *, acme, local.mail, send, "untrusted" in r.ctx.labels, lead',
            "p, agent:bad, acme, *, *, True, deny",
            "p3, *, acme, local.mail, 20/day per user",
        )
    )
    crib = make(rows, Vault())
    for agent in ("good", "bad"):
        for name, arguments in (
            ("put", {"id": "1"}),
            ("mail", {"to": "a"}),
            ("web", {}),
            ("mail", {"to": "b"}),
        ):
            await crib.call(f"local.{name}", arguments, crib.principal(agent, "alice"))
    found = again(rows, tools=facts_of_tools(crib.registry))
    # The code is kept as an HMAC, so that one call cannot be told; that it was read does not tell its value.
    assert (ways(found), found.tally.decided, missing(found)) == ({"allow > unknown": 1}, 8, {"args.code"})
    changed = again(
        rows.replace("p, agent:bad, acme, *, *, True, deny", ""), tools=facts_of_tools(crib.registry)
    )
    assert ways(changed) == {"deny > allow": 1, "deny > review": 2, "deny > unknown": 1, "allow > unknown": 1}
