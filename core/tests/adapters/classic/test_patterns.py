"""initiate_group_chat, run_group_chat and their async twins: one executor pools the tools of all agents."""

import asyncio
import contextlib
import io

import pytest
from autogen.agentchat import a_initiate_group_chat, a_run_group_chat, initiate_group_chat, run_group_chat
from autogen.agentchat.group import AgentTarget, OnCondition, StringLLMCondition
from autogen.agentchat.group.group_tool_executor import GroupToolExecutor
from autogen.agentchat.group.patterns import DefaultPattern, RoundRobinPattern

from toolcrib.adapters.classic import govern_pattern, offer
from toolcrib.testing import Call


async def a_run(pattern, **options):
    response = await a_run_group_chat(pattern=pattern, **options)
    await response.process()


def run(pattern, **options):
    run_group_chat(pattern=pattern, **options).process()


@pytest.fixture(params=["initiate", "a_initiate", "run", "a_run"])
def converse(request):
    """Holds a group chat in each of the four ways."""

    def hold(pattern, messages="go", max_rounds=6):
        options = {"pattern": pattern, "messages": messages, "max_rounds": max_rounds}
        with contextlib.redirect_stdout(io.StringIO()):
            if request.param == "initiate":
                initiate_group_chat(**options)
            elif request.param == "a_initiate":
                asyncio.run(a_initiate_group_chat(**options))
            elif request.param == "run":
                run(**options)
            else:
                asyncio.run(a_run(**options))

    return hold


@pytest.fixture
def group(agent):
    """A governed pattern of analyst and operator."""

    def build(crib, model, *, cls=RoundRobinPattern, user="alice", setup=None, **options):
        principals = [crib.principal(name, user, run="r1") for name in ("analyst", "operator")]
        agents = [agent(model, principal.agent, human_input_mode="NEVER") for principal in principals]
        if setup:
            setup(*agents)
        for each, principal in zip(agents, principals, strict=True):
            offer(crib, each, principal)
        ends = {"is_termination_msg": agents[0]._is_termination_msg}
        pattern = cls(initial_agent=agents[0], agents=agents, group_manager_args=ends, **options)
        return govern_pattern(pattern, crib, principals)

    return build


def test_each_agent_runs_its_own_tools(make, bank, serve, group, converse, log):
    crib = make()
    scripts = {
        "analyst": [Call("read_balance", {"account": "A"}), "fine"],
        "operator": [Call("transfer", {"account": "B", "amount": 7}), "TERMINATE"],
    }
    with serve(**scripts) as model:
        converse(group(crib, model))
    assert bank.read == [("analyst", "alice", "A")]
    assert bank.moved == [("operator", "B", 7)]
    assert [record["agent"] for record in log("intent")] == ["analyst", "operator"]


def test_group_patterns_pool_every_agents_tools_but_an_analyst_cannot_run_the_operators(
    make, bank, serve, group, converse, log
):
    """The stock executor ran it: the operator registered the function, the analyst asked for it."""
    crib = make()
    ran = []

    def setup(analyst, operator):
        @operator.register_for_llm(description="Move money to an account.")
        def transfer(account: str, amount: int) -> str:
            ran.append(account)
            return "moved past everybody"

    with serve(analyst=[Call("transfer", {"account": "A", "amount": 9}), "TERMINATE"], operator=[]) as model:
        converse(group(crib, model, setup=setup))
    assert ran == bank.moved == []
    assert [(record["agent"], record["tool"], record["status"]) for record in log()] == [
        ("analyst", "local.transfer", "denied")
    ]


def test_a_function_that_the_crib_does_not_know_runs_for_nobody(make, serve, group, converse, log):
    crib = make()
    ran = []

    def setup(analyst, operator):
        @analyst.register_for_llm(description="A pooled function.")
        async def pooled(text: str) -> str:
            ran.append(text)
            return text

    with serve(analyst=[Call("pooled", {"text": "x"}), "TERMINATE"], operator=[]) as model:
        converse(group(crib, model, setup=setup))
    assert ran == []
    assert [record["status"] for record in log()] == ["unknown"]


def to_operator(analyst, operator):
    condition = StringLLMCondition(prompt="When money is to be moved")
    analyst.handoffs.add_llm_condition(OnCondition(target=AgentTarget(operator), condition=condition))


def test_handoffs_go_on_working(make, bank, serve, group, converse, log):
    crib = make()
    scripts = {
        "analyst": [lambda asked: Call(next(name for name in asked.tools if "operator" in name), {})],
        "operator": [Call("transfer", {"account": "B", "amount": 7}), "TERMINATE"],
    }
    with serve(**scripts) as model:
        converse(group(crib, model, cls=DefaultPattern, setup=to_operator))
    assert bank.moved == [("operator", "B", 7)]


def test_a_handoff_of_another_agent_is_refused(make, serve, group, converse, log):
    crib = make()
    team = []

    def setup(analyst, operator):
        to_operator(operator, analyst)
        team.append(operator)

    def ask_for_it(asked):
        (theirs,) = (condition.llm_function_name for condition in team[0].handoffs.llm_conditions)
        return Call(theirs, {})

    with serve(analyst=[ask_for_it, "TERMINATE"], operator=[]) as model:
        converse(group(crib, model, cls=DefaultPattern, setup=setup))
    assert [(record["agent"], record["status"]) for record in log()] == [("analyst", "unknown")]


def test_two_concurrent_groups_do_not_mix(make, bank, serve, group):
    crib = make(base="p, *, acme, local.read_balance, *, True, allow")
    steps = [Call("read_balance", {"account": "A"}), "fine", "TERMINATE"]

    async def both():
        with (
            serve(analyst=steps, operator=["TERMINATE"]) as one,
            serve(analyst=steps, operator=["TERMINATE"]) as two,
        ):
            patterns = [group(crib, model, user=user) for model, user in ((one, "alice"), (two, "bob"))]
            await asyncio.gather(
                *(a_initiate_group_chat(pattern=each, messages="go", max_rounds=5) for each in patterns)
            )

    asyncio.run(both())
    assert sorted(bank.read) == [("analyst", "alice", "A"), ("analyst", "bob", "A")]


def test_other_groups_of_the_process_are_left_alone(make, serve, group):
    crib = make()
    before = GroupToolExecutor.execute_function, GroupToolExecutor.a_execute_function
    with serve(analyst=["TERMINATE"], operator=[]) as model:
        initiate_group_chat(pattern=group(crib, model), messages="go", max_rounds=3)
    assert (GroupToolExecutor.execute_function, GroupToolExecutor.a_execute_function) == before


def test_an_agent_without_a_principal_is_refused_in_a_pattern(make, bank, serve, agent, converse, log):
    crib = make(base="p, *, acme, *, *, True, allow")
    with serve(analyst=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
        analyst = agent(model, "analyst")
        offer(crib, analyst, crib.principal("analyst", "alice"))
        ends = {"is_termination_msg": analyst._is_termination_msg}
        pattern = RoundRobinPattern(initial_agent=analyst, agents=[analyst], group_manager_args=ends)
        converse(govern_pattern(pattern, crib, []))
    assert bank.read == []
    assert [(record["agent"], record["status"]) for record in log()] == [("analyst", "denied")]
