"""The human as a member of a team."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pwd
import time

import pytest
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import HandoffMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat, Swarm
from autogen_core import CancellationToken

from toolcrib import Preview, Toolkit, tool
from toolcrib.adapters.agentchat import HumanProxyAgent, governed_agent
from toolcrib.approvals import Answer, TerminalChannel
from toolcrib.errors import ConfigError

PAY = ("pay", {"account": "B", "amount": 7})


def says(*lines):
    """An input function that says these lines, and keeps the prompts."""
    left, prompts = list(lines), []

    async def ask(prompt, token):
        prompts.append(prompt)
        if not left:
            raise EOFError
        return left.pop(0)

    ask.prompts = prompts
    return ask


def team_of(crib, clients, ask, *, approver="carol", **options):
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), max_tool_iterations=3)
    human = HumanProxyAgent("human", crib, [agent], approver=approver, input_func=ask, **options)
    stop = TextMentionTermination("TERMINATE", sources=["operator"]) | MaxMessageTermination(8)
    return RoundRobinGroupChat([agent, human], termination_condition=stop)


def said_by_human(result):
    return [m.to_text() for m in result.messages if m.source == "human"]


@pytest.mark.parametrize(
    ("line", "did", "heard"),
    [
        ("approve", [("pay", "B", 7)], "was approved by carol"),
        ("A", [("pay", "B", 7)], "was approved by carol"),
        ('edit {"amount": 3}', [("pay", "B", 3)], "was approved with changes by carol"),
        ("reject too much", [], "was rejected by carol"),
    ],
)
async def test_the_human_decides_and_the_agent_goes_on(crib_of, model, world, line, did, heard):
    crib, clients, ask = crib_of(), model(a=[PAY, "TERMINATE"]), says(line)
    result = await team_of(crib, clients, ask).run(task="go")
    assert world.did == did
    (said,) = said_by_human(result)
    assert said.startswith(f"local.pay {heard} (approval ")
    assert "local.pay" in ask.prompts[0]
    assert '"amount": 7' in ask.prompts[0] or "7" in ask.prompts[0]
    # The agent's model sees the outcome as the result of its own call, and hears the human say so.
    request = clients.server.asked("a")[-1]
    assert "WAITING" not in json.dumps(request.messages)
    assert request.text == said


async def test_what_was_typed_wrong_is_asked_again(crib_of, model, world):
    ask = says("maybe", 'edit {"amount": "lots"}', "edit nonsense", "edit [1]", 'edit {"amount": 2}')
    await team_of(crib_of(), model(a=[PAY, "TERMINATE"]), ask).run(task="go")
    assert world.did == [("pay", "B", 2)]
    assert "Please begin with" in ask.prompts[1]
    assert "amount" in ask.prompts[2]


@pytest.mark.parametrize("lines", [["skip"], []], ids=["skip", "end of input"])
async def test_no_answer_leaves_it_parked(crib_of, model, world, lines):
    crib, clients = crib_of(), model(a=[PAY, "TERMINATE"])
    result = await team_of(crib, clients, says(*lines)).run(task="go")
    assert "still waits" in said_by_human(result)[0]
    assert world.did == []
    assert len(crib.state.list_approvals(status="pending")) == 1


async def test_a_person_who_may_not_answer_changes_nothing(crib_of, model, world):
    crib, clients = crib_of(), model(a=[PAY, "TERMINATE"])
    result = await team_of(crib, clients, says("approve"), approver="alice").run(task="go")
    assert "'alice' may not answer" in said_by_human(result)[0]
    assert world.did == []
    assert len(crib.state.list_approvals(status="pending")) == 1


async def test_two_people_are_needed(crib_of, model, world):
    rows = """
        p, *, acme, *, *, True, allow
        p2, *, acme, local.pay, write, True, user:carol
        p2, *, acme, local.pay, write, True, user:dave
    """
    crib, clients = crib_of(rows), model(a=[PAY, "TERMINATE"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    people = [
        HumanProxyAgent(name, crib, [agent], approver=name, input_func=says("approve"))
        for name in ("carol", "dave")
    ]
    team = RoundRobinGroupChat([agent, *people], termination_condition=MaxMessageTermination(4))
    said = [m.to_text() for m in (await team.run(task="go")).messages]
    assert "it waits for another person" in said[-2]
    assert "was approved by dave" in said[-1]
    assert world.did == [("pay", "B", 7)]


async def test_it_was_answered_elsewhere(crib_of, model, world):
    crib, clients, ask = crib_of(), model(a=[PAY]), says()
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await agent.run(task="go")
    (approval,) = crib.state.list_approvals()
    await crib.answer(approval.id, Answer("approve", "carol", time.time()))
    human = HumanProxyAgent("human", crib, [agent], approver="carol", input_func=ask)
    result = await human.run(task=None)
    assert "local.pay was answered" in result.messages[-1].to_text()
    assert world.did == [("pay", "B", 7)]
    assert ask.prompts == []


async def test_with_nothing_parked_the_human_speaks(crib_of, model):
    crib = crib_of()
    human = HumanProxyAgent("human", crib, [], approver="carol", input_func=lambda prompt: f"hello: {prompt}")
    assert (await human.run(task="hi")).messages[-1].to_text() == "hello: Your reply > "
    silent = HumanProxyAgent("human", crib, [], approver="carol")
    assert (await silent.run(task="hi")).messages[-1].to_text() == "No call waits for approval."


async def test_a_swarm_hands_off_to_the_human_and_gets_the_floor_back(crib_of, model, world):
    steps = [[PAY, ("transfer_to_human", {})], "TERMINATE"]
    crib, clients = crib_of(), model(a=steps)
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), handoffs=["human"])
    human = HumanProxyAgent("human", crib, [agent], approver="carol", input_func=says("approve"))
    stop = TextMentionTermination("TERMINATE", sources=["operator"]) | MaxMessageTermination(8)
    result = await Swarm([agent, human], termination_condition=stop).run(task="go")
    back = [m for m in result.messages if isinstance(m, HandoffMessage) and m.source == "human"]
    assert [m.target for m in back] == ["operator"]
    assert "paid 7 to B" in back[0].content
    assert world.did == [("pay", "B", 7)]
    assert result.messages[-1].content == "TERMINATE"


async def test_what_would_change_is_shown_before_and_after(crib_of, model):
    class Deals(Toolkit):
        stage = "Proposal"

        @tool(effect="read")
        async def deal(self, id: str) -> dict[str, str]:
            """A deal."""
            return {"id": id, "stage": self.stage}

        @tool(effect="write", preview=Preview("deal", id="id"))
        async def set_stage(self, id: str, stage: str) -> str:
            """Set a deal's stage."""
            self.stage = stage
            return "set"

    deals = Deals()

    async def ask(prompt, token):
        prompts.append(prompt)
        if len(prompts) == 1:
            deals.stage = "Negotiation"  # somebody changes the record while the human reads
        return "approve"

    prompts: list[str] = []
    rows = "p, *, acme, *, *, True, allow\np2, *, acme, local.set_stage, write, True, user:carol"
    crib, clients = crib_of(rows), model(a=[("set_stage", {"id": "1", "stage": "Won"}), "TERMINATE"])
    crib.add(deals)
    result = await team_of(crib, clients, ask).run(task="go")
    assert "Proposal" in prompts[0]
    assert "Won" in prompts[0]
    assert "Negotiation" in prompts[1]  # the question was put again
    assert deals.stage == "Won"
    assert "was approved by carol" in said_by_human(result)[0]


