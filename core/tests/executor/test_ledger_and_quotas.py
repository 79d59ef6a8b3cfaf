"""Nothing is written twice, and nobody gets more than a quota has room for."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from toolcrib import Crib, tool
from toolcrib.errors import StateError


def counting(effect: Any = "write", error: Exception | None = None) -> tuple[Any, list[int]]:
    ran: list[int] = []

    @tool(effect=effect)
    async def act(n: int) -> dict[str, int]:
        """Act."""
        ran.append(n)
        if error is not None:
            raise error
        return {"n": n}

    return act, ran


ALLOW = "p, *, acme, local.*, *, True, allow"


async def test_the_same_key_gives_the_first_outcome(make: Any, log: Any) -> None:
    act, ran = counting()
    crib = make(ALLOW, act)
    me = crib.principal("a", "alice")
    first = await crib.call("act", {"n": 1}, me, idempotency_key="k")
    again = await crib.call("act", {"n": 1}, me, idempotency_key="k")
    assert (first.status, again.status, again.value) == ("done", "done", {"n": 1})
    assert ran == [1]
    assert [record["kind"] for record in log()] == ["intent", "outcome", "recall"]


async def test_the_same_key_with_other_arguments_is_refused(make: Any) -> None:
    act, ran = counting()
    crib = make(ALLOW, act)
    me = crib.principal("a", "alice")
    await crib.call("act", {"n": 1}, me, idempotency_key="k")
    other = await crib.call("act", {"n": 2}, me, idempotency_key="k")
    assert (other.status, ran) == ("invalid", [1])
    assert "Use a new key" in other.text


async def test_keys_are_scoped_by_user_agent_and_tool(make: Any) -> None:
    act, ran = counting()
    crib = make(ALLOW, act)
    for agent, user in (("a", "alice"), ("a", "bob"), ("b", "alice")):
        result = await crib.call("act", {"n": 1}, crib.principal(agent, user), idempotency_key="k")
        assert result.status == "done"
    assert ran == [1, 1, 1]


async def test_equal_calls_with_the_same_key_at_once_run_once(make: Any) -> None:
    started, release = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @tool(effect="write")
    async def slow(n: int) -> str:
        """Slow."""
        ran.append(n)
        started.set()
        await release.wait()
        return "ok"

    crib = make(ALLOW, slow)
    me = crib.principal("a", "alice")
    first = asyncio.ensure_future(crib.call("slow", {"n": 1}, me, idempotency_key="k"))
    await started.wait()
    second = await crib.call("slow", {"n": 1}, me, idempotency_key="k")
    assert second.status == "unavailable"
    assert "running already" in second.text
    release.set()
    assert (await first).status == "done"
    assert ran == [1]


async def test_a_burst_of_one_key_runs_once(make: Any) -> None:
    act, ran = counting()
    crib = make(ALLOW, act, config="[limits]\nrepeats = 100\n")
    me = crib.principal("a", "alice")
    results = await asyncio.gather(*(crib.call("act", {"n": 1}, me, idempotency_key="k") for _ in range(20)))
    assert ran == [1]
    assert {result.status for result in results} <= {"done", "unavailable"}
    assert any(result.status == "done" for result in results)


async def test_an_ambiguous_call_blocks_its_equals_until_a_human_settles_it(make: Any) -> None:
    act, ran = counting(error=RuntimeError("connection lost"))
    crib = make(ALLOW, act)
    me, other = crib.principal("a", "alice"), crib.principal("b", "bob")
    assert (await crib.call("act", {"n": 1}, me, idempotency_key="k1")).status == "ambiguous"
    for who, key in ((me, "k1"), (me, "k2"), (other, "k3")):
        blocked = await crib.call("act", {"n": 1}, who, idempotency_key=key)
        assert blocked.status == "ambiguous"
        assert "toolcrib ledger settle" in blocked.text
    assert ran == [1]
    (row,) = crib.state.ledger(status="ambiguous")
    crib.state.settle_by_hand(row.id, "failed", by="dana", note="not in the vendor's list")
    repeated = await crib.call("act", {"n": 1}, me, idempotency_key="k1")
    assert repeated.status == "failed"
    assert ran == [1]
    await crib.call("act", {"n": 1}, me, idempotency_key="k9")
    assert ran == [1, 1]


async def test_other_arguments_are_not_blocked(make: Any) -> None:
    act, ran = counting(error=RuntimeError("lost"))
    crib = make(ALLOW, act)
    me = crib.principal("a", "alice")
    await crib.call("act", {"n": 1}, me)
    await crib.call("act", {"n": 2}, me)
    assert ran == [1, 2]


async def test_a_read_has_no_ledger_row(make: Any) -> None:
    act, _ = counting(effect="read")
    crib = make(ALLOW, act)
    await crib.call("act", {"n": 1}, crib.principal("a"))
    assert crib.state.ledger() == []


async def test_a_quota_is_taken_by_calls_that_run_and_only_by_those(make: Any, log: Any) -> None:
    act, ran = counting()
    rows = (
        ALLOW
        + "\np, *, acme, local.act, write, r.ctx.args.n == 7, deny\np3, *, acme, local.act, 2/hour per user"
    )
    crib = make(rows, act)
    alice, bob = crib.principal("a", "alice"), crib.principal("a", "bob")
    assert (await crib.call("act", {"n": 7}, alice)).status == "denied"
    assert (await crib.call("act", {"n": "x"}, alice)).status == "invalid"
    statuses = [(await crib.call("act", {"n": n}, alice)).status for n in (1, 2, 3)]
    assert statuses == ["done", "done", "limited"]
    assert (await crib.call("act", {"n": 4}, bob)).status == "done"
    assert ran == [1, 2, 4]
    assert "p3" in log("refusal")[-1]["error"]


async def test_a_quota_is_never_oversold_by_calls_at_once(make: Any) -> None:
    act, ran = counting(effect="read")
    crib = make(ALLOW + "\np3, *, acme, local.act, 5/hour per agent", act)
    me = crib.principal("a")
    results = await asyncio.gather(*(crib.call("act", {"n": n}, me) for n in range(20)))
    assert sorted(result.status for result in results) == ["done"] * 5 + ["limited"] * 15
    assert len(ran) == 5


async def test_quota_and_ledger_row_are_given_back_when_the_intent_cannot_be_written(make: Any) -> None:
    act, ran = counting()
    crib: Crib = make(ALLOW + "\np3, *, acme, local.act, 1/hour per user", act)
    me = crib.principal("a", "alice")
    await crib.call("nothing", {}, me)  # opens everything
    folder = crib.config.state / "audit"
    backup = shutil.copytree(folder, folder.with_name("backup"))
    shutil.rmtree(folder)
    folder.write_text("a file where the folder was")
    refused = await crib.call("act", {"n": 1}, me, idempotency_key="k")
    assert refused.status == "unavailable"
    assert "audit" in refused.text
    assert ran == []
    assert crib.state.ledger() == []
    folder.unlink()
    empty = await crib.call("act", {"n": 1}, me, idempotency_key="k")
    assert (empty.status, ran) == ("unavailable", [])
    assert "Restore the audit folder" in empty.text
    shutil.move(backup, folder)
    assert (await crib.call("act", {"n": 1}, me, idempotency_key="k")).status == "done"
    assert ran == [1]


async def test_without_an_audit_log_nothing_runs_reads_included(make: Any) -> None:
    act, ran = counting(effect="read")
    crib: Crib = make(ALLOW, act)
    crib.config.state.mkdir()
    (crib.config.state / "audit").write_text("no folder")
    result = await crib.call("act", {"n": 1}, crib.principal("a"))
    assert (result.status, ran) == ("unavailable", [])


async def test_a_result_whose_outcome_cannot_be_signed_is_withheld(make: Any) -> None:
    crib: Crib = make(ALLOW)

    @tool(effect="read")
    async def saboteur() -> str:
        """Takes the log away while it runs."""
        folder = crib.config.state / "audit"
        shutil.rmtree(folder)
        folder.write_text("no folder")
        return "the result"

    crib.add(saboteur)
    result = await crib.call("saboteur", {}, crib.principal("a"))
    assert result.status == "unavailable"
    assert "the result" not in result.text
    assert result.value is None


async def test_without_a_policy_nothing_runs_and_the_error_says_what_to_do(make: Any) -> None:
    act, ran = counting(effect="read")
    crib: Crib = make("p, *, acme, local.*, *, True, Allow", act)
    result = await crib.call("act", {"n": 1}, crib.principal("a"))
    assert (result.status, ran) == ("unavailable", [])
    assert "policy.csv:1" in result.text
    assert "allow" in result.text


async def test_a_call_that_ended_unsettled_does_not_run_again_under_a_new_key(make: Any) -> None:
    ran: list[int] = []
    crib: Crib = make(ALLOW)
    backup = crib.config.state / "backup"

    @tool(effect="write")
    async def act(n: int) -> str:
        """Takes state and log away while it runs."""
        ran.append(n)
        if len(ran) == 1:
            shutil.move(crib.config.state / "audit", crib.config.state / "aside")
            shutil.copytree(crib.config.state / "aside", backup)
            shutil.rmtree(crib.config.state / "aside")
            (crib.config.state / "audit").write_text("no folder")
            crib.state.settle = broken  # type: ignore[method-assign]
        return "ok"

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise StateError("the disk is gone")

    crib.add(act)
    me = crib.principal("a", "alice")
    assert (await crib.call("act", {"n": 1}, me)).is_error
    (crib.config.state / "audit").unlink()
    shutil.move(backup, crib.config.state / "audit")
    again = await crib.call("act", {"n": 1}, me)
    assert (again.status, ran) == ("ambiguous", [1])
    assert "how could not be written down" in again.text
    await crib.call("act", {"n": 2}, me)
    assert ran == [1, 2]
