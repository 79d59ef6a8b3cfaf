"""Settling parked calls within one process, and what must not be settled."""

from __future__ import annotations

import copy
import json
import time

import pytest
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat

from toolcrib.adapters.agentchat import governed_agent, pending_approval, settle_pending
from toolcrib.approvals import Answer
from toolcrib.errors import CallRefused, ConfigError
from toolcrib.state import State
from toolcrib.testing import Call

PAY = ("pay", {"account": "B", "amount": 7})


def yes(verdict="approve", **more):
    return Answer(verdict, "carol", time.time(), **more)


def approvals_of(agent):
    return [parked.approval for parked in agent.workbench.parked.values()]


async def parked_agent(crib, client, **options):
    agent = governed_agent(crib, crib.principal("operator", "alice"), client, **options)
    await agent.run(task="go")
    return agent


async def test_the_result_stands_as_that_of_the_original_call(crib_of, model):
    crib, clients = crib_of(), model(a=[PAY, "thank you"])
    agent = await parked_agent(crib, clients("a"))
    await crib.answer(approvals_of(agent)[0], yes())
    settled = await settle_pending(agent, crib)
    assert [result.status for result in settled.results] == ["done"]
    assert settled.waiting == ()
    assert (await agent.run()).messages[-1].content == "thank you"
    reply = clients.server.asked("a")[-1].tool_replies
    assert [each.content for each in reply] == ["paid 7 to B"]
    assert "WAITING" not in json.dumps(await agent.save_state())


async def test_a_saved_state_is_not_changed_in_place(crib_of, model):
    crib, clients = crib_of(), model(a=[PAY])
    agent = await parked_agent(crib, clients("a"))
    await crib.answer(approvals_of(agent)[0], yes())
    state = await agent.save_state()
    before = copy.deepcopy(state)
    settled = await settle_pending(state, crib)
    assert state == before
    assert settled.state["workbench"]["parked"] == []
    twin = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await twin.load_state(settled.state)
    assert twin.workbench.parked == {}


async def test_only_what_was_answered_is_settled(crib_of, model, world):
    both = [("pay", {"account": "B", "amount": 1}), ("pay", {"account": "C", "amount": 2})]
    crib, clients = crib_of(), model(a=[both])
    agent = await parked_agent(crib, clients("a"))
    first, second = approvals_of(agent)
    await crib.answer(second, yes())
    settled = await settle_pending(agent, crib)
    assert settled.waiting == (first,)
    assert world.did == [("pay", "C", 2)]
    assert approvals_of(agent) == [first]
    await crib.answer(first, yes("reject", note="no"))
    settled = await settle_pending(agent, crib)
    assert [result.status for result in settled.results] == ["rejected"]
    assert world.did == [("pay", "C", 2)]
    assert agent.workbench.parked == {}


async def test_settling_twice_runs_once(crib_of, model, world):
    crib, clients = crib_of(), model(a=[PAY])
    agent = await parked_agent(crib, clients("a"))
    state = await agent.save_state()
    await crib.answer(approvals_of(agent)[0], yes())
    first, second = await settle_pending(state, crib), await settle_pending(state, crib)
    assert first.state == second.state
    assert world.did == [("pay", "B", 7)]


async def test_sensitive_arguments_come_from_the_agents_own_context(crib_of, model, world, audited):
    crib, clients = crib_of(), model(a=[("wire", {"iban": "DE89370400440532013000", "amount": 5})])
    agent = await parked_agent(crib, clients("a"))
    (approval,) = approvals_of(agent)
    assert "DE89" not in json.dumps(dict(crib.state.get_approval(approval).arguments))
    await crib.answer(approval, yes())
    await settle_pending(agent, crib)
    assert world.did == [("wire", "DE89370400440532013000", 5)]
    assert "DE89" not in json.dumps(audited(crib))


async def test_sensitive_arguments_that_were_changed_meanwhile_are_refused(crib_of, model, world):
    crib, clients = crib_of(), model(a=[("wire", {"iban": "DE89370400440532013000", "amount": 5})])
    agent = await parked_agent(crib, clients("a"))
    await crib.answer(approvals_of(agent)[0], yes())
    state = copy.deepcopy(dict(await agent.save_state()))
    state["workbench"]["parked"][0]["arguments"] = '{"iban": "XX00", "amount": 5}'
    settled = await settle_pending(state, crib)
    assert settled.results[0].is_error if settled.results else settled.waiting
    assert world.did == []


async def test_a_policy_that_denies_meanwhile_wins(crib_of, model, world):
    crib, clients = crib_of(), model(a=[PAY])
    agent = await parked_agent(crib, clients("a"))
    await crib.answer(approvals_of(agent)[0], yes())
    policy = crib.config.policy / "policy.csv"
    policy.write_text(policy.read_text() + "p, user:alice, acme, local.pay, write, True, deny\n")
    crib.reload()
    settled = await settle_pending(agent, crib)
    assert [result.status for result in settled.results] == ["denied"]
    assert world.did == []


async def test_an_expired_approval_is_not_a_yes(crib_of, model, world):
    crib, clients = crib_of(), model(a=[PAY])
    now = [time.time()]
    crib.state = State.open(crib.config.state, clock=lambda: now[0])
    agent = await parked_agent(crib, clients("a"))
    now[0] += 7200
    settled = await settle_pending(agent, crib)
    assert [result.status for result in settled.results] == ["expired"]
    assert world.did == []


