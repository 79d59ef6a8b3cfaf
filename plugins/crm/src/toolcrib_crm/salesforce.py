"""Salesforce over its REST API, through simple-salesforce in threads; lead conversion over SOAP, where alone
it exists.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from typing import Any, TypeVar

from requests import Response
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession

from toolcrib import CallContext
from toolcrib.errors import NotSent, VendorRefused
from toolcrib_crm import soql
from toolcrib_crm._salesforce_errors import Unreadable, translate
from toolcrib_crm._salesforce_sessions import Credentials, Sessions
from toolcrib_crm.backend import Row, Values
from toolcrib_crm.models import Conversion
from toolcrib_crm.query import Query
from toolcrib_crm.schema import Field, ObjectSpec, Value
from toolcrib_crm.settings import CRMSettings

__all__ = ["SalesforceBackend"]

T = TypeVar("T")


class SalesforceBackend:
    """See `Backend`. Credentials come from the secret `salesforce` of the calling principal, anew for every
    call.

    `adapter` carries the HTTPS requests; tests pass one that leads to a fake, production passes none.
    """

    def __init__(self, settings: CRMSettings, *, adapter: HTTPAdapter | None = None) -> None:
        self._settings = settings
        self._sessions = Sessions(settings, adapter)

    async def fetch(self, query: Query, ctx: CallContext) -> Sequence[Row]:
        """See `Backend.fetch`; pages are followed up to the query's limit."""
        text = soql.render(query)
        return await self._run(ctx, lambda link: link.query(text, query))

    async def picklists(self, spec: ObjectSpec, ctx: CallContext) -> Mapping[str, tuple[str, ...]]:
        """See `Backend.picklists`; the org's own values, where they are active."""
        return await self._run(ctx, lambda link: link.picklists(spec))

    async def create(self, spec: ObjectSpec, values: Values, ctx: CallContext) -> str:
        """See `Backend.create`."""
        body = _body(spec, values)
        return await self._run(ctx, lambda link: link.create(spec, body))

    async def update(self, spec: ObjectSpec, record_id: str, values: Values, ctx: CallContext) -> None:
        """See `Backend.update`."""
        path = _path(spec, record_id)
        await self._run(ctx, lambda link: link.send("PATCH", path, _body(spec, values)))

    async def delete(self, spec: ObjectSpec, record_id: str, ctx: CallContext) -> None:
        """See `Backend.delete`; what goes with the record is Salesforce's own rule."""
        path = _path(spec, record_id)
        await self._run(ctx, lambda link: link.send("DELETE", path))

    async def convert_lead(
        self, lead_id: str, account_id: str | None, opportunity_name: str | None, ctx: CallContext
    ) -> Conversion:
        """See `Backend.convert_lead`."""
        status = self._settings.converted_status
        return await self._run(ctx, lambda link: link.convert(lead_id, account_id, opportunity_name, status))

    async def close(self) -> None:
        """See `Backend.close`."""
        self._sessions.close()

    async def _run(self, ctx: CallContext, work: Callable[[_Link], T]) -> T:
        secret = (await ctx.secret("salesforce")).reveal()
        credentials = Credentials.read(secret, self._settings.login, ctx.principal)
        until = min(ctx.deadline, time.monotonic() + self._settings.timeout)
        return await asyncio.to_thread(self._work, credentials, until, work)

    def _work(self, credentials: Credentials, until: float, work: Callable[[_Link], T]) -> T:
        """Do the work; log in again once where the session has expired, which is said before anything is
        done.
        """
        client = self._sessions.client(credentials)
        try:
            try:
                return work(_Link(client, until))
            except SalesforceExpiredSession:
                client = self._sessions.client(credentials, instead_of=client)
                return work(_Link(client, until))
        except Exception as error:
            known = translate(error, [*credentials.values.values(), client.session_id])
            if known is None:
                raise
            raise known from None  # the cause holds the request, and with it the token


