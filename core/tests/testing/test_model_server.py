"""The scripted model, driven by the real `openai` client."""

import json

import openai
import pytest

from toolcrib.testing import Call, Say, ScriptedModel, by_turn

HELLO = [{"role": "user", "content": "hello"}]
SEARCH = {
    "type": "function",
    "function": {
        "name": "crm_search",
        "description": "Search.",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
    },
}


def client_of(model, **options):
    return openai.OpenAI(base_url=model.base_url, api_key=options.pop("api_key", "test-key"), **options)


def ask(model, name="m", messages=HELLO, **options):
    with client_of(model, max_retries=0) as client:
        answer = client.chat.completions.create(model=name, messages=messages, **options)
        return list(answer) if options.get("stream") else answer


def test_steps_are_used_up_in_order_and_then_refused_in_plain_words():
    with ScriptedModel({"m": ["one", "two"]}) as model:
        assert [ask(model).choices[0].message.content for _ in range(2)] == ["one", "two"]
        with pytest.raises(openai.BadRequestError, match="all 2 steps are used up"):
            ask(model)


def test_a_text_has_the_reason_stop_and_usage_that_adds_up():
    with ScriptedModel({"m": ["a text of some length"]}) as model:
        answer = ask(model)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.total_tokens
    assert answer.usage.completion_tokens == len("a text of some length") // 4


