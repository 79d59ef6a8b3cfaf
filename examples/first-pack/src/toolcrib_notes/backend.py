"""What a backend must do, so that tools, policies and tests stay the same when the vendor changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from toolcrib import CallContext

from toolcrib_notes.models import Item

__all__ = ["Backend"]


class Backend(Protocol):
    """Keeps items, apart by tenant. A vendor's backend gets secrets and deadline from `ctx`."""

    async def find(self, text: str, limit: int, ctx: CallContext) -> Sequence[Item]:
        """At most `limit` items whose name or text contains `text`, by name."""
        ...

    async def get(self, name: str, ctx: CallContext) -> Item | None:
        """The item with this name, or None."""
        ...

    async def put(self, item: Item, ctx: CallContext) -> None:
        """Write the item, in place of one with the same name."""
        ...

    async def delete(self, name: str, ctx: CallContext) -> None:
        """Delete the item; none of this name is no error."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
