"""The fake service base: routes, log and switches, over real sockets."""

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from toolcrib.testing import FakeService, Reply, ServiceRefused
from toolcrib.testing.relay import Relay


class Shop(FakeService):
    def __init__(self):
        super().__init__()
        self.route("GET", "/things/{id}", lambda request: Reply.json({"id": request.parameters["id"]}))
        self.route("POST", "/things", lambda request: Reply.json(request.json(), 201))
        self.route("GET", "/stream", lambda request: Reply(stream=[b"one ", b"two ", b"three"]))
        self.route("GET", "/secret", self.guarded)
        self.route("GET", "/broken", lambda request: Reply.json(1 / 0))
        self.route("GET", "/query", lambda request: Reply.json(dict(request.query)))

    def guarded(self, request):
        if request.bearer != "let-me-in":
            raise ServiceRefused(401, {"error": "who are you?"}, {"www-authenticate": "Bearer"})
        return Reply.json("welcome")


@pytest.fixture
def shop():
    with Shop() as service:
        yield service


def test_a_route_with_a_parameter_is_served(shop):
    assert httpx.get(f"{shop.url}/things/a%20b").json() == {"id": "a b"}


def test_a_parameter_matches_one_segment_only(shop):
    assert httpx.get(f"{shop.url}/things/a/b").status_code == 404


def test_what_has_no_route_is_404_and_a_wrong_method_405(shop):
    assert httpx.get(f"{shop.url}/nothing").json() == {"error": "no such route: GET /nothing"}
    refused = httpx.delete(f"{shop.url}/things")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_every_request_is_kept_with_lower_case_headers(shop):
    httpx.post(f"{shop.url}/things", json={"a": 1}, headers={"X-Trace": "7"})
    kept = shop.requests[0]
    assert (kept.method, kept.path, kept.json(), kept.headers["x-trace"]) == (
        "POST",
        "/things",
        {"a": 1},
        "7",
    )


def test_a_body_that_is_not_json_is_400(shop):
    assert httpx.post(f"{shop.url}/things", content=b"{").status_code == 400


def test_the_query_is_parsed_with_blank_values(shop):
    assert httpx.get(f"{shop.url}/query?q=a+b&empty=").json() == {"q": "a b", "empty": ""}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer let-me-in", 200),
        ("bearer let-me-in", 200),
        ("Bearer", 401),
        ("Basic let-me-in", 401),
        ("", 401),
    ],
)
def test_bearer_tokens_are_read_strictly(shop, header, status):
    assert httpx.get(f"{shop.url}/secret", headers={"authorization": header}).status_code == status


def test_a_broken_handler_answers_500_and_is_kept(shop):
    assert httpx.get(f"{shop.url}/broken").status_code == 500
    assert isinstance(shop.failures[0], ZeroDivisionError)


def test_chunks_arrive_one_by_one(shop):
    with httpx.stream("GET", f"{shop.url}/stream") as reply:
        assert b"".join(reply.iter_raw()) == b"one two three"


def test_told_to_fail_it_fails_that_often_and_then_works(shop):
    shop.fail(503, {"error": "tired"}, {"retry-after": "7"}, times=2)
    first, second = httpx.get(f"{shop.url}/things/1"), httpx.get(f"{shop.url}/things/1")
    assert (first.status_code, first.headers["retry-after"], second.json()) == (503, "7", {"error": "tired"})
    assert httpx.get(f"{shop.url}/things/1").status_code == 200


def test_told_to_answer_it_answers_that(shop):
    shop.answer(Reply(200, b"<html>", {"content-type": "text/html"}))
    assert httpx.get(f"{shop.url}/things/1").text == "<html>"


def test_a_cut_before_the_answer(shop):
    shop.cut()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{shop.url}/things/1")
    assert httpx.get(f"{shop.url}/things/1").status_code == 200


@pytest.mark.parametrize("path", ["/things/123456789", "/stream"])
def test_a_cut_in_the_middle_of_a_body(shop, path):
    shop.cut(after=4)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{shop.url}{path}")


def test_a_held_request_waits_until_released(shop):
    with ThreadPoolExecutor(1) as pool, shop.holding() as hold:
        answer = pool.submit(httpx.get, f"{shop.url}/things/1")
        assert hold.arrived.wait(10)
        assert not answer.done()
        hold.release()
        assert answer.result(10).status_code == 200


