"""Tokens for packs: three grants, one request for many callers, and no token for another principal."""

import asyncio
import json
import time

import pytest

from toolcrib import CallContext, Principal, tool
from toolcrib.errors import ConfigError, SecretError, SecretRefused, ToolcribWarning
from toolcrib.oauth import TokenSource
from toolcrib.secrets import LocalProvider, Secret
from toolcrib.testing import Reply
from toolcrib.testing.cribs import make_crib

CLIENT = {"client_id": "crib", "client_secret": "client-secret-needle"}


class Desk:
    """Secrets by path, and what the redactor would learn."""

    def __init__(self):
        self.kept, self.learnt = {}, []

    def put(self, value, user="alice", tenant="acme", version=1):
        text = value if isinstance(value, str) else json.dumps(value)
        self.kept[f"crm/{tenant}/{user}"] = (text, version)

    def ctx(self, user="alice", tenant="acme"):
        async def fetch(name):
            assert name == "crm"
            path = f"crm/{tenant}/{user}"
            return Secret(self.kept[path][0], path=path, version=self.kept[path][1])

        return CallContext(
            tool="crm.look",
            principal=Principal(agent="a", user=user, tenant=tenant, session="s", run="r"),
            call_id="c",
            idempotency_key="k",
            deadline=time.monotonic() + 60,
            fetch_secret=fetch,
            learn=self.learnt.append,
        )


@pytest.fixture
def desk():
    return Desk()


def source(server, grant="client_credentials", **more):
    return TokenSource(secret="crm", grant=grant, token_url=server.token_url, **more)


def knows(server, desk):
    server.clients["crib"] = CLIENT["client_secret"]
    desk.put(CLIENT)


# --- grants


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post"])
async def test_a_client_gets_a_token_that_is_learnt_and_ends(server, desk, auth):
    knows(server, desk)
    token = await source(server, auth=auth).token(desk.ctx())
    assert server.owners[token.reveal()] == "crib"
    assert desk.learnt and all(learnt is token for learnt in desk.learnt)
    assert token.reveal() not in repr(token)
    assert time.time() + 3500 < token.expires < time.time() + 3600


async def test_a_key_signs_for_its_subject(server, desk, key):
    server.keys["crib"] = key[1]
    desk.put({"client_id": "crib", "private_key": key[0], "subject": "alice@acme"})
    token = await source(server, "jwt_bearer").token(desk.ctx())
    assert server.owners[token.reveal()] == "alice@acme"


async def test_each_assertion_is_a_new_one(server, desk, key):
    server.keys["crib"] = key[1]
    desk.put({"client_id": "crib", "private_key": key[0]})
    tokens = source(server, "jwt_bearer")
    first = await tokens.token(desk.ctx())
    assert await tokens.renewed(desk.ctx(), first) is not first
    assert len(server.seen) == 2


async def test_the_fake_refuses_a_replay_and_a_foreign_audience(server, desk, key):
    server.keys["crib"] = key[1]
    desk.put({"client_id": "crib", "private_key": key[0]})
    with pytest.raises(SecretRefused, match="invalid_grant") as caught:
        await source(server, "jwt_bearer", audience="https://elsewhere.example.com").token(desk.ctx())
    assert "clock" in caught.value.remedy
    await source(server, "jwt_bearer").token(desk.ctx())
    import httpx

    sent = server.requests[-1]
    kind = {"content-type": sent.headers["content-type"]}
    again = httpx.post(server.token_url, content=sent.body, headers=kind)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_another_key_than_the_servers_is_refused(server, desk, key):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.keys["crib"] = key[1]
    desk.put({"client_id": "crib", "private_key": stranger.decode()})
    with pytest.raises(SecretRefused, match="invalid_grant"):
        await source(server, "jwt_bearer").token(desk.ctx())


async def test_a_refresh_token_gives_a_token_for_its_user(server, desk):
    server.clients["public"] = ""
    server.refresh["refresh-needle"] = "alice"
    desk.put({"client_id": "public", "refresh_token": "refresh-needle"})
    token = await source(server, "refresh_token").token(desk.ctx())
    assert server.owners[token.reveal()] == "alice"


async def test_a_replaced_refresh_token_is_used_and_the_operator_is_told(server, desk):
    server.clients["crib"], server.rotates = CLIENT["client_secret"], True
    server.refresh["refresh-needle"] = "alice"
    desk.put({**CLIENT, "refresh_token": "refresh-needle"})
    tokens = source(server, "refresh_token")
    with pytest.warns(ToolcribWarning, match=r"crm/acme/alice.*not stored") as told:
        first = await tokens.token(desk.ctx())
    assert not any(fresh in str(told[0].message) for fresh in server.refresh)
    second = await tokens.renewed(desk.ctx(), first)
    assert server.owners[second.reveal()] == "alice"
    assert {secret.reveal() for secret in desk.learnt} > {first.reveal(), second.reveal()}


