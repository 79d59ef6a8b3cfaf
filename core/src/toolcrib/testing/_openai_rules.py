"""What OpenAI's chat completions API refuses, so that a scripted model refuses it too.

Source of rules and wording: the API's own error messages and its published description
(`CreateChatCompletionRequest`). Whatever is not checked here is accepted and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from toolcrib.testing._openai_errors import check_name, refuse
from toolcrib.testing._openai_tools import check_tools

__all__ = ["check_request"]

# fmt: off
PARAMETERS = frozenset((
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_retention",
    "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store",
    "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
    "verbosity", "web_search_options",
))
# fmt: on
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
AUTHOR = re.compile(r"[^\s<|\\/>]{1,64}")
MAX_CALL_ID = 40


def check_request(body: Any) -> None:
    """Refuse (`ServiceRefused`, 400) what the API would refuse of a chat completion request."""
    if not isinstance(body, dict):
        refuse("We could not parse the JSON body of your request: expected an object.")
    if unknown := sorted(set(body) - PARAMETERS):
        refuse(f"Unrecognized request argument supplied: {', '.join(unknown)}", code="unknown_parameter")
    if not isinstance(body.get("model"), str) or not body["model"]:
        refuse("you must provide a model parameter", "model")
    if body.get("stream_options") is not None and not body.get("stream"):
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if body.get("n", 1) != 1:
        refuse("A scripted model gives one choice: n must be 1.", "n")
    check_tools(body)
    _check_messages(body.get("messages"))


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        refuse("Invalid 'messages': expected an array with minimum length 1.", "messages")
    owed: dict[str, int] = {}  # the tool call ids that still need a tool message, in order
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        _check_message(message, place)
        if message["role"] == "tool":
            _pay(owed, message.get("tool_call_id"), place)
            continue
        _refuse_owed(owed, number)
        owed = {call["id"]: number for call in message.get("tool_calls") or ()}
    _refuse_owed(owed, len(messages))


def _pay(owed: dict[str, int], call_id: Any, place: str) -> None:
    if not isinstance(call_id, str):
        refuse(f"Missing required parameter: '{place}.tool_call_id'.", f"{place}.tool_call_id")
    if owed.pop(call_id, None) is None:
        refuse(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with"
            f" 'tool_calls' (tool_call_id {call_id!r}).",
            f"{place}.role",
        )


def _refuse_owed(owed: Mapping[str, int], number: int) -> None:
    if owed:
        refuse(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
            " 'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(owed),
            f"messages[{number}].role",
        )


def _check_message(message: Any, place: str) -> None:
    if not isinstance(message, dict):
        refuse(f"Invalid type for '{place}': expected an object.", place, code="invalid_type")
    role = message.get("role")
    if role not in ROLES:
        supported = ", ".join(map(repr, ROLES))
        refuse(
            f"Invalid value: {role!r}. Supported values are: {supported}.",
            f"{place}.role",
            code="invalid_value",
        )
    author = message.get("name")
    if author is not None and (not isinstance(author, str) or not AUTHOR.fullmatch(author)):
        refuse(
            f"Invalid '{place}.name': string does not match the pattern '{AUTHOR.pattern}'.",
            f"{place}.name",
            code="invalid_value",
        )
    calls = message.get("tool_calls")
    if calls is not None:
        _check_calls(calls, role, f"{place}.tool_calls")
    optional = role == "assistant" and (bool(calls) or message.get("function_call") is not None)
    _check_content(message.get("content"), f"{place}.content", optional=optional)


def _check_content(content: Any, place: str, *, optional: bool) -> None:
    if isinstance(content, str) or (optional and content is None):
        return
    if not isinstance(content, list) or not content:
        got = "null" if content is None else type(content).__name__
        refuse(f"Invalid value for 'content': expected a string, got {got}.", place)
    for number, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            refuse(f"Missing required parameter: '{place}[{number}].type'.", f"{place}[{number}].type")


def _check_calls(calls: Any, role: str, place: str) -> None:
    if role != "assistant" or not isinstance(calls, list) or not calls:
        refuse(f"Invalid '{place}': expected a non-empty array in an assistant message.", place)
    for number, call in enumerate(calls):
        _check_call(call, f"{place}[{number}]")
    ids = [call["id"] for call in calls]
    if len(set(ids)) < len(ids):
        refuse(f"Duplicate tool call ids in '{place}'.", place)


def _check_call(call: Any, place: str) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or call.get("type") != "function":
        refuse(f"Invalid '{place}': expected {{'id', 'type': 'function', 'function'}}.", place)
    check_name(function.get("name"), f"{place}.function.name")
    if not isinstance(function.get("arguments"), str):
        refuse(
            f"Invalid type for '{place}.function.arguments': expected a string.", place, code="invalid_type"
        )
    if not isinstance(call.get("id"), str) or not 1 <= len(call["id"]) <= MAX_CALL_ID:
        refuse(f"Invalid '{place}.id': expected a string with maximum length {MAX_CALL_ID}.", f"{place}.id")
