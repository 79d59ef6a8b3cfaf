"""Sessions of code: one for a tenant, user, agent and session of theirs, closed when nobody uses it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from toolcrib import Principal
from toolcrib.errors import VendorRefused
from toolcrib.sandbox import Limits, Sandbox, SandboxSession

__all__ = ["Sessions"]

Key: TypeAlias = "tuple[str, str | None, str, str]"


@dataclass(slots=True)
class _Open:
    session: SandboxSession
    limits: Limits
    used: float
    runs: int = field(default=0)


class Sessions:
    """Open sessions; at most `most`. May be used from several event loops."""

    def __init__(self, most: int, idle: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._idle, self._clock = most, idle, clock
        self._open: dict[Key, _Open] = {}
        self._opening: dict[Key, Future[None]] = {}
        self._closed = False
        self._lock = threading.Lock()

    async def take(self, who: Principal, sandbox: Sandbox, limits: Limits) -> SandboxSession:
        """The principal's session, opened if there is none; first runs at once wait for one. Raises
        `VendorRefused` for other limits than it has, and when no more may be open.
        """
        await self.sweep()
        key = _key(who)
        while True:
            with self._lock:
                found, opening = self._open.get(key), self._opening.get(key)
                if found is not None:
                    _check_limits(found.limits, limits)
                    found.runs, found.used = found.runs + 1, self._clock()
                    return found.session
                if opening is None:
                    self._check_room()
                    self._opening[key] = Future()
                    break
            await asyncio.wait([asyncio.wrap_future(opening)])  # then look again: it may have failed
        return await self._begin(key, who, sandbox, limits)

    def _check_room(self) -> None:
        if self._closed or len(self._open) + len(self._opening) >= self._most:
            raise VendorRefused(
                "the sandbox was closed" if self._closed else f"{self._most} sessions are open already",
                rule=f"[packs.code] sessions = {self._most}",
                remedy="Run the code without a session, or try again when one has been closed",
            )

    async def _begin(self, key: Key, who: Principal, sandbox: Sandbox, limits: Limits) -> SandboxSession:
        session = None
        try:
            session = await sandbox.session(who.tenant, limits)
        finally:
            with self._lock:
                if session is not None and not self._closed:
                    self._open[key] = _Open(session, limits, self._clock(), runs=1)
                self._opening.pop(key).set_result(None)
        if self._closed:
            await session.close()
            self._check_room()
        return session

    async def done(self, who: Principal) -> None:
        """A run has ended; from now on the session is idle."""
        with self._lock:
            found = self._open.get(_key(who))
            if found is not None:
                found.runs, found.used = max(0, found.runs - 1), self._clock()
        asyncio.get_running_loop().call_later(self._idle, self._sweep_soon)

    def _sweep_soon(self) -> None:
        task = asyncio.ensure_future(self.sweep())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def sweep(self) -> None:
        """Close sessions that nobody used for too long."""
        before = self._clock() - self._idle
        with self._lock:
            old = [key for key, one in self._open.items() if not one.runs and one.used <= before]
            ended = [self._open.pop(key) for key in old]
        for one in ended:
            await one.session.close()

    async def close(self, who: Principal) -> bool:
        """Close the principal's session; whether there was one."""
        with self._lock:
            found = self._open.pop(_key(who), None)
        if found is not None:
            await found.session.close()
        return found is not None

    async def close_all(self) -> None:
        """Close every session."""
        with self._lock:
            every, self._open, self._closed = list(self._open.values()), {}, True
        for one in every:
            await one.session.close()


def _key(who: Principal) -> Key:
    return who.tenant, who.user, who.agent, who.session


def _check_limits(has: Limits, asked: Limits) -> None:
    if (has.memory, has.disk) != (asked.memory, asked.disk):
        raise VendorRefused(
            f"this session has {has.memory >> 20} MiB of memory, not {asked.memory >> 20}",
            rule="a session keeps the memory that it was opened with",
            remedy="Ask for the same memory, or close the session first (what it remembers is lost)",
        )
