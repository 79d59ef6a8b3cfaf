"""Who a request is sent as; tokens that expire, also in the middle of pages."""

import asyncio
import base64
import json

import pytest

from toolcrib.errors import NotSent, SecretError, VendorRefused
from toolcrib.kit import BasicLogin, Page, SecretHeader, Token, TokenLogin, collect
from toolcrib.testing import Reply, ServiceRefused, make_context


class Office:
    """Logs in, and serves pages to whoever has a token that still holds."""

    def __init__(self, vendor, lifetime=3600.0):
        self.vendor, self.lifetime = vendor, lifetime
        self.logins, self.valid, self.uses = [], set(), {}
        self.refuse_all, self.fail_login = False, None
        vendor.route("GET", "/api/pages/{n}", self.page)
        vendor.route("POST", "/api/things", self.page)
        self.expire_after = None

    async def log_in(self, secret, ctx):
        if self.fail_login:
            raise self.fail_login
        await asyncio.sleep(0)
        self.logins.append((ctx.principal.user, secret))
        token = f"token-{len(self.logins)}"
        self.valid.add(token)
        return Token(token, self.lifetime)

    def page(self, request):
        token = request.bearer
        self.uses[token] = self.uses.get(token, 0) + 1
        if self.expire_after and self.uses[token] > self.expire_after:
            self.valid.discard(token)
        if self.refuse_all or token not in self.valid:
            raise ServiceRefused(401, {"error": "expired"})
        number = int(request.parameters.get("n", 0))
        return Reply.json({"rows": [number], "next": number + 1 if number < 5 else None})


@pytest.fixture
def office(vendor):
    return Office(vendor)


@pytest.fixture
def client(make_client, office):
    return make_client(credentials=TokenLogin("vendor", office.log_in))


@pytest.fixture
def pages(client):
    async def turn(ctx, cursor):
        found = (await client.get(f"/pages/{cursor or 0}", ctx)).json()
        return Page(found["rows"], found["next"])

    async def read(ctx):
        return (await collect(lambda cursor: turn(ctx, cursor), limit=100)).rows

    return read


async def test_one_login_serves_all_requests(office, pages, ctx):
    assert await pages(ctx) == (0, 1, 2, 3, 4, 5)
    assert len(office.logins) == 1


async def test_a_token_that_expires_in_mid_page_is_renewed(office, pages, ctx):
    office.expire_after = 3
    assert await pages(ctx) == (0, 1, 2, 3, 4, 5)
    assert len(office.logins) == 2


async def test_a_write_that_was_answered_401_goes_again_once(office, client, ctx, vendor):
    await client.get("/pages/0", ctx)
    office.valid.clear()
    assert (await client.request("POST", "/things", ctx, json={"a": 1})).status == 200
    assert [r.json() for r in vendor.requests if r.method == "POST"] == [{"a": 1}, {"a": 1}]


async def test_a_vendor_that_refuses_every_token_is_asked_twice_and_no_more(office, client, ctx, vendor):
    office.refuse_all = True
    with pytest.raises(VendorRefused, match="401"):
        await client.get("/pages/0", ctx)
    assert (len(vendor.requests), len(office.logins)) == (2, 2)


async def test_many_that_meet_an_expired_token_renew_it_once(office, client, ctx):
    await client.get("/pages/0", ctx)
    office.valid.clear()
    await asyncio.gather(*(client.get("/pages/0", ctx) for _ in range(10)))
    assert len(office.logins) == 2


async def test_many_at_the_start_log_in_once(office, client, ctx):
    await asyncio.gather(*(client.get("/pages/0", ctx) for _ in range(10)))
    assert len(office.logins) == 1


async def test_each_principal_and_each_version_of_a_secret_has_its_own_token(office, client, vendor):
    given = [
        ("alice", "acme", "one"),
        ("bob", "acme", "one"),
        ("alice", "b", "one"),
        ("alice", "acme", "two"),
    ]
    for user, tenant, secret in given:
        await client.get("/pages/0", make_context(user=user, tenant=tenant, secrets={"vendor": secret}))
    assert len({request.bearer for request in vendor.requests}) == len(given)
    await client.get("/pages/0", make_context(user="alice", secrets={"vendor": "one"}))
    assert vendor.requests[-1].bearer == vendor.requests[0].bearer


