"""Memory stays flat and the memory of calls forgets, whoever asks."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from toolcrib.policy import Facts
from toolcrib.policy._engine import MEMORY
from toolcrib.policy._memo import Memo
from toolcrib.principal import Principal


def test_a_memo_keeps_what_is_used_and_forgets_the_rest() -> None:
    memo: Memo[int, str] = Memo(10)
    for number in range(1000):
        memo.put(number, str(number))
        assert memo.get(7) in ("7", None)
        if number >= 7:
            assert memo.get(7) == "7", "asked for all the time"
    assert memo.get(500) is None
    assert memo.get(999) == "999"
    assert len(memo) <= 20


def test_a_memo_answers_none_for_what_it_never_saw() -> None:
    assert Memo[str, str](2).get("x") is None


def test_unknown_tenants_users_and_tools_do_not_fill_the_memory(load: Any, tool: Any) -> None:
    policy = load(
        "p, x, *, *, *, True, allow", "g, user:alice, x, *", "g, x, y, *", "p, y, *, *, *, True, allow"
    )

    def ask(number: int) -> None:
        who = Principal("writer", "alice" if number % 2 else f"user{number}", f"tenant{number}")
        policy.decide(policy.candidates(who, tool(name=f"crm.tool{number}")), Facts({}))

    for number in range(2 * MEMORY):
        ask(number)
    gc.collect()
    tracemalloc.start()
    for number in range(2 * MEMORY, 4 * MEMORY):
        ask(number)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    engine = policy._engine
    assert len(engine._memo) <= 2 * MEMORY
    assert len(engine.index._memo) <= 4 * MEMORY
    # Everything remembered was replaced once, so what is counted here is the whole memory, not its growth.
    assert grown < 80 * 2**20


def test_a_forgotten_call_is_decided_again_the_same(load: Any, tool: Any) -> None:
    policy = load("p, *, acme, *, *, True, allow")
    alice = Principal("writer", "alice", "acme")
    first = policy.decide(policy.candidates(alice, tool()), Facts({}))
    for number in range(3 * MEMORY):
        policy.candidates(Principal("writer", "alice", f"tenant{number}"), tool())
    second = policy.decide(policy.candidates(alice, tool()), Facts({}))
    assert first == second
    assert first is not second
