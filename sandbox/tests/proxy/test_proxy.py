"""The proxy between a client on its unix socket and real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from toolcrib.errors import InvalidArguments
from toolcrib.sandbox import Connection
from toolcrib_sandbox.proxy import EgressProxy, EgressRules, ProxyGateway

LOOPBACK = EgressRules(seconds=5, allow_loopback=True)


class Handler(BaseHTTPRequestHandler):
    """Tells what it was asked; `/redirect` sends the client elsewhere."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))  # type: ignore[attr-defined]
        self.send_response(302 if self.path == "/redirect" else 200)
        if self.path == "/redirect":
            self.send_header("Location", "http://elsewhere.example/")
        body = b"x" * 100_000 if self.path == "/big" else b"hello"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, data))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def http() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    """A server that answers with the length of what came first; it sees what a tunnel really carries."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(b"%d" % len(client.recv(65536)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def to(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.fixture
def opened() -> Iterator[Callable[..., EgressProxy]]:
    made: list[EgressProxy] = []

    def build(*targets: str, rules: EgressRules = LOOPBACK, resolve: Any = None) -> EgressProxy:
        gateway = ProxyGateway(rules, resolve=resolve or to("127.0.0.1"))
        made.append(asyncio.run(gateway.open(targets, "acme")))
        return made[-1]

    yield build
    for proxy in made:
        asyncio.run(proxy.close())
        asyncio.run(proxy.close())
        assert not Path(proxy.socket).parent.exists()


def ask(proxy: EgressProxy, *parts: bytes) -> bytes:
    """All that comes back; each part is sent when the one before was answered."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(proxy.socket)
        answer = b""
        for part in parts:
            client.sendall(part)
            if part is not parts[-1]:
                answer += client.recv(65536)
        while data := client.recv(65536):
            answer += data
        return answer


def get(url: str, *headers: str) -> bytes:
    return ("\r\n".join([f"GET {url} HTTP/1.1", "Host: x", *headers]) + "\r\n\r\n").encode()


def connect(target: str) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()


def hello(name: str) -> bytes:
    out = ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return out.read()


# --- plain requests


def test_what_is_granted_is_reached_and_told(opened: Any, http: Any) -> None:
    target = f"api.example:{http.server_port}"
    proxy = opened(target)
    answer = ask(proxy, get(f"http://{target}/a"))
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")
    assert http.seen[-1] == ("/a", target)
    (told,) = proxy.connections()
    assert (told.target, told.allowed, told.reason) == (target, True, "")
    assert told.sent > 0 and told.received == len(answer)
    assert proxy.connections() == ()


@pytest.mark.parametrize(
    "url",
    ["http://other.example:{}/", "http://api.example:1/", "http://127.0.0.1:{}/", "http://2130706433:{}/"],
)
def test_everything_else_is_refused_and_told(opened: Any, http: Any, url: str) -> None:
    proxy, before = opened(f"api.example:{http.server_port}"), len(http.seen)
    answer = ask(proxy, get(url.format(http.server_port)))
    assert answer.startswith(b"HTTP/1.1 403") and b"not granted" in answer
    (told,) = proxy.connections()
    assert not told.allowed and told.reason == "it was not granted" and told.received == 0
    assert len(http.seen) == before


def test_a_redirect_is_a_new_question(opened: Any, http: Any) -> None:
    proxy = opened(f"api.example:{http.server_port}")
    assert b"Location: http://elsewhere.example/" in ask(
        proxy, get(f"http://api.example:{http.server_port}/redirect")
    )
    assert ask(proxy, get("http://elsewhere.example/")).startswith(b"HTTP/1.1 403")


def test_a_second_request_behind_the_first_is_not_passed_on(opened: Any, http: Any) -> None:
    target = f"api.example:{http.server_port}"
    smuggled = get(f"http://{target}/first") + b"GET /second HTTP/1.1\r\nHost: inner.example\r\n\r\n"
    ask(opened(target), smuggled)
    assert http.seen[-1] == ("/first", target)


def test_a_body_is_as_long_as_it_says(opened: Any, http: Any) -> None:
    target = f"api.example:{http.server_port}"
    head = f"POST http://{target}/p HTTP/1.1\r\nContent-Length: 3\r\n\r\n".encode()
    ask(opened(target), head + b"abcDEF")
    assert http.seen[-1] == ("/p", b"abc")


