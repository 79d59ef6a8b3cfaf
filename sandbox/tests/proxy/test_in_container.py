"""The whole way out, from code in a real container to a real server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from toolcrib.sandbox import Limits, RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox.proxy import EgressRules, ProxyGateway

FETCH = """
import urllib.request
for url in URLS:
    try:
        print(url, urllib.request.urlopen(url, timeout=5).read().decode())
    except Exception as error:
        print(url, "refused", getattr(error, "code", type(error).__name__))
"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_only_what_was_granted_is_reached_and_all_of_it_is_told(
    settings: DockerSettings, small: Limits, port: int
) -> None:
    gateway = ProxyGateway(EgressRules(allow_loopback=True), resolve=here)
    granted, other = f"api.example:{port}", f"other.example:{port}"
    urls = [f"http://{granted}/", f"http://{other}/", f"http://127.1:{port}/", f"http://x@{other}/"]
    async with DockerSandbox(settings, gateway=gateway) as sandbox:
        code = f"URLS = {urls!r}\n{FETCH}"
        result = await sandbox.run(RunRequest(code, limits=small, egress=(granted,)))
        bare = await sandbox.run(RunRequest(code, limits=small))
    lines = result.stdout.splitlines()
    assert lines[0].endswith("hello") and all(" refused " in line for line in lines[1:])
    assert [each.target for each in result.connections if each.allowed] == [granted]
    assert other in [each.target for each in result.connections if not each.allowed]
    assert bare.connections == () and "hello" not in bare.stdout
