"""What is particular to Salesforce: logins, sessions, pages, and whether a write that failed may have
happened.
"""

import asyncio
import html
import json
import threading
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib.testing import Reply
from toolcrib_crm import CRM, CRMSettings, soql
from toolcrib_crm.query import parse
from toolcrib_crm.salesforce import SalesforceBackend
from toolcrib_crm.sample import DEMO
from toolcrib_crm.testing import EXTERNAL_ID, ConnectedApp

APP = {"consumer_key": "3MVG9key", "consumer_secret": "SECRETSECRET"}
PASSWORD = {"username": "alice@acme.example", "password": "pass<&>word", "security_token": "tok&en42"}


@pytest.fixture(scope="session")
def keys():
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode(), public.decode()


def org(fake, **settings):
    chosen = CRMSettings(backend="salesforce", **settings)
    return CRM(SalesforceBackend(chosen, transport=fake.transport()), chosen)


# --- logging in -----------------------------------------------------------------------------------


async def test_password_and_token(fake, ctx):
    assert (await org(fake).search_accounts("ozzelbruck rotors", ctx=ctx)).records
    assert fake.logins.count == 1


async def test_password_alone_where_the_network_is_trusted(fake, make_ctx):
    fake.add_user("bob@acme.example", 'p"w')
    ctx = make_ctx(secret={"username": "bob@acme.example", "password": 'p"w'})
    assert (await org(fake).search_accounts(limit=1, ctx=ctx)).records


async def test_signed_jwt(fake, make_ctx, keys):
    private, public = keys
    fake.add_app(ConnectedApp(**APP, public_key=public, approved=frozenset({"bot@acme.example"})))
    secret = {"username": "bot@acme.example", "consumer_key": APP["consumer_key"], "private_key": private}
    assert (await org(fake, login="jwt").search_accounts(limit=1, ctx=make_ctx(secret=secret))).records
    assert list(fake.logins.sessions.values()) == ["bot@acme.example"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"consumer_key": "other"}, "client identifier invalid"),
        ({"username": "stranger@acme.example"}, "hasn't approved"),
        ({"private_key": "another"}, "invalid assertion"),
        ({"private_key": "no key at all"}, "private key cannot be used"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
async def test_a_jwt_that_is_not_right_is_refused(fake, make_ctx, keys, change, words):
    private, public = keys
    fake.add_app(ConnectedApp(**APP, public_key=public, approved=frozenset({"bot@acme.example"})))
    if change.get("private_key") == "another":
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        change = {
            "private_key": other.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode()
        }
    secret = {
        "username": "bot@acme.example",
        "consumer_key": APP["consumer_key"],
        "private_key": private,
        **change,
    }
    with pytest.raises(ToolError, match=words) as refused:
        await org(fake, login="jwt").search_accounts(ctx=make_ctx(secret=secret))
    assert refused.value.happened is False
    assert secret["private_key"] not in str(refused.value)
    assert fake.logins.count == 0


async def test_client_credentials_at_the_orgs_own_domain(fake, make_ctx):
    fake.add_app(ConnectedApp(**APP))
    crm = org(fake, login="client_credentials", domain="acme.my")
    assert (await crm.search_accounts(limit=1, ctx=make_ctx(secret=APP))).records
    with pytest.raises(VendorRefused, match="invalid client credentials") as refused:
        await crm.search_accounts(ctx=make_ctx(secret={**APP, "consumer_secret": "WRONGWRONG"}))
    assert "WRONGWRONG" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"password": "nopenope"}, {"security_token": "stale"}, {"username": "x@y.example"}]
)
async def test_a_wrong_login_is_refused_and_says_nothing_secret(fake, make_ctx, wrong):
    secret = {**PASSWORD, **wrong}
    with pytest.raises(VendorRefused, match=r"refused the login \(INVALID_LOGIN") as refused:
        await org(fake).create_lead("x", "y", ctx=make_ctx(secret=secret))
    for value in (secret["password"], secret["security_token"]):
        assert value not in f"{refused.value!s}{refused.value!r}"
    assert fake.changes == []


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("hunter2-not-json", "no JSON object"),
        ('["hunter2"]', "no JSON object"),
        ('{"username": 7, "password": "hunter2"}', "no JSON object"),
        ('{"username": "u"}', "lacks password"),
        ('{"username": "u", "password": "hunter2", "passwrd": "hunter2"}', "unknown keys passwrd"),
    ],
)
async def test_a_secret_of_the_wrong_shape_is_told_without_its_value(fake, make_ctx, secret, words):
    with pytest.raises(VendorRefused, match=words) as refused:
        await org(fake).search_accounts(ctx=make_ctx(secret=secret))
    assert "hunter2" not in str(refused.value)
    assert "login = 'password' takes a JSON object with username, password, security_token" in str(
        refused.value
    )
    assert fake.requests == []


