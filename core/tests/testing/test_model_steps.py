"""What a script can read of a request, and the short forms of a step."""

import pytest

from toolcrib.testing import Call, ModelRequest, Say
from toolcrib.testing._model_steps import as_say

FUNCTION = {"name": "find", "arguments": '{"q": "a"}'}
MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "find "}, {"type": "text", "text": "a"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": FUNCTION},
            {"id": "c2", "type": "function", "function": {"name": "show", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c2", "content": "shown"},
    {"role": "tool", "tool_call_id": "c1", "content": '{"id": 7}'},
]


def request(messages=MESSAGES, **more):
    return ModelRequest({"model": "m", "messages": messages, **more})


def test_tool_replies_know_which_call_they_answer():
    first, second = request().tool_replies
    assert (first.name, first.content) == ("show", "shown")
    assert (second.name, second.arguments, second.json()) == ("find", '{"q": "a"}', {"id": 7})


def test_the_last_reply_of_a_tool():
    again = [*MESSAGES, *[{**m, "content": "later"} if m["role"] == "tool" else m for m in MESSAGES[2:]]]
    assert request(again).reply_of("find").content == "later"
    assert request().reply_of("other") is None


def test_a_reply_that_is_no_json_is_a_value_error():
    with pytest.raises(ValueError):
        request().reply_of("show").json()


def test_texts_of_parts_are_joined_and_turns_counted():
    assert request(MESSAGES[:2]).text == "find a"
    assert (request(MESSAGES[:2]).turn, request().turn) == (0, 1)
    assert request([{"role": "assistant", "content": None}]).text == ""


def test_legacy_function_replies_are_read_by_their_name():
    messages = [{"role": "user", "content": "x"}, {"role": "function", "name": "old", "content": "ok"}]
    assert request(messages).reply_of("old").content == "ok"


def test_tools_are_named_and_legacy_is_noticed():
    assert request(tools=[{"type": "function", "function": {"name": "f"}}]).tools == ("f",)
    assert request(functions=[{"name": "g"}]).tools == ("g",)
    assert request(functions=[{"name": "g"}]).is_legacy
    assert not request().is_legacy
    assert request().tools == ()


@pytest.mark.parametrize(
    ("step", "say"),
    [
        ("text", Say("text")),
        ("", Say("")),
        (("f", {"a": 1}), Say(calls=(Call("f", {"a": 1}),))),
        (Call("f"), Say(calls=(Call("f"),))),
        ([("f", {}), Call("g")], Say(calls=(Call("f", {}), Call("g")))),
        ((Call("f"), Call("g")), Say(calls=(Call("f"), Call("g")))),
        (Say("a", finish_reason="length"), Say("a", finish_reason="length")),
        (lambda r: lambda r: r.model, Say("m")),
    ],
)
def test_short_forms(step, say):
    assert as_say(step, request()) == say


def test_given_ids_are_kept_and_missing_ones_made():
    say = Say(calls=(Call("f", id="mine"), Call("g"), Call("h"))).with_ids(request(), "derived")
    ids = [call.id for call in say.calls]
    assert ids[0] == "mine"
    assert len(set(ids)) == 3
    assert all(len(call_id) <= 40 for call_id in ids)
    assert [call.id for call in Say(calls=(Call("f"),)).with_ids(request(), "derived").calls] != [
        call.id for call in Say(calls=(Call("f"),)).with_ids(request(MESSAGES[:2]), "derived").calls
    ]


def test_numbers_that_json_does_not_know_go_out_as_python_writes_them():
    assert Call("f", {"a": float("nan"), "b": float("inf")}).argument_text == '{"a": NaN, "b": Infinity}'
