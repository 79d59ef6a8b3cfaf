"""The only way to a tool. Read `execute` first: it is the list of steps, in their order.

Two promises hold on every path. Nothing runs unaudited: a refused call has one record, a call that runs has
an intent that is durable before any side effect and an outcome after it. And nothing is written twice:
whatever is not a read has a ledger row, and what may or may not have happened stays ambiguous until a human
has looked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolcrib._arguments import to_json
from toolcrib._nearest import nearest
from toolcrib._shelf import Shelf
from toolcrib.artifacts import ArtifactStore
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.config import ApprovalSettings, LimitSettings
from toolcrib.errors import (
    CallAmbiguous,
    CallDenied,
    InvalidArguments,
    QuotaExhausted,
    UnknownTool,
)
from toolcrib.executor._case import Case, Watch
from toolcrib.executor._guard import LoopGuard
from toolcrib.executor._preview import Previewer
from toolcrib.executor._recall import Recaller
from toolcrib.executor._records import Beside, Records
from toolcrib.executor._review import Reviewer
from toolcrib.executor._secrets import SecretGate
from toolcrib.executor._settle import Settler
from toolcrib.executor._threads import Threads, finish
from toolcrib.executor._words import refusal
from toolcrib.executor._work import Worker
from toolcrib.policy import OPEN, Facts, Policy
from toolcrib.registry import Registry

if TYPE_CHECKING:
    from toolcrib.approvals import ApprovalChannel
    from toolcrib.audit import AuditLog, HmacKey
    from toolcrib.sandbox import Sandbox
    from toolcrib.secrets import SecretBroker
    from toolcrib.state import QuotaTake, State

__all__ = ["ToolExecutor"]

_UNREAD = Facts(arguments={})
"""The facts of every call for which no condition reads any."""

NOT_JSON = b"\0"
"""What the loop guard counts for arguments that have no JSON form: all of them are one ask."""


class ToolExecutor:
    """Decides, asks, commits, runs and signs for every call.

    `execute` never raises for a refusal or a failure; only a cancellation of the caller is recorded and
    raised again. It may be used from several event loops at once.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        policy: Callable[[], Policy],
        state: State,
        audit: AuditLog,
        broker: SecretBroker,
        hmac_key: HmacKey,
        channels: Sequence[ApprovalChannel] = (),
        approvals: ApprovalSettings | None = None,
        limits: LimitSettings | None = None,
        artifacts: Path,
        shadow: Beside | None = None,
        sandbox: Callable[[], Sandbox] | None = None,
    ) -> None:
        approvals, limits = approvals or ApprovalSettings(), limits or LimitSettings()
        self._registry, self._policy, self._state, self._audit = registry, policy, state, audit
        self._keyed = hmac_key.keyed
        self._guard = LoopGuard(limits.repeats, limits.repeat_seconds)
        self._records = Records(hmac_key, broker.redactor, shadow)
        self._threads = Threads()
        gate = SecretGate(broker, state, self._threads)
        store = ArtifactStore(artifacts, Shelf.of(artifacts, limits, state, audit))
        self._worker = Worker(gate, limits.attempts, store, sandbox)
        self._previewer = Previewer(registry, self._records, audit, self._worker)
        self.reviewer = Reviewer(
            state,
            self._threads,
            audit,
            self._records,
            channels,
            mode=approvals.mode,
            ttl=approvals.expires_seconds,
            most=limits.pending,
        )
        self._recaller = Recaller(state, self._threads, audit, self._records)
        self._settler = Settler(state, self._threads, audit, self._records, broker.redactor, limits, store)

    async def execute(self, call: ToolCall, *, watch: Watch | None = None) -> ToolResult:
        """What came of `call`; `watch` is told of approvals that it waits for and of the tool's progress."""
        case = Case(call, watch)
        try:
            self._find(case)
            self._validate(case)
            await self._decide(case)
            await self._preview(case)
            first = await self._recaller.recall(case)
            if first is not None:
                return first
            await self._limit(case)
            await self._review(case)
            await self._commit(case)
            ended = await self._worker.run(case)  # steps 9 and 10: the tool asks for its secrets as it runs
            return await self._settler.settle(case, ended)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # it stays a cancellation, also where the log is gone
                await finish(self._settler.cancelled(case))
            raise
        except Exception as error:
            return await self._refused(case, error)

    # --- steps 1 to 4: what is asked, and whether policy permits it

    def _find(self, case: Case) -> None:
        call = case.call
        case.tool = tool = self._registry.find(call.tool)
        # By the canonical name: asking under another of its names is the same ask, and recorded as one.
        name = tool.name if tool else str(call.tool)[:80]
        try:
            case.raw = to_json(name, call.arguments)
        except InvalidArguments:
            self._guard.count(call.principal, name, NOT_JSON)
            raise
        self._guard.count(call.principal, name, case.raw)
        if tool is None:
            near = self._nearest_offered(call)
            raise UnknownTool(
                f"there is no tool {str(call.tool)[:80]!r}",
                rule="a call names a tool that was offered",
                remedy=f"Did you mean {near!r}?" if near else "Choose one of the tools that were offered",
            )
        case.policy = self._policy()
        case.candidates = case.policy.candidates(call.principal, tool)

    def _nearest_offered(self, call: ToolCall) -> str | None:
        """Only a tool that was offered: whoever guesses at names learns nothing of the others. A model that
        asks by wire names, which have no dot, is answered in them.
        """
        policy, asked = self._policy(), str(call.tool)[:80]
        offered = [tool for tool in self._registry if policy.candidates(call.principal, tool).offered]
        return nearest(asked, [tool.name if "." in asked else tool.wire_name for tool in offered])

    def _validate(self, case: Case) -> None:
        tool, candidates = case.tool, case.candidates
        assert tool is not None and candidates is not None
        if not candidates.offered:
            self._deny_unoffered(case)
        case.asked = case.arguments = asked = tool.arguments.freeze(tool.name, case.raw)
        asked.keyed = self._keyed
        if asked.canonical != case.raw:  # 7, "7", "007" and a default spelt out are one ask
            self._guard.count(case.call.principal, tool.name, asked.canonical)

    def _deny_unoffered(self, case: Case) -> None:
        """Deny before looking at arguments: whoever may never call a tool learns nothing of its schema."""
        assert case.policy is not None and case.candidates is not None and case.tool is not None
        case.decision = case.policy.decide(case.candidates, Facts(arguments={}, before=None))
        raise _denied(case)

    async def _decide(self, case: Case) -> None:
        tool, candidates, policy, arguments = case.tool, case.candidates, case.policy, case.arguments
        assert tool is not None and candidates is not None and policy is not None and arguments is not None
        principal = case.call.principal
        if "labels" in candidates.reads:
            case.labels = await self._threads.run(self._state.labels, principal.tenant, principal.session)
        case.decision = policy.decide(candidates, self._facts(case))
        if case.decision.verdict == "deny" and not case.decision.is_open:
            raise _denied(case)

    async def _preview(self, case: Case) -> None:
        tool, policy, decision, candidates = case.tool, case.policy, case.decision, case.candidates
        assert tool is not None and policy is not None and decision is not None and candidates is not None
        if not decision.is_open and decision.verdict != "review":
            return
        if tool.preview is not None:
            await self._previewer.look(case)
        elif decision.is_open:
            case.before = None
        else:
            return
        case.decision = policy.decide(candidates, self._facts(case))
        if case.decision.verdict == "deny":
            raise _denied(case)

    @staticmethod
    def _facts(case: Case) -> Facts:
        assert case.tool is not None and case.arguments is not None and case.candidates is not None
        if case.tool.sandbox is None and not case.candidates.reads:
            return _UNREAD
        facts = Facts(
            arguments=case.arguments.plain,
            labels=case.labels,
            before=case.before,
            session=case.call.principal.session,
        )
        if case.tool.sandbox is not None:
            case.tool.sandbox.fill(facts, case.tool.schema)
            case.beyond = facts.beyond
        return facts

    async def _decide_again(self, case: Case) -> None:
        """Steps 3, 4 and 6 once more, at the policy revision of now."""
        tool = case.tool
        assert tool is not None
        if self._registry.find(tool.name) is not tool:
            raise UnknownTool(
                f"{tool.name} was taken out or replaced while this call waited",
                rule="a call runs the tool that was approved",
                remedy="Look at the tools again; if it is still needed, ask anew",
            )
        case.before, case.preview_digest = OPEN, ""
        case.policy = self._policy()
        case.candidates = case.policy.candidates(case.call.principal, tool)
        await self._decide(case)
        await self._preview(case)
        await self._limit(case)

    # --- steps 6 to 8: whether there is room, who must agree, and the point of no return

    async def _limit(self, case: Case) -> None:
        takes = _takes(case)
        if not takes:
            return
        full = await self._threads.run(self._state.room, takes)
        if full is not None:
            assert case.tool is not None
            raise QuotaExhausted(
                f"{case.tool.name} has no room left in its quota", rule=full.row, remedy="Try again later"
            )

    async def _review(self, case: Case) -> None:
        assert case.decision is not None
        if case.decision.verdict == "review":
            await self.reviewer.review(case, self._decide_again)

    async def _commit(self, case: Case) -> None:
        takes = _takes(case)
        if takes or case.approval is not None or case.changes_the_world:
            await finish(self._commit_all(case, takes))
        else:
            await self._intend(case)

    async def _commit_all(self, case: Case, takes: Sequence[QuotaTake]) -> None:
        self._settler.refuse_unsettled(case)
        try:
            case.commitment = await self._threads.run(
                self._state.commit, entry=_entry(case), takes=takes, approval=case.approval
            )
        except CallAmbiguous as error:
            raise await self._recaller.conflict(case, error) from error
        try:
            await self._intend(case)
        except BaseException:
            await self._threads.run(self._state.undo, case.commitment)
            case.commitment = None
            raise

    async def _intend(self, case: Case) -> None:
        case.intended = (
            True  # before the append: once handed over, the record is written even if we are cancelled
        )
        try:
            await self._audit.append(self._records.intent(case))
        except Exception:
            case.intended = False
            raise

    async def _refused(self, case: Case, error: Exception) -> ToolResult:
        """The result of a call that never ran. If even that cannot be recorded, the result says so."""
        result = refusal(case, error)
        try:
            await self._audit.append(self._records.refusal(case, result))
        except Exception as failure:
            return refusal(case, failure)
        return result

    def close(self) -> None:
        """Wait for the state thread."""
        self._threads.close()


