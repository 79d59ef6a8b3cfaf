"""What policy says of a call, with the rows that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Decision", "Row", "Verdict"]

Verdict: TypeAlias = Literal["allow", "deny", "review"]


@dataclass(frozen=True, slots=True, init=False)
class Row:
    """One policy row as it stands in its file: `kind` is p, p2, p3 or g; `values` are its fields after the
    kind.
    """

    kind: str
    values: tuple[str, ...]
    file: str
    line: int

    def __init__(self, kind: str, values: tuple[str, ...], file: str, line: int) -> None:
        # By the slots themselves: half the time of what a frozen dataclass does, and a policy has many rows.
        _set_kind(self, kind)
        _set_values(self, values)
        _set_file(self, file)
        _set_line(self, line)

    @property
    def place(self) -> str:
        """`policy.csv:12`."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place} ({', '.join((self.kind, *self.values))})"


_row: Any = Row
_set_kind, _set_values = _row.kind.__set__, _row.values.__set__
_set_file, _set_line = _row.file.__set__, _row.line.__set__


@dataclass(frozen=True, slots=True, init=False)
class Decision:
    """`allow`, `deny` or `review`, the rows that made it, and the policy revision.

    `rows` are the p rows that decided (the deny rows of a deny, else the allow rows); `reviews` the p2 rows
    that a human must satisfy, `quotas` the p3 rows that must have room. `is_open` marks a decision that
    still waits for the preview because some row reads `before`. `inputs` are the values that conditions
    read, by dotted name.
    """

    verdict: Verdict
    reason: str
    revision: str
    rows: tuple[Row, ...] = ()
    reviews: tuple[Row, ...] = ()
    quotas: tuple[Row, ...] = ()
    is_open: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        verdict: Verdict,
        reason: str,
        revision: str,
        rows: tuple[Row, ...] = (),
        reviews: tuple[Row, ...] = (),
        quotas: tuple[Row, ...] = (),
        is_open: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        # By the slots themselves, as in `Row`: this is on the way of every decision.
        _set_verdict(self, verdict)
        _set_reason(self, reason)
        _set_revision(self, revision)
        _set_rows(self, rows)
        _set_reviews(self, reviews)
        _set_quotas(self, quotas)
        _set_is_open(self, is_open)
        _set_inputs(self, {} if inputs is None else inputs)


_decision: Any = Decision
_set_verdict, _set_reason = _decision.verdict.__set__, _decision.reason.__set__
_set_revision, _set_rows = _decision.revision.__set__, _decision.rows.__set__
_set_reviews, _set_quotas = _decision.reviews.__set__, _decision.quotas.__set__
_set_is_open, _set_inputs = _decision.is_open.__set__, _decision.inputs.__set__
