"""Containers that wait for work, so that no run waits for a container.

All of them together, starting, idle, at work and going, are never more than `most`. Whoever needs one gets a
future: done at once if one is idle, else when one has started. A start that fails is told to whoever waited
for it, at once, so an engine that is down is an error and not a queue. Where there is no room, idle ones of
other kinds make room, least lately wanted first.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor

from toolcrib.errors import SandboxError
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._spec import Spec

__all__ = ["Pool"]

_STARTERS = 3


class Pool:
    """Threads start and remove containers; the lock is never held while the engine is asked."""

    def __init__(
        self,
        start: Callable[[Spec], Box],
        remove: Callable[[Box], None],
        *,
        most: int,
        preheated: int,
        queue: int,
    ) -> None:
        self._start_box, self._remove_box = start, remove
        self._most, self._preheated, self._queue = most, preheated, queue
        self._lock = threading.Lock()
        self._idle: OrderedDict[Spec, deque[Box]] = OrderedDict()
        self._waiting: dict[Spec, deque[Future[Box]]] = {}
        self._starting: Counter[Spec] = Counter()
        self._taken: set[Box] = set()
        self._going = 0
        self._resting: set[Spec] = set()
        self._closed = False
        self._news: list[tuple[Future[Box], Box | Exception]] = []
        self._starters = ThreadPoolExecutor(_STARTERS, thread_name_prefix="sandbox-start")
        self._removers = ThreadPoolExecutor(2, thread_name_prefix="sandbox-remove")

    def ask(self, spec: Spec) -> Future[Box]:
        """A container of this kind, for the caller alone; give it to `discard` afterwards, or cancel.

        One of the idle is replaced by `refill` or `discard` only, so that no start slows the run it is for.
        """
        future: Future[Box] = Future()
        with self._lock:
            if self._closed:
                raise SandboxError("the sandbox was closed", remedy="Open it anew")
            self._resting.discard(spec)
            box = self._pop(spec)
            if box is not None:
                self._taken.add(box)
                future.set_result(box)
            else:
                self._check_queue()
                self._waiting.setdefault(spec, deque()).append(future)
                self._balance()
        return future

    def refill(self) -> None:
        """Start what is to be kept warm."""
        with self._lock:
            self._balance()

    def short(self, besides: Collection[Future[Box]] = ()) -> int:
        """How many wait, not counting these, for whom no container starts and none makes room."""
        with self._lock:
            uncovered = [
                future
                for spec, queue in self._waiting.items()
                for future in [each for each in queue if not each.cancelled()][self._starting[spec] :]
            ]
            return max(0, sum(future not in besides for future in uncovered) - self._going)

    def _check_queue(self) -> None:
        waiting = sum(len(queue) for queue in self._waiting.values())
        if waiting >= self._queue + self._most:
            raise SandboxError(
                f"{waiting} runs wait for a sandbox already",
                rule=f"[sandbox] containers = {self._most}, queue = {self._queue}",
                remedy="Try again later, or raise these",
                retry_after=1.0,
            )

    def _pop(self, spec: Spec) -> Box | None:
        """The next idle one that is alive. Those that died (the engine was restarted) are forgotten."""
        boxes = self._idle.setdefault(spec, deque())
        self._idle.move_to_end(spec)
        while boxes:
            box = boxes.popleft()
            if box.is_alive:
                return box
            self._let_go(box)
        return None

    def discard(self, box: Box) -> None:
        """Its work is done; what comes next runs in another."""
        with self._lock:
            if box in self._taken:  # else the pool was closed, and the box with it
                self._taken.discard(box)
                self._let_go(box)
                self._balance()

    def _let_go(self, box: Box) -> None:
        self._going += 1
        box.close()
        self._removers.submit(self._remove, box)

    def _remove(self, box: Box) -> None:
        # An engine that does not answer has lost the container, or removes it itself: its stdin is closed.
        with contextlib.suppress(Exception):
            self._remove_box(box)
        with self._lock:
            self._going -= 1
            self._balance()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """The lock; who waits is told when it was let go, because who is told may hold a lock of his own, and
        ask for something.
        """
        try:
            with self._lock:
                yield
        finally:
            with self._lock:
                news, self._news = self._news, []
            for future, what in news:
                with contextlib.suppress(InvalidStateError):  # he gave up in the meantime
                    future.set_exception(what) if isinstance(what, Exception) else future.set_result(what)

    # --- starting

    def _balance(self) -> None:
        """Start what is waited for, then what is kept warm; called with the lock held."""
        if self._closed:
            return
        for spec, queue in list(self._waiting.items()):
            while queue and queue[0].cancelled():
                queue.popleft()
            short = sum(not each.cancelled() for each in queue) - self._starting[spec]
            for _ in range(short):
                if not self._has_room() and not self._evict(spec):
                    return
                if self._has_room():
                    self._begin(spec)
        for spec in reversed(self._idle):
            while (
                spec not in self._resting
                and not spec.socket  # one run's way out is nobody else's
                and self._has_room()
                and len(self._idle[spec]) + self._starting[spec] < self._preheated
            ):
                self._begin(spec)

    def _has_room(self) -> bool:
        idle = sum(len(boxes) for boxes in self._idle.values())
        return idle + self._starting.total() + len(self._taken) + self._going < self._most

    def _evict(self, wanted: Spec) -> bool:
        """Let one idle container of another kind go; there is room only when it is gone."""
        for spec, boxes in self._idle.items():
            if spec != wanted and boxes:
                self._let_go(boxes.popleft())
                return True
        return False

    def _begin(self, spec: Spec) -> None:
        self._starting[spec] += 1
        self._starters.submit(self._start, spec)

    def _start(self, spec: Spec) -> None:
        try:
            box = self._start_box(spec)
        except Exception as error:
            with self._telling():
                self._starting[spec] -= 1
                self._fail(spec, error)
            return
        with self._telling():
            self._starting[spec] -= 1
            if self._closed:
                self._let_go(box)
            else:
                self._hand_out(spec, box)
                self._balance()

    def _fail(self, spec: Spec, error: Exception) -> None:
        """Tell who waits for this kind, all of them; and keep none warm until somebody asks again."""
        self._resting.add(spec)
        self._news += [(future, error) for future in self._waiting.pop(spec, ())]

    def _hand_out(self, spec: Spec, box: Box) -> None:
        queue = self._waiting.get(spec, deque())
        while queue:
            future = queue.popleft()
            if future.set_running_or_notify_cancel():
                self._taken.add(box)
                self._news.append((future, box))
                return
        self._idle.setdefault(spec, deque()).append(box)

    # --- the end

    def close(self) -> None:
        """End and remove every container, also those at work; returns when they are gone."""
        with self._telling():
            if self._closed:
                return
            self._closed = True
            waiting = [future for queue in self._waiting.values() for future in queue]
            self._news += [(future, SandboxError("the sandbox was closed")) for future in waiting]
            self._waiting.clear()
            boxes = [*self._taken, *(box for boxes in self._idle.values() for box in boxes)]
            self._idle.clear()
            self._taken.clear()
            for box in boxes:
                self._let_go(box)
        self._starters.shutdown(wait=True)
        self._removers.shutdown(wait=True)
