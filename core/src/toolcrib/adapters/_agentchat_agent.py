"""An AssistantAgent all of whose tool calls go through a crib."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import (
    BaseAgentEvent,
    BaseChatMessage,
    ThoughtEvent,
    ToolCallExecutionEvent,
    ToolCallRequestEvent,
)
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResult,
)
from autogen_core.tools import BaseTool, Workbench

from toolcrib.adapters._agentchat_parked import Parked
from toolcrib.adapters._agentchat_state import interrupted, put_result
from toolcrib.adapters._agentchat_workbench import GovernedWorkbench
from toolcrib.calls import ToolResult
from toolcrib.crib import ToolSource
from toolcrib.errors import ConfigError
from toolcrib.principal import Principal

__all__ = ["GovernedAgent", "governed_agent"]

Output = BaseAgentEvent | BaseChatMessage | Response
Executed = tuple[FunctionCall, FunctionExecutionResult]


class GovernedAgent(AssistantAgent):
    """An AssistantAgent whose tools are those of `workbench`, and nothing else.

    Every call that its model makes goes through the crib, so what was not offered, does not exist or has
    malformed arguments is on the audit log too. Handoffs are AutoGen's own. `options` are those of
    AssistantAgent. Raises `ConfigError` when policy would see another agent than the team does, and for
    ungoverned tools.
    """

    def __init__(
        self, name: str, model_client: ChatCompletionClient, workbench: GovernedWorkbench, **options: Any
    ) -> None:
        _check(name, workbench, options)
        super().__init__(name, model_client, workbench=workbench, **options)
        self.workbench = workbench

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[Output, None]:
        """Like AssistantAgent's; calls that a cancelled turn left without a result are given one first."""
        await self._mend()
        async with aclosing(super().on_messages_stream(messages, cancellation_token)) as outputs:
            async for output in outputs:
                yield output

    # --- AutoGen's inside: both are private, but 0.7.5 is the last release

    @classmethod
    async def _process_model_result(  # type: ignore[override]
        cls, model_result: CreateResult, cancellation_token: CancellationToken, **rest: Any
    ) -> AsyncGenerator[Output, None]:
        """As AssistantAgent, but a turn that is given up cancels its calls, and a parked call ends it."""
        bench, token = _governed(rest["workbench"]), CancellationToken()
        cancellation_token.add_callback(token.cancel)
        bench.reason = model_result.thought or ""
        steps = super()._process_model_result(model_result=model_result, cancellation_token=token, **rest)
        calls: list[FunctionCall] = []
        try:
            async with aclosing(steps):
                async for step in steps:
                    yield step
                    if isinstance(step, ThoughtEvent):
                        bench.reason = step.content
                    elif isinstance(step, ToolCallRequestEvent):
                        calls = step.content
                    elif isinstance(step, ToolCallExecutionEvent):
                        bench.reason = ""
                        if _ends(bench, calls, rest["handoffs"]):
                            yield cls._summary(calls, step.content, rest)
                            return
        finally:
            token.cancel()
            await bench.quiet()

    @classmethod
    def _summary(
        cls,
        calls: Sequence[FunctionCall],
        results: Sequence[FunctionExecutionResult],
        options: Mapping[str, Any],
    ) -> Response:
        """What AssistantAgent says at the end of a turn that made calls."""
        return cls._summarize_tool_use(
            executed_calls_and_results=list(zip(calls, results, strict=True)),
            **{name: options[name] for name in SUMMARY},
        )

    @staticmethod
    async def _execute_tool_call(
        tool_call: FunctionCall,
        workbench: Sequence[Workbench],
        handoff_tools: list[BaseTool[Any, Any]],
        agent_name: str,
        cancellation_token: CancellationToken,
        stream: asyncio.Queue[BaseAgentEvent | BaseChatMessage | None],
    ) -> Executed:
        """Every call by way of the workbench, offered or not; handoffs by AutoGen's own."""
        if any(tool.name == tool_call.name for tool in handoff_tools):
            return await _hand_off(
                tool_call, workbench, handoff_tools, agent_name, cancellation_token, stream
            )
        calls = _governed(workbench).ask(
            tool_call.name, tool_call.arguments, tool_call.id, cancellation_token
        )
        result: ToolResult | None = None
        async for item in calls:
            if isinstance(item, ToolResult):
                result = item
            else:
                stream.put_nowait(item)
        assert result is not None
        return tool_call, _execution(tool_call, result.text, result.is_error)

    # --- state

    async def save_state(self) -> Mapping[str, Any]:
        """AssistantAgent's state, and under `workbench` that of the workbench, which AutoGen leaves out."""
        return {**await super().save_state(), "workbench": await self.workbench.save_state()}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state; a call that was under way then is given a result that says so.

        Raises `ConfigError` for the state of another principal.
        """
        mended = copy.deepcopy(dict(state))
        bench, calls = mended.pop("workbench", None), interrupted(mended)
        if bench is not None:
            await self.workbench.load_state(bench)
            self._park(calls, bench["principal"]["run"])
        await super().load_state(mended)

    async def put_result(self, parked: Parked, text: str, is_error: bool) -> None:
        """Let `text` be the result of a call that was parked, in the agent's context."""
        context = copy.deepcopy(dict(await self.model_context.save_state()))
        put_result(context, parked, text, is_error)
        await self.model_context.load_state(context)

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Back to the beginning, parked calls included."""
        await super().on_reset(cancellation_token)
        await self.workbench.reset()

    async def _mend(self) -> None:
        messages = await self.model_context.get_messages()
        if (
            not messages
            or not isinstance(last := messages[-1], AssistantMessage)
            or isinstance(last.content, str)
        ):
            return
        context = copy.deepcopy(dict(await self.model_context.save_state()))
        self._park(interrupted({"llm_context": context}), self.workbench.principal.run)
        await self.model_context.load_state(context)

    def _park(self, calls: Sequence[Parked], run: str) -> None:
        handoffs = {tool.name for tool in self._handoff_tools}
        for call in calls:
            if call.tool not in handoffs:
                self.workbench.parked[call.call_id] = replace(call, run=run)


SUMMARY = (
    "inner_messages",
    "handoffs",
    "tool_call_summary_format",
    "tool_call_summary_formatter",
    "agent_name",
)


def governed_agent(
    source: ToolSource,
    principal: Principal,
    model_client: ChatCompletionClient,
    *,
    events: bool = False,
    ends_turn: bool = True,
    model: str = "",
    prompt_version: str = "",
    **options: Any,
) -> GovernedAgent:
    """A `GovernedAgent` of the principal's name, with a workbench of its own.

    `options` are those of AssistantAgent; the rest is explained at `GovernedWorkbench`.
    """
    bench = GovernedWorkbench(
        source, principal, events=events, ends_turn=ends_turn, model=model, prompt_version=prompt_version
    )
    return GovernedAgent(principal.agent, model_client, bench, **options)


def _check(name: str, workbench: Any, options: Mapping[str, Any]) -> None:
    if not isinstance(workbench, GovernedWorkbench):
        raise ConfigError(
            f"agent {name!r} was given a {type(workbench).__name__} as its workbench",
            rule="a governed agent has one GovernedWorkbench",
            remedy="Build it with governed_agent(crib, principal, model_client)",
        )
    if options.get("tools"):
        raise ConfigError(
            f"agent {name!r} was given tools that no policy decides on",
            rule="a governed agent's tools are its crib's",
            remedy='Register them: crib.adopt(tool, effect="read")',
        )
    if workbench.principal.agent != name:
        raise ConfigError(
            f"agent {name!r} would act as agent {workbench.principal.agent!r}",
            rule="policy and audit log know an agent by its name in the team",
            remedy="Give agent and principal the same name",
        )
    if not name.isidentifier():
        raise ConfigError(
            f"{name!r} cannot be an agent of AgentChat",
            rule="AgentChat's agent names are Python identifiers",
            remedy="Use letters, digits and _ in the principal's agent name",
        )


def _governed(workbench: Sequence[Workbench]) -> GovernedWorkbench:
    return cast(GovernedWorkbench, workbench[0])


def _ends(bench: GovernedWorkbench, calls: Sequence[FunctionCall], handoffs: Mapping[str, Any]) -> bool:
    """Whether a step in which these calls were made is the turn's last, because one of them is parked."""
    hands_off = any(call.name in handoffs for call in calls)
    return bench.ends_turn and not hands_off and any(call.id in bench.parked for call in calls)


async def _hand_off(tool_call: FunctionCall, *rest: Any) -> Executed:
    try:
        return await AssistantAgent._execute_tool_call(tool_call, *rest)
    except Exception as error:  # an agent whose handoff raises would wait for ever
        text = f"INVALID ARGUMENTS: the handoff {tool_call.name} failed ({type(error).__name__})"
        return tool_call, _execution(tool_call, text, True)


def _execution(tool_call: FunctionCall, text: str, is_error: bool) -> FunctionExecutionResult:
    return FunctionExecutionResult(content=text, call_id=tool_call.id, is_error=is_error, name=tool_call.name)
