"""The team in AutoGen's classic API: a group chat of the four agents, and a proxy that runs their calls."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from autogen import AssistantAgent, GroupChat, GroupChatManager
from autogen.io.base import IOStream

from toolcrib.adapters.classic import (
    HumanProxyAgent,
    a_settle_pending,
    needs_human,
    offer,
    waiting_approvals,
)
from toolcrib.crib import Crib
from toolcrib.principal import Principal
from toolcrib_workflows._jobs import JobKind
from toolcrib_workflows._models import Endpoint
from toolcrib_workflows._talk import TalkFailed

__all__ = ["ClassicTalk"]

PROXY = "tool_runner"
MOST_ROUNDS = 200


class ClassicTalk:
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
        self._task, self._saved = task, list[dict[str, Any]]()
        self._agents = [
            AssistantAgent(
                role.name,
                description=role.description,
                system_message=role.system_message,
                llm_config=_llm_config(endpoint),
                human_input_mode="NEVER",
            )
            for role in job.roles
        ]
        for agent, principal in zip(self._agents, principals, strict=True):
            offer(crib, agent, principal)
        self._proxy = HumanProxyAgent(PROXY, crib, principals)
        self._group = GroupChat(
            [*self._agents, self._proxy],
            messages=[],
            max_round=MOST_ROUNDS,
            speaker_selection_method=self._next_speaker,
        )
        self._manager = GroupChatManager(
            self._group, llm_config=False, silent=True, is_termination_msg=needs_human
        )

    async def go_on(self) -> None:
        """One chat of the group, from its beginning or from where it stopped."""
        first: Any = self._proxy
        message: Any = self._task
        try:
            with IOStream.set_default(_Silence()):
                if self._saved:
                    first, message = await self._manager.a_resume(self._saved, silent=True)
                await first.a_initiate_chat(
                    self._manager, message=message, clear_history=not self._saved, silent=True
                )
        except Exception as error:
            raise TalkFailed(str(error) or type(error).__name__) from error
        self._saved = copy.deepcopy(self._group.messages)

    async def load(self, saved: Any) -> None:
        """The messages. A call without an answer is made anew when the chat goes on, under its own id."""
        self._saved = saved
        await self.settle()

    async def settle(self) -> None:
        """The answered calls' results, in the messages."""
        self._saved = await a_settle_pending(self._saved, self._crib)

    async def save(self, caller: str | None = None) -> Any:
        """The messages; those of the running chat while a call is made."""
        return copy.deepcopy(self._group.messages if caller and self._group.messages else self._saved)

    async def close(self) -> None:
        """Nothing is held open."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """See `Talk`."""
        return tuple(waiting_approvals(self._saved[-1:]))

    def _next_speaker(self, last: Any, group: GroupChat) -> Any:
        """The proxy for calls, then whoever made them; after a text the next agent, and nobody after the
        last.
        """
        message = group.messages[-1]
        if message.get("tool_calls"):
            return self._proxy
        if message.get("tool_responses"):
            return group.agent_by_name(group.messages[-2]["name"])
        if last is self._proxy:
            return self._agents[0]
        self._said(last.name, str(message.get("content") or ""))
        following = self._agents.index(last) + 1
        return self._agents[following] if following < len(self._agents) else None


class _Silence(IOStream):
    """Where autogen writes: nowhere. The job tells its own story."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Nothing."""

    def send(self, message: Any) -> None:
        """Nothing."""

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Nobody is asked through autogen."""
        return ""


def _llm_config(endpoint: Endpoint) -> dict[str, Any]:
    entry = {
        "model": endpoint.model,
        "base_url": endpoint.base_url,
        "api_key": endpoint.api_key,
        "price": [0, 0],  # else autogen warns that it does not know what the model costs
    }
    return {"config_list": [entry], "cache_seed": None}
