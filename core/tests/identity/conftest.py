"""A real issuer on loopback: discovery and keys over HTTP, tokens signed by keys that it may rotate."""

import time
from dataclasses import dataclass, field

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from toolcrib.config import Config
from toolcrib.identity import Bearer, Identity
from toolcrib.identity._issuer import Issuer
from toolcrib.identity._tokens import Tokens
from toolcrib.testing import FakeService, Reply


class Oidc(FakeService):
    """What an OpenID provider shows of itself."""

    def __init__(self):
        super().__init__()
        self.keys = []
        self.about = {}
        self.route("GET", "/.well-known/openid-configuration", lambda _: Reply.json(self._about()))
        self.route("GET", "/keys", lambda _: Reply.json({"keys": [key.public for key in self.keys]}))

    def _about(self):
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.about}

    def add(self, key_id, algorithm, private):
        self.keys.append(Key(key_id, algorithm, private))
        return self.keys[-1]

    def fetched(self, path="/keys"):
        return sum(request.path == path for request in self.requests)

    def claims(self, **more):
        now = time.time()
        about = {
            "iss": self.url,
            "aud": "crib",
            "sub": "alice",
            "iat": now,
            "exp": now + 300,
            "agents": ["sales"],
        }
        return {name: value for name, value in {**about, **more}.items() if value is not None}


@dataclass
class Key:
    key_id: str
    algorithm: str
    private: object
    more: dict = field(default_factory=dict)

    @property
    def public(self):
        made = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        made.pop("key_ops", None)
        return {"kid": self.key_id, "use": "sig", "alg": self.algorithm, **made, **self.more}

    def sign(self, claims, **headers):
        return jwt.encode(claims, self.private, self.algorithm, headers={"kid": self.key_id, **headers})


@pytest.fixture(scope="session")
def private_keys():
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "other": ec.generate_private_key(ec.SECP256R1()),
    }


@pytest.fixture
def oidc(private_keys):
    with Oidc() as service:
        service.add("key-1", "ES256", private_keys["ES256"])
        yield service


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def identity_of(tmp_path, oidc, clock):
    """An identity with these lines in its config, whose clock for keys stands still."""

    def make(lines=""):
        file = tmp_path / "toolcrib.toml"
        file.write_text(
            f'[crib]\ntenant = "acme"\n[identity]\nissuer = "{oidc.url}"\naudience = "crib"\n{lines}'
        )
        config = Config.load(file)
        identity = Identity.from_config(config)
        issuer = Issuer(oidc.url, config.identity.keys_max_age_seconds, clock)
        identity.__dict__["_tokens"] = Tokens(config.identity, config.tenant, issuer)
        return identity

    return make


@pytest.fixture
def identity(identity_of):
    return identity_of()


@pytest.fixture
def ask(identity):
    """The principal behind a token."""

    async def principal(token, **more):
        return await identity.authenticate(Bearer(token), **more)

    return principal
