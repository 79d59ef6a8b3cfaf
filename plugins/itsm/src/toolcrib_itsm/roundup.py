"""Roundup over its REST API.

A message is made first and then linked to its issue, by a change that shows the issue's ETag. So what counts
is that one change: a message that was made but not linked is seen by nobody. Whether a message is internal
is a property of it from its first moment on.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from toolcrib import CallContext
from toolcrib.errors import NotSent, ToolError, VendorRefused
from toolcrib.kit import look_up_first, vendor_key
from toolcrib_itsm import _roundup_map as to_ours
from toolcrib_itsm._roundup_rest import Found, Item, Tracker, account
from toolcrib_itsm.backend import Changes, not_here, unknown
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

if TYPE_CHECKING:
    import httpx

__all__ = ["RoundupBackend"]

_NAMES = {
    "title": "title",
    "category": "keyword",
    "priority": "priority",
    "state": "status",
    "ci_id": "ci",
    "parent_id": "parent",
    "assignee_id": "assignedto",
}
_TRIES = 3
"""How often a change is made anew because somebody else was faster."""
_MOST_ARTICLES = 1000


class RoundupBackend:
    """See `Backend`. Only an extended tracker (`toolcrib_itsm.tracker`) has internal notes, knowledge,
    configuration items and child issues; on a classic one the tools that need them are refused. `transport`
    is for tests.
    """

    def __init__(self, settings: ITSMSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._extended = settings.tracker == "extended"
        self._tracker = Tracker(settings.url, settings.timeout, transport)
        self._issue = to_ours.ISSUE_EXTENDED if self._extended else to_ours.ISSUE
        self._message = to_ours.MESSAGE_EXTENDED if self._extended else to_ours.MESSAGE

    # --- reading ----------------------------------------------------------------------------------

    async def search(self, query: TicketSearch, window: Window, ctx: CallContext) -> Page[Ticket]:
        """See `Backend.search`; text is looked for in titles, and descriptions are left out."""
        if query.kind not in (None, "incident"):
            return Page((), more=False, page=window.page)
        if query.group is not None:
            raise not_here("roundup", "an assignment group")
        asked = await self._asked(query, ctx)
        if asked is None:
            return Page((), more=False, page=window.page)
        found = await self._tracker.find(
            "issue", self._issue, ctx, query=asked, size=window.limit, page=window.page
        )
        return Page(tuple(map(to_ours.ticket, found.items)), found.more, window.page)

    async def _asked(self, query: TicketSearch, ctx: CallContext) -> list[tuple[str, str]] | None:
        """The search in Roundup's words; None where nothing can be like it."""
        asked = [("@sort", "-activity,-id")]
        if query.active_only or query.state:
            known = await self._tracker.find("status", "name", ctx, query=(), size=100)
            names = tuple(str(item.values.get("name")) for item in known.items)
            wanted = to_ours.states_of(query.state, query.active_only, names)
            if not wanted:
                return None
            asked.append(("status", ",".join(wanted)))
        if query.priority:
            asked.append(("priority", to_ours.PRIORITIES[query.priority]))
        for name, value in (("creator", query.requester_id), ("assignedto", query.assignee_id)):
            if value is not None:
                asked.append((name, _number(value, "person")))
        if query.ci_id is not None:
            self._need("a configuration item")
            asked.append(("ci", _number(query.ci_id, "configuration item")))
        if query.text is not None:
            number = re.fullmatch(r"issue(\d{1,15})", query.text, re.IGNORECASE)
            asked.append(("id", number[1]) if number else ("title", query.text))
        return asked

    async def ticket(self, ticket_id: str, ctx: CallContext) -> Ticket:
        """See `Backend.ticket`; the description is the first message, where its requester wrote it."""
        item = await self._get(ticket_id, ctx, "messages")
        numbers = _messages(item)
        first = await self._tracker.get("msg", numbers[0], self._message, ctx) if numbers else None
        text = None
        if first is not None and not first.values.get("private"):
            text = first.values.get("content")
        return to_ours.ticket(item, text)

    async def journal(self, ticket_id: str, window: Window, ctx: CallContext) -> Page[JournalEntry]:
        """See `Backend.journal`; the description is its first entry."""
        numbers = _messages(await self._get(ticket_id, ctx, "messages"))[::-1]
        wanted = numbers[window.offset : window.offset + window.limit]
        more = len(numbers) > window.offset + window.limit
        if not wanted:
            return Page((), more=False, page=window.page)
        found = await self._tracker.find(
            "msg", self._message, ctx, query=[("id", number) for number in wanted], size=len(wanted)
        )
        entries = sorted(map(to_ours.entry, found.items), key=lambda entry: -int(entry.id))
        return Page(tuple(entries), more, window.page)

    async def knowledge(self, words: tuple[str, ...], window: Window, ctx: CallContext) -> Page[Article]:
        """See `Backend.knowledge`; at most the first 1,000 published articles are looked through."""
        self._need("a knowledge article")
        found = await self._tracker.find(
            "article", to_ours.ARTICLE, ctx, query=[("published", "yes")], size=_MOST_ARTICLES
        )
        articles = [
            article
            for article in map(to_ours.article, found.items)
            if all(word in f"{article.title}\n{article.text}".casefold() for word in words)
        ]
        end = window.offset + window.limit
        return Page(tuple(articles[window.offset : end]), len(articles) > end or found.more, window.page)

    async def ci(self, name_or_id: str, ctx: CallContext) -> ConfigurationItem:
        """See `Backend.ci`."""
        self._need("a configuration item")
        by_id = await self._tracker.get("ci", name_or_id, to_ours.CI, ctx)
        if by_id is not None:
            return to_ours.ci(by_id)
        named = await self._tracker.find("ci", to_ours.CI, ctx, query=[("name:", name_or_id)], size=2)
        exact = [item for item in named.items if item.values.get("name") == name_or_id]
        if not exact:
            raise unknown("configuration item", name_or_id)
        return to_ours.ci(exact[0])

    async def people(self, text: str, window: Window, ctx: CallContext) -> Page[Person]:
        """See `Backend.people`; by name and user name, one question for each."""
        size = window.offset + window.limit + 1
        answers = await asyncio.gather(
            *(
                self._tracker.find("user", to_ours.PERSON, ctx, query=[(field, text)], size=size)
                for field in ("realname", "username")
            ),
            return_exceptions=True,  # or the other question would go on behind a call that has failed
        )
        found = {item.id: item for page in map(_or_raise, answers) for item in page.items}
        people = sorted(map(to_ours.person, found.values()), key=lambda each: (each.name, int(each.id)))
        end = window.offset + window.limit
        return Page(tuple(people[window.offset : end]), len(people) > end, window.page)

    # --- writing ----------------------------------------------------------------------------------

    async def create(self, new: NewTicket, ctx: CallContext) -> TicketRef:
        """See `Backend.create`; an extended tracker keeps the call's key, by which it is found again."""
        if new.kind != "incident":
            raise not_here("roundup", f"a {new.kind}")
        if new.requester_id is not None:
            raise not_here("roundup", "an issue in another's name: its creator is who makes it, and that")
        if new.ci_id or new.parent_id:
            self._need("a configuration item or a parent")
        key = vendor_key(ctx) if self._extended else None

        async def find() -> str | None:
            if key is None:
                return None
            found = await self._tracker.find("issue", "title", ctx, query=[("correlation:", key)], size=1)
            return found.items[0].id if found.items else None

        made = await look_up_first(find, lambda: self._create(new, key, ctx))
        return _ref(made)

    async def _create(self, new: NewTicket, key: str | None, ctx: CallContext) -> str:
        values: dict[str, Any] = {
            "title": new.title,
            "priority": to_ours.PRIORITIES[new.priority],
            "keyword": [new.category] if new.category else None,
            "status": to_ours.STATES["new"],
        }
        if self._extended:
            values |= {"ci": await self._ci(new.ci_id, ctx), "correlation": key}
            values["parent"] = (await self._get(new.parent_id, ctx)).id if new.parent_id else None
        message = await self._say(new.description, internal=False, ctx=ctx)
        return await self._tracker.create("issue", {**values, "messages": [message]}, ctx)

    async def update(self, ticket_id: str, changes: Changes, ctx: CallContext) -> TicketRef:
        """See `Backend.update`; categories are the tracker's keywords."""
        if "group" in changes:
            raise not_here("roundup", "an assignment group")
        if "description" in changes:
            raise not_here("roundup", "changing a description: it is a message, and that")
        if "ci_id" in changes or "parent_id" in changes:
            self._need("a configuration item or a parent")
        if changes.get("parent_id") == ticket_id:
            raise VendorRefused(f"{ticket_id} cannot be its own parent")
        values = {_NAMES[name]: _theirs(name, value) for name, value in changes.items()}
        await self._check_links(changes, ctx)
        for _ in range(_TRIES):
            item = await self._get(ticket_id, ctx)
            if "state" in changes and not to_ours.ticket(item).active:
                raise VendorRefused(f"issue{ticket_id} is done", rule="what is done is not reopened here")
            if await self._tracker.change("issue", item, values, ctx):
                return _ref(ticket_id, *changes)
        raise _busy(ticket_id)

    async def _check_links(self, changes: Changes, ctx: CallContext) -> None:
        """Roundup takes a number for a link whether or not there is such an item."""
        await self._ci(changes.get("ci_id"), ctx)
        if changes.get("parent_id"):
            await self._get(str(changes["parent_id"]), ctx)
        assignee = changes.get("assignee_id")
        if assignee and await self._tracker.get("user", assignee, "username", ctx) is None:
            raise unknown("person", assignee)

    async def write(self, ticket_id: str, text: str, *, internal: bool, ctx: CallContext) -> TicketRef:
        """See `Backend.write`; a comment is mailed to all of the issue's nosy list, a note to nobody."""
        if internal:
            self._need("an internal note")
        await self._get(ticket_id, ctx)
        message = await self._say(text, internal=internal, ctx=ctx)
        await self._link(ticket_id, message, internal, {}, ctx)
        return _ref(ticket_id, "work_note" if internal else "comment")

    async def resolve(self, ticket_id: str, code: ResolutionCode, notes: str, ctx: CallContext) -> TicketRef:
        """See `Backend.resolve`; note and status are one change."""
        self._need("an internal note, which resolving writes, and that")
        _still_open(await self._get(ticket_id, ctx))
        message = await self._say(notes, internal=True, ctx=ctx)
        resolved = {"status": to_ours.STATES["resolved"], "resolution": code}
        await self._link(ticket_id, message, True, resolved, ctx)
        return _ref(ticket_id, "state", "resolution", "work_note")

    async def order(self, order: Order, ctx: CallContext) -> TicketRef:
        """Refused: Roundup has no catalog."""
        raise not_here("roundup", "a catalog")

    async def decide(self, change_id: str, decision: Decision, reason: str, ctx: CallContext) -> Approval:
        """Refused: Roundup has no changes."""
        raise not_here("roundup", "the approval of a change")

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._tracker.close()

    async def _say(self, text: str, *, internal: bool, ctx: CallContext) -> str:
        """A message that belongs to no issue yet. As nobody is shown such a one, its loss is no harm."""
        values: dict[str, Any] = {"content": text, "author": await account(ctx)}
        if internal:
            values["private"] = "yes"
        try:
            return await self._tracker.create("msg", values, ctx)
        except ToolError as error:
            if error.happened is False:
                raise
            told = f"nothing was said on the issue: {error.what}"
            raise NotSent(told, retry_after=error.retry_after) from None

    async def _link(
        self, ticket_id: str, message: str, internal: bool, more: dict[str, Any], ctx: CallContext
    ) -> None:
        """Put a message on an issue. Where the answer is lost, the issue itself says whether it is there."""
        for _ in range(_TRIES):
            item = await self._get(ticket_id, ctx, "messages")
            if more:
                _still_open(item)
            values = {"messages": [*_messages(item), message], **more}
            if internal and "status" not in values:
                # Else Roundup would tell the requester by the status that somebody said something.
                values["status"] = to_ours.link(item.values.get("status"))
            try:
                if await self._tracker.change("issue", item, values, ctx):
                    return
            except ToolError as lost:
                if lost.happened is False:
                    raise
                await self._look_for(ticket_id, message, lost, ctx)
                return
        raise _busy(ticket_id)

    async def _look_for(self, ticket_id: str, message: str, lost: ToolError, ctx: CallContext) -> None:
        try:
            item = await self._get(ticket_id, ctx, "messages")
        except ToolError:
            raise lost from None
        if message not in _messages(item):
            raise lost

    async def _get(self, ticket_id: str, ctx: CallContext, *fields: str) -> Item:
        item = await self._tracker.get("issue", ticket_id, ",".join((self._issue, *fields)), ctx)
        if item is None:
            raise unknown("ticket", ticket_id)
        return item

    async def _ci(self, ci_id: str | None, ctx: CallContext) -> str | None:
        if ci_id is not None and await self._tracker.get("ci", ci_id, "name", ctx) is None:
            raise unknown("configuration item", ci_id)
        return ci_id

    def _need(self, what: str) -> None:
        if not self._extended:
            raise VendorRefused(
                f"{what} is not to be had here",
                rule='a tracker of the template classic has no such thing; [packs.itsm] tracker = "classic"',
                remedy="Do without it, or have the tracker extended (toolcrib_itsm.tracker)",
            )


def _theirs(name: str, value: str | None) -> Any:
    if name == "priority":
        return to_ours.PRIORITIES[str(value)]
    if name == "state":
        return to_ours.STATES[str(value)]
    if name == "category":
        return [value] if value else None
    return value


def _messages(item: Item) -> list[str]:
    """The numbers of an issue's messages, the oldest first."""
    links = item.values.get("messages") or []
    try:
        return sorted((str(link["id"]) for link in links), key=int)
    except (TypeError, KeyError, ValueError):
        raise ToolError("Roundup's answer has another shape: messages", rule="they are links") from None


def _still_open(item: Item) -> None:
    if not to_ours.ticket(item).active:
        raise VendorRefused(f"issue{item.id} is done already", rule="an open incident is resolved")


def _number(text: str, what: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise unknown(what, text)
    return text


def _busy(ticket_id: str) -> VendorRefused:
    return VendorRefused(
        f"issue{ticket_id} was changed by others at the same time, {_TRIES} times",
        rule="a change is made to the issue as it was read",
        remedy="Call again",
    )


def _or_raise(answer: Found | BaseException) -> Found:
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _ref(ticket_id: str, *changed: str) -> TicketRef:
    return TicketRef(ticket_id, f"issue{ticket_id}", "incident", changed)
