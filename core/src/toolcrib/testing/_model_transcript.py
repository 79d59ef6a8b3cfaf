"""The record of what a scripted model was asked and said, and its replay."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from toolcrib.testing._model_steps import Call, ModelRequest, Say

__all__ = ["Exchange", "Transcript", "rules_of"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what was said to it."""

    request: ModelRequest
    say: Say


class Transcript:
    """A JSONL file, one exchange a line: model, messages, tool names, the answer. Headers are not kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, exchange: Exchange) -> None:
        """Write one line; the caller holds the lock."""
        with self._path.open("ab") as file:
            file.write(orjson.dumps(_entry(exchange)) + b"\n")


def _entry(exchange: Exchange) -> dict[str, Any]:
    request, say = exchange.request, exchange.say
    calls = [{"id": call.id, "name": call.name, "arguments": call.argument_text} for call in say.calls]
    return {
        "model": request.model,
        "messages": request.messages,
        "tools": request.tools,
        "say": {"text": say.text, "calls": calls, "finish_reason": say.finish_reason},
    }


def rules_of(path: Path) -> dict[str, Callable[[ModelRequest], Say]]:
    """A rule per model that gives the recorded answers in order, and refuses a request of another shape."""
    recorded: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
    for line in path.read_bytes().splitlines():
        entry = orjson.loads(line)
        recorded[entry["model"]].append(entry)
    return {model: _rule(entries) for model, entries in recorded.items()}


def _rule(entries: deque[Mapping[str, Any]]) -> Callable[[ModelRequest], Say]:
    total = len(entries)

    def rule(request: ModelRequest) -> Say:
        if not entries:
            raise IndexError(f"the transcript has {total} answers, all are used up")
        _refuse_other_shape(entries[0], request, total - len(entries) + 1)
        said = entries.popleft()["say"]
        calls = tuple(Call(call["name"], call["arguments"], call["id"]) for call in said["calls"])
        return Say(said["text"], calls, said["finish_reason"])

    return rule


def _refuse_other_shape(entry: Mapping[str, Any], request: ModelRequest, number: int) -> None:
    """Roles, not texts, are compared: times and ids in texts differ from run to run."""
    recorded = [message["role"] for message in entry["messages"]]
    asked = [message["role"] for message in request.messages]
    if recorded != asked:
        raise ValueError(f"answer {number} was recorded after {recorded}, but this run asks after {asked}")
