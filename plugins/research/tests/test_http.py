"""The HTTP source: what it sends, and what it makes of every kind of answer."""

import asyncio

import pytest

from toolcrib.errors import NotSent, SecretError, Temporary, ToolError, VendorRefused
from toolcrib.testing import Reply
from toolcrib_research import Research, ResearchSettings
from toolcrib_research.http import HTTPBackend

COMPANY = {
    "name": "Acme",
    "domain": "acme.example",
    "industry": "Finance",
    "employees": 5,
    "revenue_band": "under 1M",
    "location": "Leeds",
    "source": "test",
}


def answer(**changes):
    return Reply.json({"companies": [{**COMPANY, **changes}]})


async def test_one_request_with_token_query_and_no_compression(http, provider, ctx):
    await http.search_company("a b&c", ctx, limit=7)
    (request,) = provider.requests
    assert (request.method, request.path, request.query) == (
        "GET",
        "/v1/companies",
        {"q": "a b&c", "limit": "7"},
    )
    assert request.bearer == "token-of-the-provider"
    assert request.headers["accept-encoding"] == "identity"


async def test_no_secret_means_no_request(http, provider, make_context):
    with pytest.raises(SecretError):
        await http.search_company("acme", make_context(token=None))
    assert not provider.requests


async def test_a_wrong_token_names_the_secret_and_not_its_value(http, make_context):
    with pytest.raises(VendorRefused, match=r"answered 401.*secret 'research'") as caught:
        await http.search_company("acme", make_context(token="wrong-token-value"))
    assert "wrong-token-value" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_4xx_is_a_refusal(http, provider, ctx, status):
    provider.fail(status)
    with pytest.raises(VendorRefused, match=f"answered {status}"):
        await http.search_company("acme", ctx)


@pytest.mark.parametrize(
    ("status", "kind"), [(429, NotSent), (500, Temporary), (502, Temporary), (503, Temporary)]
)
async def test_429_and_5xx_are_temporary(http, provider, ctx, status, kind):
    provider.fail(status)
    with pytest.raises(kind, match=f"answered {status}") as caught:
        await http.search_company("acme", ctx)
    assert caught.value.temporary
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Mon, 02 Nov 2015 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
    ],
)
async def test_retry_after_is_read(http, provider, ctx, header, seconds):
    provider.fail(503, headers={"retry-after": header})
    with pytest.raises(Temporary) as caught:
        await http.search_company("acme", ctx)
    assert caught.value.retry_after == seconds


async def test_retry_after_as_a_date_to_come(http, provider, ctx):
    provider.fail(503, headers={"retry-after": "Fri, 02 Nov 2990 09:00:00 GMT"})
    with pytest.raises(Temporary) as caught:
        await http.search_company("acme", ctx)
    assert caught.value.retry_after == 24 * 3600.0  # no server is believed for longer than a day


async def test_a_redirect_is_not_followed_with_the_token(http, provider, ctx):
    provider.fail(302, headers={"location": f"{provider.url}/elsewhere"})
    with pytest.raises(ToolError, match="answered 302"):
        await http.search_company("acme", ctx)
    assert len(provider.requests) == 1


async def test_the_body_of_an_error_is_not_repeated(http, provider, ctx):
    provider.fail(400, {"error": "you sent token-of-the-provider"})
    with pytest.raises(VendorRefused) as caught:
        await http.search_company("acme", ctx)
    assert "token-of-the-provider" not in str(caught.value)


async def test_nobody_there_was_not_sent(provider, ctx):
    research = Research(HTTPBackend(ResearchSettings(backend="http", base_url=f"{provider.url}/v1")))
    provider.stop()
    with pytest.raises(NotSent, match="could not be reached"):
        await research.search_company("acme", ctx)
    await research.close()


@pytest.mark.parametrize("after", [0, 3])
async def test_a_lost_connection_is_temporary(http, provider, ctx, after):
    provider.cut(after=after)
    with pytest.raises(Temporary, match="did not arrive"):
        await http.search_company("acme", ctx)


async def test_the_deadline_of_the_call_ends_a_wait(http, provider, make_context):
    with provider.holding(), pytest.raises(Temporary, match="did not answer within"):
        await http.search_company("acme", make_context(seconds=0.5))


async def test_a_call_past_its_deadline_sends_nothing_that_is_waited_for(http, make_context):
    with pytest.raises(NotSent, match="time was up"):
        await http.search_company("acme", make_context(seconds=-1))


async def test_cancelling_ends_the_call_at_once(http, provider, ctx):
    with provider.holding() as hold:
        call = asyncio.ensure_future(http.search_company("acme", ctx))
        await asyncio.to_thread(hold.arrived.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_after_a_failure_the_next_call_works(http, provider, ctx):
    provider.cut()
    with pytest.raises(Temporary):
        await http.search_company("Ozzelbruck", ctx)
    assert len((await http.search_company("Ozzelbruck", ctx)).companies) == 1


def test_each_event_loop_gets_connections_of_its_own(provider, make_context):
    research = Research(HTTPBackend(ResearchSettings(backend="http", base_url=f"{provider.url}/v1")))

    async def ask():
        return len((await research.search_company("Ozzelbruck", make_context())).companies)

    assert [asyncio.run(ask()) for _ in range(2)] == [1, 1]


# --- the shape of an answer -------------------------------------------------------------------------


async def test_unknown_fields_are_ignored(http, provider, ctx):
    provider.answer(answer(stock="ACM", employees=None))
    (company,) = (await http.search_company("acme", ctx)).companies
    assert company.employees is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"employees": "5"}, "employees"),
        ({"employees": -1}, "employees"),
        ({"employees": True}, "employees"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"domain": "acme.example/\r\nx"}, "domain"),
        ({"revenue_band": "lots"}, "revenue_band"),
        ({"technologies": "SAP"}, "technologies"),
        ({"technologies": ["x"] * 51}, "technologies"),
        ({"news": [{"published": "yesterday", "title": "t", "text": "x"}]}, "published"),
        ({"news": [{"published": "2026-01-01", "title": "t", "text": "x" * 2001}]}, "text"),
        ({"location": None}, "location"),
    ],
)
async def test_an_answer_of_another_shape_is_an_error_that_names_the_place(
    http, provider, ctx, changes, place
):
    provider.answer(answer(**changes))
    with pytest.raises(ToolError, match=f"another shape: .*{place}") as caught:
        await http.search_company("acme", ctx)
    assert not caught.value.temporary


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"companies": {}}', b'{"companies": null}', b"\xff"]
)
async def test_what_is_no_answer_at_all_is_an_error(http, provider, ctx, body):
    provider.answer(Reply(200, body))
    with pytest.raises(ToolError, match=r"another shape|answered 200 with") as caught:
        await http.search_company("acme", ctx)
    assert not caught.value.temporary


async def test_a_large_answer_is_cut_off(http, provider, ctx):
    sent = []

    def endless():
        while len(sent) < 1000:
            sent.append(1)
            yield b"x" * 65_536

    provider.answer(Reply(200, stream=endless()))
    with pytest.raises(ToolError, match="too large"):
        await http.search_company("acme", ctx)
    assert len(sent) < 1000


async def test_a_compressed_answer_is_refused(http, provider, ctx):
    provider.answer(Reply(200, b"...", {"content-encoding": "gzip"}))
    with pytest.raises(ToolError, match="compressed"):
        await http.search_company("acme", ctx)


async def test_more_companies_than_asked_for_are_dropped(http, provider, ctx):
    provider.answer(Reply.json({"companies": [COMPANY] * 9}))
    assert len((await http.search_company("acme", ctx, limit=2)).companies) == 2
