"""The threads and sockets behind a fake service."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from toolcrib.testing._http_messages import Reply, Request

__all__ = ["Answer", "LoopbackServer", "Responder"]

MAX_BODY = 32 * 1024 * 1024
"""Bytes of request body that a fake reads before it answers 413."""

Answer = tuple[Reply, int | None]
"""A reply, and after how many bytes of its body to cut the connection (0: no answer at all; None: no cut)."""

Responder = Callable[[Request], Answer]


class LoopbackServer(ThreadingHTTPServer):
    """Knows its open connections, so that stopping never waits for a client that keeps one alive."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, respond: Responder, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:  # the handshake is left to the connection's own thread
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.respond = respond
        self._connections: set[socket.socket] = set()
        self._guard = threading.Condition()

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of the host's full name, which can take seconds without a network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
            self._guard.notify_all()
        super().shutdown_request(request)

    @property
    def open_connections(self) -> int:
        """How many there are."""
        with self._guard:
            return len(self._connections)

    def quiet(self, most: int, seconds: float) -> bool:
        """Wait until at most so many are open; False where it takes longer."""
        with self._guard:
            return self._guard.wait_for(lambda: len(self._connections) <= most, seconds)

    def disconnect(self) -> None:
        """Shut every open connection, which ends the thread that reads from it."""
        with self._guard:
            for connection in self._connections:
                _shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is an everyday thing here: say nothing."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was faster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a small answer would else wait 40 ms for the client's delayed ACK
    server: LoopbackServer

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet; the request log is `FakeService.requests`."""

    def do_GET(self) -> None:
        """Every method goes the same way."""
        body = self._body()
        if body is None:
            return
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        request = Request(self.command, url.path, query, headers, body, target=self.path)
        reply, cut = self.server.respond(request)
        self._send(reply, cut)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def _body(self) -> bytes | None:
        """The request's body; None when it was refused and the connection is to be closed."""
        length = int(self.headers.get("content-length") or 0)
        if "transfer-encoding" in self.headers or length > MAX_BODY:
            self.close_connection = True
            status = 413 if length > MAX_BODY else 411
            self._send(Reply.json({"error": f"body refused with {status}"}, status), None)
            return None
        return self.rfile.read(length)

    def _send(self, reply: Reply, cut: int | None) -> None:
        if cut == 0:
            self._hang_up()
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.stream is None:
            self._send_whole(reply.body, cut)
        else:
            self._send_chunks(reply.stream, cut)

    def _send_whole(self, body: bytes, cut: int | None) -> None:
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body[:cut])
        if cut is not None and cut < len(body):
            self._hang_up()

    def _send_chunks(self, chunks: Iterable[bytes], cut: int | None) -> None:
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        sent = 0
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            sent += len(chunk)
            if cut is not None and sent >= cut:
                self._hang_up()
                return
        self.wfile.write(b"0\r\n\r\n")

    def _hang_up(self) -> None:
        self.close_connection = True
        _shut(self.connection)
