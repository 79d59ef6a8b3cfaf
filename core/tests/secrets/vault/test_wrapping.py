"""Wrapped reads of a real OpenBao: a value comes out once, and who took it before us is noticed."""

from __future__ import annotations

import json
import urllib.request

import hvac
import pytest

from toolcrib.errors import ConfigError, SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets.vault import VaultSettings
from toolcrib.testing import FakeService, Reply

PATH = "crm/acme/wrapped"
VALUE = "value-that-travels-wrapped"


class Between(FakeService):
    """A proxy on the way to Vault; `meddle` may change each answer to a read."""

    def __init__(self, target):
        super().__init__()
        self.target, self.seen = target, []
        self.meddle = lambda body: body
        self.drop_header = False

    def handle(self, request):
        headers = {
            key: value
            for key, value in request.headers.items()
            if key.lower() not in ("host", "content-length")
        }
        if self.drop_header:
            headers = {key: value for key, value in headers.items() if key.lower() != "x-vault-wrap-ttl"}
        url = self.target + request.path
        sent = urllib.request.Request(url, data=request.body or None, method=request.method, headers=headers)
        try:
            with urllib.request.urlopen(sent) as got:
                status, body = got.status, got.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        if request.method == "GET" and "/data/" in request.path and status == 200:
            body = json.dumps(self.meddle(json.loads(body))).encode()
        self.seen.append((request.method, request.path, body))
        return Reply(status, body, {"content-type": "application/json"})


@pytest.fixture
def between(bao):
    with Between(bao.url) as between:
        yield between
    assert between.failures == []


@pytest.fixture(autouse=True)
def value(bao):
    bao.put(PATH, token=VALUE)


async def test_a_value_is_unwrapped_once_and_no_read_shows_it(between, open_vault):
    vault = open_vault(address=between.url, wrap="30s")
    secret = await vault.fetch(PATH)
    assert (secret.reveal(), secret.path) == (VALUE, PATH) and secret.version >= 1
    (read,) = [body for method, path, body in between.seen if method == "GET" and "/data/" in path]
    assert VALUE.encode() not in read and b"wrap_info" in read
    assert [path for _, path, body in between.seen if VALUE.encode() in body] == ["/v1/sys/wrapping/unwrap"]


async def test_without_it_the_read_shows_the_value(between, open_vault):
    assert (await open_vault(address=between.url).fetch(PATH)).reveal() == VALUE
    assert [path for _, path, body in between.seen if VALUE.encode() in body] == [f"/v1/secret/data/{PATH}"]


async def test_a_token_that_somebody_else_unwrapped_is_an_interception(bao, between, open_vault):
    taken = []

    def take(body):
        taken.append(hvac.Client(bao.url, token=body["wrap_info"]["token"]).sys.unwrap()["data"]["data"])
        return body

    between.meddle = take
    with pytest.raises(SecretRefused, match=f"'{PATH}' has ended or was used before") as caught:
        await open_vault(address=between.url, wrap="30s").fetch(PATH)
    assert taken == [{"token": VALUE}]
    assert "somebody else has it" in caught.value.remedy and VALUE not in str(caught.value)


async def test_what_was_taken_out_and_wrapped_again_is_noticed(bao, between, open_vault):
    def rewrap(body):
        held = hvac.Client(bao.url, token=body["wrap_info"]["token"]).sys.unwrap()["data"]
        again = bao.client.adapter.request("post", "/v1/sys/wrapping/wrap", json=held, wrap_ttl="30s")
        return {**body, "wrap_info": {**again["wrap_info"], "creation_path": f"secret/data/{PATH}"}}

    between.meddle = rewrap
    with pytest.raises(SecretRefused, match="was not made for secret/data/crm/acme/wrapped"):
        await open_vault(address=between.url, wrap="30s").fetch(PATH)


async def test_the_token_of_another_secret_is_refused(bao, between, open_vault):
    bao.put("crm/acme/other", token="value-of-another-secret")

    def swap(body):
        other = bao.client.adapter.request("get", "/v1/secret/data/crm/acme/other", wrap_ttl="30s")
        return {**body, "wrap_info": other["wrap_info"]}

    between.meddle = swap
    with pytest.raises(SecretRefused, match="was not made for"):
        await open_vault(address=between.url, wrap="30s").fetch(PATH)


async def test_an_answer_without_wrapping_is_refused_though_it_has_the_value(between, open_vault):
    between.drop_header = True
    with pytest.raises(SecretRefused, match="without the wrapping") as caught:
        await open_vault(address=between.url, wrap="30s").fetch(PATH)
    assert VALUE not in str(caught.value)


async def test_a_path_that_demands_wrapping_is_read_with_it_only(bao, open_vault, tmp_path):
    bao.client.sys.create_or_update_policy(
        "wrapped-only",
        'path "secret/data/crm/*" { capabilities = ["read"] min_wrapping_ttl = "1s" }',
    )
    file = bao.token_in(tmp_path / "token", "wrapped-only")
    with pytest.raises(SecretRefused):
        await open_vault(token_file=file).fetch(PATH)
    assert (await open_vault(token_file=file, wrap="30s").fetch(PATH)).reveal() == VALUE


async def test_a_missing_secret_and_a_refused_one_stay_what_they_are(bao, open_vault, tmp_path):
    with pytest.raises(SecretNotFound):
        await open_vault(wrap="30s").fetch("crm/acme/not-there")
    file = bao.token_in(tmp_path / "token", "crm")
    with pytest.raises(SecretRefused, match="403"):
        await open_vault(token_file=file, wrap="30s").fetch("erp/x")
    assert (await open_vault(token_file=file, wrap="30s").fetch(PATH)).reveal() == VALUE


async def test_many_at_once_each_unwrap_their_own(open_vault):
    import asyncio

    vault = open_vault(wrap="30s")
    found = await asyncio.gather(*(vault.fetch(PATH) for _ in range(12)))
    assert {secret.reveal() for secret in found} == {VALUE}


@pytest.mark.parametrize("wrap", ["0s", "soon", "0.5s"])
def test_a_life_that_cannot_be_meant_is_refused(wrap):
    with pytest.raises((ConfigError, SecretError), match="wrap"):
        VaultSettings(address="https://vault.example", wrap=wrap)
