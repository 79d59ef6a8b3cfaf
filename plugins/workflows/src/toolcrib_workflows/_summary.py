"""What the audit log says of one run. The story comes from the calls themselves; this comes from the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolcrib.audit import Verification, query, verify

__all__ = ["Asked", "Summary", "summarise"]

DECIDED = ("refusal", "recall", "intent", "outcome")


@dataclass(slots=True)
class Asked:
    """One call as the log tells it, whatever number of records it has."""

    call: str
    agent: str
    tool: str
    status: str = "running"
    rows: tuple[str, ...] = ()
    approval: str = ""
    approver: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()


@dataclass(slots=True)
class Summary:
    """All calls of a run in the order in which they were first asked; `answers` are the humans' words."""

    run: str
    calls: list[Asked] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0
    problem: str = ""

    @property
    def counts(self) -> Counter[str]:
        """Calls by status."""
        return Counter(call.status for call in self.calls)

    def of(self, *statuses: str) -> list[Asked]:
        """The calls with one of these statuses."""
        return [call for call in self.calls if call.status in statuses]

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON-compatible data."""
        return {
            "run": self.run,
            "asked": len(self.calls),
            "by_status": dict(self.counts),
            "calls": [asdict(call) for call in self.calls],
            "answers": self.answers,
            "log": {"records": self.records, "ok": not self.problem, "problem": self.problem},
        }


def summarise(folder: Path, run: str) -> Summary:
    """Read and verify the log in `folder`; raises `AuditError` where it cannot be read."""
    summary = Summary(run)
    calls: dict[str, Asked] = {}
    for record in query(folder, run=run):
        if record["kind"] in DECIDED and "preview_of" not in record:
            call = calls.setdefault(record["call"], Asked(record["call"], record["agent"], record["tool"]))
            _add(call, record)
        elif record["kind"] == "approval" and record["action"] == "answered":
            summary.answers.append(_answer(record))
    summary.calls = list(calls.values())
    _verified(summary, verify(folder))
    return summary


def _add(call: Asked, record: Mapping[str, Any]) -> None:
    """A later record of the same call says more: it was parked, then it ran."""
    call.status = record.get("status", call.status)
    call.rows = tuple(record.get("rows", call.rows))
    call.approval = record.get("approval", call.approval)
    call.approver = tuple(record.get("approver", call.approver))
    asked = record.get("edited", {}).get("asked")
    if asked is not None:
        call.edited = tuple(_changed(asked, record["arguments"]))


def _changed(asked: Mapping[str, Any], ran: Mapping[str, Any]) -> Iterable[str]:
    return [name for name in ran if ran[name] != asked.get(name)]


def _answer(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("approval", "tool", "approver", "verdict", "note")
    return {name: record[name] for name in kept if record.get(name)}


def _verified(summary: Summary, verification: Verification) -> None:
    summary.records = verification.records
    if verification.problem is not None:
        summary.problem = str(verification.problem)