async def test_a_secret_that_was_taken_away_ends_the_token_too(client, ctx):
    await client.get("/pages/0", ctx)
    with pytest.raises(SecretError):
        await client.get("/pages/0", make_context())


async def test_a_token_about_to_expire_is_not_used(make_client, office, ctx):
    office.lifetime = 0.0
    client = make_client(credentials=TokenLogin("vendor", office.log_in))
    for _ in range(3):
        await client.get("/pages/0", ctx)
    assert len(office.logins) == 3


async def test_a_login_that_fails_is_tried_anew_by_the_next_call(office, client, ctx, vendor):
    office.fail_login = NotSent("no way there")
    with pytest.raises(NotSent):
        await client.get("/pages/0", ctx)
    assert vendor.requests == []
    office.fail_login = None
    assert (await client.get("/pages/0", ctx)).status == 200


async def test_only_so_many_tokens_are_kept(office, client, monkeypatch):
    monkeypatch.setattr(TokenLogin, "MOST", 2)
    for user in ("a", "b", "c", "a"):
        await client.get("/pages/0", make_context(user=user, secrets={"vendor": "x"}))
    assert [who for who, _ in office.logins] == ["a", "b", "c", "a"]


async def test_a_basic_login_is_what_its_secret_says(make_client, office, vendor):
    client = make_client(credentials=BasicLogin("vendor"))
    secret = json.dumps({"username": "ü", "password": "p:w"})
    with pytest.raises(VendorRefused, match="401"):  # the office knows tokens only
        await client.get("/pages/0", make_context(secrets={"vendor": secret}))
    scheme, _, value = vendor.requests[0].headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", "ü:p:w")


@pytest.mark.parametrize("secret", ["", "plain", "[]", "{}", '{"username": "x"}', "null"])
async def test_a_basic_login_of_another_shape_names_the_secret_and_not_its_value(make_client, office, secret):
    with pytest.raises(VendorRefused, match="secret 'vendor'") as caught:
        await make_client(credentials=BasicLogin("vendor")).get(
            "/pages/0", make_context(secrets={"vendor": secret})
        )
    assert secret in ("", "[]", "{}", "null") or secret not in str(caught.value)


@pytest.mark.parametrize("secret", ["a\nb", "ü", "a\x00b"])
async def test_a_header_secret_that_no_header_can_hold_is_refused(make_client, office, vendor, secret):
    with pytest.raises(VendorRefused, match="secret 'vendor'"):
        await make_client(credentials=SecretHeader("vendor")).get(
            "/pages/0", make_context(secrets={"vendor": secret})
        )
    assert vendor.requests == []


async def test_a_header_of_another_name_has_no_scheme_where_none_is_wanted(make_client, office, ctx, vendor):
    credentials = SecretHeader("vendor", header="x-api-key", scheme="")
    with pytest.raises(VendorRefused):
        await make_client(credentials=credentials).get("/pages/0", ctx)
    assert vendor.requests[0].headers["x-api-key"] == "token-of-the-vendor"


async def test_no_value_of_a_secret_is_repeated_where_the_vendor_quotes_it(make_client, office, vendor):
    secret = '{"username": "ada", "password": "open-sesame", "pin": 12345}'
    ctx = make_context(secrets={"vendor": secret})
    vendor.fail(400, {"message": f"ada, {secret} has open-sesame in it"})
    with pytest.raises(VendorRefused) as refused:
        await make_client(credentials=BasicLogin("vendor")).get("/pages", ctx)
    assert "open-sesame" not in str(refused.value)
    assert "ada" in str(refused.value)  # whose account it is may be said


async def test_tokens_that_are_forgotten_are_fetched_anew(make_client, office, vendor, ctx):
    async def log_in(secret, ctx):
        return Token(f"token-{len(vendor.requests)}", server="https://eu.vendor.example")

    login = TokenLogin("vendor", log_in)
    first = await login.token(ctx)
    assert (await login.token(ctx)) is first and first.server == "https://eu.vendor.example"
    assert first.value in await login.hidden(ctx)
    login.forget()
    assert first.value not in await login.hidden(ctx)
    assert (await login.token(ctx)) is not first
