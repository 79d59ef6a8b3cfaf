"""What OpenAI refuses, the scripted model refuses: each case with its twin that passes."""

import copy

import httpx
import pytest

from toolcrib.testing import ScriptedModel

USER = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWER = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
SECOND = {**CALL, "id": "call_2"}


@pytest.fixture(scope="module")
def model():
    with ScriptedModel({"m": lambda request: "ok"}) as server:
        yield server


def post(server, /, **body):
    body = {"model": "m", "messages": [USER], **body}
    return httpx.post(
        f"{server.base_url}/chat/completions",
        json={key: value for key, value in body.items() if value is not ...},
        headers={"authorization": "Bearer k"},
    )


def assert_refused(answer, *words):
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error"), error
    assert all(word in error["message"] for word in words), error["message"]


def tool(name="f", parameters=None, **more):
    parameters = {"type": "object", "properties": {}} if parameters is None else parameters
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [{"role": "system", "content": "s"}, {"role": "developer", "content": "d"}, USER],
        [USER, ASKED, ANSWER],
        [USER, {**ASKED, "tool_calls": [CALL, SECOND]}, {**ANSWER, "tool_call_id": "call_2"}, ANSWER, USER],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        [USER, {"role": "assistant", "content": "a", "name": "some_agent"}],
        [
            USER,
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "x"},
        ],
    ],
)
def test_sound_messages_pass(model, messages):
    assert post(model, messages=messages).status_code == 200


@pytest.mark.parametrize(
    ("messages", "word"),
    [
        ([], "minimum length 1"),
        (None, "minimum length 1"),
        ("hi", "minimum length 1"),
        (["hi"], "expected an object"),
        ([{"role": "robot", "content": "x"}], "'robot'"),
        ([{"content": "x"}], "Supported values"),
        ([{"role": "user"}], "got null"),
        ([{"role": "user", "content": 7}], "got int"),
        ([{"role": "user", "content": []}], "expected a string"),
        ([{"role": "user", "content": [{"text": "x"}]}], ".type"),
        ([{"role": "assistant", "content": None}], "got null"),
        ([{"role": "user", "content": "x", "name": "two words"}], "messages[0].name"),
        ([USER, ASKED], "call_1"),
        ([USER, ASKED, USER], "did not have response messages: call_1"),
        ([USER, {**ASKED, "tool_calls": [CALL, SECOND]}, ANSWER], "response messages: call_2"),
        (
            [
                USER,
                {**ASKED, "tool_calls": [CALL, SECOND]},
                ANSWER,
                USER,
                {**ANSWER, "tool_call_id": "call_2"},
            ],
            "call_2",
        ),
        ([USER, ANSWER], "must be a response to a preceeding message"),
        ([USER, ASKED, ANSWER, ANSWER], "must be a response"),
        ([USER, ASKED, {"role": "tool", "content": "x"}], "tool_call_id"),
        ([USER, {**ASKED, "tool_calls": []}], "non-empty"),
        ([USER, {**ASKED, "tool_calls": [CALL, CALL]}, ANSWER], "Duplicate"),
        ([USER, {**ASKED, "tool_calls": ["f"]}, ANSWER], "tool_calls[0]"),
        ([{**USER, "tool_calls": [CALL]}, ANSWER], "assistant message"),
        ([USER, {**ASKED, "tool_calls": [{**CALL, "id": "c" * 41}]}], "maximum length 40"),
        (
            [
                USER,
                {**ASKED, "tool_calls": [{**CALL, "function": {"name": "a.b", "arguments": "{}"}}]},
                ANSWER,
            ],
            "a.b",
        ),
        (
            [USER, {**ASKED, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}]}, ANSWER],
            "a string",
        ),
    ],
)
def test_unsound_messages_are_refused(model, messages, word):
    assert_refused(post(model, messages=messages), word)


