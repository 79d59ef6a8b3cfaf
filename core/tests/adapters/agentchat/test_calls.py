"""One call by way of the workbench and the agent: results, refusals, reasons."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_core import CancellationToken

from toolcrib import CallContext, tool
from toolcrib.adapters.agentchat import GovernedWorkbench, governed_agent
from toolcrib.testing import Call, Say


def results(task_result):
    return [
        result for m in task_result.messages if isinstance(m, ToolCallExecutionEvent) for result in m.content
    ]


async def test_a_call_runs_under_the_models_call_id(crib_of, model, audited, world):
    crib, clients = crib_of(), model(a=[Call("lookup", {"account": "A"}, id="call_7"), "done"])
    principal = crib.principal("operator", "alice", session="s1", run="r1")
    agent = governed_agent(
        crib, principal, clients("a"), max_tool_iterations=2, model="gpt-x", prompt_version="v3"
    )
    result = await agent.run(task="go")
    assert [r.content for r in results(result)] == ["A has 100"]
    assert result.messages[-1].content == "done"
    assert world.did == [("lookup", "A", "alice")]
    intent, outcome = audited(crib)
    assert (intent["call"], intent["tool"], intent["run"]) == ("call_7", "local.lookup", "r1")
    assert (intent["model"], intent["prompt_version"]) == ("gpt-x", "v3")
    assert outcome["status"] == "done"


async def test_what_the_model_says_with_its_call_is_the_reason(crib_of, model, audited):
    first = Say("Let me look at A first.", calls=(Call("lookup", {"account": "A"}),))
    then = Say("And at B.", calls=(Call("lookup", {"account": "B"}),))
    crib, clients = crib_of(), model(a=[first, then, Call("lookup", {"account": "C"}), "done"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), max_tool_iterations=5)
    await agent.run(task="go")
    reasons = [record.get("reason") for record in audited(crib) if record["kind"] == "intent"]
    assert reasons == ["Let me look at A first.", "And at B.", None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"account": ', "not JSON"),
        ("[1]", "an object was expected, not list"),
        ('{"account": NaN}', "account is nan, which is not a JSON number"),
        ('{"acount": "A"}', "'account' is missing"),
        ("", "'account' is missing"),
    ],
)
async def test_wrong_arguments_are_explained_and_recorded(crib_of, model, audited, world, arguments, said):
    crib, clients = crib_of(), model(a=[Call("lookup", arguments), "sorry"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), max_tool_iterations=2)
    (result,) = results(await agent.run(task="go"))
    assert result.is_error
    assert result.content.startswith("INVALID ARGUMENTS: ")
    assert said in result.content
    assert world.did == []
    (record,) = audited(crib)
    assert (record["kind"], record["status"], record["agent"]) == ("refusal", "invalid", "operator")


async def test_a_denial_says_that_asking_again_will_not_help(crib_of, audited):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("operator", "bob"))
    result = await bench.call_tool("pay", {"account": "B", "amount": 1}, None, "c1")
    assert result.is_error
    assert "DENIED" in result.to_text()
    assert "Asking again will not help" in result.to_text()
    assert [record["status"] for record in audited(crib)] == ["denied"]


async def test_a_source_that_fails_is_a_result(crib_of):
    class Broken:
        def tools_for(self, principal):
            return []

        async def execute(self, call, *, watch=None):
            raise ConnectionError("secret detail of the wire")

    crib = crib_of()
    bench = GovernedWorkbench(Broken(), crib.principal("operator", "alice"))
    result = await bench.call_tool("lookup", {"account": "A"})
    assert result.is_error
    assert result.to_text().startswith("UNAVAILABLE: lookup could not be called (ConnectionError)")
    assert "secret detail" not in result.to_text()


async def test_progress_of_a_sync_tool_comes_from_its_thread(crib_of):
    @tool(effect="read")
    def count(ctx: CallContext) -> int:
        """Count."""
        ctx.progress("one", 0.5)
        return 1

    crib = crib_of("p, *, acme, *, read, True, allow")
    crib.add(count)
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"), events=True)
    items = [item async for item in bench.call_tool_stream("count", {}, None, "c1")]
    assert [type(item).__name__ for item in items] == ["ToolProgressEvent", "ToolResult"]
    assert (items[0].content, items[0].fraction, items[0].call_id) == ("one", 0.5, "c1")


async def test_a_token_that_was_cancelled_before_lets_no_write_happen(crib_of, audited, world):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    token = CancellationToken()
    token.cancel()
    result = await bench.call_tool("note", {"text": "x"}, token, "c1")
    assert result.to_text().startswith("CANCELLED: ")
    assert world.did == []
    assert [record["status"] for record in audited(crib)] == ["cancelled"]


async def test_a_tool_that_swallows_its_cancellation_is_left_behind(crib_of):
    began, end = asyncio.Event(), asyncio.Event()

    @tool(effect="read")
    async def stubborn() -> str:
        """Never give up."""
        while not end.is_set():
            began.set()
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()
        return ""

    crib = crib_of("p, *, acme, *, read, True, allow")
    crib.add(stubborn)
    bench, token = GovernedWorkbench(crib, crib.principal("operator", "alice")), CancellationToken()
    bench.grace = 0.0
    call = asyncio.create_task(bench.call_tool("stubborn", {}, token, "c1"))
    await began.wait()
    token.cancel()
    assert (await call).to_text().startswith("CANCELLED: ")
    end.set()
    bench.grace = 30.0
    await bench.quiet()


async def test_a_token_may_be_cancelled_from_another_thread(crib_of):
    began = asyncio.Event()

    @tool(effect="read")
    async def hang() -> str:
        """Hang."""
        began.set()
        await asyncio.Event().wait()
        return ""

    crib = crib_of("p, *, acme, *, read, True, allow")
    crib.add(hang)
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    token = CancellationToken()
    call = asyncio.create_task(bench.call_tool("hang", {}, token, "c1"))
    await began.wait()
    await asyncio.to_thread(token.cancel)
    assert (await call).to_text().startswith("CANCELLED: ")
    token.cancel()  # harmless when everything is over
