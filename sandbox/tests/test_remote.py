"""An engine behind TCP, plain and with TLS, as `DOCKER_HOST` names it."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import select
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from toolcrib.errors import SandboxError
from toolcrib.sandbox import RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings


def certificate(folder) -> None:
    """One key that is authority, server and client at once."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    for file in ("ca.pem", "cert.pem"):
        (folder / file).write_bytes(pem)
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*kind))


class Proxy:
    """A TCP listener in front of the engine's unix socket."""

    def __init__(self, path: str, context: ssl.SSLContext | None) -> None:
        self.path, self.context = path, context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.path)
            client = self.context.wrap_socket(one, server_side=True) if self.context else one
            with client:
                self.pump(client, engine)

    @staticmethod
    def pump(client, engine: socket.socket) -> None:
        while True:
            pending = getattr(client, "pending", lambda: 0)()
            ready = [client] if pending else select.select([client, engine], [], [])[0]
            for source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                (engine if source is client else client).sendall(data)


@pytest.mark.parametrize("tls", [False, True])
async def test_over_tcp(engine, small, tmp_path, monkeypatch, tls: bool) -> None:
    if not engine.host.startswith("unix://"):
        pytest.skip("the engine under test is remote already")
    context = None
    if tls:
        certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        context.load_verify_locations(tmp_path / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    proxy = Proxy(engine.host.removeprefix("unix://"), context)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{proxy.port}")
    try:
        async with DockerSandbox(DockerSettings(image=engine.image, containers=3, preheated=1)) as sandbox:
            for _ in range(2):
                request = RunRequest("print(open('a').read())", inputs={"a": b"x" * 100_000}, limits=small)
                result = await sandbox.run(request)
                assert result.stdout.startswith("xxx") and result.output_bytes == 100_001
            with pytest.raises(SandboxError, match="the engine must run here too"):
                await sandbox.run(RunRequest("1", limits=small, egress=("example.org:443",)))
    finally:
        proxy.listener.close()
