"""AutoGen's AgentChat (autogen-agentchat 0.7.5) on a crib.

`governed_agent(crib, principal, model_client)` is an AssistantAgent whose every tool call is decided,
approved, run and signed for by the crib. Calls that wait for a human are parked (`pending_approval`) and
settled later, in this process or another (`settle_pending`), or by a `HumanProxyAgent` in the team.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from autogen_core import CancellationToken

from toolcrib.adapters._agentchat_agent import GovernedAgent, governed_agent
from toolcrib.adapters._agentchat_events import MESSAGE_TYPES, ApprovalRequestedEvent, ToolProgressEvent
from toolcrib.adapters._agentchat_human import HumanProxyAgent
from toolcrib.adapters._agentchat_logs import protect_logs, protect_logs_once, unprotect_logs
from toolcrib.adapters._agentchat_settle import PendingApproval, Settled, pending_approval, settle_pending
from toolcrib.adapters._agentchat_workbench import GovernedWorkbench

__all__ = [
    "MESSAGE_TYPES",
    "ApprovalRequestedEvent",
    "GovernedAgent",
    "GovernedWorkbench",
    "HumanProxyAgent",
    "PendingApproval",
    "Settled",
    "ToolProgressEvent",
    "governed_agent",
    "pending_approval",
    "protect_logs",
    "run_function_tool",
    "settle_pending",
    "unprotect_logs",
]


class _RunsJson(Protocol):
    """What is needed of an AutoGen tool."""

    async def run_json(self, args: Mapping[str, Any], cancellation_token: CancellationToken) -> Any: ...


async def run_function_tool(function_tool: _RunsJson, values: Mapping[str, Any]) -> Any:
    """What an adopted AutoGen tool returns. When the call is cancelled, or its time is over, the tool is told
    through its token as well, because a sync function in a thread hears of it in no other way.
    """
    protect_logs_once()
    token = CancellationToken()
    try:
        return await function_tool.run_json(values, token)
    finally:
        token.cancel()
