"""The scripted model behind the clients of AgentChat and of the classic API."""

import pytest

from toolcrib.testing import Call, ScriptedModel

INFO = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "family": "unknown",
    "structured_output": False,
}


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_agentchat_agent_calls_a_tool_and_uses_its_result(streaming):
    agentchat = pytest.importorskip("autogen_agentchat.agents")
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    def find(name: str) -> str:
        """Find a company."""
        return f"{name} has the id 42"

    script = [
        [Call("find", {"name": "Acme"}), Call("find", {"name": "Zeta"})],
        lambda request: f"so: {request.tool_replies[1].content}",
    ]
    with ScriptedModel({"m": script}) as model:
        client = OpenAIChatCompletionClient(model="m", base_url=model.base_url, api_key="k", model_info=INFO)
        agent = agentchat.AssistantAgent(
            "a", client, tools=[find], reflect_on_tool_use=True, model_client_stream=streaming
        )
        result = await agent.run(task="find Acme")
        await client.close()
    assert result.messages[-1].content == "so: Zeta has the id 42"
    assert [exchange.request.tools for exchange in model.exchanges] == [("find",), ()]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_classic_chat_calls_a_tool_and_uses_its_result(streaming):
    autogen = pytest.importorskip("autogen")

    script = [
        Call("find", {"name": "Acme"}),
        lambda request: f"so: {request.reply_of('find').content} TERMINATE",
    ]
    with ScriptedModel({"m": script}) as model:
        entry = {"model": "m", "base_url": model.base_url, "api_key": "k", "stream": streaming}
        assistant = autogen.AssistantAgent("a", llm_config=autogen.LLMConfig(entry, cache_seed=None))
        user = autogen.UserProxyAgent(
            "u",
            human_input_mode="NEVER",
            code_execution_config=False,
            is_termination_msg=lambda message: "TERMINATE" in (message.get("content") or ""),
        )

        @user.register_for_execution()
        @assistant.register_for_llm(description="Find a company.")
        def find(name: str) -> str:
            return f"{name} has the id 42"

        user.initiate_chat(assistant, message="find Acme", silent=True)
        assert assistant.last_message(user)["content"] == "so: Acme has the id 42 TERMINATE"
    assert model.asked("m")[0].tools == ("find",)


def test_the_classic_wrapper_asks_directly():
    autogen = pytest.importorskip("autogen")
    with ScriptedModel({"m": ["hi"]}) as model:
        wrapper = autogen.OpenAIWrapper(
            config_list=[{"model": "m", "base_url": model.base_url, "api_key": "k"}]
        )
        answer = wrapper.create(messages=[{"role": "user", "content": "hello"}], cache_seed=None)
        assert wrapper.extract_text_or_completion_object(answer) == ["hi"]
