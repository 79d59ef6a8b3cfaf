"""How much room artifacts have: a bound that holds, and is looked at seldom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolcrib._pruning import Entry, Held, entries, held_by, remove, surplus
from toolcrib.errors import VendorRefused

if TYPE_CHECKING:
    from toolcrib.audit import AuditLog
    from toolcrib.config import LimitSettings
    from toolcrib.state import State

__all__ = ["Shelf"]

_LOOK_EVERY = 3600
"""Seconds after which the folder is looked at again: other processes store there as well."""


class Shelf:
    """Room for `max_bytes`, for files that were used within `max_age` seconds. May be used from threads.

    `held` says what may not go, `told` is told of what goes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_age: float,
        max_bytes: int,
        held: Callable[[], Held] = Held,
        told: Callable[[list[Entry]], object] = lambda gone: None,
    ) -> None:
        self.folder, self.max_age, self.max_bytes = folder, max_age, max_bytes
        self._held, self._told = held, told
        self._lock = threading.Lock()
        self._free, self._look_at = 0, 0.0

    @classmethod
    def of(cls, folder: Path, limits: LimitSettings, state: State, audit: AuditLog, by: str = "") -> Shelf:
        """That of a crib, as `[limits]` says; pending approvals hold theirs, the audit log is told."""
        return cls(
            folder,
            max_age=limits.artifact_age_seconds,
            max_bytes=limits.artifact_total,
            held=lambda: held_by(state.list_approvals(status="pending", limit=1_000_000)),
            told=lambda gone: audit.append_blocking(_record(gone, by)),
        )

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Room for `size` bytes, which are to be written while the context lasts: another thread that counts
        would not see them yet. Raises `VendorRefused` where there is none, and nothing may go.
        """
        with self._lock:
            if size > self._free or time.monotonic() > self._look_at:
                self._prune(size)
            if size > self._free:
                raise VendorRefused(
                    f"there is no room for an artifact of {size:,} bytes",
                    rule=f"[limits] artifact_total = {self.max_bytes:,} bytes, and what is used today stays",
                    remedy="Make fewer or smaller files; an operator may raise it: `toolcrib artifacts list`",
                )
            yield
            self._free -= size

    def prune(self) -> list[Entry]:
        """Let go what may; those that went."""
        with self._lock:
            return self._prune(0)

    def surplus(self) -> list[Entry]:
        """What would go now."""
        return self._surplus(entries(self.folder), 0)

    def _surplus(self, stored: list[Entry], size: int) -> list[Entry]:
        room = max(0, self.max_bytes - size)
        return surplus(stored, self._held(), max_age=self.max_age, max_bytes=room)

    def _prune(self, size: int) -> list[Entry]:
        stored = entries(self.folder)
        gone = remove(self._surplus(stored, size), self._told)
        self._free = self.max_bytes - sum(each.size for each in stored) + sum(each.size for each in gone)
        self._look_at = time.monotonic() + _LOOK_EVERY
        return gone


def _record(gone: list[Entry], by: str) -> dict[str, Any]:
    """What the audit log says of it: how many, how much, and the first hundred by digest."""
    return {
        "kind": "admin",
        "action": "artifacts.prune",
        "count": len(gone),
        "bytes": sum(each.size for each in gone),
        "digests": [each.digest for each in gone[:100]],
        **({"by": by} if by else {}),
    }
