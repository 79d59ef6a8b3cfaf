"""The tools. An effect says what a tool does to the world; a docstring is what the model reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from toolcrib import CallContext, Preview, Target, Toolkit, tool
from toolcrib.errors import VendorRefused

from toolcrib_notes.backend import Backend
from toolcrib_notes.models import Item
from toolcrib_notes.settings import Settings

__all__ = ["Items"]


class Items(Toolkit):
    """Items, over whichever backend the settings name."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self._settings, self._backend = settings, backend

    @tool(effect="read", labels={"untrusted"})
    async def find_items(
        self, text: str, ctx: CallContext, limit: Annotated[int, Field(ge=1, le=100)] = 20
    ) -> list[Item]:
        """Items whose name or text contains a text, by name.

        Args:
            text: What to look for; upper and lower case differ.
            limit: At most so many items.
        """
        return list(await self._backend.find(text, limit, ctx))

    @tool(effect="read", labels={"untrusted"})
    async def get_item(self, name: str, ctx: CallContext) -> Item | None:
        """The item with this name, or nothing.

        Args:
            name: The item's whole name.
        """
        return await self._backend.get(name, ctx)

    @tool(effect="write", idempotent=True, preview=Preview("get_item", name="name"))
    async def put_item(
        self, name: Annotated[str, Field(min_length=1, max_length=100)], text: str, ctx: CallContext
    ) -> Item:
        """Write an item; one with the same name is replaced.

        Args:
            name: The item's name.
            text: The whole text.
        """
        if len(text) > self._settings.max_length:
            raise VendorRefused(
                f"{len(text)} characters are too many for an item",
                rule=f"[packs.notes] max_length = {self._settings.max_length}",
                remedy="Write a shorter text",
            )
        item = Item(name, text)
        await self._backend.put(item, ctx)
        return item

    @tool(effect="destructive", idempotent=True, preview=Preview("get_item", name="name"))
    async def delete_item(self, name: Annotated[str, Target], ctx: CallContext) -> str:
        """Delete an item for good; one that is not there is no error.

        Args:
            name: The item's whole name.
        """
        await self._backend.delete(name, ctx)
        return f"{name} is gone."

    async def close(self) -> None:
        """Release the backend's connections."""
        await self._backend.close()

    @tool(effect="write", preview=Preview("get_item", name="name"))
    async def append_item(self, name: str, line: str, ctx: CallContext) -> Item:
        """Add a line to an item; one that is not there begins with it.

        Args:
            name: The item's whole name.
            line: What is added at the end.
        """
        before = await self._backend.get(name, ctx)
        return await self.put_item(name, f"{before.text}\n{line}" if before else line, ctx)
