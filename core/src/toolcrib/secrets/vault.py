"""HashiCorp Vault, and OpenBao, which speaks the same: key-value secrets, and credentials on loan.

A path is `MOUNT/...` less the key-value mount, which the config names once: `crm/acme/salesforce` is read
from `secret/data/crm/acme/salesforce`. What lies there is a document of keys; `path#key` takes one of them.
Without a key, a document of one key gives that one's value, and any other the whole document as JSON with
sorted keys. A path under one of the `dynamic` mounts (`database/creds/reader`) is read as it stands, and what
comes is a lease: it is renewed while it is in use, given back when the provider closes, and never handed out
beyond its end.

hvac works in threads of this provider's own, so that a Vault that hangs holds up nothing else.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from toolcrib.errors import SecretChanged, SecretError, SecretNotFound, SecretRefused
from toolcrib.secrets._paths import split_path
from toolcrib.secrets._secret import Secret
from toolcrib.secrets._status import ProviderStatus
from toolcrib.secrets._vault_connection import Connection, Reply
from toolcrib.secrets._vault_leases import Leases
from toolcrib.secrets._vault_settings import VaultSettings
from toolcrib.secrets._vault_values import ends_at, value_of, with_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolcrib.secrets._config import ProviderConfig
    from toolcrib.secrets.vault_transit import TransitSigner

__all__ = ["VaultProvider", "VaultSettings"]

T = TypeVar("T")

THREADS = 8
"""Requests at once."""
GRACE = 1.0
"""Seconds beyond the deadline until a fetch stops waiting for its thread, whose own error says more."""


class VaultProvider:
    """Reads secrets from Vault with the settings of `[secrets]`; connects at the first use.

    May be used from several event loops and threads at once. Every failure is a `SecretError`:
    `SecretNotFound` for a path or key that is not there, `SecretRefused` for what these credentials may not
    read.
    """

    def __init__(self, settings: VaultSettings) -> None:
        self.settings = settings
        self._connection = Connection(settings)
        self._leases = Leases(self._connection)
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def from_config(cls, config: ProviderConfig) -> VaultProvider:
        """The Vault that `[secrets]` describes; `ConfigError` for settings that do not go together."""
        import hvac  # noqa: F401 - missing, it is missed now and not at the first secret

        return cls(config.parse(VaultSettings).relative_to(config.base))

    def __repr__(self) -> str:
        return f"VaultProvider({self.settings.url!r}, auth={self.settings.auth!r})"

    @property
    def connection(self) -> Connection:
        """What sends requests with this provider's login."""
        return self._connection

    async def fetch(self, path: str) -> Secret:
        """The newest version, or the credential on loan, at `path`."""
        where, key = split_path(path)
        return await self._in_thread(partial(self._fetch, path, where, key), path)

    async def replace(self, old: Secret, value: str) -> Secret:
        """Store the next version with check-and-set, if `old` is the newest; else `SecretChanged`.

        Only of version 2 mounts, where versions can be told apart.
        """
        where, key = split_path(old.path)
        return await self._in_thread(partial(self._replace, old, where, key, value), old.path)

    async def status(self) -> ProviderStatus:
        """Where Vault is, and how this provider is logged in; logs in if need be."""
        return await self._in_thread(self._status, "its login")

    def signer(self, key: str, *, mount: str = "transit", version: int = 1) -> TransitSigner:
        """Signs by Vault's transit key `key` with this provider's login; nothing is asked before it signs."""
        from toolcrib.secrets.vault_transit import TransitSigner

        return TransitSigner(self._connection, key, mount=mount, version=version)

    async def close(self) -> None:
        """Revoke every lease and the login, and end the threads; harmless when repeated."""
        threads, self._threads = self._threads or ThreadPoolExecutor(1), None
        try:
            await asyncio.get_running_loop().run_in_executor(threads, self._end)
        finally:
            await asyncio.to_thread(threads.shutdown)

    async def _in_thread(self, work: Callable[[], T], what: str) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="toolcrib-vault")
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.settings.timeout_seconds + GRACE)
        except TimeoutError:
            future.add_done_callback(_look_at)
            raise self._connection.late(what) from None

    def _end(self) -> None:
        self._leases.close()
        self._connection.close()

    # --- in a thread

    def _fetch(self, path: str, where: str, key: str | None) -> Secret:
        deadline = time.monotonic() + self.settings.timeout_seconds
        if self.settings.is_dynamic(where):
            lease = self._leases.get(where, deadline)
            value = value_of(lease.data, key, path)
            return Secret(value, path=path, version=lease.version, expires=lease.ends)
        reply = self._connection.read(self._url(where), path, deadline)
        data, version, expires = self._document(reply, path)
        return Secret(value_of(data, key, path), path=path, version=version, expires=expires)

    def _replace(self, old: Secret, where: str, key: str | None, value: str) -> Secret:
        path, deadline = old.path, time.monotonic() + self.settings.timeout_seconds
        if self.settings.kv != 2 or self.settings.is_dynamic(where):
            raise SecretRefused(
                f"the secret at {path!r} cannot be written from here",
                rule="only what has versions is replaced, and only if nobody else did",
                remedy="Keep it on a version 2 key-value mount",
            )
        data, version, _ = self._document(self._connection.read(self._url(where), path, deadline), path)
        if version == old.version:
            written = with_value(data, key, value, path)
            stored = self._connection.put(self._url(where), path, deadline, written, int(version))
            if stored is not None:
                return Secret(value, path=path, version=stored)
            # Somebody was faster, or our own first try, whose answer was lost.
            data, version, _ = self._document(self._connection.read(self._url(where), path, deadline), path)
            if data == written:
                return Secret(value, path=path, version=version)
        raise SecretChanged(
            f"the secret at {path!r} is no longer at version {old.version}",
            rule="a version is followed by one other",
            remedy="Fetch it again, and use what is there",
        )

    def _url(self, where: str) -> str:
        mount = self.settings.mount
        return f"{mount}/data/{where}" if self.settings.kv == 2 else f"{mount}/{where}"

    def _document(self, reply: Reply, path: str) -> tuple[Any, int | str, float | None]:
        if self.settings.kv == 1:
            return reply.data, "kv1", None
        metadata = reply.data.get("metadata")
        if not isinstance(metadata, dict) or "data" not in reply.data:
            raise SecretError(
                f"what Vault has at {path!r} is no version 2 secret",
                rule=f"[secrets] kv = 2, so {self.settings.mount!r} is read as a version 2 mount",
                remedy="Write kv = 1, or name the right mount",
            )
        if reply.data["data"] is None:
            raise SecretNotFound(
                f"the newest version of the secret at {path!r} was deleted",
                remedy="Undelete it, or write a new version",
            )
        return reply.data["data"], metadata.get("version", "unknown"), ends_at(metadata, reply.server_time)

    def _status(self) -> ProviderStatus:
        connection = self._connection
        login = connection.login(time.monotonic() + self.settings.timeout_seconds)
        rest = None if login.ends is None else max(0.0, login.ends - time.monotonic())
        return ProviderStatus("vault", connection.address, self.settings.auth_words, rest)


def _look_at(future: asyncio.Future[Any]) -> None:
    """So that the error of an abandoned thread is not reported as one that nobody looked at."""
    if not future.cancelled():
        future.exception()
