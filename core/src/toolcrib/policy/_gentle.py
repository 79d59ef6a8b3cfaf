"""Loading a large policy beside decisions that must not wait.

Threads share one interpreter lock, and three things would hold it for longer than a decision may be held
up. Measured with 100,000 rules: a thread that computes keeps the lock 5 ms at a time (the interpreter's
default); the garbage collector walks the half million objects of a new policy, 170 ms; and the old policy's
objects are freed in one go, 170 ms. So the new policy is loaded in short turns, is never walked, and the
old one is freed bit by bit.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from toolcrib.policy._loading import without_collector

__all__ = ["gently", "retire"]

TURN = 0.0002
"""Seconds for which the loading thread keeps the interpreter lock while another wants it."""
MANY = 20_000
"""Objects from which on a policy is exempt from garbage collection: walking fewer takes under 5 ms."""

_lock = threading.Lock()
_turns = 0
_before = 0.0


@contextmanager
def gently() -> Iterator[None]:
    """Work in short turns, and make what was made in between exempt from garbage collection if it is much.

    The exemption is for all objects that exist at that moment; those that reference counting frees are
    freed as ever, and a policy has no cycles.
    """
    with without_collector():
        existing = gc.get_count()[0]
        with _short_turns():
            yield
        if gc.get_count()[0] - existing > MANY:
            gc.freeze()


@contextmanager
def _short_turns() -> Iterator[None]:
    global _turns, _before
    with _lock:
        if not _turns:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(TURN, _before))
        _turns += 1
    try:
        yield
    finally:
        with _lock:
            _turns -= 1
            if not _turns:
                sys.setswitchinterval(_before)


def retire(holder: list[Any]) -> None:
    """Free the one object in `holder` and what only it holds, a few objects at a time.

    Every part is held once more, from the top down, and let go in that order: so each that goes takes nothing
    along, since its parts are still held.
    """
    with without_collector(), _short_turns():
        parts = _parts(holder)
        holder.clear()
        while parts:
            parts.popleft()


def _parts(holder: list[Any]) -> deque[Any]:
    found, seen, todo = deque[Any](), {id(holder)}, deque(holder)
    while todo:
        part = todo.popleft()
        if id(part) in seen:
            continue
        seen.add(id(part))
        found.append(part)
        todo.extend(one for one in gc.get_referents(part) if _is_ours(one))
    return found


def _is_ours(part: Any) -> bool:
    """Containers, and objects of classes of a policy; not classes, functions, or what they lead to."""
    kind = type(part)
    return kind in (tuple, list, dict, set, frozenset) or kind.__module__.startswith(_OURS)


_OURS = ("toolcrib.policy", "toolcrib.decisions", "casbin")
