"""Small tricks that must not work: other spellings, other sessions, other moments."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from toolcrib import Crib, ToolCall, tool
from toolcrib.approvals import Answer

ALLOW = "p, *, acme, local.*, *, True, allow"


@tool(effect="read")
async def page(number: int, size: int = 10) -> int:
    """Read a page."""
    return number


SPELLINGS = [
    {"number": 7},
    {"number": "7"},
    {"number": "007"},
    {"number": 7.0},
    {"number": " 7"},
    {"number": 7, "size": 10},
    {"number": "0007", "size": "010"},
]


async def test_the_loop_guard_counts_what_is_asked_not_how_it_is_spelt(make: Any) -> None:
    crib = make(ALLOW, page)
    me = crib.principal("a", "alice")
    found = [(await crib.call("page", arguments, me)).status for arguments in SPELLINGS]
    assert found == ["done"] * 5 + ["stopped"] * 2
    assert (await crib.call("page", {"number": 8}, me)).status == "done"


@pytest.mark.parametrize(("agent", "named"), [("clerk", False), ("admin", True)])
async def test_a_slip_in_a_name_tells_only_of_tools_that_were_offered(
    make: Any, agent: str, named: bool
) -> None:
    @tool(effect="destructive")
    async def erase_everything() -> None:
        """Erase."""

    rows = ALLOW.replace("*, acme", "user:alice, acme", 1)
    rows += (
        "\np, agent:clerk, acme, local.page, *, True, allow\np, agent:admin, acme, local.*, *, True, allow"
    )
    crib = make(rows, page, erase_everything)
    result = await crib.call("erase_everythin", {}, crib.principal(agent, "alice"))
    assert result.status == "unknown"
    assert ("Did you mean 'erase_everything'?" in result.text) is named


async def test_a_recalled_result_brings_its_labels_into_the_session_that_gets_it(make: Any) -> None:
    @tool(effect="write", labels={"confidential"})
    async def order() -> str:
        """Order."""
        return "the price list"

    @tool(effect="send")
    async def send(text: str) -> str:
        """Send."""
        return "sent"

    crib = make(ALLOW + '\np, *, acme, local.send, send, "confidential" in r.ctx.labels, deny', order, send)
    here = crib.principal("a", "alice", session="here")
    there = crib.principal("a", "alice", session="there")
    assert (await crib.call("order", {}, here, idempotency_key="k")).status == "done"
    assert (await crib.call("send", {"text": "x"}, there)).status == "done"
    again = await crib.call("order", {}, there, idempotency_key="k")
    assert (again.value, again.labels) == ("the price list", {"confidential"})
    assert (await crib.call("send", {"text": "the price list"}, there)).status == "denied"


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_tool_that_was_taken_out_while_its_call_waited_does_not_run(
    make: Any, log: Any, replaced: bool
) -> None:
    ran: list[str] = []

    @tool(effect="write", name="act")
    async def old(n: int) -> str:
        """Act."""
        ran.append("old")
        return "ok"

    @tool(effect="write", name="act")
    async def new(n: int, also: str = "") -> str:
        """Act otherwise."""
        ran.append("new")
        return "ok"

    crib: Crib = make(ALLOW + "\np2, *, acme, local.*, *, True, user:boss", old)
    asked: asyncio.Queue[Any] = asyncio.Queue()
    call = ToolCall("local.act", {"n": 1}, crib.principal("a", "alice"))
    waiting = asyncio.ensure_future(crib.execute(call, watch=asked.put_nowait))
    approval = await asked.get()
    crib.remove("act")
    if replaced:
        crib.add(new)
    await crib.answer(approval.id, Answer("approve", "boss", time.time()))
    result = await waiting
    assert (result.status, ran) == ("unknown", [])
    assert log("refusal")[-1]["status"] == "unknown"
    assert crib.state.get_approval(approval.id).status == "superseded"
