"""Which way calls went, and which way they would go: counts, and a few of them to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from toolcrib.bench._weigh import Weighed, approvers_of
from toolcrib.decisions import Row

__all__ = ["OTHERS", "UNKNOWN", "WAYS", "Group", "Sample", "Tally", "Way", "approvers_in", "people"]

Way: TypeAlias = tuple[str, str]
"""From one verdict to another: `allow`, `review`, `deny`; to also `review by others` and `unknown`."""

OTHERS: Final = "review by others"
UNKNOWN: Final = "unknown"
_NEW = ("allow", "review", OTHERS, "deny")
WAYS: tuple[Way, ...] = (
    ("deny", "allow"),
    ("review", "allow"),
    ("deny", "review"),
    ("review", OTHERS),
    ("allow", "review"),
    ("allow", "deny"),
    ("review", "deny"),
    ("deny", UNKNOWN),
    ("review", UNKNOWN),
    ("allow", UNKNOWN),
)
"""Most dangerous first: what would be allowed that was not."""

MOST_USERS = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """One call that would go another way; `was` and `rows` are the rows of then and of now."""

    seq: int
    ts: str
    call: str
    user: str | None
    agent: str
    tenant: str
    tool: str
    effect: str
    reason: str
    was: tuple[str, ...]
    rows: tuple[str, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any], reason: str, rows: Iterable[str]) -> Sample:
        """From the record, with what is said of it now."""
        return cls(
            seq=record["seq"],
            ts=record["ts"],
            call=record.get("call", ""),
            user=record.get("user"),
            agent=record["agent"],
            tenant=record["tenant"],
            tool=record["tool"],
            effect=record.get("effect", ""),
            reason=reason,
            was=tuple(record.get("rows", ())),
            rows=tuple(rows),
        )


@dataclass(slots=True)
class Group:
    """Calls of one agent to one tool that go the same other way. `detail` says what is unknown, or who would
    approve instead of whom.
    """

    way: Way
    tool: str
    effect: str
    agent: str
    detail: str = ""
    count: int = 0
    users: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)

    def add(self, record: Mapping[str, Any], sample: Sample | None, most: int) -> None:
        """One more call, kept as a sample while there are fewer than `most`."""
        self.count += 1
        if len(self.users) < MOST_USERS:
            self.users.add(record.get("user") or "none")
        if sample is not None and len(self.samples) < most:
            self.samples.append(sample)

    def merge(self, other: Group, most: int) -> None:
        """Add what another process has counted."""
        self.count += other.count
        self.users |= other.users
        self.samples = sorted((*self.samples, *other.samples), key=lambda one: one.seq)[:most]


@dataclass(slots=True)
class Tally:
    """`decided` calls, of which `same` go the same way; `requotas` of all would be counted by other p3 rows.

    `undecided` are records of calls that ended before policy had a say.
    """

    decided: int = 0
    same: int = 0
    undecided: int = 0
    requotas: int = 0
    first: str = ""
    last: str = ""
    groups: dict[tuple[str, ...], Group] = field(default_factory=dict)

    @property
    def ways(self) -> dict[Way, int]:
        """How many calls go each other way, most dangerous first."""
        found: dict[Way, int] = {}
        for group in self.groups.values():
            found[group.way] = found.get(group.way, 0) + group.count
        return {way: found[way] for way in WAYS if way in found}

    @property
    def changed(self) -> int:
        """Calls that certainly go another way."""
        return sum(count for (_, new), count in self.ways.items() if new != UNKNOWN)

    @property
    def unknown(self) -> int:
        """Calls of which the log does not keep enough."""
        return sum(count for (_, new), count in self.ways.items() if new == UNKNOWN)

    def of(self, way: Way) -> list[Group]:
        """The groups that go this way, largest first."""
        groups = [group for group in self.groups.values() if group.way == way]
        return sorted(groups, key=lambda one: (-one.count, one.tool, one.agent, one.detail))

    def count(self, record: Mapping[str, Any], now: Weighed, most: int) -> None:
        """One call that was decided then, and is weighed now."""
        self.decided += 1
        self.span(record["ts"])
        old, rows = record["decision"], tuple(record.get("rows", ()))
        self.requotas += now.verdict not in (None, "deny") and _quotas_in(rows) != _quotas_of(now.quotas)
        new, detail = _way_of(old, rows, now)
        if new is None:
            self.same += 1
        else:
            group = self.put((old, new), detail, record)
            wanted = len(group.samples) < most
            rows_now = map(str, (*now.rows, *now.reviews))
            group.add(record, Sample.of(record, now.reason, rows_now) if wanted else None, most)

    def put(self, way: Way, detail: str, record: Mapping[str, Any]) -> Group:
        """The group that this record belongs to."""
        key = (*way, record["tool"], record["agent"], detail)
        group = self.groups.get(key)
        if group is None:
            effect = record.get("effect", "")
            group = self.groups[key] = Group(way, record["tool"], effect, record["agent"], detail)
        return group

    def merge(self, other: Tally, most: int) -> None:
        """Add what another process has counted."""
        self.decided += other.decided
        self.same += other.same
        self.undecided += other.undecided
        self.requotas += other.requotas
        if other.first:
            self.span(other.first)
            self.span(other.last)
        for key, group in other.groups.items():
            if key in self.groups:
                self.groups[key].merge(group, most)
            else:
                self.groups[key] = group

    def span(self, ts: str) -> None:
        """Take this time into the span of `first` to `last`."""
        self.first = min(self.first or ts, ts)
        self.last = max(self.last, ts)


def _way_of(old: str, rows: tuple[str, ...], now: Weighed) -> tuple[str | None, str]:
    """The other verdict with a detail, or None where nothing changes."""
    if now.verdict is None:
        return UNKNOWN, ", ".join(now.missing)
    if now.verdict != old:
        return now.verdict, ""
    if old == "review" and (was := approvers_in(rows)) != (new := approvers_of(now.reviews)):
        return OTHERS, f"{people(was)} → {people(new)}"
    return None, ""


def people(approvers: Iterable[frozenset[str]]) -> str:
    """Who must approve, in words: `lead and legal|requester`."""
    return " and ".join(sorted("|".join(sorted(one)) for one in approvers))


def approvers_in(rows: Iterable[str]) -> frozenset[frozenset[str]]:
    """`approvers_of` rows as a record has them: `policy.csv:12 (p2, …, requester|lead)`."""
    last = [text[:-1].rpartition(", ")[2] for text in rows if "(p2, " in text]
    return frozenset(frozenset(map(str.strip, one.split("|"))) for one in last)


def _quotas_in(rows: Iterable[str]) -> frozenset[str]:
    return frozenset(text.partition("(")[2][:-1] for text in rows if "(p3, " in text)


def _quotas_of(rows: Iterable[Row]) -> frozenset[str]:
    return frozenset(", ".join((row.kind, *row.values)) for row in rows)
