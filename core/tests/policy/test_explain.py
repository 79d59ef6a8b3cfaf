"""Why a call is decided as it is, and the smallest change that would allow it."""

from __future__ import annotations

from typing import Any

import pytest

from toolcrib.policy import OPEN, Facts, explain
from toolcrib.principal import Principal

ALICE = Principal("writer", "alice", "acme")
USER = "p, sales, acme, crm.*, write, True, allow"
AGENT = "p, agent:writer, acme, crm.*, write, True, allow"
ROLE = "g, user:alice, sales, acme"


def why(load: Any, tool: Any, *rows: str, **facts: Any) -> Any:
    facts.setdefault("before", None)
    return explain(load(*rows), ALICE, tool(), Facts(facts.pop("arguments", {}), **facts))


def test_it_shows_the_roles_walked(load: Any, tool: Any) -> None:
    found = why(load, tool, USER, AGENT, ROLE, "g, sales, staff, *")
    assert found.roles == {"user:alice": ("sales", "staff"), "agent:writer": ()}


def test_an_allowed_call_needs_no_remedy(load: Any, tool: Any) -> None:
    found = why(load, tool, USER, AGENT, ROLE)
    assert found.decision.verdict == "allow"
    assert [(result.row.line, result.outcome) for result in found.considered] == [
        (1, "matches"),
        (2, "matches"),
    ]
    assert not found.remedies


@pytest.mark.parametrize(
    ("rows", "remedies"),
    [
        ([AGENT, ROLE], ["add: p, user:alice, acme, crm.set_stage, write, True, allow"]),
        ([USER, ROLE], ["add: p, agent:writer, acme, crm.set_stage, write, True, allow"]),
        (
            [],
            [
                "add: p, user:alice, acme, crm.set_stage, write, True, allow",
                "add: p, agent:writer, acme, crm.set_stage, write, True, allow",
            ],
        ),
        (
            [USER, AGENT, ROLE, "p, *, *, crm.*, *, True, deny"],
            ["remove or narrow: policy.csv:4 (p, *, *, crm.*, *, True, deny)"],
        ),
        (
            [USER, AGENT, ROLE, "p, *, *, *, *, r.ctx.args.x > 1, deny"],
            [
                "mend the condition (r.ctx.args.x is absent): "
                "policy.csv:4 (p, *, *, *, *, r.ctx.args.x > 1, deny)"
            ],
        ),
    ],
)
def test_the_smallest_change_that_would_allow_it(
    load: Any, tool: Any, rows: list[str], remedies: list[str]
) -> None:
    assert why(load, tool, *rows).remedies == remedies


@pytest.mark.parametrize(
    "rows",
    [[AGENT, ROLE], [USER, ROLE], [], [USER, AGENT.replace("True", "r.ctx.args.a == 2"), ROLE]],
)
def test_adding_what_it_says_does_allow_the_call(load: Any, tool: Any, rows: list[str]) -> None:
    found = why(load, tool, *rows, arguments={"a": 1})
    added = [remedy.removeprefix("add: ") for remedy in found.remedies]
    assert why(load, tool, *rows, *added, arguments={"a": 1}).decision.verdict == "allow"


def test_it_shows_rows_whose_condition_kept_them_out(load: Any, tool: Any) -> None:
    found = why(
        load, tool, USER, AGENT, ROLE,
        "p, *, *, *, *, r.ctx.args.a == 2, deny",
        "p2, *, *, *, *, r.ctx.args.a == 1, lead",
        "p3, *, *, *, 1/day per user",
        "p, *, *, mail.*, *, True, deny",
        arguments={"a": 1},
    )  # fmt: skip
    lines = [result.row.line for result in found.considered]
    assert len(lines) == len(set(lines)), "a row for both subjects is shown once"
    assert {result.row.line: result.outcome for result in found.considered} == {
        1: "matches",
        2: "matches",
        4: "condition is false",
        5: "matches",
        6: "matches",
    }
    assert found.decision.verdict == "review"


def test_it_shows_rows_that_wait_for_the_preview(load: Any, tool: Any) -> None:
    found = why(load, tool, USER, AGENT, ROLE, "p, *, *, *, *, r.ctx.before.a == 2, deny", before=OPEN)
    assert found.decision.is_open
    assert found.considered[-1].outcome == "waits for the preview"
    assert not found.remedies
