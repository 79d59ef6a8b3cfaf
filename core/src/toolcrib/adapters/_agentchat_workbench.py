"""A workbench whose tools are a crib's: what one principal may ask for, decided and signed for call by call.

AutoGen waits for ever when an exception leaves a tool call, a cancellation included. So while a call is under
way nothing here raises: whatever happens becomes a result that the model can act on. The principal is a field
of the workbench and never a context variable, because a runtime that was started earlier runs tools with the
variables of its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, cast

from autogen_agentchat.messages import BaseAgentEvent
from autogen_core import CancellationToken
from autogen_core.tools import ParametersSchema, StaticStreamWorkbench, TextResultContent, ToolSchema
from autogen_core.tools import ToolResult as WorkbenchResult

from toolcrib.adapters._agentchat_events import ApprovalRequestedEvent, ToolProgressEvent
from toolcrib.adapters._agentchat_logs import protect_logs_once
from toolcrib.adapters._agentchat_parked import STATE, Parked, check_owner, principal_to
from toolcrib.adapters._shared import parse_arguments
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.principal import Principal
from toolcrib.tools import Tool

if TYPE_CHECKING:
    from toolcrib.approvals import Approval
    from toolcrib.crib import ToolSource
    from toolcrib.executor._case import Progress

__all__ = ["GovernedWorkbench"]

GRACE = 5.0
"""Seconds that a cancelled call has to end and be recorded; a tool that swallows its cancellation is left
behind then.
"""


class GovernedWorkbench(StaticStreamWorkbench):
    """The tools of `source` (a crib, local or remote) for one principal.

    `events` streams `ApprovalRequestedEvent` and `ToolProgressEvent`; a team must then be told of
    `MESSAGE_TYPES`. `ends_turn`: a parked call ends its agent's turn, instead of letting the model go on
    without the result. `model` and `prompt_version` go to the audit log. `parked` are the calls without a
    final result, by call id; `reason` is what the model said with the calls that it makes now.
    """

    def __init__(
        self,
        source: ToolSource,
        principal: Principal,
        *,
        events: bool = False,
        ends_turn: bool = True,
        model: str = "",
        prompt_version: str = "",
    ) -> None:
        super().__init__([])
        protect_logs_once()
        self.source, self.principal = source, principal
        self.events, self.ends_turn = events, ends_turn
        self.parked: dict[str, Parked] = {}
        self.reason = ""
        self.grace = GRACE
        self._model, self._prompt_version = model, prompt_version
        self._running: set[asyncio.Task[ToolResult]] = set()
        self._offer: list[Tool] = []
        self._schemas: list[ToolSchema] = []
        self._by_wire: dict[str, Tool] = {}

    # --- what is offered

    async def list_tools(self) -> list[ToolSchema]:
        """The tools that this principal could be allowed at all, by wire name.

        Schemas are built again only when the offer has changed, which follows policy and registry.
        """
        offer = self.source.tools_for(self.principal)
        if offer != self._offer:
            self._offer, self._schemas = offer, [_schema(tool) for tool in offer]
            self._by_wire = {tool.wire_name: tool for tool in offer}
        return list(self._schemas)

    # --- calls

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> WorkbenchResult:
        """What came of the call; its events are left out."""
        call, result = self._call(name, {} if arguments is None else arguments, call_id), None
        async for item in self._run(call, cancellation_token):
            result = item if isinstance(item, ToolResult) else None
        assert result is not None, "a run ends with its result"
        return _handed_over(name, result)

    async def call_tool_stream(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> AsyncGenerator[Any | WorkbenchResult, None]:
        """The call's events, if `events`, then what came of it."""
        call = self._call(name, {} if arguments is None else arguments, call_id)
        async for item in self._run(call, cancellation_token):
            yield _handed_over(name, item) if isinstance(item, ToolResult) else item

    async def ask(
        self, name: str, arguments: str, call_id: str, token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | ToolResult, None]:
        """One call as the model wrote it, malformed arguments included: events, then the result.

        A call that is parked is kept in `parked`.
        """
        async for item in self._run(self._call(name, parse_arguments(arguments), call_id), token):
            if isinstance(item, ToolResult) and item.status == "pending":
                self.parked[call_id] = Parked(
                    call_id, name, arguments, item.approval, item.text, self.principal.run
                )
            yield item

    async def quiet(self) -> None:
        """Return when no call is under way any more; at most `grace` seconds."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=self.grace)

    def _call(self, name: str, arguments: Mapping[str, Any], call_id: str | None) -> ToolCall:
        tool = self._by_wire.get(name)
        known: dict[str, Any] = {"call_id": call_id} if call_id else {}
        return ToolCall(
            tool.name if tool else name,
            arguments,
            self.principal,
            reason=self.reason,
            model=self._model,
            prompt_version=self._prompt_version,
            **known,
        )

    async def _run(
        self, call: ToolCall, token: CancellationToken | None
    ) -> AsyncGenerator[BaseAgentEvent | ToolResult, None]:
        loop = asyncio.get_running_loop()
        news: asyncio.Queue[Approval | Progress | None] = asyncio.Queue()
        # A sync tool reports its progress from a worker thread.
        watch = (lambda item: loop.call_soon_threadsafe(news.put_nowait, item)) if self.events else None
        task = loop.create_task(self.source.execute(call, watch=watch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: news.put_nowait(None))
        if token is not None:
            token.add_callback(
                _canceller(loop, task, lambda: loop.call_later(self.grace, news.put_nowait, None))
            )
        try:
            while (item := await news.get()) is not None:
                yield self._event(call, item)
            result = _outcome(call, task)
            if self.events and result.status == "pending":
                yield self._parked_event(call, result)
            yield result
        finally:
            if not task.done() and not task.cancelling():
                task.cancel()
                await asyncio.wait({task}, timeout=self.grace)

    def _event(self, call: ToolCall, item: Approval | Progress) -> BaseAgentEvent:
        from toolcrib.approvals import Approval

        agent = self.principal.agent
        if isinstance(item, Approval):
            return ApprovalRequestedEvent(
                source=agent,
                content=f"{item.tool} waits for a human (approval {item.id})",
                approval=item.id,
                call_id=call.call_id,
                tool=item.tool,
                arguments=dict(item.shown),
            )
        return ToolProgressEvent(
            source=agent, content=item.message, call_id=call.call_id, tool=call.tool, fraction=item.fraction
        )

    def _parked_event(self, call: ToolCall, result: ToolResult) -> BaseAgentEvent:
        tool = next((tool for tool in self._offer if tool.name == result.tool), None)
        hidden = tool.sensitive if tool else tuple(call.arguments)
        return ApprovalRequestedEvent(
            source=self.principal.agent,
            content=f"{result.tool} is parked until a human has answered (approval {result.approval})",
            approval=result.approval or "",
            call_id=call.call_id,
            tool=result.tool,
            arguments={name: value for name, value in call.arguments.items() if name not in hidden},
        )

    # --- state

    async def save_state(self) -> Mapping[str, Any]:
        """Whose workbench it is, and the calls that have no final result."""
        return {
            "type": STATE,
            "principal": principal_to(self.principal),
            "parked": [parked.to_state() for parked in self.parked.values()],
        }

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `save_state` gave; raises `ConfigError` for the state of another principal."""
        check_owner(state, self.principal)
        self.parked = {each["call_id"]: Parked(**each) for each in state["parked"]}

    async def reset(self) -> None:
        """Forget the parked calls. Their approvals stay."""
        self.parked.clear()

    def _to_config(self) -> NoReturn:
        # AutoGen would write down an ordinary workbench, and load it without any policy.
        raise NotImplementedError("a governed workbench is bound to its crib; build it in code")