async def test_a_login_that_cannot_be_had_now_was_not_sent(fake, ctx):
    for fault in (
        {"status": 503},
        {"status": 500, "body": "<html>oops</html>"},
        {"status": 429, "headers": {"retry-after": "9"}},
    ):
        fake.fail(**fault)
        with pytest.raises(NotSent) as failed:
            await org(fake).create_lead("x", "y", ctx=ctx)
        assert failed.value.retry_after == (9.0 if fault["status"] == 429 else None)
    assert fake.changes == []


# --- sessions -------------------------------------------------------------------------------------


async def test_one_session_serves_many_calls(fake, ctx):
    crm = org(fake)
    for _ in range(3):
        await crm.search_accounts(limit=1, ctx=ctx)
    assert fake.logins.count == 1


async def test_threads_that_come_together_log_in_once(fake, ctx):
    crm = org(fake)
    await asyncio.gather(*(crm.search_accounts(limit=1, ctx=ctx) for _ in range(10)))
    assert fake.logins.count == 1


async def test_sessions_are_not_shared_over_users_tenants_or_versions_of_the_secret(fake, make_ctx):
    crm = org(fake)
    fake.add_user("bob@acme.example", "other", "t")
    bobs = {"username": "bob@acme.example", "password": "other", "security_token": "t"}
    contexts = [
        make_ctx(user="alice"),
        make_ctx(user="bob"),
        make_ctx(user=None),
        make_ctx(user="alice", tenant="other"),
        make_ctx(user="alice", secret=bobs, version=2),
    ]
    for ctx in contexts * 2:
        await crm.search_accounts(limit=1, ctx=ctx)
    assert fake.logins.count == len(contexts)
    used = [request.bearer for request in fake.requests if request.path.startswith("/services/data")]
    assert len(set(used)) == len(contexts)
    assert used[:5] == used[5:]


async def test_an_expired_session_is_renewed_once_and_the_write_done_once(fake, ctx):
    crm = org(fake)
    await crm.search_accounts(limit=1, ctx=ctx)
    fake.expire_sessions()
    made = await crm.create_lead("Once", "Only", ctx=ctx)
    assert fake.logins.count == 2
    assert fake.changes == [("create", made.id)]


async def test_threads_that_meet_an_expired_session_renew_it_once(fake, ctx):
    crm = org(fake)
    await crm.search_accounts(limit=1, ctx=ctx)
    fake.expire_sessions()
    await asyncio.gather(*(crm.search_accounts(limit=1, ctx=ctx) for _ in range(8)))
    assert fake.logins.count == 2


async def test_a_conversion_renews_its_session_too(fake, ctx):
    crm = org(fake)
    await crm.search_accounts(limit=1, ctx=ctx)
    fake.expire_sessions()
    await crm.convert_lead(DEMO.lead_id, ctx=ctx)
    assert (fake.logins.count, fake.changes) == (2, [("convert", DEMO.lead_id)])


async def test_a_session_that_stays_refused_is_not_asked_for_again_and_again(fake, ctx, monkeypatch):
    monkeypatch.setattr(
        type(fake.logins),
        "open",
        lambda logins, user: setattr(logins, "count", logins.count + 1) or "stillborn",
    )
    with pytest.raises(VendorRefused, match="INVALID_SESSION_ID"):
        await org(fake).create_lead("x", "y", ctx=ctx)
    assert fake.logins.count == 2


