"""One request to a token endpoint, and what its answers mean."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from joserfc.jwk import ECKey, RSAKey

from toolcrib._retry_after import retry_after
from toolcrib.errors import SecretError, SecretRefused

if TYPE_CHECKING:
    from toolcrib.oauth import TokenSource

__all__ = ["SHAPES", "Answer", "GrantEnded", "ask_token", "read_credentials"]

SHAPES = {
    # grant: keys that the secret must have, keys that it may have
    "client_credentials": (("client_id", "client_secret"), ()),
    "jwt_bearer": (("client_id", "private_key"), ("subject", "key_id")),
    "refresh_token": (("client_id", "refresh_token"), ("client_secret", "family")),
}
ASSERTION_SECONDS = 180
"""How long a signed JWT is good for: some servers take no longer one."""
UNSAID_SECONDS = 300.0
"""How long a token is taken to be good for where the server does not say, as RFC 6749, 5.1 permits."""
MAX_ANSWER = 256 * 1024
_CODE = re.compile(r"[a-z_]{1,40}")


class GrantEnded(SecretRefused):
    """The server does not, or no longer, know what was handed to it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A token, and for how many seconds it is good."""

    access_token: str = field(repr=False)
    expires_in: float
    refresh_token: str = field(repr=False, default="")


def read_credentials(value: str, grant: str, path: str) -> dict[str, str]:
    """The parts of the long-lived secret; `SecretError` names a missing or unknown key, never a value."""
    wanted, optional = SHAPES[grant]
    try:
        parts = json.loads(value)
    except ValueError:
        parts = None
    problem = ""
    if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
        problem = "is no JSON object of strings"
    elif missing := [key for key in wanted if not parts.get(key)]:
        problem = f"lacks {', '.join(missing)}"
    elif unknown := len(set(parts) - {*wanted, *optional}):
        problem = f"has {unknown} keys that do not belong there"
    if problem:
        raise SecretError(
            f"the secret at {path!r} {problem}",
            rule=f"for the grant {grant} it is a JSON object with {', '.join((*wanted, *optional))}",
            remedy="Store it in that form",
        )
    return dict(parts or {})


async def ask_token(source: TokenSource, credentials: Mapping[str, str], path: str) -> Answer:
    """The answer to one request; `SecretRefused` for a no, another `SecretError` where it may pass."""
    headers, form = _request(source, credentials, path)
    try:
        verify: ssl.SSLContext | bool = True
        if source.ca_file:
            verify = ssl.create_default_context(cafile=source.ca_file)
        async with httpx.AsyncClient(timeout=source.timeout, verify=verify, follow_redirects=False) as client:
            answer = await client.post(source.token_url, data=form, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise SecretError(
            f"no token for the secret at {path!r}: {source.token_url} does not answer"
            f" ({type(error).__name__})",
            remedy="Look at the network and at token_url; then try again",
        ) from None  # the cause holds the request, and with it the credentials
    if answer.status_code != 200:
        raise _refusal(source, answer, path)
    return _read(source, answer, path)


def _request(
    source: TokenSource, credentials: Mapping[str, str], path: str
) -> tuple[dict[str, str], dict[str, str]]:
    form: dict[str, str] = {"grant_type": source.grant}
    if source.scopes:
        form["scope"] = " ".join(source.scopes)
    headers = {"accept": "application/json"}
    if source.grant == "jwt_bearer":
        form["grant_type"] = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        form["assertion"] = _signed(source, credentials, path)
        return headers, form
    if source.grant == "refresh_token":
        form["refresh_token"] = credentials["refresh_token"]
    if "client_secret" not in credentials:
        return headers, {**form, "client_id": credentials["client_id"]}
    if source.auth == "client_secret_post":
        return headers, {**form, **{key: credentials[key] for key in ("client_id", "client_secret")}}
    basic = ClientAuth(credentials["client_id"], credentials["client_secret"], source.auth)
    _, headers, _ = basic.prepare("POST", source.token_url, headers, "")
    return headers, form


def _signed(source: TokenSource, credentials: Mapping[str, str], path: str) -> str:
    header: dict[str, str] = {"alg": source.algorithm}
    if "key_id" in credentials:
        header["kid"] = credentials["key_id"]
    kind = ECKey if source.algorithm.startswith("ES") else RSAKey  # else a library would guess, and take text
    try:
        signed: str = sign_jwt_bearer_assertion(
            kind.import_key(credentials["private_key"]),
            credentials["client_id"],
            source.audience,
            subject=credentials.get("subject") or credentials["client_id"],
            header=header,
            expires_in=ASSERTION_SECONDS,
        )
    except Exception as error:  # whatever a library makes of a bad key, its words may quote it
        raise SecretError(
            f"the private key at {path!r} cannot sign with {source.algorithm} ({type(error).__name__})",
            remedy="Store a PEM key of the right kind, without a passphrase",
        ) from None
    return signed


def _refusal(source: TokenSource, answer: httpx.Response, path: str) -> SecretError:
    status, code = answer.status_code, _code(answer)
    if status == 429 or status >= 500 or code == "temporarily_unavailable":
        return SecretError(
            f"no token for the secret at {path!r}: {source.token_url} answers {status}",
            remedy="Try again later",
            retry_after=retry_after(answer.headers.get("retry-after")),
        )
    if status not in (400, 401, 403):
        return SecretError(
            f"no token for the secret at {path!r}: {source.token_url} answers {status}",
            remedy="Correct token_url: a token endpoint answers 200, 400 or 401, and leads nowhere else",
        )
    kind = GrantEnded if code == "invalid_grant" else SecretRefused
    return kind(
        f"the server refuses a token for the secret at {path!r} ({code or status})",
        rule=f"grant {source.grant} at {source.token_url}",
        remedy=_remedy(source.grant, code),
    )


def _remedy(grant: str, code: str) -> str:
    if code == "invalid_grant":
        return {
            "refresh_token": "The refresh token was revoked or has ended: sign in again, store the new one",
            "jwt_bearer": "Look at the server's public key, the subject, the audience, and this host's clock",
        }.get(grant, "Store credentials that the server knows")
    if code in ("invalid_client", "unauthorized_client"):
        return "Store the client's right credentials, and permit it this grant on the server"
    if code == "invalid_scope":
        return "Ask for scopes that the server grants this client"
    return "Look at the client's registration on the server"


def _read(source: TokenSource, answer: httpx.Response, path: str) -> Answer:
    body = _json(answer)
    token, kind = body.get("access_token"), body.get("token_type")
    life, fresh = body.get("expires_in", UNSAID_SECONDS), body.get("refresh_token") or ""
    if isinstance(life, str) and life.isdecimal():
        life = int(life)  # some servers write a text
    sound = isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token and token
    number = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
    if not sound or str(kind).lower() != "bearer" or not number or not isinstance(fresh, str):
        raise SecretError(
            f"no token for the secret at {path!r}: the answer of {source.token_url} is none of OAuth's",
            rule="it is JSON with access_token, token_type Bearer, and a positive expires_in if any",
            remedy="Correct token_url",
        )
    return Answer(str(token), float(life), fresh)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(answer.content) if len(answer.content) <= MAX_ANSWER else None
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _code(answer: httpx.Response) -> str:
    """OAuth's word for the error; what does not look like one is left out, as it may quote what was sent."""
    code = _json(answer).get("error")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""
