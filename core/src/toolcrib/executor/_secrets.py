"""Step 9: who may use which secret is policy too, decided when the running tool asks.

The rows are those of any call: object `secret:PACK.NAME`, act `use`, judged for user and for agent, at the
policy revision at which the call itself was decided; conditions read `r.ctx` as for that call. No row, no
secret. A row on everything (`*`, act `*` or `use`) covers secrets as well, so a freeze stops their use.

Reviews and quotas need a judgement of their own. By the time a tool asks, the call is committed and may have
acted: nobody can be asked any more, and no quota can be given back. So a p2 or p3 row counts as satisfied if
the call itself was reviewed, or counted, under that very row (one for `*`); a row for the secret alone denies
and says so. The other way, to let any approval of the call stand for the secret, would have people agree to
what they were not shown. Whoever wants a human before a secret is used writes the p2 row for the tools that
use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolcrib.errors import SecretError, SecretRefused
from toolcrib.executor._case import Case
from toolcrib.executor._words import writable
from toolcrib.policy import OPEN, Candidates, Facts, Policy, SecretUse
from toolcrib.policy._alone import REMEDY
from toolcrib.policy._memo import Memo
from toolcrib.tools import Tool

if TYPE_CHECKING:
    from toolcrib.decisions import Decision, Row
    from toolcrib.executor._threads import Threads
    from toolcrib.secrets import Secret, SecretBroker
    from toolcrib.state import State

__all__ = ["SecretGate"]

MEMORY = 4096
"""Permissions that are remembered."""


class SecretGate:
    """Hands a secret to a running tool if policy lets this principal use it, and notes that on the case."""

    def __init__(self, broker: SecretBroker, state: State, threads: Threads) -> None:
        self._broker, self._state, self._threads = broker, state, threads
        self.redactor = broker.redactor
        self._paths: Memo[tuple[object, ...], str] = Memo(MEMORY)

    async def use(self, case: Case, name: str) -> Secret:
        """The secret that the pack's config calls `name`; `SecretRefused` where policy says no, and every
        other failure is a `SecretError` too.
        """
        tool, policy, principal = case.tool, case.policy, case.call.principal
        assert tool is not None and policy is not None
        key = (policy.revision, principal.subjects, principal.tenant, tool.pack, name)
        path = self._paths.get(key)
        try:
            if path is None:
                path = await self._path(case, tool, policy, name, key)
            secret = await self._broker.value(path)
        except SecretError as error:
            told = {"name": writable(f"{tool.pack}.{name}"[:200]), "why": writable(str(error)[:500])}
            if told not in case.refused:
                case.refused.append(told)
            raise
        used = {"path": secret.path, "version": secret.version}
        if used not in case.secrets:  # a tool that asks in a loop fills no record
            case.secrets.append(used)
        return secret

    async def use_anew(self, case: Case, name: str, known: Secret) -> Secret:
        """The same, fetched now if `known` is what was kept."""
        self._broker.forget(known)
        return await self.use(case, name)

    async def replace(self, case: Case, name: str, old: Secret, value: str) -> Secret:
        """Store the successor of `old`, which this call was given under that name; `SecretError`.

        Whoever may use a token that its server replaces at each use has to store what comes instead, so the
        right to use it is the right to that.
        """
        current = await self.use(case, name)
        if current.path != old.path:
            raise SecretRefused(
                f"{name!r} is not the secret at {old.path!r}",
                rule="a call replaces what it was given under that name",
                remedy="Hand in the secret that ctx.secret gave",
            )
        stored = await self._broker.replace(old, value)
        case.secrets.append({"path": stored.path, "version": stored.version, "replaced": old.version})
        return stored

    async def _path(self, case: Case, tool: Tool, policy: Policy, name: str, key: tuple[object, ...]) -> str:
        """Where the secret is, if policy permits its use; remembered where no row reads anything of calls."""
        principal = case.call.principal
        self._broker.check(tool.pack, name)
        use = SecretUse.of(name, tool)
        candidates = policy.candidates(principal, use)
        is_constant = await self._permit(case, tool, policy, use, candidates)
        path = self._broker.path(tool.pack, name, principal)
        return self._paths.put(key, path) if is_constant else path

    async def _permit(
        self, case: Case, tool: Tool, policy: Policy, use: SecretUse, candidates: Candidates
    ) -> bool:
        """Raise `SecretRefused`, or say whether every call of this principal is permitted alike."""
        assert case.arguments is not None
        principal = case.call.principal
        labels = case.labels
        if "labels" in candidates.reads:
            labels = await self._threads.run(self._state.labels, principal.tenant, principal.session)
        before = None if case.before is OPEN and tool.preview is None else case.before
        facts = Facts(case.arguments.plain, labels, before, session=principal.session)
        if tool.sandbox is not None:
            tool.sandbox.fill(facts, tool.schema)
        decision = policy.decide(candidates, facts)
        if decision.verdict == "deny":
            raise _denied(case, use, decision)
        if decision.reviews or decision.quotas:
            _check_satisfied(case, use, decision)
            return False
        return not candidates.reads


def _denied(case: Case, use: SecretUse, decision: Decision) -> SecretRefused:
    """Gives the rule's place but not its condition, as a denied call does."""
    if decision.rows and decision.rows[0].kind != "p":
        return _refused(case, use, decision.reason, REMEDY)
    remedy = f"`{_explain(case, use)}` says which row to change"
    rule = ", ".join(row.place for row in decision.rows)
    if not rule and not decision.is_open:
        lacking = decision.reason.partition(" ")[0]
        rule = f"{lacking} has no allow row for {use.name}, and what no row allows is denied"
        tenant = case.call.principal.tenant
        remedy = f"Whoever keeps the policy may add: p, {lacking}, {tenant}, {use.name}, use, True, allow"
    return _refused(case, use, rule or decision.reason, remedy)


def _check_satisfied(case: Case, use: SecretUse, decision: Decision) -> None:
    """Refuse what a p2 or p3 row asks for unless the call itself was reviewed or counted under that row."""
    call = case.decision
    reviewed = call.reviews if call is not None else ()
    counted = call.quotas if call is not None else ()
    rows: list[Row] = [row for row in decision.reviews if row not in reviewed]
    rows += [row for row in decision.quotas if row not in counted]
    if rows:
        places = ", ".join(row.place for row in rows)
        raise _refused(
            case,
            use,
            f"{places} asks for a review or quota that the call itself did not have, which nobody can give a"
            " running tool",
            REMEDY,
        )


def _refused(case: Case, use: SecretUse, rule: str, remedy: str) -> SecretRefused:
    user, agent = case.call.principal.subjects
    return SecretRefused(
        f"policy does not let {agent} use {use.name} for {user}, which {use.tool.name} asked for",
        rule=rule,
        remedy=remedy,
    )


def _explain(case: Case, use: SecretUse) -> str:
    principal = case.call.principal
    user = f" --user {principal.user}" if principal.user else ""
    return f"toolcrib policy explain {use.name}{user} --agent {principal.agent}"
