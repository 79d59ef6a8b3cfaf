"""One spelling of each thing; every other is refused."""

from __future__ import annotations

import pytest

from toolcrib_sandbox.proxy._requests import Refused, parse, target_of


def head(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def test_a_tunnel() -> None:
    ask = parse(head("CONNECT Api.Example:443 HTTP/1.1", "Host: whatever"))
    assert (ask.target, ask.is_tunnel) == ("api.example:443", True)


def test_a_plain_request_is_written_anew() -> None:
    ask = parse(
        head(
            "POST http://api.example/a?b=c HTTP/1.1",
            "Host: inner.example",
            "Proxy-Authorization: Basic eA==",
            "Connection: keep-alive",
            "Content-Length: 3",
            "X-A: 1",
        )
    )
    assert ask.target == "api.example:80" and ask.length == 3
    assert ask.head == head(
        "POST /a?b=c HTTP/1.1", "Host: api.example", "X-A: 1", "Content-Length: 3", "Connection: close"
    )


def test_a_port_that_is_not_the_usual_one_stands_in_the_host() -> None:
    assert b"Host: api.example:8080\r\n" in parse(head("GET http://api.example:8080/ HTTP/1.1")).head


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT user@api.example:443 HTTP/1.1",
        "CONNECT user:pass@api.example:443 HTTP/1.1",
        "CONNECT api.example HTTP/1.1",
        "CONNECT api.example:0 HTTP/1.1",
        "CONNECT api.example:65536 HTTP/1.1",
        "CONNECT api.example:443x HTTP/1.1",
        "CONNECT api.example.:443 HTTP/1.1",
        "CONNECT [::1]:443 HTTP/1.1",
        "CONNECT [::ffff:10.0.0.1]:443 HTTP/1.1",
        "CONNECT api.example%00.evil:443 HTTP/1.1",
        "CONNECT  api.example:443 HTTP/1.1",
        "CONNECT\tapi.example:443 HTTP/1.1",
        "CONNECT api.example:443",
        "connect api.example:443 HTTP/1.1",
        "GET http://user@api.example/ HTTP/1.1",
        "GET http://api.example@evil.example/ HTTP/1.1",
        "GET http://api.example\\@evil.example/ HTTP/1.1",
        "GET http://[::1]/ HTTP/1.1",
        "GET https://api.example/ HTTP/1.1",
        "GET ftp://api.example/ HTTP/1.1",
        "GET //api.example/ HTTP/1.1",
        "GET / HTTP/1.1",
        "GET http://api.example/a b HTTP/1.1",
        "GET http://api.example#@evil/ HTTP/1.1",
        "GET http://xn--\u00e4.example/ HTTP/1.1",
        "",
    ],
)
def test_tricks_in_the_request_line(line: str) -> None:
    with pytest.raises(Refused):
        parse(head(line, "Host: api.example"))


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: 3, 3"],
        ["Content-Length: -1"],
        ["Content-Length: +3"],
        ["Content-Length: 0x3"],
        ["Transfer-Encoding: chunked"],
        ["transfer-encoding : chunked"],
        ["X: 1\nContent-Length: 3"],
        ["X: 1\rHost: evil"],
        [" folded: 1"],
        ["no colon"],
        [": empty"],
        ["X: \0"],
    ],
)
def test_tricks_in_the_headers(lines: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        parse(head("POST http://api.example/ HTTP/1.1", *lines))
    assert refused.value.target == "api.example:80"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "017700000001"])
def test_numbers_are_names_like_any_other(host: str) -> None:
    """They are not granted; and where somebody grants one, its address is judged, not its spelling."""
    assert parse(head(f"CONNECT {host}:443 HTTP/1.1")).host == host


def test_a_granted_target_has_one_spelling() -> None:
    assert target_of("API.example:443") == target_of("api.example:443") == "api.example:443"


@pytest.mark.parametrize("text", ["api.example:0443", "api.example:00443", "api.example:065535"])
def test_a_port_has_the_spelling_that_rows_have(text: str) -> None:
    """Policy compares texts: `"api.example:443" in r.ctx.sandbox.egress` must not be passed by a zero."""
    with pytest.raises(Refused, match="zero"):
        target_of(text)


@pytest.mark.parametrize(
    "text",
    ["", "api.example", "*:443", "*.example:443", "http://api.example:80", "a@b.example:1", "a:0", "[::1]:1"],
)
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(Refused):
        target_of(text)
