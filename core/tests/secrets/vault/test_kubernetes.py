"""Logins by Kubernetes service account to a real OpenBao, which asks a cluster's API about each token.

The cluster is ours: a TokenReview endpoint over TLS that answers as the API reference says. OpenBao's own
plugin parses the token, asks, and compares what it hears with the role.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from toolcrib.errors import SecretError, SecretRefused
from toolcrib.testing import FakeService, Reply, ServiceRefused

PEM = serialization.Encoding.PEM
REVIEWER = "token-of-the-reviewer"
AUDIENCE = "https://kubernetes.default.svc.cluster.local"


class Cluster(FakeService):
    """`POST /apis/authentication.k8s.io/v1/tokenreviews`, and the service accounts that it knows."""

    def __init__(self, tls):
        super().__init__()
        self.tls, self.key = tls, ec.generate_private_key(ec.SECP256R1())
        self.accounts, self.reviewed = {}, []
        self.route("POST", "/apis/authentication.k8s.io/v1/tokenreviews", self.review)

    def account(self, namespace, name, *, seconds=600):
        """A token of a service account, as the cluster puts it into a pod."""
        now = int(time.time())
        about = {"namespace": namespace, "serviceaccount": {"name": name, "uid": f"uid-of-{name}"}}
        claims = {
            "iss": AUDIENCE,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": [AUDIENCE],
            "iat": now - 1,
            "nbf": now - 1,
            "exp": now + seconds,
            "jti": str(len(self.accounts)),
            "kubernetes.io": about,
        }
        token = jwt.encode(claims, self.key, "ES256", headers={"kid": "cluster"})
        self.accounts[token] = {
            "username": claims["sub"],
            "uid": f"uid-of-{name}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ],
        }
        return token

    def review(self, request):
        if request.bearer != REVIEWER:
            raise ServiceRefused(
                401, {"kind": "Status", "status": "Failure", "reason": "Unauthorized", "code": 401}
            )
        asked = request.json()
        kind, version = asked.get("kind", "TokenReview"), asked.get("apiVersion", "authentication.k8s.io/v1")
        if (kind, version) != ("TokenReview", "authentication.k8s.io/v1"):  # left out, the URL says it
            raise ServiceRefused(
                400, {"kind": "Status", "status": "Failure", "reason": "BadRequest", "code": 400}
            )
        token = asked["spec"]["token"]
        self.reviewed.append(token)
        known = self.accounts.get(token)
        status = (
            {"authenticated": True, "user": known, "audiences": [*{AUDIENCE} & {*asked["spec"]["audiences"]}]}
            if known is not None
            else {"authenticated": False, "error": "invalid bearer token", "user": {}}
        )
        about = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
        return Reply.json({**about, "spec": asked["spec"], "status": status}, 201)


def certificate(key, issuer_key, issuer, *, ca):
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cluster CA" if ca else "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder(subject_name=name, issuer_name=issuer or name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(here, critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """The certificate of the cluster's authority, and the context of its API server."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate(ca_key, ca_key, None, ca=True)
    leaf = certificate(key, ca_key, ca.subject, ca=False)
    file = tmp_path_factory.mktemp("cluster") / "server.pem"
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + leaf.public_bytes(PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return ca.public_bytes(PEM).decode(), context


@pytest.fixture
def cluster(tls, bao):
    """A cluster that the shared OpenBao knows, with the role `crib` for `agents/crib`."""
    with Cluster(tls[1]) as cluster:
        bao.client.sys.enable_auth_method("kubernetes")
        bao.client.auth.kubernetes.configure(
            kubernetes_host=cluster.url,
            kubernetes_ca_cert=tls[0],
            token_reviewer_jwt=REVIEWER,
            disable_local_ca_jwt=True,
        )
        bao.client.auth.kubernetes.create_role(
            "crib", ["crib"], ["agents"], policies=["crm"], ttl="10m", token_type="service"
        )
        bao.put("crm/acme/key", value="value-in-the-cluster")
        yield cluster
        bao.client.sys.disable_auth_method("kubernetes")
    assert cluster.failures == []


@pytest.fixture
def open_pod(open_vault, tmp_path):
    """A provider as in a pod: the file of its service account, and the role."""
    file = tmp_path / "sa-token"

    def make(token, **settings):
        file.write_text(token + "\n")
        return open_vault(auth="kubernetes", role="crib", jwt_file=file, **settings)

    return make


async def test_a_service_account_logs_in_and_reads_what_its_role_may(cluster, open_pod, bao):
    token = cluster.account("agents", "crib")
    vault = open_pod(token)
    assert (await vault.fetch("crm/acme/key")).reveal() == "value-in-the-cluster"
    assert cluster.reviewed == [token]
    status = await vault.status()
    assert status.auth == "kubernetes (role crib)" and 590 < status.seconds <= 600
    with pytest.raises(SecretRefused, match="403"):
        await vault.fetch("erp/acme/key")
    await vault.close()


async def test_its_login_is_revoked_at_the_end(cluster, open_pod, bao):
    vault = open_pod(cluster.account("agents", "crib"))
    await vault.fetch("crm/acme/key")
    accessors = set(bao.client.list("auth/token/accessors")["data"]["keys"])
    await vault.close()
    assert len(accessors - set(bao.client.list("auth/token/accessors")["data"]["keys"])) == 1


@pytest.mark.parametrize(("namespace", "name"), [("agents", "other"), ("elsewhere", "crib")])
async def test_another_account_is_refused_also_if_the_cluster_knows_it(cluster, open_pod, namespace, name):
    with pytest.raises(SecretRefused, match=r"refuses the login by kubernetes \(role crib\)") as caught:
        await open_pod(cluster.account(namespace, name)).fetch("crm/acme/key")
    assert "eyJ" not in str(caught.value)


async def test_a_token_that_the_cluster_no_longer_knows_is_refused(cluster, open_pod):
    token = cluster.account("agents", "crib")
    cluster.accounts.clear()  # the pod is gone
    with pytest.raises(SecretRefused, match="refuses the login"):
        await open_pod(token).fetch("crm/acme/key")
    assert cluster.reviewed == [token]


async def test_a_token_of_another_account_under_a_forged_name_is_refused(cluster, open_pod):
    """The claims say agents/crib, but the cluster knows the token as somebody else's."""
    token = cluster.account("agents", "crib")
    cluster.accounts[token] = {**cluster.accounts[token], "username": "system:serviceaccount:agents:other"}
    with pytest.raises(SecretRefused, match="refuses the login"):
        await open_pod(token).fetch("crm/acme/key")


async def test_the_file_is_read_anew_for_each_login_as_the_cluster_replaces_it(
    cluster, open_pod, bao, tmp_path
):
    vault = open_pod(cluster.account("agents", "crib"))
    await vault.fetch("crm/acme/key")
    bao.client.sys.revoke_prefix("auth/kubernetes/login")
    cluster.accounts.clear()
    second = cluster.account("agents", "crib", seconds=900)
    (tmp_path / "sa-token").write_text(second)
    assert (await vault.fetch("crm/acme/key")).reveal() == "value-in-the-cluster"
    assert cluster.reviewed[-1] == second
    await vault.close()


@pytest.mark.parametrize("wrong", ["a file of the pod that is missing", "an empty one"])
async def test_without_a_token_nothing_is_sent(cluster, open_pod, tmp_path, wrong):
    vault = open_pod("")
    if "missing" in wrong:
        (tmp_path / "sa-token").unlink()
    with pytest.raises(SecretError, match="sa-token"):
        await vault.fetch("crm/acme/key")
    assert cluster.requests == []
