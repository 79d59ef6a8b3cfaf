"""How the fake lets people in: SOAP with password and token, OAuth with a signed JWT or client
credentials.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
import xml.etree.ElementTree as ET  # the fake reads only what tests send it
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import jwt

from toolcrib.testing import Reply, Request

__all__ = ["ConnectedApp", "Logins", "soap_fault"]

_PARTNER = "{urn:partner.soap.sforce.com}"
_WRONG = "Invalid username, password, security token; or user locked out."
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """What an org knows of a connected app: its secret, the public key of its certificate, whom it may act
    for.
    """

    consumer_key: str
    consumer_secret: str
    public_key: str = ""
    run_as: str = "integration@acme.example"
    approved: frozenset[str] = frozenset()


@dataclass(slots=True)
class Logins:
    """Users, apps and the sessions that are open; `instance` is the host that serves the org's data."""

    instance: str
    users: dict[str, tuple[str, str]] = field(default_factory=dict)
    apps: dict[str, ConnectedApp] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def soap(self, request: Request, version: str) -> Reply:
        """The partner API's `login`."""
        try:
            body = ET.fromstring(request.body)  # noqa: S314
        except ET.ParseError as error:
            return soap_fault("soapenv:Client", f"Content is not well formed: {error}")
        call = body.find(f".//{_PARTNER}login")
        if call is None:
            return soap_fault("soapenv:Client", "No operation available for request")
        username = call.findtext(f"{_PARTNER}username") or ""
        password, token = self.users.get(username, (None, None))
        given = call.findtext(f"{_PARTNER}password") or ""
        if password is not None and token and given == password:
            return soap_fault("LOGIN_MUST_USE_SECURITY_TOKEN", f"LOGIN_MUST_USE_SECURITY_TOKEN: {_WRONG}")
        if password is None or given != f"{password}{token}":
            return soap_fault("INVALID_LOGIN", f"INVALID_LOGIN: {_WRONG}")
        session = self.open(username)
        url = f"https://{self.instance}/services/Soap/u/{version}/00DTC0000000001"
        return _xml(
            "<loginResponse><result><metadataServerUrl/><passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
            f"<serverUrl>{url}</serverUrl><sessionId>{escape(session)}</sessionId></result></loginResponse>"
        )

    def oauth(self, request: Request) -> Reply:
        """The token endpoint."""
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _oauth_error("invalid_request", "the body is no form")
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        grant = form.get("grant_type")
        if grant == _JWT_GRANT:
            return self._jwt(form, request.headers["host"])
        if grant == "client_credentials":
            return self._client_credentials(request)
        return _oauth_error("unsupported_grant_type", "grant type not supported")

    def _jwt(self, form: Mapping[str, str], host: str) -> Reply:
        try:
            claimed = jwt.decode(form.get("assertion", ""), options={"verify_signature": False})
            app = self.apps[claimed.get("iss", "")]
            claims = jwt.decode(
                form["assertion"],
                app.public_key,
                algorithms=["RS256"],
                audience=f"https://{host}",
                options={"require": ["iss", "sub", "aud", "exp"]},
            )
        except KeyError:
            return _oauth_error("invalid_client_id", "client identifier invalid")
        except jwt.ExpiredSignatureError:
            return _oauth_error("invalid_grant", "expired authorization code")
        except jwt.PyJWTError:
            return _oauth_error("invalid_grant", "invalid assertion")
        if int(claims["exp"]) > time.time() + 300:
            return _oauth_error("invalid_grant", "the assertion is valid for too long")
        if claims["sub"] not in app.approved:
            return _oauth_error("invalid_grant", "user hasn't approved this consumer")
        return self._token(claims["sub"])

    def _client_credentials(self, request: Request) -> Reply:
        if request.headers["host"] != self.instance:
            return _oauth_error("invalid_grant", "request not supported on this domain")
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return _oauth_error("invalid_client", "invalid client credentials")
        app = self.apps.get(key)
        if scheme != "Basic" or app is None or app.consumer_secret != secret:
            return _oauth_error("invalid_client", "invalid client credentials")
        return self._token(app.run_as)

    def _token(self, username: str) -> Reply:
        return Reply.json(
            {
                "access_token": self.open(username),
                "instance_url": f"https://{self.instance}",
                "token_type": "Bearer",
                "scope": "api",
                "id": f"https://{self.instance}/id/00DTC0000000001/005TC0000000001",
            }
        )

    def open(self, username: str) -> str:
        """A new session of a user."""
        session = f"00DTC0000000001!{secrets.token_urlsafe(48)}"
        self.sessions[session] = username
        self.count += 1
        return session


def soap_fault(code: str, message: str) -> Reply:
    """A SOAP fault as the partner API sends it, status 500."""
    plain = escape(re.sub(r"^\w+:", "", code) if code.startswith("sf:") else code)
    words = f"<sf:exceptionMessage>{escape(message)}</sf:exceptionMessage>"
    detail = f"<sf:exceptionCode>{plain}</sf:exceptionCode>{words}"
    return _xml(
        f"<soapenv:Fault><faultcode>{escape(code)}</faultcode><faultstring>{escape(message)}</faultstring>"
        f'<detail><sf:Fault xmlns:sf="urn:fault.partner.soap.sforce.com">{detail}</sf:Fault></detail>'
        "</soapenv:Fault>",
        500,
    )


def _xml(body: str, status: int = 200) -> Reply:
    whole = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns="urn:partner.soap.sforce.com"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
    )
    return Reply(status, whole.encode(), {"content-type": "text/xml; charset=utf-8"})


def _oauth_error(code: str, description: str) -> Reply:
    return Reply.json({"error": code, "error_description": description}, 400)
