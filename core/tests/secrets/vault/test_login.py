"""Logging in by each method, and again when a login has ended."""

import asyncio
import time

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from toolcrib.errors import SecretError, SecretRefused
from toolcrib.secrets._vault_connection import Connection
from toolcrib.secrets.vault import VaultSettings


@pytest.fixture(autouse=True)
def value(bao):
    bao.put("crm/acme/key", value="value-behind-a-login")


async def test_approle_logs_in_and_again_when_the_token_has_ended(bao, open_vault, approle):
    vault = open_vault(**approle(token_ttl="1s"))
    assert (await vault.fetch("crm/acme/key")).reveal() == "value-behind-a-login"
    first = vault.connection.login(time.monotonic() + 5)
    await asyncio.sleep(1.05)  # the token's life on the server
    assert (await vault.fetch("crm/acme/key")).version
    assert vault.connection.login(time.monotonic() + 5) is not first


async def test_a_revoked_login_is_made_anew(bao, open_vault, approle):
    vault = open_vault(**approle())
    await vault.fetch("crm/acme/key")
    bao.client.auth.token.revoke(vault.connection.login(time.monotonic() + 5).token)
    assert (await vault.fetch("crm/acme/key")).reveal() == "value-behind-a-login"


async def test_a_denied_path_is_refused_without_logging_in_again(bao, open_vault, approle):
    vault = open_vault(**approle())
    before = vault.connection.login(time.monotonic() + 5)
    with pytest.raises(SecretRefused, match="does not let approle read 'erp/x'") as caught:
        await vault.fetch("erp/x")
    assert 'path "secret/data/erp/x"' in caught.value.remedy
    assert vault.connection.login(time.monotonic() + 5) is before


@pytest.mark.parametrize("what", ["role_id", "secret_id"])
async def test_a_wrong_approle_is_refused_and_not_quoted(bao, open_vault, approle, what, tmp_path):
    settings = approle()
    if what == "role_id":
        settings["role_id"] = "no-such-role"
    else:
        settings["secret_id_file"].write_text("needle-secret-id")
    with pytest.raises(SecretRefused, match="refuses the login by approle") as caught:
        await open_vault(**settings).fetch("crm/acme/key")
    assert "needle" not in str(caught.value)


async def test_a_wrapped_secret_id_is_unwrapped_once_and_serves_later_logins(bao, open_vault, approle):
    settings = approle(wrapped=True, token_ttl="1s")
    vault = open_vault(**settings)
    assert (await vault.fetch("crm/acme/key")).version
    await asyncio.sleep(1.05)
    assert (await vault.fetch("crm/acme/key")).version
    with pytest.raises(SecretRefused, match="was used before") as caught:
        await open_vault(**settings).fetch("crm/acme/key")
    assert "somebody else has it" in caught.value.remedy


async def test_a_wrapping_token_of_something_else_is_refused(bao, open_vault, approle):
    settings = approle(wrapped=True)
    wrapped = bao.client.adapter.request("get", "/v1/secret/data/crm/acme/key", wrap_ttl="60s")
    settings["secret_id_file"].write_text(wrapped["wrap_info"]["token"])
    with pytest.raises(SecretRefused, match="was not made for a secret id"):
        await open_vault(**settings).fetch("crm/acme/key")


