"""Mending saved AgentChat states, as plain data: calls without a result, and results that came later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolcrib.adapters._agentchat_parked import STATE, Parked

__all__ = ["agents_in", "give_floor", "interrupted", "put_result"]

INTERRUPTED = (
    "INTERRUPTED: the run stopped while this call was under way. It may or may not have happened; "
    "do not ask for it again before somebody has looked."
)

SPOKEN = ("ToolCallSummaryMessage", "TextMessage", "HandoffMessage", "UserMessage")
"""Messages in which one agent's results reach the others as text. What a model itself said stays as it is."""


def interrupted(agent_state: Mapping[str, Any]) -> list[Parked]:
    """Give every tool call without a result one that says so, in place; the calls.

    OpenAI refuses a conversation in which a call has no result, and so such an agent could never go on.
    """
    messages = agent_state.get("llm_context", {}).get("messages", [])
    found: list[Parked] = []
    at = 0
    while at < len(messages):
        calls = _calls(messages[at])
        at += 1
        if not calls:
            continue
        if at == len(messages) or messages[at].get("type") != "FunctionExecutionResultMessage":
            messages.insert(at, {"type": "FunctionExecutionResultMessage", "content": []})
        results = messages[at]["content"]
        answered = {result["call_id"] for result in results}
        missing = [call for call in calls if call["id"] not in answered]
        results.extend(_no_result(call) for call in missing)
        found += [Parked(call["id"], call["name"], call["arguments"], None, INTERRUPTED) for call in missing]
        if not results:
            del messages[at]
    return found


def _calls(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    return content if message.get("type") == "AssistantMessage" and isinstance(content, list) else ()


def _no_result(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": INTERRUPTED, "name": call["name"], "call_id": call["id"], "is_error": True}


def agents_in(state: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and state of every governed agent in a saved agent, team or team of teams; the states themselves.

    An agent that was saved alone has no name there: "".
    """
    if not isinstance(state, dict):
        return
    if isinstance(bench := state.get("workbench"), dict) and bench.get("type") == STATE:
        yield name, state
        return
    for key, inner in state.items():
        yield from agents_in(
            inner, name if key in ("agent_state", "agent_states", "inner_team_state") else key
        )


def put_result(state: Any, parked: Parked, text: str, is_error: bool) -> None:
    """Put `text` where the result of `parked` is still open, in place: the agent's own context, the messages
    of the team, and what the other agents have heard of it.
    """
    if isinstance(state, list):
        for inner in state:
            put_result(inner, parked, text, is_error)
    if not isinstance(state, dict):
        return
    if state.get("call_id") == parked.call_id and state.get("content") == parked.text:
        state["content"] = text
        if "is_error" in state:
            state["is_error"] = is_error
    elif state.get("type") in SPOKEN and isinstance(said := state.get("content"), str) and parked.approval:
        state["content"] = said.replace(parked.text, text)  # an approval's id makes its text unique
    for inner in state.values():
        put_result(inner, parked, text, is_error)


def give_floor(state: Any, name: str) -> None:
    """Let agent `name` speak next where a round-robin team stopped after it, so that it sees its result.

    Teams of other kinds choose anew, or stay with who spoke last. The order of the team is that of its saved
    states, so a state that was written with sorted keys is left alone unless they happen to agree.
    """
    agents = state.get("agent_states") if isinstance(state, dict) else None
    if not isinstance(agents, dict):
        return
    for key, inner in agents.items():
        if isinstance(inner, dict) and "next_speaker_index" in inner:
            order = [each for each in agents if each != key]
            if name in order and inner["next_speaker_index"] == (order.index(name) + 1) % len(order):
                inner["next_speaker_index"] = order.index(name)
