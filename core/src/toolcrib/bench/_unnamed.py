"""Names that a question or a property gives and that no row knows: an answer about them means little."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from toolcrib._nearest import nearest
from toolcrib.decisions import Row
from toolcrib.policy import Policy
from toolcrib.policy._fields import REQUESTER
from toolcrib.policy._index import ANY
from toolcrib.principal import NOBODY

__all__ = ["asked_notes", "subjects_of", "tenants_of", "unnamed"]

MOST_LOOKED_AT = 10_000
"""Names among which a similar one is looked for: of more it would take seconds."""


def subjects_of(rows: Iterable[Row]) -> set[str]:
    """Whoever these rows name: users, agents, roles, and those who approve."""
    found: set[str] = set()
    for row in rows:
        found.add(row.values[0])
        if row.kind == "g":
            found.add(row.values[1])
        elif row.kind == "p2":
            found.update(one.strip() for one in row.values[-1].split("|"))
    return found - {ANY, REQUESTER}


def tenants_of(rows: Iterable[Row]) -> set[str]:
    """The tenants that rows name, without `*`."""
    return {row.values[2 if row.kind == "g" else 1] for row in rows} - {ANY}


def unnamed(name: str, known: Collection[str], kind: str = "") -> str:
    """`no row names KIND NAME; did you mean …?`; nothing if one does."""
    if name in known:
        return ""
    guess = _guess(name, known)
    return f"no row names {f'{kind} {name}'.strip()}{f'; did you mean {guess}?' if guess else ''}"


def asked_notes(policy: Policy, tenant: str, subjects: Iterable[str] = ()) -> list[str]:
    """What a question about `subjects` in `tenant` names and no row does: its answer, all denied or empty,
    may be about a misspelling.
    """
    tenants = tenants_of(policy.rows)
    if tenant != ANY and (note := unnamed(tenant, tenants, "the tenant")):
        return [note]
    asked = [one for one in subjects if one not in (ANY, f"user:{NOBODY}")]
    here = (row for row in policy.rows if row.values[2 if row.kind == "g" else 1] in (tenant, ANY))
    known = subjects_of(here) if asked else set()
    return [note for one in asked if (note := unnamed(one, known, "" if ":" in one else "the role"))]


def _guess(name: str, known: Collection[str]) -> str | None:
    bare = name.rpartition(":")[2]
    if len(known) > MOST_LOOKED_AT:
        return next((one for one in (f"user:{bare}", f"agent:{bare}", bare) if one in known), None)
    # Without their kinds: `user:` alone would make all users similar, and `alice` like none of them.
    bares: dict[str, str] = {}
    for one in sorted(known, key=lambda each: (each.partition(":")[0] != "user", each)):
        bares.setdefault(one.rpartition(":")[2], one)
    found = nearest(bare, bares)
    return found and bares[found]
