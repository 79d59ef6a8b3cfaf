"""The loop guard: stops a model that asks for the same thing again and again.

Every ask counts, refused ones too: a loop of denials costs money and fills the log just as well. What is
counted is the exact ask (who, in which run, which name, which JSON); a changed argument is a new ask, and
quotas bound those.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from toolcrib.errors import LoopStopped
from toolcrib.principal import Principal

__all__ = ["LoopGuard"]

MOST = 50_000
"""Asks remembered at once; the oldest is forgotten first, so that memory stays flat."""


class LoopGuard:
    """Lets `repeats` equal asks through per run within `window` seconds."""

    def __init__(
        self, repeats: int, window: float, *, clock: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        self._repeats, self._window, self._clock, self._most = repeats, window, clock, most
        self._asks: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def count(self, principal: Principal, tool: str, raw: bytes) -> None:
        """Count one ask; raises `LoopStopped` when it is one too many."""
        # By hash (64 bits, keyed per process), never the bytes: orjson's take 4 kB each, however few they are
        who = (principal.subjects, principal.tenant, principal.session, principal.run)
        shrunk = hash((who, tool, raw))
        now = self._clock()
        count, since = self._asks.get(shrunk, (0, now))
        if now - since > self._window:
            count, since = 0, now
        self._asks[shrunk] = (count + 1, since)
        self._asks.move_to_end(shrunk)
        if len(self._asks) > self._most:
            self._asks.popitem(last=False)
        if count >= self._repeats:
            raise LoopStopped(
                f"{tool} was asked {count + 1} times with the same arguments",
                rule=f"[limits] repeats = {self._repeats} in one run within {self._window:g} s",
                remedy="The answer will not change: use what you have, or do something else",
            )
