"""Step 7: a human looks at the call before it runs.

An approval is worth what the person saw. So when the answer comes, everything is asked again, at the policy
of *now*: a deny wins, a new requirement waits for its own person, and a preview that has changed in the
meantime reopens the question. An edit is a new call; it counts as approved for the rows that its editor
satisfies.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from toolcrib._arguments import to_json
from toolcrib.approvals import (
    Answer,
    Approval,
    ApprovalChannel,
    ApprovalRequest,
    Review,
    approval_record,
    take_answer,
    unmet,
)
from toolcrib.decisions import Row
from toolcrib.errors import (
    ApprovalExpired,
    ApprovalPending,
    ApprovalRejected,
    CallDenied,
    CallRefused,
    InvalidArguments,
    QuotaExhausted,
    StateError,
    ToolcribError,
    UnknownTool,
)
from toolcrib.executor._case import Case
from toolcrib.executor._records import Records
from toolcrib.executor._threads import Threads, finish

if TYPE_CHECKING:
    from toolcrib.audit import AuditLog
    from toolcrib.state import State

__all__ = ["Reviewer"]

MOST_LISTED = 10_000
"""Pending approvals that are looked at to count one agent's."""

DecideAgain = Callable[[Case], Awaitable[None]]


class Reviewer:
    """Brings a call that needs a human to an approval, or to a refusal."""

    def __init__(
        self,
        state: State,
        threads: Threads,
        audit: AuditLog,
        records: Records,
        channels: Sequence[ApprovalChannel],
        *,
        mode: Literal["wait", "park"],
        ttl: float,
        most: int,
    ) -> None:
        self._state, self._threads, self._audit, self._records = state, threads, audit, records
        self._channels, self._mode, self._ttl, self._most = channels, mode, ttl, most

    async def review(self, case: Case, decide_again: DecideAgain) -> None:
        """Return when `case.approval` satisfies the decision; else raise the refusal (`ApprovalPending` if
        parked).
        """
        approval = await self._ask_for(case)
        try:
            case.approval = await self._settled(case, approval, decide_again)
        except (CallDenied, UnknownTool, asyncio.CancelledError):
            await finish(self._withdraw(case.approval or approval))
            raise

    async def _settled(self, case: Case, approval: Approval, decide_again: DecideAgain) -> Approval:
        while True:
            case.approval = approval = await self._answered(case, approval)
            self._apply_edit(case, approval)
            await decide_again(case)
            decision = case.decision
            assert decision is not None
            if decision.verdict != "review":
                return approval
            fresh = self._request(case, approval)
            if fresh.preview != approval.preview and not self._looks_elsewhere(case):
                approval = await self._reopen(approval, fresh, keep_answers=False)
            elif unmet(decision.reviews, approval.standing, approves(case)):
                approval = await self._reopen(approval, fresh, keep_answers=True)
            else:
                return approval

    @staticmethod
    def _looks_elsewhere(case: Case) -> bool:
        """Whether the editor chose another record: then another preview is what he asked for, not a
        surprise.
        """
        tool, asked, arguments = case.tool, case.asked, case.arguments
        assert tool is not None and asked is not None and arguments is not None
        preview = tool.preview
        return preview is not None and preview.arguments(asked.plain) != preview.arguments(arguments.plain)

    async def _ask_for(self, case: Case) -> Approval:
        """The approval of this very call if it was asked for before, else a new one, on the audit log
        first.
        """
        principal = case.call.principal
        case.labels = await self._threads.run(self._state.labels, principal.tenant, principal.session)
        request, known = self._request(case, None), case.approval
        if known is not None and known.binding == request.binding and known.status != "used":
            return known
        await self._make_room(case)
        approval = await self._threads.run(self._state.request_approval, request, ttl=self._ttl)
        await self._record(approval, "requested", requirements=[str(row) for row in request.requirements])
        return approval

    async def _make_room(self, case: Case) -> None:
        """Refuse a question too many: an agent that varies its arguments must not bury its approvers."""
        agent, tenant = case.call.principal.agent, case.call.principal.tenant
        waiting = await self._threads.run(
            self._state.list_approvals, status="pending", tenant=tenant, limit=MOST_LISTED
        )
        if sum(approval.principal.agent == agent for approval in waiting) >= self._most:
            raise QuotaExhausted(
                f"{self._most} calls of agent {agent!r} wait for a human already",
                rule=f"[limits] pending = {self._most}",
                remedy="Wait until they are answered",
            )

    async def _withdraw(self, approval: Approval) -> None:
        await self._record(approval, "withdrawn")
        await self._threads.run(self._state.withdraw, approval)

    async def _reopen(self, approval: Approval, request: ApprovalRequest, *, keep_answers: bool) -> Approval:
        new = await self._threads.run(
            self._state.reopen, approval, request, ttl=self._ttl, keep_answers=keep_answers
        )
        why = "new requirements" if keep_answers else "the record has changed since it was shown"
        await self._record(new, "reopened", supersedes=approval.id, why=why)
        return new

    def _request(self, case: Case, approval: Approval | None) -> ApprovalRequest:
        tool, asked, decision, call = case.tool, case.asked, case.decision, case.call
        assert tool is not None and asked is not None and decision is not None
        before = case.before if isinstance(case.before, Mapping) else None
        return ApprovalRequest(
            principal=call.principal,
            tool=tool.name,
            effect=tool.effect,
            fingerprint=tool.fingerprint,
            call_id=call.call_id,
            key=call.key,
            arguments=asked.plain,
            args_digest=asked.digest,
            requirements=decision.reviews or (approval.requirements if approval else ()),
            revision=decision.revision,
            description=tool.description,
            schema=tool.schema,
            before=before,
            preview=case.preview_digest,
            targets=tool.targets,
            sensitive=tool.sensitive,
            reason=call.reason,
            model=call.model,
            prompt_version=call.prompt_version,
            labels=case.labels,
        )

    async def _answered(self, case: Case, approval: Approval) -> Approval:
        """Wait until `approval` is approved; park, or raise, if it is not going to be."""
        while approval.status == "pending":
            if approval.standing and not unmet(approval.requirements, approval.standing, approves(case)):
                approval = await self._threads.run(self._state.accept, approval)
            elif self._mode == "park":
                raise _pending(approval)
            else:
                case.tell(approval)
                approval = await self._next_answer(case, approval)
        if approval.status == "approved":
            return approval
        raise _refusal_of(approval)

    async def _next_answer(self, case: Case, approval: Approval) -> Approval:
        """The approval after its next answer, from a channel here or from another process, whichever is
        first.
        """
        elsewhere = asyncio.ensure_future(self._state.answered(approval))
        asking = asyncio.ensure_future(self._ask_channels(case, approval))
        try:
            await asyncio.wait({elsewhere, asking}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not elsewhere.done():
                asking.result()
                await elsewhere
            return elsewhere.result()
        finally:
            for task in (elsewhere, asking):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def _ask_channels(self, case: Case, approval: Approval) -> None:
        """Ask channel after channel until one has an answer; none is no refusal, another process may
        answer.
        """
        may = approves(case)
        for channel in self._channels:
            person = getattr(channel, "approver", None)
            if person is not None and not any(may(person, row) for row in approval.requirements):
                continue  # whoever sits there may not answer this one: do not ask, wait for somebody who may
            answer = await channel.ask(Review(approval))
            if answer is not None:
                await self._take_from_here(approval, answer, may)
                return

    async def _take_from_here(
        self, approval: Approval, answer: Answer, approves: Callable[[str, Row], bool]
    ) -> None:
        try:
            await self.take(approval, answer, approves)
        except (CallDenied, InvalidArguments):
            raise
        except (StateError, CallRefused):
            return  # somebody else was faster, here or in another process: `answered` sees what they said

    async def take(
        self, approval: Approval, answer: Answer, approves: Callable[[str, Row], bool]
    ) -> Approval:
        """Store an answer; see `toolcrib.approvals.take_answer`."""
        return await self._threads.run(take_answer, self._state, self._record_now, approval, answer, approves)

    def _record_now(self, *, kind: str, **fields: Any) -> None:
        self._audit.append_blocking(self._records.clean({"kind": kind, **fields}))

    @staticmethod
    def _apply_edit(case: Case, approval: Approval) -> None:
        tool, asked = case.tool, case.asked
        assert tool is not None and asked is not None
        if approval.edit is not None:
            case.arguments = tool.arguments.freeze(
                tool.name, to_json(tool.name, approval.apply_edit(asked.plain))
            )
            case.arguments.keyed = asked.keyed

    async def _record(self, approval: Approval, action: str, **facts: Any) -> None:
        await self._audit.append(self._records.clean(approval_record(approval, action, **facts)))


def approves(case: Case) -> Callable[[str, Row], bool]:
    """Whether a person satisfies a p2 row of this call, by the policy in force."""
    policy, principal = case.policy, case.call.principal
    assert policy is not None
    return lambda person, row: policy.approves(person, row, principal)


def _pending(approval: Approval) -> ApprovalPending:
    return ApprovalPending(
        f"{approval.tool} waits for a human (approval {approval.id})",
        approval=approval.id,
        rule="; ".join(row.place for row in approval.requirements),
        remedy="Do not ask again; go on with something else, or tell the user that it waits",
    )


def _refusal_of(approval: Approval) -> ToolcribError:
    if approval.status == "rejected":
        note = approval.answers[-1].note if approval.answers else ""
        return ApprovalRejected(
            f"{approval.tool} was rejected by a human" + (f": {note}" if note else ""),
            rule=f"approval {approval.id}",
            remedy="Do not ask again with the same arguments",
        )
    if approval.status == "expired":
        return ApprovalExpired(
            f"nobody answered approval {approval.id} of {approval.tool} in time",
            rule="an expiry is never a yes",
            remedy="Ask again if it is still needed",
        )
    return ApprovalPending(
        f"approval {approval.id} of {approval.tool} was replaced",
        approval=approval.superseded_by or approval.id,
        rule="an approval is single use and bound to what was shown",
        remedy="Ask again",
    )
