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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from toolcrib.calls import Status
from toolcrib.context import CallContext
from toolcrib.errors import SecretError, ToolError
from toolcrib.executor._case import Case
from toolcrib.executor._deadline import within
from toolcrib.executor._supplies import Supplies
from toolcrib.principal import Principal

if TYPE_CHECKING:
    from toolcrib.artifacts import ArtifactStore
    from toolcrib.executor._secrets import SecretGate
    from toolcrib.sandbox import Sandbox
    from toolcrib.secrets import Secret
    from toolcrib.tools import Tool

__all__ = ["Ended", "Worker", "is_cancelled_from_outside"]

FIRST_PAUSE = 0.2
"""Seconds before the first retry where the vendor names none; doubled each time, with jitter."""


class Ended(NamedTuple):
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
        self._secrets, self._attempts, self._artifacts = secrets, attempts, artifacts
        self.redactor = secrets.redactor
        always: dict[str, Any] = {"learn": self.redactor.learn}
        if sandbox is not None:
            always["sandbox"] = sandbox
        self._context = functools.partial(CallContext, **always)

    async def run(self, case: Case) -> Ended:
        """Start the tool and see it to its end. Only a cancellation from outside is raised."""
        tool, arguments = case.tool, case.arguments
        assert tool is not None and arguments is not None
        context = self.context(case, tool.timeout) if tool.takes_context else _UNASKED
        case.started = True
        try:
            return await within(tool.timeout, self._try(case, tool, arguments.values, context))
        except BaseException as error:
            if is_cancelled_from_outside(error):
                raise
            return self._judge(case, error)
        finally:
            case.tell_rest()

    async def _try(self, case: Case, tool: Tool, values: Mapping[str, Any], context: CallContext) -> Ended:
        """Once, or again while that may help and does no harm."""
        deadline = time.monotonic() + tool.timeout
        while True:
            case.attempts += 1
            try:
                return Ended("done", await tool.start(values, context))
            except ToolError as error:
                case.untouched = case.untouched and error.happened is False
                pause = self._pause(case, error)
                if pause is None or time.monotonic() + pause > deadline:
                    return self._judge(case, error)
            await asyncio.sleep(pause)

    def context(self, case: Case, timeout: float) -> CallContext:
        """What the running tool may ask for."""
        assert case.tool is not None
        call, supplies = case.call, Supplies(case, self._secrets, self._artifacts)
        return self._context(
            tool=case.tool.name,
            principal=call.principal,
            call_id=call.call_id,
            idempotency_key=call.key,
            deadline=time.monotonic() + timeout,
            fetch_secret=supplies.secret,
            fetch_anew=supplies.secret_anew,
            replace_secret=supplies.replace_secret,
            on_progress=supplies.progress,
            on_note=supplies.note,
            artifacts=supplies.artifacts,
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


async def _no_secret(name: str) -> Secret:
    raise SecretError(
        f"secret {name!r} was asked for by a tool that takes no context",
        rule="a tool gets secrets by its parameter of type CallContext",
        remedy="Give the tool such a parameter",
    )


_UNASKED = CallContext(
    tool="none",
    principal=Principal(agent="none"),
    call_id="",
    idempotency_key="",
    deadline=0.0,
    fetch_secret=_no_secret,
)
"""Handed to tools that take no context: most of them, and a real one costs more than many a tool."""


def is_cancelled_from_outside(error: BaseException) -> bool:
    """Whether our own task was cancelled; a tool may raise CancelledError by itself (a cancelled inner
    task).
    """
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
