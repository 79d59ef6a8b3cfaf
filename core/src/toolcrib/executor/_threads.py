"""Where blocking work of the executor is done: one thread for the state database, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

__all__ = ["Threads", "finish"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """One worker thread: SQLite has one writer anyway, and a queue of one keeps its order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="toolcrib-state")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function`'s result, computed in the worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(function, *args, **kwargs))

    def close(self) -> None:
        """Wait for what is under way, then end the thread."""
        self._pool.shutdown(wait=True)


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """`work`'s result. If the caller is cancelled, `work` still comes to its end, then the cancellation is
    raised.

    For what must not stop half way: a commit, a settlement, a record.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():  # a second cancellation ends this wait, but not the work
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        raise
