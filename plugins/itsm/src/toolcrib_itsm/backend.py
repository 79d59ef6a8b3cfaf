"""The small protocol between the tools and a service desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from toolcrib import CallContext
from toolcrib.errors import VendorRefused
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

__all__ = ["FIELDS", "Backend", "Changes", "not_here", "unknown"]

Changes: TypeAlias = Mapping[str, str | None]
"""New values by field name of `Ticket`, checked against the allow-list; None empties a field."""

FIELDS = ("title", "description", "category", "priority", "state", "ci_id", "parent_id")
"""What `update_incident` may change at most. The first two are read by the requester."""


class Backend(Protocol):
    """Twelve calls. Ids arrive as letters and digits, texts without NUL, values typed and allowed.

    Every call is made for `ctx.principal`: its tenant's desk, its credentials. What the vendor refuses raises
    `VendorRefused` (also for a record that is not there, and for what a backend has no place for); what it
    cannot do now `Temporary` or `NotSent`.
    """

    async def search(self, query: TicketSearch, window: Window, ctx: CallContext) -> Page[Ticket]:
        """Tickets, the one that changed last first; without approvals."""
        ...

    async def ticket(self, ticket_id: str, ctx: CallContext) -> Ticket:
        """One ticket, with its approvals."""
        ...

    async def journal(self, ticket_id: str, window: Window, ctx: CallContext) -> Page[JournalEntry]:
        """What was said on a ticket, the latest first, internal notes among it."""
        ...

    async def knowledge(self, words: tuple[str, ...], window: Window, ctx: CallContext) -> Page[Article]:
        """Published articles that have every word in title or text."""
        ...

    async def ci(self, name_or_id: str, ctx: CallContext) -> ConfigurationItem:
        """The configuration item of this id or exact name."""
        ...

    async def people(self, text: str, window: Window, ctx: CallContext) -> Page[Person]:
        """Active people whose name, user name or e-mail address has the text."""
        ...

    async def create(self, new: NewTicket, ctx: CallContext) -> TicketRef:
        """Make an incident or change."""
        ...

    async def update(self, ticket_id: str, changes: Changes, ctx: CallContext) -> TicketRef:
        """Change fields: those of `FIELDS`, and `assignee_id` and `group` (a name)."""
        ...

    async def write(self, ticket_id: str, text: str, *, internal: bool, ctx: CallContext) -> TicketRef:
        """Add a note that only the desk sees (`internal`), or a comment that goes to the requester."""
        ...

    async def resolve(self, ticket_id: str, code: ResolutionCode, notes: str, ctx: CallContext) -> TicketRef:
        """Resolve an incident; `notes` are internal."""
        ...

    async def order(self, order: Order, ctx: CallContext) -> TicketRef:
        """Order an item of the catalog."""
        ...

    async def decide(self, change_id: str, decision: Decision, reason: str, ctx: CallContext) -> Approval:
        """Answer the approval that a change asks of the caller."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def unknown(what: str, name: str) -> VendorRefused:
    """The answer to an id or name that no record has."""
    return VendorRefused(
        f"there is no {what} {name!r:.80}", remedy="Search for it, and use the id that was found"
    )


def not_here(backend: str, what: str) -> VendorRefused:
    """The answer to what a backend has no place for."""
    return VendorRefused(
        f"{what} is not to be had here",
        rule=f"the backend {backend} has no such thing",
        remedy="Do without it, or ask a human",
    )
