"""Taking an answer: entitled, then recorded, then stored. What is not on the audit log does not count."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from toolcrib.approvals._edits import check_edit
from toolcrib.approvals._judging import is_complete, require_entitled
from toolcrib.approvals._model import Answer, Approval
from toolcrib.decisions import Row
from toolcrib.errors import ToolcribError

if TYPE_CHECKING:
    from toolcrib.state import State

__all__ = ["WriteRecord", "approval_record", "take_answer"]


class WriteRecord(Protocol):
    """Writes an audit record, durable on return; raises `AuditError`."""

    def __call__(self, *, kind: str, **fields: Any) -> None:
        """Write it."""


def take_answer(
    state: State,
    record: WriteRecord,
    approval: Approval,
    answer: Answer,
    approves: Callable[[str, Row], bool],
) -> Approval:
    """Store `answer` to the approval as its giver saw it; the approval as it then stands.

    Raises `CallDenied` for somebody who satisfies none of its rows, `InvalidArguments` for an edit that does
    not fit, and what `State.answer` raises; each refused answer is on the audit log.
    """
    try:
        require_entitled(approval, answer.by, approves)
        if answer.edit is not None:
            check_edit(approval, answer.edit)
    except ToolcribError as error:
        facts = {"approver": answer.by, "verdict": answer.verdict, "error": str(error)}
        record(**approval_record(approval, "answer refused", **facts))
        raise
    facts = {"approver": answer.by, "verdict": answer.verdict, "note": answer.note[:2000]}
    edited = {} if answer.edit is None else {"edited": dict(answer.edit)}
    record(**approval_record(approval, "answered", **facts, **edited))
    try:
        return state.answer(approval, answer, complete=is_complete(approval, answer, approves))
    except ToolcribError as error:
        record(**approval_record(approval, "answer not stored", approver=answer.by, error=str(error)))
        raise


def approval_record(approval: Approval, action: str, **facts: Any) -> dict[str, Any]:
    """The audit record of something that happened to an approval."""
    principal = approval.principal
    return {
        "kind": "approval",
        "action": action,
        "approval": approval.id,
        "tool": approval.tool,
        "call": approval.call_id,
        "user": principal.user,
        "agent": principal.agent,
        "tenant": principal.tenant,
        "session": principal.session,
        "run": principal.run,
        "revision": approval.revision,
        **facts,
    }
