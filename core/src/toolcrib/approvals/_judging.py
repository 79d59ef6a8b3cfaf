"""Whether the answers so far satisfy what policy demands. Policy says who may; this only counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from toolcrib.approvals._model import Answer, Approval
from toolcrib.decisions import Row
from toolcrib.errors import ApprovalExpired, ApprovalPending, ApprovalRejected, CallDenied, CallRefused

__all__ = ["approvers_of", "is_complete", "require_entitled", "require_status", "unmet"]


def unmet(
    requirements: Sequence[Row], answers: Iterable[Answer], approves: Callable[[str, Row], bool]
) -> tuple[Row, ...]:
    """The rows that no approving or editing person among `answers` satisfies; `approves(user, row)` asks
    policy.

    Pass `Approval.standing`, not all answers: those given before an edit were given to other arguments.
    """
    people = {answer.by for answer in answers if answer.verdict != "reject"}
    return tuple(row for row in requirements if not any(approves(person, row) for person in people))


def is_complete(approval: Approval, answer: Answer, approves: Callable[[str, Row], bool]) -> bool:
    """Whether `answer` leaves nothing unmet. An approval that demands nothing is not approved by anybody:
    that is a mistake.
    """
    standing = (answer,) if answer.verdict == "edit" else (*approval.standing, answer)
    return bool(approval.requirements) and not unmet(approval.requirements, standing, approves)


def require_entitled(approval: Approval, person: str, approves: Callable[[str, Row], bool]) -> None:
    """Raise `CallDenied`, naming the rows, unless `person` satisfies at least one requirement; holds for a
    rejection too.
    """
    if not any(approves(person, row) for row in approval.requirements):
        raise CallDenied(
            f"{person!r} may not answer approval {approval.id} ({approval.tool})",
            rule="; ".join(f"{row} needs {approvers_of(row)}" for row in approval.requirements)
            or "no p2 row is recorded",
            remedy="Ask one of those who may, or change the row or the roles",
        )


def approvers_of(row: Row) -> str:
    """The `approvers` expression of a p2 row (its last field)."""
    return row.values[-1] if row.values else "nobody"


def require_status(approval: Approval, *wanted: str) -> None:
    """Raise the error that fits the approval's status, unless that is one of `wanted`."""
    if approval.status in wanted:
        return
    what = f"approval {approval.id} of {approval.tool} is {approval.status}"
    if approval.status == "expired":
        raise ApprovalExpired(
            what, rule="an expiry is never a yes", remedy="The call must be asked for again"
        )
    if approval.status == "rejected":
        raise ApprovalRejected(what, rule=_rejection(approval), remedy="The call must be asked for again")
    if approval.status == "pending":
        raise ApprovalPending(
            what, approval=approval.id, remedy=f"`toolcrib approvals approve {approval.id}` answers it"
        )
    if approval.status == "superseded":
        new = approval.superseded_by
        raise CallRefused(
            f"{what} by {new}" if new else f"{what}: nobody needs it any more",
            rule="a changed question is asked again",
            remedy=f"Answer {new}" if new else "",
        )
    raise CallRefused(what, rule="an approval is answered once and used once")


def _rejection(approval: Approval) -> str:
    last = approval.answers[-1]
    return f"rejected by {last.by}" + (f": {last.note}" if last.note else "")
