"""What Vault keeps, and what of it a tool gets."""

import base64
import json
import time

import pytest

from toolcrib.errors import SecretError, SecretNotFound, ToolcribWarning
from toolcrib.principal import Principal
from toolcrib.secrets import SecretBroker
from toolcrib.secrets._vault_values import ends_at, value_of
from toolcrib.testing import FakeService, Reply

ALICE = Principal(agent="writer", user="alice", tenant="acme")


async def test_a_document_of_one_key_gives_its_value_and_any_other_the_whole(bao, open_vault):
    vault = open_vault()
    bao.put("values/one", password="the-only-one")
    bao.put("values/two", username="svc", password="of-two")
    assert (await vault.fetch("values/one")).reveal() == "the-only-one"
    assert (await vault.fetch("values/two")).reveal() == '{"password":"of-two","username":"svc"}'
    assert (await vault.fetch("values/two#password")).reveal() == "of-two"
    assert (await vault.fetch("values/one#password")).reveal() == "the-only-one"


async def test_what_is_no_text_comes_as_json(bao, open_vault):
    vault = open_vault()
    bao.put("values/odd", number=5, flag=True, nested={"b": 1, "a": [1]})
    for key, text in {"number": "5", "flag": "true", "nested": '{"a":[1],"b":1}'}.items():
        assert (await vault.fetch(f"values/odd#{key}")).reveal() == text


async def test_a_key_that_is_not_there_is_told_the_nearest_and_no_value(bao, open_vault):
    bao.put("values/keys", password="needle-value", username="needle-name")
    with pytest.raises(SecretNotFound, match="Did you mean 'password'") as caught:
        await open_vault().fetch("values/keys#pasword")
    assert "needle" not in str(caught.value)


async def test_a_template_may_name_a_key(bao, open_vault):
    bao.put("crm/acme/salesforce", token="of-acme", other="x")
    broker = SecretBroker(open_vault(), {"crm": {"token": "crm/{tenant}/salesforce#token"}})
    assert (await broker.secret("crm", "token", ALICE)).reveal() == "of-acme"


async def test_versions_are_vaults_and_the_newest_counts(bao, open_vault):
    vault = open_vault()
    first = bao.put("values/versions", value="older-value")
    second = bao.put("values/versions", value="newer-value")
    secret = await vault.fetch("values/versions")
    assert (secret.version, secret.reveal(), second) == (second, "newer-value", first + 1)


async def test_version_1_mounts_have_no_versions(bao, open_vault):
    bao.client.secrets.kv.v1.create_or_update_secret("a/b", {"value": "of-kv1"}, mount_point="kv1")
    secret = await open_vault(mount="kv1", kv=1).fetch("a/b")
    assert (secret.reveal(), secret.version) == ("of-kv1", "kv1")


async def test_the_wrong_version_of_the_mount_is_told(bao, open_vault):
    bao.client.secrets.kv.v1.create_or_update_secret("data/a/b", {"value": "of-kv1"}, mount_point="kv1")
    with pytest.raises(SecretError, match="kv = 1"):
        await open_vault(mount="kv1", kv=2).fetch("a/b")


async def test_a_deleted_version_is_not_found(bao, open_vault):
    bao.put("values/gone", value="was-there")
    bao.client.secrets.kv.v2.delete_latest_version_of_secret("values/gone")
    with pytest.raises(SecretNotFound, match="was deleted"):
        await open_vault().fetch("values/gone")


async def test_a_version_that_vault_will_delete_ends_then(bao, open_vault):
    bao.client.secrets.kv.v2.update_metadata("values/ending", delete_version_after="1h")
    bao.put("values/ending", value="for-an-hour")
    secret = await open_vault().fetch("values/ending")
    assert secret.expires is not None
    assert 3500 < secret.expires - time.time() <= 3602


@pytest.mark.parametrize("skew", [-7200, 0, 7200])
def test_the_servers_clock_does_not_lengthen_a_value(skew):
    """A minute by the server's clock is a minute here, however wrong that clock is."""
    server = time.time() + skew
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(server + 60))
    ends = ends_at({"deletion_time": then}, server)
    assert ends is not None
    assert 57 < ends - time.time() < 61


async def test_bytes_come_in_the_text_form_in_which_they_were_stored(bao, open_vault):
    blob = base64.b64encode(bytes(range(256))).decode()
    bao.put("values/binary", value=blob)
    bao.put("values/controls", value="\x00\x01\x7f\udcff".encode("utf-8", "replace").decode())
    assert (await open_vault().fetch("values/binary")).reveal() == blob
    assert (await open_vault().fetch("values/controls")).reveal().startswith("\x00\x01\x7f")


async def test_a_megabyte_comes_whole(bao, open_vault):
    value = "0123456789abcdef" * 65536
    bao.put("values/large", value=value)
    assert (await open_vault().fetch("values/large")).reveal() == value


async def test_a_short_value_comes_with_a_warning_that_it_is_not_redacted(bao, open_vault):
    bao.put("crm/acme/pin", value="1234")
    broker = SecretBroker(open_vault(), {"crm": {"pin": "crm/{tenant}/pin"}})
    with pytest.warns(ToolcribWarning, match="fewer than 6 characters"):
        assert (await broker.secret("crm", "pin", ALICE)).reveal() == "1234"


@pytest.mark.parametrize("data", [{}, None, [], "text", {"a": 2**70}])
def test_a_document_that_is_none_is_a_clear_error(data):
    with pytest.raises(SecretError):
        value_of(data, None, "some/path")


async def test_a_server_that_speaks_otherwise_is_a_clear_error(open_vault):
    class Odd(FakeService):
        def __init__(self, body):
            super().__init__()
            self.route("GET", "/v1/secret/data/a", lambda request: Reply.json(body))
            self.route("GET", "/v1/auth/token/lookup-self", lambda request: Reply.json({"data": {"ttl": 0}}))

    for body in (
        [],
        {},
        {"data": 5},
        {"data": {"data": "needle"}},
        {"data": {"data": ["needle"], "metadata": {}}},
    ):
        with Odd(body) as odd:
            with pytest.raises(SecretError) as caught:
                await open_vault(address=odd.url).fetch("a")
            assert "needle" not in str(caught.value)
            assert "a" in json.dumps(str(caught.value))