def test_calls_in_one_step_are_parallel_with_ids_of_their_own():
    with ScriptedModel({"m": [[("crm_search", {"q": "a"}), Call("crm_search", {"q": "b"})]]}) as model:
        choice = ask(model, tools=[SEARCH]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    first, second = choice.message.tool_calls
    assert [json.loads(call.function.arguments) for call in (first, second)] == [{"q": "a"}, {"q": "b"}]
    assert first.id != second.id
    assert first.id.startswith("call_")


@pytest.mark.parametrize(
    "step", [("crm_search", {"q": "a"}), Call("crm_search", {"q": "a"}), [Call("crm_search", {"q": "a"})]]
)
def test_one_call_may_be_written_in_short(step):
    with ScriptedModel({"m": [step]}) as model:
        (call,) = ask(model, tools=[SEARCH]).choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("crm_search", '{"q": "a"}')


def test_arguments_given_as_text_go_out_as_they_are():
    with ScriptedModel({"m": [Call("crm_search", '{"q": ')]}) as model:
        assert ask(model, tools=[SEARCH]).choices[0].message.tool_calls[0].function.arguments == '{"q": '


def test_text_and_calls_and_another_finish_reason():
    with ScriptedModel(
        {"m": [Say("let me look", (Call("crm_search", {"q": "a"}),)), Say("cut", finish_reason="length")]}
    ) as model:
        both, cut = ask(model, tools=[SEARCH]).choices[0], ask(model).choices[0]
    assert (both.message.content, len(both.message.tool_calls)) == ("let me look", 1)
    assert cut.finish_reason == "length"


def test_a_step_may_react_to_the_last_tool_reply():
    def use_the_id(request):
        return Call("crm_show", {"id": request.reply_of("crm_search").json()[0]["id"]})

    with ScriptedModel({"m": [Call("crm_search", {"q": "a"}, id="call_1"), use_the_id]}) as model:
        assistant = ask(model, tools=[SEARCH]).choices[0].message.model_dump(exclude_none=True)
        result = {"role": "tool", "tool_call_id": "call_1", "content": '[{"id": "006-7"}]'}
        answer = ask(model, messages=[*HELLO, assistant, result])
    assert json.loads(answer.choices[0].message.tool_calls[0].function.arguments) == {"id": "006-7"}


def test_a_rule_goes_on_at_the_right_place_in_a_new_process():
    steps = by_turn("first", "second", "third")
    talk = [*HELLO, {"role": "assistant", "content": "first"}, {"role": "user", "content": "on"}]
    with ScriptedModel({"m": steps}) as fresh:
        assert ask(fresh, messages=talk).choices[0].message.content == "second"
        assert ask(fresh, messages=talk).choices[0].message.content == "second"
        with pytest.raises(openai.BadRequestError, match="turn 4"):
            ask(fresh, messages=[*HELLO, *[{"role": "assistant", "content": "x"}] * 3])


def test_scripts_are_per_model_and_others_are_not_there():
    with ScriptedModel({"a": ["from a"], "b": lambda request: f"b heard {request.text}"}) as model:
        assert ask(model, "b").choices[0].message.content == "b heard hello"
        assert ask(model, "a").choices[0].message.content == "from a"
        with pytest.raises(openai.NotFoundError, match="'c' does not exist"):
            ask(model, "c")


def test_models_are_listed():
    with ScriptedModel({"a": [], "b": []}) as model, client_of(model) as client:
        assert [entry.id for entry in client.models.list()] == ["a", "b"]
        assert client.models.retrieve("a").owned_by == "toolcrib-script"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("c")


def test_a_stream_says_the_same_in_pieces():
    with ScriptedModel({"m": lambda request: "a text that is cut into pieces"}) as model:
        chunks = ask(model, stream=True, stream_options={"include_usage": True})
    pieces = [
        chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
    ]
    assert len(pieces) > 1
    assert "".join(pieces) == "a text that is cut into pieces"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_streamed_call_comes_with_its_arguments_in_several_chunks():
    calls = [Call("crm_search", {"q": "somebody"}), Call("crm_search", {"q": "else"})]
    with ScriptedModel({"m": [calls]}) as model:
        chunks = ask(model, tools=[SEARCH], stream=True)
    deltas = [delta for chunk in chunks for delta in chunk.choices[0].delta.tool_calls or ()]
    for number, call in enumerate(calls):
        mine = [delta for delta in deltas if delta.index == number]
        assert [delta.id is not None for delta in mine] == [True] + [False] * (len(mine) - 1)
        assert len(mine) > 2
        assert "".join(delta.function.arguments for delta in mine) == call.argument_text
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_the_stream_helper_of_the_client_puts_it_together():
    with ScriptedModel({"m": [Call("crm_search", {"q": "somebody"})]}) as model, client_of(model) as client:
        request = client.chat.completions.stream(model="m", messages=HELLO, tools=[SEARCH])
        with request as stream:
            stream.until_done()
            (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"q": "somebody"}


async def test_the_async_client_works_as_well():
    with ScriptedModel({"m": ["hi"]}) as model:
        async with openai.AsyncOpenAI(base_url=model.base_url, api_key="k") as client:
            answer = await client.chat.completions.create(model="m", messages=HELLO)
    assert answer.choices[0].message.content == "hi"


def test_legacy_functions_are_answered_with_a_function_call():
    functions = [{"name": "old", "parameters": {"type": "object", "properties": {}}}]
    with ScriptedModel({"m": [Call("old", {"a": 1}), [Call("old"), Call("old")]]}) as model:
        choice = ask(model, functions=functions).choices[0]
        assert (choice.finish_reason, choice.message.function_call.name) == ("function_call", "old")
        assert model.asked("m")[0].tools == ("old",)
        with pytest.raises(openai.BadRequestError, match="2 calls at once"):
            ask(model, functions=functions)


def test_parallel_calls_that_the_request_forbids_are_an_error_of_the_script():
    script = [[Call("crm_search"), Call("crm_search")]]
    with ScriptedModel({"m": script}) as model, pytest.raises(openai.BadRequestError, match="2 calls"):
        ask(model, tools=[SEARCH], parallel_tool_calls=False)


def test_a_token_is_needed_and_may_be_a_certain_one():
    with ScriptedModel({"m": ["hi"]}, api_key="right") as model:
        with client_of(model, api_key="wrong") as client, pytest.raises(openai.AuthenticationError):
            client.models.list()
        with client_of(model, api_key="right") as client:
            assert client.chat.completions.create(model="m", messages=HELLO)


def test_no_token_at_all_is_401():
    import httpx

    with ScriptedModel({"m": ["hi"]}) as model:
        answer = httpx.post(f"{model.base_url}/chat/completions", json={"model": "m", "messages": HELLO})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "invalid_request_error")


