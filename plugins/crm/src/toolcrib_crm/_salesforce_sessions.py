"""Logging in to Salesforce, and keeping who is logged in apart.

A session belongs to one tenant, one user and one version of the secret; another principal never gets it. The
client library is always handed a finished session: its own renewal would log in again and again for a session
that Salesforce keeps refusing (`SFType._call_salesforce` loses count of its retries), so renewing, once, is
done here.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin

from toolcrib import Principal
from toolcrib.errors import NotSent, ToolError, VendorRefused
from toolcrib_crm._salesforce_errors import Busy, conceal, translate
from toolcrib_crm.settings import CRMSettings

__all__ = ["Credentials", "Sessions"]

_WANTED = {
    "password": ("username", "password"),
    "jwt": ("username", "consumer_key", "private_key"),
    "client_credentials": ("consumer_key", "consumer_secret"),
}
_OPTIONAL = {"password": ("security_token",), "jwt": (), "client_credentials": ()}
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_MOST = 256
"""Sessions kept; the one used longest ago goes first."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secret `salesforce`, read; `identity` tells principals and secret versions apart without holding
    the values.
    """

    identity: tuple[str, str | None, str]
    values: dict[str, str] = field(repr=False)

    @classmethod
    def read(cls, secret: str, login: str, principal: Principal) -> Credentials:
        """The credentials for a way to log in; `VendorRefused` names a missing or unknown key, never a
        value.
        """
        digest = hashlib.sha256(secret.encode()).hexdigest()
        try:
            values = json.loads(secret)
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise _bad_secret("is no JSON object of strings", login)
        if missing := [key for key in _WANTED[login] if not values.get(key)]:
            raise _bad_secret(f"lacks {', '.join(missing)}", login)
        if unknown := set(values) - {*_WANTED[login], *_OPTIONAL[login]}:
            raise _bad_secret(f"has the unknown keys {', '.join(sorted(unknown))}", login)
        return cls((principal.tenant, principal.user, digest), values)


class Sessions:
    """Logged-in clients by `Credentials.identity`; thread-safe, and two threads of one identity log in
    once.
    """

    def __init__(self, settings: CRMSettings, adapter: HTTPAdapter | None = None) -> None:
        self._settings = settings
        self._adapter = adapter
        self._guard = threading.Lock()
        self._entries: OrderedDict[tuple[str, str | None, str], _Entry] = OrderedDict()

    def client(self, credentials: Credentials, *, instead_of: Salesforce | None = None) -> Salesforce:
        """The client of these credentials; logs in where there is none, or where it is the one to be
        replaced.

        Raises `VendorRefused` where Salesforce refuses the login, `NotSent` where it cannot be reached.
        """
        entry = self._entry(credentials)
        with entry.lock:
            if entry.client is None or entry.client is instead_of:
                entry.client = None
                entry.client = self._log_in(credentials)
            return entry.client

    def close(self) -> None:
        """Drop all sessions and their connections."""
        with self._guard:
            for entry in self._entries.values():
                if entry.client is not None:
                    entry.client.session.close()
            self._entries.clear()

    def _entry(self, credentials: Credentials) -> _Entry:
        with self._guard:
            entry = self._entries.setdefault(credentials.identity, _Entry())
            self._entries.move_to_end(credentials.identity)
            while len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return entry

    def _log_in(self, credentials: Credentials) -> Salesforce:
        session = _Session(self._settings.timeout)
        if self._adapter is not None:
            session.mount("https://", self._adapter)
        try:
            token, host = SalesforceLogin(
                session=session,
                domain=self._settings.domain,
                sf_version=self._settings.api_version,
                **_arguments(self._settings.login, credentials.values),
            )
            if not token or not _HOST.fullmatch(host):
                raise ValueError("no session")
        except Exception as error:
            session.close()
            raise _login_failed(error, credentials) from None  # the cause may quote what was sent
        return Salesforce(
            session_id=token,
            instance_url=f"https://{host}",
            version=self._settings.api_version,
            session=session,
        )


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    client: Salesforce | None = None


class _Session(requests.Session):
    """Never follows a redirect with a token, never waits without end, and keeps the Retry-After header."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self.timeout = timeout

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """See `requests.Session.request`; raises `Busy` for 429 and 503."""
        kwargs["allow_redirects"] = False
        kwargs.setdefault("timeout", self.timeout)
        response = super().request(method, url, *args, **kwargs)
        if response.status_code in (429, 503):
            raise Busy(response)
        return response


def _arguments(login: str, values: dict[str, str]) -> dict[str, Any]:
    if login == "password":
        # The library escapes user name and password for its XML, but not the token.
        token = html.escape(values.get("security_token", "")) or None
        return {"username": values["username"], "password": values["password"], "security_token": token}
    if login == "jwt":
        return {
            "username": values["username"],
            "consumer_key": values["consumer_key"],
            "privatekey": values["private_key"],
        }
    return {"consumer_key": values["consumer_key"], "consumer_secret": values["consumer_secret"]}


def _login_failed(error: Exception, credentials: Credentials) -> ToolError:
    """Nothing that follows a failed login was sent, whatever went wrong."""
    secrets = credentials.values.values()
    if isinstance(error, SalesforceAuthenticationFailed) and not str(error.code).startswith("5"):
        said = conceal(f"Salesforce refused the login ({error.code}): {error.auth_message}", secrets)
        return VendorRefused(said, remedy="Correct the secret 'salesforce': toolcrib secrets set")
    known = translate(error, secrets)
    reason = known.what if known else f"the login failed ({type(error).__name__})"
    return NotSent(reason, remedy="", retry_after=known.retry_after if known else None)


def _bad_secret(problem: str, login: str) -> VendorRefused:
    return VendorRefused(
        f"the secret 'salesforce' {problem}",
        rule=f"login = {login!r} takes a JSON object with {', '.join((*_WANTED[login], *_OPTIONAL[login]))}",
        remedy="Set it with toolcrib secrets set",
    )
