"""What the rows say of one subject and one tool, before any argument is known.

A cell is made of one subject, or of user and agent together. Its state is what every call would come to,
or `depends` where conditions make it one thing or another. That a condition which cannot be evaluated
denies is left out of account: it would make every conditional cell `depends`, and it only ever takes away.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from toolcrib.decisions import Row
from toolcrib.policy._alone import is_of_secret_alone
from toolcrib.policy._index import ALLOW, DENY, QUOTA, REVIEW, Rule

__all__ = [
    "NOTHING",
    "STATES",
    "Cell",
    "State",
    "always",
    "approvers",
    "cell_of",
    "condition",
    "quota_key",
    "quota_words",
]

State: TypeAlias = Literal["allow", "review", "deny", "depends"]
STATES: tuple[State, ...] = ("allow", "review", "depends", "deny")
"""From the widest to the narrowest, `depends` in between."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The rows that select a subject and a tool. `allows` has one tuple for each subject asked about, the
    other kinds are of all of them. `denies` has the reviews and quotas of a secret alone too, which deny it.
    """

    state: State
    allows: tuple[tuple[Row, ...], ...] = ((),)
    denies: tuple[Row, ...] = ()
    reviews: tuple[Row, ...] = ()
    quotas: tuple[Row, ...] = ()

    @property
    def forbidden(self) -> bool:
        """Whether a row denies it in every case, so that no allow row could help."""
        return any(map(always, self.denies))

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them, in the order of the file."""
        allows = [row for side in self.allows for row in side]
        return _in_order((*allows, *self.denies, *self.reviews, *self.quotas))

    @property
    def meaning(self) -> Hashable:
        """Equal for two cells that decide every call alike: what the rows say, not where they stand."""
        if self.state == "deny":
            return "deny"
        return (
            tuple(frozenset(map(condition, side)) for side in self.allows),
            frozenset(map(condition, self.denies)),
            frozenset((condition(row), approvers(row)) for row in self.reviews),
            frozenset(map(quota_key, self.quotas)),
        )

    @property
    def conditions(self) -> tuple[str, ...]:
        """What the state depends on: `deny when …`, `review by lead when …`, `allow only when …`."""
        if self.state == "deny":
            return ()
        found = [
            f"allow only when {_any_of(side)}" for side in self.allows if side and not any(map(always, side))
        ]
        found += [f"deny when {condition(row)}" for row in self.denies]
        found += [
            f"review by {row.values[-1]} when {condition(row)}" for row in self.reviews if not always(row)
        ]
        return tuple(dict.fromkeys(found))

    @property
    def words(self) -> str:
        """The whole in a line: `allow; deny when …; review by lead`, without quotas."""
        if self.state == "deny":
            return f"deny by {_places(self.denies)}" if self.forbidden else "deny"
        named = dict.fromkeys(row.values[-1] for row in self.reviews if always(row))
        start = [f"review by {' and by '.join(named)}"] if named else []
        if not start and not any(text.startswith("allow") for text in self.conditions):
            start = ["allow"]
        return "; ".join((*start, *self.conditions))

    @property
    def limits(self) -> tuple[str, ...]:
        """Its quotas: `20/day per user`, with the tools that share the count if they are several."""
        return tuple(dict.fromkeys(map(quota_words, self.quotas))) if self.state != "deny" else ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "state": self.state,
            "words": self.words,
            "conditions": list(self.conditions),
            "quotas": list(self.limits),
            "approvers": list(dict.fromkeys(row.values[-1] for row in self.reviews)),
            "rows": [{"place": row.place, "kind": row.kind, "values": list(row.values)} for row in self.rows],
        }


NOTHING = Cell("deny")
"""No row at all."""


def cell_of(sides: Sequence[Iterable[Rule]]) -> Cell:
    """The cell of the rules that select each subject (`Index.gather`)."""
    allows: list[tuple[Row, ...]] = []
    others: dict[int, list[Row]] = {DENY: [], REVIEW: [], QUOTA: []}
    for side in sides:
        own: list[Row] = []
        for rule in side:
            does = DENY if is_of_secret_alone(rule.row) else rule.does
            (own if does == ALLOW else others[does]).append(rule.row)
        allows.append(_in_order(own))
    denies, reviews, quotas = map(_in_order, others.values())
    return Cell(_state(allows, denies, reviews), tuple(allows), denies, reviews, quotas)


def _in_order(rows: Sequence[Row]) -> tuple[Row, ...]:
    """As they stand in the file, each once."""
    if len(rows) < 2:
        return tuple(rows)
    by_line = {row.line: row for row in rows}
    return tuple([by_line[line] for line in sorted(by_line)])


def _state(allows: Sequence[Sequence[Row]], denies: Sequence[Row], reviews: Sequence[Row]) -> State:
    if not all(allows) or any(map(always, denies)):
        return "deny"
    if denies or not all(any(map(always, side)) for side in allows):
        return "depends"
    if not reviews:
        return "allow"
    return "review" if any(map(always, reviews)) else "depends"


def condition(row: Row) -> str:
    """The `when` of a p or p2 row; a p3 row has none."""
    return "True" if row.kind == "p3" else row.values[4]


def always(row: Row) -> bool:
    """Whether a row has no condition."""
    return condition(row) == "True"


def approvers(row: Row) -> frozenset[str]:
    """The alternatives of a p2 row."""
    return frozenset(one.strip() for one in row.values[-1].split("|"))


def quota_key(row: Row) -> Hashable:
    """What a p3 row counts together: who shares the count, over which tools, how many."""
    subject, _, name, quota = row.values
    return subject, name, " ".join(quota.split())


def quota_words(row: Row) -> str:
    """`20/day per user`, and over which tools if the count is shared."""
    subject, _, name, quota = row.values
    over = f" over {name}" if name.endswith("*") else ""
    return f"{quota}{over}" if subject == "*" else f"{quota}{over} ({subject})"


def _any_of(rows: Iterable[Row]) -> str:
    texts = list(dict.fromkeys(map(condition, rows)))
    return texts[0] if len(texts) == 1 else " or ".join(f"({text})" for text in texts)


def _places(rows: Iterable[Row]) -> str:
    return " and ".join(row.place for row in rows if always(row))