def test_a_fault_waits_for_the_request_that_it_is_for(shop):
    shop.fail(503, only=lambda request: request.path == "/things/2")
    assert [httpx.get(f"{shop.url}/things/{n}").status_code for n in (1, 2, 2)] == [200, 503, 200]
    shop.fail(503, only=lambda request: request.method == "DELETE")
    assert (shop.relent(), httpx.get(f"{shop.url}/things/1").status_code) == (1, 200)


def test_a_hold_is_for_some_requests_alone(shop):
    with ThreadPoolExecutor(1) as pool, shop.holding(lambda request: request.path == "/things/2") as hold:
        assert httpx.get(f"{shop.url}/things/1").status_code == 200
        assert not hold.arrived.is_set()
        held = pool.submit(httpx.get, f"{shop.url}/things/2")
        assert hold.arrived.wait(10) and not held.done()
        hold.release()
        assert held.result(10).status_code == 200


def test_it_knows_how_many_connections_are_open(shop):
    assert (shop.connections, shop.quiet()) == (0, True)
    with httpx.Client() as client:
        client.get(f"{shop.url}/things/1")
        assert shop.connections == 1
        assert shop.quiet(1, 0) and not shop.quiet(0, 0)
    assert shop.quiet()
    assert (Shop().connections, Shop().quiet()) == (0, True), "one that does not run has none"


def test_stopping_ends_held_requests_and_kept_connections():
    before = threading.active_count()
    shop = Shop().start()
    idle = http.client.HTTPConnection(shop.url.removeprefix("http://"))
    idle.request("GET", "/things/1")
    idle.getresponse().read()  # the connection stays open
    shop.stop()
    shop.stop()  # twice does no harm
    assert threading.active_count() == before
    idle.close()


def test_a_stopped_service_says_how_to_start_it():
    with pytest.raises(RuntimeError, match="context manager"):
        _ = Shop().url


def test_it_does_not_start_twice(shop):
    with pytest.raises(RuntimeError, match="already runs"):
        shop.start()


def test_many_at_once_are_all_served_and_logged(shop):
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda n: httpx.get(f"{shop.url}/things/{n}").status_code, range(64)))
    assert codes == [200] * 64
    assert len(shop.requests) == 64


def test_a_body_of_unknown_length_is_411(shop):
    assert httpx.post(f"{shop.url}/things", content=iter([b"{}"])).status_code == 411


def test_only_loopback_is_bound(shop):
    assert shop.url.startswith("http://127.0.0.1:")


def test_a_write_that_vanishes_was_done(shop):
    shop.vanish()
    assert httpx.get(f"{shop.url}/things/1").json() == {"id": "1"}  # a read changes nothing, and is answered
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{shop.url}/things", json={"id": 2})
    assert httpx.post(f"{shop.url}/things", json={"id": 2}).status_code == 201
    shop.vanish()
    assert shop.relent() == 1
    assert httpx.post(f"{shop.url}/things", json={"id": 2}).status_code == 201


def test_a_service_that_vanishes_for_good_answers_nothing_until_it_relents(shop):
    shop.vanish(for_good=True)
    assert httpx.get(f"{shop.url}/things/1").status_code == 200
    for _ in range(3):
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{shop.url}/things", json={"id": 2})
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{shop.url}/things/1")
    assert shop.relent() == 0
    assert httpx.get(f"{shop.url}/things/1").status_code == 200


def test_a_refused_write_changed_nothing_and_is_answered(shop):
    shop.vanish()
    assert httpx.post(f"{shop.url}/nowhere", json={}).status_code == 404


# --- a real server behind the switches ----------------------------------------------------------------


@pytest.fixture
def relay(shop):
    with Relay(shop.url) as service:
        yield service


def test_what_is_relayed_arrives_as_it_is(relay, shop):
    shop.route("GET", "/list", lambda request: Reply.json(request.target))
    asked = "/list?a=1&a=2&b=%2F%20"
    assert httpx.get(f"{relay.url}{asked}").json() == asked
    made = httpx.post(f"{relay.url}/things", json={"name": "säge"}, headers={"origin": relay.url})
    assert (made.status_code, made.json()) == (201, {"name": "säge"})
    assert shop.requests[-1].headers["origin"] == shop.url
    assert shop.requests[-1].headers["host"] == shop.url.removeprefix("http://")
    assert httpx.get(f"{relay.url}/nowhere").status_code == 404


def test_what_is_relayed_can_fail_be_cut_and_vanish(relay, shop):
    relay.fail(503)
    assert httpx.get(f"{relay.url}/things/1").status_code == 503
    relay.cut()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{relay.url}/things", json={})
    assert shop.requests == []
    relay.vanish()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{relay.url}/things", json={})
    assert [request.method for request in shop.requests] == ["POST"]
