"""A deadline that is booked only where something is waited for.

`asyncio.timeout` books a timer with the event loop and takes it back again, which costs more than many a
tool. But a coroutine can be stopped only where it waits, and many never do. So work begins without a timer;
where it waits for the first time, the timer is booked, for the moment that was due from the start.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["within"]

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """`work`'s result; `TimeoutError` where it still waits after `seconds`, as with `asyncio.timeout`."""
    due = asyncio.get_running_loop().time() + seconds
    try:
        waits_for = work.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    async with asyncio.timeout_at(due):
        return await _rest(work, waits_for)


@types.coroutine
def _rest(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """What is left of `work`, which waits for `waits_for`: all that comes in is handed to it."""
    try:
        while True:
            try:
                answer = yield waits_for
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(answer)
    except StopIteration as ended:
        result: T = ended.value
        return result
