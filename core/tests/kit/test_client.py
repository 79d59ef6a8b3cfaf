"""The client against a real server on loopback: what it sends, and what it makes of every kind of answer."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import BaseModel

from toolcrib.errors import ConfigError, NotSent, SecretError, Temporary, ToolError, VendorRefused
from toolcrib.kit import Client, path, vendor_key
from toolcrib.testing import FakeService, Reply, make_context

TOKEN = "token-of-the-vendor"


class Thing(BaseModel):
    name: str
    size: int


def thing(**changes):
    return Reply.json({"name": "saw", "size": 3} | changes)


@pytest.fixture(autouse=True)
def routes(vendor):
    for method in ("GET", "POST", "PATCH", "DELETE"):
        vendor.route(method, "/api/things", lambda request: thing())
        vendor.route(method, "/api/things/{id}", lambda request: thing())


# --- what is sent ---------------------------------------------------------------------------------


async def test_a_request_has_the_token_the_query_and_no_compression(client, vendor, ctx):
    answer = await client.get("/things", ctx, query={"q": "a b&c=d", "limit": 7, "deep": True, "none": None})
    (request,) = vendor.requests
    assert request.query == {"q": "a b&c=d", "limit": "7", "deep": "true"}
    assert request.bearer == TOKEN
    assert request.headers["accept-encoding"] == "identity"
    assert answer.parse(Thing) == Thing(name="saw", size=3)


async def test_a_body_is_sent_as_json_whatever_it_holds(client, vendor, ctx):
    body = {"text": "emoji 🪚, \u202eRTL, NUL \x00, quote \" ' ; --"}
    await client.request("POST", "/things", ctx, json=body)
    assert vendor.requests[0].json() == body
    assert vendor.requests[0].headers["content-type"] == "application/json"


async def test_no_secret_means_no_request(client, vendor):
    with pytest.raises(SecretError):
        await client.get("/things", make_context())
    assert vendor.requests == []


@pytest.mark.parametrize("name", ["a/../../admin", "a?x=1", "a#b", "a%2Fb", "ü", "x\x00y", "\ud800"])
async def test_a_segment_is_one_segment_whatever_it_holds(client, vendor, ctx, name):
    await client.get(path("things", name), ctx)
    (request,) = vendor.requests
    assert request.path.count("/") == 3
    assert request.query == {}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_segment_that_would_climb_is_refused(name):
    with pytest.raises(NotSent, match="part of an address"):
        path("things", name)


async def test_connections_are_pooled_and_closed(make_client, vendor, ctx):
    client = make_client()
    opened = []
    vendor._server.process_request, real = (
        lambda *given: (opened.append(1), real(*given)),
        vendor._server.process_request,
    )
    for _ in range(5):
        await client.get("/things", ctx)
    assert len(opened) == 1
    await client.close()
    await client.get("/things", ctx)  # opens anew
    assert len(opened) == 2


def test_another_event_loop_gets_connections_of_its_own(vendor, ctx):
    client = Client(f"{vendor.url}/api", vendor="Acme")

    async def once():
        assert (await client.get("/things", ctx)).status == 200

    asyncio.run(once())
    asyncio.run(once())


async def test_cookies_of_one_principal_never_go_with_another(client, vendor, ctx):
    vendor.answer(Reply.json({}, headers={"set-cookie": "session=alice; Path=/"}))
    await client.get("/things", ctx)
    await client.get("/things", make_context(user="bob", secrets={"vendor": "bobs-token"}))
    assert "cookie" not in vendor.requests[1].headers


async def test_a_write_carries_the_key_and_a_read_does_not(make_client, vendor, ctx):
    client = make_client(idempotency_header="Idempotency-Key")
    await client.get("/things", ctx)
    await client.request("POST", "/things", ctx, json={})
    await client.request("POST", "/things", ctx, json={})
    await client.request("POST", "/things", ctx, json={}, part="second")
    keys = [request.headers.get("idempotency-key") for request in vendor.requests]
    assert keys == [None, vendor_key(ctx), vendor_key(ctx), vendor_key(ctx, "second")]
    assert keys[2] != keys[3]


async def test_the_next_page_may_be_a_whole_url_of_the_same_server(client, vendor, ctx):
    await client.get(f"{vendor.url}/api/things?page=2", ctx)
    assert vendor.requests[0].query == {"page": "2"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/api/things",
        "//evil.example/things",
        "http://127.0.0.1:1/api",
        "things",
        "file:///x",
    ],
)
async def test_a_token_goes_to_no_other_server(client, vendor, ctx, elsewhere):
    with pytest.raises(ToolError, match="leads to another server"):
        await client.get(elsewhere, ctx)
    assert vendor.requests == []


@pytest.mark.parametrize(
    "url", ["", "ftp://x.example", "https://", "https://me:pw@x.example", "https://[::1"]
)
def test_a_base_url_that_cannot_be_one_is_refused(url):
    with pytest.raises(ConfigError, match="base URL is not usable"):
        Client(url, vendor="Acme")


# --- what a status means --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 412, 422, 428, 501])
async def test_a_refusal_means_that_nothing_happened(client, vendor, ctx, status):
    vendor.fail(status, {"error": {"code": "E7", "message": "no such thing"}})
    with pytest.raises(VendorRefused, match=f"Acme answered {status}: E7: no such thing") as caught:
        await client.request("POST", "/things", ctx, json={})
    assert caught.value.happened is False
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
async def test_a_server_that_fails_leaves_open_what_happened(client, vendor, ctx, status):
    vendor.fail(status, headers={"retry-after": "7"})
    with pytest.raises(Temporary) as caught:
        await client.request("POST", "/things", ctx, json={})
    assert (caught.value.happened, caught.value.retry_after) == (None, 7.0)


@pytest.mark.parametrize("status", [425, 429])
async def test_a_request_that_was_turned_away_was_not_sent(client, vendor, ctx, status):
    vendor.fail(status, headers={"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=90))})
    with pytest.raises(NotSent) as caught:
        await client.request("POST", "/things", ctx, json={})
    assert caught.value.happened is False
    assert 60 < caught.value.retry_after <= 90


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_leaves_open_what_happened(client, vendor, ctx, status):
    vendor.answer(Reply(status, headers={"location": f"{vendor.url}/api/things"}))
    with pytest.raises(ToolError, match=f"answered {status}") as caught:
        await client.request("POST", "/things", ctx, json={})
    assert (caught.value.happened, caught.value.temporary) == (None, False)
    assert len(vendor.requests) == 1


async def test_a_status_that_the_pack_expects_is_an_answer(client, vendor, ctx):
    vendor.fail(404)
    assert (await client.get("/things", ctx, accept=(404,))).status == 404


async def test_a_packs_own_reader_of_words_is_asked_and_may_fail(make_client, vendor, ctx):
    client = make_client(words=lambda body: body["fault"]["said"])
    vendor.fail(400, {"fault": {"said": "field x is too long"}})
    with pytest.raises(VendorRefused, match="400: field x is too long"):
        await client.get("/things", ctx)
    vendor.fail(400, {"message": "another shape"})
    with pytest.raises(VendorRefused, match="400: another shape"):
        await client.get("/things", ctx)


async def test_a_vendor_that_quotes_the_token_does_not_get_it_repeated(client, vendor, ctx):
    vendor.fail(403, {"message": f"token {TOKEN} may not\r\n\x1b[31m do \u202ethis" + "x" * 5000})
    with pytest.raises(VendorRefused) as caught:
        await client.get("/things", ctx)
    said = str(caught.value)
    assert TOKEN not in said and "token *** may not" in said
    assert said.isprintable() and len(said) < 800


# --- answers that are not what they should be -----------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            Reply(200, b"<html><title>Log in</title>", {"content-type": "text/html"}),
            "text/html, a page: Log in",
        ),
        (Reply(204), "with nothing"),
        (Reply(200, b'{"name": "sa', {"content-type": "application/json"}), "something else"),
        (Reply(200, b"\xff\xfe", {"content-type": "application/json"}), "something else"),
        (Reply(200, b"<html>", {}), "something else"),
        (thing(size="many"), "another shape: size"),
        (Reply.json([]), "another shape: the body"),
        (Reply.json(None), "another shape: the body"),
    ],
)
async def test_an_answer_of_another_kind_leaves_open_what_happened(client, vendor, ctx, reply, told):
    vendor.answer(reply)
    answer = await client.request("POST", "/things", ctx, json={})
    with pytest.raises(ToolError, match=told) as caught:
        answer.parse(Thing)
    assert (caught.value.happened, caught.value.temporary) == (None, False)


async def test_a_wrong_answer_is_not_quoted(client, vendor, ctx):
    vendor.answer(thing(size="what the vendor sent"))
    with pytest.raises(ToolError) as caught:
        (await client.get("/things", ctx)).parse(Thing)
    assert "what the vendor sent" not in str(caught.value)


async def test_an_empty_answer_can_be_asked_for(client, vendor, ctx):
    vendor.answer(Reply(204))
    assert (await client.request("DELETE", "/things/1", ctx)).is_empty


async def test_an_answer_is_read_only_so_far(make_client, vendor, ctx):
    client = make_client(max_bytes=1000)
    vendor.answer(Reply.json("x" * 998))
    assert len((await client.get("/things", ctx)).body) == 1000
    vendor.answer(Reply.json("x" * 999))
    with pytest.raises(ToolError, match="too large"):
        await client.get("/things", ctx)


async def test_an_answer_without_end_is_left(make_client, vendor, ctx):
    def endless():
        while True:
            yield b"x" * 1000

    vendor.answer(Reply(stream=endless()))
    with pytest.raises(ToolError, match="too large"):
        await make_client(max_bytes=5000).get("/things", ctx)


async def test_a_compressed_answer_is_refused_unread(client, vendor, ctx):
    vendor.answer(Reply(200, b"\x1f\x8b", {"content-encoding": "gzip"}))
    with pytest.raises(ToolError, match="compressed"):
        await client.get("/things", ctx)


# --- the network ----------------------------------------------------------------------------------


async def test_no_connection_means_not_sent(make_client, ctx):
    with FakeService() as gone:
        url = gone.url
    with pytest.raises(NotSent, match="could not be reached") as caught:
        await make_client(base_url=url).request("POST", "/things", ctx, json={})
    assert caught.value.happened is False


async def test_a_name_that_is_not_there_means_not_sent(make_client, ctx):
    with pytest.raises(NotSent):
        await make_client(base_url="http://no-such-host.invalid").request("POST", "/things", ctx, json={})


@pytest.mark.parametrize("after", [0, 5])
async def test_a_cut_after_the_request_was_written_leaves_open_what_happened(client, vendor, ctx, after):
    vendor.cut(after=after)
    with pytest.raises(Temporary, match="did not arrive") as caught:
        await client.request("POST", "/things", ctx, json={})
    assert caught.value.happened is None
    assert len(vendor.requests) == 1, "the client itself never tries again"


async def test_a_cut_before_the_request_was_written_means_not_sent(make_client, ctx):
    """A server that takes the connection and hangs up while TLS is being agreed on."""

    async def hang_up(reader, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotSent):
            await make_client(base_url=f"https://127.0.0.1:{port}").request("POST", "/x", ctx, json={})


async def test_an_answer_too_late_leaves_open_what_happened(make_client, vendor, ctx):
    client = make_client(timeout=1.0)
    await client.get("/things", ctx)
    with vendor.holding(), pytest.raises(Temporary, match="did not answer within") as caught:
        await client.request("POST", "/things", ctx, json={})
    assert caught.value.happened is None


async def test_the_calls_deadline_holds_too(client, vendor, ctx):
    await client.get("/things", ctx)
    with vendor.holding(), pytest.raises(Temporary):
        await client.get("/things", make_context(secrets={"vendor": TOKEN}, seconds=1.0))


async def test_with_no_time_left_nothing_is_sent(client, vendor):
    with pytest.raises(NotSent, match="time was up"):
        await client.get("/things", make_context(secrets={"vendor": TOKEN}, seconds=0.05))
    assert vendor.requests == []


async def test_waiting_for_a_free_connection_is_within_the_time_and_means_not_sent(make_client, vendor, ctx):
    client = make_client(most_connections=1)
    await client.get("/things", ctx)
    with vendor.holding() as hold:
        first = asyncio.create_task(client.request("POST", "/things", ctx, json={}))
        await asyncio.to_thread(hold.arrived.wait)
        with pytest.raises(NotSent, match="could not be reached"):
            await client.request(
                "POST", "/things", make_context(secrets={"vendor": TOKEN}, seconds=1), json={}
            )
        hold.release()
        assert (await first).status == 200


async def test_a_drop_by_drop_answer_does_not_outlive_the_time(make_client, vendor, ctx):
    def drops():
        for _ in range(600):
            time.sleep(0.05)
            yield b" "

    vendor.answer(Reply(stream=drops(), headers={"content-type": "application/json"}))
    with pytest.raises(Temporary, match="did not answer within"):
        await make_client(timeout=2.0).get("/things", ctx)


async def test_a_request_that_http_cannot_express_is_not_sent(client, vendor, ctx):
    with pytest.raises(NotSent):
        await client.get("/things", ctx, headers={"x-name": "a\nb: c"})
    with pytest.raises(NotSent, match="as JSON"):
        await client.request("POST", "/things", ctx, json={"x": object()})
    with pytest.raises(NotSent):
        await client.request("POST", "/things", ctx, json={"x": "\ud800"})
    assert vendor.requests == []


async def test_a_cancelled_request_is_cancelled(client, vendor, ctx):
    with vendor.holding() as hold:
        task = asyncio.create_task(client.get("/things", ctx))
        await asyncio.to_thread(hold.arrived.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await client.get("/things", ctx)).status == 200  # its connection is not in the way


async def test_a_limit_or_a_lock_means_not_sent_whatever_the_status(make_client, vendor, ctx):
    client = make_client(turned_away=lambda content: content["code"] == "LOCKED")
    vendor.fail(400, {"code": "LOCKED", "message": "by somebody"}, {"retry-after": "3"})
    with pytest.raises(NotSent, match="400: LOCKED: by somebody") as failed:
        await client.request("POST", "/things", ctx, json={})
    assert (failed.value.happened, failed.value.retry_after) == (False, 3.0)
    vendor.fail(400, {"code": "OTHER", "message": "x"})
    with pytest.raises(VendorRefused):
        await client.request("POST", "/things", ctx, json={})
    vendor.fail(500, ["another shape"])
    with pytest.raises(Temporary):
        await client.request("POST", "/things", ctx, json={})


async def test_the_same_client_at_another_address_shares_its_connections(make_client, vendor, ctx):
    vendor.route("GET", "/there/thing", lambda request: Reply.json({"who": request.bearer}))
    client = make_client(base_url=f"{vendor.url}/here")
    there = client.at(f"{vendor.url}/there/")
    assert (await there.get("/thing", ctx)).json() == {"who": "token-of-the-vendor"}
    assert there._wire is client._wire
    vendor.fail(404)
    with pytest.raises(VendorRefused):
        await client.get("/thing", ctx)
    with pytest.raises(ConfigError):
        client.at("ftp://elsewhere")
    with pytest.raises(ToolError, match="another server"):
        await there.get("http://127.0.0.2/thing", ctx)


async def test_what_a_body_held_is_not_repeated_where_the_caller_says_so(client, vendor, ctx):
    vendor.fail(400, {"message": "bad session abcdefgh"})
    with pytest.raises(VendorRefused, match=r"bad session \*\*\*"):
        await client.request("POST", "/things", ctx, body=b"abcdefgh", hide=["abcdefgh"])
