"""How a pack meets a vendor that fails, and whether a secret ever shows."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from toolcrib.errors import ToolError
from toolcrib.testing._pack_stand import Skip, Stand, Tried
from toolcrib.testing.http import FakeService, Reply, Request
from toolcrib.tools import Tool

__all__ = ["check_errors", "check_secrets"]

PAGE = Reply(200, b"<html><head><title>Sign in</title></head></html>", {"content-type": "text/html"})
SHORT = Reply(200, b'{"result": [{"id": ', {"content-type": "application/json"})
WAIT = 7.0
AFTER_THE_WRITE = "a cut after the vendor wrote"
_SAFE = ("GET", "HEAD")

FAULTS: dict[str, Callable[[FakeService], None]] = {
    "429 with Retry-After": lambda vendor: vendor.fail(429, headers={"retry-after": f"{WAIT:g}"}),
    "503": lambda vendor: vendor.fail(503),
    "500": lambda vendor: vendor.fail(500),
    "400": lambda vendor: vendor.fail(400),
    "a page instead of JSON": lambda vendor: vendor.answer(PAGE),
    "JSON that is cut short": lambda vendor: vendor.answer(SHORT),
    "204": lambda vendor: vendor.answer(Reply(204)),
    "a cut before the answer": lambda vendor: vendor.cut(),
    "a cut in the answer": lambda vendor: vendor.cut(after=3),
    AFTER_THE_WRITE: lambda vendor: vendor.vanish(),
}


async def check_errors(stand: Stand) -> list[str]:
    """Whatever the vendor answers, the pack raises what the executor understands, and never says that nothing
    happened when it cannot know.
    """
    vendor = stand.suite.vendor
    if vendor is None:
        raise Skip("it has no vendor that could fail")
    found: list[str] = []
    for tool in stand.named():
        for given in stand.examples(tool)[:1]:
            await stand.call(tool, given)  # a login comes first, and is not what is tried
            for name, fault in FAULTS.items():
                sent = len(vendor.requests)
                fault(vendor)
                tried = await stand.call(tool, given)
                if vendor.relent():
                    continue  # nothing befell this call
                problem = _misjudged(tool, tried, name, [r.method for r in vendor.requests[sent : sent + 1]])
                problem = problem or _repeated(vendor.requests[sent:], name)
                found += [f"{tool.name}: {name}: {problem}"] if problem else []
    return found


def _misjudged(tool: Tool, tried: Tried, fault: str, methods: list[str]) -> str:
    error = tried.error
    if error is None or not methods:
        return ""
    if not isinstance(error, ToolError):
        return f"ends in an error that the executor does not understand: {tried.told()}"
    if "429" in fault and error.temporary and error.retry_after != WAIT:
        return f"the vendor's Retry-After of {WAIT:g} s is lost"
    written = tool.effect != "read" and methods[0] not in _SAFE
    if written and error.happened is False and ("cut" in fault or fault in ("500", "a page instead of JSON")):
        return f"it says that nothing happened, and cannot know: {tried.told()}"
    return ""


def _repeated(requests: list[Request], fault: str) -> str:
    writes = [(each.method, each.target, each.body) for each in requests if each.method not in _SAFE]
    if fault == AFTER_THE_WRITE and len(writes) != len(set(writes)):
        return "the same write is sent twice in one call"
    return ""


async def check_secrets(stand: Stand) -> list[str]:
    """No secret shows in a result, an error, progress, the log or the pack's folder, even if the vendor
    quotes it.
    """
    secrets = {name: value for name, value in stand.suite.secrets.items() if value}
    if not secrets:
        raise Skip("it has no secrets")
    vendor = stand.suite.vendor
    for tool in stand.named():
        for given in stand.examples(tool)[:1]:
            await stand.call(tool, given)
            for value in secrets.values():
                if vendor is None:
                    break
                vendor.fail(400, {"error": {"message": f"bad credential {value}"}, "message": value})
                await stand.call(tool, given)
                vendor.relent()
    return list(_leaks(stand, secrets))


def _leaks(stand: Stand, secrets: dict[str, str]) -> Iterator[str]:
    for name, value in secrets.items():
        forms = {
            form for whole in _parts(value) for form in (whole, base64.b64encode(whole.encode()).decode())
        }

        def shows(text: str, forms: set[str] = forms) -> bool:
            return any(form in text for form in forms)

        for tool in {tried.tool.name for tried in stand.tried if shows(_told(tried))}:
            yield f"{tool}: the secret {name!r} shows in a result or an error"
        if shows(stand.said.getvalue()):
            yield f"the secret {name!r} shows in the log or in progress"
        for file in (path for path in Path(stand.folder).rglob("*") if path.is_file()):
            if any(form.encode() in file.read_bytes() for form in forms):
                yield f"the secret {name!r} is kept in {file.relative_to(stand.folder)}"


def _parts(value: str) -> list[str]:
    """The secret, and the values in it where it is a JSON object; names of accounts are not secret."""
    import orjson

    try:
        loaded: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        loaded = None
    if not isinstance(loaded, dict):
        return [value]
    public = ("user", "username", "name", "domain", "instance", "url")
    return [value, *(str(part) for key, part in loaded.items() if key not in public and len(str(part)) > 5)]


def _told(tried: Tried) -> str:
    """All that a caller or a log would see, also of what an error came from."""
    if tried.error is None:
        return str(tried.value)
    chain, link = "".join(traceback.format_exception(tried.error)), tried.error
    return f"{chain} {link!r} {link.__cause__!r}"
