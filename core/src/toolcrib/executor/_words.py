"""From an error to the result that a model reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from toolcrib.calls import Status, ToolCall, ToolResult
from toolcrib.errors import (
    ApprovalExpired,
    ApprovalPending,
    ApprovalRejected,
    CallAmbiguous,
    CallDenied,
    CallRefused,
    InvalidArguments,
    KeyReused,
    LoopStopped,
    QuotaExhausted,
    ToolcribError,
    ToolError,
    UnknownTool,
)
from toolcrib.executor._case import Case

__all__ = ["describe", "refusal", "status_of", "unopened", "writable"]

MOST = 2000
"""Characters of an error's text that go on; a vendor's answer may be a whole page."""

_STATUS: tuple[tuple[type[Exception], Status], ...] = (
    (UnknownTool, "unknown"),
    (InvalidArguments, "invalid"),
    (KeyReused, "invalid"),
    (CallDenied, "denied"),
    (LoopStopped, "stopped"),
    (QuotaExhausted, "limited"),
    (ApprovalPending, "pending"),
    (ApprovalRejected, "rejected"),
    (ApprovalExpired, "expired"),
    (CallAmbiguous, "ambiguous"),
    (CallRefused, "denied"),
)


def status_of(error: BaseException) -> Status:
    """The status of a call that `error` ended before its tool started; what is not understood is
    `unavailable`.
    """
    return next((status for kind, status in _STATUS if isinstance(error, kind)), "unavailable")


def describe(error: BaseException, clean: Callable[[str], str] = str) -> str:
    """One line for records and models: our own errors in their own words, others by type and message."""
    if isinstance(error, asyncio.TimeoutError):
        return "it did not answer in time"
    try:
        text = str(error).strip() or "no message"
    except Exception:
        text = "its message cannot be read"
    own = isinstance(error, ToolcribError)
    return writable(clean(text if own else f"{type(error).__name__}: {text}")[:MOST])


def writable(text: str) -> str:
    """`text` as UTF-8 can hold it: half a surrogate pair, which JSON can bring, becomes its code."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def refusal(case: Case, error: BaseException) -> ToolResult:
    """The result of a call that was refused; nothing ran."""
    status = status_of(error)
    return ToolResult(
        call_id=case.call.call_id,
        tool=case.tool.name if case.tool else str(case.call.tool)[:80],
        status=status,
        text=_LEAD.get(status, "REFUSED") + ": " + _text(error),
        decision=case.decision,
        approval=getattr(error, "approval", None),
        duration=case.seconds,
        retry_after=getattr(error, "retry_after", None),
    )


_LEAD: dict[str, str] = {
    "denied": "DENIED",
    "unknown": "NO SUCH TOOL",
    "invalid": "INVALID ARGUMENTS",
    "stopped": "STOPPED",
    "limited": "LIMIT REACHED",
    "pending": "WAITING FOR APPROVAL",
    "rejected": "REJECTED BY A HUMAN",
    "expired": "APPROVAL EXPIRED",
    "ambiguous": "OUTCOME UNKNOWN",
    "unavailable": "UNAVAILABLE",
}


def _text(error: BaseException) -> str:
    if isinstance(error, ToolcribError) and not isinstance(error, ToolError):
        return str(error)
    return f"the call was not made, because of an internal error ({type(error).__name__})."


def unopened(call: ToolCall, error: ToolcribError) -> dict[str, Any]:
    """The record of a call that met no executor, because the crib could not be opened."""
    who = call.principal
    names = {"agent": who.agent, "tenant": who.tenant, "session": who.session, "run": who.run}
    names |= {"user": who.user} if who.user else {}
    texts = {"call": call.call_id, "tool": call.tool, "error": str(error)}
    told = {name: writable(text[:MOST]) for name, text in texts.items()}
    return {"kind": "refusal", "status": "unavailable", **names, **told}
