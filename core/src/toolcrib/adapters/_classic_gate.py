"""From a tool call in a classic message to the crib, on behalf of the agent that spoke it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from toolcrib.adapters._shared import parse_arguments
from toolcrib.approvals import Answer, Approval, ApprovalChannel, Review
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.crib import ToolSource
from toolcrib.errors import CallDenied, ConfigError, ToolcribError
from toolcrib.principal import Principal

__all__ = ["Ask", "ClassicSource", "Gate", "Principals"]

T = TypeVar("T")

Principals: TypeAlias = Iterable[Principal] | Callable[[str], Principal | None]
"""For whom each agent asks: principals whose `agent` is the agent's name, or a function of that name."""

_log = logging.getLogger("toolcrib.adapters.classic")


class ClassicSource(ToolSource, Protocol):
    """What this adapter needs of a crib."""

    def run_sync(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, for callers without an event loop."""
        ...

    async def answer(self, approval: str, answer: Answer) -> Approval:
        """Store a human's answer."""
        ...

    def record(self, *, kind: str, **fields: Any) -> None:
        """Write an audit record."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """One tool call as it stands in a message. `speaker` is None when it cannot be known who spoke.

    `arguments` are JSON text, as models send them, or a mapping.
    """

    speaker: str | None
    tool: str
    arguments: Any
    call_id: str | None = None
    reason: str = ""
    model: str = ""


class Gate:
    """Brings asks to the crib, each with the principal of its speaker; it never raises an `Exception`.

    The principals are bound here and never read from context variables: classic runs async tools of sync
    chats in new threads, which have none.
    """

    def __init__(
        self, source: ClassicSource, principals: Principals, channel: ApprovalChannel | None = None
    ) -> None:
        self._source, self._channel = source, channel
        self._principal = principals if callable(principals) else _by_agent(principals)

    def result_sync(self, ask: Ask) -> ToolResult:
        """What came of `ask`, for sync chats; the work is done on the crib's own loop, whatever the caller
        runs on.
        """
        try:
            return self._source.run_sync(self.result(ask))
        except Exception as error:
            return _unavailable(ask, error)

    async def result(self, ask: Ask) -> ToolResult:
        """What came of `ask`."""
        try:
            call = self._call(ask)
            if self._channel is None:
                return await self._source.execute(call)
            async with _Desk(self._source, self._channel) as desk:
                return await self._source.execute(call, watch=desk.watch)
        except CallDenied as error:
            return await asyncio.to_thread(self._refused, ask, error)
        except Exception as error:
            return _unavailable(ask, error)

    def _call(self, ask: Ask) -> ToolCall:
        principal = self._principal_of(ask.speaker)
        if principal is None:
            raise CallDenied(
                f"nobody vouches for the agent {str(ask.speaker)[:80]!r}, which asked for {ask.tool[:80]!r}",
                rule="a call is made for the principal of the agent that spoke it",
                remedy="Asking again will not help: tell the user",
            )
        given = {"call_id": ask.call_id} if ask.call_id else {}
        return ToolCall(
            ask.tool, _arguments(ask.arguments), principal, reason=ask.reason, model=ask.model, **given
        )

    def _principal_of(self, speaker: str | None) -> Principal | None:
        try:
            return None if speaker is None else self._principal(speaker)
        except (
            Exception
        ) as error:  # a builder's function that does not know the name, or a name that is no id
            _log.warning("no principal for %r: %s", speaker, error)
            return None

    def _refused(self, ask: Ask, error: CallDenied) -> ToolResult:
        """The refusal of a speaker without a principal; the executor never sees it, so it is recorded
        here.
        """
        result = _result(ask, "denied", f"DENIED: {error}")
        try:
            self._source.record(
                kind="refusal",
                call=result.call_id[:200],
                tool=result.tool,
                agent=str(ask.speaker)[:80],
                arguments=str(ask.arguments)[:2000],
                status=result.status,
                error=result.text,
            )
        except Exception as failure:
            return _unavailable(ask, failure)
        return result


class _Desk:
    """Asks a human through `channel` whenever the crib says that a call waits; the crib judges the answer."""

    def __init__(self, source: ClassicSource, channel: ApprovalChannel) -> None:
        self._source, self._channel = source, channel
        self._asking: asyncio.Task[None] | None = None

    def watch(self, news: object) -> None:
        """Called on the loop that runs the call: with an approval while it waits, with anything else in
        between.
        """
        if isinstance(news, Approval):
            self._leave()
            self._asking = asyncio.get_running_loop().create_task(self._ask(news))

    async def _ask(self, approval: Approval) -> None:
        try:
            answer = await self._channel.ask(Review(approval))
            if answer is not None:
                await self._source.answer(approval.id, answer)
        except Exception as error:  # not entitled, or somebody else was faster: the call goes on waiting
            _log.warning("%s", error)

    def _leave(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def __aenter__(self) -> _Desk:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take an open question back: it was answered elsewhere, or the caller went away."""
        self._leave()
        if self._asking is not None:
            await asyncio.wait({self._asking})


def _by_agent(principals: Iterable[Principal]) -> Callable[[str], Principal | None]:
    found: dict[str, Principal] = {}
    for principal in principals:
        if found.setdefault(principal.agent, principal) != principal:
            raise ConfigError(
                f"agent {principal.agent!r} has two principals",
                rule="each agent of a chat asks for one user, in one session and run",
                remedy="Make one chat for each of them",
            )
    return found.get


def _arguments(given: Any) -> Mapping[str, Any]:
    """The arguments as a mapping; line breaks inside strings are taken, as autogen itself takes them."""
    if isinstance(given, Mapping):
        return given
    text = given if isinstance(given, str) else json.dumps(given)
    with contextlib.suppress(ValueError, RecursionError):
        read = json.loads(text, strict=False)
        if isinstance(read, dict):
            return read
    return parse_arguments(None if given is None else text)


def _result(ask: Ask, status: Any, text: str) -> ToolResult:
    return ToolResult(ask.call_id or "", ask.tool[:80], status, text)


def _unavailable(ask: Ask, error: Exception) -> ToolResult:
    """Words of our own errors only: what others say may hold what nobody should read."""
    words = str(error) if isinstance(error, ToolcribError) else f"internal error ({type(error).__name__})."
    return _result(ask, "unavailable", f"UNAVAILABLE: {words}")
