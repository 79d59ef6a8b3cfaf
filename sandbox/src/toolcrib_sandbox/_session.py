"""A sandbox that remembers: one container for one tenant, for as long as the session lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from toolcrib.errors import InvalidArguments, SandboxError
from toolcrib.sandbox import Durations, RunRequest, RunResult
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._spec import Spec
from toolcrib_sandbox._wire import Reply, encode
from toolcrib_sandbox.egress import Passage

__all__ = ["DockerSession"]


class DockerSession:
    """Variables and files stay from run to run. One run at a time; others wait for it.

    A run that is ended from outside (time, memory) takes the variables with it, and its result's notes say
    so; files stay. If the container itself is lost, every further run is a `SandboxError`.
    """

    def __init__(
        self,
        box: Box,
        tenant: str,
        passage: Passage | None,
        *,
        in_thread: Callable[..., Awaitable[tuple[Reply, Durations]]],
        spec_of: Callable[[RunRequest], Spec],
        result_of: Callable[[Reply, Durations], RunResult],
        discard: Callable[[Box], None],
    ) -> None:
        self._box, self.tenant, self._passage = box, tenant, passage
        self._in_thread, self._spec_of, self._result_of, self._discard = (
            in_thread,
            spec_of,
            result_of,
            discard,
        )
        self._one = threading.Lock()
        self._closed = False

    async def run(self, request: RunRequest) -> RunResult:
        """The next run; raises `InvalidArguments` for another tenant or other limits than the session's."""
        self._check(request)
        frame = encode(request, "session", self._box.spec)
        began = time.monotonic()
        try:
            reply, durations = await self._in_thread(self._exchange, request, frame, began)
        except BaseException:
            # Also when it was cancelled: what goes on in there is nobody's any more.
            await self.close()
            raise
        result = self._result_of(reply, durations)
        return replace(result, connections=self._passage.connections()) if self._passage else result

    def _exchange(self, request: RunRequest, frame: list[bytes], began: float) -> tuple[Reply, Durations]:
        with self._one:
            if self._closed:
                raise _ended()
            queued, started = time.monotonic() - began, self._box.first_start
            reply = self._box.run(request, frame)
            return reply, Durations(queued, started, reply.seconds)

    def _check(self, request: RunRequest) -> None:
        if self._closed:
            raise _ended()
        if request.tenant != self.tenant:
            raise InvalidArguments(
                f"tenant {request.tenant!r} in a session of tenant {self.tenant!r}",
                rule="a session belongs to one tenant",
                remedy="Open a session for that tenant",
            )
        if self._spec_of(request) != self._box.spec:
            raise InvalidArguments(
                "memory, disk, cpus or processes are not those of this session",
                rule="a session's container keeps the limits that it was opened with",
                remedy="Open another session, or ask for the same limits",
            )

    async def close(self) -> None:
        """Forget everything. Harmless when repeated."""
        if not self._closed:
            self._closed = True
            self._discard(self._box)
            if self._passage:
                await self._passage.close()

    async def __aenter__(self) -> DockerSession:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


def _ended() -> SandboxError:
    return SandboxError(
        "the session has ended",
        rule="a session's variables live in its container",
        remedy="Open a new session",
    )