async def test_cancelling_while_the_human_thinks(crib_of, model, world):
    asked = asyncio.Event()

    async def ask(prompt, token):
        asked.set()
        await asyncio.Event().wait()

    crib, clients = crib_of(), model(a=[PAY])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await agent.run(task="go")
    human, token = (
        HumanProxyAgent("human", crib, [agent], approver="carol", input_func=ask),
        CancellationToken(),
    )
    turn = asyncio.create_task(human.on_messages([TextMessage(content="x", source="user")], token))
    await asked.wait()
    token.cancel()
    assert (await turn).chat_message.to_text() == "The human was not heard to the end."
    assert len(crib.state.list_approvals(status="pending")) == 1


async def test_at_the_terminal(crib_of, model, world):
    crib, clients = crib_of(), model(a=[PAY])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    await agent.run(task="go")
    screen = io.StringIO()
    channel = TerminalChannel("carol", input=io.StringIO("a\n"), output=screen, width=80)
    human = HumanProxyAgent("human", crib, [agent], approver="carol", channel=channel)
    assert "was approved by carol" in (await human.run(task=None)).messages[-1].to_text()
    assert "local.pay" in screen.getvalue()


def test_the_person_is_the_mapped_operating_system_user(crib_of):
    me = pwd.getpwuid(os.getuid()).pw_name
    crib = crib_of(config=f'[approvals.users]\n{json.dumps(me)} = "carol"\n')
    assert HumanProxyAgent("human", crib, []).approver == "carol"
    with pytest.raises(ConfigError, match="nobody's user id"):
        HumanProxyAgent("human", crib_of(folder="other"), [])
