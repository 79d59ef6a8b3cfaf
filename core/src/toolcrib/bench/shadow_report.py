"""What a shadow policy has said on the audit log, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolcrib.bench._scan import Filters, decided, pieces
from toolcrib.bench._ways import OTHERS, UNKNOWN, Sample, Tally, approvers_in, people
from toolcrib.bench.replay import Progress

__all__ = ["Shadowed", "shadowed"]

MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Shadowed:
    """The `tally` of one `revision` of the shadow, the last one unless asked for; None if there was none.

    `revisions` are all that the log knows, with how many calls were compared, in order; `failures` the last
    reasons for which a shadow was not asked.
    """

    revision: str | None
    tally: Tally
    revisions: Mapping[str, int]
    failures: Sequence[str]


def shadowed(
    log: Path,
    *,
    revision: str | None = None,
    filters: Filters | None = None,
    samples: int = 3,
    progress: Progress | None = None,
) -> Shadowed:
    """Count the calls of the audit log in folder `log` on which a shadow policy was asked; raises
    `AuditError`.
    """
    todo = pieces(log)
    done, total = 0, sum(piece.size for piece in todo)
    tallies: dict[str, Tally] = {}
    for piece in todo:
        for record in decided(piece, filters or Filters(), (b'"shadow":{',)):
            told = record.get("shadow")
            if isinstance(told, dict) and "decision" in record:
                _count(tallies.setdefault(told["revision"], Tally()), record, told, samples)
        done += piece.size
        if progress:
            progress("reading", done, total)
    chosen = revision or max(tallies, key=lambda one: tallies[one].last, default=None)
    revisions = {name: tally.decided for name, tally in sorted(tallies.items(), key=lambda one: one[1].first)}
    return Shadowed(chosen, tallies.get(chosen or "", Tally()), revisions, _failures(log))


def _count(tally: Tally, record: Mapping[str, Any], told: Mapping[str, Any], most: int) -> None:
    tally.decided += 1
    tally.span(record["ts"])
    if "decision" not in told:
        tally.same += 1
        return
    old, new, rows, detail = record["decision"], told["decision"], tuple(told.get("rows", ())), ""
    if new == UNKNOWN:
        detail = ", ".join(told.get("missing", ()))
    elif new == old == "review":
        new, detail = OTHERS, f"{people(approvers_in(record.get('rows', ())))} → {people(approvers_in(rows))}"
    reason = "by " + " and ".join(rows) if rows else "no row allows it"
    tally.put((old, new), detail, record).add(record, Sample.of(record, reason, rows), most)


def _failures(log: Path) -> list[str]:
    from toolcrib.audit import query

    found = (one for one in query(log, kind="admin") if one.get("action") == "shadow.failed")
    return list(dict.fromkeys(str(one.get("detail")) for one in found))[-MOST_FAILURES:]
