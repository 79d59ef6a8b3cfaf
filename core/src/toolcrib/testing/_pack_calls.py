"""What is seen by calling a pack's tools: good calls, bad ones, twice, too late, cancelled, by pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

from toolcrib.errors import VendorRefused
from toolcrib.testing._pack_stand import PATIENCE, Skip, Stand
from toolcrib.tools import Tool

__all__ = [
    "check_bad_arguments",
    "check_calls",
    "check_cancellation",
    "check_idempotency",
    "check_paging",
    "check_reads",
    "check_timeouts",
]  # fmt: skip

HOSTILE = (
    "' OR '1'='1", "'; DROP TABLE users; --", "x' UNION SELECT null--", "\\", "%", "_", "%' ESCAPE '\\",
    "^ORactive=true^EQ", "javascript:gs.getUserID()", "../../etc/passwd", "http://169.254.169.254/", "\x00",
    "a\x00b", "🪚🧨", "\u202egnp.exe", "שלום", "line\r\nbreak: x", "${7*7}{{7*7}}", "x" * 5000, "", " ",
)  # fmt: skip
"""Injections of the usual kinds, odd characters, and much text: each must arrive as data, or be refused."""

_LIMITS = ("limit", "max_results", "page_size", "top", "count")


async def check_calls(stand: Stand) -> list[str]:
    """Each tool has a good call, and does it: the result is JSON."""
    found = []
    for tool in stand.named("read") + stand.named("write", "send", "destructive"):
        if not stand.examples(tool):
            found.append(f"{tool.name}: there is no good call to try: add one to `calls`")
        for given in stand.examples(tool):
            found += await _good_call(stand, tool, given)
    known = {name.partition(".")[2] for name in stand.tools}
    return found + [f"`calls` names {name!r}, which is no tool" for name in stand.calls if name not in known]


async def _good_call(stand: Stand, tool: Tool, given: Any) -> list[str]:
    short = tool.name.partition(".")[2]
    reason = stand.suite.lacks.get(short)
    before = stand.state() if reason else None
    tried = await stand.call(tool, given)
    if not reason:
        return [f"{tool.name}: a good call fails: {tried.told()}"] if tried.error else []
    if not isinstance(tried.error, VendorRefused):
        return [f"{tool.name}: is not refused, and should be ({reason})"]
    return [f"{tool.name}: is refused and changed something"] if stand.state() != before else []


async def check_reads(stand: Stand) -> list[str]:
    """No read changes anything: the state before and after is the same."""
    found, tried = [], 0
    for tool in stand.named("read"):
        for given in stand.examples(tool):
            tried += 1
            await stand.call(tool, given)  # sample data may be made by the first call
            before = stand.state()
            await stand.call(tool, given)
            if stand.state() != before:
                found.append(f"{tool.name}: is a read and changed something")
    if not tried:
        raise Skip("no read has a good call to try")
    return found


async def check_idempotency(stand: Stand) -> list[str]:
    """What is said to be idempotent is: the second of two equal calls changes nothing more."""
    found, chosen = [], [tool for tool in stand.named() if tool.idempotent and tool.effect != "read"]
    if not chosen:
        raise Skip("no tool is idempotent")
    for tool in chosen:
        for given in stand.examples(tool):
            first = await stand.call(tool, given)
            before = stand.state()
            second = await stand.call(tool, given)
            if first.error is None and second.error is not None:
                found.append(f"{tool.name}: is idempotent, and its second call fails: {second.told()}")
            if stand.state() != before:
                found.append(f"{tool.name}: is idempotent, and its second call changed something")
    return found


async def check_bad_arguments(stand: Stand) -> list[str]:
    """Arguments that do not fit are refused before anything happens; hostile text is data or refused."""
    found: list[str] = []
    for tool in stand.named():
        for given in stand.examples(tool)[:1]:
            found += [f"{tool.name}: {problem}" for problem in _loose(stand, tool, dict(given))]
            found += [f"{tool.name}: {problem}" async for problem in _hostile(stand, tool, dict(given))]
    if not any(stand.examples(tool) for tool in stand.named()):
        raise Skip("no tool has a good call to spoil")
    return found


def _loose(stand: Stand, tool: Tool, good: dict[str, Any]) -> Iterator[str]:
    if stand.fits(tool, good | {"no_such_parameter": 1}):
        yield "takes an argument that it has not got"
    for name in tool.schema.get("required", ()):
        if stand.fits(tool, {key: value for key, value in good.items() if key != name}):
            yield f"needs no {name!r}, though its schema says so"
    for name, parameter in tool.schema.get("properties", {}).items():
        if parameter.get("type") in ("string", "integer", "number", "boolean") and stand.fits(
            tool, good | {name: [{"a": 1}]}
        ):
            yield f"takes a list for {name!r}"


async def _hostile(stand: Stand, tool: Tool, good: dict[str, Any]) -> AsyncIterator[str]:
    texts = [name for name, parameter in tool.schema.get("properties", {}).items() if _is_text(parameter)]
    for name in texts:
        if tool.effect == "read":
            await stand.call(tool, good)  # sample data may be made by the first call
        before = stand.state() if tool.effect == "read" else None
        for text in HOSTILE:
            if not stand.fits(tool, good | {name: text}):
                continue
            tried = await stand.call(tool, good | {name: text})
            if not tried.understood:
                yield f"{name} = {text[:30]!r} ends in an error that the pack does not know: {tried.told()}"
                break
        if before is not None and stand.state() != before:
            yield f"a hostile {name!r} changed something, and it is a read"


def _is_text(parameter: dict[str, Any]) -> bool:
    kinds = [parameter, *parameter.get("anyOf", ())]
    return any(kind.get("type") == "string" and "enum" not in kind for kind in kinds)


async def check_timeouts(stand: Stand) -> list[str]:
    """Each tool has a sane time limit, and a call whose time is up ends, also at a vendor's."""
    found = []
    for tool in stand.named():
        if not 0 < tool.timeout <= 3600:
            found.append(f"{tool.name}: may run for {tool.timeout:g} s; at most an hour is sane")
        for given in stand.examples(tool)[:1]:
            tried = await stand.call(tool, given, seconds=0.0)
            if isinstance(tried.error, TimeoutError) or not tried.understood:
                found.append(f"{tool.name}: with no time left it ends in: {tried.told()}")
    vendor = stand.suite.vendor
    if vendor is not None:
        for tool in stand.named():
            for given in stand.examples(tool)[:1]:
                with vendor.holding():
                    tried = await stand.call(tool, given, seconds=0.3)
                if isinstance(tried.error, TimeoutError) or not tried.understood:
                    found.append(f"{tool.name}: does not keep the call's deadline: {tried.told()}")
    return found