def _denied(case: Case) -> CallDenied:
    """A denial in words that give the rule's place but not its condition, which could tell what the preview
    saw.
    """
    assert case.tool is not None and case.decision is not None
    user, agent = case.call.principal.subjects
    what, remedy = f"policy does not let {agent} call {case.tool.name} for {user}", ""
    if case.beyond and not case.decision.rows:
        fields = case.tool.sandbox.arguments if case.tool.sandbox else {}
        usual = ", ".join(f"{fields[field]} {_usual(value)}" for field, value in case.beyond.items())
        what += " with these limits"
        remedy = f"Ask for no more than is usual ({usual}), or tell the user"
    return CallDenied(
        what,
        rule=", ".join(row.place for row in case.decision.rows) or "what no row allows is denied",
        remedy=remedy or "Asking again will not help: do something else, or tell the user",
    )


def _usual(value: Any) -> str:
    return "empty" if isinstance(value, frozenset) else f"{value:g}"


def _takes(case: Case) -> list[QuotaTake]:
    assert case.decision is not None and case.policy is not None
    if not case.decision.quotas:
        return []
    return case.policy.takes(case.decision, case.call.principal)


def _entry(case: Case) -> Any:
    from toolcrib.state import CallScope, LedgerEntry

    if not case.changes_the_world:
        return None
    assert case.tool is not None and case.asked is not None and case.arguments is not None
    principal = case.call.principal
    return LedgerEntry(
        scope=CallScope.of(principal, case.tool.name, case.call.key),
        args_digest=case.asked.digest,
        ran_digest=case.arguments.digest,
        call_id=case.call.call_id,
        session=principal.session,
        run=principal.run,
        approval=case.approval.id if case.approval else None,
    )
