"""The way to the fake for the pack's own client."""

from __future__ import annotations

import httpx

__all__ = ["LoopbackTransport"]


class LoopbackTransport(httpx.AsyncBaseTransport):
    """Sends what is meant for `https://HOST` to the fake, HOST in the header."""

    def __init__(self, base_url: str) -> None:
        self._base = httpx.URL(base_url)
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`; plain HTTP is refused, since Salesforce does not speak it."""
        if request.url.scheme != "https":
            raise httpx.UnsupportedProtocol("Salesforce is met over https")
        request.headers["host"] = request.url.netloc.decode()
        request.url = request.url.copy_with(scheme="http", host=self._base.host, port=self._base.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
