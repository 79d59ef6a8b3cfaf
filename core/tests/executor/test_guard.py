"""The loop guard by itself: what it counts, for how long, and how much it keeps."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import orjson
import pytest

from toolcrib import Principal
from toolcrib.errors import LoopStopped
from toolcrib.executor._guard import LoopGuard

ME = Principal(agent="a", user="alice", tenant="acme", session="s", run="r")


def _is_stopped(guard: LoopGuard, who: Principal = ME, tool: str = "local.look", raw: bytes = b"{}") -> bool:
    try:
        guard.count(who, tool, raw)
    except LoopStopped:
        return True
    return False


def test_the_last_ask_that_is_let_through_and_the_first_that_is_not() -> None:
    guard = LoopGuard(3, 60.0)
    assert [_is_stopped(guard) for _ in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize("other", ["agent", "user", "tenant", "session", "run"])
def test_each_part_of_the_principal_counts_by_itself(other: str) -> None:
    guard = LoopGuard(1, 60.0)
    assert not _is_stopped(guard)
    assert not _is_stopped(guard, replace(ME, **{other: "other"}))
    assert _is_stopped(guard)


def test_another_tool_and_other_arguments_are_other_asks() -> None:
    guard = LoopGuard(1, 60.0)
    assert not _is_stopped(guard)
    assert not _is_stopped(guard, tool="local.other")
    assert not _is_stopped(guard, raw=b'{"a":1}')
    assert not _is_stopped(guard, raw=b'{"a":"' + b"x" * 1000 + b'"}')
    assert _is_stopped(guard, raw=b'{"a":"' + b"x" * 1000 + b'"}')


def test_after_the_window_counting_begins_anew() -> None:
    now = [0.0]
    guard = LoopGuard(1, 60.0, clock=lambda: now[0])
    assert [_is_stopped(guard), _is_stopped(guard)] == [False, True]
    now[0] = 61.0
    assert not _is_stopped(guard)


def test_an_ask_that_is_remembered_takes_little_memory() -> None:
    """orjson hands out 4 kB for the smallest object; 50,000 of them would be 200 MB."""
    guard = LoopGuard(5, 60.0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            guard.count(ME, "local.look", orjson.dumps({"number": number}))
        each = (tracemalloc.get_traced_memory()[0] - before) / 2_000
    finally:
        tracemalloc.stop()
    assert each < 1_000
