"""What a governed call tells those who watch a stream; events never go to a model."""

from __future__ import annotations

from typing import Any, Literal

from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage

__all__ = ["MESSAGE_TYPES", "ApprovalRequestedEvent", "ToolProgressEvent"]


class ApprovalRequestedEvent(BaseAgentEvent):
    """A call waits for a human, or is parked until one has answered.

    `arguments` are those that would run, without sensitive ones. The record as it stands (*before*) is not
    here, because events end up in saved states and logs: read it with `crib.state.get_approval(approval)`.
    """

    type: Literal["ApprovalRequestedEvent"] = "ApprovalRequestedEvent"
    content: str
    approval: str
    call_id: str
    tool: str
    arguments: dict[str, Any]

    def to_text(self) -> str:
        """The event as a line."""
        return self.content


class ToolProgressEvent(BaseAgentEvent):
    """What a running tool says of itself; `fraction` runs from 0 to 1."""

    type: Literal["ToolProgressEvent"] = "ToolProgressEvent"
    content: str
    call_id: str
    tool: str
    fraction: float | None = None

    def to_text(self) -> str:
        """The event as a line."""
        return self.content


MESSAGE_TYPES: list[type[BaseAgentEvent | BaseChatMessage]] = [ApprovalRequestedEvent, ToolProgressEvent]
"""For a team's `custom_message_types`: AutoGen ends a team that meets a message type it was not told of."""