# --- tools ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tools",
    [
        [tool()],
        [tool("a"), tool("b")],
        [tool("x" * 64)],
        [tool(description="d" * 1024)],
        [{"type": "function", "function": {"name": "f"}}],
        [
            tool(
                parameters={
                    "type": "object",
                    "properties": {"a": {"type": "array", "items": {"type": "string"}}},
                }
            )
        ],
        [
            tool(
                parameters={
                    "type": "object",
                    "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                }
            )
        ],
        [
            tool(
                strict=True,
                parameters={
                    "type": "object",
                    "properties": {"a": {"type": "string"}},
                    "required": ["a"],
                    "additionalProperties": False,
                },
            )
        ],
    ],
)
def test_sound_tools_pass(model, tools):
    assert post(model, tools=tools, tool_choice="auto", parallel_tool_calls=True).status_code == 200


@pytest.mark.parametrize(
    ("tools", "word"),
    [
        ([], "1 to 128"),
        ([tool(f"f{i}") for i in range(129)], "1 to 128"),
        (["f"], "tools[0]"),
        ([{"type": "function"}], "tools[0]"),
        ([tool(), tool()], "must be unique: f"),
        ([tool("crm.search")], "^[a-zA-Z0-9_-]{1,64}$"),
        ([tool("x" * 65)], "^[a-zA-Z0-9_-]{1,64}$"),
        ([tool("")], "tools[0].function.name"),
        ([tool("f\n")], "tools[0].function.name"),
        ([tool(description="d" * 1025)], "1024"),
        ([tool(parameters={})], 'type: "None"'),
        ([tool(parameters={"type": "array"})], "'type: \"object\"'"),
        ([tool(parameters=["x"])], "schema must be"),
        (
            [tool(parameters={"type": "object", "properties": {"a": {"type": "text"}}})],
            "'text' is not a valid type",
        ),
        (
            [tool(parameters={"type": "object", "properties": {"a": {"type": "array"}}})],
            "array schema missing items",
        ),
        ([tool(parameters={"type": "object", "properties": []})], "not of type 'object'"),
        ([tool(parameters={"type": "object", "properties": {"a": "string"}})], "'a'"),
        ([tool(parameters={"type": "object", "required": "a"})], "'array' of strings"),
        ([tool(parameters={"type": "object", "$defs": {"X": {"type": "array"}}})], "missing items"),
        ([tool(strict=True)], "additionalProperties"),
        (
            [
                tool(
                    strict=True,
                    parameters={"type": "object", "properties": {"a": {}}, "additionalProperties": False},
                )
            ],
            "Missing 'a'",
        ),
    ],
)
def test_unsound_tools_are_refused(model, tools, word):
    assert_refused(post(model, tools=tools), word)


def test_a_choice_names_a_tool_on_offer(model):
    chosen = {"type": "function", "function": {"name": "f"}}
    assert post(model, tools=[tool()], tool_choice=chosen).status_code == 200
    assert_refused(post(model, tools=[tool("g")], tool_choice=chosen), "'f' not found")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"model": ...}, "model parameter"),
        ({"model": ""}, "model parameter"),
        ({"tool_choice": "auto"}, "only allowed when 'tools'"),
        ({"parallel_tool_calls": True}, "only allowed when 'tools'"),
        ({"stream_options": {"include_usage": True}}, "'stream' is enabled"),
        ({"n": 2}, "n must be 1"),
        ({"cache_seed": 41}, "cache_seed"),
    ],
)
def test_unsound_parameters_are_refused(model, body, word):
    assert_refused(post(model, **body), word)


def test_usual_parameters_are_accepted(model):
    assert (
        post(
            model, temperature=0, max_tokens=9, seed=1, user="u", response_format={"type": "json_object"}
        ).status_code
        == 200
    )


def test_a_refused_request_uses_up_no_step():
    with ScriptedModel({"m": ["only one"]}) as strict:
        assert post(strict, messages=[USER, copy.deepcopy(ASKED)]).status_code == 400
        assert post(strict).json()["choices"][0]["message"]["content"] == "only one"


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"{", b""])
def test_a_body_that_is_no_object_is_400(model, body):
    answer = httpx.post(
        f"{model.base_url}/chat/completions", content=body, headers={"authorization": "Bearer k"}
    )
    assert answer.status_code == 400
