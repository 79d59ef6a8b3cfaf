"""Fetching a URL that came from outside, without being led inside.

A name is resolved by the connection itself, each address is judged, and the socket goes to the address that
was judged: there is no second look-up in between at which a name could mean something else.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin

import httpcore
import httpx

from toolcrib.context import CallContext
from toolcrib.errors import ToolError, VendorRefused
from toolcrib.kit._addresses import Destination, URLGuard
from toolcrib.kit._answer import Answer
from toolcrib.kit._failures import refusal
from toolcrib.kit._wire import Wire, tls
from toolcrib.kit._words import words_of

__all__ = ["Destination", "Fetched", "Fetcher", "URLGuard"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as it came; `url` is where it was found, after redirects. Label it `untrusted`."""

    url: str
    content_type: str
    body: bytes = field(repr=False)


class Fetcher:
    """GETs URLs that a model, a document or a stranger gave, as far as `guard` permits.

    Sends no credentials and no cookies, uses no proxy, and follows at most `most_redirects`, each of which is
    judged anew. `timeout` (seconds) holds for all of it, `max_bytes` for the body.
    """

    def __init__(
        self,
        guard: URLGuard | None = None,
        *,
        timeout: float = 20.0,
        max_bytes: int = 2 * 1024 * 1024,
        most_redirects: int = 5,
        user_agent: str = "toolcrib",
    ) -> None:
        self._guard = guard or URLGuard()
        self._timeout, self._most_redirects, self._agent = timeout, most_redirects, user_agent
        self._wire = Wire("the page's server", max_bytes, 20, _GuardedTransport(self._guard))

    async def get(self, url: str, ctx: CallContext, *, accept: str = "*/*") -> Fetched:
        """The page; `VendorRefused` for a URL or a redirect that is not permitted, and for a 4xx answer."""
        until = min(ctx.deadline - _MARGIN, time.monotonic() + self._timeout)
        for _ in range(self._most_redirects + 1):
            found = self._guard.check(url)
            headers = {"accept": accept, "user-agent": self._agent}
            answer = await self._wire.send(
                self._wire.request("GET", found.url, {}, headers, None), until - time.monotonic()
            )
            if answer.status not in _REDIRECTS:
                return _page(url, answer)
            url = _next(url, answer)
        raise VendorRefused(
            "the URL was not opened: it redirects too often", rule=f"at most {self._most_redirects} redirects"
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


def _page(url: str, answer: Answer) -> Fetched:
    if not 200 <= answer.status < 300:
        raise refusal(answer.vendor, answer.status, words_of(answer.text), headers=answer.headers)
    return Fetched(url, answer.headers.get("content-type", ""), answer.body)


def _next(url: str, answer: Answer) -> str:
    where = urljoin(url, answer.headers.get("location", ""))
    if where == url:
        raise ToolError("the page redirects to itself", rule="a redirect names another URL")
    if url.startswith("https:") and not where.startswith("https:"):
        raise VendorRefused("the URL was not opened: it redirects from https to something else")
    return where


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that the guard permits, and to the very ones that it has judged."""

    def __init__(self, guard: URLGuard) -> None:
        self._guard, self._inner = guard, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await _resolve(host, port)
        for address in found:
            self._guard.check_address(ip_address(address))  # all: one bad answer among good ones is an attack
        last: Exception = httpcore.ConnectError("the name has no address")
        for address in found:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("a URL never leads to a socket file")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"the name cannot be resolved ({type(error).__name__})") from None
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a pool that connects through the guard."""

    def __init__(self, guard: URLGuard) -> None:
        super().__init__(verify=tls(), trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls(),
            network_backend=_GuardedBackend(guard),
            max_connections=20,
        )
