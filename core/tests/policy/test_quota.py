"""p3 rows: what they say, and whom their counters count."""

from __future__ import annotations

from typing import Any

import pytest

from toolcrib.decisions import Row
from toolcrib.policy import Facts, Quota
from toolcrib.principal import Principal

ALICE = Principal("writer", "alice", "acme")


def quota(text: str, line: int = 3) -> Quota:
    return Quota.of(Row("p3", ("*", "acme", "mail.send", text), "policy.csv", line))


@pytest.mark.parametrize(
    ("text", "limit", "seconds", "per"),
    [
        ("20/day per user", 20, 86_400, "user"),
        ("1/second per agent", 1, 1, "agent"),
        ("5/minute per tenant", 5, 60, "tenant"),
        ("100/hour per user", 100, 3600, "user"),
        ("7/week per user", 7, 604_800, "user"),
        ("7/week  per   user", 7, 604_800, "user"),
    ],
)
def test_what_a_quota_says(text: str, limit: int, seconds: int, per: str) -> None:
    one = quota(text)
    assert (one.limit, one.window_seconds, one.per) == (limit, seconds, per)


def test_the_counter_does_not_move_with_its_line() -> None:
    assert quota("20/day per user", 3).key(ALICE) == quota("20/day per user", 30).key(ALICE)


def test_another_row_is_another_counter() -> None:
    assert quota("20/day per user").key(ALICE) != quota("21/day per user").key(ALICE)


@pytest.mark.parametrize(
    ("per", "other", "same"),
    [
        ("user", Principal("reader", "alice", "acme"), True),
        ("user", Principal("writer", "bob", "acme"), False),
        ("user", Principal("writer", "alice", "globex"), False),
        ("user", Principal("writer", None, "acme"), False),
        ("agent", Principal("writer", "bob", "acme"), True),
        ("agent", Principal("reader", "alice", "acme"), False),
        ("agent", Principal("writer", "alice", "globex"), False),
        ("tenant", Principal("reader", "bob", "acme"), True),
        ("tenant", Principal("writer", "alice", "globex"), False),
    ],
)
def test_whom_a_counter_counts(per: str, other: Principal, same: bool) -> None:
    one = quota(f"20/day per {per}")
    assert (one.key(ALICE) == one.key(other)) is same


def test_sessions_and_runs_share_a_counter() -> None:
    one = quota("20/day per user")
    assert one.key(ALICE) == one.key(Principal("writer", "alice", "acme", session="s", run="r"))


def test_a_decision_says_what_it_would_take(load: Any, tool: Any) -> None:
    policy = load(
        "p, *, *, *, *, True, allow",
        "p3, *, *, *, 2/hour per user",
        "p3, agent:writer, *, crm.*, 9/day per agent",
    )
    decision = policy.decide(policy.candidates(ALICE, tool()), Facts({}))
    takes = policy.takes(decision, ALICE)
    assert [(one.limit, one.window) for one in takes] == [(2, 3600), (9, 86_400)]
    assert [one.counter for one in takes] == [policy.quota(row).key(ALICE) for row in decision.quotas]
    assert takes[0].row.startswith("policy.csv:2")


def test_a_denied_call_takes_nothing(load: Any, tool: Any) -> None:
    policy = load("p3, *, *, *, 2/hour per user")
    decision = policy.decide(policy.candidates(ALICE, tool()), Facts({}))
    assert policy.takes(decision, ALICE) == []
