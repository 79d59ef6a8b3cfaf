"""What the tools return, and at the same time the allow-list: a field that is not here does not exist for an
agent.

`Column` notes what a CRM must know of a field: its name at Salesforce, how long it may be, and who may write
it. Names on our side are plain words; `schema.py` accepts the Salesforce names as well wherever a model
writes a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Account",
    "AccountOverview",
    "Activity",
    "ActivityKind",
    "Column",
    "Contact",
    "Conversion",
    "Created",
    "Deleted",
    "FieldInfo",
    "Lead",
    "ObjectInfo",
    "ObjectType",
    "Opportunity",
    "Page",
    "QueryResult",
    "Record",
    "RecordId",
    "Stage",
    "Updated",
]

T = TypeVar("T")

ObjectType: TypeAlias = Literal["Account", "Contact", "Lead", "Opportunity", "Activity"]

Stage: TypeAlias = Literal[
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
]
"""The stages that Salesforce ships; a result may carry others, an argument may not."""

ActivityKind: TypeAlias = Literal["Call", "Email", "Meeting", "Other"]

RecordId: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$")]
"""15 or 18 letters and digits; the first three say the kind: 001 account, 003 contact, 006 opportunity, 00Q
lead, 00T activity."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field as the CRM has it. `vendor` is its name (or path) at Salesforce, `limit` the most characters it
    holds.

    `write` says when it may be written: never, on creation only, or also by `update_record` where the
    settings allow.
    """

    vendor: str
    limit: int = 0
    write: Literal["never", "create", "update"] = "never"
    required: bool = False
    is_id: bool = False


class Record(BaseModel):
    """What every record has; `id` is stable, times are UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Column("Id", is_id=True)]
    created_at: Annotated[datetime | None, Column("CreatedDate")] = None
    modified_at: Annotated[datetime | None, Column("LastModifiedDate")] = None


class Account(Record):
    """A company; `annual_revenue` is in the org's currency."""

    object_type: Literal["Account"] = "Account"
    name: Annotated[str, Column("Name", 255, "update", required=True)]
    website: Annotated[str | None, Column("Website", 255, "update")] = None
    phone: Annotated[str | None, Column("Phone", 40, "update")] = None
    industry: Annotated[str | None, Column("Industry", 255, "update")] = None
    employees: Annotated[int | None, Column("NumberOfEmployees", 0, "update")] = None
    annual_revenue: Annotated[float | None, Column("AnnualRevenue", 0, "update")] = None
    city: Annotated[str | None, Column("BillingCity", 40, "update")] = None
    country: Annotated[str | None, Column("BillingCountry", 80, "update")] = None
    description: Annotated[str | None, Column("Description", 32000, "update")] = None


class Contact(Record):
    """A person at an account."""

    object_type: Literal["Contact"] = "Contact"
    account_id: Annotated[str | None, Column("AccountId", 18, "create", is_id=True)] = None
    account_name: Annotated[str | None, Column("Account.Name")] = None
    name: Annotated[str, Column("Name")]
    first_name: Annotated[str | None, Column("FirstName", 40, "update")] = None
    last_name: Annotated[str, Column("LastName", 80, "update", required=True)]
    email: Annotated[str | None, Column("Email", 80, "update")] = None
    phone: Annotated[str | None, Column("Phone", 40, "update")] = None
    title: Annotated[str | None, Column("Title", 128, "update")] = None
    department: Annotated[str | None, Column("Department", 80, "update")] = None


