"""The pack's own suite: `toolcrib.testing.conformance` with a good call of its tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolcrib.testing.conformance import PackConformance

__all__ = ["Conformance"]


class Conformance(PackConformance):
    """Over the embedded companies, unless `settings` name a provider."""

    pack = "research"
    labels: Mapping[str, Sequence[str]] = {"search_company": ["untrusted"]}
    row_cap = 20

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """A search that finds several companies, so that the limit shows."""
        return {"search_company": {"query": "rathlin", "limit": 3}}
