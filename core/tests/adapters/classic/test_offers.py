"""What a model is told of: per principal, replaced as policy changes, nothing registered for execution."""

import pytest
from autogen import ConversableAgent, LLMConfig

from toolcrib import tool
from toolcrib.adapters.classic import offer
from toolcrib.errors import ConfigError


def names(agent):
    return [entry["function"]["name"] for entry in agent.llm_config.get("tools") or []]


@pytest.fixture
def config():
    return {"config_list": [{"model": "m", "api_key": "k"}], "cache_seed": None}


def test_an_offer_holds_name_description_and_schema(make, config):
    crib = make()
    analyst = ConversableAgent("analyst", llm_config=config)
    assert [each.name for each in offer(crib, analyst, crib.principal("analyst", "alice"))] == [
        "local.read_balance"
    ]
    (entry,) = analyst.llm_config["tools"]
    assert entry["type"] == "function"
    assert entry["function"]["description"] == "The balance of an account."
    assert entry["function"]["parameters"]["properties"]["account"]["description"] == "Its letter."


def test_nothing_is_registered_for_execution(make, config):
    crib = make()
    operator = ConversableAgent("operator", llm_config=config)
    offer(crib, operator, crib.principal("operator", "alice"))
    assert operator.function_map == {}
    assert operator.tools == []


def test_an_agent_without_a_model_cannot_be_offered_tools(make):
    crib = make()
    with pytest.raises(ConfigError, match="no model to offer tools to"):
        offer(crib, ConversableAgent("analyst", llm_config=False), crib.principal("analyst", "alice"))


def test_two_agents_made_from_one_config_keep_their_own_offers(make):
    crib = make()
    config = LLMConfig({"model": "m", "api_key": "k"})
    analyst, operator = (ConversableAgent(name, llm_config=config) for name in ("analyst", "operator"))
    offer(crib, operator, crib.principal("operator", "alice"))
    offer(crib, analyst, crib.principal("analyst", "alice"))
    assert names(analyst) == ["read_balance"]
    assert names(operator) == ["look_up", "read_balance", "transfer"]


def test_offering_again_replaces_the_last_offer(make, config):
    @tool(effect="read")
    def rate(currency: str) -> float:
        """The rate of a currency."""
        return 1.0

    crib = make("p, agent:analyst, acme, local.rate, read, True, allow")
    analyst = ConversableAgent("analyst", llm_config=config)
    principal = crib.principal("analyst", "alice")
    offer(crib, analyst, principal)
    crib.add(rate)
    offer(crib, analyst, principal)
    assert names(analyst) == ["rate", "read_balance"]
    crib.remove("rate")
    crib.remove("read_balance")
    offer(crib, analyst, principal)
    assert names(analyst) == []


def test_costs_are_not_forgotten(make, serve, agent):
    crib = make()
    with serve(analyst=["TERMINATE"]) as model:
        analyst = agent(model, "analyst")
        analyst.generate_reply(messages=[{"role": "user", "content": "hi"}])
        spent = analyst.get_total_usage()
        offer(crib, analyst, crib.principal("analyst", "alice"))
    assert analyst.get_total_usage() == spent
    assert spent["analyst"]["total_tokens"] > 0


def test_tools_from_elsewhere_stay(make, config):
    crib = make()
    analyst = ConversableAgent("analyst", llm_config=config)

    @analyst.register_for_llm(description="Hand over to a colleague.")
    def hand_over(to: str) -> str:
        return to

    offer(crib, analyst, crib.principal("analyst", "alice"))
    offer(crib, analyst, crib.principal("analyst", "alice"))
    assert names(analyst) == ["hand_over", "read_balance"]


class Echo:
    """A custom model client, as autogen's protocol has it."""

    def __init__(self, config, **kwargs):
        self.seen = []

    def create(self, params):
        from types import SimpleNamespace as Bag

        self.seen.append([entry["function"]["name"] for entry in params.get("tools") or []])
        message = Bag(content="TERMINATE", function_call=None, tool_calls=None)
        return Bag(id="1", choices=[Bag(message=message)], model="m", cost=0, usage=None)

    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]

    def cost(self, response):
        return 0

    @staticmethod
    def get_usage(response):
        return {}


@pytest.mark.parametrize("when", ["before", "after"])
def test_registering_tools_drops_custom_model_clients_but_an_offer_does_not(make, when):
    crib = make()
    config = {"config_list": [{"model": "m", "model_client_cls": "Echo"}], "cache_seed": None}
    analyst = ConversableAgent("analyst", llm_config=config)
    if when == "before":
        analyst.register_model_client(model_client_cls=Echo)
    offer(crib, analyst, crib.principal("analyst", "alice"))
    if when == "after":
        analyst.register_model_client(model_client_cls=Echo)
    assert analyst.generate_reply(messages=[{"role": "user", "content": "hi"}]) == "TERMINATE"
    (client,) = analyst.client._clients
    assert client.seen == [["read_balance"]]
