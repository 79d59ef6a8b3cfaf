"""What a running tool may ask of the crib."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from toolcrib.principal import Principal

if TYPE_CHECKING:
    from toolcrib.secrets import Secret

__all__ = ["CallContext"]

FetchSecret = Callable[[str], Awaitable["Secret"]]
OnProgress = Callable[[str, float | None], None]


def _no_progress(message: str, fraction: float | None) -> None:
    """Nobody listens."""


class CallContext:
    """Injected into a tool that has a parameter of this type; never part of the tool's schema.

    `deadline` is in `time.monotonic()` seconds; `idempotency_key` is stable over retries of this call, so
    it may be handed to a vendor that knows such keys.
    """

    __slots__ = (
        "_fetch_secret",
        "_on_progress",
        "call_id",
        "deadline",
        "idempotency_key",
        "principal",
        "tool",
    )

    def __init__(
        self,
        *,
        tool: str,
        principal: Principal,
        call_id: str,
        idempotency_key: str,
        deadline: float,
        fetch_secret: FetchSecret,
        on_progress: OnProgress = _no_progress,
    ) -> None:
        self.tool = tool
        self.principal = principal
        self.call_id = call_id
        self.idempotency_key = idempotency_key
        self.deadline = deadline
        self._fetch_secret = fetch_secret
        self._on_progress = on_progress

    async def secret(self, name: str) -> Secret:
        """The secret that the calling pack's config maps `name` to, fetched now for this principal; else
        `SecretError`.
        """
        return await self._fetch_secret(name)

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell whoever waits how far the work is; `fraction` runs from 0 to 1."""
        self._on_progress(message, fraction)
