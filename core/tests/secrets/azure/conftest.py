"""A strict fake of Key Vault and of Azure's login, over HTTPS, driven by Microsoft's own client."""

import ipaddress
import re
import secrets
import ssl
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from toolcrib.secrets.azure import AzureProvider, AzureSettings, secret_name
from toolcrib.testing import FakeService, Reply, ServiceRefused
from toolcrib.testing.secrets import SecretStand

TENANT, CLIENT, SECRET = "tenant-of-the-tests", "client-of-the-tests", "azure-credential-needle"


class KeyVault(FakeService):
    """What the REST reference of Key Vault says of secrets, as far as a reader and these tests go."""

    def __init__(self, tls):
        super().__init__()
        self.tls = tls
        self.kept, self.tokens, self.denied, self.lifetime = {}, {}, {}, 3600
        self.resource = ""  # of the challenge; the client checks that it fits the address
        self.route("POST", "/{tenant}/oauth2/v2.0/token", self.login)
        self.route("GET", "/secrets/{name}/", self.get)
        self.route("GET", "/secrets/{name}", self.get)

    @property
    def audience(self):
        # The client wants the vault's host to lie below the resource's, as NAME.vault.azure.net does.
        return self.resource or self.url.replace("127.0.0.1", "0.0.1")

    def error(self, status, message):
        return {
            "error": {
                "code": {404: "SecretNotFound", 429: "Throttled"}.get(status, "Error"),
                "message": message,
            }
        }

    def login(self, request):
        given = {key: value[0] for key, value in parse_qs(request.body.decode()).items()}
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
        if request.parameters["tenant"] != TENANT or any(
            given.get(key) != value for key, value in wanted.items()
        ):
            raise ServiceRefused(
                401, {"error": "invalid_client", "error_description": f"AADSTS7000215 {given}"}
            )
        if given.get("scope") != self.audience + "/.default":
            raise ServiceRefused(400, {"error": "invalid_scope", "error_description": "AADSTS70011"})
        token = secrets.token_urlsafe()
        self.tokens[token] = time.time() + self.lifetime
        return Reply.json({"token_type": "Bearer", "expires_in": self.lifetime, "access_token": token})

    def get(self, request):
        if self.tokens.get(request.bearer, 0) < time.time():
            challenge = f'Bearer authorization="{self.url}/{TENANT}", resource="{self.audience}"'
            error = {"error": {"code": "Unauthorized", "message": "AKV10000"}}
            raise ServiceRefused(401, error, {"www-authenticate": challenge})
        name = request.parameters["name"].lower()
        if not re.fullmatch("[0-9a-z-]{1,127}", name) or not request.query.get("api-version"):
            raise ServiceRefused(
                400, {"error": {"code": "BadParameter", "message": "the name or the version"}}
            )
        if name in self.denied:
            inner = {"code": self.denied[name]}
            raise ServiceRefused(
                403, {"error": {"code": "Forbidden", "message": SECRET, "innererror": inner}}
            )
        if name not in self.kept:
            raise ServiceRefused(404, self.error(404, f"(SecretNotFound) {name}"))
        version, value, dates = self.kept[name]
        about = {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "Recoverable", **dates}
        return Reply.json({"id": f"{self.url}/secrets/{name}/{version}", "value": value, "attributes": about})

    def put(self, name, value, **dates):
        version = secrets.token_hex(16)
        self.kept[name.lower()] = (version, value, dates)
        return version


def signed(name, key, issuer, issuer_key, ca):
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(
            subject_name=subject, issuer_name=issuer or subject, public_key=key.public_key()
        )
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
    )
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The file of a CA's certificate, and the context of a server that it vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = signed("CA of the tests", ca_key, None, ca_key, True)
    leaf = signed("127.0.0.1", key, ca.subject, ca_key, False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + leaf.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return str(folder / "ca.pem"), context


@pytest.fixture
def vault(authority, monkeypatch):
    with KeyVault(authority[1]) as vault:
        settings = {"AUTHORITY_HOST": vault.url, "TENANT_ID": TENANT}
        settings |= {"CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
        for name, value in settings.items():
            monkeypatch.setenv(f"AZURE_{name}", value)
        yield vault
    assert vault.failures == []


class AzureStand(SecretStand):
    private = (SECRET,)

    def __init__(self, vault, ca_file):
        self.vault, self.ca_file = vault, ca_file

    def open(self, **settings):
        given = {"vault_url": self.vault.url, "ca_file": self.ca_file, "attempts": 1, "timeout": 20.0}
        return AzureProvider(AzureSettings(**{**given, **settings}))

    def put(self, path, value, **dates):
        return self.vault.put(secret_name(path), value, **dates)

    def remove(self, path):
        return bool(self.vault.kept.pop(secret_name(path)))

    def refused(self, path):
        self.vault.denied[secret_name(path)] = "ForbiddenByRbac"
        return self.open()

    def unreachable(self):
        closed = FakeService().start()
        url = closed.url.replace("http:", "https:")
        closed.stop()
        return self.open(vault_url=url)

    def requests(self):
        return len(self.vault.requests)

    @contextmanager
    def holding(self):
        with self.vault.holding() as hold:
            yield hold.arrived


@pytest.fixture
def stand(vault, authority):
    return AzureStand(vault, authority[0])
