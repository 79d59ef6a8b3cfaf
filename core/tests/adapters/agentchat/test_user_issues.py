"""What users of AutoGen have asked for, one test for each, named after the issue of microsoft/autogen."""

from __future__ import annotations

import asyncio
import json
import time

from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken

from toolcrib import CallContext, tool
from toolcrib.adapters.agentchat import GovernedWorkbench, governed_agent, pending_approval, settle_pending
from toolcrib.approvals import Answer
from toolcrib.errors import Temporary

ALLOW = "p, *, acme, *, *, True, allow"
PAY = ("pay", {"account": "B", "amount": 7})


def results(task_result):
    return [
        result for m in task_result.messages if isinstance(m, ToolCallExecutionEvent) for result in m.content
    ]


class Asked:
    """A channel that answers at once, and keeps what it was asked."""

    approver = "carol"

    def __init__(self, verdict, **more):
        self.verdict, self.more, self.reviews = verdict, more, []

    async def ask(self, review):
        self.reviews.append(review)
        return Answer(self.verdict, "carol", time.time(), **self.more)


async def test_4894_approval_before_tools(crib_of, model, world):
    """A human approves, edits or rejects before the tool runs, not after."""
    outcomes = {}
    for verdict, more in {
        "approve": {},
        "edit": {"edit": {"account": "C", "amount": 3}},
        "reject": {"note": "too much"},
    }.items():
        channel = Asked(verdict, **more)
        crib = crib_of(mode="wait", channels=[channel], folder=verdict)
        agent = governed_agent(crib, crib.principal("operator", "alice"), model(a=[PAY])("a"))
        (result,) = results(await agent.run(task="go"))
        outcomes[verdict] = result.content
        assert len(channel.reviews) == 1
        assert dict(channel.reviews[0].approval.shown) == PAY[1]
    assert outcomes["approve"] == "paid 7 to B"
    assert outcomes["edit"].startswith("paid 3 to C\n[a human changed the arguments")
    assert outcomes["reject"].startswith("REJECTED BY A HUMAN: ")
    assert "too much" in outcomes["reject"]
    assert world.did == [("pay", "B", 7), ("pay", "C", 3)]


async def test_7956_cancel_deadlock(crib_of, model, audited):
    """Cancelling a team in the middle of a tool call, or of an approval, ends its run."""
    asked = asyncio.Event()

    class Silent:
        approver = "carol"

        async def ask(self, review):
            asked.set()
            await asyncio.Event().wait()

    crib, clients = crib_of(mode="wait", channels=[Silent()]), model(a=[PAY])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(3))
    token = CancellationToken()
    run = asyncio.create_task(team.run(task="go", cancellation_token=token))
    await asked.wait()
    token.cancel()
    await asyncio.wait({run}, timeout=30)
    assert run.done()
    await agent.workbench.quiet()
    assert audited(crib)[-1]["status"] == "cancelled"
    messages = (await agent.save_state())["llm_context"]["messages"]
    assert messages[-1]["type"] == "FunctionExecutionResultMessage"  # so it can go on


async def test_7956_cancel_by_timeout(crib_of, model, audited):
    """A timeout around the run reaches the tool."""
    began = asyncio.Event()

    @tool(effect="write")
    async def hang() -> str:
        """Hang."""
        began.set()
        await asyncio.Event().wait()
        return ""

    crib, clients = crib_of(ALLOW), model(a=[("hang", {})])
    crib.add(hang)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"))
    run = asyncio.create_task(agent.run(task="go"))
    await began.wait()
    run.cancel()
    await asyncio.wait({run})
    assert run.cancelled()
    assert audited(crib)[-1]["status"] == "ambiguous"  # recorded before the run was given back


