"""Observers of the log: they are told, they never decide, and they cannot hold anything up.

Sinks run in a thread of their own, after durability. One that raises loses that record and nothing else
does; one that is slow falls behind, and when it is `BACKLOG` records behind it misses some, of which it is
told by the gap in `seq`: the log itself has them.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from toolcrib.errors import ToolcribWarning

__all__ = ["BACKLOG", "Dispatcher", "Sink", "flat"]

Sink: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Called with one finished record: the caller's fields and the log's `seq`, `ts`, `writer`, `prev`, `hash`,
`v`.
"""

BACKLOG = 65_536


def flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line's object as readers see it: the record's fields, with those of the log beside them."""
    return {**entry["record"], **entry["log"], "hash": entry["hash"]}


class Dispatcher:
    """Hands finished lines to every sink, in order, from one thread that starts with the first line."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=BACKLOG)
        self._thread: threading.Thread | None = None
        self._warned: set[str] = set()

    def tell(self, lines: bytes) -> None:
        """Take whole lines; never blocks and never raises."""
        if not self._sinks:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="toolcrib-audit-sinks", daemon=True)
            self._thread.start()
        for line in lines.splitlines():
            try:
                self._queue.put_nowait(line)
            except queue.Full:
                self._warn(
                    "behind",
                    f"audit sinks are {BACKLOG} records behind; they miss records that the log has",
                )

    def close(self, timeout: float = 5.0) -> None:
        """Let the sinks finish what they were given, for at most `timeout` seconds."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=timeout)
            self._thread.join(timeout)
            self._thread = None

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            for sink in self._sinks:
                try:
                    sink(
                        flat(orjson.loads(line))
                    )  # parsed for each, so that none can change what the next one sees
                except Exception as error:
                    self._warn(
                        repr(sink),
                        f"audit sink {sink!r} failed: {error!r}; the record is in the log all the same",
                    )

    def _warn(self, key: str, text: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            with contextlib.suppress(
                ToolcribWarning
            ):  # where warnings are errors, an observer still must not stop anything
                warnings.warn(text, ToolcribWarning, stacklevel=2)
