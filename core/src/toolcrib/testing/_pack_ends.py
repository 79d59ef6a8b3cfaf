"""How a call ends that must not go on: its time is up, or whoever asked for it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from toolcrib.errors import VendorRefused
from toolcrib.testing._pack_stand import Given, Stand, Tried
from toolcrib.testing.http import FakeService, Hold, Reply, Request
from toolcrib.tools import Tool, threads_idle

__all__ = ["check_cancellation", "check_timeouts", "left_at_work", "wanted_requests"]

_SHORT = 0.4
"""Seconds that a call is given at a vendor that does not answer: time to send, and not much more."""
_MOST_HANGING = 3
"""After so many tools that do not end, the others are not tried: each costs the suite's whole grace."""
_ENOUGH = f"after {_MOST_HANGING} tools that do not end the rest was not tried"
_TURNS = (1, 2, 4, 8)
"""Turns of the event loop after which a call without a vendor is cancelled."""


def wanted_requests(vendor: FakeService, tool: Tool) -> list[Callable[[Request], bool]]:
    """Which of a call's requests are to be met by a fault, each tried for itself: for what changes the world
    its first write, and its first request whatever it is.
    """

    def writes(request: Request) -> bool:
        return vendor.wrote(request, Reply())

    return [writes, lambda request: True] if tool.effect != "read" else [lambda request: True]


async def check_timeouts(stand: Stand) -> list[str]:
    """Each tool has a sane time limit, and a call whose time is up ends, also at a vendor that is silent."""
    found = [
        f"{tool.name}: may run for {tool.timeout:g} s; at most an hour is sane"
        for tool in stand.named()
        if not 0 < tool.timeout <= 3600
    ]
    grace, hanging = stand.suite.grace, 0
    await stand.wake()  # a login comes first, and is not what is tried
    for tool in stand.named():
        for given in await stand.example(tool):
            problems = [problem async for problem in _too_late(stand, tool, given, grace)]
            found += [f"{tool.name}: {problem}" for problem in problems]
            hanging += any(_HANGS in problem for problem in problems)
        if hanging == _MOST_HANGING:
            return [*found, f"{stand.suite.pack}: {_ENOUGH}"]
    return found


_HANGS = "does not keep the call's deadline"


async def _too_late(stand: Stand, tool: Tool, given: Given, grace: float) -> AsyncIterator[str]:
    tried = await stand.call(tool, given, seconds=0.0, patience=grace)
    if tried.late:
        yield f"{_HANGS}: with no time left {tried.told()}"
        return
    if not tried.understood:
        yield f"with no time left it ends in: {tried.told()}"
    vendor = stand.suite.vendor
    if vendor is None:
        return
    for which in wanted_requests(vendor, tool):
        sent = len(vendor.requests)
        with vendor.holding(which) as hold:
            tried = await stand.call(tool, given, seconds=_SHORT, patience=_SHORT + grace)
        if hold.arrived.is_set():
            wrote = any(map(wanted_requests(vendor, tool)[0], vendor.requests[sent:]))
            if problem := _misended(tried, wrote and tool.effect != "read"):
                yield problem
            return


def _misended(tried: Tried, wrote: bool) -> str:
    if tried.late:
        return f"{_HANGS}, and its vendor does not answer: {tried.told()}. End by `ctx.deadline`"
    if tried.error is None:
        return "gives a result though its vendor did not answer in time: raise Temporary"
    if not tried.understood:
        return f"ends, at a vendor that does not answer, in: {tried.told()}"
    if isinstance(tried.error, VendorRefused):
        return f"calls it the vendor's refusal that no answer came in time: {tried.told()}"
    if wrote and getattr(tried.error, "happened", None) is False:
        return f"its write was sent and not answered, and it says that nothing happened: {tried.told()}"
    return ""


async def check_cancellation(stand: Stand) -> list[str]:
    """A call that is cancelled while the vendor has its request ends at once, as cancelled; it leaves nothing
    at work and no connection open, and the next call works.
    """
    found, hanging = [], 0
    await stand.wake()
    for tool in stand.named():
        for given in await stand.example(tool):
            problems = [problem async for problem in _cancelled(stand, tool, given)]
            found += [f"{tool.name}: {problem}" for problem in problems]
            hanging += any(_STAYS in problem for problem in problems)
            if any(_KEEPS in problem for problem in problems):  # it would be seen behind every tool
                return [*found, f"{stand.suite.pack}: after a thread that is kept the rest was not tried"]
        if hanging == _MOST_HANGING:
            return [*found, f"{stand.suite.pack}: {_ENOUGH}"]
    return found