async def test_an_approval_of_another_call_is_refused(crib_of, model):
    crib, clients = crib_of(), model(a=[PAY], b=[PAY])
    agent, other = await parked_agent(crib, clients("a")), await parked_agent(crib, clients("b"))
    state = copy.deepcopy(dict(await agent.save_state()))
    state["workbench"]["parked"][0]["approval"] = approvals_of(other)[0]
    with pytest.raises(ConfigError, match="not for the call"):
        await settle_pending(state, crib)


async def test_an_approval_of_another_crib_is_unknown(crib_of, model):
    crib, clients = crib_of(), model(a=[PAY])
    agent = await parked_agent(crib, clients("a"))
    with pytest.raises(CallRefused, match="there is no approval"):
        await settle_pending(await agent.save_state(), crib_of(folder="other"))


async def test_ask_again_needs_the_team_itself(crib_of, model):
    crib, clients = crib_of(), model(a=[PAY])
    agent = await parked_agent(crib, clients("a"))
    with pytest.raises(ConfigError, match="never read from a file"):
        await settle_pending(await agent.save_state(), crib, ask_again=True)


async def test_ask_again_does_not_do_twice_what_was_done(crib_of, model, world):
    crib, clients = crib_of(), model(a=[Call("note", {"text": "x"}, id="call_1")])
    agent = await parked_agent(crib, clients("a"))
    state = copy.deepcopy(dict(await agent.save_state()))
    state["llm_context"]["messages"].pop()  # as if it had been saved while the tool ran
    twin = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await twin.load_state(state)
    assert [parked.approval for parked in twin.workbench.parked.values()] == [None]
    untouched = await settle_pending(twin, crib)
    assert (untouched.results, untouched.waiting) == ((), ())
    settled = await settle_pending(twin, crib, ask_again=True)
    assert [result.text for result in settled.results] == ["noted"]
    assert world.did == [("note", "x")]
    assert (await twin.model_context.get_messages())[-1].content[0].content == "noted"


async def test_ask_again_from_another_run_keeps_the_first_runs_key(crib_of, model, world):
    crib, clients = crib_of(), model(a=[("note", {"text": "x"})])
    agent = governed_agent(crib, crib.principal("operator", "alice", run="one"), clients("a"))
    await agent.run(task="go")
    state = copy.deepcopy(dict(await agent.save_state()))
    state["llm_context"]["messages"].pop()
    twin = governed_agent(crib, crib.principal("operator", "alice", run="two"), clients("a"))
    await twin.load_state(state)
    settled = await settle_pending(twin, crib, ask_again=True)
    assert [result.text for result in settled.results] == ["noted"]
    assert world.did == [("note", "x")]


async def test_a_parked_call_is_settled_from_another_run(crib_of, model, world):
    crib, clients = crib_of(), model(a=[PAY])
    agent = governed_agent(crib, crib.principal("operator", "alice", run="one"), clients("a"))
    await agent.run(task="go")
    await crib.answer(approvals_of(agent)[0], yes())
    twin = governed_agent(crib, crib.principal("operator", "alice", run="two"), clients("a"))
    await twin.load_state(await agent.save_state())
    assert [result.status for result in (await settle_pending(twin, crib)).results] == ["done"]
    assert world.did == [("pay", "B", 7)]


async def test_the_other_agents_hear_the_result_too(crib_of, model):
    crib = crib_of()
    clients = model(op=[PAY], an=["hello", lambda request: f"heard: {request.text}"])
    team = RoundRobinGroupChat(
        [
            governed_agent(crib, crib.principal("analyst", "alice"), clients("an")),
            governed_agent(crib, crib.principal("operator", "alice"), clients("op")),
        ],
        termination_condition=pending_approval() | MaxMessageTermination(10),
    )
    result = await team.run(task="go")
    assert "WAITING" in result.stop_reason
    (approval,) = crib.state.list_approvals()
    await crib.answer(approval.id, yes())
    settled = await settle_pending(team, crib)
    text = json.dumps(settled.state)
    assert "WAITING FOR APPROVAL" not in text
    assert text.count("paid 7 to B") >= 4  # context, message thread (event and summary), the analyst's buffer
    manager = settled.state["agent_states"]["RoundRobinGroupChatManager"]
    assert manager["next_speaker_index"] == 1


async def test_a_condition_is_only_met_by_a_parked_call(crib_of, model):
    crib, clients = crib_of(), model(a=[("lookup", {"account": "WAITING FOR APPROVAL: "}), PAY, PAY])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    condition = pending_approval()
    assert await condition((await agent.run(task="go")).messages) is None
    stop = await condition((await agent.run(task="go")).messages)
    assert condition.terminated
    assert approvals_of(agent)[0] in stop.content
    await condition.reset()
    assert not condition.terminated


async def test_without_ends_turn_the_model_goes_on(crib_of, model):
    crib, clients = crib_of(), model(a=[PAY, "meanwhile I do something else"])
    agent = await parked_agent(crib, clients("a"), ends_turn=False, max_tool_iterations=3)
    messages = await agent.model_context.get_messages()
    assert messages[-1].content == "meanwhile I do something else"
    assert len(agent.workbench.parked) == 1