async def test_a_revoked_refresh_token_says_sign_in_again(server, desk):
    server.clients["crib"] = CLIENT["client_secret"]
    desk.put({**CLIENT, "refresh_token": "refresh-needle"})
    with pytest.raises(SecretRefused, match="crm/acme/alice") as caught:
        await source(server, "refresh_token").token(desk.ctx())
    assert "sign in again" in caught.value.remedy and "needle" not in str(caught.value)


# --- kept, and kept apart


async def test_a_token_is_kept_for_the_next_call(server, desk):
    knows(server, desk)
    tokens = source(server)
    assert await tokens.token(desk.ctx()) is await tokens.token(desk.ctx())
    assert len(server.requests) == 1


async def test_a_token_near_its_end_is_fetched_anew(server, desk):
    knows(server, desk)
    server.lifetime = 0.002
    tokens = source(server)
    first = await tokens.token(desk.ctx())
    while time.time() < first.expires:
        await asyncio.sleep(0)
    assert await tokens.token(desk.ctx()) is not first


@pytest.mark.parametrize("change", ["version", "value"])
async def test_a_new_secret_gives_a_new_token(server, desk, change):
    knows(server, desk)
    tokens = source(server)
    first = await tokens.token(desk.ctx())
    server.clients["other"] = CLIENT["client_secret"]
    desk.put(CLIENT, version=2) if change == "version" else desk.put({**CLIENT, "client_id": "other"})
    assert await tokens.token(desk.ctx()) is not first


async def test_many_refused_callers_renew_once(server, desk):
    knows(server, desk)
    tokens = source(server)
    first = await tokens.token(desk.ctx())
    renewed = await asyncio.gather(*(tokens.renewed(desk.ctx(), first) for _ in range(64)))
    assert len(set(map(id, renewed))) == 1 and renewed[0] is not first
    assert len(server.requests) == 2


async def test_64_callers_of_two_tenants_get_each_their_own_with_one_request_per_user(server, desk):
    people = [(user, tenant) for user in ("alice", "bob") for tenant in ("acme", "rival")]
    for user, tenant in people:
        server.clients[f"{user}@{tenant}"] = f"secret of {user}"
        desk.put({"client_id": f"{user}@{tenant}", "client_secret": f"secret of {user}"}, user, tenant)
    tokens = source(server)
    with server.holding() as hold:
        asked = [asyncio.ensure_future(tokens.token(desk.ctx(*people[n % 4]))) for n in range(64)]
        await asyncio.to_thread(hold.arrived.wait, 30)
    for n, token in enumerate(await asyncio.gather(*asked)):
        assert server.owners[token.reveal()] == "@".join(people[n % 4])
    assert len(server.requests) == 4


async def test_equal_secrets_of_two_users_still_give_two_tokens(server, desk):
    server.clients["crib"] = CLIENT["client_secret"]
    for user, tenant in (("alice", "acme"), ("bob", "acme"), ("alice", "rival")):
        desk.put(CLIENT, user, tenant)
    tokens = source(server)
    got = [await tokens.token(desk.ctx(*who)) for who in (("alice",), ("bob",), ("alice", "rival"))]
    assert len({token.reveal() for token in got}) == 3


async def test_a_caller_who_goes_away_takes_nothing_from_the_others(server, desk):
    knows(server, desk)
    tokens = source(server)
    with server.holding() as hold:
        first, second = (asyncio.ensure_future(tokens.token(desk.ctx())) for _ in range(2))
        await asyncio.to_thread(hold.arrived.wait, 30)
        first.cancel()
        await asyncio.wait([first])
    assert server.owners[(await second).reveal()] == "crib"
    assert len(server.requests) == 1


def test_one_source_serves_several_event_loops(server, desk):
    knows(server, desk)
    tokens = source(server)
    first, second = (asyncio.run(tokens.token(desk.ctx())) for _ in range(2))
    assert first is second


# --- refusals and bad days


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        ("invalid_client", 401, "right credentials"),
        ("unauthorized_client", 400, "permit it this grant"),
        ("invalid_scope", 400, "scopes"),
        ("something_else", 400, "registration"),
    ],
)
async def test_each_no_says_what_to_do_and_is_asked_once(server, desk, code, status, word):
    knows(server, desk)
    server.fail(status, {"error": code, "error_description": "needle"})
    with pytest.raises(SecretRefused, match=code) as caught:
        await source(server).token(desk.ctx())
    assert word in caught.value.remedy and "needle" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_bad_day_passes_and_says_when(server, desk, status):
    knows(server, desk)
    server.fail(status, headers={"retry-after": "7"})
    with pytest.raises(SecretError, match=str(status)) as caught:
        await source(server).token(desk.ctx())
    assert not isinstance(caught.value, SecretRefused) and caught.value.retry_after == 7
    assert (await source(server).token(desk.ctx())).reveal() in server.owners


