"""The burst tier: containers that one tenant's runs share, one run at a time in each.

A container is tenant-neutral until it is taken from the pool, and from then on this tenant's until it is
thrown away: after `most_runs` runs, after a run that did not end well, or to make room for whoever else waits
for a container of the pool: another tenant, a session, a run that is single-use in any case.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, OrderedDict, deque
from concurrent.futures import Future, InvalidStateError
from typing import TypeAlias

from toolcrib.errors import SandboxError
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._pool import Pool
from toolcrib_sandbox._spec import Spec

__all__ = ["Key", "Warm"]

Key: TypeAlias = tuple[Spec, str]
"""Kind of container, and the tenant that it belongs to."""


class Warm:
    """Hands out containers to the tenant that they belong to."""

    def __init__(self, pool: Pool, *, most: int, most_runs: int) -> None:
        self._pool, self._most, self._most_runs = pool, most, most_runs
        self._lock = threading.RLock()
        self._idle: OrderedDict[Key, deque[Box]] = OrderedDict()
        self._waiting: dict[Key, deque[Future[Box]]] = {}
        self._counted: Counter[Key] = Counter()
        self._asked: dict[Key, set[Future[Box]]] = {}

    def ask(self, key: Key) -> Future[Box]:
        """A container of this tenant, for one run; give it back afterwards, or cancel."""
        future: Future[Box] = Future()
        with self._lock:
            idle = self._idle.setdefault(key, deque())
            self._idle.move_to_end(key)
            while idle:
                box = idle.popleft()
                if box.is_alive:
                    future.set_result(box)
                    return future
                self._drop(key, box)
            self._waiting.setdefault(key, deque()).append(future)
            if self._counted[key] < self._most:
                self._more(key)
        return future

    def make_room(self) -> None:
        """Who waits for a container of the pool gets room: those that idle for a tenant go, as far as needed,
        least lately wanted first.
        """
        with self._lock:
            while self._pool.short() and (
                idle := next((each for each in self._idle.items() if each[1]), None)
            ):
                key, boxes = idle
                self._drop(key, boxes.popleft())

    def _more(self, key: Key) -> None:
        """Another container for this tenant; where there is no room, one that idles for another goes."""
        self._counted[key] += 1
        try:
            asked = self._pool.ask(key[0])
        except SandboxError as error:
            self._failed(key, error)
            return
        self._asked.setdefault(key, set()).add(asked)
        self.make_room()
        self._pool.refill()
        asked.add_done_callback(lambda done: self._came(key, done))

    def _came(self, key: Key, done: Future[Box]) -> None:
        error = done.exception()
        with self._lock:
            self._asked[key].discard(done)
            if error is not None:
                self._failed(key, error)
            else:
                self._offer(key, done.result())
                self.make_room()  # who wanted it may have given up

    def _failed(self, key: Key, error: BaseException) -> None:
        self._counted[key] -= 1
        if self._counted[key]:
            return  # one of the others will serve those who wait
        for future in self._waiting.pop(key, ()):
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)

    def _offer(self, key: Key, box: Box) -> None:
        waiting = self._waiting.get(key, deque())
        while waiting:
            future = waiting.popleft()
            if future.set_running_or_notify_cancel():
                future.set_result(box)
                return
        self._idle.setdefault(key, deque()).append(box)

    def give_back(self, key: Key, box: Box, *, sound: bool) -> None:
        """After a run: for this tenant's next one, or away with it."""
        with self._lock:
            own = self._asked.get(key, set())
            if sound and box.runs < self._most_runs and not self._pool.short(own):
                self._offer(key, box)
                return
            self._drop(key, box)
            if self._waiting.get(key) and self._counted[key] < self._most:
                self._more(key)

    def _drop(self, key: Key, box: Box) -> None:
        self._counted[key] -= 1
        self._pool.discard(box)
