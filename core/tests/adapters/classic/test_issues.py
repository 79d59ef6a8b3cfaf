"""What users of AutoGen asked for, by the number of the issue in microsoft/autogen."""

import asyncio
import threading

import pytest
from autogen import ConversableAgent, GroupChat, GroupChatManager, register_function

from toolcrib import tool
from toolcrib.adapters.classic import offer
from toolcrib.errors import ConfigError
from toolcrib.testing import Call

ROWS = "p, agent:analyst, acme, local.*, *, True, allow"


def get_price(symbol: str) -> float:
    """The price of a symbol.

    Args:
        symbol: A ticker.
    """
    return {"ABC": 12.5}[symbol]


def group_of(*agents, **options):
    group = GroupChat(
        list(agents), messages=[], max_round=8, speaker_selection_method="round_robin", **options
    )
    ends = agents[0]._is_termination_msg
    return group, GroupChatManager(group, llm_config=False, silent=True, is_termination_msg=ends)


@pytest.mark.parametrize("others_first", [False, True])
def test_252_functions_are_called_in_a_group_chat(make, serve, agent, proxy, chat, answers, others_first):
    """Whoever sits where in the group: the call comes to the agent that can run it."""
    crib = make(ROWS)
    with serve(analyst=[Call("get_price", {"symbol": "ABC"}), "TERMINATE"]) as model:
        principal = crib.principal("analyst", "alice")
        runner = proxy(
            crib, [principal], function_map={"get_price": get_price}, effects={"get_price": "read"}
        )
        analyst = agent(model, "analyst")
        offer(crib, analyst, principal)
        critic = ConversableAgent("critic", llm_config=False, default_auto_reply="go on")
        group, manager = group_of(analyst, *([critic, runner] if others_first else [runner, critic]))
        chat(critic, manager)
    assert answers(group.messages) == ["12.5"]


def test_274_a_group_chat_finds_the_function(make, serve, agent, proxy, chat, answers):
    """ "Error: Function get_price not found" where it was registered with `register_function`."""
    crib = make(ROWS)
    with serve(analyst=[Call("get_price", {"symbol": "ABC"}), "TERMINATE"]) as model:
        analyst = agent(model, "analyst")
        runner = proxy(crib, [crib.principal("analyst", "alice")], effects={"get_price": "read"})
        register_function(get_price, caller=analyst, executor=runner, description="The price of a symbol.")
        critic = ConversableAgent("critic", llm_config=False, default_auto_reply="go on")
        group, manager = group_of(analyst, critic, runner)
        chat(critic, manager)
    assert answers(group.messages) == ["12.5"]


def test_1440_function_map_in_group_chats(make, serve, agent, proxy, chat, log):
    """A function map is adopted where its effects are said, else refused; it never runs by itself."""
    crib = make()
    with pytest.raises(ConfigError, match="'get_price' of agent 'proxy' would run outside the crib"):
        proxy(crib, [], function_map={"get_price": get_price})
    with serve(analyst=[Call("get_price", {"symbol": "ABC"}), "TERMINATE"]) as model:
        analyst = agent(model, "analyst")
        principal = crib.principal("analyst", "alice")
        runner = proxy(
            crib, [principal], function_map={"get_price": get_price}, effects={"get_price": "read"}
        )
        assert runner.function_map == {}
        critic = ConversableAgent("critic", llm_config=False, default_auto_reply="go on")
        _, manager = group_of(analyst, critic, runner)
        chat(critic, manager)
    assert [(record["tool"], record["status"]) for record in log()] == [("local.get_price", "denied")]


def test_438_another_agents_tool(make, bank, serve, agent, proxy, chat, log):
    """An agent asks for a tool that only another agent was offered."""
    crib = make()
    with serve(analyst=[Call("transfer", {"account": "A", "amount": 1}), "TERMINATE"]) as model:
        analyst, operator = agent(model, "analyst"), agent(model, "operator")
        principals = [crib.principal(name, "alice") for name in ("analyst", "operator")]
        for each, principal in zip((analyst, operator), principals, strict=True):
            offer(crib, each, principal)
        runner = proxy(crib, principals)
        _, manager = group_of(analyst, operator, runner)
        chat(runner, manager)
    assert bank.moved == []
    assert [(record["agent"], record["status"]) for record in log()] == [("analyst", "denied")]