def test_a_broken_script_is_refused_once_and_kept_for_the_test():
    with ScriptedModel({"m": lambda request: 1 / 0}) as model, client_of(model, max_retries=2) as client:
        with pytest.raises(openai.BadRequestError, match="gave no step: division by zero"):
            client.chat.completions.create(model="m", messages=HELLO)
        assert isinstance(model.failures[0], ZeroDivisionError)
        assert len(model.requests) == 1


@pytest.mark.parametrize("step", [None, [], 7, [7], ["a"]])
def test_what_is_no_step_is_said_so(step):
    with (
        ScriptedModel({"m": lambda request: step}) as model,
        pytest.raises(openai.BadRequestError, match="is not a"),
    ):
        ask(model)


def test_switches_of_the_base_work_through_the_client():
    with ScriptedModel({"m": ["hi"]}) as model, client_of(model, max_retries=1) as client:
        model.fail(503, headers={"retry-after-ms": "1"})
        assert client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content == "hi"
        model.fail(429)
        with pytest.raises(openai.RateLimitError, match="told to answer 429"):
            client.with_options(max_retries=0).models.list()


def test_random_ids_differ_and_derived_ids_are_the_same_again():
    def ids(mode):
        with ScriptedModel({"m": lambda request: Call("crm_search", {"q": "a"})}, ids=mode) as model:
            return {ask(model, tools=[SEARCH]).choices[0].message.tool_calls[0].id for _ in range(2)}

    assert (len(ids("random")), len(ids("derived"))) == (2, 1)


# --- transcripts ----------------------------------------------------------------------------------


def test_a_transcript_replays_the_same_answers_with_the_same_ids(tmp_path):
    path = tmp_path / "talk.jsonl"
    with ScriptedModel({"m": [Call("crm_search", {"q": "a"}), "done"]}, transcript=path) as model:
        said = [ask(model, tools=[SEARCH]).choices[0].message, ask(model).choices[0].message]
    with ScriptedModel.replay(path) as again:
        assert [ask(again, tools=[SEARCH]).choices[0].message, ask(again).choices[0].message] == said
        with pytest.raises(openai.BadRequestError, match="all are used up"):
            ask(again)


def test_a_replay_refuses_a_run_that_leaves_the_record(tmp_path):
    path = tmp_path / "talk.jsonl"
    with ScriptedModel({"m": ["one"]}, transcript=path) as model:
        ask(model)
    with (
        ScriptedModel.replay(path) as again,
        pytest.raises(openai.BadRequestError, match=r"answer 1 was recorded after"),
    ):
        ask(again, messages=[{"role": "system", "content": "s"}, *HELLO])


def test_no_token_gets_into_a_transcript(tmp_path):
    path = tmp_path / "talk.jsonl"
    model = ScriptedModel({"m": ["one"]}, transcript=path, api_key="sk-very-private")
    with model, client_of(model, api_key="sk-very-private") as client:
        client.chat.completions.create(model="m", messages=HELLO)
    assert "very-private" not in path.read_text()
    assert json.loads(path.read_text())["say"]["text"] == "one"


def test_exchanges_are_kept_for_the_test_to_read():
    with ScriptedModel({"m": ["one"], "n": ["two"]}) as model:
        ask(model), ask(model, "n")
        assert [exchange.say.text for exchange in model.exchanges] == ["one", "two"]
        assert (model.asked("n")[0].text, model.asked("n")[0].turn) == ("hello", 0)
