"""`[secrets]` with `provider = "vault"`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from toolcrib._duration import seconds
from toolcrib.errors import ConfigError

__all__ = ["VaultSettings"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NEEDS: dict[str, tuple[str, ...]] = {
    "token": (),
    "approle": ("role_id",),
    "kubernetes": ("role",),
    "jwt": ("role", "jwt_file"),
}
_KUBERNETES_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where Vault is, how to log in, and how its secrets are laid out.

    Attributes:
        address: `https://HOST:PORT`; default: the environment's VAULT_ADDR. Plain http only on this host.
        namespace: Of Vault Enterprise or OpenBao; none by default.
        auth: `token`, `approle`, `kubernetes` or `jwt`.
        auth_mount: Where that method is mounted; default: its own name.
        token_file: With `token`: a file with the token, read anew when it is refused. Else `token_env`.
        token_env: With `token`: the environment variable that has it.
        role: With `kubernetes` and `jwt`: which role to log in to.
        role_id: With `approle`.
        secret_id_file: With `approle`: a file with the secret id. Else `secret_id_env`.
        secret_id_env: With `approle`: the environment variable that has it.
        secret_id_wrapped: What is there is a wrapping token, which gives the secret id once.
        jwt_file: With `jwt` and `kubernetes`: the file with the signed token, read at each login.
        mount: The key-value mount.
        kv: Its version.
        dynamic: Mounts whose paths are read as they stand, and lend credentials.
        ca_file: PEM file of the authorities that may vouch for Vault; default: those of certifi.
        client_cert: PEM file of a client certificate, with `client_key`.
        client_key: Its key.
        wrap: How long a value may stay wrapped on its way (`30s`); default: it is read without wrapping.
        timeout: For one fetch with all its retries.
    """

    address: str = ""
    namespace: str = ""
    auth: Literal["token", "approle", "kubernetes", "jwt"] = "token"
    auth_mount: str = ""
    token_file: Path | None = None
    token_env: str = "VAULT_TOKEN"  # noqa: S105 - the variable's name
    role: str = ""
    role_id: str = ""
    secret_id_file: Path | None = None
    secret_id_env: str = "VAULT_SECRET_ID"  # noqa: S105 - the variable's name
    secret_id_wrapped: bool = False
    jwt_file: Path | None = None
    mount: str = "secret"
    kv: Literal[1, 2] = 2
    dynamic: tuple[str, ...] = ()
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    wrap: str = ""
    timeout: str = "10s"

    def __post_init__(self) -> None:
        _check_address(self.url)
        for key in _NEEDS[self.auth]:
            if not getattr(self, key):
                raise _wrong(
                    f"{key} is missing", f"auth = {self.auth!r} needs {', '.join(_NEEDS[self.auth])}"
                )
        if bool(self.client_cert) != bool(self.client_key):
            raise _wrong("client_cert and client_key go together", "a certificate is used with its key")
        _ = self.timeout_seconds, self.wrap_header

    @property
    def url(self) -> str:
        """`address`, or the environment's."""
        return (self.address or os.environ.get("VAULT_ADDR", "")).rstrip("/")

    @property
    def timeout_seconds(self) -> float:
        """`timeout` in seconds."""
        return seconds(self.timeout, "[secrets] timeout")

    @property
    def wrap_header(self) -> str:
        """`wrap` as Vault reads it, in whole seconds; empty for reads without wrapping."""
        if not self.wrap:
            return ""
        life = seconds(self.wrap, "[secrets] wrap")
        if life < 1:
            raise _wrong(f"wrap = {self.wrap!r}", "a wrapping token lives for at least a second")
        return f"{int(life)}s"

    @property
    def login_path(self) -> str:
        """Where to log in, below `/v1/`."""
        return f"auth/{self.auth_mount or self.auth}/login"

    @property
    def jwt(self) -> Path:
        """The file of the signed token."""
        return self.jwt_file or _KUBERNETES_TOKEN

    @property
    def auth_words(self) -> str:
        """`approle`, `kubernetes (role crm)`, `token (file /run/token)`."""
        if self.auth == "token":
            return f"token ({f'file {self.token_file}' if self.token_file else f'${self.token_env}'})"
        wrapped = ", wrapped secret id" if self.secret_id_wrapped else ""
        return f"{self.auth} (role {self.role}{wrapped})" if self.role else f"{self.auth}{wrapped}"

    def is_dynamic(self, path: str) -> bool:
        """Whether what lies at `path` is lent."""
        return any(path.startswith(f"{mount.strip('/')}/") for mount in self.dynamic)

    def relative_to(self, base: Path) -> VaultSettings:
        """With its files relative to `base`."""
        files = ("token_file", "secret_id_file", "jwt_file", "ca_file", "client_cert", "client_key")
        given = {name: base / path for name in files if (path := getattr(self, name)) is not None}
        return replace(self, **given)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if not url:
        raise _wrong("address is missing", "Vault is reached at one address", "Write it, or set VAULT_ADDR")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _wrong("address is none", "an address is https://HOST:PORT")
    if parts.username or parts.password:
        raise _wrong("address has a password in it", "the config holds no secrets")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise _wrong("address is plain http", "tokens and secrets travel encrypted, except within this host",
                     "Write https://, and ca_file if Vault's certificate is your own")  # fmt: skip


def _wrong(what: str, rule: str, remedy: str = "See the reference page on secrets") -> ConfigError:
    return ConfigError(f"[secrets] {what}", rule=rule, remedy=remedy)
