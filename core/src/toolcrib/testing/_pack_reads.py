"""What a pack's reads show: that they change nothing, previews, rows and pages.

Each of these would pass where there is nothing to be seen, so the good writes are made first, and that a read
still shows nothing is a failure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from toolcrib.testing._pack_seen import is_list, least_of, limit_of, rows_of, shows_something, turn_of
from toolcrib.testing._pack_stand import Given, Skip, Stand
from toolcrib.tools import Preview, Tool

__all__ = ["check_paging", "check_preview", "check_reads"]

_GIVE = "Let a good call in `calls` write what it shows, or ask for what is there"


async def check_reads(stand: Stand) -> list[str]:
    """No read changes anything: the state before and after is the same, and there was something to lose."""
    found, reads = [], [tool for tool in stand.named("read") if stand.has(tool)]
    if not reads:
        raise Skip("no read has a good call to try")
    blank = stand.state()
    if await stand.fill() and stand.state() == blank:
        found.append(
            f"{stand.suite.pack}: its writes change nothing that `state` sees, so a read that changes "
            "something would not be seen either: override `state` to give all that the tools can change"
        )
    for tool in reads:
        found += [f"{tool.name}: {problem}" async for problem in _reads(stand, tool)]
    return found


async def _reads(stand: Stand, tool: Tool) -> AsyncIterator[str]:
    seen, fails = False, ""
    for given in await stand.examples(tool):
        before = stand.state()
        tried = await stand.call(tool, given)
        if stand.state() != before:
            yield "is a read and changed something"
        seen |= tried.error is None and shows_something(tool, tried.value)
        fails = fails or (tried.told() if tried.error else "")
    if not seen:
        what = "row" if limit_of(tool) else "record"
        yield f"no {what} seen, so that it changes none is not known{f' ({fails})' if fails else ''}. {_GIVE}"


async def check_preview(stand: Stand) -> list[str]:
    """Each preview shows the record of a good call, and changes nothing."""
    found, previewed = [], [tool for tool in stand.named() if tool.preview]
    if not previewed:
        raise Skip("no tool has a preview")
    await stand.fill()
    for tool in previewed:
        assert tool.preview is not None
        reader = stand.tools.get(f"{stand.suite.pack}.{tool.preview.tool}")
        if reader is None or reader.effect != "read":
            found.append(f"{tool.name}: its preview {tool.preview.tool!r} is no read tool of the pack")
        elif stand.has(tool):
            found += [f"{tool.name}: {each}" async for each in _previews(stand, tool, tool.preview, reader)]
    return found


async def _previews(stand: Stand, tool: Tool, preview: Preview, reader: Tool) -> AsyncIterator[str]:
    shown = failed = False
    for given in await stand.examples(tool):
        plain = tool.arguments.freeze(tool.name, _json(tool, given)).plain
        before = stand.state()
        seen = await stand.call(reader, preview.arguments(plain))
        shown |= shows_something(reader, seen.value)
        if seen.error is not None:
            failed = True
            yield f"its preview fails for a good call: {seen.told()}"
        if stand.state() != before:
            yield f"its preview {preview.tool!r} changes something"
    if not shown and not failed:
        yield (
            f"no preview shown: for its good calls {preview.tool!r} gives nothing, so an approver would see "
            f"nothing. Map its parameters in `Preview`, or give a good call about a record that is there"
        )


async def check_paging(stand: Stand) -> list[str]:
    """Lists have a cap: what is asked for at most is the most that comes, and no call gives endless rows."""
    found, tried = [], False
    await stand.fill()
    for tool in filter(stand.has, stand.named("read")):
        tried = True
        found += [f"{tool.name}: {problem}" async for problem in _paging(stand, tool)]
    if not tried:
        raise Skip("no read has a good call to try")
    return found


async def _paging(stand: Stand, tool: Tool) -> AsyncIterator[str]:
    cap, name = stand.suite.row_cap, limit_of(tool)
    results = [(given, (await stand.call(tool, given)).value) for given in await stand.examples(tool)]
    given, value = max(results, key=lambda result: len(rows_of(result[1])))
    rows = len(rows_of(value))
    if rows > cap:
        yield f"gives {rows} rows at once; at most {cap}"
    if name is None:
        if is_list(value):
            yield "gives rows and has no limit: take one, `limit: Annotated[int, Field(ge=1, le=100)]`"
        return
    if stand.fits(tool, {**given, name: 10**9}) or stand.fits(tool, {**given, name: -1}):
        yield f"{name!r} has no bounds: Annotated[int, Field(ge=1, le=...)]"
    elif stand.fits(tool, {**given, name: cap + 1}):
        yield f"{name!r} may be more than `row_cap`, which is {cap}"
    least = least_of(tool, name)
    if rows <= least:
        yield (
            f"nothing paged: its good calls show {rows} rows, and it takes {least + 1} to see a limit kept. "
            f"{_GIVE}"
        )
        return
    async for problem in _pages(stand, tool, {**given, name: least}, least, f"where {name} = {least}"):
        yield problem


async def _pages(stand: Stand, tool: Tool, given: Given, least: int, where: str) -> AsyncIterator[str]:
    one = await stand.call(tool, given)
    if one.error is not None or len(rows_of(one.value)) != least:
        told = f"fails: {one.told()}" if one.error else f"gives {len(rows_of(one.value))} rows"
        yield f"{where} it {told}"
    elif turn := turn_of(tool, least):
        name, first, second = turn
        here, there = [
            rows_of((await stand.call(tool, {**given, name: number})).value) for number in (first, second)
        ]
        if len(here) != least or not there or any(row in here for row in there):
            yield f"{where}, {name} = {second} does not give the rows that come next"


def _json(tool: Tool, given: Any) -> bytes:
    from toolcrib._arguments import to_json

    return to_json(tool.name, given)