_STAYS = "does not end when it is cancelled"
_KEEPS = "a thread still works for it"


async def _cancelled(stand: Stand, tool: Tool, given: Given) -> AsyncIterator[str]:
    vendor, grace = stand.suite.vendor, stand.suite.grace
    if vendor and tool.effect == "read":
        await stand.call(tool, given)  # so that its connections are there, and idle
    idle = vendor.connections if vendor else 0
    told: list[str] = []
    for which in wanted_requests(vendor, tool) if vendor else ():
        assert vendor is not None
        with vendor.holding(which) as hold:
            told += (met := await _cancel(stand, tool, given, hold)) or ()
        if met is not None:
            break
    else:
        vendor = None  # it sends nothing
        for turns in _TURNS:
            if not told:
                told += await _cancel(stand, tool, given, turns) or ()
    for problem in dict.fromkeys(told):
        yield problem
    if told:
        return
    if not await threads_idle(grace):
        yield f"{_KEEPS} after it was cancelled: release what it waits for"
        return
    # A client that closes what it was cancelled on has one idle connection less; one that does not takes
    # another for the next call.
    closed = vendor is None or await asyncio.to_thread(vendor.quiet, max(idle - 1, 0), grace)
    async for problem in _goes_on(stand, tool, given):
        yield problem
    if vendor and not closed and vendor.connections > max(idle, 1):
        yield (
            f"its connection stays open after it was cancelled: {idle} were open before, and now "
            f"{vendor.connections}. Close it in `finally` or `async with`"
        )


async def _cancel(stand: Stand, tool: Tool, given: Given, when: Hold | int) -> list[str] | None:
    """Cancel a call once its vendor holds a request of it, or after turns of the loop; what is wrong with its
    end, None where it ended before.
    """
    others = asyncio.all_tasks()
    task = asyncio.create_task(stand.call(tool, given))
    if not await _begun(task, when, stand.suite.grace):
        await asyncio.wait([task])
        return None
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=stand.suite.grace)
    if not done:
        if isinstance(when, Hold):
            when.release()
        await asyncio.wait([task], timeout=stand.suite.grace)
        return [f"{_STAYS}: it goes on for more than {stand.suite.grace:g} s. Let CancelledError through"]
    found = [] if task.cancelled() else [_instead(tool, task.result())]
    if left := await left_at_work(others | {task}):
        found.append(f"it was cancelled, and leaves at work: {left}. Cancel and await what it starts")
    return found


async def left_at_work(known: set[asyncio.Task[Any]]) -> str:
    """What else still runs, a few turns of the loop later; it is cancelled, so that it disturbs nothing."""
    for _ in range(max(_TURNS)):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - known
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return ", ".join(sorted(str(getattr(each.get_coro(), "__qualname__", each)) for each in left))[:200]


async def _begun(task: asyncio.Task[Tried], when: Hold | int, patience: float) -> bool:
    """Wait until it is time to cancel; False where the call ended before."""
    if not isinstance(when, Hold):
        for _ in range(when):
            await asyncio.sleep(0)
        return not task.done()
    waiter = asyncio.create_task(asyncio.to_thread(when.arrived.wait, patience))
    await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
    arrived = when.arrived.is_set()
    when.arrived.set()  # or the waiting thread would stay
    await waiter
    return arrived and not task.done()


def _instead(tool: Tool, tried: Tried) -> str:
    end = tried.told() if tried.error else "a result"
    if tool.effect != "read" and getattr(tried.error, "happened", None) is False:
        return (
            f"its write was with the vendor when it was cancelled, and it says that nothing happened: {end}. "
            "Let CancelledError through: the executor records that nobody knows"
        )
    return f"it was cancelled, and ends in {end} instead. Let CancelledError through"


async def _goes_on(stand: Stand, tool: Tool, given: Given) -> AsyncIterator[str]:
    after = await stand.call(tool, given, patience=stand.suite.grace)
    must = tool.effect == "read" and stand.has(tool)
    if after.late or not after.understood or (must and after.error is not None):
        yield f"no longer works after a cancelled call: {after.told()}"
