"""A real server behind the switches of a fake: what passes through can be held, cut, failed, or vanish."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlsplit

from toolcrib.testing._http_messages import Reply, Request
from toolcrib.testing.http import FakeService

__all__ = ["Relay"]

_HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "host", "content-length", "date", "server")


class Relay(FakeService):
    """Hands every request on to the server at `upstream` (`http://127.0.0.1:PORT`), and its answer back.

    In the headers of a request its own address becomes the server's, as servers check where a request says
    that it comes from. Bodies pass as they are.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream.rstrip("/")

    def handle(self, request: Request) -> Reply:
        """Ask the server."""
        where = urlsplit(self._upstream)
        headers = {
            name: value.replace(self.url, self._upstream)
            for name, value in request.headers.items()
            if name not in _HOP_BY_HOP
        }
        connection = HTTPConnection(where.hostname or "", where.port)
        try:
            connection.request(request.method, where.path + request.target, request.body or None, headers)
            answer = connection.getresponse()
            kept = {name: text for name, text in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            return Reply(answer.status, answer.read(), kept)
        finally:
            connection.close()