@pytest.mark.parametrize("pages", [1, 2, 3])
async def test_a_session_that_ends_in_mid_page_is_renewed_and_the_pages_go_on(fake, ctx, pages):
    fake.page_size = 10
    crm = org(fake)
    whole = (await crm.search_accounts(limit=35, ctx=ctx)).records
    fake.expire_sessions(after=pages)
    page = await crm.search_accounts(limit=35, ctx=ctx)
    assert page.records == whole and page.more
    assert fake.logins.count == 2
    used = [request.bearer for request in fake.requests if "/query/" in request.path][4:]
    assert [used.index(token) for token in dict.fromkeys(used)] == [0, pages + 1]  # the asked page, once more


async def test_a_session_that_ends_between_looking_and_writing_is_renewed_and_one_record_made(fake, ctx):
    crm = org(fake, external_id=EXTERNAL_ID)
    await crm.search_accounts(limit=1, ctx=ctx)
    fake.expire_sessions(after=1)
    made = await crm.create_lead("Once", "Only", ctx=ctx)
    fake.expire_sessions(after=1)
    await crm.set_opportunity_stage(DEMO.open_opportunity_id, "Closed Lost", ctx=ctx)
    assert fake.changes == [("create", made.id), ("update", DEMO.open_opportunity_id)]
    assert fake.logins.count == 3


async def test_a_password_that_is_changed_in_mid_page_ends_the_read_with_no_half_of_it(fake, ctx):
    fake.page_size = 10
    crm = org(fake)
    await crm.search_accounts(limit=1, ctx=ctx)
    fake.expire_sessions(after=2)
    fake.add_user(PASSWORD["username"], "changed", "token")
    with pytest.raises(VendorRefused, match="refused the login") as refused:
        await crm.search_accounts(limit=35, ctx=ctx)
    assert not any(value in str(refused.value) for value in (PASSWORD["password"], "changed"))


# --- pages ----------------------------------------------------------------------------------------


async def test_pages_are_followed_up_to_the_cap_and_no_further(fake, ctx):
    fake.page_size = 10
    page = await org(fake).search_accounts(limit=35, ctx=ctx)
    assert (len(page.records), page.more) == (35, True)
    assert len({account.id for account in page.records}) == 35
    pages = [request for request in fake.requests if "/query/" in request.path]
    assert len(pages) == 4


async def test_pages_without_end_are_not_followed_for_ever(fake, ctx):
    """Should the vendor not heed the LIMIT, the cap is ours."""
    crm = await logged_in(fake, ctx)
    seen = len(fake.requests)
    for number in range(99):
        url = f"/services/data/v59.0/query/01gTC0000000001-{number}"
        page = {"done": False, "records": [{"Id": DEMO.account_id}] * 10, "nextRecordsUrl": url}
        fake.answer(Reply.json(page))
    result = await crm.run_query("SELECT id FROM Account LIMIT 35", ctx=ctx)
    assert (len(result.rows), result.more) == (35, True)
    assert len(fake.requests) == seen + 4


async def test_pages_that_lead_in_a_circle_are_left(fake, ctx):
    crm = await logged_in(fake, ctx)
    url = "/services/data/v59.0/query/01gTC0000000001-10"
    fake.answer(Reply.json({"done": False, "records": [], "nextRecordsUrl": url}), times=99)
    with pytest.raises(ToolError, match="in a circle"):
        await crm.search_accounts(ctx=ctx)


async def test_a_record_that_comes_twice_is_one_record(fake, ctx, monkeypatch):
    crm, every = await logged_in(fake, ctx), fake.store.all
    monkeypatch.setattr(fake.store, "all", lambda name: every(name) * 2)
    page = await crm.search_accounts("ozzelbruck rotors", ctx=ctx)
    assert [account.name for account in page.records] == [DEMO.company]


async def test_ten_thousand_records_are_read_up_to_the_cap(fake, ctx):
    one = fake.store.get("Account", DEMO.account_id)
    for number in range(10_000):
        fake.store._records["Account"][f"many{number}"] = {**one, "Id": f"001TC{number:010d}AAA"}
    crm = org(fake, row_cap=2000)
    page = await crm.search_accounts(limit=2000, ctx=ctx)
    assert (len(page.records), page.more) == (2000, True)
    assert len([request for request in fake.requests if "/query/" in request.path]) == 2


