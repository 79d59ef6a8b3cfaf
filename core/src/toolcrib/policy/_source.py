"""The policy in force, replaced while calls go on.

A policy is swapped in whole or not at all: it is loaded and judged beside the one in force, and only a good
one takes its place, by one assignment, after its revision is on record. A file that was written less than
`SETTLE` seconds ago may be half written, and half a policy can be a valid one that has lost its deny rows;
so it is looked at again before it is loaded.

Who waits: while calls come in, nobody; a thread loads, and they are decided by the policy in force. Where
nobody has asked for a while, that policy may be hours old, so the first who asks looks, and waits for what
has changed.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from toolcrib.errors import PolicyError
from toolcrib.policy._gentle import gently, retire
from toolcrib.policy._origin import SETTLE, FolderOrigin, Origin, Texts
from toolcrib.policy._policy import Policy

__all__ = ["Event", "Gate", "Keeper", "OnEvent", "PolicySource"]

LOOK_EVERY = 0.5
"""Seconds between two looks. With `SETTLE` this keeps a change from being seen later than within a second."""
COLD = 0.5
"""Seconds for which a look may be overdue before whoever asks waits for one."""
TRIES = 10

Event: TypeAlias = Literal["loaded", "failed"]
OnEvent: TypeAlias = Callable[[Event, str], None]
Gate: TypeAlias = Callable[[Texts, Policy], Sequence[str]]
"""What speaks against putting a loaded policy in force; nothing if nothing does."""


class Keeper(Protocol):
    """Remembers what was in force (`toolcrib.policy.History`)."""

    def keep(self, texts: Texts, policy: Policy) -> object:
        """Note that this policy is in force from now on."""

    def last(self) -> Texts | None:
        """The policy that was in force last."""


def _ignore(kind: Event, detail: str) -> None:
    """Nobody listens."""


class PolicySource:
    """Loads a policy and keeps up with its origin: a folder, or another `Origin`.

    The first load happens at once and raises `PolicyError` if it fails: without a policy there is no source.
    Later, `on_event("loaded", revision)` tells that a new policy is about to be in force, and
    `on_event("failed", reason)` of a change that was not taken; it is called in the thread that noticed, and
    if it raises, the policy stays as it was. `alert` says what keeps the origin's policy from being in force,
    as long as it does.
    """

    def __init__(
        self,
        origin: Path | Origin,
        on_event: OnEvent = _ignore,
        *,
        gate: Gate | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.origin: Origin = FolderOrigin(Path(origin)) if isinstance(origin, str | Path) else origin
        self.alert = ""
        self._on_event, self._gate, self._keeper = on_event, gate, keeper
        self._lock = threading.Lock()
        self._waiting: Hashable = None
        self._error: Exception | None = None
        self._seen, self._policy = self._first()
        self._next = time.monotonic() + LOOK_EVERY
        _sources.add(self)

    def current(self) -> Policy:
        """The policy in force, as a look not older than a second has found it, or a load still under way is
        about to replace it.
        """
        if time.monotonic() >= self._next:
            self._keep_up()
        return self._policy

    def refresh(self) -> Policy:
        """Load now, changed or not; raises `PolicyError` and keeps the last good policy if the new one is
        bad.
        """
        with self._lock:
            try:
                seen, texts, policy = self._read()
                self._judge(texts, policy)
            except PolicyError as error:
                self._failed(error)
                raise
            self._swap(seen, texts, policy)
            return policy

    def join(self) -> None:
        """Wait until a load that is under way has ended."""
        with self._lock:
            pass

    def close(self) -> None:
        """Wait for a load that is under way, which still has something to record, and close the origin."""
        self.join()
        self.origin.close()

    # --- looking

    def _keep_up(self) -> None:
        overdue = time.monotonic() - self._next
        is_cold = overdue >= COLD
        if not self._lock.acquire(blocking=is_cold):
            return
        done = self._lock.release
        try:
            self._raise_what_a_thread_met()
            if time.monotonic() >= self._next and self._follow(is_cold):
                done = _nothing  # the thread gives the lock back
        finally:
            done()

    def _follow(self, is_cold: bool) -> bool:
        """Look, and load what is new; True if a thread goes on with that."""
        if self.origin.is_slow and not is_cold:
            return self._in_thread(self._step)
        found = self._look()
        if found is None:
            return False
        if is_cold:
            self._take(found)
            return False
        return self._in_thread(lambda: self._take(found))

    def _step(self) -> None:
        found = self._look()
        if found is not None:
            self._take(found)

    def _look(self) -> Hashable:
        """What is new and surely whole; None if there is nothing to load."""
        seen, self._next = self.origin.look(), time.monotonic() + LOOK_EVERY
        if seen == self._seen:
            self._waiting = None
        elif seen == self._waiting or self.origin.is_settled(seen):
            return seen
        else:
            self._wait(seen)
        return None

    def _wait(self, seen: Hashable) -> None:
        self._waiting, self._next = seen, time.monotonic() + SETTLE

    def _in_thread(self, work: Callable[[], None]) -> bool:
        self._next = float("inf")  # nobody looks while this goes on
        thread = threading.Thread(target=self._work, args=(work,), name="toolcrib-policy", daemon=True)
        thread.start()
        return True

    def _work(self, work: Callable[[], None]) -> None:
        old = self._policy
        try:
            with gently():
                work()
        except Exception as error:
            self._error = error
        finally:
            if self._next == float("inf"):
                self._next = time.monotonic() + LOOK_EVERY
            self._lock.release()
        if old is not self._policy:
            holder = [old]
            del old
            retire(holder)

    def _raise_what_a_thread_met(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    # --- loading

    def _take(self, seen: Hashable) -> None:
        try:
            texts = self.origin.read()
            policy = texts.policy()
            self._judge(texts, policy)
        except PolicyError as error:
            if self.origin.look() != seen:
                self._wait(None)
            else:
                self._waiting, self._seen = None, seen
                self._failed(error)
            return
        if self.origin.look() == seen:
            self._swap(seen, texts, policy)
        else:
            self._wait(None)

    def _read(self) -> tuple[Hashable, Texts, Policy]:
        """A policy whose origin did not change while it was read."""
        for _ in range(TRIES):
            seen = self.origin.look()
            try:
                texts = self.origin.read()
                policy = texts.policy()
            except PolicyError:
                if self.origin.look() == seen:
                    raise
                continue
            if self.origin.look() == seen:
                return seen, texts, policy
        raise PolicyError(
            f"{self.origin.name} changes while it is read",
            rule="a policy is loaded whole or not at all",
            remedy="Write to a new file and rename it over the old one",
        )

    def _judge(self, texts: Texts, policy: Policy) -> None:
        """Raise `PolicyError` if something speaks against a policy that is new."""
        if policy.revision != self._policy.revision:
            _judge(self._gate, texts, policy)

    def _swap(self, seen: Hashable, texts: Texts, policy: Policy) -> None:
        if policy.revision != self._policy.revision:
            if self._keeper is not None:
                self._keeper.keep(texts, policy)
            self._on_event("loaded", policy.revision)
        self._waiting, self._seen, self._policy, self.alert = None, seen, policy, ""

    def _failed(self, error: PolicyError) -> None:
        self.alert = f"{error} The policy in force stays at revision {self._policy.revision}."
        self._on_event("failed", self.alert)

    # --- the beginning

    def _first(self) -> tuple[Hashable, Policy]:
        """The policy to begin with. One that was never in force must pass the gate too, or stopping and
        starting would be a way around it; where it does not, the one that was in force last goes on.

        The very first policy of a crib is taken as it loads: there is nothing to go on with.
        """
        seen, texts, policy = self._read()
        last = self._keeper.last() if self._keeper else None
        before = last.policy() if last else None
        self._policy = before or policy
        if before is None or before.revision == policy.revision:
            if self._keeper is not None and before is None:
                self._keeper.keep(texts, policy)
            return seen, policy
        try:
            _judge(self._gate, texts, policy)
        except PolicyError as error:
            self._failed(error)
            return seen, before
        self._swap(seen, texts, policy)
        return seen, policy


def _judge(gate: Gate | None, texts: Texts, policy: Policy) -> None:
    if gate is None:
        return
    try:
        objections = list(gate(texts, policy))
    except Exception as error:  # a gate that breaks has let nothing through
        objections = [f"the checks could not be made: {type(error).__name__}: {error}"]
    if objections:
        more = f" ({len(objections) - 1} more)" if len(objections) > 1 else ""
        raise PolicyError(
            f"revision {policy.revision} is not taken: {objections[0]}{more}",
            rule="a policy in force has no lint error, passes its tests and keeps its properties",
            remedy="See `toolcrib policy lint`, `policy test` and `policy check`, and mend it",
        )


def _nothing() -> None:
    """The lock is somebody else's now."""


_sources: weakref.WeakSet[PolicySource] = weakref.WeakSet()


def _after_fork() -> None:
    """A thread that loads does not survive a fork, and would leave its lock taken for ever."""
    for source in list(_sources):
        source._lock = threading.Lock()
        source._next = 0.0


os.register_at_fork(after_in_child=_after_fork)