async def test_4399_another_agents_tool(crib_of, model, world, audited):
    """An agent that names a tool of its neighbour does not get it run."""
    crib = crib_of()
    clients = model(an=[("note", {"text": "I am the operator"})], op=[("note", {"text": "mine"})])
    team = RoundRobinGroupChat(
        [
            governed_agent(crib, crib.principal("analyst", "alice"), clients("an")),
            governed_agent(crib, crib.principal("operator", "alice"), clients("op")),
        ],
        termination_condition=MaxMessageTermination(3),
    )
    await team.run(task="go")
    assert world.did == [("note", "mine")]
    refused = audited(crib)[0]
    assert (refused["agent"], refused["tool"], refused["status"]) == ("analyst", "local.note", "denied")


async def test_7528_capability_scoped(crib_of, model, world):
    """What may be called depends on user and agent, on both, and on the arguments."""
    rows = """
        p, agent:operator, acme, local.pay, write, r.ctx.args.amount <= 100, allow
        p, agent:operator, acme, local.lookup, read, True, allow
        p, user:alice, acme, *, *, True, allow
        p, user:bob, acme, local.lookup, read, True, allow
    """
    crib = crib_of(rows)
    alice = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    bob = GovernedWorkbench(crib, crib.principal("operator", "bob"))
    assert [schema["name"] for schema in await alice.list_tools()] == ["lookup", "pay"]
    assert [schema["name"] for schema in await bob.list_tools()] == ["lookup"]
    small, large = {"account": "B", "amount": 100}, {"account": "B", "amount": 101}
    assert not (await alice.call_tool("pay", small)).is_error
    assert (await alice.call_tool("pay", large)).to_text().startswith("DENIED")
    assert (await bob.call_tool("pay", small)).to_text().startswith("DENIED")
    assert world.did == [("pay", "B", 100)]


async def test_7613_identity_and_audit(crib_of, model, audited):
    """Every call is signed for: who, for whom, what, by which rule, with what end."""
    crib, clients = crib_of(), model(a=[("lookup", {"account": "A"}), PAY, ("wire", {"iban": "X"})])
    principal = crib.principal("operator", "alice", session="s7", run="r7")
    agent = governed_agent(crib, principal, clients("a"))
    for _ in range(3):
        await agent.run(task="go")
    records = audited(crib)  # verifies the chain, too
    assert [(r["kind"], r.get("status")) for r in records] == [
        ("intent", None),
        ("outcome", "done"),
        ("refusal", "pending"),
        ("refusal", "invalid"),
    ]
    for record in records:
        who = {name: record[name] for name in ("user", "agent", "tenant", "session", "run")}
        assert who == {"user": "alice", "agent": "operator", "tenant": "acme", "session": "s7", "run": "r7"}
    assert records[0]["rows"]
    assert records[2]["approval"]


async def test_6981_state_lost_while_waiting(crib_of, model, world):
    """A team that waits for a human is saved, and goes on from there with the answer."""
    crib, clients = crib_of(), model(a=[PAY, "it is paid"])

    def build():
        agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
        return RoundRobinGroupChat(
            [agent], termination_condition=pending_approval() | MaxMessageTermination(10), max_turns=1
        )

    team = build()
    await team.run(task="go")
    saved = json.dumps(await team.save_state())
    del team
    (approval,) = crib.state.list_approvals(status="pending")
    await crib.answer(approval.id, Answer("approve", "carol", time.time()))
    again = build()
    await again.load_state((await settle_pending(json.loads(saved), crib)).state)
    assert (await again.run()).messages[-1].to_text() == "it is paid"
    assert world.did == [("pay", "B", 7)]


async def test_3205_tokens_into_tools(crib_of, model):
    """What a tool must know and a model must not, the principal, is injected and no parameter."""
    seen = []

    @tool(effect="read")
    async def whoami(ctx: CallContext) -> str:
        """Who asks."""
        seen.append((ctx.principal.user, ctx.principal.session, ctx.call_id))
        return "you"

    crib, clients = crib_of(ALLOW), model(a=[("whoami", {}), ("whoami", {"ctx": {"user": "mallory"}})])
    crib.add(whoami)
    agent = governed_agent(crib, crib.principal("operator", "alice", session="s1"), clients("a"))
    first, second = [results(await agent.run(task="go"))[0] for _ in range(2)]
    (offered,) = [
        each["function"]
        for each in clients.server.asked("a")[0].body["tools"]
        if each["function"]["name"] == "whoami"
    ]
    assert offered["parameters"].get("properties", {}) == {}
    assert not first.is_error
    assert seen == [("alice", "s1", first.call_id)]
    assert second.content.startswith("INVALID ARGUMENTS: ")