@pytest.mark.parametrize(
    "body",
    [
        b"<html>needle</html>",
        b"[]",
        b'{"access_token": "", "token_type": "Bearer"}',
        b'{"access_token": 7, "token_type": "Bearer"}',
        b'{"access_token": "a b", "token_type": "Bearer"}',
        b'{"access_token": "a\\r\\nx-header: 1", "token_type": "Bearer"}',
        b'{"access_token": "needle", "token_type": "mac"}',
        b'{"access_token": "needle", "token_type": "Bearer", "expires_in": -1}',
        b'{"access_token": "needle", "token_type": "Bearer", "expires_in": "soon"}',
    ],
)
async def test_an_answer_that_is_none_is_an_error(server, desk, body):
    knows(server, desk)
    server.answer(Reply(200, body, {"content-type": "application/json"}))
    with pytest.raises(SecretError, match="none of OAuth's") as caught:
        await source(server).token(desk.ctx())
    assert "needle" not in str(caught.value)


async def test_a_redirect_is_not_followed(server, desk):
    knows(server, desk)
    server.answer(Reply(307, b"", {"location": server.url + "/elsewhere"}))
    with pytest.raises(SecretError, match="307"):
        await source(server).token(desk.ctx())
    assert len(server.requests) == 1


async def test_a_cut_and_a_silent_server_are_errors_that_may_pass(server, desk):
    knows(server, desk)
    server.cut()
    with pytest.raises(SecretError, match="does not answer"):
        await source(server).token(desk.ctx())
    with server.holding(), pytest.raises(SecretError, match="does not answer"):
        await source(server, timeout=0.2).token(desk.ctx())


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("plain-needle", "is no JSON object"),
        (["needle"], "is no JSON object"),
        ({"client_id": "crib"}, "lacks client_secret"),
        ({**CLIENT, "client_secret": 7}, "is no JSON object of strings"),
        ({**CLIENT, "needle": "x"}, "1 keys that do not belong"),
    ],
)
async def test_a_secret_in_another_form_is_refused_before_anything_is_sent(server, desk, value, problem):
    desk.put(value)
    with pytest.raises(SecretError, match=problem) as caught:
        await source(server).token(desk.ctx())
    assert "needle" not in str(caught.value) and server.requests == []


async def test_a_broken_key_is_named_without_its_text(server, desk):
    desk.put({"client_id": "crib", "private_key": "-----BEGIN needle-----"})
    with pytest.raises(SecretError, match="cannot sign with RS256") as caught:
        await source(server, "jwt_bearer").token(desk.ctx())
    assert "needle" not in str(caught.value) and server.requests == []


@pytest.mark.parametrize(
    "url", ["", "http://login.example.com/token", "ftp://x/y", "https://u:p@login.example.com"]
)
def test_a_secret_goes_only_to_a_protected_address(url):
    with pytest.raises(ConfigError, match="token_url"):
        TokenSource(secret="crm", grant="client_credentials", token_url=url)


def test_a_grant_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="password"):
        TokenSource(secret="crm", grant="password", token_url="https://login.example.com/token")


# --- in a crib


async def test_a_tool_that_gives_its_token_away_gives_nothing_away(server, tmp_path, caplog):
    caplog.set_level(0)
    server.clients["crib"] = CLIENT["client_secret"]
    LocalProvider(tmp_path / ".toolcrib").put("acme/crm", json.dumps(CLIENT))
    tokens = source(server)

    @tool(effect="read")
    async def tell(ctx: CallContext) -> str:
        """Tell the token."""
        return "the token is " + (await tokens.token(ctx)).reveal()

    rows = "p, *, *, *, read, True, allow\np, *, *, secret:local.crm, use, True, allow"
    config = '[packs.local.secrets]\ncrm = "{tenant}/crm"\n'
    crib = make_crib(tmp_path, rows, config=config)
    crib.add(tell)
    result = await crib.call("local.tell", {}, crib.principal("a", "alice"))
    await asyncio.to_thread(crib.close)
    assert result.status == "done", result
    (token,) = server.owners
    assert "[secret:acme/crm]" in result.text
    files = [file.read_bytes() for file in (tmp_path / ".toolcrib").rglob("*") if file.is_file()]
    for needle in (token, CLIENT["client_secret"]):
        assert needle not in result.text + caplog.text
        assert not any(needle.encode() in data for data in files)
