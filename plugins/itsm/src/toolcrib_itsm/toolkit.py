"""The tools, over whichever backend the settings name.

Two doors lead to a ticket's journal, and they are two tools: `add_work_note` writes for the desk alone,
`add_public_comment` sends to the requester. No other tool carries free text to the requester of a ticket that
is there already: `resolve` keeps its notes internal, and `update_incident` leaves title and description alone
unless the settings say otherwise.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from toolcrib import CallContext, Preview, Target, Toolkit, tool
from toolcrib.errors import VendorRefused
from toolcrib_itsm._values import checked_changes, words_of
from toolcrib_itsm.backend import Backend
from toolcrib_itsm.models import (
    Approval,
    Article,
    ConfigurationItem,
    Decision,
    JournalEntry,
    Kind,
    NewTicket,
    Order,
    Page,
    Person,
    Priority,
    RecordId,
    ResolutionCode,
    State,
    Ticket,
    TicketRef,
    TicketSearch,
    Window,
)
from toolcrib_itsm.settings import ITSMSettings

__all__ = ["ITSM"]

Limit: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
PageNumber: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
Text: TypeAlias = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[^\x00\r\n]*$")]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00\r\n]*$")]
Body: TypeAlias = Annotated[str, Field(min_length=1, max_length=8000, pattern=r"^[^\x00]*$")]

CONFIDENTIAL = {"confidential"}
OUTSIDE = {"confidential", "untrusted"}
"""Labels of what may hold text that outsiders wrote: tickets come by mail and from forms."""

_TICKET = Preview("get_ticket", ticket_id="ticket_id")
_CHANGE = Preview("get_ticket", ticket_id="change_id")


class ITSM(Toolkit):
    """Incidents, changes, requests, knowledge and people; nothing is opened before the first call."""

    def __init__(self, backend: Backend, settings: ITSMSettings | None = None) -> None:
        self._backend = backend
        self._settings = settings or ITSMSettings()

    async def close(self) -> None:
        """Release the backend."""
        await self._backend.close()

    # --- reading ----------------------------------------------------------------------------------

    @tool(effect="read", labels=OUTSIDE)
    async def search_tickets(
        self,
        text: Text = "",
        kind: Kind | None = "incident",
        state: State | None = None,
        priority: Priority | None = None,
        requester_id: RecordId | None = None,
        assignee_id: RecordId | None = None,
        group: Name | None = None,
        ci_id: RecordId | None = None,
        active_only: bool = True,
        limit: Limit = 20,
        page: PageNumber = 1,
        *,
        ctx: CallContext,
    ) -> Page[Ticket]:
        """Find incidents, changes and requests, the one that changed last first.

        Args:
            text: Part of the title or description, or a ticket's number; empty finds all.
            kind: incident, change or request; null finds all three.
            state: Only tickets in this state; resolved, closed and canceled also need active_only=false.
            priority: Only tickets of this priority.
            requester_id: Only tickets that this person asked for.
            assignee_id: Only tickets that this person works at.
            group: Only tickets of the assignment group of exactly this name.
            ci_id: Only tickets about this configuration item.
            active_only: Leave out what is resolved, closed or canceled.
            limit: Most tickets on a page.
            page: Which page, from 1.
        """
        query = TicketSearch(
            text=text.strip() or None,
            kind=kind,
            state=state,
            priority=priority,
            requester_id=requester_id,
            assignee_id=assignee_id,
            group=group,
            ci_id=ci_id,
            active_only=active_only,
        )
        return await self._backend.search(query, self._window(limit, page), ctx)

    @tool(effect="read", labels=OUTSIDE)
    async def get_ticket(self, ticket_id: RecordId, *, ctx: CallContext) -> Ticket:
        """One incident, change or request with all its fields, and a change's approvals.

        Args:
            ticket_id: The ticket's id, as search_tickets gives it.
        """
        return await self._backend.ticket(ticket_id, ctx)

    @tool(effect="read", labels=OUTSIDE)
    async def list_journal(
        self, ticket_id: RecordId, limit: Limit = 20, page: PageNumber = 1, *, ctx: CallContext
    ) -> Page[JournalEntry]:
        """What was said on a ticket, the latest first: internal notes, and comments that the requester reads.

        Args:
            ticket_id: The ticket's id.
            limit: Most entries on a page.
            page: Which page, from 1.
        """
        return await self._backend.journal(ticket_id, self._window(limit, page), ctx)

    @tool(effect="read", labels=CONFIDENTIAL)
    async def search_knowledge(
        self, text: Text, limit: Annotated[int, Field(ge=1, le=50)] = 5, *, ctx: CallContext
    ) -> Page[Article]:
        """Find published knowledge articles that have every one of these words in title or text.

        Args:
            text: A few telling words, for example "vpn certificate"; fewer words find more.
            limit: Most articles to return.
        """
        return await self._backend.knowledge(words_of(text), self._window(limit, 1), ctx)

    @tool(effect="read", labels=CONFIDENTIAL)
    async def get_ci(self, ci: Name, *, ctx: CallContext) -> ConfigurationItem:
        """One configuration item: a machine, program or service.

        Args:
            ci: Its id, or its exact name.
        """
        return await self._backend.ci(ci, ctx)

    @tool(effect="read", labels=CONFIDENTIAL)
    async def find_user(
        self, text: Text, limit: Limit = 10, page: PageNumber = 1, *, ctx: CallContext
    ) -> Page[Person]:
        """Find people by name, user name or e-mail address, with the assignment groups they are in.

        Args:
            text: Part of the name, user name or e-mail address.
            limit: Most people on a page.
            page: Which page, from 1.
        """
        if not text.strip():
            raise VendorRefused("there is nothing to search for", rule="find_user takes part of a name")
        return await self._backend.people(text.strip(), self._window(limit, page), ctx)

    # --- writing ----------------------------------------------------------------------------------

    @tool(effect="write")
    async def create_incident(
        self,
        title: Line,
        description: Body,
        priority: Priority = "moderate",
        category: Name | None = None,
        requester_id: Annotated[RecordId | None, Target] = None,
        ci_id: RecordId | None = None,
        parent_id: Annotated[RecordId | None, Target] = None,
        *,
        ctx: CallContext,
    ) -> TicketRef:
        """Open an incident. Look first whether there is one about the same thing (search_tickets).

        Its requester can read title and description; left out, the requester is the account of this pack.

        Args:
            title: One line that says what is wrong.
            description: What is known so far.
            priority: How much it matters.
            category: Kind of trouble, for example "network".
            requester_id: On whose behalf it is opened.
            ci_id: The configuration item that it is about.
            parent_id: The ticket that it belongs to, for a child incident.
        """
        new = NewTicket("incident", title, description, priority, category, requester_id, ci_id, parent_id)
        return await self._backend.create(new, ctx)

    @tool(effect="write", idempotent=True, preview=_TICKET)
    async def update_incident(
        self,
        ticket_id: Annotated[RecordId, Target],
        changes: Annotated[dict[str, Text | None], Field(min_length=1, max_length=10)],
        *,
        ctx: CallContext,
    ) -> TicketRef:
        """Change fields of an incident: category, priority, state (new, in_progress or on_hold), ci_id,
        parent_id. Fields that are not named stay as they are; resolve and assign are tools of their own.

        Args:
            ticket_id: The incident's id.
            changes: New values by field name; null empties category, ci_id or parent_id.
        """
        wanted = checked_changes(changes, self._settings.updatable)
        return await self._backend.update(ticket_id, wanted, ctx)

    @tool(effect="write", idempotent=True, preview=_TICKET)
    async def assign(
        self,
        ticket_id: Annotated[RecordId, Target],
        assignee_id: Annotated[RecordId | None, Target] = None,
        group: Annotated[Name | None, Target] = None,
        *,
        ctx: CallContext,
    ) -> TicketRef:
        """Give a ticket to a person, to an assignment group, or to a person in a group.

        Args:
            ticket_id: The ticket's id.
            assignee_id: Whom to give it to, as find_user gives the id.
            group: Exact name of the assignment group.
        """
        given = {"assignee_id": assignee_id, "group": group}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            raise VendorRefused("nobody is named", rule="assign takes assignee_id, group, or both")
        return await self._backend.update(ticket_id, changes, ctx)

    @tool(effect="write", preview=_TICKET)
    async def add_work_note(
        self, ticket_id: Annotated[RecordId, Target], text: Body, *, ctx: CallContext
    ) -> TicketRef:
        """Add an internal note to a ticket. The desk reads it, the requester never does.

        Args:
            ticket_id: The ticket's id.
            text: What was found or done.
        """
        return await self._backend.write(ticket_id, text, internal=True, ctx=ctx)

    @tool(effect="write")
    async def create_change(
        self,
        title: Line,
        description: Body,
        priority: Priority = "moderate",
        ci_id: RecordId | None = None,
        parent_id: Annotated[RecordId | None, Target] = None,
        *,
        ctx: CallContext,
    ) -> TicketRef:
        """Propose a change to a configuration item; others approve it before it is carried out.

        Args:
            title: One line that says what is to be changed.
            description: Why, how, and how to go back.
            priority: How much it matters.
            ci_id: The configuration item to be changed.
            parent_id: The ticket that it belongs to.
        """
        new = NewTicket("change", title, description, priority, ci_id=ci_id, parent_id=parent_id)
        return await self._backend.create(new, ctx)

    @tool(effect="write", preview=_TICKET)
    async def resolve(
        self,
        ticket_id: Annotated[RecordId, Target],
        code: ResolutionCode,
        notes: Body,
        *,
        ctx: CallContext,
    ) -> TicketRef:
        """Mark an incident as resolved. The notes are internal; tell the requester with add_public_comment.

        Args:
            ticket_id: The incident's id.
            code: How it was resolved.
            notes: What was done, for the desk.
        """
        return await self._backend.resolve(ticket_id, code, notes, ctx)

    @tool(effect="send", preview=_TICKET)
    async def add_public_comment(
        self, ticket_id: Annotated[RecordId, Target], text: Body, *, ctx: CallContext
    ) -> TicketRef:
        """Answer the requester of a ticket: the text is shown, and mostly mailed, to whoever asked.

        Args:
            ticket_id: The ticket's id.
            text: What the requester is to read.
        """
        return await self._backend.write(ticket_id, text, internal=False, ctx=ctx)

    @tool(effect="send")
    async def submit_catalog_request(
        self,
        item: Annotated[Name, Target],
        quantity: Annotated[int, Field(ge=1, le=20)] = 1,
        variables: Annotated[dict[Name, Text], Field(max_length=30)] | None = None,
        *,
        ctx: CallContext,
    ) -> TicketRef:
        """Order something from the service catalog, for the account whose credentials are used.

        Args:
            item: Id or exact name of the catalog item; a refusal lists what there is.
            quantity: How many.
            variables: Answers to the item's form, by variable name.
        """
        return await self._backend.order(Order(item, quantity, tuple((variables or {}).items())), ctx)

    @tool(effect="destructive", preview=_CHANGE)
    async def decide_change_approval(
        self, change_id: Annotated[RecordId, Target], decision: Decision, reason: Body, *, ctx: CallContext
    ) -> Approval:
        """Answer the approval that a change asks of whoever is acting; an approved change may be carried out
        at once. This cannot be undone.

        Args:
            change_id: The change's id.
            decision: approve or reject.
            reason: Why, for the record.
        """
        return await self._backend.decide(change_id, decision, reason, ctx)

    def _window(self, limit: int, page: int) -> Window:
        return Window(min(limit, self._settings.row_cap), page)
