"""Event loops for those that have none, or whose own must not be waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Background", "Once"]

T = TypeVar("T")


class Background:
    """An event loop in a thread of its own, for callers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="toolcrib-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine; an interrupt of the caller cancels it."""
        if threading.current_thread() is self._thread:
            # An async tool that calls a tool and blocks: to wait for this very thread would be for ever.
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(asyncio.run, work).result()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Once:
    """Runs a coroutine on a loop of its own."""

    def run(self, work: Any) -> Any:
        """The result of a coroutine."""
        with ThreadPoolExecutor(1) as thread:  # the caller's thread may have a running loop already
            return thread.submit(asyncio.run, work).result()