class _Link:
    """One client for the length of one call; every request ends by `until` (monotonic seconds)."""

    def __init__(self, client: Salesforce, until: float) -> None:
        self._client = client
        self._until = until

    def send(self, method: str, path: str, body: Any = None, **parameters: str) -> Any:
        """One REST request, path relative to the version's root."""
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        return self._client.restful(path, parameters or None, method, data=data, timeout=self._left())

    def query(self, text: str, query: Query) -> list[Row]:
        assert query.limit is not None, "a query without a limit is never sent"
        page = self.send("GET", "query/", q=text)
        records = list(_part(page, "records", list))
        while not _part(page, "done", bool) and len(records) < query.limit:
            page = self._more(_part(page, "nextRecordsUrl", str))
            records += _part(page, "records", list)
        return [_row(query.fields, record) for record in records[: query.limit]]

    def _more(self, url: str) -> Any:
        # The library glues this to the host name: anything but a path could lead elsewhere, with the token.
        if not re.fullmatch(r"/services/data/v[0-9.]+/query/[A-Za-z0-9-]+", url):
            raise Unreadable("the address of the next page is no such address")
        return self._client.query_more(url, identifier_is_url=True, timeout=self._left())

    def picklists(self, spec: ObjectSpec) -> dict[str, tuple[str, ...]]:
        described = _part(self.send("GET", f"sobjects/{spec.vendor}/describe"), "fields", list)
        ours = {field.column.vendor: field.name for field in spec.fields.values()}
        return {
            ours[field["name"]]: tuple(str(v["value"]) for v in field["picklistValues"] if v["active"])
            for field in described
            if field["name"] in ours and field.get("picklistValues")
        }

    def create(self, spec: ObjectSpec, body: Mapping[str, Any]) -> str:
        return str(_part(self.send("POST", f"sobjects/{spec.vendor}", body), "id", str))

    def convert(self, lead_id: str, account_id: str | None, deal: str | None, status: str) -> Conversion:
        client = self._client
        answer = client.session.post(
            f"https://{client.sf_instance}/services/Soap/u/{client.sf_version}",
            data=_convert_request(client.session_id, lead_id, account_id, deal, status).encode(),
            headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
            timeout=self._left(),
        )
        if "INVALID_SESSION_ID" in (_element(answer.text, "faultcode") or ""):
            raise SalesforceExpiredSession(answer.url, 401, "convertLead", b"")
        return _conversion(answer, lead_id)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise NotSent("the call's time was up before the request was sent")
        return left


def _path(spec: ObjectSpec, record_id: str) -> str:
    assert record_id.isascii() and record_id.isalnum(), "ids are checked before they come here"
    return f"sobjects/{spec.vendor}/{record_id}"


def _body(spec: ObjectSpec, values: Values) -> dict[str, Any]:
    return {spec.fields[name].column.vendor: _json(value) for name, value in values.items()}


def _json(value: Value) -> Any:
    return value if value is None or isinstance(value, str | int | float) else value.isoformat()


def _row(fields: Sequence[Field], record: Any) -> Row:
    try:
        return {field.name: field.plain(_dig(record, field.column.vendor)) for field in fields}
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"a record lacks a field, or holds something else in it ({error})") from None


def _dig(record: Any, path: str) -> Any:
    """`Account.Name` of a record; None where the record has no account."""
    for name in path.split("."):
        record = None if record is None else record[name]
    return record


def _part(answer: Any, name: str, kind: type[T]) -> T:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, kind):
        raise Unreadable(f"it has no {name!r}")
    return found


def _convert_request(
    session_id: str, lead_id: str, account_id: str | None, deal: str | None, status: str
) -> str:
    """A `convertLead` call of the partner API; elements in the order of its WSDL."""
    account = f"<urn:accountId>{account_id}</urn:accountId>" if account_id else ""
    name = f"<urn:opportunityName>{_xml(deal)}</urn:opportunityName>" if deal else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:urn="urn:partner.soap.sforce.com">'
        f"<soapenv:Header><urn:SessionHeader><urn:sessionId>{_xml(session_id)}</urn:sessionId></urn:SessionHeader></soapenv:Header>"
        f"<soapenv:Body><urn:convertLead><urn:leadConverts>{account}"
        f"<urn:convertedStatus>{_xml(status)}</urn:convertedStatus>"
        f"<urn:doNotCreateOpportunity>{'false' if deal else 'true'}</urn:doNotCreateOpportunity>"
        f"<urn:leadId>{lead_id}</urn:leadId>{name}"
        "<urn:overwriteLeadSource>false</urn:overwriteLeadSource><urn:sendNotificationEmail>false</urn:sendNotificationEmail>"
        "</urn:leadConverts></urn:convertLead></soapenv:Body></soapenv:Envelope>"
    )


def _xml(text: str) -> str:
    """`text` inside an element; characters that XML 1.0 cannot hold at all are refused."""
    if re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text):
        raise VendorRefused(
            f"{text!a:.80} has characters that XML cannot hold", remedy="Leave control characters out"
        )
    return escape(text)


def _conversion(answer: Response, lead_id: str) -> Conversion:
    text = answer.text
    if _element(text, "success") != "true":
        words = _element(text, "faultstring") or _element(text, "message")
        if words is None:
            raise Unreadable("it is no answer to convertLead")
        code = _element(text, "faultcode") or _element(text, "statusCode") or ""
        raise VendorRefused(
            f"Salesforce refused ({answer.status_code} {code.removeprefix('sf:')}): {unescape(words)}"
        )
    account, contact = _element(text, "accountId"), _element(text, "contactId")
    if not account or not contact:
        raise Unreadable("it names no account and contact")
    return Conversion(lead_id, account, contact, _element(text, "opportunityId") or None)


def _element(xml: str, name: str) -> str | None:
    """The text of the first element of this name; no XML parser ever sees what came over the wire."""
    found = re.search(rf"<(?:\w+:)?{name}(?:\s[^<>]*)?>([^<]*)</", xml)
    return found.group(1) if found else None
