"""How a pack meets a vendor that fails: what it may call each failure, so that the executor is not misled.

Too mild an error has a call repeated that was refused for good; too hard a one gives up what would work in a
minute; one that says that nothing happened, though the vendor may have written, has a write done twice. Worst
is no error at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toolcrib.errors import ToolError, VendorRefused
from toolcrib.testing._pack_ends import left_at_work, wanted_requests
from toolcrib.testing._pack_stand import Given, Skip, Stand, Tried
from toolcrib.testing.http import FakeService, Reply, Request
from toolcrib.tools import Tool

__all__ = ["FAULTS", "check_errors"]

PAGE = Reply(200, b"<html><head><title>Sign in</title></head></html>", {"content-type": "text/html"})
SHORT = Reply(200, b'{"result": [{"id": ', {"content-type": "application/json"})
WAIT = 7.0
AFTER_THE_WRITE = "a cut after the vendor wrote"


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls a request, and what a pack may make of it.

    `later`: trying again may help, so that the error is temporary. `said_no`: the vendor understood and
    refused. `unknown`: a write may have happened. `done`: a write has, so that a tool which looks gives a
    result. `passable`: a result may be right of any tool. `always`: it is tried too where something else than
    the tool's write fails.
    """

    inflict: Callable[[FakeService, Any], None]
    later: bool = False
    said_no: bool = False
    unknown: bool = True
    done: bool = False
    passable: bool = False
    always: bool = False


FAULTS: dict[str, Fault] = {
    "429 with Retry-After": Fault(
        lambda vendor, only: vendor.fail(429, headers={"retry-after": f"{WAIT:g}"}, only=only),
        later=True,
        unknown=False,
    ),
    "503": Fault(lambda vendor, only: vendor.fail(503, only=only), later=True, always=True),
    "500": Fault(lambda vendor, only: vendor.fail(500, only=only)),
    "400": Fault(lambda vendor, only: vendor.fail(400, only=only), said_no=True, unknown=False, always=True),
    "a page instead of JSON": Fault(lambda vendor, only: vendor.answer(PAGE, only=only)),
    "JSON that is cut short": Fault(lambda vendor, only: vendor.answer(SHORT, only=only)),
    "204": Fault(lambda vendor, only: vendor.answer(Reply(204), only=only), passable=True),
    "a cut before the answer": Fault(lambda vendor, only: vendor.cut(only=only), later=True),
    "a cut in the answer": Fault(lambda vendor, only: vendor.cut(after=3, only=only), later=True, done=True),
    AFTER_THE_WRITE: Fault(lambda vendor, only: vendor.vanish(), later=True, done=True),
}
"""In their order: the last does the write, so that what writes only once has been tried with all others."""


async def check_errors(stand: Stand) -> list[str]:
    """Whatever the vendor answers, the pack raises what the executor understands: nothing is swallowed, and
    none says that nothing happened when it cannot know.
    """
    vendor = stand.suite.vendor
    if vendor is None:
        raise Skip("it has no vendor that could fail")
    found: list[str] = []
    await stand.wake()  # a login comes first, and is not what is tried
    asked = len(vendor.requests)
    for tool in stand.named():
        for given in await stand.example(tool):
            found += await _faults(stand, vendor, tool, given)
    if not found and len(vendor.requests) == asked:
        found.append(f"{stand.suite.pack}: no tool asked the vendor anything: hand its address to the pack")
    return found


async def _faults(stand: Stand, vendor: FakeService, tool: Tool, given: Given) -> list[str]:
    """Every fault at the tool's write; and those that are `always` at what it asks first, if that is another.
    A read has no write, and meets all of them at what it asks first.
    """
    found: list[str] = []
    *writes, anything = wanted_requests(vendor, tool)
    for only in (*writes, anything):
        first = False
        for name, fault in FAULTS.items():
            if writes and only is anything and not fault.always:
                continue
            sent = len(vendor.requests)
            others = asyncio.all_tasks()
            fault.inflict(vendor, only)
            tried = await stand.call(tool, given)
            left = await left_at_work(others)
            requests = vendor.requests[sent:]
            if vendor.relent():
                continue  # nothing befell this call
            first |= bool(requests) and only(requests[0])
            problem = _repeated(requests, name) or _misjudged(tried, fault, written=only in writes)
            if left and not problem:
                problem = f"it ends, and leaves at work: {left}. Cancel and await what it starts"
            found += [f"{tool.name}: {name}: {problem}"] if problem else []
        if first:
            break  # what it asks first is the write
    return found


def _misjudged(tried: Tried, fault: Fault, *, written: bool) -> str:
    """What is wrong with what the tool made of the fault; empty if nothing is."""
    error, told = tried.error, tried.told()
    if error is None:
        fine = fault.passable or (fault.done and written)
        return "" if fine else "it gives a result as if all were well: raise what the kit would"
    if not isinstance(error, ToolError):
        return f"ends in an error that the executor does not understand: {told}"
    if fault.said_no and (error.temporary or error.happened is not False):
        return f"the vendor said no, and it is left open or tried again: raise VendorRefused, not {told}"
    if not fault.said_no and isinstance(error, VendorRefused):
        return f"it is told as the vendor's refusal, and is none: {told}"
    if fault.later and not error.temporary:
        return f"trying again may help, and it is told as final: raise Temporary, not {told}"
    if not fault.unknown and not fault.said_no and error.retry_after != WAIT:
        return f"the vendor's Retry-After of {WAIT:g} s is lost: {told}"
    if written and fault.unknown and error.happened is False:
        return f"it says that nothing happened, and cannot know: {told}"
    return ""


def _repeated(requests: list[Request], fault: str) -> str:
    writes = [(each.method, each.target, each.body) for each in requests if each.method not in _SAFE]
    if fault == AFTER_THE_WRITE and len(writes) != len(set(writes)):
        return "the same write is sent twice in one call"
    return ""


_SAFE = ("GET", "HEAD")
