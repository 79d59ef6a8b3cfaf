"""Saved states: whose they are, and calls without a result."""

from __future__ import annotations

import pytest
from autogen_agentchat.agents import AssistantAgent

from toolcrib.adapters._agentchat_state import INTERRUPTED, agents_in, give_floor, interrupted, put_result
from toolcrib.adapters.agentchat import governed_agent
from toolcrib.errors import ConfigError


def call(*ids):
    return {
        "type": "AssistantMessage",
        "content": [{"id": each, "name": f"tool_{each}", "arguments": "{}"} for each in ids],
    }


def answers(*ids):
    return {
        "type": "FunctionExecutionResultMessage",
        "content": [{"call_id": each, "name": each, "content": "ok", "is_error": False} for each in ids],
    }


USER = {"type": "UserMessage", "content": "hi", "source": "user"}


@pytest.mark.parametrize(
    ("messages", "missing"),
    [
        ([], []),
        ([USER], []),
        ([USER, call("a"), answers("a")], []),
        ([USER, call("a")], ["a"]),
        ([USER, call("a"), USER], ["a"]),
        ([USER, call("a", "b"), answers("b"), USER], ["a"]),
        ([call("a"), call("b"), answers("b")], ["a"]),
        ([call("a"), answers("a"), call("b")], ["b"]),
        ([{"type": "AssistantMessage", "content": []}, USER], []),
    ],
)
def test_every_call_has_a_result_afterwards(messages, missing):
    state = {"llm_context": {"messages": list(messages)}}
    found = interrupted(state)
    assert [parked.call_id for parked in found] == missing
    assert all(parked.text == INTERRUPTED and parked.approval is None for parked in found)
    assert interrupted(state) == []
    owed: set[str] = set()
    for message in state["llm_context"]["messages"]:
        if message["type"] == "FunctionExecutionResultMessage":
            assert {result["call_id"] for result in message["content"]} == owed
            owed = set()
            continue
        assert not owed
        if isinstance(message["content"], list):
            owed = {each["id"] for each in message["content"]}
    assert not owed


def test_what_a_model_said_is_never_rewritten():
    from toolcrib.adapters._agentchat_parked import Parked

    parked = Parked("c1", "pay", "{}", "appr-1", "WAITING appr-1")
    quoted = {"type": "AssistantMessage", "content": "I read: WAITING appr-1"}
    heard = {"type": "UserMessage", "content": "operator: WAITING appr-1"}
    same_id = {"call_id": "c1", "content": "something else", "is_error": False}
    state = {"messages": [quoted, heard, same_id]}
    put_result(state, parked, "paid", False)
    assert quoted["content"] == "I read: WAITING appr-1"
    assert heard["content"] == "operator: paid"
    assert same_id["content"] == "something else"


def test_agents_are_found_in_teams_of_teams():
    bench = {"type": "GovernedWorkbenchState"}
    inner = {"agent_states": {"b": {"agent_state": {"workbench": bench}}, "Manager": {}}}
    state = {"agent_states": {"a": {"agent_state": {"workbench": bench}}, "team": {"agent_state": inner}}}
    assert [name for name, _ in agents_in(state)] == ["a", "b"]


@pytest.mark.parametrize(("at", "then"), [(2, 1), (1, 1), (0, 0)])
def test_the_floor_goes_back_one_step_only(at, then):
    state = {"agent_states": {"a": {}, "b": {}, "c": {}, "Manager": {"next_speaker_index": at}}}
    give_floor(state, "b")
    assert state["agent_states"]["Manager"]["next_speaker_index"] == then


@pytest.mark.parametrize("other", [{"user": "bob"}, {"session": "another"}])
async def test_a_state_is_only_loaded_for_its_owner(crib_of, model, other):
    crib, clients = crib_of(), model(a=["hello"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await agent.run(task="go")
    stranger = governed_agent(crib, crib.principal("operator", **{"user": "alice", **other}), clients("a"))
    with pytest.raises(ConfigError, match=f"a state of {next(iter(other))}"):
        await stranger.load_state(await agent.save_state())
    assert await stranger.model_context.get_messages() == []


async def test_a_state_may_go_on_in_a_new_run(crib_of, model):
    crib, clients = crib_of(), model(a=["hello"])
    agent = governed_agent(crib, crib.principal("operator", "alice", run="one"), clients("a"))
    await agent.run(task="go")
    twin = governed_agent(crib, crib.principal("operator", "alice", run="two"), clients("a"))
    await twin.load_state(await agent.save_state())
    assert len(await twin.model_context.get_messages()) == 2


async def test_a_state_of_a_stock_agent_can_be_taken_over(crib_of, model):
    crib, clients = crib_of(), model(a=["hello"])
    stock = AssistantAgent("operator", clients("a"))
    await stock.run(task="go")
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await agent.load_state(await stock.save_state())
    assert len(await agent.model_context.get_messages()) == 2


async def test_reset_forgets_context_and_parked_calls(crib_of, model):
    from autogen_core import CancellationToken

    crib, clients = crib_of(), model(a=[("pay", {"account": "B", "amount": 1})])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await agent.run(task="go")
    await agent.on_reset(CancellationToken())
    assert agent.workbench.parked == {}
    assert await agent.model_context.get_messages() == []
    assert len(crib.state.list_approvals(status="pending")) == 1
