"""ServiceNow over its Table API, through pysnc.

Notes and comments are two fields of one record, `work_notes` and `comments`; each is written by its own name,
and by nothing else. ServiceNow takes any id for a reference, so those that come from a call are looked up
first.
"""

from __future__ import annotations

import re
from typing import Any

import httpx

from toolcrib import CallContext
from toolcrib.errors import VendorRefused
from toolcrib.kit import look_up_first, vendor_key
from toolcrib_itsm import _encoded as encoded
from toolcrib_itsm import _servicenow_map as to_ours
from toolcrib_itsm._servicenow_tables import Tables, id_of
from toolcrib_itsm._values import read_id
from toolcrib_itsm.backend import Changes, unknown
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
from toolcrib_itsm.settings import ITSMSettings

__all__ = ["ServiceNowBackend"]

_NAMES = {
    "title": "short_description",
    "description": "description",
    "category": "category",
    "ci_id": "cmdb_ci",
    "parent_id": "parent_incident",
    "assignee_id": "assigned_to",
}
_CODE = re.compile(r"\[\s*/?\s*code\s*\]", re.IGNORECASE)
_ME = "javascript:gs.getUserID()"
"""Whoever the credentials are of; the one script that is ever sent, and it is a constant."""


class ServiceNowBackend:
    """See `Backend`. Credentials come from the secret `servicenow` of the calling principal.

    `transport` carries the HTTPS requests; tests pass one that leads to a fake, production passes none.
    """

    def __init__(self, settings: ITSMSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._tables = Tables(settings, transport)

    # --- reading ----------------------------------------------------------------------------------

    async def search(self, query: TicketSearch, window: Window, ctx: CallContext) -> Page[Ticket]:
        """See `Backend.search`."""
        table = to_ours.TABLES[query.kind] if query.kind else "task"
        asked = _asked(query)
        if asked is None:
            return Page((), more=False, page=window.page)
        text = None
        if query.text is not None:
            text = encoded.contains(("short_description", "description", "number"), query.text)
            asked.insert(0, text.query)
        found = await self._tables.rows(
            table,
            encoded.all_of([*asked, "ORDERBYDESCsys_updated_on", "ORDERBYDESCnumber"]),
            ctx,
            limit=window.limit,
            offset=window.offset,
        )
        tickets = tuple(map(to_ours.ticket, found.rows))
        if text is not None and not text.exact:
            tickets = tuple(
                each for each in tickets if text.keeps((each.title, each.description or "", each.number))
            )
        return Page(tickets, found.total > window.offset + len(found.rows), window.page)

    async def ticket(self, ticket_id: str, ctx: CallContext) -> Ticket:
        """See `Backend.ticket`."""
        task = await self._task(ticket_id, ctx)
        table = to_ours.TABLES[task.kind]
        row = await self._tables.row(table, ticket_id, ctx)
        if row is None:
            raise unknown("ticket", ticket_id)
        approvals: tuple[Approval, ...] = ()
        if task.kind == "change":
            found = await self._tables.rows(
                "sysapproval_approver", f"sysapproval={task.id}^ORDERBYsys_id", ctx, limit=100
            )
            approvals = tuple(map(to_ours.approval, found.rows))
        return to_ours.ticket(row, approvals)

    async def journal(self, ticket_id: str, window: Window, ctx: CallContext) -> Page[JournalEntry]:
        """See `Backend.journal`."""
        task = await self._task(ticket_id, ctx)
        query = (
            f"element_id={task.id}^elementINcomments,work_notes^ORDERBYDESCsys_created_on^ORDERBYDESCsys_id"
        )
        found = await self._tables.rows(
            "sys_journal_field", query, ctx, limit=window.limit, offset=window.offset
        )
        more = found.total > window.offset + len(found.rows)
        return Page(tuple(map(to_ours.entry, found.rows)), more, window.page)

    async def knowledge(self, words: tuple[str, ...], window: Window, ctx: CallContext) -> Page[Article]:
        """See `Backend.knowledge`; what the account may read is the knowledge base's rule."""
        searches = [encoded.contains(("short_description", "text"), word) for word in words]
        query = encoded.all_of(
            ["workflow_state=published", *(each.query for each in searches), "ORDERBYnumber"]
        )
        found = await self._tables.rows("kb_knowledge", query, ctx, limit=window.limit, offset=window.offset)
        articles = tuple(
            article
            for article in map(to_ours.article, found.rows)
            if all(each.exact or each.keeps((article.title, article.text)) for each in searches)
        )
        return Page(articles, found.total > window.offset + len(found.rows), window.page)

    async def ci(self, name_or_id: str, ctx: CallContext) -> ConfigurationItem:
        """See `Backend.ci`."""
        row = None
        if _is_sys_id(name_or_id):
            row = await self._tables.row("cmdb_ci", name_or_id, ctx)
        row = row or await self._named("cmdb_ci", name_or_id, ctx)
        if row is None:
            raise unknown("configuration item", name_or_id)
        return to_ours.ci(row)

    async def people(self, text: str, window: Window, ctx: CallContext) -> Page[Person]:
        """See `Backend.people`."""
        search = encoded.contains(("name", "user_name", "email"), text)
        query = encoded.all_of(["active=true", search.query, "ORDERBYname"])
        found = await self._tables.rows("sys_user", query, ctx, limit=window.limit, offset=window.offset)
        groups = await self._groups([id_of(row) for row in found.rows], ctx)
        people = [to_ours.person(row, tuple(groups.get(id_of(row), ()))) for row in found.rows]
        kept = tuple(
            each for each in people
            if search.exact or search.keeps((each.name, each.username or "", each.email or ""))
        )  # fmt: skip
        return Page(kept, found.total > window.offset + len(found.rows), window.page)

    async def _groups(self, people: list[str], ctx: CallContext) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        if people:
            found = await self._tables.rows(
                "sys_user_grmember", encoded.one_of("user", people), ctx, limit=1000
            )
            for row in found.rows:
                groups.setdefault(id_of(row, "user"), []).append(to_ours.label(row, "group"))
        return groups

    # --- writing ----------------------------------------------------------------------------------

    async def create(self, new: NewTicket, ctx: CallContext) -> TicketRef:
        """See `Backend.create`; the call's key is the record's correlation id, by which it is found again."""
        table, key = to_ours.TABLES[new.kind], vendor_key(ctx)

        async def find() -> TicketRef | None:
            found = await self._tables.rows(table, f"correlation_id={key}", ctx, limit=1)
            return _ref(found.rows[0]) if found.rows else None

        async def make() -> TicketRef:
            values = await self._values_of(new, ctx)
            row = await self._tables.insert(table, {**values, "correlation_id": key}, ctx)
            return _ref(row)

        return await look_up_first(find, make)

    async def _values_of(self, new: NewTicket, ctx: CallContext) -> dict[str, str]:
        links = {"ci_id": new.ci_id, "parent_id": new.parent_id, "requester_id": new.requester_id}
        await self._check_links(links, ctx)
        impact, urgency = to_ours.URGENCY[new.priority]
        asked = {
            "short_description": new.title,
            "description": new.description,
            "impact": impact,
            "urgency": urgency,
            "category": new.category,
            "cmdb_ci": new.ci_id,
            "parent_incident" if new.kind == "incident" else "parent": new.parent_id,
            "caller_id": new.requester_id,
        }
        return {name: value for name, value in asked.items() if value is not None}

    async def update(self, ticket_id: str, changes: Changes, ctx: CallContext) -> TicketRef:
        """See `Backend.update`."""
        task = await self._task(ticket_id, ctx)
        if task.kind != "incident" and set(changes) - {"assignee_id", "group"}:
            raise VendorRefused(f"{task.number} is a {task.kind}", rule="only incidents are updated")
        if "state" in changes and not task.active:
            raise VendorRefused(f"{task.number} is {task.state}", rule="what is done is not reopened here")
        if changes.get("parent_id") == ticket_id:
            raise VendorRefused(f"{task.number} cannot be its own parent")
        await self._check_links(changes, ctx)
        values: dict[str, str] = {}
        for name, value in changes.items():
            if name == "priority":
                values["impact"], values["urgency"] = to_ours.URGENCY[str(value)]
            elif name == "state":
                values["state"] = to_ours.STATES[str(value)]
            elif name == "group":
                values["assignment_group"] = await self._group(str(value), ctx)
            else:
                values[_NAMES[name]] = value or ""
        await self._tables.update(to_ours.TABLES[task.kind], task.id, values, ctx)
        return TicketRef(task.id, task.number, task.kind, tuple(changes))

    async def write(self, ticket_id: str, text: str, *, internal: bool, ctx: CallContext) -> TicketRef:
        """See `Backend.write`."""
        task = await self._task(ticket_id, ctx)
        _check_plain(text)
        field = "work_notes" if internal else "comments"
        await self._tables.update(to_ours.TABLES[task.kind], task.id, {field: text}, ctx)
        return TicketRef(task.id, task.number, task.kind, ("work_note" if internal else "comment",))

    async def resolve(self, ticket_id: str, code: ResolutionCode, notes: str, ctx: CallContext) -> TicketRef:
        """See `Backend.resolve`. Callers may read close notes, so those are a sentence of the settings."""
        task = await self._task(ticket_id, ctx)
        if task.kind != "incident" or not task.active:
            raise VendorRefused(
                f"{task.number} is a {task.kind} that is {task.state}", rule="an open incident is resolved"
            )
        _check_plain(notes)
        values = {
            "state": to_ours.STATES["resolved"],
            "close_code": self._settings.close_codes[code],
            "close_notes": self._settings.close_notes,
            "work_notes": notes,
        }
        await self._tables.update("incident", task.id, values, ctx)
        return TicketRef(task.id, task.number, "incident", ("state", "resolution", "work_note"))

    async def order(self, order: Order, ctx: CallContext) -> TicketRef:
        """See `Backend.order`."""
        row = await self._tables.row("sc_cat_item", order.item, ctx) if _is_sys_id(order.item) else None
        row = row or await self._named("sc_cat_item", order.item, ctx, "active=true")
        if row is None:
            known = await self._tables.rows("sc_cat_item", "active=true^ORDERBYname", ctx, limit=20)
            names = ", ".join(to_ours.label(each, "name") for each in known.rows)
            raise VendorRefused(f"there is no catalog item {order.item!r:.80}", rule=f"there are {names}")
        body: dict[str, Any] = {"sysparm_quantity": str(order.quantity)}
        if order.variables:
            body["variables"] = dict(order.variables)
        made = await self._tables.order(id_of(row), body, ctx)
        return TicketRef(
            read_id(made.get("request_id") or made.get("sys_id"), "request"),
            str(made.get("request_number") or made.get("number") or ""),
            "request",
        )

    async def decide(self, change_id: str, decision: Decision, reason: str, ctx: CallContext) -> Approval:
        """See `Backend.decide`: as the account whose credentials are used."""
        task = await self._task(change_id, ctx)
        _check_plain(reason)
        if task.kind != "change":
            raise VendorRefused(f"{task.number} is no change", rule="approvals are asked for changes")
        query = f"sysapproval={task.id}^state=requested^approver={_ME}"
        mine = await self._tables.rows("sysapproval_approver", query, ctx, limit=1)
        if not mine.rows:
            raise VendorRefused(
                f"no approval of {task.number} is asked of this account",
                rule="an approval is given by whom it is asked of",
            )
        state = "approved" if decision == "approve" else "rejected"
        row = await self._tables.update(
            "sysapproval_approver",
            id_of(mine.rows[0]),
            {"state": state, "comments": reason},
            ctx,
        )
        return to_ours.approval(row)

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._tables.close()

    # --- looking up -------------------------------------------------------------------------------

    async def _task(self, ticket_id: str, ctx: CallContext) -> Ticket:
        row = await self._tables.row("task", ticket_id, ctx) if _is_sys_id(ticket_id) else None
        if row is None:
            raise unknown("ticket", ticket_id)
        return to_ours.ticket(row)

    async def _check_links(self, values: Changes, ctx: CallContext) -> None:
        for field, table, what in (
            ("ci_id", "cmdb_ci", "configuration item"),
            ("parent_id", "task", "ticket"),
            ("requester_id", "sys_user", "person"),
            ("assignee_id", "sys_user", "person"),
        ):
            value = values.get(field)
            if value is None:
                continue
            if not _is_sys_id(value) or await self._tables.row(table, value, ctx) is None:
                raise unknown(what, value)

    async def _group(self, name: str, ctx: CallContext) -> str:
        row = await self._named("sys_user_group", name, ctx)
        if row is None:
            raise unknown("assignment group", name)
        return id_of(row)

    async def _named(self, table: str, name: str, ctx: CallContext, also: str = "") -> to_ours.Row | None:
        """The row of exactly this name."""
        query = encoded.equals("name", name)
        if query is None:
            return None
        found = await self._tables.rows(table, encoded.all_of([query, also]), ctx, limit=5)
        return next((row for row in found.rows if to_ours.label(row, "name") == name), None)


def _asked(query: TicketSearch) -> list[str] | None:
    """The search's conditions but its text; None where nothing can be like it."""
    asked: list[str] = []
    if query.kind is None:
        asked.append(encoded.one_of("sys_class_name", to_ours.TABLES.values()))
        if query.state or query.requester_id:
            raise VendorRefused(
                "state and requester_id are searched for in one kind of ticket",
                rule="each kind has its own",
                remedy="Name the kind as well",
            )
    if query.active_only:
        asked.append(to_ours.active_query(query.kind))
    if query.state:
        states = _states(query)
        if not states:
            return None
        asked.append(encoded.one_of("state", states))
    if query.priority:
        asked.append(f"priority={list(to_ours.URGENCY).index(query.priority) + 1}")
    requester = {"change": "requested_by", "request": "requested_for"}.get(query.kind or "", "caller_id")
    for field, value in (
        (requester, query.requester_id),
        ("assigned_to", query.assignee_id),
        ("cmdb_ci", query.ci_id),
        ("assignment_group.name", query.group),
    ):
        if value is not None:
            condition = encoded.equals(field, value)
            if condition is None:
                return None
            asked.append(condition)
    return asked


def _states(query: TicketSearch) -> tuple[str, ...]:
    assert query.state is not None
    if query.kind == "change":
        return to_ours.CHANGE_STATES.get(query.state, ())
    return (to_ours.STATES[query.state],) if query.kind == "incident" else ()


def _ref(row: to_ours.Row) -> TicketRef:
    ticket = to_ours.ticket(row)
    return TicketRef(ticket.id, ticket.number, ticket.kind)


def _check_plain(text: str) -> None:
    """Refuse what a journal would show as more than text: ServiceNow renders as HTML what stands in `[code]`,
    and a picture from elsewhere would tell who reads the ticket.
    """
    if _CODE.search(text):
        raise VendorRefused(
            "the text has [code], which ServiceNow shows as HTML",
            rule="a note or comment is plain text",
            remedy="Leave [code] out",
        )


def _is_sys_id(text: str) -> bool:
    return len(text) == 32 and text.isascii() and text.isalnum()
