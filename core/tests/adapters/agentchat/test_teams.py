"""Group chats: streams with events, selectors, swarms."""

from __future__ import annotations

import asyncio
import time

from autogen_agentchat.base import TaskResult
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import BaseAgentEvent, ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat, Swarm

from toolcrib import Preview, Toolkit, tool
from toolcrib.adapters.agentchat import (
    MESSAGE_TYPES,
    ApprovalRequestedEvent,
    ToolProgressEvent,
    governed_agent,
    pending_approval,
    settle_pending,
)
from toolcrib.approvals import Answer

PAY = ("pay", {"account": "B", "amount": 7})


def stop(*names):
    return TextMentionTermination("TERMINATE") | MaxMessageTermination(20)


async def test_a_stream_shows_progress_and_approvals(crib_of, model, world):
    """In mode wait the event is how an application learns that it must answer."""
    crib = crib_of(mode="wait")
    clients = model(
        a=[[PAY, ("lookup", {"account": "A"}), ("wire", {"iban": "DE89", "amount": 1})], "TERMINATE"]
    )
    agent = governed_agent(
        crib, crib.principal("operator", "alice"), clients("a"), events=True, max_tool_iterations=3
    )
    team = RoundRobinGroupChat([agent], termination_condition=stop(), custom_message_types=MESSAGE_TYPES)
    events: list[BaseAgentEvent] = []
    async for item in team.run_stream(task="go"):
        if isinstance(item, ApprovalRequestedEvent | ToolProgressEvent):
            events.append(item)
        if isinstance(item, ApprovalRequestedEvent):
            await crib.answer(item.approval, Answer("approve", "carol", time.time()))
    assert ("looking", 0.5) in [(e.content, e.fraction) for e in events if isinstance(e, ToolProgressEvent)]
    asked = {e.tool: e.arguments for e in events if isinstance(e, ApprovalRequestedEvent)}
    assert asked == {"local.pay": PAY[1], "local.wire": {"amount": 1}}
    assert {did[0] for did in world.did} == {"pay", "lookup", "wire"}
    saved = await team.save_state()
    again = RoundRobinGroupChat(
        [governed_agent(crib, crib.principal("operator", "alice"), clients("a"))],
        termination_condition=stop(),
        custom_message_types=MESSAGE_TYPES,
    )
    await again.load_state(saved)


async def test_a_stream_shows_parked_calls_without_sensitive_arguments(crib_of, model):
    crib, clients = crib_of(), model(a=[[PAY, ("wire", {"iban": "DE89", "amount": 1})]])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), events=True)
    events = [item async for item in agent.run_stream(task="go") if isinstance(item, ApprovalRequestedEvent)]
    assert {e.tool: e.arguments for e in events} == {"local.pay": PAY[1], "local.wire": {"amount": 1}}
    assert {e.approval for e in events} == {each.id for each in crib.state.list_approvals()}
    assert all(e.approval in e.to_text() for e in events)


async def test_events_never_hold_the_record_as_it_stands(crib_of, model):
    """An agent may not see the preview; events end up in the saved team."""

    class Deals(Toolkit):
        @tool(effect="read")
        async def deal(self, id: str) -> dict[str, str]:
            """A deal."""
            return {"id": id, "stage": "TOP SECRET STAGE"}

        @tool(effect="write", preview=Preview("deal", id="id"))
        async def set_stage(self, id: str, stage: str) -> str:
            """Set a deal's stage."""
            return "set"

    rows = "p, *, acme, *, *, True, allow\np2, *, acme, local.set_stage, write, True, user:carol"
    crib, clients = crib_of(rows), model(a=[("set_stage", {"id": "1", "stage": "Won"})])
    crib.add(Deals())
    agent = governed_agent(crib, crib.principal("operator"), clients("a"), events=True)
    team = RoundRobinGroupChat(
        [agent], termination_condition=pending_approval(), custom_message_types=MESSAGE_TYPES
    )
    result = await team.run(task="go")
    assert any(isinstance(m, ApprovalRequestedEvent) for m in result.messages)
    assert "TOP SECRET" not in str(await team.save_state())
    assert "TOP SECRET" in str(crib.state.list_approvals()[0].before)


