"""Whether a secret ever shows: values are planted, and looked for wherever a tool could have left them."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toolcrib.testing._pack_stand import Given, Skip, Stand, Tried
from toolcrib.tools import Tool

__all__ = ["check_secrets"]


async def check_secrets(stand: Stand) -> list[str]:
    """No secret shows in a result, an error, progress, the log, what is printed, an address or the pack's
    folder, even if the vendor quotes it; and each that is planted is asked for, or nothing could have shown.
    """
    secrets = {name: value for name, value in stand.suite.secrets.items() if value}
    if not secrets:
        raise Skip("it has no secrets")
    with redirect_stdout(stand.said), redirect_stderr(stand.said):
        for tool in stand.named():
            for given in await stand.example(tool):
                await stand.call(tool, given)
                await _quoted(stand, tool, given, secrets)
    unasked = [
        f"{stand.suite.pack}: no tool asked for the secret {name!r}, so it could not show: plant those "
        "that are asked for"
        for name in secrets
        if name not in stand.asked
    ]
    return [*unasked, *_leaks(stand, secrets)]


async def _quoted(stand: Stand, tool: Tool, given: Given, secrets: dict[str, str]) -> None:
    """Have the vendor refuse in words that hold the secret."""
    vendor = stand.suite.vendor
    for value in secrets.values() if vendor else ():
        assert vendor is not None
        vendor.fail(400, {"error": {"message": f"bad credential {value}"}, "message": value})
        await stand.call(tool, given)
        vendor.relent()


def _leaks(stand: Stand, secrets: dict[str, str]) -> Iterator[str]:
    pack, vendor = stand.suite.pack, stand.suite.vendor
    for name, value in secrets.items():
        forms = {form for whole in _parts(value) for form in _written(whole)}

        def shows(text: str, forms: set[str] = forms) -> bool:
            return any(form in text for form in forms)

        for tool in {tried.tool.name for tried in stand.tried if shows(_told(tried))}:
            yield f"{tool}: the secret {name!r} shows in a result or an error"
        if shows(stand.said.getvalue()):
            yield f"{pack}: the secret {name!r} shows in the log, in progress, in a note, or is printed"
        if vendor and any(shows(request.target) for request in vendor.requests):
            yield f"{pack}: the secret {name!r} stands in an address, which servers log: send it in a header"
        for file in (path for path in Path(stand.folder).rglob("*") if path.is_file()):
            if any(form.encode() in file.read_bytes() for form in forms):
                yield f"{pack}: the secret {name!r} is kept in {file.relative_to(stand.folder)}"


def _written(value: str) -> set[str]:
    """A value as it is, as a header and as an address would have it."""
    return {value, base64.b64encode(value.encode()).decode(), quote(value, safe="")}


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
