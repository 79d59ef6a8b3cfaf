"""Going on after a call was parked: stop the team, save it, decide elsewhere, settle, load, run on.

A parked call is settled by running it under its own call id and idempotency key, so it runs at most once,
however often a state is loaded; and its result is put where the model looks for it, as that of its original
tool call, so nothing in the conversation shows that days have passed.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autogen_agentchat.base import ChatAgent, Team, TerminatedException, TerminationCondition
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, StopMessage, ToolCallExecutionEvent

from toolcrib.adapters._agentchat_agent import GovernedAgent
from toolcrib.adapters._agentchat_parked import Parked, principal_of
from toolcrib.adapters._agentchat_state import agents_in, give_floor, put_result
from toolcrib.adapters._shared import parse_arguments
from toolcrib.approvals import Approval
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.crib import Crib
from toolcrib.errors import ConfigError

__all__ = ["PendingApproval", "Settled", "latest", "pending_approval", "run_parked", "settle_pending"]

PENDING = "WAITING FOR APPROVAL: "
"""How the executor's text of a parked call begins; only refusals begin so and are errors as well."""


class PendingApproval(TerminationCondition):
    """Stops a team as soon as a call is parked, so that its state can be saved; combines with `|` and `&`."""

    def __init__(self) -> None:
        self._reached = False

    @property
    def terminated(self) -> bool:
        """Whether a parked call was seen since the last reset."""
        return self._reached

    async def __call__(self, messages: Sequence[BaseAgentEvent | BaseChatMessage]) -> StopMessage | None:
        """A stop message that names the approvals, if one of `messages` tells of a parked call."""
        if self._reached:
            raise TerminatedException("Termination condition has already been reached")
        results = [r for m in messages if isinstance(m, ToolCallExecutionEvent) for r in m.content]
        parked = [r.content for r in results if r.is_error and r.content.startswith(PENDING)]
        if not parked:
            return None
        self._reached = True
        return StopMessage(content="\n".join(parked), source=type(self).__name__)

    async def reset(self) -> None:
        """Begin anew."""
        self._reached = False


def pending_approval() -> PendingApproval:
    """A condition that stops the team when a call is parked; its stop reason names the approval."""
    return PendingApproval()


@dataclass(frozen=True, slots=True)
class Settled:
    """`state` is what to load; `results` are those of the calls settled now, `waiting` the ids of approvals
    that nobody has answered yet.
    """

    state: dict[str, Any]
    results: tuple[ToolResult, ...]
    waiting: tuple[str, ...]


async def settle_pending(
    team: Team | ChatAgent | Mapping[str, Any], crib: Crib, *, ask_again: bool = False
) -> Settled:
    """Run the parked calls that have been answered, and put their results in place of the pending texts.

    `team` is a saved state (of a team or of one agent), which stays as it is: load `Settled.state`. Or it is
    the team or agent itself, not running: then the new state is loaded already. In a round-robin team the
    agent whose call was settled speaks next.

    `ask_again`, which needs the team itself, also asks again for calls that were interrupted (the process
    died in the middle). They keep call id and key, so what was done is not done twice; but what never began
    is begun now.

    Raises `CallRefused` for an approval that this crib does not know, `ConfigError` for a state whose
    approvals are another principal's.
    """
    if isinstance(team, Mapping):
        if ask_again:
            raise ConfigError(
                "calls of a saved state cannot be asked again",
                rule="on whose behalf a call is made is never read from a file",
                remedy="Load the state into the team, and settle the team",
            )
        return await _Settlement(copy.deepcopy(dict(team)), crib, {}).settle()
    agents = {agent.name: agent for agent in _governed_agents(team)} if ask_again else {}
    settled = await _Settlement(copy.deepcopy(dict(await team.save_state())), crib, agents).settle()
    await team.load_state(settled.state)
    return settled


class _Settlement:
    """Works on one state, in place."""

    def __init__(self, state: dict[str, Any], crib: Crib, agents: Mapping[str, GovernedAgent]) -> None:
        self._state, self._crib, self._agents = state, crib, agents
        self._results: list[ToolResult] = []
        self._waiting: list[str] = []

    async def settle(self) -> Settled:
        for name, agent_state in agents_in(self._state):
            bench = agent_state["workbench"]
            before = len(self._results)
            kept = [await self._one(Parked(**each), name, bench) for each in bench["parked"]]
            bench["parked"] = [parked.to_state() for parked in kept if parked is not None]
            if len(self._results) > before:
                give_floor(self._state, name)
        return Settled(self._state, tuple(self._results), tuple(self._waiting))

    async def _one(self, parked: Parked, name: str, bench: Mapping[str, Any]) -> Parked | None:
        """Settle one call; what is still parked of it."""
        outcome = await self._outcome(parked, name, bench)
        if outcome is None:
            return parked
        result, text = outcome
        put_result(self._state, parked, text, result.is_error)
        if result.status == "pending":
            self._waiting.append(result.approval or "")
            return parked.again(result)
        self._results.append(result)
        return None

    async def _outcome(
        self, parked: Parked, name: str, bench: Mapping[str, Any]
    ) -> tuple[ToolResult, str] | None:
        if parked.approval is None:
            return await self._ask_again(parked, name, bench)
        approval = await latest(self._crib, parked.approval)
        _check_same(approval, parked, bench)
        if approval.status == "pending":
            self._waiting.append(approval.id)
            return None
        return await run_parked(self._crib, parked, approval)

    async def _ask_again(
        self, parked: Parked, name: str, bench: Mapping[str, Any]
    ) -> tuple[ToolResult, str] | None:
        agent = self._agents.get(name or bench["principal"]["agent"])
        if agent is None:
            return None
        call = ToolCall(
            parked.tool,
            parse_arguments(parked.arguments),
            agent.workbench.principal,
            call_id=parked.call_id,
            idempotency_key=parked.key,
        )
        result = await agent.workbench.source.execute(call)
        return result, result.text


async def latest(crib: Crib, approval_id: str) -> Approval:
    """The approval, or the one that took its place."""
    approval = await asyncio.to_thread(crib.state.get_approval, approval_id)
    while approval.status == "superseded" and approval.superseded_by:
        approval = await asyncio.to_thread(crib.state.get_approval, approval.superseded_by)
    return approval


async def run_parked(crib: Crib, parked: Parked, approval: Approval) -> tuple[ToolResult, str]:
    """What came of a parked call that was answered, and the text for its model."""
    if approval.sensitive:  # not kept with the approval; the agent's own context has them
        call = ToolCall(
            approval.tool,
            parse_arguments(parked.arguments),
            approval.principal,
            call_id=approval.call_id,
            idempotency_key=approval.key,
            reason=approval.reason,
        )
        result = await crib.execute(call)
    else:
        result = await crib.resume(approval.id)
    return result, result.text


def _check_same(approval: Approval, parked: Parked, bench: Mapping[str, Any]) -> None:
    saved_for = replace(principal_of(bench), run=approval.principal.run)
    if approval.call_id != parked.call_id or approval.principal != saved_for:
        raise ConfigError(
            f"approval {approval.id} is not for the call {parked.call_id!r} of this state",
            rule="a result goes to the agent that made the call",
            remedy="Load the state that was saved when the call was parked",
        )


def _governed_agents(team: Any) -> Iterator[GovernedAgent]:
    if isinstance(team, GovernedAgent):
        yield team
    for participant in getattr(team, "_participants", ()):
        yield from _governed_agents(participant)