async def test_without_events_a_team_needs_no_message_types(crib_of, model):
    crib, clients = crib_of(), model(a=[[PAY, ("lookup", {"account": "A"})], "TERMINATE"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(2))
    assert isinstance(await team.run(task="go"), TaskResult)


async def test_a_selector_team(crib_of, model, world):
    """The selector's model chooses; each agent acts under its own name."""
    crib = crib_of()
    clients = model(
        chooser=["analyst", "operator"],
        an=[("lookup", {"account": "A"})],
        op=[("note", {"text": "A has 100"}), "TERMINATE"],
    )
    agents = [
        governed_agent(crib, crib.principal("analyst", "alice"), clients("an")),
        governed_agent(crib, crib.principal("operator", "alice"), clients("op"), max_tool_iterations=2),
    ]
    team = SelectorGroupChat(agents, clients("chooser"), termination_condition=stop())
    await team.run(task="look A up, and note it")
    assert world.did == [("lookup", "A", "alice"), ("note", "A has 100")]


async def test_a_parked_selector_team_goes_on(crib_of, model, world):
    crib = crib_of()
    clients = model(op=[PAY, "TERMINATE: paid"], an=["hello"])

    def build():
        agents = [
            governed_agent(crib, crib.principal("analyst", "alice"), clients("an")),
            governed_agent(crib, crib.principal("operator", "alice"), clients("op")),
        ]
        return SelectorGroupChat(
            agents,
            clients("op"),
            termination_condition=pending_approval() | stop(),
            selector_func=lambda thread: "operator",
        )

    team = build()
    await team.run(task="go")
    (approval,) = crib.state.list_approvals()
    await crib.answer(approval.id, Answer("approve", "carol", time.time()))
    again = build()
    await again.load_state((await settle_pending(await team.save_state(), crib)).state)
    assert (await again.run()).messages[-1].to_text() == "TERMINATE: paid"
    assert clients.server.asked("op")[-1].reply_of("pay").content == "paid 7 to B"


async def test_a_swarm_with_handoffs(crib_of, model, world):
    crib = crib_of()
    clients = model(
        an=[[("lookup", {"account": "A"}), ("transfer_to_operator", {})]],
        op=[("note", {"text": "noted"}), "TERMINATE"],
    )
    agents = [
        governed_agent(crib, crib.principal("analyst", "alice"), clients("an"), handoffs=["operator"]),
        governed_agent(crib, crib.principal("operator", "alice"), clients("op"), handoffs=["analyst"]),
    ]
    result = await Swarm(agents, termination_condition=stop()).run(task="go")
    assert world.did == [("lookup", "A", "alice"), ("note", "noted")]
    assert result.messages[-1].to_text() == "TERMINATE"
    # The handoff carries what the analyst found, and the real API takes the conversation.
    assert "A has 100" in [reply.content for reply in clients.server.asked("op")[0].tool_replies]


async def test_a_parked_swarm_goes_on_with_who_spoke(crib_of, model):
    crib, clients = crib_of(), model(op=[PAY, "TERMINATE"], an=[])
    agents = [
        governed_agent(crib, crib.principal("operator", "alice"), clients("op"), handoffs=["analyst"]),
        governed_agent(crib, crib.principal("analyst", "alice"), clients("an"), handoffs=["operator"]),
    ]
    team = Swarm(agents, termination_condition=pending_approval() | stop())
    await team.run(task="go")
    (approval,) = crib.state.list_approvals()
    await crib.answer(approval.id, Answer("approve", "carol", time.time()))
    await settle_pending(team, crib)
    assert (await team.run()).messages[-1].to_text() == "TERMINATE"


async def test_a_team_in_a_team_is_settled(crib_of, model, world):
    crib, clients = crib_of(), model(op=[PAY], an=["hello"])
    operator = governed_agent(crib, crib.principal("operator", "alice"), clients("op"))
    inner = RoundRobinGroupChat([operator], name="inner", termination_condition=pending_approval())
    analyst = governed_agent(crib, crib.principal("analyst", "alice"), clients("an"))
    outer = RoundRobinGroupChat([inner, analyst], termination_condition=pending_approval() | stop())
    await outer.run(task="go")
    (approval,) = crib.state.list_approvals()
    await crib.answer(approval.id, Answer("approve", "carol", time.time()))
    settled = await settle_pending(outer, crib)
    assert [result.status for result in settled.results] == ["done"]
    assert operator.workbench.parked == {}
    assert world.did == [("pay", "B", 7)]


async def test_a_streaming_model(crib_of, model, world):
    crib, clients = crib_of(), model(a=[("lookup", {"account": "A"}), "it has 100"])
    agent = governed_agent(
        crib,
        crib.principal("operator", "alice"),
        clients("a"),
        model_client_stream=True,
        max_tool_iterations=2,
    )
    items = [item async for item in agent.run_stream(task="go")]
    assert any(isinstance(item, ToolCallExecutionEvent) for item in items)
    assert items[-1].messages[-1].content == "it has 100"


async def test_reflection_sees_the_result(crib_of, model):
    crib, clients = crib_of(), model(a=[("lookup", {"account": "A"}), "on reflection, 100"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), reflect_on_tool_use=True)
    assert (await agent.run(task="go")).messages[-1].content == "on reflection, 100"


async def test_a_stream_that_is_left_early_cancels_its_calls(crib_of, model, audited):
    @tool(effect="read")
    async def hang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    crib, clients = (
        crib_of("p, *, acme, *, *, True, allow"),
        model(a=[[("hang", {}), ("lookup", {"account": "A"})]]),
    )
    crib.add(hang)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"), events=True)
    stream = agent.run_stream(task="go")
    async for item in stream:
        if isinstance(item, ToolProgressEvent):
            break
    await stream.aclose()
    await asyncio.sleep(0)
    await agent.workbench.quiet()
    ends = {record["tool"]: record["status"] for record in audited(crib) if record["kind"] == "outcome"}
    assert ends["local.hang"] == "cancelled"
