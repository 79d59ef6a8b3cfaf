"""What a change of policy does, not which lines it edits.

Each subject is compared for itself, as if whoever else takes part in a call were allowed everything: so a
grant shows up although no agent can use it yet. Only subjects and tools that a changed row can reach are
looked at. What a role's members meet because of the role is told once, as the role's change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from toolcrib.bench._touched import RowsByTenant, Touched, changed_tenants
from toolcrib.bench.cells import Cell, State, approvers, condition
from toolcrib.bench.view import EVERYBODY, View, kind_of, rows_by_tenant
from toolcrib.decisions import Row
from toolcrib.effects import Act
from toolcrib.policy import Governed, Policy

__all__ = ["Change", "Kind", "diff", "diff_everywhere"]

Kind: TypeAlias = Literal["allowed", "denied", "reviewed", "conditional", "condition", "approvers", "quota"]
"""What the calls become; the last three where the state stays and its terms change."""

_BECOMES: dict[State, Kind] = {
    "allow": "allowed",
    "deny": "denied",
    "review": "reviewed",
    "depends": "conditional",
}
_WIDTH: dict[State, int] = {"deny": 0, "review": 1, "depends": 1, "allow": 2}


_GRAVITY: tuple[Act, ...] = ("read", "write", "use", "send", "destructive")


@dataclass(frozen=True, slots=True)
class Change:
    """One tool that becomes something else for one subject (`*`: everybody).

    `principals` are the known users and agents that meet it. Where there are none, `holders` are those who
    hold the role, before and after: for them this alone changes nothing. `approvers` are the users who may
    answer its reviews, before and after (`requester`: whoever asked).
    """

    tenant: str
    subject: str
    tool: str
    effect: Act
    kind: Kind
    before: Cell
    after: Cell
    principals: tuple[str, ...] = ()
    approvers: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    holders: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def wider(self) -> bool | None:
        """Whether more becomes possible (True) or less (False); None where only a human can tell."""
        one, other = _WIDTH[self.before.state], _WIDTH[self.after.state]
        if one != other:
            return other > one
        if self.kind == "quota" and not (self.before.limits and self.after.limits):
            return not self.after.limits
        return None

    @property
    def words(self) -> str:
        """`deny → review by lead (dana)`."""
        return f"{self.was} → {self.now}"

    @property
    def was(self) -> str:
        """`deny`, `allow; deny when …; 20/day per user`."""
        return self._side(self.before, 0)

    @property
    def now(self) -> str:
        """The same, after the change."""
        return self._side(self.after, 1)

    def _side(self, cell: Cell, index: int) -> str:
        text = cell.words
        if self.kind == "approvers":
            text += f" ({', '.join(self.approvers[index]) or 'nobody'})"
        if cell.state != "deny" and self.before.limits != self.after.limits:
            text += f"; {', '.join(cell.limits) or 'no quota'}"
        return text

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tenant": self.tenant,
            "subject": self.subject,
            "tool": self.tool,
            "effect": self.effect,
            "kind": self.kind,
            "wider": self.wider,
            "was": self.was,
            "now": self.now,
            "principals": list(self.principals),
            "holders": {"before": list(self.holders[0]), "after": list(self.holders[1])},
            "approvers": {"before": list(self.approvers[0]), "after": list(self.approvers[1])},
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
        }


def diff(old: Policy, new: Policy, tools: Iterable[Governed], tenant: str) -> list[Change]:
    """What `new` makes of calls to `tools` in `tenant` (`*`: one that no row names) that `old` did not,
    the widest blast radius first; empty if every call is decided alike.

    Raises `PolicyError` for a custom model.
    """
    return _compare(View(old, tenant), View(new, tenant), tuple(tools))


def _compare(old: View, new: View, tools: Sequence[Governed]) -> list[Change]:
    return sorted(_Comparison(old, new).changes(tools), key=_radius)


def diff_everywhere(
    old: Policy,
    new: Policy,
    tools: Iterable[Governed],
    *,
    tenants: Sequence[str] | None = None,
    progress: Callable[[Sequence[str]], Iterable[str]] = iter,
) -> list[Change]:
    """The same in every tenant that rows name, or in `tenants`; what happens in all is told once, as `*`.

    `progress` is handed the tenants and hands them on, one by one.
    """
    tools = tuple(tools)
    rows = rows_by_tenant(old), rows_by_tenant(new)
    found: dict[Hashable, Change] = {}
    for tenant in progress(changed_tenants(*rows) if tenants is None else tenants):
        views = [
            View(policy, tenant, _rows_in(sorted_rows, tenant))
            for policy, sorted_rows in zip((old, new), rows, strict=True)
        ]
        for change in _compare(views[0], views[1], tools):
            key = _identity(change, EVERYBODY)
            if key in found:
                reached = dict.fromkeys((*found[key].principals, *change.principals))
                were, are = (
                    tuple(dict.fromkeys((*some, *more)))
                    for some, more in zip(found[key].holders, change.holders, strict=True)
                )
                found[key] = replace(found[key], principals=tuple(reached), holders=(were, are))
            else:
                found[_identity(change, tenant)] = change
    return sorted(found.values(), key=_radius)


def _rows_in(rows: RowsByTenant, tenant: str) -> Sequence[Row]:
    own = rows.get(tenant, ()) if tenant != EVERYBODY else ()
    return (*own, *rows.get(EVERYBODY, ()))


def _identity(change: Change, tenant: str) -> Hashable:
    who = change.approvers if change.kind == "approvers" else ()
    return (
        tenant,
        change.subject,
        change.tool,
        change.effect,
        change.before.meaning,
        change.after.meaning,
        who,
    )


def _radius(change: Change) -> tuple[Any, ...]:
    """Acts from destructive to read, then by how many meet it, then what becomes wider."""
    wider = {True: 0, None: 1, False: 2}[change.wider]
    return (
        -_GRAVITY.index(change.effect),
        -len(change.principals),
        wider,
        change.tenant,
        change.subject,
        change.tool,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """One tool for one class of subjects, before and after."""

    tool: Governed
    before: Cell
    after: Cell
    approvers: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def meaning(self) -> Hashable:
        return self.before.meaning, self.after.meaning, self.approvers


class _Comparison:
    """Two policies in one tenant."""

    def __init__(self, old: View, new: View) -> None:
        self.old, self.new = old, new
        self.touched = Touched(old, new)
        self._classes: dict[Hashable, list[_Pair]] = {}

    def changes(self, tools: Sequence[Governed]) -> Iterator[Change]:
        """One for each subject and tool, except where a role or everybody meets the very same."""
        found: dict[Hashable, list[str]] = {}
        made: list[tuple[str, _Pair, list[str]]] = []
        for subject in self._subjects():
            for pair in self._pairs(subject, tools):
                where = (pair.tool.name, pair.tool.effect, pair.meaning)
                reached = next(
                    (found[key] for above in self._above(subject) if (key := (above, *where)) in found), None
                )
                if reached is None:
                    reached = []
                    made.append((subject, pair, reached))
                found[(subject, *where)] = reached
                if kind_of(subject) in ("user", "agent"):
                    reached.append(subject)
        for subject, pair, reached in made:
            yield self._change(subject, pair, tuple(reached))

    def _subjects(self) -> list[str]:
        """Everybody first, then roles, the included before those that include them, then people."""
        every = dict.fromkeys((*self.old.subjects, *self.new.subjects))
        depth = {one: len(self.old.roles(one)) + len(self.new.roles(one)) for one in every}
        people = {one: kind_of(one) != "role" for one in every}
        return [EVERYBODY, *sorted(every, key=lambda one: (people[one], depth[one], one))]

    def _above(self, subject: str) -> Iterator[str]:
        """Whose change this subject shares: everybody's, and that of roles it holds before and after."""
        if subject != EVERYBODY:
            yield EVERYBODY
            after = set(self.new.roles(subject))
            yield from (role for role in self.old.roles(subject) if role in after)

    def _pairs(self, subject: str, tools: Sequence[Governed]) -> list[_Pair]:
        key = self.touched.class_of(subject)
        found = self._classes.get(key)
        if found is None:
            pairs = (self._pair(subject, tool) for tool in self.touched.tools(subject, tools))
            found = self._classes[key] = [pair for pair in pairs if pair]
        return found

    def _pair(self, subject: str, tool: Governed) -> _Pair | None:
        before, after = self.old.cell(tool, subject), self.new.cell(tool, subject)
        who = _who(self.old, before), _who(self.new, after)
        if before.meaning == after.meaning and who[0] == who[1]:
            return None
        return _Pair(tool, before, after, who)

    def _change(self, subject: str, pair: _Pair, reached: tuple[str, ...]) -> Change:
        before, after, tool = pair.before, pair.after, pair.tool
        kind = _kind(before, after, pair.approvers)
        were, are = (() if reached else self._holders(view, subject) for view in (self.old, self.new))
        return Change(
            self.new.tenant, subject, tool.name, tool.effect, kind, before, after, reached, pair.approvers,
            (were, are),
        )  # fmt: skip

    @staticmethod
    def _holders(view: View, subject: str) -> tuple[str, ...]:
        return view.members.get(subject, ()) if kind_of(subject) == "role" else ()


def _who(view: View, cell: Cell) -> tuple[str, ...]:
    """Who may answer the cell's reviews."""
    if cell.state == "deny":
        return ()
    return tuple(dict.fromkeys(one for row in cell.reviews for one in view.approvers(row)))


def _kind(before: Cell, after: Cell, who: tuple[tuple[str, ...], tuple[str, ...]]) -> Kind:
    if before.state != after.state:
        return _BECOMES[after.state]
    if _terms(before) != _terms(after):
        return "condition"
    if who[0] != who[1] or _wanted(before) != _wanted(after):
        return "approvers"
    return "quota"


def _terms(cell: Cell) -> Hashable:
    sides = tuple(frozenset(map(condition, side)) for side in cell.allows)
    return sides, frozenset(map(condition, cell.denies)), frozenset(map(condition, cell.reviews))


def _wanted(cell: Cell) -> Hashable:
    return frozenset((condition(row), approvers(row)) for row in cell.reviews)
