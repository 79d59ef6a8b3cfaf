"""What is this pack's own: everything else is in the conformance suite."""

import asyncio
from pathlib import Path

import pytest
from toolcrib.errors import VendorRefused
from toolcrib.testing.contexts import make_context

from toolcrib_notes import Item, Items, Settings
from toolcrib_notes.embedded import EmbeddedBackend


def make_toolkit(folder: Path, max_length: int = 2000) -> Items:
    return Items(Settings(max_length=max_length), EmbeddedBackend(folder))


def test_an_item_is_written_found_and_deleted(tmp_path: Path) -> None:
    async def story() -> None:
        toolkit, ctx = make_toolkit(tmp_path), make_context()
        await toolkit.put_item("plan", "buy milk", ctx)
        assert await toolkit.find_items("milk", ctx) == [Item("plan", "buy milk")]
        await toolkit.delete_item("plan", ctx)
        assert await toolkit.get_item("plan", ctx) is None

    asyncio.run(story())


def test_tenants_do_not_see_each_other(tmp_path: Path) -> None:
    async def story() -> None:
        toolkit = make_toolkit(tmp_path)
        await toolkit.put_item("plan", "buy milk", make_context(tenant="acme"))
        assert await toolkit.get_item("plan", make_context(tenant="globex")) is None

    asyncio.run(story())


def test_a_text_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VendorRefused, match="max_length = 3"):
        asyncio.run(make_toolkit(tmp_path, max_length=3).put_item("plan", "buy milk", make_context()))
