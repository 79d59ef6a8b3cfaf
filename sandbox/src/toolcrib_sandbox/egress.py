"""The seam to whatever lets a granted run out: a proxy of the host's, reached by a unix socket."""

from __future__ import annotations

from typing import Protocol

from toolcrib.sandbox import Connection

__all__ = ["Gateway", "Passage"]


class Passage(Protocol):
    """One run's way out, or one session's."""

    @property
    def socket(self) -> str:
        """The unix socket on this host, connectable for uid 10001, which speaks HTTP proxy."""
        ...

    def connections(self) -> tuple[Connection, ...]:
        """What was reached, or tried, since this was asked last."""
        ...

    async def close(self) -> None:
        """End every connection and remove the socket."""
        ...


class Gateway(Protocol):
    """Opens ways out."""

    async def open(self, allowed: tuple[str, ...], tenant: str) -> Passage:
        """A way to these `host:port` only; raises `InvalidArguments` for what is none."""
        ...
