"""Salesforce over its REST API, through the client kit; lead conversion over SOAP, where alone it exists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolcrib import CallContext
from toolcrib.errors import ToolError
from toolcrib.kit import Answer, look_up_first, path, vendor_key
from toolcrib_crm import _salesforce_soap as soap
from toolcrib_crm import soql
from toolcrib_crm._salesforce_rest import Org, part
from toolcrib_crm.backend import Row, Values
from toolcrib_crm.models import Conversion
from toolcrib_crm.query import Query
from toolcrib_crm.schema import Field, ObjectSpec, Value
from toolcrib_crm.settings import CRMSettings

if TYPE_CHECKING:
    import httpx

__all__ = ["SalesforceBackend"]


class SalesforceBackend:
    """See `Backend`. Credentials come from the secret `salesforce` of the calling principal, anew for every
    call.

    `transport` carries the HTTPS requests; tests pass one that leads to a fake, production passes none.
    """

    def __init__(self, settings: CRMSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._org = Org(settings, transport)

    async def fetch(self, query: Query, ctx: CallContext) -> Sequence[Row]:
        """See `Backend.fetch`; pages are followed up to the query's limit."""
        assert query.limit is not None, "a query without a limit is never sent"
        records = await self._org.query(soql.render(query), ctx, limit=query.limit)
        return [_row(query.fields, record) for record in records]

    async def fetch_all(self, queries: Sequence[Query], ctx: CallContext) -> Sequence[Sequence[Row]]:
        """See `Backend.fetch_all`; one composite batch."""
        texts = [soql.render(query) for query in queries]
        limits = [query.limit for query in queries if query.limit is not None]
        assert len(limits) == len(queries), "a query without a limit is never sent"
        found = await self._org.queries(texts, ctx, limits=limits)
        return [
            [_row(query.fields, record) for record in records]
            for query, records in zip(queries, found, strict=True)
        ]

    async def picklists(self, spec: ObjectSpec, ctx: CallContext) -> Mapping[str, tuple[str, ...]]:
        """See `Backend.picklists`; the org's own values, where they are active."""
        ours = {field.column.vendor: field.name for field in spec.fields.values()}
        described = await self._org.describe(spec.vendor, ctx)
        return {
            ours[str(field["name"])]: _active(field["picklistValues"])
            for field in described
            if str(field.get("name")) in ours and field.get("picklistValues")
        }

    async def create(self, spec: ObjectSpec, values: Values, ctx: CallContext) -> str:
        """See `Backend.create`. Where the org has a field for the call's key, the record is upserted by it,
        and found by it again if the answer is lost; else such a call stays open.
        """
        body, external = _body(spec, values), self._settings.external_id
        if not external:
            return _made(await self._org.send("POST", path("sobjects", spec.vendor), ctx, json=body))
        where = path("sobjects", spec.vendor, external, vendor_key(ctx, spec.name))

        async def find() -> str | None:
            found = await self._org.send("GET", where, ctx, query={"fields": "Id"}, accept=(404,))
            return None if found.status == 404 else _id(part(found.json(), "Id", str), "record")

        async def make() -> str:
            return _made(await self._org.send("PATCH", where, ctx, json=body))

        return await look_up_first(find, make)

    async def update(self, spec: ObjectSpec, record_id: str, values: Values, ctx: CallContext) -> None:
        """See `Backend.update`."""
        where = path("sobjects", spec.vendor, record_id)
        _done(await self._org.send("PATCH", where, ctx, json=_body(spec, values)))

    async def delete(self, spec: ObjectSpec, record_id: str, ctx: CallContext) -> None:
        """See `Backend.delete`; what goes with the record is Salesforce's own rule."""
        _done(await self._org.send("DELETE", path("sobjects", spec.vendor, record_id), ctx))

    async def convert_lead(
        self, lead_id: str, account_id: str | None, opportunity_name: str | None, ctx: CallContext
    ) -> Conversion:
        """See `Backend.convert_lead`."""
        status = self._settings.converted_status
        text = await self._org.convert(lead_id, account_id, opportunity_name, status, ctx)
        deal = soap.element(text, "opportunityId")
        return Conversion(
            lead_id,
            account_id=_id(soap.element(text, "accountId"), "account"),
            contact_id=_id(soap.element(text, "contactId"), "contact"),
            opportunity_id=_id(deal, "opportunity") if deal else None,
        )

    async def close(self) -> None:
        """See `Backend.close`."""
        await self._org.close()


def _made(answer: Answer) -> str:
    return _id(part(answer.json(), "id", str), "record")


def _id(found: str | None, what: str) -> str:
    """An id as Salesforce writes them; what was made is there all the same, so this is no refusal."""
    if not found or not re.fullmatch(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", found):
        raise ToolError(
            f"Salesforce's answer names no {what} by an id",
            rule="an id has 15 or 18 letters and digits",
            remedy="Look whether the change was made",
        )
    return found


def _done(answer: Answer) -> None:
    """A change is answered with nothing at all; anything else was said by something else than Salesforce."""
    if not answer.is_empty:
        raise ToolError(
            f"Salesforce answered {answer.status} with a body, where it sends none",
            rule="a change is answered with 204",
            remedy="Look whether the change was made",
        )


def _active(values: Any) -> tuple[str, ...]:
    try:
        return tuple(str(each["value"]) for each in values if each["active"])
    except (TypeError, KeyError):
        raise ToolError("Salesforce describes a field's values in another shape") from None


def _body(spec: ObjectSpec, values: Values) -> dict[str, Any]:
    return {spec.fields[name].column.vendor: _json(value) for name, value in values.items()}


def _json(value: Value) -> Any:
    return value if value is None or isinstance(value, str | int | float) else value.isoformat()


def _row(fields: Sequence[Field], record: Any) -> Row:
    try:
        return {field.name: field.plain(_dig(record, field.column.vendor)) for field in fields}
    except (KeyError, TypeError, ValueError):
        raise ToolError(
            "Salesforce's answer has a record that lacks a field, or holds something else in it",
            rule="a record has the fields that were asked for",
        ) from None


def _dig(record: Any, way: str) -> Any:
    """`Account.Name` of a record; None where the record has no account."""
    for name in way.split("."):
        record = None if record is None else record[name]
    return record
