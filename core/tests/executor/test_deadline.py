"""A deadline that is booked only where work waits: it must stop work exactly as `asyncio.timeout` does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from toolcrib import CallContext, Crib, tool
from toolcrib.executor._deadline import within

LONG = 3600.0


async def asyncio_own(seconds: float, work: Any) -> Any:
    async with asyncio.timeout(seconds):
        return await work


WAYS = pytest.mark.parametrize("limit", [within, asyncio_own])
Limit = Callable[[float, Any], Awaitable[Any]]


@WAYS
async def test_work_that_never_waits_ends_with_its_result_or_its_error(limit: Limit) -> None:
    async def returns() -> str:
        return "done"

    async def raises() -> None:
        raise KeyError("x")

    assert await limit(0.0, returns()) == "done"
    with pytest.raises(KeyError):
        await limit(LONG, raises())


async def test_only_work_that_waits_books_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    booked: list[float] = []
    book = loop.call_at

    def noting(when: float, *rest: Any, **more: Any) -> Any:
        booked.append(when)
        return book(when, *rest, **more)

    monkeypatch.setattr(loop, "call_at", noting)

    async def at_once() -> int:
        return 1

    async def waits() -> int:
        await asyncio.sleep(0)
        return 2

    assert (await within(LONG, at_once()), booked) == (1, [])
    assert await within(LONG, waits()) == 2
    assert len(booked) == 1


@WAYS
async def test_work_that_waits_too_long_is_stopped_where_it_waits(limit: Limit) -> None:
    seen: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            seen.append("tidied up")

    with pytest.raises(TimeoutError):
        await limit(0.001, hangs())
    assert seen == ["cancelled", "tidied up"]
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0, "the caller goes on as if nothing had happened"


@WAYS
async def test_the_time_runs_from_the_start_and_not_from_the_first_wait(limit: Limit) -> None:
    loop = asyncio.get_running_loop()

    async def late() -> None:
        begun = loop.time()
        while loop.time() < begun + 0.01:
            pass
        await asyncio.Event().wait()

    asked = loop.time()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(limit(0.01, late()), LONG)
    assert loop.time() >= asked + 0.01


@WAYS
async def test_work_that_will_not_be_stopped_keeps_its_result(limit: Limit) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "all the same"
        return "never"

    assert await limit(0.001, stubborn()) == "all the same"


@WAYS
async def test_a_cancellation_from_outside_stays_one(limit: Limit) -> None:
    started, seen = asyncio.Event(), []

    async def hangs() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    call = asyncio.ensure_future(limit(LONG, hangs()))
    await started.wait()
    call.cancel("from outside")
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(seen) == 1


@WAYS
async def test_what_it_waits_for_hands_over_results_and_errors(limit: Limit) -> None:
    loop = asyncio.get_running_loop()
    good, bad = loop.create_future(), loop.create_future()

    async def works() -> tuple[int, str]:
        first = await good
        try:
            await bad
        except ValueError as error:
            return first, str(error)
        return first, "none"

    loop.call_soon(good.set_result, 7)
    loop.call_soon(bad.set_exception, ValueError("bad"))
    assert await limit(LONG, works()) == (7, "bad")


async def test_the_shorter_of_two_deadlines_holds() -> None:
    async def inner() -> str:
        with pytest.raises(TimeoutError):
            await within(0.001, asyncio.Event().wait())
        return "the outer one goes on"

    assert await within(LONG, inner()) == "the outer one goes on"


async def test_work_that_is_thrown_away_is_closed() -> None:
    closed: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append("closed")

    abandoned = within(LONG, hangs())
    abandoned.send(None)
    abandoned.close()
    assert closed == ["closed"]


# --- what a tool is handed


@pytest.mark.parametrize("effect", ["read", "write"])
async def test_a_tool_without_a_context_parameter_runs_and_one_with_it_gets_its_own(
    make: Any, effect: Any
) -> None:
    @tool(effect=effect)
    async def plain(n: int) -> int:
        """Plain."""
        return n

    @tool(effect=effect, timeout=LONG)
    async def asking(ctx: CallContext) -> list[str]:
        """Asking."""
        ctx.note("a", "fact")
        return [ctx.tool, ctx.call_id, ctx.principal.agent]

    crib: Crib = make("p, *, acme, local.*, *, True, allow", plain, asking)
    me = crib.principal("a", "alice")
    assert (await crib.call("plain", {"n": 3}, me)).value == 3
    first, second = [(await crib.call("asking", {}, me)).value for _ in range(2)]
    assert first[0] == "local.asking" and first[2] == "a"
    assert first[1] != second[1], "each call has a context of its own"


def test_a_tool_says_whether_it_looks_at_its_context() -> None:
    from toolcrib.tools import declared_tool, tools_of

    @tool(effect="read")
    async def plain(n: int) -> int:
        """Plain."""
        return n

    @tool(effect="read")
    async def asking(ctx: CallContext) -> None:
        """Asking."""

    async def call(values: Any) -> None:
        return None

    declared = declared_tool("d", description="D.", schema={"type": "object"}, effect="read", call=call)
    found = [tools_of(plain)[0], tools_of(asking)[0], declared]
    assert [one.takes_context for one in found] == [False, True, False]
