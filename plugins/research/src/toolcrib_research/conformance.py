"""The pack's own suites, one for each source: `toolcrib.testing.conformance` with a good call of its tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from toolcrib.testing.conformance import PackConformance
from toolcrib_research.testing import TOKEN, FakeProvider

__all__ = ["HTTP", "Conformance"]


class Conformance(PackConformance):
    """Over the embedded companies."""

    pack = "research"
    labels: Mapping[str, Sequence[str]] = {"search_company": ["untrusted"]}
    row_cap = 20

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """A search that finds several companies, so that the limit shows."""
        return {"search_company": {"query": "rathlin", "limit": 3}}


class HTTP(Conformance):
    """Over a strict provider on loopback, which can fail, with a token that must not leak."""

    secrets: Mapping[str, str] = {"research": TOKEN}
    settings: Mapping[str, Any] = {"backend": "http"}

    @contextmanager
    def world(self) -> Iterator[FakeProvider]:
        """The provider."""
        with FakeProvider() as provider:
            self.settings = {**self.settings, "base_url": f"{provider.url}/v1"}
            yield provider
