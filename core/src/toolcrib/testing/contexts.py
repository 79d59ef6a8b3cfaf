"""A call's context without a crib around it, for tests of a pack's own parts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from toolcrib.context import CallContext
from toolcrib.errors import SecretNotFound
from toolcrib.principal import Principal

if TYPE_CHECKING:
    from toolcrib.secrets import Secret

__all__ = ["make_context"]


def make_context(
    *,
    tool: str = "local.test",
    secrets: Mapping[str, str] | None = None,
    seconds: float = 30.0,
    key: str = "run:call-1",
    tenant: str = "acme",
    user: str | None = "alice",
    agent: str = "tester",
) -> CallContext:
    """The context of a call by `user` through `agent`, with `secrets` by name and `seconds` left to run."""

    async def fetch(name: str) -> Secret:
        from toolcrib.secrets import Secret

        if name not in (secrets or {}):
            raise SecretNotFound(f"no secret {name!r}", remedy="Hand it to make_context(secrets={...})")
        return Secret((secrets or {})[name], path=f"test/{name}", version=1)

    return CallContext(
        tool=tool,
        principal=Principal(agent=agent, user=user, tenant=tenant),
        call_id="call-1",
        idempotency_key=key,
        deadline=time.monotonic() + seconds,
        fetch_secret=fetch,
    )