# --- in one go ------------------------------------------------------------------------------------


async def test_an_overview_is_one_request(fake, ctx):
    crm = await logged_in(fake, ctx)
    seen = len(fake.requests)
    overview = await crm.get_account_overview(DEMO.account_id, ctx=ctx)
    assert overview.account.name == DEMO.company and overview.contacts
    assert [request.path for request in fake.requests[seen:]] == ["/services/data/v59.0/composite/batch"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, [{"errorCode": "INVALID_FIELD", "message": "No such column"}], VendorRefused),
        (400, [{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "locked"}], NotSent),
        (500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "oops"}], Temporary),
        (200, {"records": "many"}, ToolError),
        ("200", {}, ToolError),
    ],
)
async def test_what_one_of_several_is_refused_with_all_are(fake, ctx, status, body, error):
    crm = await logged_in(fake, ctx)
    good = {"statusCode": 200, "result": {"records": [], "done": True}}
    bad = {"statusCode": status, "result": body}
    fake.answer(Reply.json({"hasErrors": True, "results": [good, bad, good, good]}))
    with pytest.raises(error) as failed:
        await crm.get_account_overview(DEMO.account_id, ctx=ctx)
    assert type(failed.value) is error


async def test_more_queries_than_one_request_takes_go_in_two(fake, ctx):
    await logged_in(fake, ctx)
    settings = CRMSettings(backend="salesforce")
    backend, seen = SalesforceBackend(settings, transport=fake.transport()), len(fake.requests)
    names = [account["Name"] for account in fake.store.all("Account")[:26]]
    asked = [parse(f"SELECT name FROM Account WHERE name = {soql.quote(name)} LIMIT 1") for name in names]
    found = await backend.fetch_all(asked, ctx)
    assert [[row["name"] for row in rows] for rows in found] == [[name] for name in names]
    batches = [request.json()["batchRequests"] for request in fake.requests[seen:] if "batch" in request.path]
    assert [len(batch) for batch in batches] == [25, 1]
    await backend.close()


async def test_a_batch_with_too_few_results_is_not_believed(fake, ctx):
    crm = await logged_in(fake, ctx)
    fake.answer(Reply.json({"hasErrors": False, "results": []}))
    with pytest.raises(ToolError, match="a batch of 4 was answered with 0 results"):
        await crm.get_account_overview(DEMO.account_id, ctx=ctx)


# --- the call's key -------------------------------------------------------------------------------


async def test_a_create_whose_answer_is_lost_is_found_by_its_key_and_made_once(fake, ctx):
    crm = org(fake, external_id=EXTERNAL_ID)
    await crm.search_accounts(limit=1, ctx=ctx)
    fake.vanish()
    made = await crm.create_lead("Cut", "Off", ctx=ctx)
    assert fake.changes == [("create", made.id)]
    assert (await crm.create_lead("Cut", "Off", ctx=ctx)).id == made.id  # the same call, once more
    assert fake.changes == [("create", made.id)]


async def test_a_create_that_cannot_be_looked_for_either_is_left_open(fake, ctx):
    crm = org(fake, external_id=EXTERNAL_ID)
    await crm.search_accounts(limit=1, ctx=ctx)
    serve, cuts = fake._serve, iter([None, 0, 0])

    def unreachable_afterwards(request):
        reply, _ = serve(request)
        return reply, next(cuts)

    fake._server.respond = unreachable_afterwards
    with pytest.raises(Temporary) as failed:
        await crm.create_lead("Cut", "Twice", ctx=ctx)
    assert failed.value.happened is None
    assert len(fake.changes) == 1


async def test_another_call_makes_another_record_and_no_key_tells_who_asked(fake, make_ctx):
    crm = org(fake, external_id=EXTERNAL_ID)
    one, two = make_ctx(), make_ctx(user="bob")
    made = {
        (await crm.create_lead("Same", "Words", ctx=one)).id,
        (await crm.create_lead("Same", "Words", ctx=two)).id,
        (await crm.log_activity(DEMO.lead_id, "Call", "x", ctx=one)).id,
        (await crm.create_contact(DEMO.account_id, "Words", ctx=one)).id,
    }
    assert len(made) == 4
    keys = [request.path.rpartition("/")[2] for request in fake.requests if EXTERNAL_ID in request.path]
    assert len(set(keys)) == 4
    assert not any(word in key for key in keys for word in ("alice", "acme", "key-1"))


