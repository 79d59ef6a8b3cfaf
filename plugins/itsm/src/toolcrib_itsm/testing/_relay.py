"""The relay before a Roundup, which knows what of its requests is a write."""

from __future__ import annotations

from toolcrib.testing.http import Reply, Request
from toolcrib.testing.relay import Relay

__all__ = ["RoundupRelay"]


class RoundupRelay(Relay):
    """A message is made first, then put on its issue. Until then nobody is shown it: that is no write yet."""

    def wrote(self, request: Request, reply: Reply) -> bool:
        """See `FakeService.wrote`."""
        return super().wrote(request, reply) and not request.path.endswith("/rest/data/msg")
