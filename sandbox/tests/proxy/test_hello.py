"""The server name of a real ClientHello, and of what only looks like one."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib_sandbox.proxy._hello import Incomplete, NoHello, server_name


def hello(name: str | None = "api.example") -> bytes:
    """What Python's own TLS sends."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    if name is None:
        context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return out.read()


def records(message: bytes, size: int) -> bytes:
    """A handshake message in records of `size` bytes."""
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def built(*extensions: bytes) -> bytes:
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    joined = b"".join(extensions)
    body += len(joined).to_bytes(2, "big") + joined
    return records(b"\x01" + len(body).to_bytes(3, "big") + body, 16000)


def names(*given: bytes) -> bytes:
    entries = b"".join(b"\0" + len(name).to_bytes(2, "big") + name for name in given)
    inner = len(entries).to_bytes(2, "big") + entries
    return b"\0\0" + len(inner).to_bytes(2, "big") + inner


def test_the_name_of_a_real_one() -> None:
    assert server_name(hello("Api.Example")) == "api.example"


def test_it_may_be_spread_over_records_and_come_in_pieces() -> None:
    whole = records(hello()[5:], 7)
    assert server_name(whole) == "api.example"
    for size in range(len(whole)):
        with pytest.raises(Incomplete):
            server_name(whole[:size])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "not TLS"),
        (b"SSH-2.0-x\r\n", "not TLS"),
        (b"\x16\x03\x01\0\x05\x02\0\0\x01\0", "not a ClientHello"),
        (b"\x16\x03\x01\0\x04\x01\xff\xff\xff", "too long"),
        (b"\x16\x03\x01\0\0", "too long"),
        (built(), "names no server"),
        (built(names()), "names no server"),
        (built(names(b"a.example", b"b.example")), "more than one"),
        (built(names(b"a.example"), names(b"b.example")), "more than one"),
        (built(names(b"a.example"), b"\xfe\x0d\0\x01\0"), "ECH"),
        (built(b"\0\0\0\x05\0\x10\0\0\x01"), "longer than the whole"),
    ],
)
def test_what_has_no_one_name(data: bytes, why: str) -> None:
    with pytest.raises(NoHello, match=why):
        server_name(data)


def test_a_client_that_names_no_server() -> None:
    with pytest.raises(NoHello, match="names no server"):
        server_name(hello(None))


@given(st.binary(max_size=300))
def test_any_bytes_end_in_one_of_three_ways(data: bytes) -> None:
    for start in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03"):
        try:
            server_name(start + data)
        except (Incomplete, NoHello):
            continue
