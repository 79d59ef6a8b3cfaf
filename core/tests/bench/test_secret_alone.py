"""A review or quota of a secret alone denies its use: executor and all tools about policy say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from toolcrib.bench.tools import NamedTool
from toolcrib.cli.policy import policy as command
from toolcrib.effects import USE
from toolcrib.policy import MODEL, OPEN, Facts, Policy, SecretUse, explain
from toolcrib.principal import Principal

ME = Principal("writer", "alice", "acme")
SECRET = NamedTool("secret:crm.key", USE)
MAY = "p, *, acme, *, *, True, allow\n"

ALONE = [
    "p2, *, acme, secret:crm.key, use, True, lead",
    "p2, user:alice, acme, secret:crm.*, *, True, requester",
    "p2, agent:writer, *, *, use, True, lead",
    "p3, *, acme, secret:crm.key, 5/day per user",
    "p3, agent:writer, acme, secret:crm.*, 5/day per agent",
]
TWINS = {
    "p2, *, acme, *, *, True, lead": "review",  # the call itself is asked about under this row
    "p3, *, acme, *, 5/day per user": "allow",
    "p2, *, other, secret:crm.key, use, True, lead": "allow",
    "p2, *, acme, secret:crm.other, use, True, lead": "allow",
    "p3, user:bob, acme, secret:crm.key, 5/day per user": "allow",
    "p2, *, acme, secret:crm.key, read, True, lead": "allow",
}


class Desk:
    tenant, secret_names = "acme", frozenset({"crm.key"})

    def __init__(self, folder: Path, rows: str) -> None:
        self.policy_folder = self.folder = folder
        self.registry = [NamedTool("crm.get", "read")]
        (folder / "model.conf").write_text(MODEL)
        (folder / "policy.csv").write_text(rows)

    def crib(self) -> Any:
        return self


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    def run(rows: str, *arguments: str) -> str:
        result = CliRunner().invoke(command, arguments, obj=Desk(tmp_path, rows), env={"COLUMNS": "150"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output

    return run


def verdict(rows: str, facts: Facts | None = None) -> Any:
    policy = Policy.of(MODEL, rows)
    use = SecretUse.of("key", NamedTool("crm.get", "read"))
    by_call = policy.decide(policy.candidates(ME, use), facts or Facts({}, before=None))
    by_name = policy.decide(policy.candidates(ME, SECRET), facts or Facts({}, before=None))
    assert (by_call.verdict, by_call.rows) == (by_name.verdict, by_name.rows)
    return by_call


@pytest.mark.parametrize("row", ALONE)
def test_the_decision_is_a_deny_that_names_the_row(row: str) -> None:
    decision = verdict(MAY + row)
    assert (decision.verdict, [str(one.place) for one in decision.rows]) == ("deny", ["policy.csv:2"])
    assert "policy.csv:2 asks for a review or quota of a secret alone" in decision.reason


@pytest.mark.parametrize("row", TWINS)
def test_other_rows_decide_as_they_say(row: str) -> None:
    assert verdict(MAY + row).verdict == TWINS[row]


def test_a_call_is_reviewed_and_counted_as_before() -> None:
    policy = Policy.of(
        MODEL, MAY + "p2, *, acme, crm.get, read, True, lead\np3, *, acme, crm.*, 5/day per user"
    )
    decision = policy.decide(policy.candidates(ME, NamedTool("crm.get", "read")), Facts({}, before=None))
    assert (decision.verdict, len(decision.reviews), len(decision.quotas)) == ("review", 1, 1)


def test_one_with_a_condition_denies_where_it_holds() -> None:
    rows = MAY + "p2, *, acme, secret:crm.key, use, r.ctx.args.amount > 5, lead"
    assert verdict(rows, Facts({"amount": 6}, before=None)).verdict == "deny"
    assert verdict(rows, Facts({"amount": 5}, before=None)).verdict == "allow"
    assert verdict(rows).verdict == "deny"  # it cannot be evaluated


def test_it_denies_also_while_other_rows_wait_for_the_record() -> None:
    rows = "p, *, acme, *, *, r.ctx.before.open == True, allow\n" + ALONE[0]
    decision = verdict(rows, Facts({}, before=OPEN))
    assert (decision.verdict, decision.is_open) == ("deny", False)


def test_a_deny_row_beside_it_is_what_is_told() -> None:
    decision = verdict(MAY + ALONE[0] + "\np, *, acme, *, use, True, deny")
    assert [row.place for row in decision.rows] == ["policy.csv:3"]


@pytest.mark.parametrize("row", ALONE)
def test_explain_shows_a_deny_and_the_remedy(ask: Any, row: str) -> None:
    found = explain(Policy.of(MODEL, MAY + row), ME, SECRET, Facts({}, before=None))
    assert found.remedies == [
        f"remove, and write it for the tools that use the secret: policy.csv:2 ({row})",
    ]
    as_alice = ("explain", "secret:crm.key", "--user", "alice", "--agent", "writer")
    assert json.loads(ask(MAY + row, *as_alice, "--json"))["verdict"] == "deny"
    output = ask(MAY + row, *as_alice)
    assert output.startswith("deny\n") and "write it for the tools that use the secret" in output


@pytest.mark.parametrize(("row", "state"), [*((row, "deny") for row in ALONE), *TWINS.items()])
def test_matrix_what_can_and_who_can_show_what_a_call_would_meet(ask: Any, row: str, state: str) -> None:
    rows = "p, user:alice, acme, *, *, True, allow\np, agent:writer, acme, *, *, True, allow\n" + row
    assert verdict(rows).verdict == state
    cells = json.loads(ask(rows, "matrix", "--json"))["cells"]
    states = {one["subject"]: one["state"] for one in cells if one["tool"] == "secret:crm.key"}
    narrow = {"user:alice": {"agent:writer"}, "agent:writer": {"user:alice"}}
    for subject, others in narrow.items():
        # A row for one subject is in that subject's cell alone; in a call the stricter of both counts.
        about = row.split(", ")[1]
        assert states[subject] == ("allow" if about in others else state)
        told = json.loads(ask(rows, "what-can", subject, "--json"))["tools"]
        assert {one["name"]: one["state"] for one in told}["secret:crm.key"] == states[subject]
    pairs = json.loads(ask(rows, "who-can", "secret:crm.key", "--json"))["pairs"]
    assert {one["state"] for one in pairs} == ({state} if state != "deny" else set())
