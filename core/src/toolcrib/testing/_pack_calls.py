"""What is seen by calling a pack's tools: good calls, bad ones, and the same one twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from toolcrib.errors import VendorRefused
from toolcrib.testing._pack_seen import limit_of, rows_of
from toolcrib.testing._pack_stand import Skip, Stand
from toolcrib.tools import Tool

__all__ = ["check_bad_arguments", "check_calls", "check_idempotency"]

HOSTILE = (
    "' OR '1'='1", "x'; DROP TABLE users; --", "\\", "%", "_", "%' ESCAPE '\\", "^ORactive=true^EQ",
    "javascript:gs.getUserID() ${7*7}{{7*7}}", "../../etc/passwd", "http://169.254.169.254/", "a\x00b",
    "🪚🧨 \u202egnp.exe שלום", "line\r\nbreak: x", "x" * 5000, "", " ",
)  # fmt: skip
"""Injections of the usual kinds, odd characters, and much text: each must arrive as data, or be refused."""

_TO_WRITE = (
    "' OR '1'='1; DROP TABLE users; -- \\ % ^ORactive=true ${7*7}{{7*7}} <b>", "../../etc/passwd", "a\x00b",
    "🪚🧨 \u202egnp.exe שלום\r\nbreak: x", "x" * 5000, "", " ",
)  # fmt: skip
"""The same for what is written: it finds nothing, so that several may come in one."""

_NEVER_FOUND = ("' OR '1'='1", "%", "^ORactive=true^EQ")
"""Of which a search must find no row but those that hold them: they widen one that takes them as code."""


async def check_calls(stand: Stand) -> list[str]:
    """Each tool has a good call, and does it: the result is JSON."""
    found = []
    for tool in stand.named("write", "send") + stand.named("read") + stand.named("destructive"):
        good = await stand.examples(tool)
        if not good:
            found.append(f"{tool.name}: there is no good call to try: add one to `calls`")
        for given in good:
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


async def check_idempotency(stand: Stand) -> list[str]:
    """What is said to be idempotent is: tried again as the executor does it, with the same arguments and key,
    it changes nothing more.
    """
    found, chosen = [], [tool for tool in stand.named() if tool.idempotent and tool.effect != "read"]
    if not chosen:
        raise Skip("no tool is idempotent")
    await stand.wake()
    for tool in filter(stand.has, sorted(chosen, key=lambda tool: tool.effect == "destructive")):
        if tool.effect == "destructive":
            await stand.fill()
        found += await _twice(stand, tool)
    return found


async def _twice(stand: Stand, tool: Tool) -> list[str]:
    found, changed = [], False
    for given in await stand.examples(tool):
        key, blank = stand.key(), stand.state()
        first = await stand.call(tool, given, key=key)
        once = stand.state()
        if first.error is not None:
            return [f"{tool.name}: a good call fails, so it was not tried twice: {first.told()}"]
        second = await stand.call(tool, given, key=key)
        changed |= once != blank
        if second.error is not None:
            found.append(f"{tool.name}: is idempotent, and its second call fails: {second.told()}")
        if stand.state() != once:
            found.append(f"{tool.name}: is idempotent, and its second call changed something")
    if not changed:
        found.append(
            f"{tool.name}: not even its first call changes anything, so two calls prove nothing: give a good "
            "call that changes something, or override `state` so that it sees the change"
        )
    return found


async def check_bad_arguments(stand: Stand) -> list[str]:
    """Arguments that do not fit are refused before anything happens; hostile text is data or refused."""
    found: list[str] = []
    if not any(stand.has(tool) for tool in stand.named()):
        raise Skip("no tool has a good call to spoil")
    await stand.fill()
    for tool in stand.named():
        for given in await stand.example(tool):
            found += [f"{tool.name}: {problem}" for problem in _loose(stand, tool, dict(given))]
            found += [f"{tool.name}: {problem}" async for problem in _hostile(stand, tool, dict(given))]
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
        before = stand.state() if tool.effect == "read" else None
        for text in HOSTILE if tool.effect == "read" else _TO_WRITE:
            if not stand.fits(tool, good | {name: text}):
                continue
            tried = await stand.call(tool, good | {name: text})
            if not tried.understood:
                yield f"{name} = {text[:30]!r} ends in an error that the pack does not know: {tried.told()}"
                break
            if text in _NEVER_FOUND and limit_of(tool) and (rows := _strangers(tried.value, text)):
                yield f"{name} = {text!r} is not taken as data: it finds {rows} rows that do not hold it"
                break
        if before is not None and stand.state() != before:
            yield f"a hostile {name!r} changed something, and it is a read"


def _strangers(value: Any, text: str) -> int:
    """Rows that do not hold the text that was searched for."""
    return sum(text not in str(row) for row in rows_of(value))


def _is_text(parameter: dict[str, Any]) -> bool:
    kinds = [parameter, *parameter.get("anyOf", ())]
    return any(kind.get("type") == "string" and "enum" not in kind for kind in kinds)
