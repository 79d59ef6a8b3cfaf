"""Every bundle loads, is the shipped model, and says what its tables say.

The package imports nothing of ours; its tests do, since only core can decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import toolcrib_policies
from toolcrib.bench.check import check_folder
from toolcrib.cli._main import cli
from toolcrib.policy import NO_PREVIEW, Facts, Policy
from toolcrib.policy._model import MODEL, read_model
from toolcrib.principal import Principal
from toolcrib.sandboxed import Sandboxed, sandbox_facts

FIELDS = frozenset(
    {"name", "tenant", "user", "agent", "tool", "effect", "arguments"}
    | {"before", "labels", "sandbox", "expect", "by", "not_by", "row"}
)


@dataclass(frozen=True)
class Tool:
    name: str
    effect: Any
    labels: frozenset[str] = frozenset()
    idempotent: bool = False

    @property
    def pack(self) -> str:
        return self.name.partition(".")[0]


def tables() -> list[Any]:
    found = []
    for name in toolcrib_policies.names():
        for path in sorted((toolcrib_policies.bundle(name) / "tests").glob("*.yaml")):
            table = yaml.safe_load(path.read_text(encoding="utf-8"))
            for case in table["cases"]:
                case.setdefault("tenant", table["tenant"])
                found.append(pytest.param(name, case, id=f"{path.stem}: {case['name']}"))
    return found


@pytest.fixture(scope="module", params=toolcrib_policies.names())
def policy(request: pytest.FixtureRequest) -> Policy:
    return Policy.load(toolcrib_policies.bundle(request.param))


_loaded: dict[str, Policy] = {}


def load(name: str) -> Policy:
    if name not in _loaded:
        _loaded[name] = Policy.load(toolcrib_policies.bundle(name))
    return _loaded[name]


SANDBOXED = Sandboxed(memory="memory", wall="seconds", egress="egress")
DEFAULTS = {"properties": {"memory": {"default": 256}, "seconds": {"default": 30}}}
"""What the tools of the code pack say of their sandbox."""


def asked(case: dict[str, Any]) -> tuple[Principal, Tool, Facts]:
    principal = Principal(case["agent"], case.get("user"), case["tenant"])
    facts = Facts(
        case.get("arguments", {}), frozenset(case.get("labels", ())), before=case.get("before", NO_PREVIEW)
    )
    if "sandbox" in case:
        facts.sandbox = sandbox_facts(case["sandbox"])
        SANDBOXED.fill(facts, DEFAULTS)
    return principal, Tool(case["tool"], case["effect"]), facts


@pytest.mark.parametrize(("bundle", "case"), tables())
def test_a_table_says_what_the_policy_does(bundle: str, case: dict[str, Any]) -> None:
    assert set(case) <= FIELDS, "a misspelt field would test nothing"
    policy = load(bundle)
    principal, tool, facts = asked(case)
    decision = policy.decide(policy.candidates(principal, tool), facts)
    assert (decision.verdict, decision.is_open) == (case["expect"], False), decision.reason
    for person in case.get("by", ()):
        assert all(policy.approves(person, row, principal) for row in decision.reviews), person
    for person in case.get("not_by", ()):
        assert not all(policy.approves(person, row, principal) for row in decision.reviews), person
    if "row" in case:
        rows = [", ".join((row.kind, *row.values)) for row in (*decision.rows, *decision.reviews)]
        assert any(row.startswith(case["row"]) for row in rows), rows


def test_the_tables_hold_denials_and_approvals_too() -> None:
    verdicts = [parameters.values[1]["expect"] for parameters in tables()]
    assert verdicts.count("deny") >= verdicts.count("allow") > 5
    assert verdicts.count("review") > 3


def test_every_p_row_of_a_bundle_decides_some_case() -> None:
    for name in toolcrib_policies.names():
        policy, used = load(name), set()
        for parameters in tables():
            if parameters.values[0] == name:
                principal, tool, facts = asked(parameters.values[1])
                decision = policy.decide(policy.candidates(principal, tool), facts)
                used |= {*decision.rows, *decision.reviews, *decision.quotas}
        unused = [str(row) for row in policy.rows if row.kind != "g" and row not in used]
        assert [row for row in unused if "crm-admin" not in row] == []


def test_the_mail_quota_counts_per_user() -> None:
    policy = load("lead-outreach")
    principal = Principal("crm_action", "alice", "acme")
    decision = policy.decide(policy.candidates(principal, Tool("mail.send", "send")), Facts({}))
    assert [(one.limit, one.window_seconds, one.per) for one in map(policy.quota, decision.quotas)] == [
        (20, 86_400, "user")
    ]


def test_an_opportunity_waits_for_its_preview() -> None:
    policy = load("lead-outreach")
    candidates = policy.candidates(
        Principal("crm_action", "alice", "acme"), Tool("crm.set_opportunity_stage", "write")
    )
    assert "before" in candidates.reads
    assert policy.decide(candidates, Facts({"stage": "Proposal"})).is_open


MODELS = [
    toolcrib_policies.model(),
    *(toolcrib_policies.bundle(name) / "model.conf" for name in toolcrib_policies.names()),
]


@pytest.mark.parametrize("path", MODELS, ids=str)
def test_a_shipped_model_is_the_one_that_the_index_knows(path: Any) -> None:
    assert read_model(path.read_text(encoding="utf-8")).shipped
    assert read_model(MODEL).shipped


def test_a_bundle_loads_without_a_warning(policy: Policy) -> None:
    assert policy.warnings == ()
    assert policy.is_indexed


@pytest.mark.parametrize("name", toolcrib_policies.names())
def test_the_properties_of_a_bundle_hold_of_it(name: str) -> None:
    found = check_folder(toolcrib_policies.bundle(name))
    assert found.holds, [one.witnesses[:1] for one in found.findings if not one.holds]
    assert found.findings
    assert [one.notes for one in found.findings if one.notes] == []


PLANTED = {
    "p, crm-writer, acme, crm.delete_record, destructive, True, allow\np, sales, acme, *, *, True, allow": 2,
    "p2, *, acme, mail.send, send, True, requester|sales-lead": 2,
    "g, agent:researcher, crm-writer, acme": 2,
    "g, user:bob, crm-admin, acme\np, user:bob, acme, mail.draft, *, True, allow": 1,
}


@pytest.mark.parametrize(("row", "violated"), PLANTED.items())
def test_a_row_more_or_less_violates_the_properties_of_lead_outreach(
    row: str, violated: int, tmp_path: Path
) -> None:
    bundle = toolcrib_policies.bundle("lead-outreach")
    rows = (bundle / "policy.csv").read_text(encoding="utf-8")
    changed = rows.replace(row, "") if row in rows else f"{rows}\n{row}\n"
    for name in ("model.conf", "properties.toml"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    (tmp_path / "policy.csv").write_text(changed, encoding="utf-8")
    assert sum(not one.holds for one in check_folder(tmp_path).findings) == violated


def test_an_unknown_bundle_is_named_with_what_there_is() -> None:
    with pytest.raises(KeyError, match="lead-outreach"):
        toolcrib_policies.bundle("../lead-outreach")


# --- lead-outreach, whole: who may what, on an open opportunity, as one table ---

TOOLS = {
    "research.search_company": "read",
    "crm.search_contacts": "read",
    "crm.get_record": "read",
    "crm.log_activity": "write",
    "crm.set_opportunity_stage": "write",
    "crm.update_record": "write",
    "crm.create_lead": "write",
    "crm.convert_lead": "destructive",
    "crm.delete_record": "destructive",
    "mail.draft": "write",
    "mail.send": "send",
}
MAY = {
    "researcher": {"research.search_company"},
    "crm_query": {"crm.search_contacts", "crm.get_record"},
    "writer": {"mail.draft"},
    "crm_action": {"crm.log_activity", "crm.set_opportunity_stage", "crm.update_record"},
    "stranger": set(),
}
MAY_WITH_APPROVAL = {"crm_action": {"mail.send"}}


@pytest.mark.parametrize("agent", MAY)
@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("user", ["alice", "dana"])
def test_what_each_agent_may_for_a_salesperson(agent: str, name: str, user: str) -> None:
    assert verdict(agent, user, name) == (
        "allow" if name in MAY[agent] else "review" if name in MAY_WITH_APPROVAL.get(agent, ()) else "deny"
    )


@pytest.mark.parametrize("agent", MAY)
@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize(("user", "tenant"), [("bob", "acme"), (None, "acme"), ("alice", "globex")])
def test_no_agent_may_anything_for_anybody_else(agent: str, name: str, user: str | None, tenant: str) -> None:
    assert verdict(agent, user, name, tenant) == "deny"


def verdict(agent: str, user: str | None, name: str, tenant: str = "acme") -> str:
    policy, principal = load("lead-outreach"), Principal(agent, user, tenant)
    candidates = policy.candidates(principal, Tool(name, TOOLS[name]))
    return policy.decide(candidates, Facts({}, before={"stage": "Proposal"})).verdict


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_offered_to_the_agents_that_may_call_it_and_to_no_other(name: str) -> None:
    policy, tool = load("lead-outreach"), Tool(name, TOOLS[name])
    offered = {agent for agent in MAY if policy.candidates(Principal(agent, "alice", "acme"), tool).offered}
    assert offered == {agent for agent in MAY if name in MAY[agent] | MAY_WITH_APPROVAL.get(agent, set())}


@pytest.mark.parametrize("name", toolcrib_policies.names())
def test_a_bundle_lints_and_tests_clean_as_its_readers_would_run_it(name: str) -> None:
    folder = str(toolcrib_policies.bundle(name))
    tested = CliRunner().invoke(cli, ["policy", "test", "--policy", folder, "--json", f"{folder}/tests"])
    assert tested.exit_code == 0, tested.output
    linted = CliRunner().invoke(cli, ["policy", "lint", folder])
    assert linted.exit_code == 0, linted.output
    warned = [line for line in linted.output.splitlines() if " error " in line or " warning " in line]
    assert [line for line in warned if "crm-admin" not in line] == []  # held by nobody, on purpose