async def test_an_org_without_the_field_says_so_and_nothing_is_made(fake, ctx):
    crm = org(fake, external_id="Missing__c")
    with pytest.raises(VendorRefused, match="external ID field does not exist"):
        await crm.create_lead("x", "y", ctx=ctx)
    assert fake.changes == []


# --- whom a token is sent to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "https://acme.my.salesforce.com.evil.example",
        "https://evil.example/.salesforce.com",
        "https://evil.example#.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://x@acme.my.salesforce.com",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://169.254.169.254",
        "https://[::1]",
        "//acme.my.salesforce.com",
        "",
    ],
)
async def test_a_login_that_leads_elsewhere_is_not_followed(fake, make_ctx, url):
    fake.add_app(ConnectedApp(**APP))
    fake.answer(Reply.json({"access_token": "token-token", "instance_url": url}))
    crm = org(fake, login="client_credentials", domain="acme.my")
    with pytest.raises(NotSent, match="names no session at a server"):
        await crm.search_accounts(ctx=make_ctx(secret=APP))
    assert len(fake.requests) == 1


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "tøken", 7])
async def test_a_token_that_no_header_can_hold_is_none(fake, make_ctx, token):
    answer = {"access_token": token, "instance_url": "https://acme.my.salesforce.com"}
    fake.answer(Reply.json(answer))
    crm = org(fake, login="client_credentials", domain="acme.my")
    with pytest.raises(ToolError):
        await crm.search_accounts(ctx=make_ctx(secret=APP))


@pytest.mark.parametrize(
    "url",
    [
        "@evil.example/services/data/v59.0/query/01g-10",
        "https://evil.example/",
        "/services/data/v59.0/query/../../x",
        ":1@e/",
    ],
)
async def test_a_next_page_elsewhere_is_not_followed(fake, ctx, url):
    crm = org(fake)
    await crm.search_accounts(limit=1, ctx=ctx)
    seen = len(fake.requests)
    fake.answer(Reply.json({"done": False, "records": [], "nextRecordsUrl": url}))
    with pytest.raises(ToolError, match="no such address"):
        await crm.search_accounts(ctx=ctx)
    assert len(fake.requests) == seen + 1


# --- what failed, and whether it happened ---------------------------------------------------------


async def logged_in(fake, ctx):
    crm = org(fake)
    await crm.search_accounts(limit=1, ctx=ctx)
    return crm


