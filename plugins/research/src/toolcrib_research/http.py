"""The HTTP source: `GET {base_url}/companies?q=...&limit=...` with a bearer token, through the client kit.

The answer is `{"companies": [...]}` in the shape of `Company`. It is a stranger's: its size, encoding and
shape are checked before anything is believed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from toolcrib import CallContext
from toolcrib.kit import Client, SecretHeader
from toolcrib_research.models import Company
from toolcrib_research.settings import ResearchSettings

__all__ = ["HTTPBackend"]

SECRET = "research"  # noqa: S105  # its name, not its value


class Companies(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(strict=True)

    companies: list[Company]


class HTTPBackend:
    """A research provider over HTTP; the token is the pack's secret `research`, fetched for each call.

    Failures are those of `toolcrib.kit.Client`.
    """

    def __init__(self, settings: ResearchSettings) -> None:
        self._client = Client(
            settings.base_url,
            vendor="the research provider",
            credentials=SecretHeader(SECRET),
            timeout=settings.timeout,
            max_bytes=settings.max_bytes,
        )

    async def search(self, query: str, limit: int, ctx: CallContext) -> Sequence[Company]:
        """See `Backend.search`."""
        answer = await self._client.get("/companies", ctx, query={"q": query, "limit": limit})
        return answer.parse(Companies).companies[:limit]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
