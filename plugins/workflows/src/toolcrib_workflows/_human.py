"""The human in the job: asked here, or heard from elsewhere, whichever is first."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from toolcrib.approvals import Answer, Approval, ApprovalChannel, Review
from toolcrib.crib import Crib
from toolcrib.errors import ToolcribError

__all__ = ["Human", "Listener", "latest"]


class Listener(Protocol):
    """Who is told of what happens to an approval."""

    def asks(self, approval: Approval) -> None:
        """A human is asked now."""
        ...

    def answered(self, approval: Approval, answer: Answer | None) -> None:
        """It was answered, here (`answer`) or elsewhere (None)."""
        ...

    def refused(self, error: ToolcribError) -> None:
        """The answer does not count."""
        ...


class Human:
    """Asks through `channel`; without one only `toolcrib approvals`, in another process, answers."""

    def __init__(self, crib: Crib, channel: ApprovalChannel | None, listener: Listener) -> None:
        self._crib, self._channel, self._listener = crib, channel, listener

    async def settle(self, approval_id: str) -> bool:
        """Whether the approval has come to an answer: a yes, a no, or its end."""
        approval = await asyncio.to_thread(latest, self._crib, approval_id)
        while approval.status == "pending":
            if self._channel is None:
                return False
            self._listener.asks(approval)
            answer, elsewhere = await self._first(approval)
            if elsewhere is not None:
                approval = elsewhere
            elif answer is None:
                return False
            else:
                return await self._give(approval, answer)
        self._listener.answered(approval, None)
        return True

    async def _first(self, approval: Approval) -> tuple[Answer | None, Approval | None]:
        """What the channel says, or the approval as somebody else has answered it."""
        assert self._channel is not None
        elsewhere = asyncio.ensure_future(self._crib.state.answered(approval))
        asking = asyncio.ensure_future(self._channel.ask(Review(approval)))
        try:
            await asyncio.wait({elsewhere, asking}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not elsewhere.done():
                return asking.result(), None
            return None, elsewhere.result()
        finally:
            for task in (asking, elsewhere):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _give(self, approval: Approval, answer: Answer) -> bool:
        try:
            now = await self._crib.answer(approval.id, answer)
        except ToolcribError as error:
            if (await asyncio.to_thread(latest, self._crib, approval.id)).status != "pending":
                return await self.settle(approval.id)  # somebody else was faster
            self._listener.refused(error)
            return False
        self._listener.answered(now, answer)
        return now.status != "pending"


def latest(crib: Crib, approval_id: str) -> Approval:
    """The approval, or the one that took its place."""
    approval = crib.state.get_approval(approval_id)
    while approval.status == "superseded" and approval.superseded_by:
        approval = crib.state.get_approval(approval.superseded_by)
    return approval
