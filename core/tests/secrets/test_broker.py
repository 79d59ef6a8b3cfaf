"""A pack gets the secrets of its own config, for the principal of the call, and nothing else."""

import pytest

from toolcrib.errors import ConfigError, SecretError
from toolcrib.principal import Principal
from toolcrib.secrets import LocalProvider, Redactor, Secret, SecretBroker

ALICE = Principal(agent="writer", user="alice", tenant="acme")
BOB = Principal(agent="writer", user="bob", tenant="acme")
NOBODY = Principal(agent="writer", tenant="acme")

TEMPLATES = {
    "crm": {"salesforce": "crm/{tenant}/salesforce", "mine": "crm/{tenant}/{user}"},
    "mail": {"smtp": "mail/smtp"},
}


@pytest.fixture
def broker(tmp_path):
    provider = LocalProvider(tmp_path)
    for path in ("crm/acme/salesforce", "crm/acme/alice", "crm/acme/bob", "mail/smtp"):
        provider.put(path, f"value-of-{path}")
    return SecretBroker(provider, TEMPLATES)


async def test_a_name_is_resolved_for_the_principal(broker):
    secret = await broker.secret("crm", "salesforce", ALICE)
    assert (secret.path, secret.version) == ("crm/acme/salesforce", 1)
    assert secret.reveal() == "value-of-crm/acme/salesforce"


async def test_users_get_their_own(broker):
    assert (await broker.secret("crm", "mine", ALICE)).path == "crm/acme/alice"
    assert (await broker.secret("crm", "mine", BOB)).path == "crm/acme/bob"


async def test_a_call_without_a_user_gets_no_users_secret(broker):
    with pytest.raises(SecretError, match="needs a user"):
        await broker.secret("crm", "mine", NOBODY)


async def test_another_tenant_does_not_reach_this_ones(broker):
    with pytest.raises(SecretError, match="no secret at 'crm/other/salesforce'"):
        await broker.secret("crm", "salesforce", Principal(agent="a", tenant="other"))


@pytest.mark.parametrize(
    ("pack", "name"),
    [
        ("mail", "salesforce"),
        ("crm", "smtp"),
        ("crm", "mail/smtp"),
        ("crm", "salesforc"),
        ("none", "x"),
        ("crm", ""),
    ],
)
async def test_only_names_of_the_packs_own_config_resolve(broker, pack, name):
    with pytest.raises(SecretError, match=f"pack '{pack}' has no secret '{name}'"):
        await broker.secret(pack, name, ALICE)


async def test_a_slip_of_the_pen_is_told_the_right_name(broker):
    with pytest.raises(SecretError, match="Did you mean 'salesforce'"):
        await broker.secret("crm", "salesforc", ALICE)


async def test_what_was_handed_out_is_redacted_and_only_that(broker):
    text = "value-of-crm/acme/alice and value-of-mail/smtp"
    assert broker.redactor.clean(text) == text
    await broker.secret("crm", "mine", ALICE)
    assert broker.redactor.clean(text) == "[secret:crm/acme/alice] and value-of-mail/smtp"


async def test_what_is_kept_and_handed_out_again_stays_redacted_whatever_came_between(tmp_path, monkeypatch):
    monkeypatch.setattr("toolcrib.secrets._known.MOST_KNOWN", 8)
    provider = LocalProvider(tmp_path)
    for user in ("alice", *(f"u{number}" for number in range(20))):
        provider.put(f"crm/acme/{user}", f"value-of-{user}-0")
    broker = SecretBroker(provider, TEMPLATES, cache=60)
    for number in range(20):
        await broker.secret("crm", "mine", ALICE)
        await broker.secret("crm", "mine", Principal(agent="writer", user=f"u{number}", tenant="acme"))
    assert broker.redactor.clean("value-of-u0-0") == "value-of-u0-0"
    assert broker.redactor.clean("value-of-alice-0") == "[secret:crm/acme/alice]"


def test_a_bad_template_is_found_at_the_start():
    with pytest.raises(ConfigError, match=r"\[packs.crm.secrets\] key = '\.\./x'"):
        SecretBroker(LocalProvider, {"crm": {"key": "../x"}})


async def test_what_a_provider_says_in_failing_is_not_repeated():
    class Chatty:
        async def fetch(self, path):
            raise RuntimeError("403 for token s.PRIVATE-TOKEN")

    broker = SecretBroker(Chatty(), TEMPLATES)
    with pytest.raises(SecretError) as caught:
        await broker.secret("mail", "smtp", ALICE)
    assert "RuntimeError" in str(caught.value)
    assert "PRIVATE" not in str(caught.value)
    assert "mail/smtp" in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None


async def test_a_redactor_may_be_shared():
    class Fixed:
        async def fetch(self, path):
            return Secret("shared-value", path=path, version="v1")

    redactor = Redactor()
    await SecretBroker(Fixed(), TEMPLATES, redactor).secret("mail", "smtp", ALICE)
    assert redactor.clean("shared-value") == "[secret:mail/smtp]"
