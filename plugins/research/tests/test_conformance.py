"""Holds the pack to what every pack is held to, over both sources."""

from contextlib import nullcontext

import pytest

from toolcrib_research.conformance import Conformance


class TestEmbedded(Conformance):
    """Every check of the kit."""


class TestHTTP(Conformance):
    """Every check of the kit, with a provider that can fail and a token that must not leak."""

    @pytest.fixture(autouse=True)
    def _at(self, provider):
        self.provider = provider
        self.secrets = {"research": "token-of-the-provider"}
        self.settings = {"backend": "http", "base_url": f"{provider.url}/v1"}

    def world(self):
        return nullcontext(self.provider)
