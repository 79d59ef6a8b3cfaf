"""The threads that tools work in, and waiting for them."""

import asyncio
import threading

import orjson

from toolcrib.testing import make_context
from toolcrib.tools import threads_idle, tool, tools_of


async def test_a_thread_of_a_cancelled_call_is_waited_for():
    begun, release, done = threading.Event(), threading.Event(), []

    @tool(effect="read")
    def slow() -> str:
        """Work until told to stop."""
        begun.set()
        release.wait(30)
        done.append(1)
        return "done"

    (made,) = tools_of(slow, pack="local")
    values = made.arguments.freeze(made.name, orjson.dumps({})).values
    call = asyncio.ensure_future(made.start(values, make_context()))
    await asyncio.to_thread(begun.wait, 30)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert not await threads_idle(0.01)
    waiting = asyncio.ensure_future(threads_idle(30))
    await asyncio.sleep(0)
    assert not waiting.done() and not done
    release.set()
    assert await waiting
    assert done == [1]


async def test_with_no_work_there_is_nothing_to_wait_for():
    assert await threads_idle(30)
