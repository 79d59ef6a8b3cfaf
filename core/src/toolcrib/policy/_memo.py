"""A bounded memory that strangers cannot fill."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Memo"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Keeps the last `size` to 2 x `size` entries that were used, in two generations.

    Cheaper than an ordered LRU and safe from several threads without a lock: each step is one dictionary
    operation, and an entry that gets lost in a race is only computed again.
    """

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> V:
        """Remember `value` and hand it back."""
        young = self._young
        if len(young) >= self._size:
            self._old, self._young = young, {}
            young = self._young
        young[key] = value
        return value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
