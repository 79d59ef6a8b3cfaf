"""Checkpoints of the audit log signed by Vault's transit key, which never leaves Vault.

Whoever takes over this host can then sign with the key for as long as they keep the login, but cannot take it
along, and Vault's own log shows each signature.

If Vault is away there is no checkpoint, and the error says so; records go on being chained. To stop all
calls would make Vault a condition of every read, and gain nothing: the next checkpoint covers the records
before it. Until then they rest on this host, as all records after the last shipped checkpoint do.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cached_property
from typing import Any

from toolcrib.audit import PublicKey
from toolcrib.errors import AuditError, SecretError
from toolcrib.secrets._vault_connection import Connection

__all__ = ["TransitSigner"]


class TransitSigner:
    """Signs with version `version` of the Ed25519 key `key` at the transit mount `mount`.

    The version is fixed, so that rotating the key in Vault does not by itself end what a pinned public key
    verifies. Connects at the first use; every failure is an `AuditError`.
    """

    def __init__(self, connection: Connection, key: str, *, mount: str = "transit", version: int = 1) -> None:
        self._connection, self._key, self._mount, self._version = connection, key, mount, version

    def __repr__(self) -> str:
        return f"TransitSigner({self._place!r})"

    @property
    def _place(self) -> str:
        return f"{self._mount}/{self._key} version {self._version}"

    @property
    def id(self) -> str:
        """The public key's id."""
        return self.public.id

    @cached_property
    def public(self) -> PublicKey:
        """The public key, from Vault."""
        url = f"{self._mount}/keys/{self._key}"
        data = self._ask(lambda deadline: self._connection.read(url, url, deadline).data)
        made = (data.get("keys") or {}).get(str(self._version))
        if data.get("type") != "ed25519" or not isinstance(made, dict):
            raise self._wrong(f"it is no Ed25519 key with a version {self._version}")
        return PublicKey(self._decoded(str(made.get("public_key", "")), 32))

    def sign(self, data: bytes) -> bytes:
        """64 bytes, checked against the public key before they are handed on."""
        url = f"{self._mount}/sign/{self._key}"
        asked = {"input": b64encode(data).decode(), "key_version": self._version}
        reply = self._ask(lambda deadline: self._connection.write(url, url, deadline, asked).data)
        signature = self._decoded(str(reply.get("signature", "")).rpartition(":")[2], 64)
        if not self.public.accepts(signature, data):
            raise self._wrong("what it signed does not verify under its own public key")
        return signature

    def _ask(self, question: Callable[[float], dict[str, Any]]) -> dict[str, Any]:
        try:
            return question(time.monotonic() + self._connection.settings.timeout_seconds)
        except SecretError as error:
            raise AuditError(
                f"no checkpoint was signed: {error.what}",
                rule=f'[audit] signer = "vault": checkpoints are signed by the transit key {self._place}',
                remedy="Records go on being chained. Mend this, then run `toolcrib audit checkpoint`",
            ) from None

    def _decoded(self, text: str, size: int) -> bytes:
        try:
            data = b64decode(text, validate=True)
        except ValueError:
            data = b""
        if len(data) != size:
            raise self._wrong("Vault's answer is not what an Ed25519 key gives")
        return data

    def _wrong(self, why: str) -> AuditError:
        return AuditError(
            f"the transit key {self._place} cannot sign checkpoints: {why}",
            rule="checkpoints are signed with Ed25519",
            remedy=f"Make one: `vault write -f {self._mount}/keys/{self._key} type=ed25519`",
        )
