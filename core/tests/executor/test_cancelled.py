"""A caller that goes away: recorded under a shield, then raised; what may have happened stays ambiguous."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from toolcrib import Crib, tool

ALLOW = "p, *, acme, local.*, *, True, allow\np3, *, acme, local.*, 1/hour per user"


@pytest.mark.parametrize(("effect", "status"), [("read", "cancelled"), ("write", "ambiguous")])
async def test_cancelled_while_the_tool_runs(make: Any, log: Any, effect: Any, status: str) -> None:
    started = asyncio.Event()

    @tool(effect=effect)
    async def hang() -> None:
        """Hang."""
        started.set()
        await asyncio.Event().wait()

    crib: Crib = make(ALLOW, hang)
    call = asyncio.ensure_future(crib.call("hang", {}, crib.principal("a", "alice")))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [(r["kind"], r.get("status")) for r in log()] == [("intent", None), ("outcome", status)]
    assert [row.status for row in crib.state.ledger()] == (["ambiguous"] if effect == "write" else [])


async def test_cancelled_at_every_await_nothing_is_half_done(make: Any, log: Any) -> None:
    """Cancel after 0, 1, 2, … turns of the loop, until a call comes through; each leaves a whole story."""
    ran: list[int] = []

    @tool(effect="write")
    async def act(n: int) -> str:
        """Act."""
        ran.append(n)
        return "ok"

    crib: Crib = make("p, *, acme, local.*, *, True, allow", act)
    me = crib.principal("a", "alice")
    await crib.call("nothing", {}, me)
    for turns in range(400):
        call = asyncio.ensure_future(crib.call("act", {"n": turns}, me))
        for _ in range(turns):
            await asyncio.sleep(0)
        if call.done():
            break
        call.cancel()
        await asyncio.wait({call})
    ledger = {row.call_id: row.status for row in crib.state.ledger(limit=1000)}
    intents = {r["id"]: r["call"] for r in log("intent")}
    outcomes = {r["id"]: r["status"] for r in log("outcome")}
    assert set(intents) == set(outcomes), "an intent without an outcome"
    assert set(ledger.values()) <= {"done", "ambiguous"}
    assert "intended" not in ledger.values()
    happened = [r for r in log("outcome") if r["status"] in ("done", "ambiguous")]
    assert len(ran) <= len(happened)
    assert set(ledger) == {r["call"] for r in happened}


async def test_a_cancelled_call_gives_its_quota_back_if_the_tool_never_started(make: Any) -> None:
    @tool(effect="write")
    async def act(n: int) -> str:
        """Act."""
        return "ok"

    crib: Crib = make(ALLOW, act)
    me = crib.principal("a", "alice")
    held = asyncio.Event()
    release = asyncio.Event()
    append = crib.executor._audit.append

    async def slow_append(record: Any) -> str:
        if record["kind"] == "intent":
            held.set()
            await release.wait()
        return await append(record)

    crib.executor._audit.append = slow_append  # type: ignore[method-assign]
    call = asyncio.ensure_future(crib.call("act", {"n": 1}, me))
    await held.wait()
    call.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    crib.executor._audit.append = append  # type: ignore[method-assign]
    assert crib.state.ledger() == []
    assert (await crib.call("act", {"n": 2}, me)).status == "done"
