"""`crib.principal_from_token`: from what a caller brought to the principal of a call, in one line."""

import pytest

from toolcrib.errors import NotAuthenticated
from toolcrib.testing.cribs import make_crib

ROWS = "p, *, acme, local.*, *, True, allow\n"


@pytest.fixture
def crib(tmp_path, oidc):
    config = f'[identity]\nissuer = "{oidc.url}"\naudience = "crib"\n'
    with make_crib(tmp_path, ROWS, config=config) as crib:
        yield crib


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer "])
async def test_a_signed_token_is_a_principal(crib, oidc, scheme):
    token = oidc.keys[0].sign(oidc.claims())
    found = await crib.principal_from_token(f"{scheme}{token}", "sales", session="s-1", run="r-1")
    assert (found.user, found.tenant, found.agent, found.session, found.run) == (
        "alice",
        "acme",
        "sales",
        "s-1",
        "r-1",
    )
    assert await crib.principal_from_token(token) == await crib.principal_from_token(token, "sales")


async def test_an_api_key_is_one_too_until_it_is_revoked(crib):
    key, text = crib.identity.api_keys.create(user="bob", tenant="acme", agents=("sales",))
    assert (await crib.principal_from_token(f"Bearer {text}")).user == "bob"
    crib.identity.api_keys.revoke(key.name)
    with pytest.raises(NotAuthenticated):
        await crib.principal_from_token(f"Bearer {text}")


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Basic YTpi", "none-of-ours-needle", "a b c"])
async def test_what_proves_nothing_is_nobody(crib, given):
    with pytest.raises(NotAuthenticated) as caught:
        await crib.principal_from_token(given)
    assert "needle" not in str(caught.value)


async def test_another_agent_than_the_token_permits_is_refused(crib, oidc):
    token = oidc.keys[0].sign(oidc.claims())
    with pytest.raises(NotAuthenticated, match="'root'"):
        await crib.principal_from_token(token, "root")
