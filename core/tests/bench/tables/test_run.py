"""What cases can say, and what a failed one tells. Each that passes has a twin that fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolcrib.bench.tables import Report, Result, run
from toolcrib.policy import MODEL, Policy
from toolcrib.tools import Preview, Toolkit, declared_tool, tool, tools_of

Case = Callable[..., Report]
MAIL = "tool: crm.mail\neffect: send\nexpect: review\n"
PUT = "tool: crm.put\neffect: write\n"


class CRM(Toolkit):
    @tool(effect="read", labels={"secret"})
    async def get(self, id: str, limit: int = 500) -> str:
        """A record."""
        return id

    @tool(effect="write", preview=Preview("get", id="id"))
    async def put(self, id: str) -> str:
        """Change a record."""
        return id


TOOLS = tools_of(CRM(), pack="crm")


def failure(report: Report) -> Result:
    assert report.problems == []
    (failed,) = report.failures
    assert not report.passed
    return failed


def passes(report: Report) -> bool:
    assert report.problems == [], report.problems
    return report.passed


# --- verdicts ---


def test_a_case_that_says_what_the_policy_does(case: Case) -> None:
    report = case()
    (result,) = report.results
    assert passes(report)
    assert (result.name, result.line, result.got) == ("it", 3, "")
    assert [row.line for row in result.rows] == [6, 7]


def test_a_case_that_does_not(case: Case) -> None:
    failed = failure(case("expect: deny"))
    assert failed.expected == "deny"
    assert failed.got.startswith("allow by policy.csv:6 (p, sales, acme, crm.*, *, True, allow) and ")
    assert failed.why == "user:alice and agent:writer may call crm.get (read) in tenant acme"
    outcomes = {one.row.line: one.outcome for one in failed.considered}
    assert outcomes == {6: "matches", 7: "matches", **dict.fromkeys((11, 12, 13), "condition is false")}


@pytest.mark.parametrize(
    "text", ["user: bob", "agent: intruder", "tenant: globex", "tool: crm.drop\neffect: destructive"]
)
def test_who_asks_for_what(case: Case, text: str) -> None:
    assert failure(case(text)).got == "deny, as no row allows it"
    assert passes(case(f"{text}\nexpect: deny"))


def test_nobody_behind_the_agent(case: Case) -> None:
    assert "user:none has no allow row" in failure(case(without="user")).why


def test_a_subject_may_be_written_as_in_rows(case: Case) -> None:
    assert passes(case("user: user:alice\nagent: agent:writer"))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("arguments: {limit: 101}", "deny"),
        ("arguments: {limit: 100}", "allow"),
        ("labels: [secret]", "deny"),
        ("labels: [other]", "allow"),
        ("labels: secret", "deny"),
        ('now: "2026-03-02T21:00:00+00:00"', "deny"),
        ('now: "2026-03-02T21:00:00+02:00"', "allow"),
        ("now: 2026-03-02T21:00:00Z", "deny"),
        ("sandbox: {memory: 1}", "allow"),
        ("session: other", "allow"),
        (PUT + "before: {stage: Won}", "deny"),
        (PUT + "before: {stage: Open}", "allow"),
        (PUT + "before: {}", "allow"),
        (PUT + "before: null", "allow"),
        (PUT, "allow"),
    ],
)
def test_what_conditions_read(case: Case, text: str, verdict: str) -> None:
    other = "allow" if verdict == "deny" else "deny"
    assert passes(case(f"{text}\nexpect: {verdict}"))
    assert failure(case(f"{text}\nexpect: {other}")).got.startswith(verdict)


def report_of(tmp_path: Path, rows: str, case: str) -> Report:
    (tmp_path / "own.yaml").write_text(f"tenant: acme\ncases:\n  - {{{case}}}\n")
    return run(tmp_path / "own.yaml", Policy.of(MODEL, rows))


def test_arguments_are_what_a_tool_gets(tmp_path: Path) -> None:
    """JSON has no dates, so a day stays text."""
    rows = 'p, *, *, crm.get, read, r.ctx.args.day == "2026-01-01" and r.ctx.args.n == 1.5, allow'
    case = "name: a, agent: w, tool: crm.get, effect: read, expect: allow"
    assert passes(report_of(tmp_path, rows, f"{case}, arguments: {{day: 2026-01-01, n: 1.5}}"))
    failed = failure(report_of(tmp_path, rows, f"{case}, arguments: {{day: 2026-01-02, n: 1.5}}"))
    assert failed.why.startswith("user:none has no allow row whose condition holds")


# --- reviews ---


@pytest.mark.parametrize(
    "who", ["by: [alice]", "by: dana", "by: [alice, user:dana]", "not_by: [bob, erin]", ""]
)
def test_who_may_approve(case: Case, who: str) -> None:
    assert passes(case(MAIL + who))


@pytest.mark.parametrize(
    ("who", "got"),
    [
        ("by: [erin]", "review by requester|lead (policy.csv:14): erin may not"),
        ("by: [dana, writer]", "review by requester|lead (policy.csv:14): writer may not"),
        ("not_by: [bob, dana]", "review by requester|lead (policy.csv:14): dana may"),
    ],
)
def test_who_may_not(case: Case, who: str, got: str) -> None:
    assert failure(case(MAIL + who)).got.startswith(got)


def test_two_rows_need_two_people_together(case: Case) -> None:
    both = MAIL + "arguments: {amount: 11}\n"
    assert passes(case(both + "by: [alice, erin]\nnot_by: [alice, erin, dana]"))
    assert passes(case(both + "by: [dana, erin]"))
    failed = failure(case(both + "by: [alice, dana]"))
    assert failed.expected == "review that alice and dana can satisfy"
    assert failed.got.startswith("review that policy.csv:15")


def test_a_review_is_neither_yes_nor_no(case: Case) -> None:
    assert failure(case("tool: crm.mail\neffect: send")).got.startswith("review by policy.csv:6")
    assert failure(case("tool: crm.mail\neffect: send\nexpect: deny")).got.startswith("review")


# --- rows ---


@pytest.mark.parametrize(
    "row", ["p, sales", "p,writing ,acme", '"p, writing, acme, crm.get, read, True, allow"']
)
def test_which_row_decided(case: Case, row: str) -> None:
    assert passes(case(f"row: {row}"))


@pytest.mark.parametrize("row", ["p, sale", "p, lead", "p2, sales", '"p, sales, acme, crm.get"'])
def test_which_row_did_not(case: Case, row: str) -> None:
    failed = failure(case(f"row: {row}"))
    assert failed.expected == f"allow by a row {row.strip(chr(34))!r}"
    assert failed.got.startswith("allow by policy.csv:6")


def test_several_rows_must_all_have_decided(case: Case) -> None:
    assert passes(case('row: ["p, sales", "p, writing"]'))
    assert failure(case('row: ["p, sales", "p, lead"]')).expected == "allow by a row 'p, lead'"


def test_reviews_quotas_and_denies_are_rows_too(case: Case) -> None:
    assert passes(case(MAIL + 'row: ["p2, *", "p3, *, acme, crm.mail", "p, writing"]'))
    assert passes(case('labels: [secret]\nexpect: deny\nrow: "p, *, *, crm.*, read"'))


def test_a_row_with_a_comma_in_its_condition(tmp_path: Path) -> None:
    rows = 'p, *, *, crm.get, read, r.ctx.args.kind in ("a", "b"), allow'
    case = "name: a, agent: w, tool: crm.get, effect: read, expect: allow, arguments: {kind: a}"
    assert passes(report_of(tmp_path, rows, f"{case}, row: '{rows}'"))
    assert not report_of(tmp_path, rows, f"{case}, row: '{rows.replace('b', 'c')}'").passed


def test_denied_for_want_of_a_row_and_not_by_one(case: Case) -> None:
    assert passes(case("user: bob\nexpect: deny\nrow: none"))
    failed = failure(case("labels: [secret]\nexpect: deny\nrow: none"))
    assert (failed.expected, failed.got.split(" (")[0]) == ("deny without a row", "deny by policy.csv:11")


# --- installed tools ---


def test_the_effect_of_an_installed_tool_is_known(case: Case) -> None:
    assert passes(case("arguments: {limit: 5}", tools=TOOLS, without="effect"))


def test_a_table_must_not_state_another(case: Case) -> None:
    report = case("effect: write", tools=TOOLS)
    (problem,) = report.problems
    assert problem.what == "crm.get has the effect read, not write"
    assert not report.passed


def test_defaults_are_filled_in_as_in_a_call(case: Case) -> None:
    """The default of `limit` is 500, which a row denies."""
    assert failure(case("arguments: {id: x}", tools=TOOLS)).got.startswith("deny by policy.csv:12")
    assert passes(case("arguments: {id: x}"))


def test_defaults_of_a_declared_schema_are_not(case: Case) -> None:
    async def call(values: Any) -> None: ...

    schema = {"type": "object", "properties": {"limit": {"type": "integer", "default": 500}}}
    from dataclasses import replace

    declared = declared_tool("get", description="G.", schema=schema, effect="read", call=call)
    named = replace(declared, name="crm.get", pack="crm")
    assert passes(case("arguments: {}", tools=[named]))


def test_an_argument_that_the_tool_does_not_have(case: Case) -> None:
    (problem,) = case("arguments: {limt: 5}", tools=TOOLS).problems
    assert (problem.what, problem.remedy) == ("crm.get has no argument 'limt'", "Did you mean 'limit'?")


def test_a_tool_with_a_preview_needs_the_record(case: Case) -> None:
    failed = failure(case(PUT, tools=TOOLS))
    assert failed.got == "no decision yet: it waits for the record before the change (add before:)"
    assert passes(case(PUT + "before: {stage: Open}", tools=TOOLS))


def test_a_tool_without_one_has_none(case: Case) -> None:
    (problem,) = case("before: {stage: Open}", tools=TOOLS).problems
    assert problem.what == "crm.get has no preview"


def test_tools_that_the_table_states(table: Callable[..., Report]) -> None:
    text = """\
