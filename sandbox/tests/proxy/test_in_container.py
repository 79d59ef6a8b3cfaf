"""The whole way out, from code in a real container to a real server on this machine."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from toolcrib.sandbox import Limits, RunRequest, RunResult
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


# --- TLS


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate authority, and a server's certificate for `name` with its key in one file."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("authority", name)]
    made = []
    for number in range(2):
        builder = x509.CertificateBuilder(names[0], names[number], keys[number].public_key(), number + 1)
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(
            x509.BasicConstraints(ca=number == 0, path_length=None), critical=True
        )
        if number:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    ca, server = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(made[0])
    server.write_bytes(made[1] + keys[1].private_bytes(*kind))
    return ca, server


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[int, bytes]]:
    """A server for api.example with TLS, and the certificate of its authority."""
    ca, certificate = authority(tmp_path, "api.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, ca.read_bytes()
    server.shutdown()
    server.server_close()
    thread.join()


TUNNELS = """
import json, socket, ssl, urllib.request
told = {}

def tunnel(target):
    made = socket.create_connection(("127.0.0.1", 3128), 5)
    made.sendall(f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode())
    return made, made.recv(4096).split()[1].decode()

def over(name, target, server_name, check=True):
    try:
        made, status = tunnel(target)
        if status != "200":
            told[name] = status
            return
        context = ssl.create_default_context(cafile="ca.pem")
        context.check_hostname, context.verify_mode = check, ssl.CERT_REQUIRED if check else ssl.CERT_NONE
        with context.wrap_socket(made, server_hostname=server_name) as secure:
            secure.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            told[name] = secure.recv(4096).split()[1].decode()
    except Exception as error:
        told[name] = type(error).__name__

context = ssl.create_default_context(cafile="ca.pem")
told["a library"] = urllib.request.urlopen(f"https://api.example:{PORT}/", context=context).read().decode()
over("its own name", f"api.example:{PORT}", "api.example")
over("another server's name", f"api.example:{PORT}", "evil.example", check=False)
over("no name", f"api.example:{PORT}", None, check=False)
over("a host that was not granted", f"evil.example:{PORT}", "evil.example")
over("a host without its certificate", f"granted.example:{PORT}", "granted.example")
made, status = tunnel(f"api.example:{PORT}")
made.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
told["no TLS"] = made.recv(4096).split()[1].decode()
print(json.dumps(told))
"""


@pytest.fixture
async def tunnels(settings: DockerSettings, small: Limits, tls: tuple[int, bytes]) -> RunResult:
    port, ca = tls
    gateway = ProxyGateway(EgressRules(allow_loopback=True), resolve=here)
    async with DockerSandbox(settings, gateway=gateway) as sandbox:
        return await sandbox.run(
            RunRequest(
                f"PORT = {port}\n{TUNNELS}",
                inputs={"ca.pem": ca},
                limits=small,
                egress=(f"api.example:{port}", f"granted.example:{port}"),
            )
        )


async def test_tls_goes_through_to_the_very_host_and_the_client_checks_its_certificate(
    tunnels: RunResult,
) -> None:
    assert tunnels.stderr == ""
    assert json.loads(tunnels.stdout) == {
        "a library": "hello",
        "its own name": "200",
        "another server's name": "SSLError",
        "no name": "SSLError",
        "a host that was not granted": "403",
        "a host without its certificate": "SSLCertVerificationError",
        "no TLS": "403",
    }
    reasons = [each.reason for each in tunnels.connections if not each.allowed]
    assert reasons == [
        "the tunnel begins with TLS to another server, 'evil.example'",
        "the tunnel does not begin with TLS to it: it names no server",
        "it was not granted",
        "the tunnel does not begin with TLS to it: it is not TLS",
    ]
    allowed = [each for each in tunnels.connections if each.allowed]
    assert [each.target.partition(":")[0] for each in allowed] == ["api.example"] * 2 + ["granted.example"]
    assert all(each.sent > 0 and each.received > 0 for each in allowed)
