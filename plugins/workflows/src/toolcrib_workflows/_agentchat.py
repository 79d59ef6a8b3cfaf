"""The team in AgentChat: a round of four agents, which stops when a call is parked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autogen_agentchat.conditions import FunctionalTermination, MaxMessageTermination
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.models import ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

from toolcrib.adapters.agentchat import governed_agent, pending_approval, settle_pending
from toolcrib.crib import Crib
from toolcrib.principal import Principal
from toolcrib_workflows._jobs import JobKind
from toolcrib_workflows._models import Endpoint
from toolcrib_workflows._talk import TalkFailed

__all__ = ["AgentChatTalk"]

MOST_CALLS = 25
"""Calls per turn of an agent, and messages per run: where a model that does not find its end is stopped."""
MOST_MESSAGES = 200


class AgentChatTalk:
    """`said(agent, text)` is told of what agents answer."""

    def __init__(
        self,
        crib: Crib,
        principals: Sequence[Principal],
        endpoint: Endpoint,
        job: JobKind,
        task: str,
        said: Callable[[str, str], None],
    ) -> None:
        self._crib, self._said = crib, said
        self._client = _client(endpoint)
        self._task: str | None = task
        self._waiting: tuple[str, ...] = ()
        self._agents = [
            governed_agent(
                crib,
                principal,
                self._client,
                model=endpoint.model,
                prompt_version=job.prompt_version,
                description=role.description,
                system_message=role.system_message,
                max_tool_iterations=MOST_CALLS,
            )
            for role, principal in zip(job.roles, principals, strict=True)
        ]
        ends = (
            FunctionalTermination(_is_from(job.roles[-1].name))
            | MaxMessageTermination(MOST_MESSAGES)
            | pending_approval()
        )
        self._team = RoundRobinGroupChat(list(self._agents), termination_condition=ends)

    async def go_on(self) -> None:
        """One run of the team."""
        task, self._task = self._task, None
        try:
            async for message in self._team.run_stream(task=task):
                if isinstance(message, TextMessage) and message.source != "user":
                    self._said(message.source, message.content)
        except Exception as error:
            raise TalkFailed(_in_words(error)) from error
        self._see()

    async def load(self, saved: Any) -> None:
        """The team's state; calls that were interrupted are asked again, under their own ids."""
        self._task = None
        await self._team.load_state(saved)
        settled = await settle_pending(self._team, self._crib, ask_again=True)
        self._waiting = settled.waiting

    async def settle(self) -> None:
        """The answered calls' results, in the state of team and agents."""
        self._waiting = (await settle_pending(self._team, self._crib)).waiting

    async def save(self, caller: str | None = None) -> Any:
        """The team's state. What the caller has heard is in its context already, so its buffer is left out:
        it would hear it twice.
        """
        state: Any = await self._team.save_state()
        if caller in state["agent_states"]:
            state["agent_states"][caller]["message_buffer"] = []
        return state

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    @property
    def waiting(self) -> tuple[str, ...]:
        """See `Talk`."""
        return self._waiting

    def _see(self) -> None:
        parked = (call for agent in self._agents for call in agent.workbench.parked.values())
        self._waiting = tuple(call.approval for call in parked if call.approval)


def _is_from(last: str) -> Callable[[Sequence[BaseAgentEvent | BaseChatMessage]], bool]:
    """Whether the last agent of the round has had its say."""
    return lambda messages: any(
        isinstance(each, BaseChatMessage) and each.source == last for each in messages
    )


def _client(endpoint: Endpoint) -> OpenAIChatCompletionClient:
    info = ModelInfo(
        vision=False, function_calling=True, json_output=False, family="unknown", structured_output=False
    )
    return OpenAIChatCompletionClient(
        model=endpoint.model, base_url=endpoint.base_url, api_key=endpoint.api_key, model_info=info
    )


def _in_words(error: Exception) -> str:
    """The last line of what AutoGen makes of an error: its first ones are a traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
