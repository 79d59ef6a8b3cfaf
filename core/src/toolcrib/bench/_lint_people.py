"""Roles, and whoever may approve: what nobody holds, what gives nothing, reviews by oneself."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from toolcrib._nearest import nearest
from toolcrib.bench._lint_reach import Allowed
from toolcrib.bench._sheet import Sheet, more
from toolcrib.decisions import Row
from toolcrib.policy._fields import REQUESTER
from toolcrib.policy._gentle import spare
from toolcrib.principal import NOBODY

__all__ = ["check_people"]


def check_people(sheet: Sheet) -> None:
    """Note what is wrong with roles, subjects and approvers."""
    people = spare(_People(sheet))
    allowed = spare(Allowed(sheet, set()))
    _unheld(sheet, people)
    _unused(sheet, people)
    _without_allow(sheet, people, allowed)
    for row in sheet.of("p2"):
        _check_approvers(sheet, people, allowed, row)


class _People:
    """Who holds which role where; a tenant of `*` asks for anybody in any tenant."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self.granted: dict[str, set[str]] = defaultdict(set)
        self._inheriting: set[str] = set()
        for row in sheet.of("g"):
            subject, _, tenant = row.values
            if ":" in subject:
                self.granted[tenant].add(subject)
            else:
                self._inheriting.add(tenant)

    @cached_property
    def _holders(self) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        everywhere = self.granted.get("*", set())
        for tenant in {*self.granted, *self._inheriting}:
            # What is held everywhere meets what one tenant's roles inherit.
            for subject in self.granted[tenant] | (everywhere if tenant in self._inheriting else set()):
                for role in self._sheet.roles.closure(subject, tenant)[1:]:
                    found[tenant, role].add(subject)
                    found["", role].add(subject)
        return found

    def holders(self, role: str, tenant: str) -> set[str]:
        """The users and agents that hold a role."""
        if tenant == "*":
            return self._holders.get(("", role), set())
        return self._holders.get((tenant, role), set()) | self._holders.get(("*", role), set())

    @cached_property
    def roles(self) -> set[str]:
        """All roles that somebody holds."""
        return {role for _, role in self._holders}

    @cached_property
    def named(self) -> set[str]:
        """All users and agents in the rows."""
        rows = self._sheet.rows
        return {row.values[0] for row in rows if ":" in row.values[0]}


def _unheld(sheet: Sheet, people: _People) -> None:
    rows: dict[tuple[str, str], list[Row]] = spare(defaultdict(list))
    for row in sheet.rows:
        subject, tenant = row.values[0], row.values[2 if row.kind == "g" else 1]
        if subject != "*" and ":" not in subject:
            rows[subject, tenant].append(row)
    for (role, tenant), found in rows.items():
        if not people.holders(role, tenant):
            what = f"nobody holds the role {role!r}{_where(tenant)}{more(found)}"
            column = "grantee" if found[0].kind == "g" else "sub"
            sheet.add("TC401", found[0], what, _remedy_role(role, tenant, people), column=column)


def _where(tenant: str) -> str:
    return "" if tenant == "*" else f" in tenant {tenant}"


def _remedy_role(role: str, tenant: str, people: _People) -> str:
    for kind in ("user", "agent"):
        if f"{kind}:{role}" in people.named:
            return f"Write {kind}:{role}"
    if role not in people.roles and (near := nearest(role, people.roles)):
        return f"Give it to somebody, or remove the row; or did you mean {near!r}?"
    return f"Give it to somebody (g, user:ID, {role}, {tenant}), or remove the row"


def _unused(sheet: Sheet, people: _People) -> None:
    used: dict[str, set[str]] = defaultdict(set)
    for row in sheet.of("p", "p2", "p3"):
        names = [row.values[0], *(row.values[5].split("|") if row.kind == "p2" else ())]
        for name in names:
            used[name.strip()].add(row.values[1])
    rows: dict[tuple[str, str], list[Row]] = spare(defaultdict(list))
    for row in sheet.of("g"):
        rows[row.values[1], row.values[2]].append(row)
    for (role, tenant), found in rows.items():
        held = [one for one in sheet.reach(role, tenant) if one != "*"]
        tenants = set().union(*(used.get(one, ()) for one in held))
        if not tenants or (tenant != "*" and tenants.isdisjoint((tenant, "*"))):
            near = nearest(role, set(used) - {role})
            remedy = f"Did you mean {near!r}?" if near else "Write a row for it, or remove this one"
            what = f"no row uses the role {role!r}{_where(tenant)}{more(found)}"
            sheet.add("TC402", found[0], what, remedy, column="role")


def _without_allow(sheet: Sheet, people: _People, allowed: Allowed) -> None:
    rows: dict[tuple[str, str], list[Row]] = spare(defaultdict(list))
    for row in sheet.rows:
        subject, tenant = row.values[0], row.values[2 if row.kind == "g" else 1]
        if ":" in subject:
            rows[subject, tenant].append(row)
    approving = {one.strip() for row in sheet.of("p2") for one in row.values[5].split("|")}
    for (subject, tenant), found in rows.items():
        if allowed.has_any(subject, tenant) or not approving.isdisjoint(sheet.reach(subject, tenant)):
            continue
        what = f"nothing is allowed to {subject}{_where(tenant)}{more(found)}"
        remedy = "Add an allow row for it or for one of its roles, or remove it"
        column = "grantee" if found[0].kind == "g" else "sub"
        sheet.add("TC403", found[0], what, remedy, column=column)


# --- approvers ----------------------------------------------------------------------------------------


def _check_approvers(sheet: Sheet, people: _People, allowed: Allowed, row: Row) -> None:
    tenant = row.values[1]
    alternatives = [one.strip() for one in row.values[5].split("|")]
    users = {one: _users(one, tenant, people) for one in alternatives if one != REQUESTER}
    able = set().union(*users.values())
    asks = REQUESTER in alternatives
    if not able:
        _alone(sheet, row, asks=asks, people=people, roles=list(users))
        return
    for one, found in users.items():
        if not found:
            what = f"no user is or holds the approver {one!r}{_where(tenant)}"
            sheet.add("TC501", row, what, _remedy_role(one, tenant, people), column="approvers", text=one)
    (only, *others) = able
    if not others and tenant != "*" and allowed.may(only, row):
        _one_only(sheet, row, only, asks=asks)


def _users(approver: str, tenant: str, people: _People) -> set[str]:
    found = {approver} if approver.startswith("user:") else people.holders(approver, tenant)
    return {one for one in found if one.startswith("user:") and one != f"user:{NOBODY}"}


def _alone(sheet: Sheet, row: Row, *, asks: bool, people: _People, roles: list[str]) -> None:
    if asks:
        what = "the requester is the only possible approver"
        if roles:
            what += f": no user is or holds {' or '.join(map(repr, roles))}"
        remedy = "Name a role that others hold: requester|ROLE lets the requester answer too"
        sheet.add("TC502", row, what, remedy, column="approvers")
    else:
        what = (
            f"nobody can approve: no user is or holds {' or '.join(map(repr, roles))}{_where(row.values[1])}"
        )
        sheet.add("TC504", row, what, _remedy_role(roles[0], row.values[1], people), column="approvers")


def _one_only(sheet: Sheet, row: Row, only: str, *, asks: bool) -> None:
    if asks:
        what = f"when {only} asks, the requester is the only possible approver"
        sheet.add("TC503", row, what, "Give the approver's role to a second user", column="approvers")
    else:
        what = f"when {only} asks, nobody else can approve"
        remedy = "Give the approver's role to a second user, if such calls should be possible"
        sheet.add("TC505", row, what, remedy, column="approvers")
