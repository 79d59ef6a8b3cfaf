"""AutoGen's classic API (`autogen` 0.14): every tool call of a chat is decided, approved, run and signed for.

    crib = Crib.from_config("toolcrib.toml")
    analyst = AssistantAgent("analyst", llm_config=...)
    principal = crib.principal("analyst", user="alice", run="42")
    offer(crib, analyst, principal)                       # what the model is told of
    proxy = HumanProxyAgent("proxy", crib, [principal])   # what runs it
    proxy.initiate_chat(analyst, message="...")

A call is made for the principal of the agent that *spoke* it, never of the agent that runs it. Who spoke is
taken from the framework's own objects (the sender, a group's last speaker), not from the `name` in a message,
which is text. Nothing runs from a `function_map`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from autogen import ConversableAgent, GroupChatManager, OpenAIWrapper, UserProxyAgent
from autogen.agentchat.group.group_tool_executor import GroupToolExecutor
from autogen.events.agent_events import ExecutedFunctionEvent
from autogen.io.base import IOStream
from autogen.oai.client import PlaceHolderClient

from toolcrib.adapters._classic_gate import Ask, ClassicSource, Gate, Principals
from toolcrib.adapters._classic_messages import (
    Message,
    a_settle_pending,
    function_message,
    needs_human,
    restore_chat,
    settle_pending,
    text_of,
    tool_message,
    waiting_approvals,
)
from toolcrib.approvals import ApprovalChannel
from toolcrib.calls import ToolResult
from toolcrib.crib import ToolSource
from toolcrib.effects import Effect
from toolcrib.errors import ConfigError
from toolcrib.principal import Principal
from toolcrib.tools import Tool

__all__ = [
    "ClassicSource",
    "HumanProxyAgent",
    "Principals",
    "a_settle_pending",
    "govern_pattern",
    "needs_human",
    "offer",
    "restore_chat",
    "settle_pending",
    "waiting_approvals",
]

P = TypeVar("P")
Reply = tuple[bool, Any]

_REPLIES = (
    "generate_tool_calls_reply",
    "a_generate_tool_calls_reply",
    "generate_function_call_reply",
    "a_generate_function_call_reply",
    "check_termination_and_human_reply",
    "a_check_termination_and_human_reply",
)


# --- what a model is told of ------------------------------------------------------------------------------


def offer(source: ToolSource, agent: Any, principal: Principal) -> list[Tool]:
    """Tell the agent's model of the tools that `principal` could be allowed to call, and of no others.

    Nothing is registered for execution. Offering again replaces the last offer; tools that the agent has from
    elsewhere stay. Custom model clients survive, whether registered before or after. Raises `ConfigError` for
    an agent without `llm_config`.
    """
    if not agent.llm_config:
        raise ConfigError(
            f"agent {agent.name!r} has no model to offer tools to",
            rule="tools are offered through llm_config",
            remedy="Create it with llm_config=...",
        )
    tools = source.tools_for(principal)
    names = {tool.wire_name for tool in tools}
    gone = names | getattr(agent, "_toolcrib_offer", frozenset())
    kept = [known for known in agent.llm_config.get("tools") or [] if known["function"]["name"] not in gone]
    # A new list: agents that were made from one llm_config share what is in it.
    agent.llm_config["tools"] = [*kept, *map(_signature, tools)]
    before, agent.client = agent.client, OpenAIWrapper(**agent.llm_config)
    _carry_over(before, agent.client)
    agent._toolcrib_offer = frozenset(names)
    return tools


def _signature(tool: Tool) -> Message:
    function = {"name": tool.wire_name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", "function": function}


def _carry_over(before: Any, now: Any) -> None:
    """A rebuilt wrapper has placeholders where clients were registered, and no costs: put both back."""
    for index, client in enumerate(before._clients):
        if isinstance(now._clients[index], PlaceHolderClient):
            now._clients[index] = client
    now.total_usage_summary, now.actual_usage_summary = (
        before.total_usage_summary,
        before.actual_usage_summary,
    )


# --- what runs it -----------------------------------------------------------------------------------------


class HumanProxyAgent(UserProxyAgent):
    """Runs, through the crib, whatever tools the other agents of its chat ask for, and speaks for the human.

    Refusals and failures are tool messages that say what the model may do next; no reply function raises.
    Stop the chat with `is_termination_msg=needs_human` (on the other agent, or on the group's manager) where
    a call is parked.

    Args:
        name: The agent's name; it never decides anything.
        source: The crib.
        principals: For whom each agent asks. An agent without a principal is refused, and that is recorded.
        channel: Asked for approvals of this chat's calls while they wait (`TerminalChannel("alice")`), beside
            the crib's own channels and other processes. In mode `park` nobody is asked.
        effects: What the functions of `function_map` and of `register_for_execution` do to the world, by
            name: they are adopted by the crib as `local.NAME`. One that is not named here is refused
            (`ConfigError`).
        parallel: Whether parallel calls run at once in async chats; sync chats run them one after the other.
        human_input_mode: As in autogen, except that nobody is asked before tool calls: approvals do that.
        **kwargs: As in `UserProxyAgent`. Code execution is refused (`ConfigError`): it would bypass the crib.
    """

    def __init__(
        self,
        name: str,
        source: ClassicSource,
        principals: Principals,
        *,
        channel: ApprovalChannel | None = None,
        effects: Mapping[str, Effect] | None = None,
        parallel: bool = True,
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        human_input_mode: Literal["ALWAYS", "TERMINATE", "NEVER"] = "NEVER",
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("code_execution_config", False):
            raise ConfigError(
                f"agent {name!r} would run code that no policy sees",
                rule="a HumanProxyAgent runs nothing but tools of the crib",
                remedy="Leave code_execution_config out; code runs as a tool of the sandbox pack",
            )
        kwargs.setdefault("description", "Runs the tools that others ask for, and speaks for the human.")
        super().__init__(
            name, human_input_mode=human_input_mode, code_execution_config=False, function_map=None, **kwargs
        )
        self._source, self._gate = source, Gate(source, principals, channel)
        self._effects, self._parallel = dict(effects or {}), parallel
        self._take_over()
        if function_map:
            self.register_function(dict(function_map))

    def _take_over(self) -> None:
        """Put our reply functions in the place of the stock ones: these are registered as functions of the
        base class, so that overriding alone does nothing.
        """
        for name in _REPLIES:
            self.replace_reply_func(getattr(ConversableAgent, name), getattr(type(self), name))
        registered = [entry["reply_func"] for entry in self._reply_func_list]
        missing = [name for name in _REPLIES if getattr(type(self), name) not in registered]
        if missing:
            raise ConfigError(
                f"this release of autogen does not register {', '.join(missing)}",
                rule="every tool call goes through the crib, or the agent is not made",
                remedy="Install autogen>=0.14,<1",
            )

    # --- the reply functions

    def generate_tool_calls_reply(
        self, messages: list[Message] | None = None, sender: Any = None, config: Any = None
    ) -> Reply:
        """Answer the tool calls of the last message, in their order."""
        asks = self._tool_asks(messages, sender)
        return self._tool_reply(asks, [self._gate.result_sync(ask) for ask in asks])

    async def a_generate_tool_calls_reply(
        self, messages: list[Message] | None = None, sender: Any = None, config: Any = None
    ) -> Reply:
        """Answer the tool calls of the last message, at once or in their order; the answers keep it."""
        asks = self._tool_asks(messages, sender)
        if self._parallel:
            results = await asyncio.gather(*(self._gate.result(ask) for ask in asks))
        else:
            results = [await self._gate.result(ask) for ask in asks]
        return self._tool_reply(asks, results)

    def generate_function_call_reply(
        self, messages: list[Message] | None = None, sender: Any = None, config: Any = None
    ) -> Reply:
        """Answer a legacy `function_call`."""
        ask = self._function_ask(messages, sender)
        return self._function_reply(ask, self._gate.result_sync(ask)) if ask else (False, None)

    async def a_generate_function_call_reply(
        self, messages: list[Message] | None = None, sender: Any = None, config: Any = None
    ) -> Reply:
        """Answer a legacy `function_call`."""
        ask = self._function_ask(messages, sender)
        return self._function_reply(ask, await self._gate.result(ask)) if ask else (False, None)

    def check_termination_and_human_reply(
        self,
        messages: list[Message] | None = None,
        sender: Any = None,
        config: Any = None,
        iostream: Any = None,
    ) -> Reply:
        """As autogen does, except that "Enter runs the tool" is not asked."""
        if self._goes_to_approvals(messages, sender):
            return False, None
        reply: Reply = super().check_termination_and_human_reply(messages, sender, config, iostream)
        return reply

    async def a_check_termination_and_human_reply(
        self,
        messages: list[Message] | None = None,
        sender: Any = None,
        config: Any = None,
        iostream: Any = None,
    ) -> Reply:
        """As autogen does, except that "Enter runs the tool" is not asked."""
        if self._goes_to_approvals(messages, sender):
            return False, None
        reply: Reply = await super().a_check_termination_and_human_reply(messages, sender, config, iostream)
        return reply

    def _goes_to_approvals(self, messages: list[Message] | None, sender: Any) -> bool:
        last = self._last(messages, sender)
        return self.human_input_mode == "ALWAYS" and bool(last.get("tool_calls") or last.get("function_call"))

    # --- what was asked, by whom

    def _last(self, messages: list[Message] | None, sender: Any) -> Message:
        found = messages if messages is not None else self._oai_messages[sender]
        return found[-1] if found else {}

    def _tool_asks(self, messages: list[Message] | None, sender: Any) -> list[Ask]:
        last = self._last(messages, sender)
        return [
            _ask(call.get("function") or {}, call.get("id"), last, _speaker(sender))
            for call in last.get("tool_calls") or ()
        ]

    def _function_ask(self, messages: list[Message] | None, sender: Any) -> Ask | None:
        last = self._last(messages, sender)
        call = last.get("function_call")
        return _ask(call, last.get("id"), last, _speaker(sender)) if call else None

    def _tool_reply(self, asks: list[Ask], results: list[ToolResult]) -> Reply:
        if not asks:
            return False, None
        texts = [_shown(self, ask, result) for ask, result in zip(asks, results, strict=True)]
        return True, tool_message([(ask.call_id, text) for ask, text in zip(asks, texts, strict=True)])

    def _function_reply(self, ask: Ask, result: ToolResult) -> Reply:
        return True, function_message(ask.tool, _shown(self, ask, result))

    # --- functions that builders bring

    def register_function(
        self, function_map: Mapping[str, Callable[..., Any] | None], silent_override: bool = False
    ) -> None:
        """Adopt functions whose effects were given; never run one from here. Raises `ConfigError` for
        others.
        """
        for name, function in function_map.items():
            adopt = getattr(self._source, "adopt", None)
            if function is None or adopt is None or name not in self._effects:
                raise ConfigError(
                    f"function {name!r} of agent {self.name!r} would run outside the crib",
                    rule="what a tool does to the world is said when it is adopted",
                    remedy=f'Pass effects={{"{name}": "read"}} (or write, send, destructive)',
                )
            adopt(function, effect=self._effects[name], name=name)

    def can_execute_function(self, name: list[str] | str) -> bool:
        """Always: in a group chat calls must come here, those of unknown tools too, so that they are
        recorded.
        """
        return True

    def execute_function(
        self, func_call: Message, call_id: str | None = None, verbose: bool = False
    ) -> tuple[bool, Message]:
        """Refused, and recorded: nobody says here which agent asks. Reply functions do not come this way."""
        ask = _ask(func_call, call_id, {}, None)
        return _executed(self, ask, self._gate.result_sync(ask))

    async def a_execute_function(
        self, func_call: Message, call_id: str | None = None, verbose: bool = False
    ) -> tuple[bool, Message]:
        """Refused, and recorded: nobody says here which agent asks."""
        ask = _ask(func_call, call_id, {}, None)
        return _executed(self, ask, await self._gate.result(ask))

    def _prepare_chat(self, recipient: Any, *args: Any, **kwargs: Any) -> None:
        """Refuse to start a chat in which another agent would run functions past the crib."""
        group: list[Any] = (
            recipient.groupchat.agents if isinstance(recipient, GroupChatManager) else [recipient]
        )
        for agent in group:
            if agent is not self and getattr(agent, "_function_map", None):
                raise ConfigError(
                    f"agent {agent.name!r} would run {', '.join(sorted(agent._function_map))} past the crib",
                    rule="in a governed chat only a HumanProxyAgent runs functions",
                    remedy=f"Register them for execution with {self.name!r}, or adopt them: crib.adopt",
                )
        super()._prepare_chat(recipient, *args, **kwargs)


# --- group patterns ---------------------------------------------------------------------------------------


def govern_pattern(
    pattern: P, source: ClassicSource, principals: Principals, *, channel: ApprovalChannel | None = None
) -> P:
    """Make the group chats of this pattern object run tools through the crib; the same pattern, for chaining.

    Their tool executor pools the functions of all agents and runs any for any of them; here it runs handoffs
    of the asking agent, and asks the crib for everything else. Only this object is changed, so groups with
    different principals may run side by side.
    """
    governed: Any = pattern
    prepare = governed.prepare_group_chat
    gate = Gate(source, principals, channel)

    def prepare_governed(*args: Any, **kwargs: Any) -> Any:
        parts = prepare(*args, **kwargs)
        executors = [part for part in parts if isinstance(part, GroupToolExecutor)]
        if len(executors) != 1:
            raise ConfigError(
                f"{type(pattern).__name__} has {len(executors)} tool executors",
                rule="the tool executor of a group is governed, or the group is not started",
                remedy="Install autogen>=0.14,<1",
            )
        _govern_executor(executors[0], gate)
        return parts

    governed.prepare_group_chat = prepare_governed
    return pattern


def _govern_executor(executor: Any, gate: Gate) -> None:
    native, a_native = executor.execute_function, executor.a_execute_function

    def speaker() -> Any:
        """The last speaker, if it is also the one whose message is being answered."""
        last = executor._group_manager.last_speaker
        return last if last and last.name == executor.get_tool_call_originator() else None

    def is_handoff(agent: Any, name: str) -> bool:
        return agent is not None and bool(executor.function_is_agent_llm_handoff(agent.name, name))

    def execute_function(
        func_call: Message, call_id: str | None = None, verbose: bool = False
    ) -> tuple[bool, Message]:
        agent = speaker()
        if is_handoff(agent, func_call.get("name", "")):
            return native(func_call, call_id, verbose)  # type: ignore[no-any-return]
        ask = _ask(func_call, call_id, {}, agent)
        return _executed(executor, ask, gate.result_sync(ask))

    async def a_execute_function(
        func_call: Message, call_id: str | None = None, verbose: bool = False
    ) -> tuple[bool, Message]:
        agent = speaker()
        if is_handoff(agent, func_call.get("name", "")):
            return await a_native(func_call, call_id, verbose)  # type: ignore[no-any-return]
        ask = _ask(func_call, call_id, {}, agent)
        return _executed(executor, ask, await gate.result(ask))

    executor.execute_function, executor.a_execute_function = execute_function, a_execute_function


# --- shared -----------------------------------------------------------------------------------------------


def _speaker(sender: Any) -> Any:
    """The agent that spoke: in a group the manager passes on what another agent said."""
    return sender.last_speaker if isinstance(sender, GroupChatManager) else sender


def _ask(function: Mapping[str, Any], call_id: Any, message: Mapping[str, Any], speaker: Any) -> Ask:
    said = message.get("content")
    return Ask(
        speaker=None if speaker is None else str(speaker.name),
        tool=str(function.get("name") or ""),
        arguments=function.get("arguments"),
        call_id=str(call_id) if call_id else None,
        reason=said.strip() if isinstance(said, str) else "",
        model=_model_of(speaker),
    )


def _model_of(agent: Any) -> str:
    """The model behind an agent if it can be only one, for the audit log."""
    config = getattr(agent, "llm_config", None) or {}
    models = {str(entry["model"]) for entry in config.get("config_list") or ()}
    return models.pop() if len(models) == 1 else ""


def _executed(agent: Any, ask: Ask, result: ToolResult) -> tuple[bool, Message]:
    return not result.is_error, function_message(ask.tool, _shown(agent, ask, result))


def _shown(agent: Any, ask: Ask, result: ToolResult) -> str:
    """The text of a result, which also goes to whoever watches the chat; the arguments do not: some are
    sensitive.
    """
    text = text_of(result)
    event = ExecutedFunctionEvent(
        func_name=ask.tool,
        call_id=ask.call_id,
        arguments=None,
        content=text,
        recipient=agent,
        is_exec_success=not result.is_error,
    )
    with contextlib.suppress(
        Exception
    ):  # the call was made: its answer must not be lost with whoever watches
        IOStream.get_default().send(event)
    return text
