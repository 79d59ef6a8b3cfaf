"""Azure Key Vault: the conformance suite, names, dates, credentials, and each way to be refused."""

import asyncio
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import ConfigError, SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets import ProviderConfig
from toolcrib.secrets.azure import AzureProvider, AzureSettings, secret_name
from toolcrib.testing.secrets import SecretProviderConformance

VALUE = "the value that Key Vault keeps"
PATH = "crm/acme/salesforce"


class TestAzure(SecretProviderConformance):
    """The fixture `stand` is in conftest."""


def run(provider, path=PATH):
    async def once():
        try:
            return await provider.fetch(path)
        finally:
            await provider.close()

    return asyncio.run(once())


def path_of(name):
    """The way back: an escape, or `--` for `/`, or the character itself."""
    return re.sub("-x([0-9a-f]{2})|--", lambda m: chr(int(m[1], 16)) if m[1] else "/", name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (PATH, "crm--acme--salesforce"),
        ("crm/api-key", "crm--api-key"),
        ("alice@acme.com", "alice-x40acme-x2ecom"),
        ("crm/Alice", "crm---x41lice"),
        ("a-x2e", "a-x2dx2e"),
        ("a-/b", "a-x2d--b"),
        ("a_b", "a-x5fb"),
    ],
)
def test_the_name_of_a_path(path, name):
    assert (secret_name(path), path_of(name)) == (name, path)


@given(
    st.from_regex(r"[A-Za-z0-9@._-]{1,5}(/[A-Za-z0-9@._-]{1,5}){0,2}", fullmatch=True)
    | st.text("aAx2d-/._", min_size=1, max_size=10)
)
def test_every_name_leads_back_to_its_path_whatever_the_case(path):
    name = secret_name(path)
    assert re.fullmatch("[0-9a-z-]+", name)
    assert path_of(name) == path


def test_a_path_too_long_for_key_vault_is_refused_before_anything_is_sent(stand, vault):
    with pytest.raises(SecretError, match="too long for Key Vault"):
        run(stand.open(), "t/" + "A" * 40)
    assert vault.requests == []


def test_the_prefix_stands_before_every_path(stand):
    stand.put(f"prod/{PATH}", VALUE)
    secret = run(stand.open(prefix="prod"))
    assert (secret.reveal(), secret.path) == (VALUE, PATH)
    with pytest.raises(SecretNotFound):
        run(stand.open(prefix="test"))


def test_the_token_is_taken_by_challenge_and_used_again(stand, vault):
    stand.put(PATH, VALUE)
    provider = stand.open()

    async def twice():
        await provider.fetch(PATH)
        await provider.fetch(PATH)
        await provider.close()

    asyncio.run(twice())
    assert [request.method for request in vault.requests].count("POST") == 1


def test_a_value_with_an_end_says_when(stand):
    end = int(time.time()) + 3600
    stand.put(PATH, VALUE, exp=end)
    assert run(stand.open()).expires == end


@pytest.mark.parametrize(
    ("dates", "word"), [({"exp": 1000}, "has ended"), ({"nbf": 4102444800}, "not valid yet")]
)
def test_a_value_outside_its_dates_is_not_handed_out(stand, dates, word):
    stand.put(PATH, VALUE, **dates)
    with pytest.raises(SecretError, match=word) as caught:
        run(stand.open())
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(("code", "word"), [("SecretDisabled", "Enable"), ("ForbiddenByFirewall", "role")])
def test_each_refusal_says_what_to_do(stand, vault, code, word):
    vault.denied[secret_name(PATH)] = code
    with pytest.raises(SecretRefused) as caught:
        run(stand.open())
    assert word in caught.value.remedy


def test_wrong_credentials_are_refused_without_being_shown(stand, monkeypatch):
    stand.put(PATH, VALUE)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "a-wrong-one")
    with pytest.raises(SecretRefused, match="does not accept these credentials") as caught:
        run(stand.open())
    assert "wrong-one" not in str(caught.value)


def test_a_challenge_for_another_place_gets_no_token(stand, vault):
    stand.put(PATH, VALUE)
    vault.resource = "https://elsewhere.example.com"
    with pytest.raises(SecretRefused, match="challenge"):
        run(stand.open())
    assert all(request.bearer is None for request in vault.requests)


def test_a_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(stand, vault):
    stand.put(PATH, VALUE)
    with pytest.raises(SecretError) as caught:
        run(stand.open(ca_file=""))
    assert "ca_file" in caught.value.remedy
    assert vault.requests == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vault_that_cannot_now_is_an_error_that_may_pass(stand, vault, status):
    stand.put(PATH, VALUE)
    vault.fail(status, headers={"retry-after": "0"}, times=9)
    with pytest.raises(SecretError, match=str(status)) as caught:
        run(stand.open())
    assert not isinstance(caught.value, SecretNotFound | SecretRefused)


def test_one_throttled_request_is_tried_again(stand, vault):
    stand.put(PATH, VALUE)
    vault.fail(429, headers={"retry-after": "0"})
    assert run(stand.open(attempts=3)).reveal() == VALUE


def test_a_vault_that_does_not_answer_in_time_is_given_up(stand, vault):
    provider = stand.open(timeout=0.2)
    with vault.holding(), pytest.raises(SecretError, match="does not answer"):
        asyncio.run(provider.fetch(PATH))
    asyncio.run(provider.close())


@pytest.mark.parametrize(
    "url",
    ["", "http://v.vault.azure.net", "http://127.0.0.1", "https://v.vault.azure.net/x", "https://u@v.net"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match="vault_url"):
        AzureSettings(url)


def test_the_config_names_the_ca_beside_it_and_the_nearest_key(tmp_path):
    def config(**settings):
        return ProviderConfig(
            {"vault_url": "https://v.vault.azure.net", **settings}, tmp_path, tmp_path, "acme"
        )

    (tmp_path / "ca.pem").write_text("")
    assert isinstance(AzureProvider.from_config(config(ca_file="ca.pem")), AzureProvider)
    for wrong, word in (({"ca_file": "none.pem"}, "Correct the path"), ({"vault": "x"}, "'vault_url'")):
        with pytest.raises(ConfigError) as caught:
            AzureProvider.from_config(config(**wrong))
        assert word in caught.value.remedy


async def test_the_status_says_by_which_way_a_token_was_had(stand, vault):
    provider = stand.open()
    status = await provider.status()
    await provider.close()
    assert (status.provider, status.address, status.auth) == ("azure", vault.url, "EnvironmentCredential")
    assert 3000 < status.seconds <= 3600


async def test_the_status_with_wrong_credentials_is_a_refusal(stand, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another-needle")
    provider = stand.open()
    with pytest.raises(SecretRefused, match="does not accept") as caught:
        await provider.status()
    await provider.close()
    assert "needle" not in str(caught.value)