async def test_jwt_logs_in_with_the_file_of_the_moment(bao, open_vault, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    bao.client.sys.enable_auth_method("jwt", path="jwt-here")
    bao.client.auth.jwt.configure(jwt_validation_pubkeys=[public], path="jwt-here")
    bao.client.auth.jwt.create_role(
        "agents", role_type="jwt", allowed_redirect_uris=[], user_claim="sub", bound_audiences=["bao"],
        token_policies=["crm"], path="jwt-here",
    )  # fmt: skip
    file = tmp_path / "token.jwt"

    def write(audience):
        claims = {"sub": "crib", "aud": audience, "iat": int(time.time()), "exp": int(time.time()) + 60}
        file.write_text(pyjwt.encode(claims, private, "ES256"))

    settings = {"auth": "jwt", "auth_mount": "jwt-here", "role": "agents", "jwt_file": file}
    write("bao")
    assert (await open_vault(**settings).fetch("crm/acme/key")).reveal() == "value-behind-a-login"
    write("somebody-else")
    with pytest.raises(SecretRefused, match=r"refuses the login by jwt \(role agents\)"):
        await open_vault(**settings).fetch("crm/acme/key")


# --- tokens that somebody else got


async def test_a_token_that_ended_is_read_anew_where_it_came_from(bao, open_vault, tmp_path):
    file = bao.token_in(tmp_path / "token", "crm", "default")
    vault = open_vault(token_file=file)
    await vault.fetch("crm/acme/key")
    bao.client.auth.token.revoke(file.read_text())
    with pytest.raises(SecretRefused, match="does not accept the token"):
        await vault.fetch("crm/acme/key")
    bao.token_in(file, "crm", "default")
    assert (await vault.fetch("crm/acme/key")).reveal() == "value-behind-a-login"


async def test_a_token_that_may_not_look_itself_up_works_all_the_same(bao, open_vault, tmp_path):
    file = bao.token_in(tmp_path / "token", "crm", no_default_policy=True)
    vault = open_vault(token_file=file)
    assert (await vault.fetch("crm/acme/key")).version
    with pytest.raises(SecretRefused):
        await vault.fetch("erp/x")


async def test_a_token_from_the_environment(bao, open_vault, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", bao.token("crm"))
    vault = open_vault(token_file=None, token_env="MY_TOKEN")
    assert (await vault.fetch("crm/acme/key")).version
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(SecretError, match=r"\$MY_TOKEN is not set"):
        await open_vault(token_file=None, token_env="MY_TOKEN").fetch("crm/acme/key")


@pytest.mark.parametrize("text", [None, "", "wrong-token-needle"])
async def test_a_token_that_is_none_is_a_clear_error(bao, open_vault, tmp_path, text):
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SecretError) as caught:
        await open_vault(token_file=file).fetch("crm/acme/key")
    assert str(file) in str(caught.value)
    assert "needle" not in str(caught.value)


async def test_the_status_says_where_how_and_for_how_long(bao, open_vault, approle):
    status = await open_vault(**approle(token_ttl="10m")).status()
    assert (status.provider, status.address, status.auth) == ("vault", bao.url, "approle")
    assert status.seconds is not None
    assert 590 < status.seconds <= 600
    assert (await open_vault().status()).seconds is None  # root's never ends


async def test_closing_revokes_a_login_of_our_own_and_no_other(bao, open_vault, approle, tmp_path):
    vault = open_vault(**approle())
    await vault.fetch("crm/acme/key")
    own = vault.connection.login(time.monotonic() + 5).token
    await vault.close()
    file = bao.token_in(tmp_path / "token", "crm", "default")
    given = open_vault(token_file=file)
    await given.fetch("crm/acme/key")
    await given.close()
    assert bao.client.auth.token.lookup(file.read_text())["data"]
    with pytest.raises(Exception, match=r"bad token|invalid"):
        bao.client.auth.token.lookup(own)


async def test_many_callers_at_once_log_in_once(bao, open_vault, approle, monkeypatch):
    vault, logins = open_vault(**approle()), []
    before = vault.connection._method.login
    monkeypatch.setattr(
        vault.connection._method, "login", lambda deadline: logins.append(1) or before(deadline)
    )
    await asyncio.gather(*(vault.fetch("crm/acme/key") for _ in range(32)))
    assert len(logins) == 1


def test_nothing_that_prints_holds_a_token(bao, approle):
    connection = Connection(VaultSettings(address=bao.url, token_file=bao.token_file))
    login = connection.login(time.monotonic() + 5)
    assert bao.root not in f"{login!r} {connection!r} {connection.settings!r}"
    connection.close()
