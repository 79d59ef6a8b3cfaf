"""Requests to Vault with a login that is kept, and made anew when it has ended."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from toolcrib.errors import SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets._vault_http import Answer, Http
from toolcrib.secrets._vault_login import Login, LoginMethod
from toolcrib.secrets._vault_settings import VaultSettings
from toolcrib.secrets._vault_values import server_time
from toolcrib.secrets._vault_wrapping import unwrap

__all__ = ["Connection", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What Vault keeps at a path, and the lease that comes with it (`lease_id` is empty where none does)."""

    data: dict[str, Any]
    lease_id: str
    seconds: float
    renewable: bool
    login: Login
    server_time: float | None

    def __repr__(self) -> str:
        return f"Reply(lease_id={self.lease_id!r})"


class Connection:
    """Sends requests as one login; safe in threads. Blocks: call it in a thread."""

    def __init__(self, settings: VaultSettings) -> None:
        self.settings = settings
        self._http = Http(settings)
        self._method = LoginMethod(settings, self._http)
        self._login: Login | None = None
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """`https://HOST:PORT`, with the namespace if there is one."""
        space = f" (namespace {self.settings.namespace})" if self.settings.namespace else ""
        return f"{self.settings.url}{space}"

    def login(self, deadline: float) -> Login:
        """The login, made now if there is none or it ends."""
        with self._lock:
            if self._login is None or self._login.is_over:
                self._login = self._method.login(deadline)
            return self._login

    def read(self, url: str, path: str, deadline: float) -> Reply:
        """What is at `/v1/` + `url`; `SecretNotFound` or `SecretRefused`, which name `path`."""
        answer, login = self.send("get", url, deadline, wrap=self.settings.wrap_header)
        if answer.status == 403:
            raise self._forbidden(path, url)
        if self.settings.wrap and answer.status == 200:
            answer = self._unwrapped(answer, url, path, deadline)
        if answer.status == 404 and not isinstance(answer.body.get("data"), dict):
            raise SecretNotFound(
                f"there is no secret at {path!r} in Vault",
                rule=f"it was read from {url}",
                remedy="Write it there, or correct the path, mount or kv in the config",
            )
        return self._reply(answer, login, f"the secret at {path!r}")

    def write(self, url: str, what: str, deadline: float, json: Any) -> Reply:
        """What Vault answers to `json` sent to `/v1/` + `url`; `what` names it in errors."""
        answer, login = self.send("post", url, deadline, json)
        if answer.status == 403:
            raise self._forbidden(what, url)
        return self._reply(answer, login, what)

    def put(self, url: str, path: str, deadline: float, data: Any, after: int) -> int | None:
        """Write a version 2 secret if `after` is its newest version; its version, None if it is not."""
        asked = {"data": data, "options": {"cas": after}}
        answer, login = self.send("post", url, deadline, asked)
        if answer.status == 403:
            raise self._forbidden(path, url, "write", "update")
        if answer.status == 400 and "check-and-set" in answer.errors:
            return None
        version = self._reply(answer, login, f"writing the secret at {path!r}").data.get("version")
        if not isinstance(version, int):
            raise SecretError(
                f"Vault at {self.address} does not say that the secret at {path!r} was written",
                remedy="Look at Vault's own log, and at the mount and kv in the config",
            )
        return version

    def send(
        self, method: str, url: str, deadline: float, json: Any = None, *, wrap: str = ""
    ) -> tuple[Answer, Login]:
        """The answer to a request of this login, whatever it says; a login that ended is made anew, once."""
        login = self.login(deadline)
        answer = self._http.send(method, url, deadline, token=login.token, json=json, wrap=wrap)
        if answer.status == 403 and not self._is_alive(login, deadline):
            login = self._anew(login, deadline)
            answer = self._http.send(method, url, deadline, token=login.token, json=json, wrap=wrap)
        return answer, login

    def renew_login(self, deadline: float) -> None:
        """Make the login live on, if it may; what hangs on it ends with it otherwise."""
        login = self._login
        if login is None or not login.renewable or login.ends is None:
            return
        answer = self._http.send("post", "auth/token/renew-self", deadline, token=login.token, json={})
        auth = answer.body.get("auth")
        if answer.status == 200 and isinstance(auth, dict):
            login.renewed(float(auth.get("lease_duration") or 0))

    def late(self, what: str) -> SecretError:
        """The error for what took too long."""
        return self._http.late(what)

    def close(self) -> None:
        """Revoke a login of our own, and close the connections; what fails here ends by itself."""
        login, self._login = self._login, None
        try:
            if login is not None and login.own:
                deadline = time.monotonic() + min(2.0, self.settings.timeout_seconds)
                self._http.send("post", "auth/token/revoke-self", deadline, token=login.token, json={})
        except SecretError:
            return
        finally:
            self._http.close()

    def _unwrapped(self, answer: Answer, url: str, path: str, deadline: float) -> Answer:
        """What is behind the wrapping token that came; `SecretRefused` if anybody else has seen it."""
        told = answer.body.get("wrap_info")
        token = told.get("token") if isinstance(told, dict) else None
        if not isinstance(token, str) or not token:
            raise SecretRefused(
                f"the secret at {path!r} came without the wrapping that was asked for",
                rule="[secrets] wrap: each value travels wrapped, so that nobody reads along unnoticed",
                remedy="See what stands between here and Vault, and drops the header X-Vault-Wrap-TTL",
            )
        what = f"the secret at {path!r}"
        return unwrap(self._http, token, deadline, what=what, made=lambda made: made == url, means=f"{url}")

    def _is_alive(self, login: Login, deadline: float) -> bool:
        """Whether a 403 is about the path and not about the token."""
        return self._http.send("get", "auth/token/lookup-self", deadline, token=login.token).status == 200

    def _anew(self, dead: Login, deadline: float) -> Login:
        with self._lock:
            if self._login is dead:  # else another thread was faster
                self._login = None
                fresh = self._method.login(deadline)
                if fresh.token == dead.token:
                    raise SecretRefused(
                        f"Vault at {self.address} does not accept the {self.settings.auth_words}",
                        rule="a token that has ended or was revoked opens nothing",
                        remedy="Put a new one where it is read from",
                    )
                self._login = fresh
            elif self._login is None:
                self._login = self._method.login(deadline)
            return self._login

    def _reply(self, answer: Answer, login: Login, what: str) -> Reply:
        body, data = answer.body, answer.body.get("data")
        if answer.status not in (200, 204, 404) or not isinstance(data or {}, dict):
            raise SecretError(
                f"Vault at {self.address} answers {answer.status} for {what}",
                remedy="Look at Vault's own log, and at the mount and kv in the config",
            )
        return Reply(
            data or {},
            str(body.get("lease_id") or ""),
            float(body.get("lease_duration") or 0),
            body.get("renewable") is True,
            login,
            server_time(answer.headers.get("Date")),
        )

    def _forbidden(self, path: str, url: str, verb: str = "read", capability: str = "read") -> SecretRefused:
        return SecretRefused(
            f"Vault at {self.address} does not let {self.settings.auth_words} {verb} {path!r} (403)",
            rule=f"a Vault policy of that login must permit {url}",
            remedy=f'Add to it: path "{url}" {{ capabilities = ["{capability}"] }}',
        )
