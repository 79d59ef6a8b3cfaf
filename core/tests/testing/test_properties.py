"""What must hold for any conversation and any script, not only for those we thought of."""

import json

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.testing import Call, Say, ScriptedModel

NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
ARGUMENTS = st.dictionaries(
    TEXTS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS, max_size=4
)
SAYINGS = st.builds(
    Say,
    text=st.none() | TEXTS,
    calls=st.lists(st.builds(Call, name=NAMES, arguments=ARGUMENTS), min_size=1, max_size=4).map(tuple),
) | st.builds(Say, text=TEXTS)


@st.composite
def conversations(draw):
    """A sound conversation: every tool call is answered, in any order, before anybody else speaks."""
    messages = [{"role": "user", "content": draw(TEXTS)}]
    for turn in range(draw(st.integers(0, 4))):
        count = draw(st.integers(0, 3))
        if not count:
            messages.append({"role": "assistant", "content": draw(TEXTS)})
            continue
        function = {"name": draw(NAMES), "arguments": json.dumps(draw(ARGUMENTS))}
        calls = [{"id": f"call_{turn}_{n}", "type": "function", "function": function} for n in range(count)]
        messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        for call in draw(st.permutations(calls)):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": draw(TEXTS)})
    return messages


@pytest.fixture(scope="module")
def echo():
    with ScriptedModel({"m": lambda request: f"{request.turn} {len(request.tool_replies)}"}) as model:
        yield model


@pytest.fixture(scope="module")
def http():
    with httpx.Client(headers={"authorization": "Bearer k"}) as client:
        yield client


def post(http, model, messages):
    return http.post(f"{model.base_url}/chat/completions", json={"model": "m", "messages": messages})


@settings(max_examples=60, deadline=None)
@given(messages=conversations())
def test_every_sound_conversation_is_answered(echo, http, messages):
    answer = post(http, echo, messages)
    roles = [message["role"] for message in messages]
    assert (
        answer.json()["choices"][0]["message"]["content"]
        == f"{roles.count('assistant')} {roles.count('tool')}"
    )


@settings(max_examples=60, deadline=None)
@given(messages=conversations(), data=st.data())
def test_leaving_out_any_one_message_of_a_tool_exchange_is_refused(echo, http, messages, data):
    places = [
        number
        for number, message in enumerate(messages)
        if message["role"] == "tool" or "tool_calls" in message
    ]
    if not places:
        return
    left_out = data.draw(st.sampled_from(places))
    answer = post(http, echo, [message for number, message in enumerate(messages) if number != left_out])
    assert answer.status_code == 400
    assert "tool" in answer.json()["error"]["message"]


@settings(max_examples=25, deadline=None)
@given(say=SAYINGS)
def test_a_stream_put_together_says_what_the_whole_answer_says(say):
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    ]
    options = {"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": tools}
    model = ScriptedModel({"m": lambda request: say})
    with model, openai.OpenAI(base_url=model.base_url, api_key="k", max_retries=0) as client:
        whole = client.chat.completions.create(**options).choices[0]
        chunks = list(client.chat.completions.create(**options, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == (whole.message.content or "")
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason
    calls = [(call.function.name, call.function.arguments) for call in whole.message.tool_calls or ()]
    assert streamed_calls(deltas) == calls
    assert calls == [(call.name, json.dumps(call.arguments)) for call in say.calls]


def streamed_calls(deltas):
    """Name and arguments of each call, as a client collects them by index."""
    collected = {}
    for delta in deltas:
        for part in delta.tool_calls or ():
            name, arguments = collected.get(part.index, ("", ""))
            collected[part.index] = (
                name + (part.function.name or ""),
                arguments + (part.function.arguments or ""),
            )
    return [collected[index] for index in sorted(collected)]
