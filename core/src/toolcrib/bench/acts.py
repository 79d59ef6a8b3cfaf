"""Changing the policy by command: permitted by policy, checked, on record, then written.

Who may do so is policy too: a `p` row for the person, or a role of theirs, on the object `policy.ACT`
(`policy.freeze`, `policy.*`) with the effect `destructive`. The person is the operating-system user as the
config maps it. What is asked is the policy that was in force last, without its frozen rows, so that whoever
froze everything can undo it; `r.ctx.args` are the act's arguments. A review row counts as satisfied only
where it names `requester`; who does an act is who asked for it, so a refusal names those who may do it alone.

Only `unfreeze` lets a frozen tool go on: `rollback` and `import`, which replace all rows, carry today's
frozen rows over.

This guards the command, not the files: whoever may write those needs no command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from toolcrib.bench.diff import Change, diff_everywhere
from toolcrib.bench.edit import freeze, frozen, without_frozen
from toolcrib.bench.gate import lost_guards, objections, violations
from toolcrib.bench.tools import NamedTool, tools_of_rows
from toolcrib.decisions import Decision
from toolcrib.errors import CallDenied, PolicyError
from toolcrib.policy import Facts, Policy, Texts
from toolcrib.principal import NOBODY, Principal

if TYPE_CHECKING:
    from toolcrib.crib import Crib

__all__ = ["ACTS", "Act", "Desk", "Proposal", "restore_tests"]

Act: TypeAlias = Literal["freeze", "unfreeze", "promote", "demote", "rollback", "import"]
ACTS: tuple[Act, ...] = ("freeze", "unfreeze", "promote", "demote", "rollback", "import")

_REPLACING: tuple[Act, ...] = ("rollback", "import")
"""What replaces all rows, and so would take a freeze back without the right to."""
_AGENT = "toolcrib"
_SUBJECT = f"agent:{_AGENT}"
_SELF = f"p, {_SUBJECT}, *, policy.*, destructive, True, allow"
"""Decisions are for a user and an agent. The agent here is the command line, and the user is the question."""
_OTHERS = 5
_MANY = 50
"""Rows of each kind that a record names."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that was not made yet. `before` is None where what stands there cannot be read; `arguments`
    say what is done, for conditions and for the record. `still_frozen` are tools whose frozen rows were
    carried over into `after`.
    """

    act: Act
    arguments: Mapping[str, Any]
    before: Texts | None
    after: Texts
    policy: Policy
    why: str
    added: Sequence[str] = field(default_factory=tuple)
    removed: Sequence[str] = field(default_factory=tuple)
    still_frozen: Sequence[str] = field(default_factory=tuple)

    @property
    def changes_nothing(self) -> bool:
        """Whether it would leave every byte as it is."""
        before = self.before
        return before is not None and (before.model, before.rows) == (self.after.model, self.after.rows)


class Desk:
    """Where `person` changes the policy of `crib`."""

    def __init__(self, crib: Crib, person: str) -> None:
        self.crib, self.person = crib, person

    def texts(self) -> Texts:
        """The policy as it is written now; raises `PolicyError` if it cannot be read."""
        return self.crib.policy_origin.read()

    def propose(
        self, act: Act, arguments: Mapping[str, Any], before: Texts | None, after: Texts, *, why: str
    ) -> Proposal:
        """A change to `after`; raises `PolicyError` if that would not be put in force: it does not load,
        lint finds errors in it, its tests fail, or a property is violated.
        """
        still = self._still_frozen(before, after) if act in _REPLACING else []
        if still:
            after = replace(after, rows=freeze(after.rows, still), numbers=None)
        policy = after.policy()
        found = self._objections(after, policy)
        if found:
            more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
            raise PolicyError(
                f"{why}: the policy would not be taken: {found[0]}{more}",
                rule="a policy in force has no lint error, passes its tests and keeps its properties",
                remedy="Mend what it names first, or say otherwise in the tests or properties",
            )
        old, new = (_rows(texts.rows) if texts else Counter[str]() for texts in (before, after))
        return Proposal(
            act,
            arguments,
            before,
            after,
            policy,
            why,
            tuple((new - old).elements()),
            tuple((old - new).elements()),
            tuple(still),
        )

    def _objections(self, after: Texts, policy: Policy) -> list[str]:
        crib, folder = self.crib, self.crib.config.policy
        checked = list(crib.registry), crib.config.tenant
        found = [*lost_guards(crib.policy_history, after, folder), *objections(after, policy, *checked)]
        if after.folder != folder:  # it comes with tests of its own; properties are always today's
            found += violations(replace(after, folder=folder), policy, *checked)
        return found

    def differences(self, proposal: Proposal) -> list[Change] | None:
        """What it makes of calls, the widest blast radius first; None where the policy that stands there
        does not load, or one of the two is a custom model.
        """
        if proposal.before is None:
            return None
        try:
            old = proposal.before.policy()
            tools = list(self.crib.registry)
            both = (old, proposal.policy)
            return diff_everywhere(*both, [*tools, *tools_of_rows(both, tools)])
        except PolicyError:
            return None

    def permit(self, proposal: Proposal) -> Decision:
        """The decision that lets this person do it; raises `CallDenied`, and that is on record too."""
        decision = self._decide(proposal, self.person)
        who = Principal(_AGENT, self.person, self.crib.config.tenant)
        unmet = [row for row in decision.reviews if not self._authority.approves(self.person, row, who)]
        if decision.verdict == "deny" or unmet:
            self._record(proposal, decision, status="denied")
            raise self._denied(proposal, decision, [str(row) for row in unmet])
        return decision

    def do(self, proposal: Proposal, decision: Decision) -> str:
        """Record it, then write it; the revision that is then in force. Raises `PolicyError` if somebody
        else has changed the policy since it was read.
        """
        self._record(proposal, decision, status="done")
        after = self.crib.policy_origin.write(proposal.before, proposal.after.model, proposal.after.rows)
        policy = after.policy()
        self.crib.policy_history.keep(after, policy, by=self.person, why=proposal.why)
        return policy.revision

    @cached_property
    def _in_force(self) -> Texts | None:
        """The policy that was in force last; None in a new crib."""
        with suppress(PolicyError):  # a policy that does not load is why people roll back
            self.crib.policy()
        return self.crib.policy_history.last()

    def _still_frozen(self, before: Texts | None, after: Texts) -> list[str]:
        """The tools frozen in the rows that stand there or in those in force, and not in `after`."""
        standing = [texts for texts in (before, self._in_force) if texts is not None]
        stopped = dict.fromkeys(tool for texts in standing for tool in frozen(texts.rows))
        return [tool for tool in stopped if tool not in frozen(after.rows)]

    # --- who may

    @cached_property
    def _authority(self) -> Policy:
        texts = self._in_force or self.texts()
        return Policy.of(texts.model, f"{without_frozen(texts.rows)}\n{_SELF}\n")

    def _decide(self, proposal: Proposal, person: str) -> Decision:
        policy = self._authority
        who = Principal(_AGENT, person, self.crib.config.tenant)
        tool = NamedTool(f"policy.{proposal.act}", "destructive")
        return policy.decide(policy.candidates(who, tool), Facts(dict(proposal.arguments), before=None))

    def _others(self, proposal: Proposal) -> list[str]:
        """The first few users whom rows name, and who may do it alone."""
        rows = self._authority.rows
        named = {row.values[0][5:] for row in rows if row.values[0].startswith("user:")}
        may = (f"user:{one}" for one in sorted(named - {self.person, NOBODY}) if self._may(proposal, one))
        return list(islice(may, _OTHERS))

    def _may(self, proposal: Proposal, person: str) -> bool:
        who = Principal(_AGENT, person, self.crib.config.tenant)
        decision = self._decide(proposal, person)
        unmet = any(not self._authority.approves(person, row, who) for row in decision.reviews)
        return decision.verdict != "deny" and not unmet

    def _denied(self, proposal: Proposal, decision: Decision, unmet: Sequence[str]) -> CallDenied:
        name, tenant = f"policy.{proposal.act}", self.crib.config.tenant
        if unmet:
            return CallDenied(
                f"{self.person} may not {proposal.why} alone",
                rule="; ".join(unmet),
                remedy=_instead(decision, self._others(proposal)),
            )
        return CallDenied(
            f"{self.person} may not {proposal.why}: {decision.reason}",
            rule="who changes policy by command is policy",
            remedy=f"Add: p, user:{self.person}, {tenant}, {name}, destructive, True, allow",
        )

    def _record(self, proposal: Proposal, decision: Decision, *, status: str) -> None:
        self.crib.record(
            kind="admin",
            action=f"policy.{proposal.act}",
            by=self.person,
            status=status,
            arguments=dict(proposal.arguments),
            decision=decision.verdict,
            rows=[str(row) for row in (*decision.rows, *decision.reviews) if row.values[0] != _SUBJECT],
            revision=proposal.policy.revision,
            added=list(proposal.added[:_MANY]),
            removed=list(proposal.removed[:_MANY]),
            still_frozen=list(proposal.still_frozen),
            rows_added=len(proposal.added),
            rows_removed=len(proposal.removed),
        )


def _instead(decision: Decision, others: Sequence[str]) -> str:
    """Who has to do it. No answer of a second person is taken here, so a role in a row helps nobody."""
    if others:
        return f"Let one of these do it, who may alone: {', '.join(others)}"
    asked = " and ".join(dict.fromkeys(row.values[-1] for row in decision.reviews))
    return (
        f"The rows ask for {asked}, and nobody whom rows name may do it alone: write requester too, or "
        "narrow them (p2, user:ID, …) to those who need somebody else"
    )


def restore_tests(kept: Path, target: Path) -> None:
    """Make the tables in `target` those in `kept`."""
    files = {path.name: path.read_bytes() for path in _tables(kept)}
    target.mkdir(parents=True, exist_ok=True)
    for path in _tables(target):
        if path.name not in files:
            path.unlink()
    for name, data in files.items():
        (target / name).write_bytes(data)


def _tables(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.glob("*.y*ml") if path.is_file())


def _rows(text: str) -> Counter[str]:
    lines = (line.strip() for line in text.split("\n"))
    return Counter(line for line in lines if line and line[0] != "#")