tenant: acme
tools:
  crm.get: read
  crm.put: {effect: write, preview: true}
  crm.mail: {effect: send, labels: [x], idempotent: true}
cases:
  - {name: a, user: alice, agent: writer, tool: crm.get, expect: allow, now: 2026-03-02T10:00:00Z}
  - {name: b, user: alice, agent: writer, tool: crm.put, expect: allow}
  - {name: c, user: alice, agent: writer, tool: crm.mail, expect: review}
"""
    report = table(text)
    assert report.problems == []
    assert [(one.name, one.passed) for one in report.results] == [("a", True), ("b", False), ("c", True)]
    assert "waits for the record" in report.failures[0].got


# --- coverage ---


def test_rows_that_no_case_exercises(table: Callable[..., Report]) -> None:
    start = "tenant: acme\ncases:\n"
    get = "  - {name: a, user: alice, agent: writer, tool: crm.get, effect: read, expect: allow,\n"
    get += "     now: 2026-03-02T10:00:00Z}\n"
    mail = "  - {name: b, user: alice, agent: writer, tool: crm.mail, effect: send, expect: review}\n"
    report = table(start + get)
    assert [row.line for row in report.exercised] == [6, 7]
    assert [row.line for row in report.missed] == [8, 9, 10, 11, 12, 13, 14, 15, 16]
    assert report.coverage == pytest.approx(100 * 2 / 11)
    assert [row.line for row in table(start + get + mail).exercised] == [6, 7, 9, 14, 16]


def test_a_row_that_did_not_decide_is_not_exercised(case: Case) -> None:
    """A deny that wins leaves the allow rows beside it untested."""
    assert [row.line for row in case("labels: [secret]\nexpect: deny").exercised] == [11]


def test_grants_of_roles_do_not_count(policy: Policy, tmp_path: Path) -> None:
    report = run(tmp_path, policy)
    assert {row.kind for row in report.missed} == {"p", "p2", "p3"}
    assert (report.coverage, report.passed, report.files) == (0.0, True, [])


def test_a_policy_without_rows_is_covered(tmp_path: Path) -> None:
    assert run(tmp_path, Policy.of(MODEL, "")).coverage == 100.0


def test_a_custom_model_is_tested_too(tmp_path: Path) -> None:
    model = MODEL.replace('p.sub == "*" || ', "")
    (tmp_path / "a.yaml").write_text(
        "tenant: acme\ncases:\n"
        "  - {name: a, user: alice, agent: w, tool: crm.get, effect: read, expect: deny}\n"
    )
    with pytest.warns(match="plain Casbin decides"):
        policy = Policy.of(model, "p, *, acme, *, *, True, allow")
    assert run(tmp_path, policy).passed


def test_the_sample_bundle_passes_its_own_table() -> None:
    folder = Path(__file__).parents[4] / "policies/src/toolcrib_policies/bundles/lead-outreach"
    report = run(folder / "tests", Policy.load(folder))
    assert report.passed
    assert len(report.results) > 20
    assert report.coverage > 90
