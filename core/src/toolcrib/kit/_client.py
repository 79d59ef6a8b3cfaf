"""One client for one vendor: pooled, bounded in time and size, and honest about what a failure means."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit

import orjson

from toolcrib.context import CallContext
from toolcrib.errors import ConfigError, NotSent, ToolError
from toolcrib.kit._answer import Answer
from toolcrib.kit._credentials import Credentials, Headers
from toolcrib.kit._failures import refusal
from toolcrib.kit._once import vendor_key
from toolcrib.kit._wire import Wire
from toolcrib.kit._words import plain_words, words_of

if TYPE_CHECKING:
    import httpx

__all__ = ["Client", "Query", "path"]

Query: TypeAlias = Mapping[str, str | int | float | bool | None]

_SAFE = ("GET", "HEAD", "OPTIONS")
_MARGIN = 0.1
"""Seconds before the tool's own deadline at which a request gives up, so that its words are what is told."""


def path(*segments: str | int) -> str:
    """A path of quoted segments, `path("tables", name, 7)` is `/tables/NAME/7`: what a model gave can never
    be more than one segment. Raises `NotSent` for an empty one, `.` and `..`.
    """
    for segment in segments:
        if str(segment) in ("", ".", ".."):
            raise NotSent(
                f"{str(segment)!r} cannot be part of an address", rule="a segment of a path is a name"
            )
    return "".join("/" + quote(str(segment), safe="", errors="replace") for segment in segments)


class Client:
    """A vendor's HTTP API at `base_url`. Make one per toolkit, and close it in the toolkit's `close`.

    `timeout` (seconds) holds for one whole request, within the call's deadline; `max_bytes` for one answer.
    `words` gets a refusal's body (decoded JSON, else text) and picks the vendor's own words. `turned_away`
    gets the same, and says whether it tells of a limit or a lock: that, whatever the status, nothing was done
    and it may be tried later. Such a refusal is `NotSent`.
    `idempotency_header` names the header in which the vendor takes a key for a write. Redirects are not
    followed and cookies not kept, as both could hand one principal's credentials to another. Nothing is
    retried here: the executor does that.
    """

    def __init__(
        self,
        base_url: str,
        *,
        vendor: str,
        credentials: Credentials | None = None,
        timeout: float = 30.0,
        max_bytes: int = 8 * 1024 * 1024,
        most_connections: int = 20,
        headers: Headers | None = None,
        words: Callable[[Any], str] = words_of,
        turned_away: Callable[[Any], bool] = lambda content: False,
        idempotency_header: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._origin = _origin(base_url)
        self._base, self._vendor, self._credentials = base_url.rstrip("/"), vendor, credentials
        self._timeout, self._words, self._key_header = timeout, words, idempotency_header
        self._turned_away = turned_away
        self._common = {"accept": "application/json", **(headers or {})}
        self._wire = Wire(vendor, max_bytes, most_connections, transport)

    async def get(self, path: str, ctx: CallContext, *, query: Query | None = None, **rest: Any) -> Answer:
        """`request("GET", ...)`."""
        return await self.request("GET", path, ctx, query=query, **rest)

    async def request(
        self,
        method: str,
        path: str,
        ctx: CallContext,
        *,
        query: Query | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: Headers | None = None,
        accept: Collection[int] = (),
        part: str = "",
        hide: Iterable[str] = (),
    ) -> Answer:
        """Send one request, and give a 2xx answer, or one whose status is in `accept`; raises a `ToolError`
        else.

        `path` begins with `/`, or is a whole URL of the same origin (the next page). `json` is sent as JSON,
        `body` as it is. `part` tells several writes of one call apart for the vendor's idempotency key.
        `hide` are values in the body that no message may repeat; those of the credentials never are.
        """
        url = self._url(path)
        content, sent = self._content(json, body, headers)
        if self._key_header and method not in _SAFE:
            sent[self._key_header] = vendor_key(ctx, part)
        params = {k: _text(v) for k, v in (query or {}).items() if v is not None}
        who = await self._credentials.headers(ctx) if self._credentials else {}
        seconds = self._seconds(ctx)

        async def send() -> Answer:
            request = self._wire.request(method, url, params, {**sent, **who}, content)
            return await self._wire.send(request, seconds())

        answer = await send()
        if answer.status == 401 and self._credentials and await self._credentials.renew(ctx, who):
            who = await self._credentials.headers(ctx)
            answer = await send()  # a 401 is said before anything is done, so a write may go again too
        if answer.status in accept or 200 <= answer.status < 300:
            return answer
        raise await self._refusal(answer, who, hide, ctx)

    def at(self, base_url: str) -> Client:
        """The same client at another address of the same vendor, over the same connections: for a login that
        says where to go on. Judge the address first; the credentials go there.
        """
        other = copy(self)
        other._origin, other._base = _origin(base_url), base_url.rstrip("/")
        return other

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    def _url(self, path: str) -> str:
        if path.startswith("/") and not path.startswith("//"):
            return self._base + path
        with suppress(ConfigError):
            if _origin(path) == self._origin:
                return path
        raise ToolError(
            f"{self._vendor} leads to another server",
            rule="credentials go to the server of the settings only",
            remedy="Tell the operator: the vendor's addresses do not match the settings",
        )

    def _content(
        self, json: Any, body: bytes | None, headers: Headers | None
    ) -> tuple[bytes | None, dict[str, str]]:
        sent = {**self._common, **(headers or {})}
        if json is None:
            return body, sent
        sent.setdefault("content-type", "application/json")
        try:
            return orjson.dumps(json), sent
        except TypeError as error:
            raise NotSent(f"the request cannot be written as JSON ({error})") from None

    def _seconds(self, ctx: CallContext) -> Callable[[], float]:
        until = min(ctx.deadline - _MARGIN, time.monotonic() + self._timeout)
        return lambda: until - time.monotonic()

    async def _refusal(
        self, answer: Answer, who: Headers, hide: Iterable[str], ctx: CallContext
    ) -> ToolError:
        try:
            content: Any = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            content = answer.text
        hidden = [*hide, *(line.rpartition(" ")[2] for line in who.values())]
        hidden += await self._credentials.hidden(ctx) if self._credentials else ()
        try:
            words, turned_away = self._words(content), self._turned_away(content)
        except Exception:  # a body of another shape than the pack foresaw
            words, turned_away = words_of(content), False
        words = plain_words(words, hide=hidden)
        remedy = ""
        if answer.status in (401, 403) and self._credentials:
            remedy = f"See the secret {self._credentials.secret!r}, and what its account may do"
        return refusal(
            self._vendor,
            answer.status,
            words,
            headers=answer.headers,
            remedy=remedy,
            turned_away=turned_away,
        )


def _text(value: str | float | bool | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; ConfigError for a base URL that cannot be one."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ConfigError(
            "a base URL is not usable",
            rule="an http or https URL with a host, and without user name",
            remedy='Write for example "https://vendor.example/api"',
        )
    return parts.scheme, parts.hostname, port
