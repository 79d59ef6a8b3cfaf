"""Step 11: what came of the call is signed for before anybody sees it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import orjson

from toolcrib.calls import ToolResult
from toolcrib.config import LimitSettings
from toolcrib.errors import CallAmbiguous, VendorRefused
from toolcrib.executor._case import Case
from toolcrib.executor._records import Records
from toolcrib.executor._results import Handover, Unserialisable, pack_up
from toolcrib.executor._threads import Threads, finish
from toolcrib.executor._words import describe
from toolcrib.executor._work import Ended

if TYPE_CHECKING:
    from toolcrib.artifacts import ArtifactStore
    from toolcrib.audit import AuditLog
    from toolcrib.secrets import Redactor
    from toolcrib.state import State

__all__ = ["Settler"]


class Settler:
    """Turns the end of a tool into a result, an outcome record and a settled ledger row."""

    def __init__(
        self,
        state: State,
        threads: Threads,
        audit: AuditLog,
        records: Records,
        redactor: Redactor,
        limits: LimitSettings,
        artifacts: ArtifactStore,
    ) -> None:
        self._state, self._threads, self._audit, self._records = state, threads, audit, records
        self._redactor, self._limits, self._artifacts = redactor, limits, artifacts
        self._unsettled: set[tuple[str, str, str]] = set()
        self._labelled: dict[tuple[str, str], frozenset[str]] = {}

    async def settle(self, case: Case, ended: Ended) -> ToolResult:
        """Label, sign, settle, hand back; for a call with a ledger row, also when the caller goes away
        meanwhile.
        """
        if case.commitment is None:
            return await self._settle_all(case, ended)
        return await finish(self._settle_all(case, ended))

    async def _settle_all(self, case: Case, ended: Ended) -> ToolResult:
        """Hand back what the tool returned, once its outcome is durable; without a record there is no
        result.
        """
        unsigned = None
        result, digest, whole = self._result(case, ended)
        try:
            if whole is not None:
                result = await self._cut(case, result, whole)
            if case.tool is not None and case.tool.labels:
                await self._label(case)
            case.signed = True  # before the append, as for the intent
            await self._audit.append(self._records.outcome(case, result, digest))
        except Exception as error:
            case.signed = False
            unsigned = _unsigned(case, ended, error)
        if case.commitment is not None:
            await self._settle_ledger(case, ended, result)
        return unsigned or result

    async def _settle_ledger(self, case: Case, ended: Ended, result: ToolResult) -> None:
        assert case.commitment is not None
        status = ended.status if ended.status in ("done", "ambiguous") else "failed"
        outcome = {"text": result.text, "value": result.value, "artifact": result.artifact}
        try:
            await self._threads.run(self._state.settle, case.commitment, status, outcome)
        except Exception as error:  # the row stays `intended`, and becomes ambiguous when this process ends
            self._unsettled.add(_what(case))
            what = {"action": "ledger.settle failed", "id": case.id, "error": describe(error)}
            with contextlib.suppress(Exception):  # the tool ran: from here on nothing may say that it did not
                await self._audit.append({"kind": "admin", **what})

    def refuse_unsettled(self, case: Case) -> None:
        """Raise `CallAmbiguous` for a call equal to one that ended here but could not be settled: to others
        its row still looks like a call that is running.
        """
        if _what(case) in self._unsettled:
            raise CallAmbiguous(
                f"an equal call of {case.call.tool} ended, but how could not be written down",
                rule="what is not a read runs once",
                remedy="A human must look: `toolcrib doctor`, then `toolcrib ledger list`",
            )

    def _result(self, case: Case, ended: Ended) -> tuple[ToolResult, str, Handover | None]:
        """The result, its digest, and the handover if it is too large to hand over as it is."""
        if ended.error is not None:
            return self._failure(case, ended), "", None
        try:
            handover = pack_up(ended.value, self._redactor, self._limits.result_bytes)
        except Exception as error:
            why = error if isinstance(error, Unserialisable) else describe(error)
            text = self._redactor.clean(
                f"the tool ran, but its result is no JSON and cannot be shown ({why})"
            )
            return self._as_result(case, "done" if case.changes_the_world else "failed", text), "", None
        result = self._as_result(case, "done", handover.text + self._edited(case), value=handover.value)
        return result, handover.digest, handover if handover.whole is not None else None

    def _edited(self, case: Case) -> str:
        """What tells a model that a human changed its call, so that it does not go on from what never ran."""
        if case.arguments is case.asked or case.approval is None or case.approval.edit is None:
            return ""
        ran = orjson.dumps(case.approval.edit).decode()
        return self._redactor.clean(f"\n[a human changed the arguments; what ran was {ran}]")

    async def _cut(self, case: Case, result: ToolResult, handover: Handover) -> ToolResult:
        """The result with its beginning as text, and the whole as an artifact if that is not too large."""
        assert handover.whole is not None
        size, artifact = len(handover.whole), None
        if size <= self._limits.artifact_bytes:
            with contextlib.suppress(VendorRefused):  # no room, which is said below
                keep = self._artifacts.keep_result
                artifact = await self._threads.run(keep, handover.digest, handover.whole)
        where = f"the whole is artifact {artifact}" if artifact else "the rest is not kept: ask for less"
        text = f"{result.text}\n[cut: the result has {size:,} bytes; {where}]"
        return self._as_result(case, "done", text, artifact=artifact)

    def _failure(self, case: Case, ended: Ended) -> ToolResult:
        assert ended.error is not None
        error = describe(ended.error, self._redactor.clean)
        if ended.status == "ambiguous":
            stop = "" if error.endswith((".", "?", "!")) else "."
            text = (
                f"OUTCOME UNKNOWN: {error}{stop} It may or may not have happened. Do not try again: "
                "a human must settle it (toolcrib ledger settle)."
            )
        else:
            text = f"{'UNAVAILABLE' if ended.status == 'unavailable' else 'FAILED'}: {error}"
        return self._as_result(
            case, ended.status, text, retry_after=getattr(ended.error, "retry_after", None)
        )

    @staticmethod
    def _as_result(case: Case, status: Any, text: str, **more: Any) -> ToolResult:
        assert case.tool is not None
        return ToolResult(
            call_id=case.call.call_id,
            tool=case.tool.name,
            status=status,
            text=text,
            decision=case.decision,
            approval=case.approval.id if case.approval else None,
            labels=case.tool.labels,
            attempts=case.attempts,
            duration=case.seconds,
            **more,
        )

    async def _label(self, case: Case) -> None:
        """Attach the tool's labels to the session, before anybody has seen what it returned."""
        assert case.tool is not None
        principal, labels = case.call.principal, case.tool.labels
        session = (principal.tenant, principal.session)
        if labels and not labels <= self._labelled.get(session, frozenset()):
            if len(self._labelled) > 10_000:
                self._labelled.clear()
            self._labelled[session] = await self._threads.run(self._state.add_labels, *session, labels)

    async def cancelled(self, case: Case) -> None:
        """Record that the caller went away, and what that means for the world."""
        if case.signed:  # it came too late: what happened is told already
            return
        unknown = case.started and case.changes_the_world
        result = ToolResult(
            call_id=case.call.call_id,
            tool=case.tool.name if case.tool else str(case.call.tool)[:80],
            status="ambiguous" if unknown else "cancelled",
            text="the caller went away",
            decision=case.decision,
        )
        records = self._records
        try:
            await self._audit.append(
                records.outcome(case, result, "") if case.intended else records.refusal(case, result)
            )
        finally:
            await self._let_go(case, result)

    async def _let_go(self, case: Case, result: ToolResult) -> None:
        if case.commitment is not None and case.started:
            await self._threads.run(self._state.settle, case.commitment, "ambiguous", {"text": result.text})
        elif case.commitment is not None:
            await self._threads.run(self._state.undo, case.commitment)


def _unsigned(case: Case, ended: Ended, error: Exception) -> ToolResult:
    """The tool ran but its outcome could not be signed for; its result is withheld."""
    assert case.tool is not None
    return ToolResult(
        call_id=case.call.call_id,
        tool=case.tool.name,
        status="unavailable" if not case.changes_the_world else "ambiguous",
        text=f"UNAVAILABLE: {case.tool.name} ran ({ended.status}), but that could not be recorded: "
        f"{describe(error)} Do not try again.",
        decision=case.decision,
        attempts=case.attempts,
        duration=case.seconds,
    )


def _what(case: Case) -> tuple[str, str, str]:
    assert case.tool is not None and case.arguments is not None
    return case.call.principal.tenant, case.tool.name, case.arguments.digest
