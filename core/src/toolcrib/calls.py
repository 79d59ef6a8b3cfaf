"""One request to run one tool, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from toolcrib.decisions import Decision
from toolcrib.principal import Principal

__all__ = ["Status", "ToolCall", "ToolResult"]

Status: TypeAlias = Literal[
    "done",  # the tool ran and returned
    "denied",  # policy said no
    "unknown",  # no such tool, or not offered to this principal
    "invalid",  # the arguments do not fit the schema
    "stopped",  # the loop guard
    "limited",  # a quota has no room
    "pending",  # parked for a human
    "rejected",  # a human said no
    "expired",  # nobody answered in time
    "failed",  # the tool failed and nothing happened (or it was a read)
    "ambiguous",  # a write may or may not have happened
    "cancelled",  # the caller went away
    "unavailable",  # audit, state, secrets or sandbox not there: nothing ran
]


def _new_id() -> str:
    return "call-" + os.urandom(8).hex()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One request to run one tool.

    `tool` is a canonical name (`crm.get_record`); adapters translate wire names. `idempotency_key` defaults
    to the run and the model's call id, scoped by tenant, user, agent and tool. `reason`, `model` and
    `prompt_version` only go to the audit log.
    """

    tool: str
    arguments: Mapping[str, Any]
    principal: Principal
    call_id: str = field(default_factory=_new_id)
    idempotency_key: str | None = None
    reason: str = ""
    model: str = ""
    prompt_version: str = ""

    @property
    def key(self) -> str:
        """The idempotency key in force."""
        return self.idempotency_key or f"{self.principal.run}:{self.call_id}"


@dataclass(frozen=True, slots=True, init=False)
class ToolResult:
    """What came of a call; refusals and failures are results too.

    `text` is what a model should read. `value` is the JSON-compatible result of a `done` call, else None.
    `artifact` is the path of the whole result where it was too large to hand over, relative to the state
    folder. `duration` is in seconds.
    """

    call_id: str
    tool: str
    status: Status
    text: str
    value: Any = None
    decision: Decision | None = None
    approval: str | None = None
    artifact: str | None = None
    labels: frozenset[str] = frozenset()
    attempts: int = 0
    duration: float = 0.0
    retry_after: float | None = None

    def __init__(
        self,
        call_id: str,
        tool: str,
        status: Status,
        text: str,
        value: Any = None,
        decision: Decision | None = None,
        approval: str | None = None,
        artifact: str | None = None,
        labels: frozenset[str] = frozenset(),
        attempts: int = 0,
        duration: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        # By the slots themselves, as in `Decision`: this is on the way of every call.
        _set_call_id(self, call_id)
        _set_tool(self, tool)
        _set_status(self, status)
        _set_text(self, text)
        _set_value(self, value)
        _set_decision(self, decision)
        _set_approval(self, approval)
        _set_artifact(self, artifact)
        _set_labels(self, labels)
        _set_attempts(self, attempts)
        _set_duration(self, duration)
        _set_retry_after(self, retry_after)

    @property
    def is_error(self) -> bool:
        """True for everything but `done`."""
        return self.status != "done"


_result: Any = ToolResult
_set_call_id, _set_tool = _result.call_id.__set__, _result.tool.__set__
_set_status, _set_text = _result.status.__set__, _result.text.__set__
_set_value, _set_decision = _result.value.__set__, _result.decision.__set__
_set_approval, _set_artifact = _result.approval.__set__, _result.artifact.__set__
_set_labels, _set_attempts = _result.labels.__set__, _result.attempts.__set__
_set_duration, _set_retry_after = _result.duration.__set__, _result.retry_after.__set__
