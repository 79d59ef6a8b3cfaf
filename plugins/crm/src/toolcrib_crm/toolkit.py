"""The tools, over whichever backend the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import Field

from toolcrib import CallContext, Preview, Target, Toolkit, tool
from toolcrib_crm._rows import equal, party, read
from toolcrib_crm.backend import Backend, unknown
from toolcrib_crm.models import (
    Account,
    AccountOverview,
    Activity,
    ActivityKind,
    Contact,
    Conversion,
    Created,
    Deleted,
    FieldInfo,
    Lead,
    ObjectInfo,
    ObjectType,
    Opportunity,
    Page,
    QueryResult,
    Record,
    RecordId,
    Stage,
    Updated,
)
from toolcrib_crm.query import Condition, Group, Order, Query, contains, parse
from toolcrib_crm.schema import OBJECTS, ObjectSpec, check_id
from toolcrib_crm.settings import CRMSettings

__all__ = ["CRM"]

R = TypeVar("R", bound=Record)

Limit: TypeAlias = Annotated[int, Field(ge=1, le=2000)]
Text: TypeAlias = Annotated[str, Field(max_length=200)]
Scalar: TypeAlias = str | int | float | bool | None

CONFIDENTIAL = {"confidential"}
OUTSIDE = {"confidential", "untrusted"}
"""Labels of what may hold text that outsiders wrote: leads come from web forms, activities hold received
e-mail.
"""

_ACCOUNT, _CONTACT, _LEAD = OBJECTS["Account"], OBJECTS["Contact"], OBJECTS["Lead"]
_OPPORTUNITY, _ACTIVITY = OBJECTS["Opportunity"], OBJECTS["Activity"]
_OF_RECORD = Preview("get_record", object_type="object_type", record_id="record_id")
_OF_OPPORTUNITY = Preview("get_record", given={"object_type": "Opportunity"}, record_id="opportunity_id")
_OF_LEAD = Preview("get_record", given={"object_type": "Lead"}, record_id="lead_id")


class CRM(Toolkit):
    """Accounts, contacts, leads, opportunities and activities; nothing is opened before the first call."""

    def __init__(self, backend: Backend, settings: CRMSettings | None = None) -> None:
        self._backend = backend
        self._settings = settings or CRMSettings()

    async def close(self) -> None:
        """Release the backend."""
        await self._backend.close()

    # --- reading ----------------------------------------------------------------------------------

    @tool(effect="read", labels=CONFIDENTIAL)
    async def search_accounts(
        self, text: Text = "", industry: Text | None = None, limit: Limit = 20, *, ctx: CallContext
    ) -> Page[Account]:
        """Find companies by name or website, in the order of their names.

        Args:
            text: Part of the company's name or website; empty finds all.
            industry: Only companies of exactly this industry, for example "Manufacturing".
            limit: Most records to return.
        """
        where = [contains(_ACCOUNT, text, ("name", "website"))] if text else []
        return await self._page(Account, [*where, *equal(_ACCOUNT, industry=industry)], "name", limit, ctx)

    @tool(effect="read", labels=OUTSIDE)
    async def get_account_overview(self, account_id: RecordId, *, ctx: CallContext) -> AccountOverview:
        """One company with its contacts, its open and won opportunities and its ten latest activities.

        Args:
            account_id: Id of the account (begins with 001).
        """
        account_id = check_id(_ACCOUNT, account_id)
        mine = {"account_id": account_id}
        cap = self._settings.row_cap
        found, people, deals, recent = await self._backend.fetch_all(
            (
                _listed(_ACCOUNT, equal(_ACCOUNT, id=account_id), "name", 1),
                _listed(_CONTACT, equal(_CONTACT, **mine), "name", min(50, cap)),
                _listed(_OPPORTUNITY, equal(_OPPORTUNITY, **mine), "-close_date", min(100, cap)),
                _listed(_ACTIVITY, equal(_ACTIVITY, **mine), "-activity_date", min(10, cap)),
            ),
            ctx,
        )
        if not found:
            raise unknown(_ACCOUNT, account_id)
        all_deals = tuple(read(Opportunity, row) for row in deals)
        won = tuple(deal for deal in all_deals if deal.is_won)
        return AccountOverview(
            account=read(Account, found[0]),
            contacts=tuple(read(Contact, row) for row in people),
            open_opportunities=tuple(deal for deal in all_deals if not deal.is_closed),
            won_opportunities=won,
            recent_activities=tuple(read(Activity, row) for row in recent),
            won_amount=sum(deal.amount or 0.0 for deal in won),
        )

    @tool(effect="read", labels=CONFIDENTIAL)
    async def search_contacts(
        self, text: Text = "", account_id: RecordId | None = None, limit: Limit = 20, *, ctx: CallContext
    ) -> Page[Contact]:
        """Find people at companies by name, e-mail address or job title.

        Args:
            text: Part of the person's name, e-mail address or title; empty finds all.
            account_id: Only people at this account (begins with 001).
            limit: Most records to return.
        """
        where: list[Condition] = []
        if text:
            where.append(contains(_CONTACT, text, ("name", "email", "title")))
        if account_id:
            where += equal(_CONTACT, account_id=check_id(_ACCOUNT, account_id))
        return await self._page(Contact, where, "name", limit, ctx)

    @tool(effect="read", labels=CONFIDENTIAL)
    async def list_opportunities(
        self,
        account_id: RecordId | None = None,
        stage: Stage | None = None,
        open_only: bool = True,
        limit: Limit = 20,
        *,
        ctx: CallContext,
    ) -> Page[Opportunity]:
        """List deals, those that close soonest first.

        Args:
            account_id: Only deals of this account (begins with 001).
            stage: Only deals in this stage; a closed stage also needs open_only=false.
            open_only: Leave out deals that are won or lost.
            limit: Most records to return.
        """
        where = equal(_OPPORTUNITY, stage=stage, is_closed=False if open_only else None)
        if account_id:
            where += equal(_OPPORTUNITY, account_id=check_id(_ACCOUNT, account_id))
        return await self._page(Opportunity, where, "close_date", limit, ctx)

    @tool(effect="read", labels=OUTSIDE)
    async def get_record(
        self, object_type: ObjectType, record_id: RecordId, *, ctx: CallContext
    ) -> Account | Contact | Lead | Opportunity | Activity:
        """One record with all its fields.

        Args:
            object_type: What kind of record it is.
            record_id: Its id: accounts begin with 001, contacts with 003, opportunities with 006, leads with
                00Q, activities with 00T.
        """
        record = await self._get(OBJECTS[object_type], record_id, ctx)
        assert isinstance(record, Account | Contact | Lead | Opportunity | Activity)
        return record

    @tool(effect="read", labels=OUTSIDE)
    async def run_query(
        self, query: Annotated[str, Field(min_length=1, max_length=4000)], *, ctx: CallContext
    ) -> QueryResult:
        """Answer a question with a query in a small part of SOQL.

        SELECT field, ... FROM Account|Contact|Lead|Opportunity|Activity WHERE ... ORDER BY field [DESC] LIMIT
        n, with =, !=, <, <=, >, >=, LIKE '%text%', IN (...), NOT IN (...), AND, OR, NOT and parentheses. Text
        stands in single quotes (a quote in it is \\'), dates are YYYY-MM-DD, times YYYY-MM-DDThh:mm:ssZ. No
        joins, functions, counts or date words. Example: SELECT name, amount FROM Opportunity WHERE is_won =
        TRUE AND close_date >= 2026-01-01

        Args:
            query: The query; describe_object lists the fields.
        """
        asked = parse(query)
        cap = min(asked.limit or self._settings.row_cap, self._settings.row_cap)
        capped = Query(asked.target, asked.fields, asked.where, asked.order, cap + 1)
        rows = await self._backend.fetch(capped, ctx)
        names = tuple(field.name for field in asked.fields)
        return QueryResult(asked.target.name, names, tuple(rows[:cap]), len(rows) > cap)

    @tool(effect="read")
    async def describe_object(self, object_type: ObjectType, *, ctx: CallContext) -> ObjectInfo:
        """The fields of one kind of record: their types, which may be set or changed, and the values to
        choose from.

        Args:
            object_type: The kind of record.
        """
        spec = OBJECTS[object_type]
        values = await self._backend.picklists(spec, ctx)
        changeable = self._settings.updatable.get(object_type, ())
        return ObjectInfo(
            object_type,
            tuple(
                FieldInfo(
                    name=field.name,
                    type=field.type,
                    required=field.column.required,
                    creatable=field.column.write != "never",
                    updatable=field.name in changeable,
                    values=values.get(field.name, ()),
                )
                for field in spec.fields.values()
            ),
        )

    # --- writing ----------------------------------------------------------------------------------

    @tool(effect="write")
    async def create_lead(
        self,
        last_name: str,
        company: str,
        first_name: str | None = None,
        email: str | None = None,
        phone: str | None = None,
        title: str | None = None,
        website: str | None = None,
        source: str | None = None,
        description: str | None = None,
        *,
        ctx: CallContext,
    ) -> Created:
        """Note someone who may become a customer. Look first whether the person is known (search_contacts,
        run_query).

        Args:
            last_name: Family name.
            company: The company the person works for.
            first_name: Given name.
            email: E-mail address.
            phone: Telephone number.
            title: Job title.
            website: The company's website.
            source: Where the lead came from, for example "Trade Show".
            description: What is known so far.
        """
        return await self._create(
            _LEAD,
            ctx,
            last_name=last_name,
            company=company,
            first_name=first_name,
            email=email,
            phone=phone,
            title=title,
            website=website,
            source=source,
            description=description,
        )

    @tool(effect="write")
    async def create_contact(
        self,
        account_id: Annotated[RecordId, Target],
        last_name: str,
        first_name: str | None = None,
        email: str | None = None,
        phone: str | None = None,
        title: str | None = None,
        department: str | None = None,
        *,
        ctx: CallContext,
    ) -> Created:
        """Add a person to a company. Look first whether the person is there already (search_contacts).

        Args:
            account_id: The account that the person belongs to (begins with 001).
            last_name: Family name.
            first_name: Given name.
            email: E-mail address.
            phone: Telephone number.
            title: Job title.
            department: Department.
        """
        return await self._create(
            _CONTACT,
            ctx,
            account_id=check_id(_ACCOUNT, account_id),
            last_name=last_name,
            first_name=first_name,
            email=email,
            phone=phone,
            title=title,
            department=department,
        )

    @tool(effect="write", idempotent=True, preview=_OF_RECORD)
    async def update_record(
        self,
        object_type: ObjectType,
        record_id: Annotated[RecordId, Target],
        changes: Annotated[dict[str, Scalar], Field(min_length=1, max_length=40)],
        *,
        ctx: CallContext,
    ) -> Updated:
        """Change fields of one record; fields that are not named stay as they are.

        Only the fields that describe_object calls updatable may be changed. An opportunity's stage is moved
        by set_opportunity_stage.

        Args:
            object_type: The kind of record.
            record_id: The record's id.
            changes: New values by field name; null empties a field. Dates are "YYYY-MM-DD".
        """
        spec = OBJECTS[object_type]
        record_id = check_id(spec, record_id)
        values = spec.updatable(changes, self._settings.updatable.get(object_type, ()))
        await self._backend.update(spec, record_id, values, ctx)
        return Updated(object_type, record_id, tuple(values))

    @tool(effect="write", idempotent=True, preview=_OF_OPPORTUNITY, labels=CONFIDENTIAL)
    async def set_opportunity_stage(
        self, opportunity_id: Annotated[RecordId, Target], stage: Stage, *, ctx: CallContext
    ) -> Opportunity:
        """Move a deal to another stage, and see the deal as it then stands. Setting the stage it has changes
        nothing.

        Args:
            opportunity_id: Id of the opportunity (begins with 006).
            stage: The stage to move it to.
        """
        before = await self._get(_OPPORTUNITY, opportunity_id, ctx)
        assert isinstance(before, Opportunity)
        if before.stage == stage:
            return before
        await self._backend.update(_OPPORTUNITY, before.id, {"stage": stage}, ctx)
        after = await self._get(_OPPORTUNITY, before.id, ctx)
        assert isinstance(after, Opportunity)
        return after

    @tool(effect="write")
    async def log_activity(
        self,
        about_id: Annotated[RecordId, Target],
        kind: ActivityKind,
        subject: str,
        body: str = "",
        on: date | None = None,
        *,
        ctx: CallContext,
    ) -> Created:
        """Note a call, e-mail or meeting that has taken place, in the history of a person, company or deal.

        Args:
            about_id: Id of the contact, lead, account or opportunity that it was about.
            kind: What it was.
            subject: One line that says what it was about.
            body: What was said or written.
            on: The day on which it took place; today (UTC) if left out.
        """
        link = {
            "who_id" if about_id.startswith((_CONTACT.prefix, _LEAD.prefix)) else "related_id": party(
                about_id
            )
        }
        day = on or datetime.now(UTC).date()
        return await self._create(
            _ACTIVITY,
            ctx,
            kind=kind,
            subject=subject,
            body=body,
            activity_date=day,
            status="Completed",
            **link,
        )

    @tool(effect="destructive", preview=_OF_LEAD)
    async def convert_lead(
        self,
        lead_id: Annotated[RecordId, Target],
        account_id: Annotated[RecordId | None, Target] = None,
        opportunity_name: Annotated[str, Field(min_length=1, max_length=120)] | None = None,
        *,
        ctx: CallContext,
    ) -> Conversion:
        """Turn a lead into a contact at an account, and a new opportunity if one is named. This cannot be
        undone.

        Args:
            lead_id: Id of the lead (begins with 00Q).
            account_id: Existing account to put the person in (begins with 001); left out, a new account is
                made.
            opportunity_name: Name of the new opportunity; left out, none is made.
        """
        account = check_id(_ACCOUNT, account_id) if account_id else None
        return await self._backend.convert_lead(check_id(_LEAD, lead_id), account, opportunity_name, ctx)

    @tool(effect="destructive", preview=_OF_RECORD)
    async def delete_record(
        self, object_type: ObjectType, record_id: Annotated[RecordId, Target], *, ctx: CallContext
    ) -> Deleted:
        """Delete one record and what belongs to it alone (an account's contacts, open or lost deals and
        activities).

        Args:
            object_type: The kind of record.
            record_id: The record's id.
        """
        spec = OBJECTS[object_type]
        record_id = check_id(spec, record_id)
        await self._backend.delete(spec, record_id, ctx)
        return Deleted(object_type, record_id)

    # --- the way to the backend -------------------------------------------------------------------

    async def _page(
        self, model: type[R], where: Sequence[Condition], by: str, limit: int, ctx: CallContext
    ) -> Page[R]:
        """At most `limit` records, and never more than the row cap; one more is asked for, to know whether
        there is.
        """
        spec = next(spec for spec in OBJECTS.values() if spec.model is model)
        cap = min(limit, self._settings.row_cap)
        rows = await self._backend.fetch(_listed(spec, where, by, cap + 1), ctx)
        return Page(tuple(read(model, row) for row in rows[:cap]), len(rows) > cap)

    async def _get(self, spec: ObjectSpec, record_id: str, ctx: CallContext) -> Record:
        record_id = check_id(spec, record_id)
        rows = await self._backend.fetch(_listed(spec, equal(spec, id=record_id), "id", 1), ctx)
        if not rows:
            raise unknown(spec, record_id)
        return read(spec.model, rows[0])

    async def _create(self, spec: ObjectSpec, ctx: CallContext, **values: Any) -> Created:
        return Created(spec.name, await self._backend.create(spec, spec.creatable(values), ctx))


def _listed(spec: ObjectSpec, where: Sequence[Condition], by: str, limit: int) -> Query:
    """Whole records, sorted by a field (`-`: downwards), those without a value last."""
    order = (Order(spec.field(by.lstrip("-")), by.startswith("-"), nulls_last=True),)
    condition = Group("AND", tuple(where)) if where else None
    return Query(spec, tuple(spec.fields.values()), condition, order, limit)