class Lead(Record):
    """Someone who may become a customer. Much of it was typed into a web form by an outsider."""

    object_type: Literal["Lead"] = "Lead"
    name: Annotated[str, Column("Name")]
    first_name: Annotated[str | None, Column("FirstName", 40, "update")] = None
    last_name: Annotated[str, Column("LastName", 80, "update", required=True)]
    company: Annotated[str, Column("Company", 255, "update", required=True)]
    title: Annotated[str | None, Column("Title", 128, "update")] = None
    email: Annotated[str | None, Column("Email", 80, "update")] = None
    phone: Annotated[str | None, Column("Phone", 40, "update")] = None
    website: Annotated[str | None, Column("Website", 255, "update")] = None
    industry: Annotated[str | None, Column("Industry", 255, "update")] = None
    employees: Annotated[int | None, Column("NumberOfEmployees", 0, "update")] = None
    annual_revenue: Annotated[float | None, Column("AnnualRevenue", 0, "update")] = None
    source: Annotated[str | None, Column("LeadSource", 255, "update")] = None
    status: Annotated[str | None, Column("Status", 255, "update")] = None
    rating: Annotated[str | None, Column("Rating", 255, "update")] = None
    description: Annotated[str | None, Column("Description", 32000, "update")] = None
    is_converted: Annotated[bool, Column("IsConverted")] = False


class Opportunity(Record):
    """A deal. `stage` moves only through `set_opportunity_stage`, so that policy can watch one door."""

    object_type: Literal["Opportunity"] = "Opportunity"
    account_id: Annotated[str | None, Column("AccountId", 18, "create", is_id=True)] = None
    account_name: Annotated[str | None, Column("Account.Name")] = None
    name: Annotated[str, Column("Name", 120, "update", required=True)]
    stage: Annotated[str, Column("StageName", 255, "create", required=True)]
    amount: Annotated[float | None, Column("Amount", 0, "update")] = None
    close_date: Annotated[date | None, Column("CloseDate", 0, "update", required=True)] = None
    is_closed: Annotated[bool, Column("IsClosed")] = False
    is_won: Annotated[bool, Column("IsWon")] = False
    next_step: Annotated[str | None, Column("NextStep", 255, "update")] = None
    description: Annotated[str | None, Column("Description", 32000, "update")] = None


class Activity(Record):
    """A call, e-mail or meeting; the body of an e-mail may come from outside.

    `who_id` is the contact or lead, `related_id` the account or opportunity, `account_id` follows from them.
    """

    object_type: Literal["Activity"] = "Activity"
    kind: Annotated[str | None, Column("Type", 255, "create")] = None
    subject: Annotated[str | None, Column("Subject", 255, "update", required=True)] = None
    body: Annotated[str | None, Column("Description", 32000, "update")] = None
    activity_date: Annotated[date | None, Column("ActivityDate", 0, "create")] = None
    status: Annotated[str | None, Column("Status", 255, "create")] = None
    who_id: Annotated[str | None, Column("WhoId", 18, "create", is_id=True)] = None
    related_id: Annotated[str | None, Column("WhatId", 18, "create", is_id=True)] = None
    account_id: Annotated[str | None, Column("AccountId", is_id=True)] = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """At most `limit` records, best first; `more` says that others matched as well."""

    records: tuple[T, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """One account with what one wants to know before a call; `won_amount` sums its deals won."""

    account: Account
    contacts: tuple[Contact, ...]
    open_opportunities: tuple[Opportunity, ...]
    won_opportunities: tuple[Opportunity, ...]
    recent_activities: tuple[Activity, ...]
    won_amount: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a query by our field names; `more` says that the limit or the row cap left some out."""

    object_type: ObjectType
    fields: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field: its type, whether a query may name it (always), and who may write it."""

    name: str
    type: str
    required: bool
    creatable: bool
    updatable: bool
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One kind of record and its fields."""

    object_type: ObjectType
    fields: tuple[FieldInfo, ...]


@dataclass(frozen=True, slots=True)
class Created:
    """The new record's id."""

    object_type: ObjectType
    id: str


@dataclass(frozen=True, slots=True)
class Updated:
    """The record and the fields that were written."""

    object_type: ObjectType
    id: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """The record that is gone."""

    object_type: ObjectType
    id: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a lead; `opportunity_id` is None where no opportunity was asked for."""

    lead_id: str
    account_id: str
    contact_id: str
    opportunity_id: str | None = None
