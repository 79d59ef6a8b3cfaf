"""The HTTP source: `GET {base_url}/companies?q=...&limit=...` with a bearer token.

The answer is `{"companies": [...]}` in the shape of `Company`. It is a stranger's: its size, encoding and
shape are checked before anything is believed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from toolcrib import CallContext
from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib_research.models import Company
from toolcrib_research.settings import ResearchSettings

__all__ = ["HTTPBackend"]

SECRET = "research"  # noqa: S105  # its name, not its value


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    companies: list[Company]


class HTTPBackend:
    """A research provider over HTTP; the token is the pack's secret `research`, fetched for each call.

    Raises `VendorRefused` (4xx, redirects), `Temporary` (429, 5xx, a lost or slow connection), `NotSent` (no
    connection) and `ToolError` for an answer that is too large or of another shape.
    """

    def __init__(self, settings: ResearchSettings) -> None:
        self._settings = settings
        self._url = settings.base_url.rstrip("/") + "/companies"
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def search(self, query: str, limit: int, ctx: CallContext) -> Sequence[Company]:
        """See `Backend.search`."""
        token = (await ctx.secret(SECRET)).reveal()
        seconds = max(0.0, min(self._settings.timeout, ctx.deadline - time.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                body = await self._get({"q": query, "limit": str(limit)}, token)
        except (TimeoutError, httpx.TimeoutException):
            raise Temporary(
                f"the research provider did not answer within {seconds:.1f} s", remedy="Try again later"
            ) from None
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            raise NotSent(
                "the research provider cannot be reached", remedy="See base_url and the network"
            ) from error
        except httpx.HTTPError as error:
            raise Temporary(
                f"the connection to the research provider broke ({type(error).__name__})"
            ) from error
        return _companies(body)[:limit]

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        """The client of the running loop: connections of another loop cannot be used in this one."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = httpx.AsyncClient(timeout=self._settings.timeout), loop
        return self._client

    async def _get(self, query: dict[str, str], token: str) -> bytes:
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json",
            "accept-encoding": "identity",  # a small compressed answer could become a huge one
        }
        async with self._open().stream("GET", self._url, params=query, headers=headers) as reply:
            if reply.status_code != httpx.codes.OK:
                _refuse(reply)
            return await self._read(reply)

    async def _read(self, reply: httpx.Response) -> bytes:
        body = bytearray()
        if reply.headers.get("content-encoding", "identity") != "identity":
            raise ToolError("the research provider compressed its answer", rule="accept-encoding: identity")
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) > self._settings.max_bytes:
                raise ToolError(
                    "the research provider's answer is too large",
                    rule=f"[packs.research] max_bytes = {self._settings.max_bytes}",
                    remedy="Ask for fewer companies",
                )
        return bytes(body)


def _refuse(reply: httpx.Response) -> NoReturn:
    """Raise what a status other than 200 means. The body is not repeated: it may hold what was sent."""
    status = reply.status_code
    said = f"the research provider answered {status}"
    if status in (401, 403):
        raise VendorRefused(said, remedy=f"See the secret {SECRET!r} of [packs.research.secrets]")
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        raise Temporary(said, remedy="Try again later", retry_after=_retry_after(reply))
    remedy = "Set base_url to where it redirects" if 300 <= status < 400 else "Ask in another way"
    raise VendorRefused(said, remedy=remedy)


def _retry_after(reply: httpx.Response) -> float | None:
    """Seconds of a Retry-After header, a number or a date (RFC 9110, 10.2.3); None if there is none."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _companies(body: bytes) -> list[Company]:
    try:
        return _Answer.model_validate_json(body).companies
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise ToolError(
            f"the research provider's answer has another shape: {place}: {problem['msg']}",
            rule='the answer is {"companies": [...]}',
            remedy="Tell the operator: the provider has changed, or base_url is wrong",
        ) from None
