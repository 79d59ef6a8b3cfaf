"""ServiceNow's tables, through the client library pysnc over the kit's client.

pysnc makes the requests; they are carried by the kit, as the library alone would follow redirects with the
token, lose the token of a password login, wait without end, and print what it cannot read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pysnc.asyncio import AsyncServiceNowClient  # type: ignore[import-untyped]
from pysnc.exceptions import NotFoundException  # type: ignore[import-untyped]

from toolcrib import CallContext
from toolcrib.errors import NotSent, ToolError, VendorRefused
from toolcrib.kit import BasicLogin, Client, Credentials, Token, TokenLogin, fit
from toolcrib_itsm._servicenow_map import FIELDS, Row
from toolcrib_itsm._values import read_id
from toolcrib_itsm.settings import ITSMSettings

__all__ = ["SECRET", "Rows", "Tables", "id_of"]

SECRET = "servicenow"  # noqa: S105 (the secret's name)
_KEYS = {
    "password": ("username", "password", "client_id", "client_secret"),
    "client_credentials": ("client_id", "client_secret"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table, and how many there are in all."""

    rows: tuple[Row, ...]
    total: int


class Tables:
    """The Table API of an instance, asked as the calling principal's account."""

    def __init__(self, settings: ITSMSettings, transport: httpx.AsyncBaseTransport | None) -> None:
        self._url = f"https://{settings.instance}.service-now.com"
        common: dict[str, Any] = {"vendor": "ServiceNow", "timeout": settings.timeout, "transport": transport}
        self._door = Client(self._url, words=_words, **common)
        self._client = Client(
            self._url, credentials=self._credentials(settings.login), words=_words, **common
        )

    async def rows(self, table: str, query: str, ctx: CallContext, *, limit: int, offset: int = 0) -> Rows:
        """Rows that an encoded query finds."""
        asked = {
            "sysparm_query": query,
            "sysparm_fields": ",".join(FIELDS[table]),
            "sysparm_limit": limit,
            "sysparm_offset": offset,
        }
        try:
            answer = await self._api(ctx).list(_Record(table, asked=asked))
        except NotFoundException:
            return Rows((), 0)
        rows = fit(list[dict[str, Any]], answer.json().get("result"), vendor="ServiceNow")
        once = {id_of(row): row for row in rows[:limit]}
        return Rows(tuple(once.values()), fit(int, answer.headers.get("x-total-count"), vendor="ServiceNow"))

    async def row(self, table: str, sys_id: str, ctx: CallContext) -> Row | None:
        """One row; None where there is none."""
        asked = {"sysparm_fields": ",".join(FIELDS[table])}
        try:
            answer = await self._api(ctx).get(_Record(table, asked=asked), _segment(sys_id))
        except NotFoundException:
            return None
        return _one(answer)

    async def insert(self, table: str, values: Mapping[str, str], ctx: CallContext) -> Row:
        """Make a row, and see it."""
        return _one(await self._api(ctx).post(_Record(table, values=values)))

    async def update(self, table: str, sys_id: str, values: Mapping[str, str], ctx: CallContext) -> Row:
        """Change a row. ServiceNow leaves out silently what an account may not write; so what comes back is
        looked at.
        """
        answer = await self._api(ctx).patch(_Record(table, values=values, sys_id=_segment(sys_id)))
        row = _one(answer)
        for name, value in values.items():
            cell = row.get(name)
            if name not in ("work_notes", "comments") and (
                not isinstance(cell, Mapping) or (cell.get("value") or "") != value
            ):
                raise ToolError(
                    f"ServiceNow did not take the new {name}",
                    rule="an access or business rule of the instance has the last word",
                    remedy="Look at the record; the account may lack a right",
                )
        return row

    async def order(self, sys_id: str, body: Mapping[str, Any], ctx: CallContext) -> Mapping[str, Any]:
        """Order a catalog item; pysnc has no such call."""
        path = f"/api/sn_sc/servicecatalog/items/{_segment(sys_id)}/order_now"
        answer = await self._client.request("POST", path, ctx, json=body)
        whole = fit(dict[str, Any], answer.json(), vendor="ServiceNow")
        return fit(dict[str, Any], whole.get("result"), vendor="ServiceNow")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._door.close()

    def _api(self, ctx: CallContext) -> Any:
        carrier = httpx.AsyncClient(transport=_Carrier(self._client, ctx), trust_env=False)
        return AsyncServiceNowClient(self._url, carrier).table_api

    def _credentials(self, login: str) -> Credentials:
        if login == "basic":
            return BasicLogin(SECRET)

        async def log_in(secret: str, ctx: CallContext) -> Token:
            return await self._log_in(login, secret, ctx)

        return TokenLogin(SECRET, log_in)

    async def _log_in(self, login: str, secret: str, ctx: CallContext) -> Token:
        """OAuth 2.0 at `/oauth_token.do`. Nothing that follows a failed login was sent."""
        values = _read(secret, _KEYS[login])
        form = httpx.QueryParams({"grant_type": login, **values})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        try:
            answer = await self._door.request(
                "POST",
                "/oauth_token.do",
                ctx,
                body=str(form).encode(),
                headers=headers,
                hide=[value for name, value in values.items() if name not in ("username", "client_id")],
            )
            given = fit(dict[str, Any], answer.json(), vendor="ServiceNow")
            value = fit(str, given.get("access_token"), vendor="ServiceNow")
            lifetime = fit(float, given.get("expires_in", 1800), vendor="ServiceNow")
        except VendorRefused as refused:
            raise VendorRefused(
                f"the login was refused: {refused.what}",
                remedy=f"Correct the secret {SECRET!r}: toolcrib secrets set",
            ) from None
        except ToolError as error:
            raise NotSent(f"the login failed: {error.what}", retry_after=error.retry_after) from None
        return Token(value, lifetime)