async def test_5340_fatal_vs_returned_errors(crib_of, model):
    """A failing tool is a result that says whether trying again can help; a crib without a policy is fatal,
    and stops the run before a model is asked.
    """
    import pytest

    from toolcrib.errors import PolicyError

    @tool(effect="read")
    async def flaky() -> str:
        """Fail."""
        raise Temporary("the vendor is busy", retry_after=0)

    crib, clients = crib_of(ALLOW), model(a=[("flaky", {}), "I will tell the user"])
    crib.add(flaky)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"), max_tool_iterations=2)
    result = await agent.run(task="go")
    assert "the vendor is busy" in results(result)[0].content
    assert result.messages[-1].content == "I will tell the user"

    broken = crib_of("nonsense", folder="broken")
    agent = governed_agent(broken, broken.principal("operator"), clients("a"))
    asked = len(clients.server.asked("a"))
    with pytest.raises(PolicyError):
        await agent.run(task="go")
    assert len(clients.server.asked("a")) == asked


async def test_6268_tool_loops(crib_of, model, world):
    """An agent calls tools until it is done; the same call again and again is stopped."""
    crib = crib_of(config="[limits]\nrepeats = 3\n")
    accounts = [("lookup", {"account": name}) for name in "ABCDEF"]
    clients = model(a=[*accounts, "done"], b=[("lookup", {"account": "A"})] * 5 + ["stuck"])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"), max_tool_iterations=10)
    assert (await agent.run(task="go")).messages[-1].content == "done"
    assert len(world.did) == 6
    agent = governed_agent(
        crib, crib.principal("operator", "alice", run="two"), clients("b"), max_tool_iterations=10
    )
    said = [result.content[:7] for result in results(await agent.run(task="go"))]
    assert said == ["A has 1"] * 3 + ["STOPPED"] * 2


async def test_2861_parallel_vs_serial(crib_of, model, world, audited):
    """Calls of one step run at the same time; each is judged and signed for by itself, in any order."""
    gate = asyncio.Barrier(3)

    @tool(effect="write")
    async def meet(number: int) -> int:
        """Wait for the others."""
        await gate.wait()
        return number

    step = [("meet", {"number": number}) for number in range(3)] + [("nothing", {})]
    crib, clients = crib_of(ALLOW), model(a=[step])
    crib.add(meet)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"))
    executed = results(await asyncio.wait_for(agent.run(task="go"), 30))
    assert [result.content for result in executed[:3]] == ["0", "1", "2"]
    assert executed[3].is_error
    kinds = sorted(record["kind"] for record in audited(crib))
    assert kinds == ["intent"] * 3 + ["outcome"] * 3 + ["refusal"]


async def test_2469_large_outputs(crib_of, model, audited):
    """A huge result is cut before a model sees it; the whole is kept beside the log."""

    @tool(effect="read")
    async def dump() -> str:
        """Return a lot."""
        return "x" * 300_000

    crib = crib_of(ALLOW, config="[limits]\nresult_bytes = 1000\n")
    clients = model(a=[("dump", {}), "that was a lot"])
    crib.add(dump)
    agent = governed_agent(crib, crib.principal("operator"), clients("a"), max_tool_iterations=2)
    (result,) = results(await agent.run(task="go"))
    assert len(result.content) < 1200
    assert "[cut: the result has 300,002 bytes" in result.content
    artifact = crib.config.state / audited(crib)[-1]["artifact"]
    assert len(json.loads(artifact.read_text())) == 300_000
    assert all(len(json.dumps(request.body)) < 10_000 for request in clients.server.asked("a"))