LIMIT = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
LOCKED = [{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access"}]
CRASHED = [{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred."}]
INVALID = [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No Mondays"}]
FORBIDDEN = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "insufficient access rights"}]
DOWN = [{"errorCode": "SERVER_UNAVAILABLE", "message": "We are down for maintenance"}]


@pytest.mark.parametrize(
    ("status", "body", "headers", "error", "happened", "retry_after"),
    [
        (429, LIMIT, {"Retry-After": "17"}, NotSent, False, 17.0),
        (403, LIMIT, {}, NotSent, False, None),
        (503, LIMIT, {"Retry-After": "5"}, NotSent, False, 5.0),
        (400, LOCKED, {}, NotSent, False, None),
        (503, DOWN, {"Retry-After": "30"}, Temporary, None, 30.0),
        (503, "<html>busy</html>", {}, Temporary, None, None),
        (500, CRASHED, {}, Temporary, None, None),
        (502, "<html>bad gateway</html>", {}, Temporary, None, None),
        (400, INVALID, {}, VendorRefused, False, None),
        (403, FORBIDDEN, {}, VendorRefused, False, None),
        (404, "", {}, VendorRefused, False, None),
        (302, "", {"Location": "https://evil.example/"}, ToolError, None, None),
    ],
)  # fmt: skip
async def test_what_the_vendor_says_is_what_the_executor_learns(
    fake, ctx, status, body, headers, error, happened, retry_after
):
    crm = await logged_in(fake, ctx)
    fake.fail(status, body, headers)
    with pytest.raises(ToolError) as failed:
        await crm.create_lead("x", "y", ctx=ctx)
    assert type(failed.value) is error
    assert (failed.value.happened, failed.value.retry_after) == (happened, retry_after)
    assert failed.value.temporary == (error not in (VendorRefused, ToolError))
    if isinstance(body, list):
        assert body[0]["message"] in str(failed.value)


async def test_a_connection_that_never_was_means_not_sent(fake, ctx):
    crm = await logged_in(fake, ctx)
    fake.stop()
    with pytest.raises(NotSent, match="could not be reached"):
        await crm.create_lead("x", "y", ctx=ctx)


@pytest.mark.parametrize(
    "write",
    [
        lambda crm, ctx: crm.create_lead("Cut", "Off", ctx=ctx),
        lambda crm, ctx: crm.update_record("Lead", DEMO.lead_id, {"rating": "Cold"}, ctx=ctx),
        lambda crm, ctx: crm.set_opportunity_stage(DEMO.open_opportunity_id, "Closed Lost", ctx=ctx),
        lambda crm, ctx: crm.log_activity(DEMO.lead_id, "Call", "x", ctx=ctx),
        lambda crm, ctx: crm.convert_lead(DEMO.lead_id, ctx=ctx),
        lambda crm, ctx: crm.delete_record("Lead", DEMO.lead_id, ctx=ctx),
    ],
    ids=["create", "update", "stage", "log", "convert", "delete"],
)
async def test_a_connection_cut_after_the_write_leaves_it_open_and_writes_once(fake, ctx, write):
    crm = await logged_in(fake, ctx)
    fake.vanish()
    with pytest.raises(Temporary) as failed:
        await write(crm, ctx)
    assert failed.value.happened is None
    assert len(fake.changes) == 1


async def test_an_answer_that_breaks_off_leaves_the_write_open(fake, ctx):
    crm = await logged_in(fake, ctx)
    fake.cut(after=5)
    with pytest.raises(Temporary) as failed:
        await crm.create_lead("x", "y", ctx=ctx)
    assert failed.value.happened is None
    assert len(fake.changes) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b'{"id": 7, "success": tr', {"content-type": "application/json"}),
        Reply(200, b"<html>Login</html>", {"content-type": "text/html"}),
        Reply(200, b'{"records": "many"}', {"content-type": "application/json"}),
        Reply(200, b'{"records": [1], "done": true}', {"content-type": "application/json"}),
        Reply(200, b'{"records": [{"Id": 1}], "done": true}', {"content-type": "application/json"}),
        Reply(200, b"[]", {"content-type": "application/json"}),
        Reply(200, b"", {"content-type": "application/json"}),
        Reply(204),
    ],
)
async def test_an_answer_that_is_none_is_told(fake, ctx, reply):
    crm = await logged_in(fake, ctx)
    fake.answer(reply)
    with pytest.raises(ToolError):
        await crm.search_accounts(ctx=ctx)
    fake.answer(reply)
    with pytest.raises(ToolError) as failed:
        await crm.create_lead("x", "y", ctx=ctx)
    assert failed.value.happened is None
    fake.answer(reply)
    with pytest.raises(ToolError) as failed:
        await crm.convert_lead(DEMO.lead_id, ctx=ctx)
    assert failed.value.happened is None


async def test_a_record_of_the_wrong_shape_is_told(fake, ctx):
    crm = await logged_in(fake, ctx)
    fake.store._records["Account"][DEMO.account_id]["Name"] = None
    with pytest.raises(ToolError, match="Account that cannot be read: name"):
        await crm.get_record("Account", DEMO.account_id, ctx=ctx)


async def test_an_answer_that_comes_too_late_leaves_the_write_open(fake, make_ctx):
    crm = await logged_in(fake, make_ctx())
    with fake.holding(), pytest.raises(Temporary, match="did not answer within") as failed:
        await crm.create_lead("x", "y", ctx=make_ctx(seconds=0.5))
    assert failed.value.happened is None


async def test_no_request_is_sent_when_the_time_is_up(fake, make_ctx):
    crm = await logged_in(fake, make_ctx())
    seen = len(fake.requests)
    with pytest.raises(NotSent, match="time was up"):
        await crm.create_lead("x", "y", ctx=make_ctx(seconds=-1))
    assert len(fake.requests) == seen


