"""Approvals as plain JSON-compatible data, for the database and for `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from toolcrib.approvals._model import Answer, Approval, ApprovalRequest
from toolcrib.decisions import Row
from toolcrib.principal import Principal

__all__ = ["answer_from", "answer_to", "approval_to", "request_from", "request_to"]

PRINCIPAL = ("agent", "user", "tenant", "session", "run")
PLAIN = [
    each.name
    for each in fields(ApprovalRequest)
    if each.name not in ("principal", "requirements", "labels", "targets", "sensitive")
]


def request_to(request: ApprovalRequest) -> dict[str, Any]:
    """All fields of the request; the principal's are flat (`agent`, `user`, `tenant`, `session`, `run`)."""
    return {
        **{name: getattr(request.principal, name) for name in PRINCIPAL},
        **{name: getattr(request, name) for name in PLAIN},
        "targets": list(request.targets),
        "sensitive": list(request.sensitive),
        "labels": sorted(request.labels),
        "requirements": [
            {"kind": row.kind, "values": list(row.values), "file": row.file, "line": row.line}
            for row in request.requirements
        ],
    }


def request_from(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of an `ApprovalRequest` that `request_to` wrote."""
    return {
        **{name: data[name] for name in PLAIN},
        "principal": Principal(**{name: data[name] for name in PRINCIPAL}),
        "targets": tuple(data["targets"]),
        "sensitive": tuple(data["sensitive"]),
        "labels": frozenset(data["labels"]),
        "requirements": tuple(_row(row) for row in data["requirements"]),
    }


def answer_to(answer: Answer) -> dict[str, Any]:
    """The answer as a dict."""
    return asdict(answer)


def answer_from(data: Mapping[str, Any]) -> Answer:
    """The answer that `answer_to` wrote."""
    return Answer(**data)


def approval_to(approval: Approval) -> dict[str, Any]:
    """Everything about an approval, as the command line prints it; `shown` are the arguments that would run
    now.
    """
    answers: Sequence[Answer] = approval.answers
    return {
        "id": approval.id,
        "status": approval.status,
        "created": approval.created,
        "expires": approval.expires,
        "superseded_by": approval.superseded_by,
        "shown": dict(approval.shown),
        "answers": [answer_to(answer) for answer in answers],
        **request_to(approval),
    }


def _row(data: Mapping[str, Any]) -> Row:
    return Row(data["kind"], tuple(data["values"]), data["file"], data["line"])
