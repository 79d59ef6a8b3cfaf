"""What a governed agent is offered, and what it may not be built from."""

from __future__ import annotations

import pytest
from autogen_core.tools import FunctionTool, StaticWorkbench

from toolcrib.adapters.agentchat import GovernedAgent, GovernedWorkbench, governed_agent
from toolcrib.errors import ConfigError


async def names(bench):
    return [schema["name"] for schema in await bench.list_tools()]


async def test_only_what_the_principal_could_be_allowed_is_offered_by_wire_name(crib_of):
    crib = crib_of()
    analyst = GovernedWorkbench(crib, crib.principal("analyst", "alice"))
    operator = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    stranger = GovernedWorkbench(crib, crib.principal("operator", "mallory"))
    assert await names(analyst) == ["lookup"]
    assert await names(operator) == ["lookup", "note", "pay", "wire"]
    assert await names(stranger) == []


async def test_the_model_is_told_name_description_and_parameters(crib_of, model):
    crib, clients = crib_of(), model(a=["hello"])
    await governed_agent(crib, crib.principal("analyst", "alice"), clients("a")).run(task="hi")
    (request,) = clients.server.asked("a")
    (offered,) = request.body["tools"]
    assert offered["function"]["name"] == "lookup"
    assert offered["function"]["description"] == "Balance of an account."
    assert list(offered["function"]["parameters"]["properties"]) == ["account"]


async def test_the_offer_follows_the_registry(crib_of):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    assert "note" in await names(bench)
    crib.remove("local.note")
    assert "note" not in await names(bench)


async def test_the_offer_follows_the_policy(crib_of):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    assert "note" in await names(bench)
    policy = crib.config.policy / "policy.csv"
    policy.write_text(policy.read_text() + "p, agent:operator, acme, local.note, write, True, deny\n")
    crib.reload()
    assert "note" not in await names(bench)


async def test_changing_the_list_does_not_change_the_offer(crib_of):
    crib = crib_of()
    bench = GovernedWorkbench(crib, crib.principal("analyst", "alice"))
    (await bench.list_tools()).clear()
    assert await names(bench) == ["lookup"]


def test_agent_and_principal_have_one_name(crib_of, model):
    crib, clients = crib_of(), model(a=[])
    bench = GovernedWorkbench(crib, crib.principal("operator", "alice"))
    with pytest.raises(ConfigError, match="'analyst' would act as agent 'operator'"):
        GovernedAgent("analyst", clients("a"), bench)


def test_an_agent_name_that_agentchat_cannot_have_is_explained(crib_of, model):
    crib, clients = crib_of(), model(a=[])
    with pytest.raises(ConfigError, match="Python identifiers"):
        governed_agent(crib, crib.principal("lead-writer", "alice"), clients("a"))


def test_tools_without_policy_are_refused(crib_of, model):
    def leak() -> str:
        return "no policy has seen me"

    crib, clients = crib_of(), model(a=[])
    principal = crib.principal("operator", "alice")
    with pytest.raises(ConfigError, match=r"crib\.adopt"):
        governed_agent(crib, principal, clients("a"), tools=[leak])
    with pytest.raises(ConfigError, match="one GovernedWorkbench"):
        GovernedAgent("operator", clients("a"), StaticWorkbench([FunctionTool(leak, "Leak.")]))  # type: ignore[arg-type]


def test_a_governed_agent_is_not_written_down_as_an_ungoverned_one(crib_of, model):
    crib, clients = crib_of(), model(a=[])
    agent = governed_agent(crib, crib.principal("operator", "alice"), clients("a"))
    with pytest.raises(NotImplementedError, match="build it in code"):
        agent.dump_component()
