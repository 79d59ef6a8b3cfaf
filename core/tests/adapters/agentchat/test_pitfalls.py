"""What goes wrong with AutoGen's own agents, a test for each; numbered as in the project's notes."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import HandoffMessage, ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken, SingleThreadedAgentRuntime
from autogen_core.tool_agent import ToolException

from toolcrib import tool
from toolcrib.adapters.agentchat import GovernedWorkbench, governed_agent
from toolcrib.testing import Call

ALLOW = "p, *, acme, *, *, True, allow"


def results(task_result):
    return [
        result for m in task_result.messages if isinstance(m, ToolCallExecutionEvent) for result in m.content
    ]


def hanging(crib, effect="read"):
    """A tool that never returns, and the event that it sets when it begins."""
    began = asyncio.Event()

    @tool(effect=effect)
    async def hang() -> str:
        """Hang."""
        began.set()
        await asyncio.Event().wait()
        return ""

    crib.add(hang)
    return began


# --- 1: an exception that leaves a tool call hangs the agent, and so does a cancellation


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        asyncio.CancelledError(),
        ToolException(call_id="c", content="no", name="bad"),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_pitfall_1_an_exception_of_a_tool_is_a_result(crib_of, model, audited, error):
    @tool(effect="read")
    async def bad() -> str:
        """Fail."""
        raise error

    crib, clients = crib_of(ALLOW), model(a=[("bad", {}), "I see"])
    crib.add(bad)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"), max_tool_iterations=2)
    result = await asyncio.wait_for(agent.run(task="go"), 20)
    (executed,) = results(result)
    assert executed.is_error
    assert executed.content.startswith("FAILED: ")
    assert result.messages[-1].content == "I see"
    assert [r["status"] for r in audited(crib) if r["kind"] == "outcome"] == ["failed"]


async def test_pitfall_1_an_exception_of_the_crib_is_a_result(crib_of, model):
    crib, clients = crib_of(), model(a=[("lookup", {"account": "A"}), "I see"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), max_tool_iterations=2)

    class Broken:
        tools_for = crib.tools_for

        async def execute(self, call, *, watch=None):
            raise ConnectionError

    agent.workbench.source = Broken()
    result = await asyncio.wait_for(agent.run(task="go"), 20)
    assert results(result)[0].content.startswith("UNAVAILABLE: ")


async def test_pitfall_1_a_cancelled_call_ends_the_run(crib_of, model, audited):
    crib, clients = crib_of(ALLOW), model(a=[("hang", {})])
    began, token = hanging(crib, "write"), CancellationToken()
    agent = governed_agent(crib, crib.principal("operator"), clients("a"))
    run = asyncio.create_task(agent.run(task="go", cancellation_token=token))
    await began.wait()
    token.cancel()
    result = await asyncio.wait_for(run, 20)
    assert results(result)[0].content.startswith("CANCELLED: ")
    assert audited(crib)[-1]["status"] == "ambiguous"  # it had begun, and it writes


async def test_pitfall_1_a_handoff_that_fails_is_a_result(crib_of, model):
    crib, clients = crib_of(), model(a=[Call("transfer_to_boss", "[1]"), "no"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), handoffs=["boss"])
    result = await asyncio.wait_for(agent.run(task="go"), 20)
    assert isinstance(result.messages[-1], HandoffMessage)
    assert results(result)[0].is_error


# --- 2: tools that are not in list_tools never reach a workbench; handoffs bypass it


@pytest.mark.parametrize(("name", "status"), [("pay", "denied"), ("no_such_tool", "unknown")])
async def test_pitfall_2_what_was_not_offered_is_audited(crib_of, model, audited, world, name, status):
    crib, clients = crib_of(), model(a=[(name, {"account": "B", "amount": 1}), "I see"])
    agent = governed_agent(crib, crib.principal("analyst", "alice"), clients("a"), max_tool_iterations=2)
    (result,) = results(await agent.run(task="go"))
    assert result.is_error
    assert "not found in any workbench" not in result.content
    (record,) = audited(crib)
    assert (record["status"], record["agent"], record["user"]) == (status, "analyst", "alice")
    assert world.did == []


async def test_pitfall_2_handoffs_still_work(crib_of, model):
    step = [("lookup", {"account": "A"}), ("transfer_to_boss", {})]
    crib, clients = crib_of(), model(a=[step])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), handoffs=["boss"])
    message = (await agent.run(task="go")).messages[-1]
    assert isinstance(message, HandoffMessage)
    assert message.target == "boss"
    assert message.context[-1].content[0].content == "A has 100"


# --- 3: a runtime that was started earlier has the context variables of its start


async def test_pitfall_3_two_principals_share_a_runtime_that_started_earlier(crib_of, model, audited, world):
    user = contextvars.ContextVar("user", default="nobody")
    user.set("whoever booted it")
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    user.set("alice")
    crib, clients = crib_of(), model(a=lambda request: ("lookup", {"account": "A"}))
    teams = [
        RoundRobinGroupChat(
            [governed_agent(crib, crib.principal("operator", user, session=user), clients("a"))],
            termination_condition=MaxMessageTermination(2),
            runtime=runtime,
        )
        for user in ("alice", "bob")
    ]
    await asyncio.gather(*(team.run(task="go") for team in teams))
    await runtime.stop()
    assert sorted(did[2] for did in world.did) == ["alice", "bob"]
    intents = [record for record in audited(crib) if record["kind"] == "intent"]
    assert sorted((r["user"], r["session"]) for r in intents) == [("alice", "alice"), ("bob", "bob")]


# --- 4: intervention handlers never see tool calls, so they are no place for policy


async def test_pitfall_4_governed_without_an_intervention_handler(crib_of, model, audited):
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[])
    runtime.start()
    crib, clients = crib_of(), model(a=[("pay", {"account": "B", "amount": 1})])
    agent = governed_agent(crib, crib.principal("analyst", "alice"), clients("a"))
    team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2), runtime=runtime)
    await team.run(task="go")
    await runtime.stop()
    assert [record["status"] for record in audited(crib)] == ["denied"]


# --- 5: save_state leaves the workbench out; saving in mid-tool leaves a call without a result


async def test_pitfall_5_the_workbench_is_part_of_the_state(crib_of, model):
    crib, clients = crib_of(), model(a=[("pay", {"account": "B", "amount": 1})])
    principal = crib.principal("operator", "alice")
    agent = governed_agent(crib, principal, clients("a"))
    await agent.run(task="go")
    twin = governed_agent(crib, principal, clients("a"))
    await twin.load_state(await agent.save_state())
    assert twin.workbench.parked == agent.workbench.parked != {}


async def test_pitfall_5_a_state_saved_in_mid_tool_can_go_on(crib_of, model):
    crib = crib_of(ALLOW)
    clients = model(a=[[("hang", {}), ("lookup", {"account": "A"})]], b=["so it was interrupted"])
    began = hanging(crib)
    principal = crib.principal("operator", "alice")
    agent = governed_agent(crib, principal, clients("a"))
    run = asyncio.create_task(agent.run(task="go"))
    await began.wait()
    state = await agent.save_state()
    run.cancel()
    await asyncio.wait({run})
    twin = governed_agent(crib, principal, clients("b"))
    await twin.load_state(state)
    result = await twin.run(task="and now?")  # the server refuses calls without results, as OpenAI does
    assert result.messages[-1].content == "so it was interrupted"
    replies = clients.server.asked("b")[0].tool_replies
    assert [reply.name for reply in replies] == ["hang", "lookup"]
    assert all(reply.content.startswith("INTERRUPTED: ") for reply in replies)


async def test_pitfall_5_an_agent_whose_turn_was_cancelled_can_go_on(crib_of, model):
    crib, clients = crib_of(ALLOW), model(a=[("hang", {}), "fine"])
    began = hanging(crib)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"))
    run = asyncio.create_task(agent.run(task="go"))
    await began.wait()
    run.cancel()
    await asyncio.wait({run})
    assert (await agent.run(task="again")).messages[-1].content == "fine"


# --- 6: parallel calls run at once


async def test_pitfall_6_parallel_calls_with_approvals_in_one_step(crib_of, model, world):
    steps = [("pay", {"account": name, "amount": 1}) for name in "ABC"] + [("lookup", {"account": "A"})]
    crib, clients = crib_of(), model(a=[steps])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    executed = results(await agent.run(task="go"))
    assert [result.content[:7] for result in executed] == ["WAITING"] * 3 + ["A has 1"]
    assert len({parked.approval for parked in agent.workbench.parked.values()}) == 3
    assert world.did == [("lookup", "A", "alice")]


# --- 7: schemas are built again at every call


async def test_pitfall_7_schemas_are_built_once(crib_of, model):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    first, second = await bench.list_tools(), await bench.list_tools()
    assert all(one is other for one, other in zip(first, second, strict=True))
    crib.remove("local.note")
    third = await bench.list_tools()
    assert len(third) == len(first) - 1


# 8, the event logger, has a file of its own: test_logs.py


# --- 9: ToolOverride(name=) fails in AutoGen's streaming workbench; wire names are ours


async def test_pitfall_9_a_tool_is_called_by_its_wire_name_also_when_streaming(crib_of):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    await bench.list_tools()
    items = [item async for item in bench.call_tool_stream("lookup", {"account": "A"}, None, "c1")]
    assert [item.to_text() for item in items] == ["A has 100"]


async def test_nothing_is_left_running(crib_of, model):
    crib, clients = crib_of(ALLOW), model(a=[("hang", {})])
    began = hanging(crib)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"))
    run = asyncio.create_task(agent.run(task="go"))
    await began.wait()
    run.cancel()
    await asyncio.wait({run})
    gc.collect()
    await agent.workbench.quiet()
    assert agent.workbench._running == set()
