"""How OpenAI's chat completions API answers: whole, or as a stream of server-sent events."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

__all__ = ["completion", "events"]

PIECES = 4
"""Into how many chunks a text or the arguments of a call are cut in a stream, where they are long enough."""


def completion(
    model: str, message: Mapping[str, Any], finish_reason: str, usage: Mapping[str, int]
) -> dict[str, Any]:
    """A `chat.completion` object with one choice."""
    choice = {"index": 0, "message": dict(message), "finish_reason": finish_reason, "logprobs": None}
    return {**_head(model, "chat.completion"), "choices": [choice], "usage": dict(usage)}


def events(
    model: str, message: Mapping[str, Any], finish_reason: str, usage: Mapping[str, int] | None
) -> Iterator[bytes]:
    """The same as `chat.completion.chunk` events; a last one has the usage where it was asked for."""
    head = _head(model, "chat.completion.chunk") | ({"usage": None} if usage else {})
    for delta in _deltas(message):
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    if usage:
        yield _event({**head, "choices": [], "usage": dict(usage)})
    yield b"data: [DONE]\n\n"


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": "" if message.get("content") is not None else None}
    for piece in _pieces(message.get("content") or ""):
        yield {"content": piece}
    for number, call in enumerate(message.get("tool_calls") or ()):
        yield from _call_deltas(number, call)
    if legacy := message.get("function_call"):
        yield {"function_call": {"name": legacy["name"], "arguments": ""}}
        for piece in _pieces(legacy["arguments"]):
            yield {"function_call": {"arguments": piece}}


def _call_deltas(number: int, call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """First the call with its id and name and no arguments, then the arguments in pieces: as OpenAI does."""
    function = {"name": call["function"]["name"], "arguments": ""}
    yield {"tool_calls": [{"index": number, "id": call["id"], "type": "function", "function": function}]}
    for piece in _pieces(call["function"]["arguments"]):
        yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Sequence[str]:
    size = max(1, -(-len(text) // PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]
