"""Rows by tenant, subject and object, so that a decision looks at no row that cannot match.

The matcher of the shipped model is a conjunction: act, domain, object, subject, condition. The first four
are equality, `*` or a prefix, so each row stands under one key, and a decision looks up the few keys that
can match: the tenant and `*`; the subject, its roles and `*`; the tool, its pack's `.*` and `*`. Conditions
are left to Casbin's evaluator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from toolcrib.decisions import Row
from toolcrib.effects import Act
from toolcrib.policy._conditions import Condition
from toolcrib.policy._memo import Memo
from toolcrib.policy._roles import RoleGraph

__all__ = ["ALLOW", "ANY", "DENY", "QUOTA", "REVIEW", "Index", "Rule"]

ANY = "*"
ALLOW: Final = 0
DENY: Final = 1
REVIEW: Final = 2
QUOTA: Final = 3

MEMORY = 8192
"""Subjects by tenant whose place in the index is remembered."""


class Rule:
    """A p, p2 or p3 row as the index holds it: what it does, for which effect (`*`: all), and its condition
    (None: always true).
    """

    __slots__ = ("act", "condition", "does", "row")

    def __init__(self, row: Row, condition: Condition | None) -> None:
        self.row, self.condition = row, condition
        if row.kind == "p":
            self.does = DENY if row.values[-1] == "deny" else ALLOW
        else:
            self.does = REVIEW if row.kind == "p2" else QUOTA
        self.act = ANY if self.does == QUOTA else row.values[3]


_Objects: TypeAlias = dict[str, list[Rule]]
_Subjects: TypeAlias = dict[str, _Objects]


class Index:
    """Finds the rules whose sub, dom, obj and act select a call."""

    def __init__(self, rules: Iterable[Rule], roles: RoleGraph) -> None:
        self.roles = roles
        self._tenants: dict[str, _Subjects] = {}
        self._memo: Memo[tuple[str, str], tuple[_Objects, ...]] = Memo(MEMORY)
        tenants = self._tenants
        for rule in rules:
            subject, tenant, name, *_ = rule.row.values
            subjects = tenants.get(tenant)
            if subjects is None:
                subjects = tenants[tenant] = {}
            objects = subjects.get(subject)
            if objects is None:
                subjects[subject] = {name: [rule]}
            elif name in objects:
                objects[name].append(rule)
            else:
                objects[name] = [rule]

    def gather(self, subject: str, tenant: str, names: Sequence[str], effect: Act) -> list[Rule]:
        """The rules for this subject, one of its roles, or everybody."""
        found: list[Rule] = []
        for objects in self._memo.get((subject, tenant)) or self._objects(subject, tenant):
            for name in names:
                if name in objects:
                    found += objects[name]
        return [rule for rule in found if rule.act == effect or rule.act == ANY] if found else found

    def _objects(self, subject: str, tenant: str) -> tuple[_Objects, ...]:
        """What stands under the tenant and `*`, for the subject, its roles and `*`."""
        found = []
        holds = (*self.roles.closure(subject, tenant), ANY)
        for subjects in (self._tenants.get(tenant), self._tenants.get(ANY)):
            if subjects is not None:
                found += [subjects[one] for one in holds if one in subjects]
        return self._memo.put((subject, tenant), tuple(found))

    @staticmethod
    @lru_cache(4096)
    def names(name: str) -> tuple[str, str, str]:
        """The objects that match a tool: itself, its pack, everything."""
        return (name, name[: name.find(".") + 1] + ANY, ANY)
