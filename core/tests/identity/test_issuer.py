"""The issuer's keys: rotated, withdrawn, slow, gone, or not what they should be."""

import asyncio

import pytest

from toolcrib.errors import ConfigError, NotAuthenticated, Unavailable
from toolcrib.identity._fetch import LARGEST, check_url
from toolcrib.identity._issuer import PAUSE, Issuer
from toolcrib.testing import FakeService, Reply


async def test_keys_are_fetched_once_and_kept(oidc, ask):
    token = oidc.keys[0].sign(oidc.claims())
    for _ in range(5):
        await ask(token)
    assert oidc.fetched() == 1


async def test_a_new_key_is_found_by_looking_again(oidc, ask, private_keys, clock):
    await ask(oidc.keys[0].sign(oidc.claims()))
    oidc.add("key-2", "ES256", private_keys["other"])
    clock.now += PAUSE
    assert (await ask(oidc.keys[1].sign(oidc.claims()))).user == "alice"
    assert oidc.fetched() == 2


async def test_a_withdrawn_key_ends_with_the_age_of_what_is_kept(oidc, ask, private_keys, clock):
    token = oidc.keys[0].sign(oidc.claims())
    await ask(token)
    oidc.keys[0] = type(oidc.keys[0])("key-2", "ES256", private_keys["other"])
    await ask(token)
    clock.now += 3600 / 2
    with pytest.raises(NotAuthenticated, match="does not have"):
        await ask(token)


async def test_unknown_keys_make_us_look_only_now_and_then(oidc, ask, private_keys, clock):
    mine = type(oidc.keys[0])("unknown", "ES256", private_keys["other"])
    for number in range(20):
        mine.key_id = f"unknown-{number}"
        with pytest.raises(NotAuthenticated, match="a key that"):
            await ask(mine.sign(oidc.claims()))
    assert oidc.fetched() == 1
    clock.now += PAUSE
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            await ask(mine.sign(oidc.claims()))
    assert oidc.fetched() == 2


async def test_callers_share_one_fetch_also_when_one_of_them_goes_away(oidc, ask):
    token = oidc.keys[0].sign(oidc.claims())
    with oidc.holding() as hold:
        callers = [asyncio.create_task(ask(token)) for _ in range(20)]
        await asyncio.to_thread(hold.arrived.wait)
        callers[0].cancel()
        hold.release()
        done = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert {principal.user for principal in done[1:]} == {"alice"}
    assert oidc.fetched() == 1


async def test_while_the_issuer_is_down_kept_keys_go_on_until_they_are_too_old(oidc, ask, clock):
    token = oidc.keys[0].sign(oidc.claims())
    await ask(token)
    clock.now += 3599
    oidc.fail(503, times=100)
    assert (await ask(token)).user == "alice"
    clock.now += 1
    with pytest.raises(Unavailable, match="status 503"):
        await ask(token)


async def test_the_issuer_is_believed_again_once_it_is_back(oidc, ask, clock):
    token = oidc.keys[0].sign(oidc.claims())
    oidc.fail(503)
    with pytest.raises(Unavailable):
        await ask(token)
    assert (await ask(token)).user == "alice"


ANSWERS = {
    "HTML": (Reply(200, b"<html>Sign in</html>", {"content-type": "text/html"}), "JSON object"),
    "a list": (Reply.json([]), "JSON object"),
    "nothing": (Reply(200, b""), "JSON object"),
    "a redirect": (
        Reply(302, b"", {"location": "http://127.0.0.1:1/x"}),
        "a redirect, which is not followed",
    ),
    "another issuer": (
        Reply.json({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/k"}),
        "another issuer",
    ),
    "too much": (Reply(200, b" " * (LARGEST + 1)), "could not be reached"),
    "an error": (Reply.json({}, 500), "status 500"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers_that_are_no_discovery(oidc, ask, name):
    reply, what = ANSWERS[name]
    oidc.answer(reply)
    with pytest.raises(Unavailable, match=what):
        await ask(oidc.keys[0].sign(oidc.claims()))


@pytest.mark.parametrize(
    "uri", ["http://evil.example/k", "file:///etc/passwd", "", None, "ftp://127.0.0.1/k", "//x"]
)
async def test_keys_come_by_https_or_from_this_machine(oidc, ask, uri):
    oidc.about = {"jwks_uri": uri}
    with pytest.raises(Unavailable, match="names no place for its keys"):
        await ask(oidc.keys[0].sign(oidc.claims()))


async def test_a_redirect_of_the_keys_is_not_followed(oidc, ask):
    with FakeService() as elsewhere:
        oidc.route("GET", "/moved", lambda _: Reply(307, b"", {"location": elsewhere.url}))
        oidc.about = {"jwks_uri": f"{oidc.url}/moved"}
        with pytest.raises(Unavailable, match="redirect"):
            await ask(oidc.keys[0].sign(oidc.claims()))
        assert not elsewhere.requests


async def test_a_slow_issuer_is_not_waited_for_without_end(oidc, ask, monkeypatch):
    monkeypatch.setattr("toolcrib.identity._fetch.SECONDS", 0.2)
    with oidc.holding(), pytest.raises(Unavailable, match="could not be reached"):
        await ask(oidc.keys[0].sign(oidc.claims()))


@pytest.mark.parametrize("keys", [None, "x", {"a": 1}, [{"kid": str(n)} for n in range(101)]])
async def test_keys_that_are_no_list(oidc, ask, keys):
    oidc.route("GET", "/odd", lambda _: Reply.json({"keys": keys}))
    oidc.about = {"jwks_uri": f"{oidc.url}/odd"}
    with pytest.raises(Unavailable, match="has no list of keys"):
        await ask(oidc.keys[0].sign(oidc.claims()))


@pytest.mark.parametrize(
    "url", ["https://login.acme.example", "http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost/x"]
)
def test_urls_of_issuers(url):
    assert check_url(url, "issuer") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://login.acme.example",
        "login",
        "https://",
        "https://u:p@x.example",
        "http://127.0.0.1.evil.example",
    ],
)
def test_urls_that_are_refused(url):
    with pytest.raises(ConfigError, match="not acceptable"):
        Issuer(url, 60)
