"""What a source of company data must do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from toolcrib import CallContext
from toolcrib_research.models import Company

__all__ = ["Backend"]


class Backend(Protocol):
    """A source of company data."""

    async def search(self, query: str, limit: int, ctx: CallContext) -> Sequence[Company]:
        """At most `limit` companies by name or domain, best match first; none found is an empty answer."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
