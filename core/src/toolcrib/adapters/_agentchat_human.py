"""The human as a member of a team: asked about the calls that the other agents have parked."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage, TextMessage
from autogen_core import CancellationToken

from toolcrib.adapters._agentchat_agent import GovernedAgent
from toolcrib.adapters._agentchat_parked import Parked
from toolcrib.adapters._agentchat_settle import latest, run_parked
from toolcrib.approvals import Answer, ApprovalChannel, Review, TerminalChannel, approver_identity, check_edit
from toolcrib.crib import Crib
from toolcrib.errors import InvalidArguments, ToolcribError

__all__ = ["HumanProxyAgent", "InputFunc"]

InputFunc: TypeAlias = Callable[[str], str] | Callable[[str, CancellationToken | None], Awaitable[str]]
"""As for AutoGen's UserProxyAgent: a sync function of the prompt, or an async one of prompt and token."""


class HumanProxyAgent(BaseChatAgent):
    """Takes its turn as the human: shows each call that one of `agents` has parked, *before -> after*, asks
    to approve, edit or reject it, runs what was approved, and says what came of it.

    The result is also put into the asking agent's context, as that of its original call. The person is
    `approver`, by default the operating-system user as `[approvals.users]` maps it; whether that person may
    answer is decided by policy. Questions go to `channel` (default: the terminal), or to `input_func`, which
    is also asked for a reply when no call is parked. With a handoff to it the agent hands back.
    """

    def __init__(
        self,
        name: str,
        crib: Crib,
        agents: Sequence[GovernedAgent],
        *,
        approver: str | None = None,
        channel: ApprovalChannel | None = None,
        input_func: InputFunc | None = None,
        description: str = "A human who approves, edits or rejects what agents want to do.",
    ) -> None:
        super().__init__(name, description)
        self.approver = approver or approver_identity(crib.config.approvals.users)
        self._crib, self._agents, self._input = crib, tuple(agents), input_func
        if channel is None:
            channel = (
                InputChannel(input_func, self.approver) if input_func else TerminalChannel(self.approver)
            )
        self._channel = channel

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        """A text, or the handoff back."""
        return (TextMessage, HandoffMessage)

    async def on_messages(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> Response:
        """Ask about every parked call, one after the other; say what came of them."""
        task = asyncio.ensure_future(self._turn())
        cancellation_token.link_future(task)
        await asyncio.wait({task})
        said = "The human was not heard to the end." if task.cancelled() else task.result()
        last = messages[-1] if messages else None
        if isinstance(last, HandoffMessage) and last.target == self.name:
            return Response(chat_message=HandoffMessage(content=said, target=last.source, source=self.name))
        return Response(chat_message=TextMessage(content=said, source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Nothing is kept between turns."""

    async def _turn(self) -> str:
        parked = [(agent, call) for agent in self._agents for call in agent.workbench.parked.values()]
        said = [await self._settle(agent, call) for agent, call in parked if call.approval]
        if said:
            return "\n\n".join(said)
        if self._input is None:
            return "No call waits for approval."
        return await ask_person(self._input, "Your reply > ")

    async def _settle(self, agent: GovernedAgent, parked: Parked) -> str:
        """Ask until the call has come to an end or nobody answers; what to tell the team."""
        heard = ""
        while True:
            approval = await latest(self._crib, parked.approval or "")
            if approval.status == "pending":
                answer = await self._channel.ask(Review(approval))
                if answer is None:
                    return f"{approval.tool} still waits (approval {approval.id})."
                try:
                    approval = await self._crib.answer(approval.id, answer)
                except ToolcribError as error:
                    return f"{approval.tool} still waits (approval {approval.id}): {error}"
                heard = _heard(answer)
                if approval.status == "pending":
                    return f"{approval.tool} {heard}; it waits for another person (approval {approval.id})."
            result, text = await run_parked(self._crib, parked, approval)
            await agent.put_result(parked, text, result.is_error)
            if result.status != "pending":
                agent.workbench.parked.pop(parked.call_id, None)
                return f"{approval.tool} {heard or 'was answered'} (approval {approval.id}). Result: {text}"
            # What it would change has changed since it was shown: the question is put again.
            agent.workbench.parked[parked.call_id] = parked = parked.again(result)


class InputChannel:
    """Asks `approver` through a chat-like input: the whole question is one prompt, the answer one line."""

    def __init__(self, input_func: InputFunc, approver: str) -> None:
        self.approver = approver
        self._input = input_func

    async def ask(self, review: Review) -> Answer | None:
        """The answer; None when skipped or at the end of the input."""
        prompt = _rendered(review)
        while True:
            try:
                line = await ask_person(self._input, prompt)
            except EOFError:
                return None
            word, _, rest = line.strip().partition(" ")
            if word.lower() in ("s", "skip"):
                return None
            try:
                return self._answer(review, word.lower(), rest.strip())
            except (ValueError, InvalidArguments) as error:
                prompt = f"{error}\n{CHOICES}"

    def _answer(self, review: Review, word: str, rest: str) -> Answer:
        now = time.time()
        if word in ("a", "approve", "r", "reject"):
            return Answer("approve" if word.startswith("a") else "reject", self.approver, now, rest)
        if word not in ("e", "edit"):
            raise ValueError("Please begin with approve, edit, reject or skip.")
        changed = json.loads(rest)
        if not isinstance(changed, dict):
            raise ValueError("An edit is a JSON object of the arguments to change.")
        edited = {**review.approval.shown, **changed}
        check_edit(review.approval, edited)
        return Answer("edit", self.approver, now, edit=edited)


CHOICES = 'approve | edit {"argument": "new value"} | reject why | skip > '


async def ask_person(input_func: InputFunc, prompt: str) -> str:
    """A line from the person, by a sync or an async function."""
    ask: Any = input_func
    if inspect.iscoroutinefunction(ask):
        return str(await ask(prompt, None))
    return str(await asyncio.to_thread(ask, prompt))


def _rendered(review: Review) -> str:
    from toolcrib.approvals._render import approval_view, console_for

    page = io.StringIO()
    console_for(page, width=100).print(approval_view(review.approval))
    return f"{page.getvalue()}{CHOICES}"


def _heard(answer: Answer) -> str:
    words = {"approve": "was approved", "edit": "was approved with changes", "reject": "was rejected"}
    return f"{words[answer.verdict]} by {answer.by}"
