"""Running a tool: deadline, retries, and what its end means for the world.

A write is `failed` only when the tool itself says that nothing happened (`NotSent`, `VendorRefused`).
Everything else that ends a write early, a timeout, a cancellation, an exception nobody foresaw, leaves it
`ambiguous`: the vendor may have acted before the answer was lost, and a second try could act twice. A human
settles those.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolcrib.calls import Status
from toolcrib.context import CallContext
from toolcrib.errors import SecretError, ToolError
from toolcrib.executor._case import Case, Progress
from toolcrib.executor._notes import take_note
from toolcrib.secrets import Stream

if TYPE_CHECKING:
    from toolcrib.artifacts import ArtifactStore
    from toolcrib.executor._secrets import SecretGate
    from toolcrib.sandbox import Sandbox

__all__ = ["Ended", "Worker", "is_cancelled_from_outside"]

FIRST_PAUSE = 0.2
"""Seconds before the first retry where the vendor names none; doubled each time, with jitter."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a tool ended: with a value, or with an error and what that means."""

    status: Status
    value: Any = None
    error: BaseException | None = None


class Worker:
    """Runs tools; the only place that retries."""

    def __init__(
        self,
        secrets: SecretGate,
        attempts: int,
        artifacts: ArtifactStore,
        sandbox: Callable[[], Sandbox] | None = None,
    ) -> None:
        self._secrets, self._attempts = secrets, attempts
        self._artifacts, self._sandbox = artifacts, sandbox
        self.redactor = secrets.redactor

    async def run(self, case: Case) -> Ended:
        """Start the tool and see it to its end. Only a cancellation from outside is raised."""
        tool, arguments = case.tool, case.arguments
        assert tool is not None and arguments is not None
        context = self.context(case, tool.timeout)
        case.started = True
        try:
            async with asyncio.timeout(tool.timeout):
                while True:
                    case.attempts += 1
                    try:
                        return Ended("done", await tool.start(arguments.values, context))
                    except ToolError as error:
                        case.untouched = case.untouched and error.happened is False
                        pause = self._pause(case, error)
                        if pause is None or time.monotonic() + pause > context.deadline:
                            return self._judge(case, error)
                    await asyncio.sleep(pause)
        except BaseException as error:
            if is_cancelled_from_outside(error):
                raise
            return self._judge(case, error)

    def context(self, case: Case, timeout: float) -> CallContext:
        """What the running tool may ask for."""
        assert case.tool is not None

        stream = Stream(self.redactor)

        def progress(message: str, fraction: float | None) -> None:
            if case.watch is not None:
                case.tell(Progress(stream.clean(message), fraction))

        return CallContext(
            tool=case.tool.name,
            principal=case.call.principal,
            call_id=case.call.call_id,
            idempotency_key=case.call.key,
            deadline=time.monotonic() + timeout,
            fetch_secret=functools.partial(self._secrets.use, case),
            fetch_anew=functools.partial(self._secrets.use_anew, case),
            replace_secret=functools.partial(self._secrets.replace, case),
            learn=self.redactor.learn,
            on_progress=progress,
            on_note=lambda name, fact: take_note(case.notes, name, fact),
            artifacts=lambda: self._artifacts.of(case.call.principal.tenant),
            **({"sandbox": self._sandbox} if self._sandbox is not None else {}),
        )

    def _pause(self, case: Case, error: ToolError) -> float | None:
        """Seconds to wait before the next attempt, or None if there is none."""
        may = not case.changes_the_world or (case.tool is not None and case.tool.idempotent)
        if not may or not error.temporary or case.attempts >= self._attempts:
            return None
        if error.retry_after is not None:
            return error.retry_after
        jitter = random.uniform(0.75, 1.25)  # noqa: S311  no secret hangs on it
        return float(FIRST_PAUSE * 2 ** (case.attempts - 1)) * jitter

    @staticmethod
    def _judge(case: Case, error: BaseException) -> Ended:
        if isinstance(error, SecretError) and not case.secrets:
            return Ended("unavailable", error=error)  # no credential was ever handed out, so nothing was sent
        if not case.changes_the_world:
            return Ended("failed", error=error)
        nothing_happened = isinstance(error, ToolError) and case.untouched
        return Ended("failed" if nothing_happened else "ambiguous", error=error)


def is_cancelled_from_outside(error: BaseException) -> bool:
    """Whether our own task was cancelled; a tool may raise CancelledError by itself (a cancelled inner
    task).
    """
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
