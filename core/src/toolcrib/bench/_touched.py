"""Which subjects and tools a change of rows can reach, so that nothing else is compared."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from toolcrib.bench.cells import approvers
from toolcrib.bench.view import EVERYBODY, View
from toolcrib.decisions import Row
from toolcrib.policy import Governed
from toolcrib.policy._index import ANY

__all__ = ["RowsByTenant", "Touched", "changed_tenants"]

_Text: TypeAlias = tuple[str, tuple[str, ...]]
RowsByTenant: TypeAlias = Mapping[str, Sequence[Row]]


def changed_tenants(old: RowsByTenant, new: RowsByTenant) -> list[str]:
    """The tenants whose rows differ: those that rows name, and `*` (first) if rows for all tenants do."""
    named = {*old, *new} - {ANY}
    if _texts(old.get(ANY, ())) != _texts(new.get(ANY, ())):
        return [ANY, *sorted(named)]
    return sorted(one for one in named if _texts(old.get(one, ())) != _texts(new.get(one, ())))


def _texts(rows: Iterable[Row]) -> set[_Text]:
    return {(row.kind, row.values) for row in rows}


class Touched:
    """The difference of two policies in one tenant, as rows."""

    def __init__(self, old: View, new: View) -> None:
        self._views = old, new
        changed = _texts(old.rows) ^ _texts(new.rows)
        self._has_links = any(kind == "g" for kind, _ in changed)
        rows = {text for text in changed if text[0] != "g"} | (
            self._reviews_of_others() if self._has_links else set()
        )
        self._selected: dict[tuple[_Text, ...], Sequence[Governed]] = {(): ()}
        self._rows: dict[str, list[_Text]] = {}
        for text in rows:
            self._rows.setdefault(text[1][0], []).append(text)

    def _reviews_of_others(self) -> set[_Text]:
        """p2 rows whose approvers are other people now."""
        old, new = self._views
        roles = {
            role
            for role in {*old.members, *new.members}
            if set(old.members.get(role, ())) != set(new.members.get(role, ()))
        }
        return {
            (row.kind, row.values)
            for view in self._views
            for row in view.rows
            if row.kind == "p2" and not roles.isdisjoint(approvers(row))
        }

    def tools(self, subject: str, tools: Iterable[Governed]) -> Sequence[Governed]:
        """The tools whose cell for this subject may differ; `tools` are the same every time."""
        old, new = self._views
        held = {*old.roles(subject)}, {*new.roles(subject)}
        if held[0] != held[1]:
            return tuple(tools)
        rows = tuple([row for one in (subject, *held[0], EVERYBODY) for row in self._rows.get(one, ())])
        found = self._selected.get(rows)
        if found is None:
            found = [tool for tool in tools if any(_selects(row, tool) for row in rows)]
            self._selected[rows] = found
        return found

    def class_of(self, subject: str) -> Hashable:
        """Subjects of one class have the same cells in both policies."""
        return tuple(
            frozenset((subject, *view.roles(subject))) & bearing
            for view, bearing in zip(self._views, self._bearing, strict=True)
        )

    @cached_property
    def _bearing(self) -> tuple[frozenset[str], ...]:
        """Subjects that rows other than g name, in each policy."""
        return tuple(frozenset(row.values[0] for row in view.rows if row.kind != "g") for view in self._views)


def _selects(row: _Text, tool: Governed) -> bool:
    kind, values = row
    if kind != "p3" and values[3] not in (ANY, tool.effect):
        return False
    name = values[2]
    return name in (ANY, tool.name) or (name[-1] == ANY and tool.name.startswith(name[:-1]))
