"""Deciding one case, and saying how the decision differs from what the case expects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from toolcrib.bench._cases import Case
from toolcrib.decisions import Decision, Row
from toolcrib.policy import Policy, RowResult, explain

__all__ = ["Failure", "check", "decide"]


@dataclass(frozen=True, slots=True)
class Failure:
    """`expected` and `got` in words, and the rows that could have mattered."""

    expected: str
    got: str
    considered: tuple[RowResult, ...]


def decide(case: Case, policy: Policy) -> Decision:
    """What the policy says of the case's call."""
    return policy.decide(policy.candidates(case.principal, case.tool), case.facts)


def check(case: Case, policy: Policy, decision: Decision) -> Failure | None:
    """How the decision differs from what the case expects; None if it does not."""
    differences = list(_differences(case, policy, decision))
    if not differences:
        return None
    expected, got = (", ".join(dict.fromkeys(words)) for words in zip(*differences, strict=True))
    considered = explain(policy, case.principal, case.tool, case.facts).considered
    return Failure(expected, got, tuple(considered))


def _differences(case: Case, policy: Policy, decision: Decision) -> Iterator[tuple[str, str]]:
    if decision.is_open:
        yield case.expect, "no decision yet: it waits for the record before the change (add before:)"
        return
    if decision.verdict != case.expect:
        yield case.expect, _got(decision)
        return
    yield from _people(case, policy, decision)
    rows = [*decision.rows, *decision.reviews, *decision.quotas]
    for beginning in case.rows:
        if not any(_begins(row, beginning) for row in rows):
            yield f"{case.expect} by a row {beginning!r}", _got(decision)
    if case.no_row and rows:
        yield f"{case.expect} without a row", _got(decision)


def _got(decision: Decision) -> str:
    rows = [*decision.rows, *decision.reviews]
    by = f" by {' and '.join(map(str, rows))}" if rows else ", as no row allows it"
    return f"{decision.verdict}{by}"


def _people(case: Case, policy: Policy, decision: Decision) -> Iterator[tuple[str, str]]:
    """`by` together satisfy every row and each counts for one; of `not_by` nobody is enough alone."""
    reviews = decision.reviews
    for person in case.by:
        if not any(policy.approves(person, row, case.principal) for row in reviews):
            yield f"review that {person} may answer", f"review by {_wanted(reviews)}: {person} may not"
    if case.by:
        for row in reviews:
            if not any(policy.approves(person, row, case.principal) for person in case.by):
                yield f"review that {_listed(case.by)} can satisfy", f"review that {row} also asks for"
    for person in case.not_by:
        if all(policy.approves(person, row, case.principal) for row in reviews):
            yield f"review that {person} alone may not answer", f"review by {_wanted(reviews)}: {person} may"


def _wanted(rows: Iterable[Row]) -> str:
    return " and ".join(f"{row.values[-1]} ({row.place})" for row in rows)


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)


def _begins(row: Row, beginning: str) -> bool:
    """Whether a row's first fields are these: `p, sales` is no beginning of a row for `sales-lead`."""
    wanted = _fields(beginning)
    return _fields(", ".join((row.kind, *row.values)))[: len(wanted)] == wanted


def _fields(text: str) -> list[str]:
    return re.split(r"\s*,\s*", text.strip().rstrip(","))
