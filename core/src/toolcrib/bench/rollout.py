"""Rollout in three stages, a view of policy rows for one subject and one tool that does something.

*read-only*: no row allows it · *supervised*: allowed, and a p2 row without a condition has a human look
first · *autonomous*: allowed without one, fenced by deny rows with conditions. `promote` and `demote` go
one stage up or down by editing rows that name exactly this subject, tenant and tool; a wider row is never
touched, but named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolcrib._nearest import nearest
from toolcrib.bench._fences import check_fence, example, may_fire
from toolcrib.bench.cells import Cell, always
from toolcrib.bench.edit import add_rows, frozen, remove_rows, row_text
from toolcrib.bench.view import EVERYBODY, View, kind_of, rows_by_tenant
from toolcrib.decisions import Row
from toolcrib.errors import PolicyError
from toolcrib.policy import Governed, Texts
from toolcrib.policy._fields import REQUESTER
from toolcrib.principal import NOBODY

__all__ = ["STAGES", "Rollout", "Stage", "stage_of"]

Stage: TypeAlias = Literal["read-only", "supervised", "autonomous"]
STAGES: tuple[Stage, ...] = ("read-only", "supervised", "autonomous")

_Added: TypeAlias = tuple[str, tuple[str, ...]]


def stage_of(cell: Cell) -> Stage:
    """The stage that a cell amounts to; a review with a condition leaves a tool autonomous elsewhere."""
    if cell.state == "deny":
        return "read-only"
    return "supervised" if any(map(always, cell.reviews)) else "autonomous"


@dataclass(frozen=True, slots=True)
class Rollout:
    """The rollout of `tool` to `subject` (`agent:NAME`, `user:ID`, a role, or `*`) in `tenant`.

    Its methods give the rows' new text; they raise `PolicyError` where there is no such stage, or a row that
    says more than this would have to change.
    """

    texts: Texts
    tool: Governed
    subject: str
    tenant: str

    @property
    def stage(self) -> Stage:
        """The stage now."""
        return stage_of(self._cell(self.texts.rows))

    def promote(self, *, approvers: str = "requester", fence: str = "", unfenced: bool = False) -> str:
        """One stage up. To supervised, `approvers` are whom a new p2 row names. To autonomous, `fence` is the
        condition of a new deny row, which some call of the tool can meet; without one, such a row must be
        there, unless `unfenced`.
        """
        self._check_effect()
        cell = self._cell(self.texts.rows)
        match stage_of(cell):
            case "read-only":
                text = self._to_supervised(cell, approvers)
            case "supervised":
                text = self._to_autonomous(cell, fence, unfenced=unfenced)
            case _:
                raise self._no_stage("is autonomous already", "There is no stage above")
        return self._reached(text, STAGES[STAGES.index(stage_of(cell)) + 1])

    def demote(self, *, approvers: str = "requester") -> str:
        """One stage down; to supervised, `approvers` are whom the new p2 row names."""
        self._check_effect()
        cell = self._cell(self.texts.rows)
        match stage_of(cell):
            case "autonomous":
                self._check_approvers(approvers)
                text = self._with([("p2", self._row("True", approvers))])
            case "supervised":
                text = self._to_read_only(cell)
            case _:
                raise self._no_stage("is not allowed to begin with", "There is no stage below")
        return self._reached(text, STAGES[STAGES.index(stage_of(cell)) - 1])

    # --- steps

    def _to_supervised(self, cell: Cell, approvers: str) -> str:
        denies = [row for row in cell.denies if always(row)]
        text = self._without(denies, "denies")
        added: list[_Added] = []
        if not any(map(always, cell.allows[0])):
            added.append(("p", self._row("True", "allow")))
        if not any(map(always, cell.reviews)):
            self._check_approvers(approvers)
            added.append(("p2", self._row("True", approvers)))
        return add_rows(text, added, near=self.tool.name)

    def _to_autonomous(self, cell: Cell, fence: str, *, unfenced: bool) -> str:
        text = self._without([row for row in cell.reviews if always(row)], "reviews")
        if fence:
            return self._fenced(text, fence)
        if not unfenced and not any(may_fire(row, self.tool) for row in cell.denies):
            raise PolicyError(
                f"nothing would fence {self.tool.name} for {self.subject}",
                rule="what nobody looks at is fenced by deny rows with conditions",
                remedy=f"Give --fence CONDITION, for example {example(self.tool)!r}, or --unfenced",
            )
        return text

    def _fenced(self, text: str, fence: str) -> str:
        values = self._row(fence.strip(), "deny")
        text = add_rows(text, [("p", values)], near=self.tool.name)
        self._cell(text)  # a condition that does not load is told of as such
        check_fence(Row("p", values, "--fence", 0), self.tool)
        return text

    def _to_read_only(self, cell: Cell) -> str:
        exact = [row for row in (*cell.allows[0], *cell.reviews) if self._is_exact(row)]
        text = remove_rows(self.texts.rows, [(row.kind, row.values) for row in exact])
        if stage_of(self._cell(text)) != "read-only":  # wider rows allow it too: they stay, and a deny wins
            text = add_rows(text, [("p", self._row("True", "deny"))], near=self.tool.name)
        return text

    # --- rows

    def _row(self, when: str, last: str) -> tuple[str, ...]:
        return (self.subject, self.tenant, self.tool.name, self.tool.effect, when, last)

    def _with(self, rows: list[_Added]) -> str:
        return add_rows(self.texts.rows, rows, near=self.tool.name)

    def _without(self, rows: list[Row], does: str) -> str:
        wider = [row for row in rows if not self._is_exact(row)]
        if wider:
            raise PolicyError(
                f"{wider[0]} {does} {self.tool.name} for {self.subject}, and says more than that",
                rule="rollout changes only rows that name exactly this subject, tenant and tool",
                remedy="Edit that row by hand; `toolcrib unfreeze` if it is a frozen one",
            )
        return remove_rows(self.texts.rows, [(row.kind, row.values) for row in rows])

    def _is_exact(self, row: Row) -> bool:
        if frozen(row_text(row.kind, row.values)):
            return False  # whoever may promote may not for that unfreeze
        *named, effect = row.values[:4]
        return named == [self.subject, self.tenant, self.tool.name] and effect in ("*", self.tool.effect)

    def _cell(self, rows: str) -> Cell:
        policy = Texts(self.texts.model, rows).policy()
        return View(policy, self.tenant).cell(self.tool, self.subject)

    # --- refusals

    def _check_effect(self) -> None:
        if self.tool.effect == "read":
            raise self._no_stage(
                "only reads", "Rollout is for tools that do something; edit the rows of this one"
            )

    def _check_approvers(self, approvers: str) -> None:
        """Every role that is named has a user: a review that nobody can answer stops all calls."""
        roles = [one for part in approvers.split("|") if kind_of(one := part.strip()) == "role"]
        held = self._held_roles()
        for role in roles:
            if role in (REQUESTER, *held):
                continue
            raise PolicyError(
                f"no user holds the approver role {role!r} in tenant {self.tenant}",
                rule="an approver that a new review names is somebody, or no call would ever be answered",
                remedy=_remedy(role, held, self.tenant),
            )

    def _held_roles(self) -> list[str]:
        """The roles that a user holds in the tenant; of `*`: in any."""
        policy = self.texts.policy()
        tenants = rows_by_tenant(policy) if self.tenant == EVERYBODY else [self.tenant]
        views = [View(policy, tenant) for tenant in tenants]
        return list(
            dict.fromkeys(
                role
                for view in views
                for one in view.named("user")
                if one != f"user:{NOBODY}"
                for role in view.roles(one)
            )
        )

    def _reached(self, text: str, stage: Stage) -> str:
        if stage_of(self._cell(text)) != stage:
            raise self._no_stage(
                f"would not be {stage} then", "Other rows decide it; see `toolcrib policy what-can`"
            )
        return text

    def _no_stage(self, what: str, remedy: str) -> PolicyError:
        who = "everybody" if self.subject == "*" else self.subject
        return PolicyError(
            f"{self.tool.name} {what}, for {who} in tenant {self.tenant}",
            rule="the stages are read-only, supervised, autonomous",
            remedy=remedy,
        )


def _remedy(role: str, held: Sequence[str], tenant: str) -> str:
    near = nearest(role, held)
    meant = f"Did you mean {near!r}? Or give" if near else "Give"
    return f"{meant} it to somebody first (g, user:ID, {role}, {tenant}), or name other --approvers"
