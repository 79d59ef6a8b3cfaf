"""Keeps what agents say and do out of AutoGen's logs.

AutoGen logs every model call, every message and every tool call with all they contain: arguments, results,
and so secrets and personal data. What a call did belongs in the audit log, where sensitive arguments are
HMACs. Looking for what must not be logged would always miss something, so it is the other way round: only the
shape of an event passes (types, names, ids, counts), and every other value is replaced.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

__all__ = ["ShapeOnly", "protect_logs", "protect_logs_once", "unprotect_logs"]

LOGGERS = (
    "autogen_core",
    "autogen_core.events",
    "autogen_core.trace",
    "autogen_agentchat",
    "autogen_agentchat.events",
)
"""Every logger that AutoGen 0.7.5 writes contents to."""

# fmt: off
SHAPE = frozenset((
    "type", "role", "name", "tool_name", "source", "target", "id", "call_id", "tool_call_id", "agent_id",
    "sender", "receiver", "handling_agent", "kind", "delivery_stage", "model", "object", "created",
    "created_at", "finish_reason", "index", "is_error", "prompt_tokens", "completion_tokens", "total_tokens",
    "approval", "tool", "fraction",
))
OPAQUE = frozenset(("arguments", "result", "metadata", "context", "parsed", "exception"))
# fmt: on


class ShapeOnly(logging.Filter):
    """Replaces the contents of AutoGen's events; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True; the record holds a cleaned copy of its event."""
        event: Any = record.msg
        if isinstance(event, BaseModel):
            record.msg = json.dumps(_shape(event.model_dump(mode="json")))
        elif isinstance(getattr(event, "kwargs", None), dict):
            record.msg = clean = copy.copy(event)
            clean.kwargs = _shape(event.kwargs)
        else:
            record.msg = _line(record)
        record.args = record.exc_info = record.exc_text = None
        return True


def _line(record: logging.LogRecord) -> str:
    """A plain line ("Publishing message of type X to all subscribers: {...}") up to the contents; of an
    exception only its type, because its message may quote what a tool said.
    """
    text = record.getMessage()
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=len(text))
    line = text[:start] + (_withheld(text[start:]) if start < len(text) else "")
    kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
    return f"{line} ({kind.__name__})" if kind else line


def _shape(value: Any, key: str = "") -> Any:
    if key == "payload" and isinstance(value, str):
        return _payload(value)
    if key in OPAQUE or (key == "content" and isinstance(value, Mapping)):
        return _withheld(value)
    if isinstance(value, Mapping):
        return {name: _shape(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(inner, key) for inner in value]
    if value is None or isinstance(value, bool) or key in SHAPE:
        return value
    return _withheld(value)


def _payload(text: str) -> str:
    """A message that was written as JSON before it was logged."""
    try:
        return json.dumps(_shape(json.loads(text)))
    except (ValueError, RecursionError):
        return _withheld(text)


def _withheld(value: Any) -> str:
    return f"[withheld: {len(value)} characters]" if isinstance(value, str) else "[withheld]"


_FILTER = ShapeOnly()
_installed_once = False


def protect_logs() -> None:
    """Let only the shape of events pass AutoGen's loggers, in this process, also for agents that are not
    governed.
    """
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


def protect_logs_once() -> None:
    """`protect_logs` at the first call; what an operator has undone since stays undone."""
    global _installed_once
    if not _installed_once:
        _installed_once = True
        protect_logs()


def unprotect_logs() -> None:
    """Let AutoGen log everything again, for debugging with made-up data."""
    for name in LOGGERS:
        logging.getLogger(name).removeFilter(_FILTER)
