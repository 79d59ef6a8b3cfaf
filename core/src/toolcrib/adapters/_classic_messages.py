"""Tool messages of classic chats: their texts, what in them waits for a human, and going on after a restart.

Classic keeps no state but its messages, and APIs refuse messages with keys that they do not know. So what
waits is marked in the text itself, on a last line. A tool whose result ends like that is given a full stop,
and an approval is only resumed into the answer of the very call that it was asked for.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from toolcrib.approvals import Approval
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.crib import Crib
from toolcrib.errors import CallRefused

__all__ = [
    "a_settle_pending",
    "function_message",
    "needs_human",
    "restore_chat",
    "settle_pending",
    "text_of",
    "tool_message",
    "waiting_approvals",
]

Message = dict[str, Any]
T = TypeVar("T")

_MARK = re.compile(r"\[needs a human: (?:approval (?P<approval>[A-Za-z0-9-]+)|ledger|operator)\]\s*\Z")


def text_of(result: ToolResult) -> str:
    """What the model reads, marked where the model cannot go on alone."""
    who = {
        "pending": f"approval {result.approval}",
        "ambiguous": "ledger",
        "unavailable": "operator",
    }.get(result.status)
    if who is not None:
        return f"{result.text}\n[needs a human: {who}]"
    return f"{result.text}." if _MARK.search(result.text) else result.text


def tool_message(calls: Sequence[tuple[str | None, str]]) -> Message:
    """The answer to parallel tool calls: pairs of call id and text. Without an id (Mistral) there is no
    `tool_call_id`.
    """
    responses = [
        {**({"tool_call_id": call_id} if call_id else {}), "role": "tool", "content": text}
        for call_id, text in calls
    ]
    return {
        "role": "tool",
        "tool_responses": responses,
        "content": "\n\n".join(text for _, text in calls),
    }


def function_message(name: str, text: str) -> Message:
    """The answer to a legacy `function_call`."""
    return {"role": "function", "name": name, "content": text}


# --- what waits -------------------------------------------------------------------------------------------


def needs_human(message: Mapping[str, Any]) -> bool:
    """Whether a tool message says that the agents cannot go on alone: an approval is pending, a write may or
    may not have happened, or the crib cannot work. Use it as (part of) `is_termination_msg`.
    """
    return any(_MARK.search(text) for text in _texts(message))


def waiting_approvals(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the approvals that these messages wait for, in order."""
    texts = (text for message in messages for text in _texts(message))
    found = (match["approval"] for text in texts if (match := _MARK.search(text)))
    return list(dict.fromkeys(approval for approval in found if approval))


def _answers(message: Mapping[str, Any]) -> Iterator[Any]:
    """The tool responses of a message; a function message, and a lone tool message, is its own."""
    if message.get("role") in ("tool", "function"):
        yield from message.get("tool_responses") or [message]


def _texts(message: Mapping[str, Any]) -> list[str]:
    return [str(answer.get("content") or "") for answer in _answers(message)]


# --- settling it ------------------------------------------------------------------------------------------


def settle_pending(messages: Sequence[Mapping[str, Any]], crib: Crib) -> list[Message]:
    """A copy of `messages` in which answered approvals are replaced by what came of their calls, which are
    run now, each at most once. What nobody has answered yet goes on waiting (`waiting_approvals`).
    """
    return _run(a_settle_pending(messages, crib))


async def a_settle_pending(messages: Sequence[Mapping[str, Any]], crib: Crib) -> list[Message]:
    """Like `settle_pending`, for callers with an event loop."""
    settled = copy.deepcopy([dict(message) for message in messages])
    for message in settled:
        for answer in _answers(message):
            old = str(answer.get("content") or "")
            new = await _outcome(settled, answer, old, crib)
            whole = str(message.get("content") or "")
            answer["content"] = new
            if answer is not message:
                message["content"] = whole.replace(old, new, 1)
    return settled


async def _outcome(messages: Sequence[Message], answer: Message, text: str, crib: Crib) -> str:
    """The text that belongs into `answer` now."""
    mark = _MARK.search(text)
    if mark is None or mark["approval"] is None:
        return text
    try:
        approval = await asyncio.to_thread(crib.state.get_approval, mark["approval"])
    except CallRefused:  # not an approval of this crib: nothing to settle
        return text
    if not _is_answer_of(answer, approval, crib):
        return text
    if not approval.sensitive:
        return text_of(await crib.resume(approval.id))
    # Sensitive arguments are not stored, but the message that asked still has them; the approval is bound to
    # their digest, so a message that was changed meanwhile asks anew.
    call = ToolCall(
        approval.tool,
        _asked(messages, approval.call_id),
        approval.principal,
        call_id=approval.call_id,
        idempotency_key=approval.key,
        reason=approval.reason,
    )
    return text_of(await crib.execute(call))


def _is_answer_of(answer: Message, approval: Approval, crib: Crib) -> bool:
    """Whether `approval` was asked for by the call that `answer` answers, not merely named in a tool's
    text.
    """
    if "tool_call_id" in answer:
        return bool(answer["tool_call_id"] == approval.call_id)
    tool = crib.registry.find(str(answer.get("name") or ""))
    return answer.get("role") == "tool" or (tool is not None and tool.name == approval.tool)


def _asked(messages: Sequence[Message], call_id: str) -> Mapping[str, Any]:
    calls = (call for message in messages for call in message.get("tool_calls") or ())
    found = next((call for call in calls if call.get("id") == call_id), None)
    return dict(json.loads(found["function"]["arguments"], strict=False)) if found else {}


def _run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine; beside a running loop, on one of another thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


# --- going on ---------------------------------------------------------------------------------------------


class _Talker(Protocol):
    @property
    def name(self) -> str: ...

    def send(
        self, message: Message, recipient: Any, request_reply: bool | None = ..., silent: bool | None = ...
    ) -> None: ...


A = TypeVar("A", bound=_Talker)
B = TypeVar("B", bound=_Talker)


def restore_chat(messages: Sequence[Mapping[str, Any]], proxy: A, agent: B) -> tuple[A | B, A | B, Message]:
    """Give the saved messages of a two-agent chat back to both; what `GroupChatManager.resume` is for groups.

    Returns who spoke last, the other one, and the last message: go on with
    `last.initiate_chat(other, message=message, clear_history=False)`.
    """
    spoken = [(_speaker(message, proxy, agent), copy.deepcopy(dict(message))) for message in messages]
    for last, message in spoken[:-1]:
        last.send(message, agent if last is proxy else proxy, request_reply=False, silent=True)
    last, message = spoken[-1]
    return last, agent if last is proxy else proxy, message


def _speaker(message: Mapping[str, Any], proxy: A, agent: B) -> A | B:
    """Calls carry no name: they are the agent's, since a proxy makes none; a function's answer carries the
    function's.
    """
    if message.get("tool_calls") or message.get("function_call"):
        return agent
    return agent if message.get("role") != "function" and message.get("name") == agent.name else proxy
