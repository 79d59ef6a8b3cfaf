"""Logging in to Vault: by a token, AppRole, Kubernetes or a signed token (JWT)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolcrib.errors import SecretError, SecretRefused
from toolcrib.secrets._vault_http import Answer, Http
from toolcrib.secrets._vault_settings import VaultSettings
from toolcrib.secrets._vault_wrapping import unwrap

__all__ = ["Login", "LoginMethod"]


@dataclass(slots=True, eq=False)
class Login:
    """A token. `ends` is in `time.monotonic()` seconds, None where it does not end or that is not known.

    `own` is True where this process logged in, so that it is its to revoke.
    """

    token: str
    seconds: float
    ends: float | None
    renewable: bool
    own: bool

    def __repr__(self) -> str:
        return "Login()"

    @property
    def is_over(self) -> bool:
        """Whether it ends soon: before a request with it could be answered, a tenth of its life or 10 s."""
        return self.ends is not None and time.monotonic() > self.ends - min(10.0, self.seconds / 10)

    def renewed(self, seconds: float) -> None:
        """It lives for `seconds` from now."""
        self.seconds = seconds
        self.ends = time.monotonic() + seconds if seconds else None


class LoginMethod:
    """Gets a `Login` by the configured method."""

    def __init__(self, settings: VaultSettings, http: Http) -> None:
        self._settings, self._http = settings, http
        self._secret_id = ""
        self._wrapping = ""

    def login(self, deadline: float) -> Login:
        """A fresh one; `SecretRefused` where Vault does not accept it."""
        if self._settings.auth == "token":
            return self._given(deadline)
        settings = self._settings
        payload: dict[str, str]
        if settings.auth == "approle":
            payload = {"role_id": settings.role_id, "secret_id": self._secret_id_now(deadline)}
        else:
            payload = {"role": settings.role, "jwt": _read(settings.jwt, "jwt_file")}
        answer = self._http.send("post", settings.login_path, deadline, json=payload)
        auth = answer.body.get("auth")
        if answer.status != 200 or not isinstance(auth, dict):
            self._secret_id = ""  # perhaps it has ended; the file may hold another by now
            raise self._refused(answer)
        return _login(str(auth["client_token"]), auth.get("lease_duration"), auth.get("renewable"), own=True)

    def _given(self, deadline: float) -> Login:
        settings = self._settings
        token = _read_or_env(settings.token_file, "token_file", settings.token_env, "token_env")
        answer = self._http.send("get", "auth/token/lookup-self", deadline, token=token)
        data = answer.body.get("data") if answer.status == 200 else None
        # Without the policy `default` a good token may not look itself up: that it is good shows in its use.
        data = data if isinstance(data, dict) else {}
        return _login(token, data.get("ttl"), data.get("renewable"), own=False)

    def _secret_id_now(self, deadline: float) -> str:
        settings = self._settings
        if self._secret_id:
            return self._secret_id
        text = _read_or_env(
            settings.secret_id_file, "secret_id_file", settings.secret_id_env, "secret_id_env"
        )
        self._secret_id = self._unwrap(text, deadline) if settings.secret_id_wrapped else text
        return self._secret_id

    def _unwrap(self, token: str, deadline: float) -> str:
        """The secret id behind a wrapping token. One that was used before was read by somebody else."""
        mount = self._settings.auth_mount or self._settings.auth
        answer = unwrap(
            self._http,
            token,
            deadline,
            what="the secret id",
            made=lambda path: path.startswith(f"auth/{mount}/role/") and path.endswith("/secret-id"),
            means="a secret id of this mount",
        )
        return str((answer.body.get("data") or {}).get("secret_id", ""))

    def _refused(self, answer: Answer) -> SecretError:
        settings = self._settings
        return SecretRefused(
            f"Vault at {settings.url} refuses the login by {settings.auth_words} ({answer.status})",
            rule=f"the login at {settings.login_path} must succeed",
            remedy="Check the role, what it is logged in with, and that the method is mounted there",
        )


def _login(token: str, seconds: Any, renewable: Any, *, own: bool) -> Login:
    life = float(seconds) if isinstance(seconds, int | float) else 0.0
    return Login(token, life, time.monotonic() + life if life else None, renewable is True, own)


def _read_or_env(file: Path | None, file_key: str, variable: str, key: str) -> str:
    if file is not None:
        return _read(file, file_key)
    value = os.environ.get(variable, "").strip()
    if not value:
        raise SecretError(
            f"there is nothing to log in to Vault with: ${variable} is not set",
            rule=f"[secrets] {file_key} names a file, or {key} a variable",
            remedy=f"Set {variable}, or {file_key}",
        )
    return value


def _read(file: Path, key: str) -> str:
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretError(
            f"there is nothing to log in to Vault with: {file}: {why}",
            rule=f"[secrets] {key} is a file that this process can read",
            remedy="Write it, or correct the path",
        ) from None
    if not text:
        raise SecretError(f"{file} is empty", rule=f"[secrets] {key} holds what to log in with")
    return text
