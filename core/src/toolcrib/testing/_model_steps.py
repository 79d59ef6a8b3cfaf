"""What a scripted model is asked, and what it says."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import orjson

__all__ = ["Call", "ModelRequest", "Say", "Step", "ToolReply", "as_say", "by_turn"]


@dataclass(frozen=True, slots=True)
class ToolReply:
    """The answer to one tool call: the call's `name` and `arguments` (JSON text), the answer's `content`."""

    name: str
    arguments: str
    content: str

    def json(self) -> Any:
        """The content as JSON; ValueError where it is none."""
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One chat completion request; `body` is the whole of it."""

    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.body["model"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All messages."""
        return list(self.body["messages"])

    @property
    def is_legacy(self) -> bool:
        """Whether it offers `functions` instead of `tools`."""
        return bool(self.body.get("functions")) and not self.body.get("tools")

    @property
    def tools(self) -> tuple[str, ...]:
        """The wire names of the tools on offer."""
        offered = [tool["function"] for tool in self.body.get("tools") or ()]
        return tuple(function["name"] for function in offered or self.body.get("functions") or ())

    @property
    def turn(self) -> int:
        """How many times the model has spoken in this conversation."""
        return sum(message["role"] == "assistant" for message in self.messages)

    @property
    def text(self) -> str:
        """The text of the last message."""
        return text_of(self.messages[-1])

    @property
    def tool_replies(self) -> list[ToolReply]:
        """What came back for every tool call so far, in order."""
        calls: dict[str, Mapping[str, Any]] = {}
        replies = []
        for message in self.messages:
            calls |= {call["id"]: call["function"] for call in message.get("tool_calls") or ()}
            if message["role"] in ("tool", "function"):
                call = calls.get(message.get("tool_call_id", ""), {})
                name = str(call.get("name") or message.get("name", ""))
                replies.append(ToolReply(name, str(call.get("arguments", "")), text_of(message)))
        return replies

    def reply_of(self, tool: str) -> ToolReply | None:
        """The last reply of one tool, None if there is none."""
        return next((reply for reply in reversed(self.tool_replies) if reply.name == tool), None)


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text; the text parts joined where it has parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `arguments` as text go out as they are, so that a script can also send broken JSON."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def argument_text(self) -> str:
        """The arguments as they go over the wire (NaN and Infinity too, as Python's json writes them)."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Say:
    """One answer: text, calls or both; `finish_reason` only to differ from the natural one, e.g. `length`."""

    text: str | None = None
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None

    def with_ids(self, request: ModelRequest, mode: str) -> Say:
        """The same with an id in every call."""
        seed = hashlib.sha256(orjson.dumps(request.body, option=orjson.OPT_SORT_KEYS)).hexdigest()

        def new(number: int) -> str:
            return uuid.uuid4().hex[:24] if mode == "random" else f"{seed[:20]}{number:04d}"

        calls = tuple(
            call if call.id else replace(call, id=f"call_{new(number)}")
            for number, call in enumerate(self.calls)
        )
        return replace(self, calls=calls)

    def message(self, *, legacy: bool) -> dict[str, Any]:
        """The assistant message."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None}
        functions = [{"name": call.name, "arguments": call.argument_text} for call in self.calls]
        if functions and legacy:
            message["function_call"] = functions[0]
        elif functions:
            pairs = zip(self.calls, functions, strict=True)
            message["tool_calls"] = [{"id": c.id, "type": "function", "function": f} for c, f in pairs]
        return message

    def reason(self, *, legacy: bool) -> str:
        """The finish reason."""
        natural = ("function_call" if legacy else "tool_calls") if self.calls else "stop"
        return self.finish_reason or natural

    def usage(self, request: ModelRequest) -> dict[str, int]:
        """Token counts, at a rough four characters a token; only their sum is exact."""
        prompt = len(orjson.dumps([request.body["messages"], request.body.get("tools")])) // 4
        said = len(self.text or "") + sum(len(call.name) + len(call.argument_text) for call in self.calls)
        answer = max(1, said // 4)
        return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


Pair: TypeAlias = tuple[str, Mapping[str, Any]]
Step: TypeAlias = str | Say | Call | Pair | Sequence[Call | Pair] | Callable[[ModelRequest], "Step | None"]
"""One answer of a script, in its shortest form."""


def as_say(step: Step | None, request: ModelRequest) -> Say:
    """The answer that `step` stands for; functions are asked with `request`. ValueError for no step."""
    while callable(step):
        step = step(request)
    if isinstance(step, Say):
        return step
    if isinstance(step, str):
        return Say(step)
    if isinstance(step, Call) or _is_pair(step):
        step = [step]  # type: ignore[list-item]
    if not isinstance(step, Sequence) or not step:
        raise ValueError(f"{step!r} is not a text, a call, a list of calls or a Say")
    return Say(calls=tuple(_as_call(entry) for entry in step))


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _as_call(value: Any) -> Call:
    if isinstance(value, Call):
        return value
    if _is_pair(value):
        return Call(*value)
    raise ValueError(f"{value!r} is not a Call or a (name, arguments) pair")


def by_turn(*steps: Step) -> Callable[[ModelRequest], Step]:
    """A rule that picks the step by how often the model has spoken: a script that survives a restart."""

    def rule(request: ModelRequest) -> Step:
        if request.turn >= len(steps):
            raise IndexError(f"turn {request.turn + 1} was asked for, the script has {len(steps)}")
        return steps[request.turn]

    return rule