async def test_no_token_is_ever_in_a_message(fake, ctx):
    """Even where the vendor throws it back."""
    crm = await logged_in(fake, ctx)
    token = next(iter(fake.logins.sessions))
    fake.fail(400, [{"errorCode": "X", "message": f"bad header Bearer {token} of {PASSWORD['password']}"}])
    with pytest.raises(VendorRefused, match=r"\*\*\*") as refused:
        await crm.create_lead("x", "y", ctx=ctx)
    seen: BaseException | None = refused.value
    while seen is not None:
        assert token not in f"{seen!r}{seen}"
        assert PASSWORD["password"] not in f"{seen!r}{seen}"
        seen = seen.__cause__ or seen.__context__


async def test_the_vendors_picklists_are_the_orgs_own(fake, ctx, monkeypatch):
    from toolcrib_crm.testing import _schema

    monkeypatch.setitem(_schema.PICKLISTS, ("Opportunity", "StageName"), ("Ours", "Closed Won"))
    info = await org(fake).describe_object("Opportunity", ctx=ctx)
    assert next(field.values for field in info.fields if field.name == "stage") == ("Ours", "Closed Won")


async def test_requests_carry_what_salesforce_wants(fake, ctx):
    crm = await logged_in(fake, ctx)
    await crm.create_lead("Ünïcode 😀", "y", ctx=ctx)
    request = fake.requests[-1]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == "acme.my.salesforce.com"
    assert json.loads(request.body)["LastName"] == "Ünïcode 😀"
    assert request.path == "/services/data/v59.0/sobjects/Lead"


async def test_the_version_is_a_setting(fake, ctx):
    await org(fake, api_version="61.0").search_accounts(limit=1, ctx=ctx)
    assert "/services/data/v61.0/query/" in [request.path for request in fake.requests]


async def test_a_name_that_xml_cannot_hold_is_refused(fake, ctx):
    crm = await logged_in(fake, ctx)
    with pytest.raises(VendorRefused, match="XML cannot hold"):
        await crm.convert_lead(DEMO.lead_id, opportunity_name="a\0b", ctx=ctx)
    assert fake.changes == []


async def test_the_loop_runs_on_while_salesforce_thinks(fake, ctx):
    crm = await logged_in(fake, ctx)
    with fake.holding() as gate:
        waiting = asyncio.create_task(crm.search_accounts(limit=1, ctx=ctx))
        await asyncio.to_thread(gate.arrived.wait)
        assert not waiting.done()
        gate.release()
        assert len((await waiting).records) == 1


