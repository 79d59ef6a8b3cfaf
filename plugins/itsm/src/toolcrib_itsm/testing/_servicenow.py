"""A strict fake of ServiceNow on loopback: the Table API, the catalog's order_now, and OAuth."""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

import httpx

from toolcrib.testing import FakeService, Reply, Request
from toolcrib_itsm.testing._instance import COLUMNS, Instance, Refusal

__all__ = ["FakeServiceNow", "LoopbackTransport"]

Handler: TypeAlias = Callable[[Request, str], Reply]
_PARAMETERS = {
    "sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_offset", "sysparm_display_value",
    "sysparm_exclude_reference_link", "sysparm_suppress_pagination_header",
}  # fmt: skip


class FakeServiceNow(FakeService):
    """One instance; `transport()` leads a client's HTTPS requests to it.

    What `FakeService` can do to the next requests (`fail`, `cut`, `holding`) comes on top of
    `expire_tokens` and `forbid`. `instance` holds the records,
    `changes` are all writes that were done. The real one ignores query conditions and fields that it does not
    know; this one refuses the first and notes the second in `instance.ignored`.
    """

    def __init__(self, *, name: str = "acme") -> None:
        super().__init__()
        self.host = f"{name}.service-now.com"
        self.instance = Instance()
        self.accounts: dict[str, tuple[str, str]] = {}
        self.apps: dict[str, tuple[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.logins = 0
        self.changes: list[tuple[str, str]] = []
        self.queries: list[str] = []
        self._forbidden: set[tuple[str, str]] = set()
        self._numbers = itertools.count()
        self._expiries: Iterator[bool] = repeat(False)
        self.route("POST", "/oauth_token.do", self._token)
        self._data("GET", "/api/now/table/{table}", self._list)
        self._data("POST", "/api/now/table/{table}", self._insert)
        self._data("GET", "/api/now/table/{table}/{key}", self._get)
        self._data("PATCH", "/api/now/table/{table}/{key}", self._update)
        self._data("POST", "/api/sn_sc/servicecatalog/items/{key}/order_now", self._order)

    def _data(self, method: str, path: str, handler: Handler) -> None:
        self.route(method, path, lambda request: self._guarded(request, handler))

    # --- what tests use ---------------------------------------------------------------------------

    def add_account(self, username: str, password: str, user: str) -> None:
        """Somebody who may log in: `user` is the sys_id of a row of sys_user."""
        self.accounts[username] = (password, user)

    def add_app(self, client_id: str, client_secret: str, user: str) -> None:
        """An OAuth application; with client credentials it acts as `user`."""
        self.apps[client_id] = (client_secret, user)

    def forbid(self, table: str, what: str) -> None:
        """Let access rules refuse `what`: read, write or create of a table, or the silent loss of a field
        (`field:NAME`).
        """
        self._forbidden.add((table, what))

    def expire_tokens(self, *, after: int = 0) -> None:
        """All tokens end, `after` so many more requests for data."""
        with self.lock:
            self._expiries = chain(repeat(False, after), [True], repeat(False))
            if not after:
                self.tokens.clear()

    def transport(self) -> LoopbackTransport:
        """A transport for `ServiceNowBackend`, or for the bare client."""
        return LoopbackTransport(self.url)

    def error(self, status: int, message: str) -> Any:
        """Errors of the service itself, in ServiceNow's shape."""
        return {"error": {"message": message, "detail": ""}, "status": "failure"}

    # --- serving ----------------------------------------------------------------------------------

    def wrote(self, request: Request, reply: Reply) -> bool:
        """See `FakeService.wrote`: a login is posted, and changes nothing."""
        return super().wrote(request, reply) and request.path != "/oauth_token.do"

    def _guarded(self, request: Request, handler: Handler) -> Reply:
        try:
            if request.headers.get("host") != self.host:
                raise Refusal(404, "no such instance")
            with self.lock:
                if next(self._expiries):
                    self.tokens.clear()
                user = self._user(request)
                if request.method != "GET" and "json" not in request.headers.get("content-type", ""):
                    raise Refusal(415, "Unsupported media type")
                if unknown := set(request.query) - _PARAMETERS:
                    raise Refusal(400, f"unknown parameters {sorted(unknown)}")
                return handler(request, user)
        except Refusal as refused:
            body = self.error(refused.status, refused.message)
            body["error"]["detail"] = refused.detail
            return Reply.json(body, refused.status)

    def _user(self, request: Request) -> str:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and given in self.tokens:
            return self.tokens[given]
        if scheme == "Basic":
            name, _, password = base64.b64decode(given).decode().partition(":")
            if name in self.accounts and self.accounts[name][0] == password:
                return self.accounts[name][1]
        raise Refusal(401, "User Not Authenticated", "Required to provide Auth information")

    def _allowed(self, table: str, what: str) -> None:
        if (table, what) in self._forbidden:
            raise Refusal(403, "Operation Failed", f"ACL Exception: {what} on {table} denied")

    def _list(self, request: Request, user: str) -> Reply:
        table, asked = request.parameters["table"], request.query
        self._allowed(table, "read")
        self.queries.append(asked.get("sysparm_query", ""))
        found = self.instance.find(table, asked.get("sysparm_query", ""), user)
        limit, offset = int(asked.get("sysparm_limit", 10000)), int(asked.get("sysparm_offset", 0))
        rows = [self._seen(row, asked) for row in found[offset : offset + limit]]
        headers = {"x-total-count": str(len(found))}
        if asked.get("sysparm_suppress_pagination_header") != "true":
            headers["link"] = self._links(table, asked, len(found), limit, offset)
        return Reply.json({"result": rows}, 200, headers)

    def _links(self, table: str, asked: Mapping[str, str], total: int, limit: int, offset: int) -> str:
        at = {"first": 0, "next": offset + limit, "last": max(0, (total - 1) // limit * limit)}
        base = f"https://{self.host}/api/now/table/{table}"
        return ",".join(
            f'<{base}?{urlencode({**asked, "sysparm_offset": where})}>;rel="{rel}"'
            for rel, where in at.items()
            if rel != "next" or where < total
        )

    def _get(self, request: Request, user: str) -> Reply:
        self._allowed(request.parameters["table"], "read")
        row = self.instance.get(request.parameters["table"], request.parameters["key"], user)
        return Reply.json({"result": self._seen(row, request.query)})

    def _insert(self, request: Request, user: str) -> Reply:
        table = request.parameters["table"]
        self._allowed(table, "create")
        row = self.instance.insert(table, self._values(request, table), user)
        self.changes.append(("insert", row["sys_id"]))
        return Reply.json({"result": self._seen(row, request.query)}, 201)

    def _update(self, request: Request, user: str) -> Reply:
        table, key = request.parameters["table"], request.parameters["key"]
        self._allowed(table, "write")
        row = self.instance.update(table, key, self._values(request, table), user)
        self.changes.append(("update", key))
        return Reply.json({"result": self._seen(row, request.query)})

    def _order(self, request: Request, user: str) -> Reply:
        body = request.json()
        variables = body.get("variables", {})
        row = self.instance.order(
            request.parameters["key"], body.get("sysparm_quantity", ""), variables, user
        )
        self.changes.append(("order", row["sys_id"]))
        names = {"sys_id": row["sys_id"], "number": row["number"], "request_number": row["number"]}
        return Reply.json({"result": {**names, "request_id": row["sys_id"], "table": "sc_request"}})

    def _values(self, request: Request, table: str) -> dict[str, str]:
        values = request.json()
        if table not in COLUMNS:
            raise Refusal(400, f"Invalid table {table}")
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise Refusal(400, "Exception while reading request", "the body is no object of strings")
        return {
            name: value for name, value in values.items() if (table, f"field:{name}") not in self._forbidden
        }

    def _seen(self, row: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, Any]:
        fields = asked["sysparm_fields"].split(",") if asked.get("sysparm_fields") else list(row)
        cells = {field: self.instance.cell(row, field) for field in fields if field in row}
        shown = asked.get("sysparm_display_value", "false")
        if shown == "all":
            return cells
        return {field: cell["display_value" if shown == "true" else "value"] for field, cell in cells.items()}

    def _token(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        app = self.apps.get(form.get("client_id", ""))
        if app is None or app[0] != form.get("client_secret"):
            return _oauth("invalid_client", "client_id or client_secret is wrong")
        user = app[1]
        if form.get("grant_type") == "password":
            account = self.accounts.get(form.get("username", ""))
            if account is None or account[0] != form.get("password"):
                return _oauth("access_denied", "access_denied")
            user = account[1]
        elif form.get("grant_type") != "client_credentials":
            return _oauth("unsupported_grant_type", "grant type not supported")
        token = secrets.token_urlsafe(48)
        with self.lock:
            self.tokens[token] = user
            self.logins += 1
        return Reply.json(
            {"access_token": token, "token_type": "Bearer", "expires_in": 1799, "scope": "useraccount"}
        )


class LoopbackTransport(httpx.AsyncBaseTransport):
    """Sends what is meant for `https://HOST` to the fake, HOST in the header."""

    def __init__(self, base_url: str) -> None:
        self._base = httpx.URL(base_url)
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`; plain HTTP is refused, since ServiceNow does not speak it."""
        if request.url.scheme != "https":
            raise httpx.UnsupportedProtocol("ServiceNow is met over https")
        request.headers["host"] = request.url.host
        request.url = request.url.copy_with(scheme="http", host=self._base.host, port=self._base.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _oauth(code: str, description: str) -> Reply:
    return Reply.json({"error": code, "error_description": description}, 401)
