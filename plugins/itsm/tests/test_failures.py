"""What a vendor or the network may do to a call, and whether a write that failed may have happened.

The requests go to the real Roundup and to the fake ServiceNow; what befalls them happens on the way.
"""

import asyncio
import json

import httpx
import pytest

from toolcrib.errors import NotSent, Temporary, ToolError, VendorRefused
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm.roundup import RoundupBackend
from toolcrib_itsm.servicenow import ServiceNowBackend

pytestmark = pytest.mark.parametrize("world", ["roundup", "servicenow"], indirect=True)


class Way(httpx.AsyncBaseTransport):
    """The way to the vendor; `befall(fault, method)` is done to the next request of the method instead."""

    def __init__(self, inner):
        self.inner, self.sent, self._faults = inner, [], []

    def befall(self, fault, method="GET", times=1):
        self._faults += [(method, fault)] * times

    async def handle_async_request(self, request):
        for at, (method, fault) in enumerate(self._faults):
            if method == request.method:
                del self._faults[at]
                self.sent.append(request.method)
                return await fault(self.inner, request)
        self.sent.append(request.method)
        return await self.inner.handle_async_request(request)

    async def aclose(self):
        await self.inner.aclose()


def answers(status, body=b"", **headers):
    """The vendor's answer is this one; the request is not done."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}

    async def fault(inner, request):
        return httpx.Response(status, headers=lines, stream=httpx.ByteStream(raw))

    return fault


async def is_lost(inner, request):
    """The vendor does it, and the answer never arrives."""
    reply = await inner.handle_async_request(request)
    await reply.aread()
    await reply.aclose()
    raise httpx.ReadError("the connection was cut")


async def is_not_sent(inner, request):
    raise httpx.ConnectError("no route")


async def never_answers(inner, request):
    await asyncio.Event().wait()


@pytest.fixture
async def way(world):
    fake = world.extra.get("fake")
    made = Way(fake.transport() if fake else httpx.AsyncHTTPTransport())
    if fake:
        settings = ITSMSettings(backend="servicenow", instance="acme")
        backend = ServiceNowBackend(settings, transport=made)
    else:
        settings = ITSMSettings(backend="roundup", url=world.extra["tracker"].url, tracker="extended")
        backend = RoundupBackend(settings, transport=made)
    made.itsm = ITSM(backend, settings)
    yield made
    await backend.close()


def texts(page):
    return [entry.text for entry in page.records]


# --- writes whose answer is lost ------------------------------------------------------------------


async def test_an_incident_whose_answer_is_lost_is_found_by_its_key_and_made_once(way, world, ctx):
    posts = 2 if world.name == "roundup" else 1  # Roundup has the description as a message of its own
    if posts == 2:
        way.befall(lambda inner, request: inner.handle_async_request(request), "POST")
    way.befall(is_lost, "POST")
    made = await way.itsm.create_incident("Cut off once", "at the worst moment", ctx=ctx)
    found = await world.itsm.search_tickets("Cut off once", ctx=ctx)
    assert made.id in [each.id for each in found.records]
    assert way.sent.count("POST") == posts
    again = await way.itsm.create_incident("Cut off once", "at the worst moment", ctx=ctx)
    assert again.id == made.id and way.sent.count("POST") == posts


async def test_an_incident_that_cannot_be_looked_for_either_is_left_open(way, world, ctx):
    if world.name == "roundup":
        way.befall(lambda inner, request: inner.handle_async_request(request), "POST")
    way.befall(lambda inner, request: inner.handle_async_request(request), "GET")
    way.befall(is_lost, "POST")
    way.befall(is_not_sent, "GET", times=2)
    with pytest.raises(ToolError) as failed:
        await way.itsm.create_incident("Cut off twice", "x", ctx=ctx)
    assert failed.value.happened is None


async def test_a_comment_whose_answer_is_lost_is_said_once_and_never_again(way, world, ctx):
    way.befall(is_lost, "PATCH")
    if world.name == "roundup":  # the issue itself says that it is there
        await way.itsm.add_public_comment(world.known, "Said once", ctx=ctx)
    else:
        with pytest.raises(Temporary) as failed:
            await way.itsm.add_public_comment(world.known, "Said once", ctx=ctx)
        assert failed.value.happened is None
    assert world.portal(world.known).count("Said once") == 1
    assert way.sent.count("PATCH") == 1


async def test_a_note_that_did_not_arrive_did_not_happen(way, world, ctx):
    before = world.state()
    way.befall(is_not_sent, "POST" if world.name == "roundup" else "PATCH")
    with pytest.raises(NotSent) as failed:
        await way.itsm.add_work_note(world.known, "lost", ctx=ctx)
    assert failed.value.happened is False
    assert world.state() == before


# --- answers that are none ------------------------------------------------------------------------

BAD = {
    "truncated": answers(200, b'{"result": [{"sys_id": {"val'),
    "a page": answers(200, b"<html><title>Maintenance</title></html>", content_type="text/html"),
    "a list": answers(200, []),
    "a word": answers(200, "ok"),
    "of another shape": answers(200, {"result": {"a": 1}, "data": {"collection": {}, "attributes": 7}}),
    "nothing": answers(204),
    "half a record": answers(
        200,
        {
            "result": [{"sys_id": {"value": "x"}}],
            "data": {"collection": [{"id": "1"}]},
        },
        x_total_count="1",
    ),
}


@pytest.mark.parametrize("bad", BAD)
async def test_an_answer_that_cannot_be_read_is_told_and_not_believed(way, world, ctx, bad):
    way.befall(BAD[bad], times=2)
    with pytest.raises(ToolError) as failed:
        await way.itsm.search_tickets("vpn", ctx=ctx)
    assert not isinstance(failed.value, VendorRefused)
    with pytest.raises(ToolError):
        way.befall(BAD[bad], times=2)
        await way.itsm.get_ticket(world.known, ctx=ctx)


@pytest.mark.parametrize("bad", ["truncated", "a page", "a list", "nothing"])
async def test_a_write_with_such_an_answer_is_left_open(way, world, ctx, bad):
    way.befall(BAD[bad], "PATCH")
    with pytest.raises(ToolError) as failed:
        await way.itsm.update_incident(world.known, {"priority": "low"}, ctx=ctx)
    assert failed.value.happened is None


async def test_a_record_that_comes_twice_is_one_record(way, world, ctx):
    async def doubles(inner, request):
        reply = await inner.handle_async_request(request)
        whole = json.loads(await reply.aread())
        await reply.aclose()
        rows = whole["result"] if "result" in whole else whole["data"]["collection"]
        rows += rows
        return httpx.Response(200, headers=reply.headers, stream=httpx.ByteStream(json.dumps(whole).encode()))

    if world.name == "roundup":
        way.befall(lambda inner, request: inner.handle_async_request(request))
    way.befall(doubles)
    found = [each.id for each in (await way.itsm.search_tickets(limit=3, ctx=ctx)).records]
    assert len(found) == len(set(found)) and found


# --- a vendor that is busy, late or elsewhere -----------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "wait"),
    [(429, NotSent, 7.0), (503, Temporary, 7.0), (500, Temporary, None), (403, VendorRefused, None)],
)
async def test_a_status_means_what_it_says(way, world, ctx, status, kind, wait):
    method = "POST" if world.name == "roundup" else "PATCH"
    headers = {"retry_after": "7"} if wait else {}
    body = {"error": {"message": "Slow down", "msg": "Slow down"}}
    way.befall(answers(status, body, **headers))
    with pytest.raises(kind, match="Slow down") as failed:
        await way.itsm.get_ticket(world.known, ctx=ctx)
    assert failed.value.retry_after == wait
    before = world.state()
    way.befall(answers(status, body, **headers), method)
    with pytest.raises(ToolError) as failed:
        await way.itsm.add_work_note(world.known, "x", ctx=ctx)
    assert world.state() == before


async def test_a_vendor_that_never_answers_is_left_at_the_deadline(way, world, make_ctx):
    way.befall(never_answers)
    with pytest.raises(ToolError):
        await asyncio.wait_for(way.itsm.get_ticket(world.known, ctx=make_ctx(seconds=0.6)), 30)
    way.befall(never_answers, "PATCH")
    with pytest.raises(ToolError) as failed:
        await asyncio.wait_for(
            way.itsm.update_incident(world.known, {"priority": "low"}, ctx=make_ctx(seconds=3)), 30
        )
    assert failed.value.happened is not True


async def test_a_redirect_is_not_followed_with_the_password(way, world, ctx):
    way.befall(answers(302, b"", location="https://evil.example/"))
    with pytest.raises(ToolError):
        await way.itsm.get_ticket(world.known, ctx=ctx)
    assert way.sent == ["GET"]


async def passes(inner, request):
    return await inner.handle_async_request(request)


@pytest.mark.parametrize("read", ["get_ticket", "list_journal"])
async def test_a_password_that_ends_in_the_middle_of_a_read_gives_no_half_of_it(way, world, ctx, read):
    """Where every request carries the password, there is no session to renew: the call is refused."""
    call = getattr(way.itsm, read)
    assert await call(world.known, ctx=ctx)
    assert len(way.sent) > 1, "a call of one request has no middle"
    way.sent.clear()
    way.befall(passes)
    way.befall(answers(401, {"error": {"message": "User Not Authenticated", "msg": "Invalid Login"}}))
    with pytest.raises(VendorRefused, match="401"):
        await call(world.known, ctx=ctx)
    assert way.sent == ["GET", "GET"]


async def test_a_password_that_ends_between_looking_and_writing_changes_nothing(way, world, ctx):
    before = world.state()
    way.befall(
        answers(401, {"error": {"message": "User Not Authenticated", "msg": "Invalid Login"}}), "PATCH"
    )
    with pytest.raises(VendorRefused, match="401") as refused:
        await way.itsm.update_incident(world.known, {"priority": "low"}, ctx=ctx)
    assert refused.value.happened is False and way.sent.count("PATCH") == 1
    assert world.state() == before


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("hunter2", "no JSON object"),
        ('{"username": "alice"}', "no JSON object"),
        ({"username": "alice", "password": "hunter2hunter2"}, "answered 401|Invalid"),
        ({"username": "alice\r\nX-Evil: 1", "password": "hunter2"}, "401|Invalid|refused|cannot be written"),
    ],
)
async def test_a_secret_that_is_not_right_is_refused_without_its_value(way, world, make_ctx, secret, words):
    with pytest.raises(ToolError, match=words) as refused:
        await way.itsm.get_ticket(world.known, ctx=make_ctx(secret=secret))
    assert refused.value.happened is False
    assert "hunter2" not in f"{refused.value} {refused.value!r}"