@pytest.mark.parametrize("junk", [b"\0" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\r\n\r\n", b"x" * 20_000])
def test_junk_is_refused(opened: Any, junk: bytes) -> None:
    proxy = opened("api.example:80")
    assert ask(proxy, junk).startswith(b"HTTP/1.1 403")
    assert not proxy.connections()[0].allowed


# --- names and addresses


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], []]
)
def test_a_granted_name_that_points_inside_is_refused(opened: Any, addresses: list[str]) -> None:
    proxy = opened("api.example:80", rules=EgressRules(seconds=5), resolve=to(*addresses))
    assert ask(proxy, get("http://api.example/")).startswith(b"HTTP/1.1 403")
    (told,) = proxy.connections()
    assert not told.allowed and "it" in told.reason


def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind(opened: Any, http: Any) -> None:
    asked: list[str] = []

    async def rebinds(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    target = f"api.example:{http.server_port}"
    proxy = opened(target, resolve=rebinds)
    assert ask(proxy, get(f"http://{target}/")).startswith(b"HTTP/1.1 200")
    assert asked == ["api.example"]
    assert b"private" in ask(proxy, get(f"http://{target}/"))


def test_a_name_that_does_not_resolve_is_told(opened: Any) -> None:
    async def fails(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    proxy = opened("api.example:80", resolve=fails)
    assert b"cannot be resolved" in ask(proxy, get("http://api.example/"))


# --- tunnels


def test_a_tunnel_begins_with_tls_to_its_host(opened: Any, echo: socket.socket) -> None:
    target = f"api.example:{echo.getsockname()[1]}"
    proxy, greeting = opened(target), hello("api.example")
    answer = ask(proxy, connect(target), greeting)
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"%d" % len(greeting))
    (told,) = proxy.connections()
    assert told.allowed and told.sent == len(greeting)


@pytest.mark.parametrize("first", [hello("other.example"), b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_a_tunnel_to_something_else_never_reaches_the_server(
    opened: Any, echo: socket.socket, first: bytes
) -> None:
    target = f"api.example:{echo.getsockname()[1]}"
    proxy = opened(target)
    assert b"the tunnel begins" in ask(proxy, connect(target), first) or b"does not begin" in ask(
        proxy, connect(target), first
    )
    assert not any(each.allowed for each in proxy.connections())


def test_a_tunnel_that_was_not_granted(opened: Any) -> None:
    proxy = opened("api.example:443")
    assert ask(proxy, connect("other.example:443")).startswith(b"HTTP/1.1 403")
    assert proxy.connections() == (Connection("other.example:443", False, "it was not granted"),)


# --- bounds


def test_bytes_are_bounded_over_all_connections(opened: Any, http: Any) -> None:
    target = f"api.example:{http.server_port}"
    proxy = opened(target, rules=EgressRules(bytes=150_000, seconds=5, allow_loopback=True))
    assert len(ask(proxy, get(f"http://{target}/big"))) > 100_000
    assert len(ask(proxy, get(f"http://{target}/big"))) < 100_000
    assert "all that it may" in proxy.connections()[1].reason


def test_connections_are_bounded_and_the_rest_is_counted(opened: Any) -> None:
    proxy = opened("api.example:80", rules=EgressRules(connections=2, seconds=5))
    for _ in range(5):
        try:
            ask(proxy, get("http://other.example/"))
        except (BrokenPipeError, ConnectionResetError):
            continue
    told = proxy.connections()
    assert len(told) == 3 and told[2].target == "3 more" and not told[2].allowed


def test_who_says_nothing_is_hung_up_on(opened: Any) -> None:
    proxy = opened("api.example:80", rules=EgressRules(seconds=0.2))
    assert ask(proxy, b"GET ") == b""
    assert "TimeoutError" in proxy.connections()[0].reason


def test_closing_ends_what_goes_on(opened: Any, echo: socket.socket) -> None:
    proxy = opened("api.example:80")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(proxy.socket)
        client.sendall(b"GET ")
        asyncio.run(proxy.close())
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
    assert not Path(proxy.socket).exists()


def test_what_is_no_target_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidArguments, match="HOST:PORT"):
        asyncio.run(ProxyGateway().open(("http://api.example",), "acme"))


# --- who may use it

STRANGER = """
import os, socket, sys
if len(sys.argv) > 2:
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize(
    ("user", "told"), [((), "connected"), (("65534",), "refused"), (("10001",), "refused")]
)
def test_other_users_of_this_machine_cannot_open_it(opened: Any, user: tuple[str, ...], told: str) -> None:
    """The container's user neither, but where the engine mounts it (see test_in_container)."""
    proxy = opened("api.example:80")
    folder = Path(proxy.socket).parent.stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o700, os.getuid())
    if user and os.getuid() != 0:
        pytest.skip("only root becomes another user")
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, proxy.socket, *user], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == told