def test_the_assertion_of_the_client_library_is_short_lived(fake, keys):
    """The fake refuses a JWT that lives longer than Salesforce allows."""
    private, public = keys
    fake.add_app(ConnectedApp(**APP, public_key=public, approved=frozenset({"b"})))
    claims = {
        "iss": APP["consumer_key"],
        "sub": "b",
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 4000,
    }
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, private, algorithm="RS256"),
    }
    answer = fake.session().post("https://login.salesforce.com/services/oauth2/token", form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_closing_ends_the_sessions(fake, ctx):
    before = threading.active_count()
    crm = await logged_in(fake, ctx)
    await crm.close()
    await crm.search_accounts(limit=1, ctx=ctx)
    assert fake.logins.count == 2
    assert threading.active_count() < before + 20


# --- answers made to harm ---------------------------------------------------------------------------


ODD = [None, 7, True, "x", [], {}, [[]], {"a": []}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_no_part_of_an_answer_is_believed_to_be_of_its_kind(fake, ctx, odd):
    """Whatever stands where something else should, the pack raises what the executor understands."""
    crm = await logged_in(fake, ctx)
    record = {"Id": DEMO.account_id, "attributes": {"url": "x"}}
    answers = [
        odd,
        {"done": odd, "records": [], "nextRecordsUrl": odd},
        {"done": True, "records": odd},
        {"done": True, "records": [odd]},
        {"done": True, "records": [{**record, "attributes": odd}, {**record, "attributes": {"url": odd}}]},
        {"fields": odd},
        {"fields": [{"name": odd, "picklistValues": [1]}]},
        {"fields": [{"name": "StageName", "picklistValues": odd}]},
        {"id": odd},
        {"results": odd},
        {"results": [odd] * 4},
        {"results": [{"statusCode": 400, "result": odd}] * 4},
    ]
    for answer in answers:
        for call in (
            lambda: crm.search_accounts(ctx=ctx),
            lambda: crm.get_account_overview(DEMO.account_id, ctx=ctx),
            lambda: crm.describe_object("Opportunity", ctx=ctx),
            lambda: crm.create_lead("x", "y", ctx=ctx),
            lambda: crm.update_record("Lead", DEMO.lead_id, {"rating": "Hot"}, ctx=ctx),
        ):
            fake.answer(Reply.json(answer))
            try:
                await call()
            except ToolError as error:
                assert not isinstance(error, VendorRefused) or answer == answers[-1]
            fake.relent()


@pytest.mark.parametrize("odd", ["", "../../x", "001' OR Id != '", "<b>", "001TC0000000001YAA;"])
async def test_an_id_that_is_none_leaves_a_write_open(fake, ctx, odd):
    crm = await logged_in(fake, ctx)
    fake.answer(Reply.json({"id": odd, "success": True, "errors": []}, 201))
    with pytest.raises(ToolError, match="by an id") as failed:
        await crm.create_lead("x", "y", ctx=ctx)
    assert failed.value.happened is None
    text = f"<accountId>{odd}</accountId><contactId>{odd}</contactId><success>true</success>"
    fake.answer(Reply(200, text.encode(), {"content-type": "text/xml"}))
    with pytest.raises(ToolError, match="by an id") as failed:
        await crm.convert_lead(DEMO.lead_id, ctx=ctx)
    assert failed.value.happened is None


async def test_an_answer_without_end_is_left(fake, ctx, monkeypatch):
    crm = await logged_in(fake, ctx)
    monkeypatch.setattr(crm._backend._org._client._wire, "_max_bytes", 100_000)
    sent = []

    def endless():
        while len(sent) < 1000:
            sent.append(1)
            yield b"x" * 65_536

    fake.answer(Reply(200, stream=endless()))
    with pytest.raises(ToolError, match="too large"):
        await crm.search_accounts(ctx=ctx)
    assert len(sent) < 1000


# --- a login that quotes what it was sent -----------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_a_login_that_quotes_its_request_does_not_get_it_repeated(
    fake, make_ctx, keys, status, monkeypatch
):
    """Whatever the way to log in, and however it is written there."""
    secrets = {
        "password": PASSWORD,
        "jwt": {"username": "bot@acme.example", "consumer_key": "KEYKEY", "private_key": keys[0]},
        "client_credentials": APP,
    }
    for login, secret in secrets.items():
        monkeypatch.setattr(
            fake,
            "handle",
            lambda request: Reply.json(
                {"error": "bad", "error_description": f"{request.body.decode()} {dict(request.headers)}"},
                status,
            ),
        )
        crm = org(fake, login=login, domain="acme.my")
        with pytest.raises(ToolError) as failed:
            await crm.search_accounts(ctx=make_ctx(secret=secret))
        sent = fake.requests[-1].body.decode()
        hidden = [value for key, value in secret.items() if key not in ("username", "consumer_key")]
        hidden += [urllib.parse.parse_qs(sent)["assertion"][0]] if login == "jwt" else []
        for value in hidden:
            assert value[:20] not in str(failed.value), login
            assert html.escape(value, quote=False)[:20] not in str(failed.value), login


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"{}", b'{"id": "001TC0000000001YAA"}'])
async def test_a_change_that_is_answered_with_a_body_is_left_open(fake, ctx, body):
    """Salesforce answers a change with nothing; a page with 200 comes from something in between."""
    crm = await logged_in(fake, ctx)
    for call in (
        lambda: crm.update_record("Lead", DEMO.lead_id, {"rating": "Hot"}, ctx=ctx),
        lambda: crm.delete_record("Lead", DEMO.lead_id, ctx=ctx),
    ):
        fake.answer(Reply(200, body, {"content-type": "text/html"}))
        with pytest.raises(ToolError, match="where it sends none") as failed:
            await call()
        assert (failed.value.happened, failed.value.temporary) == (None, False)
    assert fake.changes == []