@pytest.mark.parametrize("parallel", [True, False])
def test_2861_parallel_vs_serial(make, serve, pair, answers, parallel):
    """In async chats parallel calls run at once, or one after the other where the builder says so."""
    running: list[str] = []
    most: list[int] = []
    both = asyncio.Event()

    @tool(effect="read")
    async def step(name: str) -> str:
        """A step."""
        running.append(name)
        most.append(len(running))
        if len(running) == 2:
            both.set()
        if parallel:
            await both.wait()
        running.remove(name)
        return name

    crib = make(ROWS)
    crib.add(step)
    calls = [Call("step", {"name": name}) for name in "ab"]
    with serve(analyst=[calls, "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst", parallel=parallel)
        result = asyncio.run(runner.a_initiate_chat(analyst, message="go", silent=True))
    assert answers(result.chat_history) == ["a", "b"]
    assert max(most) == (2 if parallel else 1)


def test_2469_large_outputs(make, serve, pair, chat, answers, tmp_path):
    """A large result is cut before it reaches a model; the whole is kept as an artifact."""

    @tool(effect="read")
    def dump() -> str:
        """Everything."""
        return "x" * 500_000

    crib = make(ROWS, config="[limits]\nresult_bytes = 1000\n")
    crib.add(dump)
    with serve(analyst=[Call("dump", {}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
    (text,) = answers(result.chat_history)
    assert len(text) < 1300
    assert "the whole is artifact artifacts/" in text
    (artifact,) = (tmp_path / ".toolcrib" / "artifacts").iterdir()
    assert artifact.stat().st_size == 500_002


def test_6268_tool_loops(make, bank, serve, pair, chat, answers):
    """The same call again and again is stopped, in words that tell the model to do something else."""
    crib = make()
    steps = [Call("read_balance", {"account": "A"})] * 6
    with serve(analyst=[*steps, "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
    texts = answers(result.chat_history)
    assert texts[:5] == ["A holds 100"] * 5
    assert texts[5].startswith("STOPPED")
    assert len(bank.read) == 5


def test_5340_fatal_vs_returned(make, serve, pair, chat, answers):
    """What a model can mend is returned to it; what only a human can mend also stops the chat."""

    @tool(effect="write")
    def flaky(how: str) -> str:
        """Fails."""
        raise ConnectionResetError(how)

    crib = make(ROWS)
    crib.add(flaky)
    steps = [
        Call("flaky", {"why": "x"}),
        Call("flaky", {"how": "it may have happened"}),
        "never asked",
    ]
    with serve(analyst=steps) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
        assert len(model.exchanges) == 2
    mend, fatal = answers(result.chat_history)
    assert mend.startswith("INVALID ARGUMENTS")
    assert fatal.startswith("OUTCOME UNKNOWN")
    assert fatal.endswith("[needs a human: ledger]")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_4894_approval_before_tools(make, bank, serve, pair, chat, answers, verdict):
    """The tool does not run before a human has agreed."""
    from toolcrib.approvals import Answer

    asked = threading.Event()

    class Boss:
        approver = "boss"

        async def ask(self, review):
            assert bank.moved == []
            asked.set()
            return Answer(verdict, "boss", 0.0, "too much" if verdict == "reject" else "")

    crib = make("p2, agent:operator, acme, local.transfer, write, True, user:boss", channels=[Boss()])
    with serve(operator=[Call("transfer", {"account": "A", "amount": 1}), "TERMINATE"]) as model:
        operator, runner = pair(crib, model, "operator")
        result = chat(runner, operator)
    assert asked.is_set()
    (text,) = answers(result.chat_history)
    if verdict == "approve":
        assert text == "moved 1 to A"
        assert bank.moved == [("operator", "A", 1)]
    else:
        assert text.startswith("REJECTED BY A HUMAN")
        assert "too much" in text
        assert bank.moved == []
