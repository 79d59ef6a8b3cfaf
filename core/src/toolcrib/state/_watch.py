"""Waiting for an answer that may come from this process or from another.

One thread per state, alive only while somebody waits. It is woken by answers given here, and looks every
tenth of a second at SQLite's `data_version`, a counter in shared memory that changes when another connection
commits: some microseconds, no disk. Only when it has changed are the approvals read again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field

from toolcrib.approvals import Approval
from toolcrib.errors import StateError, ToolcribError
from toolcrib.state._approvals import Approvals
from toolcrib.state._database import Database

__all__ = ["Watch"]

EVERY = 0.1  # seconds between looks at what other processes have committed


@dataclass(eq=False)
class _Waiter:
    seen: Approval
    news: Future[Approval] = field(default_factory=Future)


class Watch:
    """See `State.wait_for_answer` and `State.answered`."""

    def __init__(self, database: Database, approvals: Approvals) -> None:
        self._db, self._approvals = database, approvals
        self._changed = threading.Condition()
        self._waiters: set[_Waiter] = set()
        self._poked = self._closed = False
        self._thread: threading.Thread | None = None

    def wait(self, approval: Approval, timeout: float | None) -> Approval:
        """Block the calling thread."""
        if approval.status != "pending":
            return self._approvals.get(approval.id)
        waiter = self._enlist(approval)
        try:
            return waiter.news.result(timeout)
        except FutureTimeoutError:
            return self._approvals.get(approval.id)
        finally:
            self._dismiss(waiter)

    async def answered(self, approval: Approval, seconds: float | None) -> Approval:
        """Wait on the event loop."""
        if approval.status != "pending":
            return await asyncio.to_thread(self._approvals.get, approval.id)
        waiter = self._enlist(approval)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiter.news), seconds)
        except TimeoutError:
            return await asyncio.to_thread(self._approvals.get, approval.id)
        finally:
            self._dismiss(waiter)

    def poke(self) -> None:
        """Something was written in this process: look at once."""
        with self._changed:
            self._poked = True
            self._changed.notify_all()

    def close(self) -> None:
        """Everybody who still waits gets a `StateError`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _enlist(self, approval: Approval) -> _Waiter:
        waiter = _Waiter(approval)
        with self._changed:
            if self._closed:
                raise StateError("the state is closed", remedy="Open it again")
            self._waiters.add(waiter)
            self._poked = True  # it may have been answered before we came
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="toolcrib-approvals", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return waiter

    def _dismiss(self, waiter: _Waiter) -> None:
        with self._changed:
            self._waiters.discard(waiter)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            with self._db.watching() as version:
                self._watch(version)
        except ToolcribError as error:
            self._leave(error)

    def _watch(self, version: Callable[[], int]) -> None:
        seen = version()
        while True:
            with self._changed:
                if not self._poked and not self._closed:
                    self._changed.wait(EVERY)
                if self._closed:
                    break
                if not self._waiters:
                    self._thread = None  # under the lock: whoever comes next starts another thread
                    return
                poked, self._poked = self._poked, False
                waiters = list(self._waiters)
            latest = version()
            if poked or latest != seen or any(self._is_over(waiter) for waiter in waiters):
                seen = latest
                self._tell(waiters)
        self._leave(StateError("the state was closed while waiting for an answer"))

    def _tell(self, waiters: list[_Waiter]) -> None:
        now = {each.id: each for each in self._approvals.several({waiter.seen.id for waiter in waiters})}
        for waiter in waiters:
            current, seen = now[waiter.seen.id], waiter.seen
            if (current.status, len(current.answers)) != (seen.status, len(seen.answers)):
                self._resolve(waiter, current)

    def _is_over(self, waiter: _Waiter) -> bool:
        return self._db.now() >= waiter.seen.expires

    def _resolve(self, waiter: _Waiter, news: Approval | ToolcribError) -> None:
        with self._changed:
            self._waiters.discard(waiter)
        if not waiter.news.set_running_or_notify_cancel():
            return
        if isinstance(news, ToolcribError):
            waiter.news.set_exception(news)
        else:
            waiter.news.set_result(news)

    def _leave(self, error: ToolcribError) -> None:
        """End the thread and tell everybody who still waits why."""
        with self._changed:
            self._thread = None
            left = list(self._waiters)
        for waiter in left:
            self._resolve(waiter, error)
