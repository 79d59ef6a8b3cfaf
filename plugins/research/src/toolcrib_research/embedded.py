"""The embedded source: sample companies, so that everything runs without an account or a network."""

from __future__ import annotations

from collections.abc import Sequence

from toolcrib import CallContext
from toolcrib_research.models import Company
from toolcrib_research.sample import companies

__all__ = ["EmbeddedBackend"]


class EmbeddedBackend:
    """Searches the sample companies by name or domain, without regard to case."""

    async def search(self, query: str, limit: int, ctx: CallContext) -> Sequence[Company]:
        """See `Backend.search`."""
        return find(query)[:limit]

    async def close(self) -> None:
        """Nothing is open."""


def find(query: str) -> list[Company]:
    """All matches: exact name or domain, then names that start so, then those that hold every word."""
    wanted = " ".join(query.lower().split()).removeprefix("www.")
    ranked = [(_rank(company, wanted), company.name, company) for company in companies()]
    return [company for rank, _, company in sorted(ranked, key=lambda entry: entry[:2]) if rank < 3]


def _rank(company: Company, wanted: str) -> int:
    name = company.name.lower()
    if wanted in (name, company.domain):
        return 0
    if name.startswith(wanted):
        return 1
    return 2 if wanted and all(word in name for word in wanted.split()) else 3