async def check_cancellation(stand: Stand) -> list[str]:
    """A cancelled call ends, and the next one works."""
    found = []
    for tool in stand.named():
        for given in stand.examples(tool)[:1]:
            task = asyncio.create_task(stand.call(tool, given))
            await asyncio.sleep(0)
            task.cancel()
            try:
                async with asyncio.timeout(PATIENCE):
                    with suppress(asyncio.CancelledError):
                        await task
            except TimeoutError:
                found.append(f"{tool.name}: does not end when it is cancelled")
            if tool.effect == "read":
                after = await stand.call(tool, given)
                if after.error is not None:
                    found.append(f"{tool.name}: no longer works after a cancelled call: {after.told()}")
    return found


async def check_paging(stand: Stand) -> list[str]:
    """Lists have a cap: what is asked for at most is the most that comes, and no call gives endless rows."""
    found, cap = [], stand.suite.row_cap
    for tool in stand.named("read"):
        for given in stand.examples(tool)[:1]:
            tried = await stand.call(tool, given)
            if (rows := _longest(tried.value)) > cap:
                found.append(f"{tool.name}: gives {rows} rows at once; at most {cap}")
            name = next((name for name in _LIMITS if name in tool.schema.get("properties", {})), None)
            if name is None:
                continue
            if stand.fits(tool, {**given, name: 10**9}) or stand.fits(tool, {**given, name: -1}):
                found.append(f"{tool.name}: {name!r} has no bounds: Annotated[int, Field(ge=1, le=...)]")
            one = await stand.call(tool, {**given, name: 1})
            if one.error is None and _longest(one.value) > 1:
                found.append(f"{tool.name}: gives {_longest(one.value)} rows where {name} = 1")
    return found


def _longest(value: Any) -> int:
    """Rows of a result: the longest list in it or right below it; lists inside a row are not rows."""
    if isinstance(value, list):
        return len(value)
    if isinstance(value, dict):
        return max(
            (len(item) for item in value.values() if isinstance(item, list) and _rows(item)), default=0
        )
    return 0


def _rows(items: list[Any]) -> bool:
    return bool(items) and isinstance(items[0], dict)
