"""AutoGen's own tools, adopted by a crib."""

from __future__ import annotations

import asyncio
import threading

from autogen_core import CancellationToken
from autogen_core.tools import FunctionTool

from toolcrib.adapters.agentchat import GovernedWorkbench, governed_agent, run_function_tool

ALLOW = "p, *, acme, *, *, True, allow"


async def test_an_adopted_tool_is_offered_and_run_by_policy(crib_of, model, audited):
    async def add(a: int, b: int = 2) -> int:
        return a + b

    crib, clients = crib_of(ALLOW), model(a=[("add", {"a": 40}), ("add", {"a": "x"}), "done"])
    crib.adopt(FunctionTool(add, "Add two numbers."), effect="read")
    agent = governed_agent(crib, crib.principal("operator"), clients("a"), max_tool_iterations=3)
    await agent.run(task="go")
    replies = [reply.content for reply in clients.server.asked("a")[-1].tool_replies]
    assert replies[0] == "42"
    assert replies[1].startswith("INVALID ARGUMENTS: ")
    assert [record["kind"] for record in audited(crib)] == ["intent", "outcome", "refusal"]


async def test_an_adopted_tool_that_policy_forbids_does_not_run(crib_of):
    ran = []

    def drop(table: str) -> str:
        ran.append(table)
        return "dropped"

    crib = crib_of("p, *, acme, *, read, True, allow")
    crib.adopt(FunctionTool(drop, "Drop a table."), effect="destructive")
    bench = GovernedWorkbench(crib, crib.principal("operator"))
    assert (await bench.call_tool("drop", {"table": "t"})).to_text().startswith("DENIED")
    assert ran == []


async def test_cancelling_reaches_a_function_in_a_thread(crib_of):
    began, told = threading.Event(), threading.Event()

    def work(cancellation_token: CancellationToken) -> str:
        cancellation_token.add_callback(told.set)
        began.set()
        told.wait(30)
        return "stopped"

    crib = crib_of(ALLOW)
    crib.adopt(FunctionTool(work, "Work."), effect="read")
    bench, token = GovernedWorkbench(crib, crib.principal("operator")), CancellationToken()
    call = asyncio.create_task(bench.call_tool("work", {}, token))
    await asyncio.to_thread(began.wait, 30)
    token.cancel()
    assert (await call).to_text().startswith("CANCELLED: ")
    assert await asyncio.to_thread(told.wait, 30)


async def test_the_value_comes_back_as_it_is():
    def shout(text: str) -> dict[str, str]:
        return {"said": text.upper()}

    assert await run_function_tool(FunctionTool(shout, "Shout."), {"text": "hi"}) == {"said": "HI"}
