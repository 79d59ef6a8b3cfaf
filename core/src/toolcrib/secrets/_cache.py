"""Secrets kept for a short while, and fetched once for all who ask at the same time.

The key is the filled path, so a value goes to whoever the path is for and to nobody else: what differs by
user or tenant has another path. A value is kept for the cache's time or until it ends by itself, whichever
comes first; both clocks are asked, so that setting back the wall clock lengthens no lease.

Callers may sit on several event loops. The first one to ask fetches, in a task of its own: its caller may go
away, and the others still get their answer. Should its whole loop go away, the next one fetches anew.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeAlias

from toolcrib.errors import SecretError
from toolcrib.secrets._secret import Secret

__all__ = ["SecretCache"]

Fetch: TypeAlias = Callable[[str], Awaitable[Secret]]

MOST = 4096
"""Values that are kept at once."""


class _Abandoned(Exception):
    """Whoever fetched was stopped before there was an answer."""


class _Flight:
    """One fetch on its way; `answer` is waited for on any loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.answer: Future[Secret] = Future()
        self.answer.set_running_or_notify_cancel()  # a waiter that goes away cancels nothing for the others

    @property
    def is_lost(self) -> bool:
        """Whether nobody is left to answer."""
        return self.loop.is_closed() and not self.answer.done()


class SecretCache:
    """Values by path, each kept for at most `seconds` (0: not at all)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, tuple[float, Secret]] = {}
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def hit(self, path: str) -> Secret | None:
        """The value, if it is kept and still good."""
        found = self._kept.get(path)
        if found is None:
            return None
        until, secret = found
        if time.monotonic() < until and (secret.expires is None or time.time() < secret.expires):
            return secret
        self._kept.pop(path, None)
        return None

    async def get(self, path: str, fetch: Fetch) -> Secret:
        """The value, kept or fetched; raises what `fetch` raises, for each caller anew."""
        while True:
            found = self.hit(path)
            if found is not None:
                return found
            flight = self._board(path, fetch)
            try:
                return await asyncio.shield(asyncio.wrap_future(flight.answer))
            except _Abandoned:
                continue
            except SecretError as error:
                raise _copy(error) from None

    def keep(self, path: str, secret: Secret) -> None:
        """Keep a value that came in another way, as if it had been fetched now."""
        self._keep(path, secret)

    def forget(self, path: str) -> None:
        """Fetch it anew when it is asked for next."""
        self._kept.pop(path, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def _board(self, path: str, fetch: Fetch) -> _Flight:
        """The fetch that is on its way, or a new one."""
        with self._lock:
            flight = self._flights.get(path)
            if flight is not None and not flight.is_lost:
                return flight
            loop = asyncio.get_running_loop()
            flight = self._flights[path] = _Flight(loop)
        task = loop.create_task(self._fly(path, fetch, flight))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return flight

    async def _fly(self, path: str, fetch: Fetch, flight: _Flight) -> None:
        try:
            secret = await fetch(path)
        except asyncio.CancelledError:
            self._land(path, flight)
            flight.answer.set_exception(_Abandoned())
            raise
        except BaseException as error:
            self._land(path, flight)
            flight.answer.set_exception(error)
        else:
            self._keep(path, secret)
            self._land(path, flight)
            flight.answer.set_result(secret)

    def _land(self, path: str, flight: _Flight) -> None:
        with self._lock:
            if self._flights.get(path) is flight:
                del self._flights[path]

    def _keep(self, path: str, secret: Secret) -> None:
        rest = self._seconds
        if secret.expires is not None:
            rest = min(rest, secret.expires - time.time())
        if rest <= 0:
            return
        until = time.monotonic() + rest
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[path] = (until, secret)
        # Dropped at its end, and not only when somebody asks again: what is gone cannot be found in memory.
        asyncio.get_running_loop().call_later(rest, self._drop, path, until)

    def _drop(self, path: str, until: float) -> None:
        with self._lock:
            found = self._kept.get(path)
            if found is not None and found[0] <= until:
                del self._kept[path]


def _copy(error: SecretError) -> SecretError:
    """The same error for one more caller: a shared one would gather the tracebacks of all."""
    return type(error)(error.what, rule=error.rule, remedy=error.remedy, retry_after=error.retry_after)
