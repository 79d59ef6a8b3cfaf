"""What a provider can tell of itself, for `toolcrib secrets check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["ProviderStatus", "TellsStatus"]


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """Where the secrets are, how this process is let in, and for how many seconds from now (None: no end is
    known, or there is none).
    """

    provider: str
    address: str
    auth: str
    seconds: float | None = None


@runtime_checkable
class TellsStatus(Protocol):
    """A provider that can say of itself where it reads, and as whom. All of core's can."""

    async def status(self) -> ProviderStatus:
        """Its status now; `SecretError` where it cannot be let in."""
        ...
