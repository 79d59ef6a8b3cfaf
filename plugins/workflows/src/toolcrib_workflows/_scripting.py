"""What scripts of teams share: what an agent has in front of it, and how it asks for a tool."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from toolcrib.testing import Call, ModelRequest, Say

__all__ = ["Json", "Seen", "call", "first_sentence", "is_done", "part_of", "read_json"]

Json: TypeAlias = Any


def part_of(parts: Mapping[str, Callable[[Seen], Say]], request: ModelRequest) -> Say:
    """The next answer of the agent whose orders the request begins with; ValueError for a stranger."""
    orders = _text(request.messages[0]) if request.messages else ""
    who = re.match(r"You are (\w+)\.", orders)
    part = parts.get(who[1]) if who else None
    if part is None:
        raise ValueError(f"the script has no part for {orders[:60]!r}")
    return part(Seen(request))


class Seen:
    """What an agent has in front of it."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self.said = [_text(message) for message in request.messages[1:]]

    def line(self, pattern: str) -> str:
        """The first group of the latest line that is like `pattern`, "" if there is none."""
        for text in reversed(self.said):
            found: list[str] = re.findall(f"^{pattern}$", text, re.MULTILINE)
            if found:
                return found[-1].strip()
        return ""

    def replies(self, tool: str, **arguments: Json) -> list[str]:
        """What came back for the calls of a tool with (at least) these arguments, in order."""
        return [
            reply.content
            for reply in self._request.tool_replies
            if reply.name == tool and _fits(reply.arguments, arguments)
        ]

    def result(self, tool: str, **arguments: Json) -> Json:
        """The latest result of a call that was done, None if there is none."""
        results = [read_json(text) for text in self.replies(tool, **arguments)]
        return next((result for result in reversed(results) if result is not None), None)


def call(why: str, tool: str, /, **arguments: Json) -> Say:
    """A call with these arguments, and why."""
    return Say(text=why, calls=(Call(tool, arguments),))


def _text(message: Mapping[str, Json]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def read_json(text: str) -> Json:
    """The JSON object that a reply begins with; None for a refusal. Remarks may stand behind it."""
    try:
        value = json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def is_done(replies: list[str]) -> bool:
    """Whether one of the replies is a result."""
    return any(read_json(text) is not None for text in replies)


def _fits(given: str, wanted: Mapping[str, Json]) -> bool:
    arguments = read_json(given) or {}
    return all(arguments.get(name) == value for name, value in wanted.items())


def first_sentence(refusal: str) -> str:
    """What was refused, without the leading word."""
    return re.split(r"(?<=[.!?])\s", re.sub(r"^[A-Z ]+: ", "", refusal.strip()), maxsplit=1)[0]