class _Record:
    """What pysnc's Table API wants to know of a record."""

    def __init__(
        self,
        table: str,
        *,
        asked: Mapping[str, Any] | None = None,
        values: Mapping[str, str] | None = None,
        sys_id: str = "",
    ) -> None:
        self.table, self.sys_id = table, sys_id
        self._asked, self._values = asked or {}, values or {}

    def _parameters(self) -> dict[str, Any]:
        return dict(self._asked)

    def serialize(self, *, changes_only: bool = False) -> dict[str, str]:
        return dict(self._values)


class _Carrier(httpx.AsyncBaseTransport):
    """Carries pysnc's requests for one call; raises what the kit makes of a failure."""

    def __init__(self, client: Client, ctx: CallContext) -> None:
        self._client, self._ctx = client, ctx

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kept = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
        answer = await self._client.request(
            request.method,
            str(request.url),
            self._ctx,
            body=request.content or None,
            headers=kept,
            accept=(404,),
        )
        if answer.status != 404:
            fit(dict[str, Any], answer.json(), vendor="ServiceNow")
        elif not answer.headers.get("content-type", "").startswith("application/json"):
            raise ToolError(
                "ServiceNow answered 404 with something else than JSON", remedy="See the instance"
            )
        headers = {name: answer.headers[name] for name in ("x-total-count",) if name in answer.headers}
        return httpx.Response(
            answer.status,
            headers={**headers, "content-type": "application/json"},
            content=answer.body,
            request=request,
        )


def id_of(row: Row, field: str = "sys_id") -> str:
    """The id that a field of a row holds; `ToolError` where there is none."""
    cell = row.get(field)
    return read_id(cell.get("value") if isinstance(cell, Mapping) else None, "record")


def _one(answer: httpx.Response) -> Row:
    row = fit(dict[str, Any], answer.json().get("result"), vendor="ServiceNow")
    id_of(row)
    return row


def _segment(sys_id: str) -> str:
    if not (sys_id.isascii() and sys_id.isalnum()):
        raise VendorRefused(f"{sys_id!r:.80} is no id", rule="an id has letters and digits")
    return sys_id


def _read(secret: str, keys: tuple[str, ...]) -> dict[str, str]:
    try:
        found = json.loads(secret)
        values = {key: found[key] for key in keys}
    except (ValueError, KeyError, TypeError):
        values = {}
    if not values or not all(isinstance(value, str) and value for value in values.values()):
        raise VendorRefused(
            f"the secret {SECRET!r} is no JSON object with {', '.join(keys)}",
            remedy="Set it with toolcrib secrets set",
        )
    return values


def _words(content: Any) -> str:
    """`{"error": {"message", "detail"}, "status": "failure"}`, or an OAuth error."""
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict):
        return ": ".join(str(part) for part in (error.get("message"), error.get("detail")) if part)
    if isinstance(error, str):
        return f"{error}: {content.get('error_description', '')}"
    return str(content)
