"""Step 5: a call that was made before is answered with its first outcome; nothing is written twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolcrib.calls import ToolResult
from toolcrib.errors import CallAmbiguous, KeyReused, ToolcribError, Unavailable
from toolcrib.executor._case import Case
from toolcrib.executor._records import Records
from toolcrib.executor._threads import Threads
from toolcrib.state import CallScope

if TYPE_CHECKING:
    from toolcrib.approvals import Approval
    from toolcrib.audit import AuditLog
    from toolcrib.state import LedgerRow, State

__all__ = ["Recaller"]


class Recaller:
    """Looks a call up in the ledger and among the approvals, by its idempotency key."""

    def __init__(self, state: State, threads: Threads, audit: AuditLog, records: Records) -> None:
        self._state, self._threads, self._audit, self._records = state, threads, audit, records

    async def recall(self, case: Case) -> ToolResult | None:
        """The first outcome if there is one; else None, with `case.approval` set if one was asked for."""
        assert case.tool is not None and case.arguments is not None and case.decision is not None
        if not case.changes_the_world and case.decision.verdict != "review":
            return None
        row, ambiguous, approval = await self._threads.run(self._look_up, case)
        if row is None:
            if ambiguous is not None:
                raise _ambiguous(case, ambiguous)
            case.approval = approval if case.decision.verdict == "review" else None
            return None
        if row.args_digest != case.arguments.digest:
            raise KeyReused(
                f"{case.tool.name} was asked before under this idempotency key, with other arguments",
                rule=f"ledger row {row.id}: one key, one call",
                remedy="Use a new key for a new call",
            )
        return await self._first_outcome(case, row)

    def _look_up(self, case: Case) -> tuple[LedgerRow | None, LedgerRow | None, Approval | None]:
        assert case.tool is not None and case.arguments is not None
        principal, tool = case.call.principal, case.tool
        scope = CallScope.of(principal, tool.name, case.call.key)
        if not case.changes_the_world:
            return None, None, self._state.find_approval(scope)
        row = self._state.recall(scope)
        if row is not None:
            return row, None, None
        blocking = self._state.ambiguous(principal.tenant, tool.name, case.arguments.digest)
        return None, blocking, self._state.find_approval(scope)

    async def conflict(self, case: Case, error: CallAmbiguous) -> ToolcribError:
        """What stood in the way of a commit: a call that was faster, or one whose outcome nobody knows."""
        row, blocking, _ = await self._threads.run(self._look_up, case)
        if row is not None and row.status != "ambiguous":
            return _running(case, row)
        found = row or blocking
        return error if found is None else _ambiguous(case, found)

    async def _first_outcome(self, case: Case, row: LedgerRow) -> ToolResult:
        """The outcome of the first call with this key; a repeat runs nothing."""
        if row.status == "ambiguous":
            raise _ambiguous(case, row)
        if row.status == "intended":
            raise _running(case, row)
        assert case.tool is not None
        outcome, labels = dict(row.outcome or {}), case.tool.labels
        text = outcome.get("text") or f"a human settled this call as {row.status} ({row.note or 'no note'})"
        result = ToolResult(
            call_id=case.call.call_id,
            tool=row.scope.tool,
            status=row.status,
            text=text,
            value=outcome.get("value"),
            decision=case.decision,
            artifact=outcome.get("artifact"),
            labels=labels,
            duration=case.seconds,
        )
        if labels:  # it may be another session that gets what the first call returned
            principal = case.call.principal
            await self._threads.run(self._state.add_labels, principal.tenant, principal.session, labels)
        record = {**self._records.refusal(case, result), "kind": "recall", "ledger": row.id}
        await self._audit.append(record | ({"labels": sorted(labels)} if labels else {}))
        return result


def _ambiguous(case: Case, row: LedgerRow) -> CallAmbiguous:
    return CallAmbiguous(
        f"an equal call of {case.call.tool} may or may not have happened",
        rule=f"ledger row {row.id} is ambiguous",
        remedy=f"Do not ask again; a human must settle it: toolcrib ledger settle {row.id}",
    )


def _running(case: Case, row: LedgerRow) -> Unavailable:
    return Unavailable(
        f"{case.call.tool} is running already under this idempotency key",
        rule=f"ledger row {row.id}",
        remedy="Ask again later to see its outcome",
    )
