"""Logging in to Salesforce, in the three ways that it has for programs.

What the secret `salesforce` must hold follows from the setting `login`. A login says at which server the org
is; the token goes nowhere but to Salesforce's own domain, whatever the answer names.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import jwt

from toolcrib import CallContext
from toolcrib.errors import NotSent, ToolError, VendorRefused
from toolcrib.kit import Answer, Client, Token, fit, plain_words
from toolcrib_crm import _salesforce_soap as soap
from toolcrib_crm.settings import CRMSettings

__all__ = ["SECRET", "Door"]

SECRET = "salesforce"  # noqa: S105 (the secret's name)
_WANTED = {
    "password": ("username", "password"),
    "jwt": ("username", "consumer_key", "private_key"),
    "client_credentials": ("consumer_key", "consumer_secret"),
}
_OPTIONAL = {"password": ("security_token",), "jwt": (), "client_credentials": ()}
_SERVER = re.compile(r"https://[a-z0-9.-]+\.salesforce\.com", re.IGNORECASE)
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_SECONDS = 180
"""How long an assertion is good; Salesforce takes at most five minutes."""
_NOT_NOW = ("SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "UNKNOWN_EXCEPTION")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class Door:
    """The login server of the settings, asked through `client`, which sends no credentials of its own."""

    def __init__(self, settings: CRMSettings, client: Client) -> None:
        self._settings, self._client = settings, client

    async def log_in(self, secret: str, ctx: CallContext) -> Token:
        """A token, and the server where it is good; `VendorRefused` where Salesforce refuses the login, else
        `NotSent`: nothing that follows a failed login was sent, whatever went wrong.
        """
        values = _read(secret, self._settings.login)
        try:
            if self._settings.login == "password":
                return _token(*await self._by_password(values, ctx))
            return _token(*await self._by_oauth(values, ctx))
        except ToolError as error:
            _failed(error, values)

    async def _by_password(self, values: Mapping[str, str], ctx: CallContext) -> tuple[str, str]:
        body = soap.login_request(values["username"], values["password"] + values.get("security_token", ""))
        address = f"/services/Soap/u/{self._settings.api_version}"
        answer = await self._client.request(
            "POST", address, ctx, body=body, headers=soap.HEADERS, accept=(500,), hide=_hidden(values)
        )
        session, server = soap.element(answer.text, "sessionId"), soap.element(answer.text, "serverUrl")
        if answer.status != 500 and session and server:
            return session, server
        code, words = soap.fault(answer.text) or ("", "")
        if not code or code in _NOT_NOW:
            raise NotSent(f"Salesforce failed ({answer.status} {code or 'without a code'}): {words}")
        raise VendorRefused(f"{code}: {words.removeprefix(f'{code}: ')}")

    async def _by_oauth(self, values: Mapping[str, str], ctx: CallContext) -> tuple[object, object]:
        if self._settings.login == "jwt":
            assertion = self._assertion(values)
            form = {"grant_type": _JWT_GRANT, "assertion": assertion}
            answer = await self._ask(form, {}, [assertion, *_hidden(values)], ctx)
        else:
            pair = f"{values['consumer_key']}:{values['consumer_secret']}".encode()
            line = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
            answer = await self._ask({"grant_type": "client_credentials"}, line, _hidden(values), ctx)
        given = fit(dict[str, Any], answer.json(), vendor="Salesforce")
        return given.get("access_token", ""), given.get("instance_url", "")

    async def _ask(
        self, form: Mapping[str, str], line: Mapping[str, str], hide: list[str], ctx: CallContext
    ) -> Answer:
        return await self._client.request(
            "POST",
            "/services/oauth2/token",
            ctx,
            body=urlencode(form).encode(),
            headers={**_FORM, **line},
            hide=hide,
        )

    def _assertion(self, values: Mapping[str, str]) -> str:
        claims = {
            "iss": values["consumer_key"],
            "sub": values["username"],
            "aud": f"https://{self._settings.domain}.salesforce.com",
            "exp": int(time.time()) + _JWT_SECONDS,
        }
        try:
            return jwt.encode(claims, values["private_key"], algorithm="RS256")
        except Exception as error:  # what is wrong with a key is told by many kinds of errors
            raise VendorRefused(f"the private key cannot be used ({type(error).__name__})") from None


def _token(value: object, server: object) -> Token:
    try:
        parts = urlsplit(server if isinstance(server, str) else "")
    except ValueError:
        parts = urlsplit("")
    base = f"{parts.scheme}://{parts.netloc}"
    good = isinstance(value, str) and value and value.isascii() and value.isprintable()
    if not isinstance(value, str) or not good or not _SERVER.fullmatch(base):
        raise ToolError("Salesforce's answer names no session at a server of salesforce.com")
    return Token(value, server=base)


def _read(secret: str, login: str) -> dict[str, str]:
    """The secret's values; `VendorRefused` names a missing or unknown key, never a value."""
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
    return values


def _hidden(values: Mapping[str, str]) -> list[str]:
    """What no message may hold: all but whose account it is."""
    together = values.get("password", "") + values.get("security_token", "")
    pair = f"{values.get('consumer_key')}:{values.get('consumer_secret')}"
    return [
        together,
        pair,
        *(value for key, value in values.items() if key not in ("username", "consumer_key")),
    ]


def _failed(error: ToolError, values: Mapping[str, str]) -> NoReturn:
    """Raise what a failed login means, without the values and without the cause, which may quote them."""
    told = plain_words(error.what, hide=_hidden(values))
    if isinstance(error, VendorRefused):
        raise VendorRefused(
            f"Salesforce refused the login ({told})",
            remedy="Correct the secret 'salesforce': toolcrib secrets set",
        ) from None
    raise NotSent(f"the login failed: {told}", retry_after=error.retry_after) from None


def _bad_secret(problem: str, login: str) -> VendorRefused:
    takes = ", ".join((*_WANTED[login], *_OPTIONAL[login]))
    return VendorRefused(
        f"the secret {SECRET!r} {problem}",
        rule=f"login = {login!r} takes a JSON object with {takes}",
        remedy="Set it with toolcrib secrets set",
    )
