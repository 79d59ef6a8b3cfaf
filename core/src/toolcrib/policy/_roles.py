"""Who holds which roles, in which tenant.

The same question as Casbin's `g(r.sub, p.sub, r.dom)` with keyMatch as domain matching function: in
tenant T count the g rows of T and those of `*`, up to `MAX_HOPS` rows deep. Casbin stops there without a
word, and a cycle hides who inherits from whom, so both are refused when the policy is loaded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from toolcrib.decisions import Row
from toolcrib.policy._memo import Memo
from toolcrib.policy._problems import Problem

__all__ = ["MAX_HOPS", "RoleGraph"]

MAX_HOPS = 9
"""pycasbin's RoleManager(10) looks at the subject itself and nine levels above it."""

MAX_SHOWN = 9
"""Names of a cycle in a message."""

EVERY = "*"
Links = Mapping[str, Sequence[str]]
_NONE: Links = {}


class RoleGraph:
    """Role links by tenant."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._links: dict[str, dict[str, list[str]]] = {}
        self._places: dict[tuple[str, str, str], Row] = {}
        for row in rows:
            subject, role, *domain = row.values
            tenant = domain[0] if domain else EVERY
            self._links.setdefault(tenant, {}).setdefault(subject, []).append(role)
            self._places.setdefault((tenant, subject, role), row)
        self._every = self._links.get(EVERY, _NONE)
        # Roles that inherit from others are few; who holds none of them needs no walk.
        self._inheriting = {name for links in self._links.values() for name in links if ":" not in name}
        self._memo: Memo[tuple[str, str], tuple[str, ...]] = Memo(8192)

    def closure(self, subject: str, tenant: str) -> tuple[str, ...]:
        """The subject itself and every role that it holds there, nearest first."""
        own = self._links.get(tenant, _NONE)
        held = (*own.get(subject, ()), *self._every.get(subject, ()))
        if self._inheriting.isdisjoint(held):
            return (subject, *dict.fromkeys(held)) if len(held) > 1 else (subject, *held)
        key = (subject, tenant)
        return self._memo.get(key) or self._memo.put(key, self._walk(subject, tenant))

    def _walk(self, subject: str, tenant: str) -> tuple[str, ...]:
        own, every = self._links.get(tenant, _NONE), self._every
        found = {subject: None}
        level: list[str] = [subject]
        for _ in range(MAX_HOPS):
            level = [
                role
                for name in level
                for role in (*own.get(name, ()), *every.get(name, ()))
                if role not in found and not found.update({role: None})
            ]
            if not level:
                break
        return tuple(found)

    def problems(self) -> list[Problem]:
        """Cycles and chains that Casbin would not follow, tenant by tenant."""
        every = self._links.get(EVERY, {})
        above = _longest_above(every)
        found = []
        for tenant, links in self._links.items():
            found += self._problems_in(tenant, links, every if tenant != EVERY else _NONE, above)
        return found

    def _problems_in(self, tenant: str, own: Links, every: Links, above: Mapping[str, int]) -> list[Problem]:
        # A path that uses a row of this tenant is one of `*` rows only, then a first row of the tenant,
        # then any; so it is enough to walk down from where the tenant's rows start, and to know what may
        # stand above.
        depths: dict[str, int] = {}
        for start in self._chained(own, every):
            cycle = _depths(start, own, every, depths)
            if cycle:
                return self._cycle(tenant, cycle)
            length = depths[start] + above.get(start, 0)
            if length > MAX_HOPS:
                row = self._places[tenant, start, own[start][0]]
                return [_problem(tenant, row, f"a chain of {length} g rows", _DEEP)]
        return []

    def _cycle(self, tenant: str, names: Sequence[str]) -> list[Problem]:
        """The row that closes a cycle: the last one in the file without which there is none."""
        rows = [self._first(tenant, subject, role) for subject, role in itertools.pairwise(names)]
        if tenant != EVERY and all(row.values[2:] in ((), (EVERY,)) for row in rows):
            return []  # told once, for every tenant
        row = max(rows, key=lambda one: one.line)
        at = names.index(row.values[1])
        turned = [*names[at:-1], *names[:at], names[at]]
        shown = turned if len(turned) <= MAX_SHOWN else [*turned[: MAX_SHOWN - 1], "…", turned[-1]]
        return [_problem(tenant, row, f"a cycle of roles: {' > '.join(shown)}", _CYCLE)]

    def _first(self, tenant: str, subject: str, role: str) -> Row:
        """The first row that gives a role in a tenant."""
        places = (self._places.get((one, subject, role)) for one in dict.fromkeys((tenant, EVERY)))
        return min((row for row in places if row), key=lambda one: one.line)

    def _chained(self, own: Links, every: Links) -> Iterator[str]:
        """Who can be in a cycle or at the beginning of a chain: a role, or who holds a role that inherits.

        Nobody holds a user or an agent.
        """
        inheriting = self._inheriting
        for name, roles in own.items():
            if (
                name in inheriting
                or not inheriting.isdisjoint(roles)
                or not inheriting.isdisjoint(every.get(name, ()))
            ):
                yield name


def _problem(tenant: str, row: Row, what: str, advice: tuple[str, str]) -> Problem:
    return Problem(row.file, row.line, 0, f"{what} in tenant {tenant}", *advice)


_CYCLE = ("roles inherit in one direction only", "Remove one of the rows")
_DEEP = (
    f"Casbin follows at most {MAX_HOPS} g rows and ignores the rest silently",
    "Give the role more directly",
)


def _depths(start: str, own: Links, every: Links, depths: dict[str, int]) -> list[str]:
    """Fill `depths` (longest way down, in rows) for `start` and all below it; a cycle is returned as its
    names.

    Written without recursion: a chain may be as long as the file.
    """
    if start in depths:
        return []
    path: dict[str, None] = {start: None}
    stack = [(start, iter((*own.get(start, ()), *every.get(start, ()))))]
    while stack:
        name, below = stack[-1]
        child = next(below, None)
        if child is None:
            stack.pop()
            path.pop(name)
            roles = (*own.get(name, ()), *every.get(name, ()))
            depths[name] = max((depths[role] + 1 for role in roles), default=0)
        elif child in path:
            names = list(path)
            return [*names[names.index(child) :], child]
        elif child not in depths:
            path[child] = None
            stack.append((child, iter((*own.get(child, ()), *every.get(child, ())))))
    return []


def _longest_above(links: Links) -> dict[str, int]:
    """The longest way up from each name over these links; empty where they have a cycle (reported
    elsewhere).
    """
    parents: dict[str, list[str]] = {}
    for subject, roles in links.items():
        for role in roles:
            parents.setdefault(role, []).append(subject)
    depths: dict[str, int] = {}
    return {} if any(_depths(name, parents, _NONE, depths) for name in parents) else depths
