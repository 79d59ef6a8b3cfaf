"""One client of an asynchronous library, for callers on any event loop.

Such a client belongs to the loop that it was made on, with its connections and locks; a crib may be called
from several. So it lives on a loop of its own, in a thread of its own, and callers wait for it on theirs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

from toolcrib.errors import SecretError

__all__ = ["ClientLoop"]

Client = TypeVar("Client")
T = TypeVar("T")


class ClientLoop(Generic[Client]):
    """Makes the client with `make` at the first call; `close` ends all calls, then client and thread.

    `make` puts on the stack what is to be closed. A cancelled caller cancels its own work, and nothing else.
    """

    def __init__(self, name: str, make: Callable[[AsyncExitStack], Awaitable[Client]]) -> None:
        self._name = name
        self._make = make
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        # These belong to the loop, and are touched on it alone.
        self._making = asyncio.Lock()
        self._made: list[Client] = []
        self._stack = AsyncExitStack()

    async def call(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """What `work` gives for the client; what it raises is raised here."""
        loop = self._started()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._work(work), loop))

    async def close(self) -> None:
        """Give everything back; harmless when repeated, or where nothing was ever made."""
        with self._guard:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            await asyncio.shield(asyncio.to_thread(self._end, loop, self._thread))

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._guard:
            if self._closed:
                raise SecretError(f"the provider {self._name} is closed", remedy="Open the crib again")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                name = f"toolcrib-{self._name}"
                self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
                self._thread.start()
            return self._loop

    async def _work(self, work: Callable[[Client], Awaitable[T]]) -> T:
        async with self._making:
            if not self._made:
                self._made.append(await self._make(self._stack))
        return await work(self._made[0])

    def _end(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        asyncio.run_coroutine_threadsafe(self._drain(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _drain(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        try:
            await self._stack.aclose()
        finally:
            await asyncio.get_running_loop().shutdown_default_executor()
