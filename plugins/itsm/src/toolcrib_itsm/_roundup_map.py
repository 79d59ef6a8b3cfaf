"""Roundup's words and ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from toolcrib.errors import ToolError
from toolcrib_itsm._roundup_rest import Item
from toolcrib_itsm.models import Article, ConfigurationItem, JournalEntry, Person, Ticket

__all__ = [
    "ARTICLE", "CI", "DONE", "ISSUE", "ISSUE_EXTENDED", "MESSAGE", "MESSAGE_EXTENDED", "PERSON", "PRIORITIES",
    "STATES", "article", "ci", "entry", "link", "person", "states_of", "ticket",
]  # fmt: skip

ISSUE = (
    "title,status,priority,keyword,creator,creator.realname,assignedto,assignedto.realname,creation,activity"
)
ISSUE_EXTENDED = f"{ISSUE},ci,parent,resolution"
MESSAGE = "content,author,author.realname,creation"
MESSAGE_EXTENDED = f"{MESSAGE},private"
PERSON = "username,realname,organisation,address"
ARTICLE = "title,text,activity"
CI = "name,kind,status,location,owner,owner.realname"

DONE = ("resolved", "done-cbb")
STATES = {"new": "unread", "in_progress": "in-progress", "on_hold": "deferred", "resolved": "resolved"}
"""Our state to the status that is written; `_OURS` reads all of the template's."""
_OURS = {
    "unread": "new",
    "in-progress": "in_progress",
    "chatting": "in_progress",
    "testing": "in_progress",
    "deferred": "on_hold",
    "need-eg": "on_hold",
    "resolved": "resolved",
    "done-cbb": "resolved",
}
PRIORITIES = {
    "critical": "critical",
    "high": "urgent",
    "moderate": "bug",
    "low": "feature",
    "planning": "wish",
}
_PRIORITY = {theirs: ours for ours, theirs in PRIORITIES.items()}


def states_of(state: str | None, active_only: bool, known: tuple[str, ...]) -> list[str]:
    """Which of a tracker's statuses are searched for."""
    wanted = [name for name in known if not (active_only and name in DONE)]
    return [name for name in wanted if state is None or _OURS.get(name, name) == state]


def ticket(item: Item, description: str | None = None) -> Ticket:
    """An issue as a ticket."""
    values = item.values
    status = _label(values.get("status"), "name") or "unread"
    priority = _label(values.get("priority"), "name")
    keywords = values.get("keyword") or [None]
    try:
        return Ticket(
            id=item.id,
            number=f"issue{item.id}",
            kind="incident",
            title=values["title"] or "(no title)",
            description=description,
            state=_OURS.get(status, status),
            active=status not in DONE,
            priority=_PRIORITY.get(priority, priority) if priority else None,
            category=_label(keywords[0], "name"),
            requester_id=link(values.get("creator")),
            requester=values.get("creator.realname") or _label(values.get("creator"), "username"),
            assignee_id=link(values.get("assignedto")),
            assignee=values.get("assignedto.realname") or _label(values.get("assignedto"), "username"),
            ci_id=link(values.get("ci")),
            parent_id=link(values.get("parent")),
            resolution=values.get("resolution"),
            opened_at=_time(values.get("creation")),
            updated_at=_time(values.get("activity")),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        raise _unreadable("issue", item) from None


def entry(item: Item) -> JournalEntry:
    """A message as an entry; one that does not say that it is private is public."""
    values = item.values
    try:
        return JournalEntry(
            id=item.id,
            internal=bool(values.get("private")),
            author=values.get("author.realname") or _label(values.get("author"), "username"),
            text=values.get("content") or "",
            created_at=_time(values.get("creation")),
        )
    except (ValueError, TypeError):
        raise _unreadable("message", item) from None


def article(item: Item) -> Article:
    """An article."""
    values = item.values
    try:
        return Article(
            id=item.id,
            number=f"article{item.id}",
            title=values["title"] or "",
            text=values["text"] or "",
            updated_at=_time(values.get("activity")),
        )
    except (ValueError, KeyError, TypeError):
        raise _unreadable("article", item) from None


def person(item: Item) -> Person:
    """A user; what the tracker does not show is left out."""
    values = item.values
    try:
        return Person(
            id=item.id,
            name=values.get("realname") or values["username"],
            username=values["username"],
            email=values.get("address"),
            department=values.get("organisation"),
        )
    except (ValueError, KeyError, TypeError):
        raise _unreadable("user", item) from None


def ci(item: Item) -> ConfigurationItem:
    """A configuration item."""
    values = item.values
    plain: dict[str, Any] = {name: values.get(name) for name in ("name", "kind", "status", "location")}
    owner = values.get("owner.realname") or _label(values.get("owner"), "username")
    try:
        return ConfigurationItem(id=item.id, owner=owner, **plain)
    except (ValueError, TypeError):
        raise _unreadable("ci", item) from None


def _unreadable(kind: str, item: Item) -> ToolError:
    return ToolError(
        f"Roundup has {kind}{item.id} in a form that cannot be read", remedy="Have it mended there"
    )


def link(value: Any) -> str | None:
    """The id of what a link leads to; None where it leads nowhere."""
    found = value.get("id") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None


def _label(value: Any, name: str) -> str | None:
    return value.get(name) if isinstance(value, Mapping) else None


def _time(text: str | None) -> datetime | None:
    """`2026-11-28.05:24:23`, in UTC."""
    return datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC) if text else None
