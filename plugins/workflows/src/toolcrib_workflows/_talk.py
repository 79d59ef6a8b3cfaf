"""What the job needs of a team of agents, whichever framework it is built with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from toolcrib.approvals import ApprovalChannel
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.config import Config
from toolcrib.crib import Crib
from toolcrib.errors import ToolcribError

__all__ = ["Talk", "TalkFailed", "WatchedCrib"]


class TalkFailed(Exception):
    """The agents could not go on: their model did not answer, or nothing made sense to it."""


class Talk(Protocol):
    """A team at work on one task."""

    async def go_on(self) -> None:
        """Let the agents work until they are done, or a call waits for a human; raises `TalkFailed`."""
        ...

    async def load(self, saved: Any) -> None:
        """Take over what `save` gave, perhaps in another process, and bring its open calls to where they
        stand now.
        """
        ...

    async def settle(self) -> None:
        """Run the calls whose approvals were answered, and give the agents what came of them."""
        ...

    async def save(self, caller: str | None = None) -> Any:
        """The talk as JSON-compatible data; `caller` is the agent that is in the middle of a call."""
        ...

    @property
    def waiting(self) -> tuple[str, ...]:
        """The ids of the approvals that calls wait for."""
        ...

    async def close(self) -> None:
        """Release what the talk holds."""
        ...


class WatchedCrib(Crib):
    """A crib that tells of each call: `before` it, and `after` it with what came of it."""

    def __init__(
        self,
        config: Config,
        *,
        channels: Sequence[ApprovalChannel] = (),
        before: Callable[[ToolCall], Awaitable[None]],
        after: Callable[[ToolCall, ToolResult], None],
    ) -> None:
        super().__init__(config, channels=channels)
        self._before, self._after = before, after

    async def execute(self, call: ToolCall, *, watch: Any = None) -> ToolResult:
        """What came of the call. It is not made where `before` fails."""
        try:
            await self._before(call)
        except ToolcribError as error:
            result = ToolResult(call.call_id, call.tool[:80], "unavailable", f"UNAVAILABLE: {error}")
        else:
            result = await super().execute(call, watch=watch)
        self._after(call, result)
        return result
