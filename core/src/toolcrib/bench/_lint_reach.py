"""Rows that change nothing: shadowed, covered, twice there, never true, or for calls that nothing allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeVar

from toolcrib.bench._lint_conditions import check_conditions
from toolcrib.bench._sheet import Sheet
from toolcrib.decisions import Row
from toolcrib.policy._gentle import spare

__all__ = ["Allowed", "check_reach"]

_Value = TypeVar("_Value")
_Scope: TypeAlias = tuple[str, str, str]
_Table: TypeAlias = dict[str, dict[_Scope, list[Row]]]


def check_reach(sheet: Sheet) -> None:
    """Note rows that never decide anything."""
    dead = _twice(sheet) | check_conditions(sheet)
    denies = spare(_table(row for row in sheet.of("p") if row.values[5] == "deny" and row not in dead))
    dead |= _shadowed(sheet, denies, dead)
    _covered(sheet, denies, dead)
    allowed = spare(Allowed(sheet, dead))
    for row in sheet.of("p2", "p3"):
        if row not in dead and not _can_apply(sheet, row, allowed, denies):
            id, word = ("TC306", "review") if row.kind == "p2" else ("TC307", "quota")
            what = f"no call that this {word} is for is allowed"
            sheet.add(id, row, what, "Remove the row, or add the p row that it was meant for")


def scope_of(row: Row) -> _Scope:
    """Tenant, object and effect of a p, p2 or p3 row."""
    return row.values[1], row.values[2], row.values[3] if row.kind != "p3" else "*"


def _table(rows: Iterator[Row]) -> _Table:
    table: _Table = defaultdict(lambda: defaultdict(list))
    for row in rows:
        table[row.values[0]][scope_of(row)].append(row)
    return table


def _twice(sheet: Sheet) -> set[Row]:
    first: dict[tuple[str, tuple[str, ...]], Row] = spare({})
    again = set()
    for row in sheet.rows:
        known = first.setdefault((row.kind, row.values), row)
        if known is not row:
            again.add(row)
            sheet.add("TC302", row, f"the same row as line {known.line}", "Remove one of the two")
    return again


def _wider(sheet: Sheet, row: Row, table: _Table) -> Row | None:
    """A row of the table that applies to all calls that `row` applies to."""
    tenant, name, act = scope_of(row)
    subjects = [table[one] for one in sheet.closure(row.values[0], tenant) if one in table]
    if not subjects:
        return None
    for scope in _scopes(tenant, name, act):
        for scopes in subjects:
            for other in scopes.get(scope, ()):
                if other is not row and _says_as_much(other, row):
                    return other
    return None


def _says_as_much(other: Row, row: Row) -> bool:
    """Whether `other` applies wherever `row` does. An allow row that speaks of the sandbox also grants what
    goes beyond a tool's defaults, which a row that is silent about it does not.
    """
    if other.values[4] == row.values[4]:
        return True
    grants = row.kind == "p" and row.values[5] == "allow" == other.values[5]
    return other.values[4] == "True" and not (grants and "r.ctx.sandbox." in row.values[4])


def _scopes(tenant: str, name: str, act: str) -> Iterator[_Scope]:
    names = dict.fromkeys((name, f"{name.partition('.')[0]}.*" if name != "*" else "*", "*"))
    for one in dict.fromkeys((tenant, "*")):
        for wide in names:
            for effect in dict.fromkeys((act, "*")):
                yield one, wide, effect


def _shadowed(sheet: Sheet, denies: _Table, dead: set[Row]) -> set[Row]:
    found = set()
    for row in sheet.of("p") if denies else ():
        if row.values[5] == "allow" and row not in dead and (other := _wider(sheet, row, denies)):
            found.add(row)
            what = f"line {other.line} denies every call that this row allows"
            sheet.add("TC301", row, what, "Remove the row, or narrow the deny")
    return found


def _covered(sheet: Sheet, denies: _Table, dead: set[Row]) -> None:
    allows = spare(_table(row for row in sheet.of("p") if row.values[5] == "allow" and row not in dead))
    for row in sheet.of("p"):
        if row in dead:
            continue
        is_deny = row.values[5] == "deny"
        other = _wider(sheet, row, denies if is_deny else allows)
        if other:
            verb = "denies" if is_deny else "allows"
            what = f"line {other.line} {verb} all that this row {verb}"
            sheet.add("TC305" if is_deny else "TC303", row, what, "Remove the row, or narrow the other")


def _can_apply(sheet: Sheet, row: Row, allowed: Allowed, denies: _Table) -> bool:
    as_certain = Row(row.kind, (*row.values[:4], "True"), row.file, row.line)
    denied = _wider(sheet, as_certain if row.kind == "p2" else _as_any(row), denies) if denies else None
    return denied is None and allowed.overlaps(row)


def _as_any(row: Row) -> Row:
    """A p3 row as one for every effect, without a condition."""
    return Row("p", (*row.values[:3], "*", "True", "deny"), row.file, row.line)


class Allowed:
    """The calls that allow rows, other than the `dead` ones, could allow."""

    def __init__(self, sheet: Sheet, dead: set[Row]) -> None:
        self._sheet = sheet
        self._scopes: dict[str, _Scopes] = defaultdict(_Scopes)
        self._all = _Scopes()
        for row in sheet.of("p"):
            if row.values[5] == "allow" and row not in dead:
                self._scopes[row.values[0]].add(scope_of(row))
                self._all.add(scope_of(row))
        self._holders: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in sheet.of("g"):
            subject, role, tenant = row.values
            self._holders[role].append((subject, tenant))
        self._known: dict[tuple[str, _Scope], bool] = {}

    def overlaps(self, row: Row) -> bool:
        """Whether some call that the row is for could be allowed to its subject."""
        subject, scope = row.values[0], scope_of(row)
        key = (subject, scope)
        if key not in self._known:
            self._known[key] = self._may(subject, scope)
        return self._known[key]

    def may(self, subject: str, row: Row) -> bool:
        """Whether a subject could be allowed some call that the row is for."""
        return self._reaches(subject, scope_of(row))

    def has_any(self, subject: str, tenant: str) -> bool:
        """Whether anything at all is allowed to a subject in a tenant (`*`: in any)."""
        return self._reaches(subject, (tenant, "*", "*"))

    def _reaches(self, subject: str, scope: _Scope) -> bool:
        names = self._sheet.reach(subject, scope[0])
        return any(self._scopes[name].meet(scope) for name in names if name in self._scopes)

    def _may(self, subject: str, scope: _Scope) -> bool:
        if subject == "*":
            return self._all.meet(scope)
        # A role's row applies to its holders, and these may be allowed the call through another role.
        seen, todo = {subject}, [subject]
        while todo:
            name = todo.pop()
            if self._reaches(name, scope):
                return True
            holders = [who for who, where in self._holders.get(name, ()) if _same(where, scope[0])]
            fresh = [who for who in holders if who not in seen]
            seen.update(fresh)
            todo += fresh
        return False


class _Scopes:
    """Scopes by tenant and pack, so that 100,000 of them are not looked at one by one."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, set[tuple[str, str]]]] = {}

    def add(self, scope: _Scope) -> None:
        tenant, name, act = scope
        packs = self._tenants.setdefault(tenant, {})
        packs.setdefault(name.partition(".")[0], set()).add((name, act))

    def meet(self, scope: _Scope) -> bool:
        """Whether some call is in `scope` and in one of these."""
        tenant, name, act = scope
        for packs in _at(self._tenants, tenant):
            for rows in _at(packs, name.partition(".")[0]):
                if any(_same(act, other) and _meet(name, one) for one, other in rows):
                    return True
        return False


def _at(known: dict[str, _Value], key: str) -> Iterable[_Value]:
    """What stands under a key and under `*`; for `*`, everything."""
    return known.values() if key == "*" else [known[one] for one in (key, "*") if one in known]


def _same(one: str, other: str) -> bool:
    return one == other or "*" in (one, other)


def _meet(one: str, other: str) -> bool:
    """Whether two objects, of one pack unless one is `*`, have a tool in common."""
    return _same(one, other) or one.endswith(".*") or other.endswith(".*")
