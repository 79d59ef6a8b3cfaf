"""Which subjects and tools a change of rows can reach, so that nothing else is compared."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import TypeAlias

from toolcrib.bench.cells import approvers
from toolcrib.bench.view import EVERYBODY, View
from toolcrib.policy import Governed, Policy
from toolcrib.policy._index import ANY

__all__ = ["Touched", "changed_tenants"]

_Text: TypeAlias = tuple[str, tuple[str, ...]]


def changed_tenants(old: Policy, new: Policy) -> list[str]:
    """The tenants whose rows differ: those that rows name, and `*` (first) if rows for all tenants do."""
    texts = _texts(old), _texts(new)
    changed = {_tenant(text) for text in texts[0] ^ texts[1]}
    if ANY not in changed:
        return sorted(changed)
    named = {_tenant(text) for one in texts for text in one}
    return [ANY, *sorted(named - {ANY})]


def _texts(policy: Policy) -> set[_Text]:
    return {(row.kind, row.values) for row in policy.rows}


def _tenant(text: _Text) -> str:
    kind, values = text
    return values[2] if kind == "g" else values[1]


class Touched:
    """The difference of two policies in one tenant, as rows."""

    def __init__(self, old: View, new: View) -> None:
        self._views = old, new
        here = (new.tenant, ANY)
        texts = _texts(old.policy), _texts(new.policy)
        changed = {text for text in texts[0] ^ texts[1] if _tenant(text) in here}
        self._has_links = any(kind == "g" for kind, _ in changed)
        rows = {text for text in changed if text[0] != "g"} | (
            self._reviews_of_others() if self._has_links else set()
        )
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
            for row in view.policy.rows
            if row.kind == "p2" and not roles.isdisjoint(approvers(row))
        }

    def tools(self, subject: str, tools: Iterable[Governed]) -> Sequence[Governed]:
        """The tools whose cell for this subject may differ."""
        old, new = self._views
        held = {*old.roles(subject)}, {*new.roles(subject)}
        if held[0] != held[1]:
            return tuple(tools)
        rows = [row for one in (subject, *held[0], EVERYBODY) for row in self._rows.get(one, ())]
        return [tool for tool in tools if any(_selects(row, tool) for row in rows)] if rows else ()

    def class_of(self, subject: str) -> Hashable:
        """Subjects of one class have the same cells in both policies."""
        return tuple(
            frozenset((subject, *view.roles(subject))) & bearing
            for view, bearing in zip(self._views, self._bearing, strict=True)
        )

    @cached_property
    def _bearing(self) -> tuple[frozenset[str], ...]:
        """Subjects that rows other than g name, in each policy."""
        return tuple(
            frozenset(row.values[0] for row in view.policy.rows if row.kind != "g") for view in self._views
        )


def _selects(row: _Text, tool: Governed) -> bool:
    kind, values = row
    if kind != "p3" and values[3] not in (ANY, tool.effect):
        return False
    name = values[2]
    return name in (ANY, tool.name) or (name[-1] == ANY and tool.name.startswith(name[:-1]))
