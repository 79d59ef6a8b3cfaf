"""The way over the wire: a pool of connections, an end to each request, whole answers only."""

from __future__ import annotations

import asyncio
import functools
import ssl
import weakref
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from toolcrib.errors import NotSent, PackError, Temporary, ToolError
from toolcrib.kit._answer import Answer
from toolcrib.kit._failures import network_failure

if TYPE_CHECKING:
    import httpx

__all__ = ["Wire", "the_httpx", "tls"]


def the_httpx() -> Any:
    """The module httpx, imported when first wanted; `PackError` says how to get it."""
    try:
        import httpx
    except ImportError:
        raise PackError(
            "the client kit needs httpx",
            rule="httpx comes with the extra `kit`",
            remedy="Install toolcrib[kit]",
        ) from None
    return httpx


@functools.cache
def tls() -> ssl.SSLContext:
    """The process's trusted certificates; read once, as that takes tens of milliseconds."""
    context: ssl.SSLContext = the_httpx().create_ssl_context()
    return context


class Wire:
    """Sends requests and reads whole answers, whatever their status. Its pool belongs to the running loop."""

    def __init__(
        self,
        vendor: str,
        max_bytes: int,
        most_connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._vendor, self._max_bytes, self._most = vendor, max_bytes, most_connections
        self._transport = transport
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> httpx.Request:
        """A request, ready to be sent; `NotSent` for one that HTTP cannot express."""
        # A small compressed answer could become a huge one, so none is asked for.
        lines = {**headers, "accept-encoding": "identity"}
        try:
            if any(char in line for line in lines.values() for char in "\r\n\0"):
                raise ValueError("a header is one line")
            return self._client().build_request(
                method, url, params=params or None, headers=lines, content=content
            )
        except (the_httpx().InvalidURL, UnicodeError, ValueError, TypeError) as error:
            raise NotSent(
                f"the request to {self._vendor} cannot be written ({type(error).__name__})",
                remedy="Correct the call: leave odd characters out",
            ) from None

    async def send(self, request: httpx.Request, seconds: float) -> Answer:
        """The answer, read whole within `seconds`; a `ToolError` says what its lack means."""
        if seconds <= 0:
            raise NotSent(f"the time was up before {self._vendor} was asked", rule="the call's deadline")
        written = False

        async def watch(event: str, info: Mapping[str, Any]) -> None:
            nonlocal written
            if event.endswith("send_request_headers.started"):
                # A proxy's CONNECT is not the request yet.
                written = written or getattr(info.get("request"), "method", b"") != b"CONNECT"

        request.extensions["trace"] = watch
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request)
        except TimeoutError:
            if not written:
                raise NotSent(f"{self._vendor} could not be reached within {seconds:.1f} s") from None
            raise Temporary(
                f"{self._vendor} did not answer within {seconds:.1f} s", remedy="Try again later"
            ) from None
        except the_httpx().TransportError as error:
            raise network_failure(self._vendor, error, sent=written) from error

    async def close(self) -> None:
        """Close this loop's connections; those of a loop that has ended are gone with it."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            httpx = the_httpx()
            self._clients[loop] = httpx.AsyncClient(
                limits=httpx.Limits(max_connections=self._most, max_keepalive_connections=self._most),
                timeout=None,
                follow_redirects=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                transport=self._transport,
                verify=tls(),
            )
        return self._clients[loop]

    async def _exchange(self, request: httpx.Request) -> Answer:
        reply = await self._client().send(request, stream=True)
        try:
            headers = {name.lower(): value for name, value in reply.headers.items()}
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise ToolError(
                    f"{self._vendor} compressed its answer, unasked", rule="accept-encoding: identity"
                )
            return Answer(self._vendor, reply.status_code, headers, await self._read(reply))
        finally:
            await reply.aclose()

    async def _read(self, reply: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) > self._max_bytes:
                raise ToolError(
                    f"{self._vendor}'s answer is too large",
                    rule=f"at most {self._max_bytes} bytes are read of one answer",
                    remedy="Ask for less",
                )
        return bytes(body)
