"""The embedded desk: one SQLite file per tenant in the pack's folder, filled with sample data at first use.

One connection per file, guarded by a lock, serves all threads; other processes may use the same files (WAL,
`BEGIN IMMEDIATE`). Whoever calls is the person of the desk whose user name is the principal's user.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from toolcrib import CallContext
from toolcrib.kit import vendor_key
from toolcrib_itsm._store import Store
from toolcrib_itsm.backend import Changes
from toolcrib_itsm.models import (
    Approval,
    Article,
    ConfigurationItem,
    Decision,
    JournalEntry,
    NewTicket,
    Order,
    Page,
    Person,
    ResolutionCode,
    Ticket,
    TicketRef,
    TicketSearch,
    Window,
)

__all__ = ["EmbeddedBackend"]

T = TypeVar("T")


class EmbeddedBackend:
    """See `Backend`; `folder` is the pack's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._stores: dict[str, Store] = {}

    async def search(self, query: TicketSearch, window: Window, ctx: CallContext) -> Page[Ticket]:
        """See `Backend.search`."""
        return await self._run(ctx, lambda store: store.search(query, window))

    async def ticket(self, ticket_id: str, ctx: CallContext) -> Ticket:
        """See `Backend.ticket`."""
        return await self._run(ctx, lambda store: store.ticket(ticket_id))

    async def journal(self, ticket_id: str, window: Window, ctx: CallContext) -> Page[JournalEntry]:
        """See `Backend.journal`."""
        return await self._run(ctx, lambda store: store.journal(ticket_id, window))

    async def knowledge(self, words: tuple[str, ...], window: Window, ctx: CallContext) -> Page[Article]:
        """See `Backend.knowledge`; every article is published."""
        return await self._run(ctx, lambda store: store.knowledge(words, window))

    async def ci(self, name_or_id: str, ctx: CallContext) -> ConfigurationItem:
        """See `Backend.ci`."""
        return await self._run(ctx, lambda store: store.ci(name_or_id))

    async def people(self, text: str, window: Window, ctx: CallContext) -> Page[Person]:
        """See `Backend.people`."""
        return await self._run(ctx, lambda store: store.people(text, window))

    async def create(self, new: NewTicket, ctx: CallContext) -> TicketRef:
        """See `Backend.create`; the same idempotency key makes one ticket."""
        return await self._run(ctx, lambda store: store.create(new, _caller(ctx), vendor_key(ctx)))

    async def update(self, ticket_id: str, changes: Changes, ctx: CallContext) -> TicketRef:
        """See `Backend.update`."""
        return await self._run(ctx, lambda store: store.update(ticket_id, changes))

    async def write(self, ticket_id: str, text: str, *, internal: bool, ctx: CallContext) -> TicketRef:
        """See `Backend.write`."""
        return await self._run(ctx, lambda store: store.write(ticket_id, text, internal, _caller(ctx)))

    async def resolve(self, ticket_id: str, code: ResolutionCode, notes: str, ctx: CallContext) -> TicketRef:
        """See `Backend.resolve`."""
        return await self._run(ctx, lambda store: store.resolve(ticket_id, code, notes, _caller(ctx)))

    async def order(self, order: Order, ctx: CallContext) -> TicketRef:
        """See `Backend.order`."""
        return await self._run(ctx, lambda store: store.order(order, _caller(ctx), vendor_key(ctx)))

    async def decide(self, change_id: str, decision: Decision, reason: str, ctx: CallContext) -> Approval:
        """See `Backend.decide`; the last approval that is given opens the way, one rejection closes it."""
        return await self._run(ctx, lambda store: store.decide(change_id, decision, reason, _caller(ctx)))

    async def close(self) -> None:
        """See `Backend.close`."""
        with self._guard:
            for store in self._stores.values():
                store.close()
            self._stores.clear()

    async def _run(self, ctx: CallContext, work: Callable[[Store], T]) -> T:
        return await asyncio.to_thread(lambda: work(self._store(ctx.principal.tenant)))

    def _store(self, tenant: str) -> Store:
        # A tenant matches [A-Za-z0-9@._-]+ (Principal sees to it), and the prefix keeps ".." from being a
        # path.
        with self._guard:
            if tenant not in self._stores:
                self._stores[tenant] = Store(self._folder / f"itsm-{tenant}.db")
            return self._stores[tenant]


def _caller(ctx: CallContext) -> str:
    return ctx.principal.user or "none"
