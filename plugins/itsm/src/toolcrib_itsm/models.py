"""What the tools take and return, in plain words that no vendor owns.

A backend maps its own numbers and labels to these. A result may carry a state, priority or category that is
not listed here (every desk has some of its own); an argument may not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Approval",
    "Article",
    "ConfigurationItem",
    "Decision",
    "JournalEntry",
    "Kind",
    "NewTicket",
    "Order",
    "Page",
    "Person",
    "Priority",
    "Record",
    "RecordId",
    "ResolutionCode",
    "State",
    "Ticket",
    "TicketRef",
    "TicketSearch",
    "Window",
]

T = TypeVar("T")

Kind: TypeAlias = Literal["incident", "change", "request"]
State: TypeAlias = Literal["new", "in_progress", "on_hold", "resolved", "closed", "canceled"]
Priority: TypeAlias = Literal["critical", "high", "moderate", "low", "planning"]
Decision: TypeAlias = Literal["approve", "reject"]
ResolutionCode: TypeAlias = Literal["solution", "workaround", "duplicate", "user_error", "no_resolution"]

RecordId: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,40}$")]
"""Letters and digits, as search results have it in `id`."""


class Record(BaseModel):
    """What every record has; `id` is stable, times are UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str


class Person(Record):
    """Somebody the desk knows; `groups` are the names of the assignment groups that the person is in."""

    name: str
    username: str | None = None
    email: str | None = None
    department: str | None = None
    groups: tuple[str, ...] = ()


class Approval(Record):
    """Whether somebody agrees to a change: requested, approved or rejected."""

    approver: str | None
    state: str


class Ticket(Record):
    """An incident, change or request. Title and description of an incident are its requester's words.

    `number` is what people call it, `requester` and `assignee` are names; the ids beside them are for
    other tools. `active` is False once it is resolved, closed or canceled.
    """

    number: str
    kind: Kind
    title: str
    description: str | None = None
    state: str
    active: bool
    priority: str | None = None
    category: str | None = None
    requester_id: str | None = None
    requester: str | None = None
    assignee_id: str | None = None
    assignee: str | None = None
    group: str | None = None
    ci_id: str | None = None
    parent_id: str | None = None
    resolution: str | None = None
    approvals: tuple[Approval, ...] = ()
    opened_at: datetime | None = None
    updated_at: datetime | None = None


class JournalEntry(Record):
    """What was said on a ticket: `internal` notes are for the desk alone, the requester reads the others."""

    internal: bool
    author: str | None = None
    text: str
    created_at: datetime | None = None


class Article(Record):
    """A knowledge article that is published."""

    number: str
    title: str
    text: str
    updated_at: datetime | None = None


class ConfigurationItem(Record):
    """A machine, program or service that tickets are about."""

    name: str
    kind: str | None = None
    status: str | None = None
    location: str | None = None
    owner: str | None = None
    support_group: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """At most `limit` records; `more` says that the next page has others."""

    records: tuple[T, ...]
    more: bool
    page: int = 1


@dataclass(frozen=True, slots=True)
class TicketRef:
    """A ticket that was made or changed; `changed` names what was written."""

    id: str
    number: str
    kind: Kind
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of what was found is wanted: page `page` (from 1) of pages of `limit` records."""

    limit: int
    page: int = 1

    @property
    def offset(self) -> int:
        """How many records come before it."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True)
class TicketSearch:
    """What tickets are searched by; None is anything."""

    text: str | None = None
    kind: Kind | None = None
    state: State | None = None
    priority: Priority | None = None
    requester_id: str | None = None
    assignee_id: str | None = None
    group: str | None = None
    ci_id: str | None = None
    active_only: bool = True


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to be made."""

    kind: Kind
    title: str
    description: str
    priority: Priority
    category: str | None = None
    requester_id: str | None = None
    ci_id: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of the catalog; `item` is an id or exact name, `variables` the answers to its form."""

    item: str
    quantity: int
    variables: tuple[tuple[str, str], ...]
