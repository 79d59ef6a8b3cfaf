"""The record as it stands, for policy and approver; the agent never sees it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from toolcrib._arguments import to_json
from toolcrib.errors import CallDenied, PackError
from toolcrib.executor._case import Case
from toolcrib.executor._deadline import within
from toolcrib.executor._records import Records
from toolcrib.executor._results import Unserialisable, pack_up
from toolcrib.executor._words import describe
from toolcrib.executor._work import Worker, is_cancelled_from_outside
from toolcrib.registry import Registry
from toolcrib.tools import Tool

if TYPE_CHECKING:
    from toolcrib._arguments import Frozen
    from toolcrib.audit import AuditLog
    from toolcrib.context import CallContext

__all__ = ["Previewer"]

LARGEST = 1024 * 1024
"""A preview is one record; more than this many bytes is no record."""


class Previewer:
    """Runs the preview tool inside the call, with an intent and an outcome of its own."""

    def __init__(self, registry: Registry, records: Records, audit: AuditLog, worker: Worker) -> None:
        self._registry, self._records, self._audit, self._worker = registry, records, audit, worker

    async def look(self, case: Case) -> None:
        """Fill in `case.before` and its digest. A preview that fails denies the call."""
        assert case.tool is not None and case.tool.preview is not None and case.arguments is not None
        tool, arguments = self._tool(case.tool), case.tool.preview.arguments(case.arguments.plain)
        raw = to_json(tool.name, arguments)
        frozen = tool.arguments.freeze(tool.name, raw)
        await self._audit.append(self._records.preview(case, "intent", tool, frozen.plain))
        inner = _inner(case, tool, frozen)
        try:
            value = await self._run(inner, tool, frozen.values)
        except BaseException as error:
            if is_cancelled_from_outside(error):
                await self._end(case, tool, inner, status="cancelled")
                raise
            await self._end(
                case, tool, inner, status="failed", error=describe(error, self._worker.redactor.clean)
            )
            raise _failed(case, tool) from error
        case.before, case.preview_digest = value
        await self._end(case, tool, inner, status="done", result_digest=case.preview_digest)

    async def _end(self, case: Case, tool: Tool, inner: Case, **facts: str) -> None:
        await self._audit.append(self._records.preview(case, "outcome", tool, {}, inner, **facts))

    async def _run(self, inner: Case, tool: Tool, values: Any) -> tuple[Any, str]:
        context = self._worker.context(inner, tool.timeout)
        result = await within(tool.timeout, _started(tool, values, context))
        handover = pack_up(result, self._worker.redactor, LARGEST)
        if handover.value is None and handover.whole is None:
            return None, ""  # the tool says that there is no record: `before` is absent
        if not isinstance(handover.value, dict):
            raise Unserialisable("a preview is one record, that is a JSON object")
        canonical = orjson.dumps(handover.value, option=orjson.OPT_SORT_KEYS)
        return handover.value, hashlib.sha256(canonical).hexdigest()

    def _tool(self, tool: Tool) -> Tool:
        assert tool.preview is not None
        name = f"{tool.pack}.{tool.preview.tool}"
        found = self._registry.find(name)
        if found is None or found.effect != "read" or found.pack != tool.pack:
            raise PackError(
                f"{tool.name!r} names the preview {name!r}, which is not a read tool of its pack",
                rule="a preview is a read tool of the same pack",
                remedy="Ask the pack's author, or lock another version",
            )
        return found


async def _started(tool: Tool, values: Any, context: CallContext) -> Any:
    return await tool.start(values, context)


def _inner(case: Case, tool: Tool, arguments: Frozen) -> Case:
    """The preview as a case of its own; its secrets are decided as those of the call that it is part of."""
    inner = Case(case.call)
    inner.tool, inner.arguments = tool, arguments
    inner.policy, inner.decision, inner.labels = case.policy, case.decision, case.labels
    return inner


def _failed(case: Case, tool: Tool) -> CallDenied:
    assert case.tool is not None
    return CallDenied(
        f"{case.tool.name} was denied, because the record that it would change could not be looked at",
        rule=f"a preview ({tool.name}) that fails denies the call",
        remedy="Check that the record exists; asking again unchanged will not help",
    )
