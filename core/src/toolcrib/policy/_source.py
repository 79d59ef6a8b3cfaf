"""The policy in force, replaced while calls go on.

A policy is swapped in whole or not at all: it is loaded beside the one in force, and only a good one
takes its place, by one assignment. A file that was written less than `SETTLE` seconds ago may be half
written, and half a policy can be a valid one that has lost its deny rows; so it is looked at again before
it is loaded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from toolcrib.errors import PolicyError
from toolcrib.policy._files import Signature, signature
from toolcrib.policy._policy import MODEL_FILE, POLICY_FILE, Policy

__all__ = ["Event", "OnEvent", "PolicySource"]

LOOK_EVERY = 0.5
"""Seconds between two looks at the files."""
SETTLE = 0.25
"""Together they keep a change from being seen later than within a second."""
TRIES = 10

Event: TypeAlias = Literal["loaded", "failed"]
OnEvent: TypeAlias = Callable[[Event, str], None]
_Seen: TypeAlias = tuple[Signature | None, Signature | None]


def _ignore(kind: Event, detail: str) -> None:
    """Nobody listens."""


class PolicySource:
    """Loads a policy folder and keeps up with it.

    The first load happens at once and raises `PolicyError` if it fails: without a policy there is no source.
    Later, `on_event("loaded", revision)` tells of a new policy in force and `on_event("failed", reason)` of a
    change that was not taken; it is called in the thread that noticed.
    """

    def __init__(self, folder: Path, on_event: OnEvent = _ignore) -> None:
        self.folder, self._on_event = Path(folder), on_event
        self._lock = threading.Lock()
        self._waiting: _Seen | None = None
        self._seen, self._policy = self._read()
        self._next = time.monotonic() + LOOK_EVERY

    def current(self) -> Policy:
        """The policy in force; at most every half second this looks whether the files have changed."""
        # Whoever finds the lock taken goes on with the policy in force: a reload holds up one caller, not
        # all.
        if time.monotonic() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._follow()
            finally:
                self._lock.release()
        return self._policy

    def refresh(self) -> Policy:
        """Load the files now, changed or not; raises `PolicyError` and keeps the last good policy if they
        are bad.
        """
        with self._lock:
            try:
                seen, policy = self._read()
            except PolicyError as error:
                self._failed(error)
                raise
            return self._swap(seen, policy)

    def _follow(self) -> None:
        seen, self._next = self._look(), time.monotonic() + LOOK_EVERY
        if seen == self._seen:
            self._waiting = None
        elif seen == self._waiting or _is_settled(seen):
            self._take(seen)
        else:
            self._wait(seen)

    def _take(self, seen: _Seen) -> None:
        try:
            policy = Policy.load(self.folder)
        except PolicyError as error:
            if self._look() != seen:
                self._wait(None)
            else:
                self._waiting, self._seen = None, seen
                self._failed(error)
            return
        if self._look() == seen:
            self._swap(seen, policy)
        else:
            self._wait(None)

    def _wait(self, seen: _Seen | None) -> None:
        self._waiting, self._next = seen, time.monotonic() + SETTLE

    def _read(self) -> tuple[_Seen, Policy]:
        """A policy whose files did not change while they were read."""
        for _ in range(TRIES):
            seen = self._look()
            try:
                policy = Policy.load(self.folder)
            except PolicyError:
                if self._look() == seen:
                    raise
                continue
            if self._look() == seen:
                return seen, policy
        raise PolicyError(
            f"{self.folder} changes while it is read",
            rule="a policy is loaded whole or not at all",
            remedy="Write to a new file and rename it over the old one",
        )

    def _swap(self, seen: _Seen, policy: Policy) -> Policy:
        changed = policy.revision != self._policy.revision
        self._waiting, self._seen, self._policy = None, seen, policy
        if changed:
            self._on_event("loaded", policy.revision)
        return policy

    def _failed(self, error: PolicyError) -> None:
        self._on_event("failed", f"{error} The policy in force stays at revision {self._policy.revision}.")

    def _look(self) -> _Seen:
        return signature(self.folder / MODEL_FILE), signature(self.folder / POLICY_FILE)


def _is_settled(seen: _Seen) -> bool:
    """Whether the youngest file was written long enough ago; by a clock in the future, never."""
    written = max((one[0] for one in seen if one), default=0)
    return 0 <= written <= time.time_ns() - int(SETTLE * 1e9)
