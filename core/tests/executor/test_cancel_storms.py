"""Cancellations that come late, twice, or while the log cannot be written: the story stays whole."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from toolcrib import Crib, tool
from toolcrib.errors import AuditError

ALLOW = "p, *, acme, local.*, *, True, allow"
WITH_QUOTA = ALLOW + "\np3, *, acme, local.*, 1/hour per user"


async def test_a_second_cancellation_does_not_interrupt_what_the_first_waits_for(make: Any, log: Any) -> None:
    @tool(effect="write")
    async def act() -> str:
        """Act."""
        return "ok"

    crib: Crib = make(WITH_QUOTA, act)
    reached, go_on = threading.Event(), threading.Event()
    commit = crib.state.commit

    def slow_commit(**given: Any) -> Any:
        reached.set()
        assert go_on.wait(10)
        return commit(**given)

    crib.state.commit = slow_commit  # type: ignore[method-assign]
    call = asyncio.ensure_future(crib.call("act", {}, crib.principal("a", "alice")))
    await asyncio.to_thread(reached.wait, 10)
    for _ in range(5):
        call.cancel()
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert crib.state.ledger() == []
    assert [(r["kind"], r.get("status")) for r in log()] == [("intent", None), ("outcome", "cancelled")]
    crib.state.commit = commit  # type: ignore[method-assign]
    assert (await crib.call("act", {}, crib.principal("a", "alice"))).status == "done"


@pytest.mark.parametrize("effect", ["read", "write"])
async def test_a_call_that_is_cancelled_while_its_outcome_is_signed_has_one_outcome(
    make: Any, log: Any, effect: Any
) -> None:
    @tool(effect=effect)
    async def act() -> str:
        """Act."""
        return "ok"

    crib: Crib = make(ALLOW, act)
    append = crib.executor._audit.append

    async def cancelling_append(record: Any) -> str:
        if record["kind"] == "outcome":
            call.cancel()
        return await append(record)

    crib.executor._audit.append = cancelling_append  # type: ignore[method-assign]
    call = asyncio.ensure_future(crib.call("act", {}, crib.principal("a", "alice")))
    with pytest.raises(asyncio.CancelledError):
        await call
    await crib.call("nothing", {}, crib.principal("a", "alice"))  # the log has written all before it
    assert [(r["kind"], r.get("status")) for r in log("intent", "outcome")] == [
        ("intent", None),
        ("outcome", "done"),
    ]


async def test_a_cancellation_stays_one_when_it_cannot_be_recorded(make: Any) -> None:
    started = asyncio.Event()

    @tool(effect="write")
    async def hang() -> None:
        """Hang."""
        started.set()
        await asyncio.Event().wait()

    crib: Crib = make(ALLOW, hang)
    call = asyncio.ensure_future(crib.call("hang", {}, crib.principal("a", "alice")))
    await started.wait()
    append = crib.executor._audit.append

    async def broken_append(record: Any) -> str:
        raise AuditError("the disk is full")

    crib.executor._audit.append = broken_append  # type: ignore[method-assign]
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    crib.executor._audit.append = append  # type: ignore[method-assign]
    assert [row.status for row in crib.state.ledger()] == ["ambiguous"]
    again = await crib.call("hang", {}, crib.principal("a", "alice"))
    assert again.status == "ambiguous", "what may have happened is not done again"