def _schema(tool: Tool) -> ToolSchema:
    return ToolSchema(
        name=tool.wire_name,
        description=tool.description,
        parameters=cast(ParametersSchema, tool.schema),
    )


def _handed_over(name: str, result: ToolResult) -> WorkbenchResult:
    return WorkbenchResult(
        name=name, result=[TextResultContent(content=result.text)], is_error=result.is_error
    )


def _canceller(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[ToolResult], give_up: Callable[[], object]
) -> Callable[[], None]:
    """What a token calls, perhaps from another thread. By way of the loop, so that the call has begun, and is
    on the audit log, before it is cancelled.
    """

    def cancel() -> None:
        if not task.done():
            loop.call_soon_threadsafe(task.cancel)
            loop.call_soon_threadsafe(give_up)

    return cancel


def _outcome(call: ToolCall, task: asyncio.Task[ToolResult]) -> ToolResult:
    """What came of the call, also when it did not come to its end."""
    if not task.done() or task.cancelled():
        text = (
            f"CANCELLED: {call.tool} was cancelled by the caller. If it had begun, it may have happened; "
            "do not ask for it again unless the user does."
        )
        return ToolResult(call.call_id, call.tool, "cancelled", text)
    error = task.exception()
    if error is None:
        return task.result()
    text = (
        f"UNAVAILABLE: {call.tool} could not be called ({type(error).__name__}). "
        "Trying again will not help now; tell the user."
    )
    return ToolResult(call.call_id, call.tool, "unavailable", text)
