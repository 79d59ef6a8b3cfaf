"""A strict OAuth server on loopback: it checks clients, signatures, audiences, times and replays."""

import base64
import secrets
import time
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from toolcrib.testing import FakeService, Reply, ServiceRefused


class OAuthServer(FakeService):
    """RFC 6749, 6, 7523 as far as these three grants go; every token remembers whose it is."""

    def __init__(self):
        super().__init__()
        self.clients, self.keys, self.refresh, self.owners = {}, {}, {}, {}
        self.seen, self.lifetime, self.rotates = set(), 3600, False
        self.route("POST", "/token", self.token)

    @property
    def token_url(self):
        return self.url + "/token"

    def token(self, request):
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise self.refused("invalid_request")
        form = {key: value for key, (value,) in parse_qs(request.body.decode(), strict_parsing=True).items()}
        grant = form["grant_type"].rpartition(":")[2]
        owner, more = {
            "client_credentials": self.by_client,
            "jwt-bearer": self.by_assertion,
            "refresh_token": self.by_refresh,
        }[grant](request, form)
        if "forbidden" in form.get("scope", ""):
            raise self.refused("invalid_scope")
        token = f"access-{secrets.token_urlsafe(12)}"
        with self.lock:
            self.owners[token] = owner
        return Reply.json(
            {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime, **more},
            headers={"cache-control": "no-store"},
        )

    def by_client(self, request, form):
        return self.client(request, form), {}

    def client(self, request, form):
        name, word = form.get("client_id"), form.get("client_secret")
        kind, _, rest = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            if word:
                raise self.refused("invalid_request")  # RFC 6749, 2.3: one way at a time
            name, _, word = base64.b64decode(rest).decode().partition(":")
        if self.clients.get(name, "") != (word or ""):
            raise self.refused("invalid_client", 401)
        return name

    def by_assertion(self, request, form):
        try:
            issuer = jwt.decode(form["assertion"], options={"verify_signature": False})["iss"]
            need = {"require": ["iss", "sub", "aud", "exp", "jti"]}
            claims = jwt.decode(
                form["assertion"], self.keys[issuer], ["RS256"], audience=self.token_url, options=need
            )
        except (jwt.InvalidTokenError, KeyError):
            raise self.refused("invalid_grant") from None
        with self.lock:
            replayed = claims["jti"] in self.seen
            self.seen.add(claims["jti"])
        if replayed or claims["exp"] > time.time() + 300:
            raise self.refused("invalid_grant")
        return claims["sub"], {}

    def by_refresh(self, request, form):
        self.client(request, form)
        with self.lock:
            owner = self.refresh.get(form["refresh_token"])
            if owner is None:
                raise self.refused("invalid_grant")
            if not self.rotates:
                return owner, {}
            del self.refresh[form["refresh_token"]]
            fresh = f"refresh-{secrets.token_urlsafe(12)}"
            self.refresh[fresh] = owner
            return owner, {"refresh_token": fresh}

    def refused(self, code, status=400):
        return ServiceRefused(status, {"error": code, "error_description": "needle: what was sent"})


@pytest.fixture
def server():
    with OAuthServer() as server:
        yield server
    assert server.failures == []


@pytest.fixture(scope="session")
def key():
    """A private key and its public one, both PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    private = made.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = made.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Do not wait long for what no second process will store."""
    monkeypatch.setattr("toolcrib._oauth_rotation.PAUSES", (0.01, 0.01, 0.01))
