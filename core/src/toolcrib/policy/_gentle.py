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
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from toolcrib.policy._loading import without_collector

__all__ = ["gently", "retire", "spare"]

T = TypeVar("T")

TURN = 0.0002
"""Seconds for which the loading thread keeps the interpreter lock while another wants it."""
MANY = 4_000
"""Objects from which on a policy is exempt from garbage collection: walking fewer takes under 1 ms."""
SHARDS = 1024
"""Sets in which the parts of a policy are noted: one alone would grow, and be freed, in turns of 20 ms."""

_spared = threading.local()
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
        with _short_turns(), _sparing() as spared:
            yield
        retire(spared)
        if gc.get_count()[0] - existing > MANY:
            gc.freeze()


@contextmanager
def _sparing() -> Iterator[list[Any]]:
    before, _spared.parts = getattr(_spared, "parts", None), []
    try:
        yield _spared.parts
    finally:
        _spared.parts = before


def spare(part: T) -> T:
    """`part`, which is held until the load in this thread ends, and then freed bit by bit; for tables of all
    rows. Where nothing is loaded `gently`, it goes when its holder lets go of it.
    """
    parts = getattr(_spared, "parts", None)
    if parts is not None:
        parts.append(part)
    return part


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
        parts, seen = deque[Any](), [set[int]() for _ in range(SHARDS)]
        _find_parts(holder, parts, seen)
        holder.clear()
        while parts:
            parts.popleft()
        while seen:
            seen.pop()


def _find_parts(holder: list[Any], parts: deque[Any], seen: list[set[int]]) -> None:
    """Put every part into `parts`, what holds before what is held."""
    todo = deque(holder)
    while todo:
        part = todo.popleft()
        name = id(part)
        noted = seen[(name >> 5) % SHARDS]
        if name not in noted:
            noted.add(name)
            parts.append(part)
            todo.extend(one for one in _held_by(part) if _is_ours(one))


def _held_by(part: Any) -> Iterable[Any]:
    """What `part` holds; of a long tuple or list one after another, since all of it at once takes 4 ms."""
    return part if type(part) in (tuple, list) else gc.get_referents(part)


def _is_ours(part: Any) -> bool:
    """Containers, and objects of classes of a policy; not classes, functions, or what they lead to."""
    kind = type(part)
    return kind in (tuple, list, dict, set, frozenset, defaultdict) or kind.__module__.startswith(_OURS)


_OURS = ("toolcrib.policy", "toolcrib.decisions", "toolcrib.bench", "casbin")
