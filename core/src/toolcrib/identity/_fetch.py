"""Fetches a JSON document of an identity provider: TLS, no redirects, bounded in time and size."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import orjson

from toolcrib.errors import ConfigError, Unavailable
from toolcrib.secrets._endpoints import is_loopback, is_protected

__all__ = ["check_url", "fetch_json"]

SECONDS = 5.0
"""From the first byte sent to the last received."""

LARGEST = 512 * 1024
"""Bytes of a document."""


def check_url(url: str, what: str) -> str:
    """`url` if it is https, or http on this machine; else `ConfigError`."""
    if is_protected(url):
        return url
    raise ConfigError(
        f"{what} {url[:200]!r} is not acceptable",
        rule="an issuer is reached by https, without credentials in its URL; http is for this machine only",
        remedy="Write for example https://login.acme.example/realm",
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        """None: a redirect is an error here. Keys come from where the config says."""


def fetch_json(url: str) -> dict[str, Any]:
    """The JSON object at `url`; `Unavailable` for everything else."""
    handlers: list[Any] = [_NoRedirect()]
    if is_loopback(str(urlsplit(url).hostname)):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers={"accept": "application/json"})  # noqa: S310  checked before
    try:
        with opener.open(request, timeout=SECONDS) as reply:
            data = _read(reply, time.monotonic() + SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        why = "a redirect, which is not followed" if 300 <= error.code < 400 else f"status {error.code}"
        raise _failed(url, f"answered with {why}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise _failed(url, f"could not be reached ({type(reason).__name__})") from None
    try:
        document = orjson.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _failed(url, "did not answer with a JSON object")
    return document


def _read(reply: Any, deadline: float) -> bytes:
    data = b""
    while chunk := reply.read1(65_536):
        data += chunk
        if len(data) > LARGEST:
            raise ValueError("too large")
        if time.monotonic() > deadline:
            raise TimeoutError
    return data


def _failed(url: str, what: str) -> Unavailable:
    return Unavailable(
        f"{url} {what}",
        rule="who calls is checked with the issuer's keys",
        remedy="Ask again later; the operator checks [identity] issuer, and whether it can be reached",
        retry_after=10,
    )
