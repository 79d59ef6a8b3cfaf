"""The embedded backend: SQLite in the pack's own folder, so that everything runs without an account."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from toolcrib import CallContext

from toolcrib_notes.models import Item

__all__ = ["EmbeddedBackend"]


class EmbeddedBackend:
    """One file for each tenant. Its statements take microseconds, so they run where they are called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def find(self, text: str, limit: int, ctx: CallContext) -> Sequence[Item]:
        """See `Backend.find`."""
        with self._database(ctx) as database:
            rows = database.execute(
                "SELECT name, text FROM items WHERE instr(name, ?) OR instr(text, ?) ORDER BY name LIMIT ?",
                (text, text, limit),
            )
            return [Item(*row) for row in rows]

    async def get(self, name: str, ctx: CallContext) -> Item | None:
        """See `Backend.get`."""
        with self._database(ctx) as database:
            row = database.execute("SELECT name, text FROM items WHERE name = ?", (name,)).fetchone()
        return Item(*row) if row else None

    async def put(self, item: Item, ctx: CallContext) -> None:
        """See `Backend.put`."""
        with self._database(ctx) as database:
            database.execute("INSERT OR REPLACE INTO items VALUES (?, ?)", (item.name, item.text))

    async def delete(self, name: str, ctx: CallContext) -> None:
        """See `Backend.delete`."""
        with self._database(ctx) as database:
            database.execute("DELETE FROM items WHERE name = ?", (name,))

    async def close(self) -> None:
        """Nothing stays open."""

    @contextmanager
    def _database(self, ctx: CallContext) -> Iterator[sqlite3.Connection]:
        """The tenant's file, in a transaction."""
        with closing(sqlite3.connect(self._folder / f"{ctx.principal.tenant}.db")) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS items (name TEXT PRIMARY KEY, text TEXT NOT NULL)")
            yield database
