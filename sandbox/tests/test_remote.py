"""An engine behind TCP, plain and with TLS, and behind ssh, as `DOCKER_HOST` names it."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import ipaddress
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from toolcrib.errors import SandboxError
from toolcrib.sandbox import RunRequest
from toolcrib.testing.counterparts import missing
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


# --- ssh


def ed25519_key(path: Path) -> str:
    """A throwaway key in this file; its public half as one line."""
    key = ed25519.Ed25519PrivateKey.generate()
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(*forms))
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


@dataclass
class Sshd:
    """An sshd of our own on loopback, on a machine where the engine under test is the engine."""

    address: str
    known: str
    home: Path

    def know(self, line: str) -> None:
        (self.home / ".ssh" / "known_hosts").write_text(line)


@pytest.fixture
def sshd(engine, tmp_path: Path, monkeypatch) -> Iterator[Sshd]:
    """Its client's home has a key that it takes, and knows its host key."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or shutil.which("docker") is None:
        missing("NO ENGINE WAS REACHED BY SSH: openssh-server and the docker client are needed")
    if not engine.host.startswith("unix://"):
        pytest.skip("the engine under test is remote already")
    folder, home = Path(tempfile.mkdtemp(prefix="toolcrib-sshd-")), tmp_path
    (home / ".ssh").mkdir(mode=0o700)
    (folder / "authorized").write_text(ed25519_key(home / ".ssh" / "id_ed25519"))
    known = ed25519_key(folder / "host")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nLoginGraceTime 5\nSetEnv DOCKER_HOST={engine.host}\n"
    )
    separation = Path("/run/sshd")  # where root's sshd locks its unprivileged half in
    made = os.getuid() == 0 and not separation.exists()
    if made:
        separation.mkdir(mode=0o755)
    words = [program, "-D", "-e", "-f", str(folder / "config")]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        assert "listening on" in said, said
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        told = Sshd(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", f"[127.0.0.1]:{port} {known}\n", home)
        told.know(told.known)
        yield told
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()  # not read to its end: that comes with the last connection's
        shutil.rmtree(folder)
        if made:
            separation.rmdir()


async def test_over_ssh(engine, small, sshd: Sshd, monkeypatch) -> None:
    """Runs with large inputs, and a session; and the container goes with its owner's connection."""
    monkeypatch.setenv("DOCKER_HOST", sshd.address)
    async with DockerSandbox(DockerSettings(image=engine.image, containers=2, preheated=0)) as sandbox:
        request = RunRequest("print(open('a').read())", inputs={"a": b"x" * 100_000}, limits=small)
        told = await sandbox.run(request)
        assert told.stdout.startswith("xxx") and told.output_bytes == 100_001
        session = await sandbox.session("acme", small)
        await session.run(RunRequest("x = 41", tenant="acme", limits=small))
        assert (await session.run(RunRequest("x + 1", tenant="acme", limits=small))).stdout == "42\n"
        session._box.close()
        assert await sandbox._in_thread(sandbox.engine.is_gone, session._box.container, 30)
        with pytest.raises(SandboxError, match="the engine must run here too"):
            await sandbox.run(RunRequest("1", limits=small, egress=("example.org:443",)))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda sshd: sshd.know(""), "its host key is not known.*Connect once by `ssh`"),
        (lambda sshd: sshd.know(sshd.known[:-8] + "AAAAAAA\n"), "its host key is another one.*Find out why"),
        (lambda sshd: ed25519_key(sshd.home / ".ssh" / "id_ed25519"), "does not let this user in.*ssh-agent"),
        (lambda sshd: setattr(sshd, "address", "ssh://127.0.0.1:1"), "does not answer.*Start it"),
    ],
    ids=["unknown host", "another host", "unknown user", "nobody"],
)
async def test_what_ssh_refuses_is_told_with_what_to_do(small, sshd: Sshd, spoil, says: str) -> None:
    spoil(sshd)
    async with DockerSandbox(DockerSettings(host=sshd.address)) as sandbox:
        with pytest.raises(SandboxError, match=says):
            await sandbox.run(RunRequest("1", limits=small))
