"""The fake org as a service: which request gets which answer."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ET  # the fake reads only what tests send it
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from toolcrib.testing import FakeService, Reply, Request
from toolcrib_crm.schema import OBJECTS as OURS
from toolcrib_crm.testing._logins import ConnectedApp, Logins, soap_fault
from toolcrib_crm.testing._logins import _xml as soap_reply
from toolcrib_crm.testing._schema import OBJECTS, described
from toolcrib_crm.testing._soql import SOQLError, plan
from toolcrib_crm.testing._store import Refusal, Store
from toolcrib_crm.testing._ways import LoopbackTransport

if TYPE_CHECKING:
    import requests

__all__ = ["EXTERNAL_ID", "FakeSalesforce"]

EXTERNAL_ID = "Toolcrib_Key__c"
"""The field for the call's key that this org's leads, contacts and tasks have."""

_VERSION = "/services/data/v{version}"
_PARTNER = "{urn:partner.soap.sforce.com}"
Handler: TypeAlias = Callable[[Request], Reply]


class FakeSalesforce(FakeService):
    """A strict little org on loopback HTTP; `transport()` leads a client's HTTPS requests to it.

    What `FakeService` can do to the next requests (`fail`, `cut`, `holding`) comes on top of
    `expire_sessions` and `page_size`. `queries` are
    all SOQL texts received, `changes` all writes that were done, `store` the records.
    """

    def __init__(self, *, instance: str = "acme.my.salesforce.com", page_size: int = 2000) -> None:
        super().__init__()
        self.logins = Logins(instance)
        self.store = Store()
        self.page_size = page_size
        self.queries: list[str] = []
        self.changes: list[tuple[str, str]] = []
        self._cursors: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self._cursor_numbers = itertools.count(1)
        self._expiries: Iterator[bool] = repeat(False)
        self._register()

    def _register(self) -> None:
        self.route("POST", "/services/Soap/u/{version}", self._soap)
        self.route("POST", "/services/oauth2/token", self.logins.oauth)
        self._data("GET", "/limits/", self._limits)
        self._data("GET", "/sobjects", self._objects)
        self._data("GET", "/query/", self._query)
        self._data("GET", "/query/{cursor}", self._query_more)
        self._data("GET", "/sobjects/{object}/describe", self._describe)
        for path in ("/sobjects/{object}", "/sobjects/{object}/"):
            self._data("GET", path, self._metadata)
            self._data("POST", path, self._create)
        self._data("GET", "/sobjects/{object}/{id}", self._get)
        self._data("PATCH", "/sobjects/{object}/{id}", self._update)
        self._data("DELETE", "/sobjects/{object}/{id}", self._delete)
        self._data("GET", "/sobjects/{object}/{field}/{value}", self._get_by)
        self._data("PATCH", "/sobjects/{object}/{field}/{value}", self._upsert)
        self._data("POST", "/composite/batch", self._batch)

    def _data(self, method: str, path: str, handler: Handler) -> None:
        self.route(method, _VERSION + path, lambda request: self._guarded(request, handler))

    # --- what tests use ---------------------------------------------------------------------------

    def add_user(self, username: str, password: str, security_token: str = "") -> None:
        """A user who may log in by SOAP; without a token only the password is asked for (a trusted
        network).
        """
        self.logins.users[username] = (password, security_token)

    def add_app(self, app: ConnectedApp) -> None:
        """A connected app that may log in by OAuth."""
        self.logins.apps[app.consumer_key] = app

    def load(self, records: Mapping[Any, Sequence[Mapping[str, Any]]]) -> None:
        """Records as `toolcrib_crm.sample.records()` has them, under their Salesforce names."""
        for kind, rows in records.items():
            fields = OURS[kind].fields
            for row in rows:
                named = {
                    fields[key].column.vendor: _vendor_value(fields[key].type, value)
                    for key, value in row.items()
                }
                self.store.load(
                    OURS[kind].vendor, {k: v for k, v in named.items() if k in OBJECTS[OURS[kind].vendor]}
                )

    def expire_sessions(self, *, after: int = 0) -> None:
        """All sessions end, `after` so many more requests for data."""
        with self.lock:
            self._expiries = chain(repeat(False, after), [True], repeat(False))
            if not after:
                self.logins.sessions.clear()

    def transport(self) -> LoopbackTransport:
        """A transport to hand to `SalesforceBackend`."""
        return LoopbackTransport(self.url)

    def session(self) -> requests.Session:
        """A `requests` session that takes this service for all of HTTPS, for the bare `simple_salesforce`
        client.
        """
        from toolcrib_crm.testing._adapter import loopback_session

        return loopback_session(self.url)

    def error(self, status: int, message: str) -> Any:
        """Errors of the service itself, in Salesforce's shape."""
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(status, "UNKNOWN_EXCEPTION")
        return [{"errorCode": code, "message": message}]

    # --- serving ----------------------------------------------------------------------------------

    def wrote(self, request: Request, reply: Reply) -> bool:
        """See `FakeService.wrote`: a login and a batch of queries are posted, and change nothing."""
        login = request.path.startswith("/services/Soap/") and b"convertLead" not in request.body
        asks = login or request.path == "/services/oauth2/token" or request.path.endswith("/composite/batch")
        return super().wrote(request, reply) and not asks

    def _guarded(self, request: Request, handler: Handler) -> Reply:
        """What holds for every REST request: host, version, session, content type; and how refusals look."""
        try:
            if request.headers.get("host") != self.logins.instance or not _known(
                request.parameters["version"]
            ):
                raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
            with self.lock:
                if next(self._expiries):
                    self.logins.sessions.clear()
                if request.bearer not in self.logins.sessions:
                    raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
                return handler(request)
        except Refusal as refused:
            body = [{"message": refused.message, "errorCode": refused.code, "fields": list(refused.fields)}]
            return Reply.json(body, refused.status)

    def _limits(self, request: Request) -> Reply:
        return Reply.json({"DailyApiRequests": {"Max": 15000, "Remaining": 15000 - len(self.requests)}})

    def _objects(self, request: Request) -> Reply:
        names = [{"name": name, "keyPrefix": described(name)["keyPrefix"]} for name in OBJECTS]
        return Reply.json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": names})

    def _metadata(self, request: Request) -> Reply:
        return Reply.json({"objectDescribe": {"name": self._object(request)}, "recentItems": []})

    def _describe(self, request: Request) -> Reply:
        return Reply.json(described(self._object(request)))

    def _query(self, request: Request) -> Reply:
        if set(request.query) != {"q"}:
            raise Refusal(400, "MALFORMED_QUERY", "the query string must have q and nothing else")
        text = request.query["q"]
        self.queries.append(text)
        try:
            found = plan(text)
        except SOQLError as error:
            raise Refusal(400, error.code, str(error)) from None
        records = [
            self._selected(found.target, found.fields, row) for row in found.run(self.store.all(found.target))
        ]
        return self._page(request, records, 0)

    def _query_more(self, request: Request) -> Reply:
        known = self._cursors.pop(request.parameters["cursor"], None)
        if known is None:
            raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(request, *known)

    def _page(self, request: Request, records: list[dict[str, Any]], start: int) -> Reply:
        end = start + self.page_size
        page: dict[str, Any] = {
            "totalSize": len(records),
            "done": end >= len(records),
            "records": records[start:end],
        }
        if not page["done"]:
            cursor = f"01gTC{next(self._cursor_numbers):010d}-{end}"
            self._cursors[cursor] = (records, end)
            page["nextRecordsUrl"] = f"/services/data/v{request.parameters['version']}/query/{cursor}"
        return Reply.json(page)

    def _selected(self, name: str, fields: tuple[str, ...], row: Mapping[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {
            "attributes": {"type": name, "url": f"/services/data/v59.0/sobjects/{name}/{row['Id']}"}
        }
        for field in fields:
            owner, _, last = field.rpartition(".")
            if not owner:
                record[field] = row[field]
            elif row.get(f"{owner}Id") is None:
                record[owner] = None
            else:
                record.setdefault(owner, {"attributes": {"type": owner}})[last] = row[field]
        return record

    def _get(self, request: Request) -> Reply:
        name = self._object(request)
        row = self.store.get(name, request.parameters["id"])
        return Reply.json(self._selected(name, tuple(OBJECTS[name]), row))

    def _create(self, request: Request) -> Reply:
        name = self._object(request)
        record_id = self.store.create(name, self._body(request))
        self.changes.append(("create", record_id))
        return Reply.json({"id": record_id, "success": True, "errors": []}, 201)

    def _update(self, request: Request) -> Reply:
        self.store.update(self._object(request), request.parameters["id"], self._body(request))
        self.changes.append(("update", request.parameters["id"]))
        return Reply(204)

    def _delete(self, request: Request) -> Reply:
        self.store.delete(self._object(request), request.parameters["id"])
        self.changes.append(("delete", request.parameters["id"]))
        return Reply(204)

    def _get_by(self, request: Request) -> Reply:
        name, record_id = self._object(request), self._by_key(request)
        if record_id is None:
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        fields = tuple(request.query.get("fields", "").split(",")) if request.query else tuple(OBJECTS[name])
        if unknown := set(fields) - set(OBJECTS[name]):
            raise Refusal(400, "INVALID_FIELD", f"No such column '{min(unknown)}' on sobject of type {name}")
        return Reply.json(self._selected(name, fields, self.store.get(name, record_id)))

    def _upsert(self, request: Request) -> Reply:
        name, record_id, body = self._object(request), self._by_key(request), self._body(request)
        field, value = request.parameters["field"], request.parameters["value"]
        if field in body:
            raise Refusal(
                400, "INVALID_FIELD", f"The {field} field should not be specified in the sobject data."
            )
        made = record_id is None
        if record_id is None:
            record_id = self.store.create(name, {**body, field: value})
        else:
            self.store.update(name, record_id, body)
        self.changes.append(("create" if made else "update", record_id))
        answer = {"id": record_id, "success": True, "errors": [], "created": made}
        return Reply.json(answer, 201 if made else 200)

    def _by_key(self, request: Request) -> str | None:
        name, field, value = (request.parameters[part] for part in ("object", "field", "value"))
        if field != EXTERNAL_ID or field not in OBJECTS.get(name, {}):
            raise Refusal(
                404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}"
            )
        rows = self.store.all(name)
        return next((str(row["Id"]) for row in rows if row[field] == value), None)

    def _batch(self, request: Request) -> Reply:
        """At most 25 requests, each with the answer that it would have alone; here only queries."""
        body = self._body(request)
        asked = body.get("batchRequests")
        if (
            not isinstance(asked, list)
            or not 1 <= len(asked) <= 25
            or set(body) - {"batchRequests", "haltOnError"}
        ):
            raise Refusal(400, "INVALID_BATCH_REQUEST", "batchRequests is a list of 1 to 25 requests")
        results = [self._in_batch(request, one) for one in asked]
        failed = any(result["statusCode"] >= 400 for result in results)
        return Reply.json({"hasErrors": failed, "results": results})

    def _in_batch(self, request: Request, one: Mapping[str, Any]) -> dict[str, Any]:
        version, _, rest = str(one.get("url")).partition("/")
        where, _, query = rest.partition("?")
        try:
            if one.get("method") != "GET" or where != "query/" or not _known(version.removeprefix("v")):
                raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
            asked = replace(
                request,
                method="GET",
                query=dict(parse_qsl(query, keep_blank_values=True)),
                parameters={"version": version.removeprefix("v")},
            )
            return {"statusCode": 200, "result": json.loads(self._query(asked).body)}
        except Refusal as refused:
            return {
                "statusCode": refused.status,
                "result": [{"errorCode": refused.code, "message": refused.message}],
            }

    def _object(self, request: Request) -> str:
        name = request.parameters["object"]
        if name not in OBJECTS:
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        return name

    def _body(self, request: Request) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refusal(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                "Content-Type header specified in HTTP request is not supported",
            )
        try:
            body = request.json()
        except Exception:
            raise Refusal(400, "JSON_PARSER_ERROR", "Unexpected character in the body") from None
        if not isinstance(body, dict):
            raise Refusal(400, "JSON_PARSER_ERROR", "The HTTP entity body must be an object")
        return body

    # --- SOAP -------------------------------------------------------------------------------------

    def _soap(self, request: Request) -> Reply:
        if (
            not request.headers.get("content-type", "").startswith("text/xml")
            or "soapaction" not in request.headers
        ):
            return soap_fault(
                "soapenv:Client", "a SOAP request has the content type text/xml and a SOAPAction"
            )
        if not _known(request.parameters["version"]):
            return soap_fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL")
        with self.lock:
            if b"convertLead" in request.body:
                return self._convert(request)
            return self.logins.soap(request, request.parameters["version"])

    def _convert(self, request: Request) -> Reply:
        try:
            body = ET.fromstring(request.body)  # noqa: S314
        except ET.ParseError as error:
            return soap_fault("soapenv:Client", f"Content is not well formed: {error}")
        if body.findtext(f".//{_PARTNER}SessionHeader/{_PARTNER}sessionId") not in self.logins.sessions:
            return soap_fault(
                "sf:INVALID_SESSION_ID", "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader"
            )
        if request.headers.get("host") != self.logins.instance:
            return soap_fault("sf:UNKNOWN_EXCEPTION", "Destination URL not reset")
        asked = {
            part.tag.removeprefix(_PARTNER): part.text
            for part in body.iterfind(f".//{_PARTNER}leadConverts/*")
        }
        if list(asked) != [name for name in _CONVERT_ORDER if name in asked]:
            return soap_fault("soapenv:Client", "elements are unknown or not in the order of the WSDL")
        return self._converted(asked)

    def _converted(self, asked: Mapping[str, str | None]) -> Reply:
        deal = None if asked.get("doNotCreateOpportunity") == "true" else asked.get("opportunityName")
        try:
            lead = asked.get("leadId") or ""
            ids = self.store.convert(lead, asked.get("accountId"), deal, asked.get("convertedStatus") or "")
        except Refusal as refused:
            message = f"<message>{escape(refused.message)}</message>"
            errors = f"<errors>{message}<statusCode>{refused.code}</statusCode></errors>"
            return soap_reply(
                f"<convertLeadResponse><result>{errors}<success>false</success></result></convertLeadResponse>"
            )
        self.changes.append(("convert", lead))
        account, contact, opportunity = ids
        return soap_reply(
            f"<convertLeadResponse><result><accountId>{account}</accountId><contactId>{contact}</contactId><leadId>{lead}</leadId>"
            f"<opportunityId>{opportunity}</opportunityId><success>true</success></result></convertLeadResponse>"
        )


_CONVERT_ORDER = (
    "accountId", "contactId", "convertedStatus", "doNotCreateOpportunity", "leadId", "opportunityName",
    "overwriteLeadSource", "ownerId", "sendNotificationEmail",
)  # fmt: skip


def _known(version: str) -> bool:
    return re.fullmatch(r"[3-6]\d\.0", version) is not None


def _vendor_value(kind: str, value: Any) -> Any:
    if value is None or kind not in ("boolean", "datetime"):
        return value
    return bool(value) if kind == "boolean" else str(value).replace("Z", ".000+0000")
